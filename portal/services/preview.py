"""Shows a template that is being written: its form, what it makes of values, what is wrong with it."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from portal.errors import InputError, PortalError
from portal.model.problem import Problem
from portal.model.secret import Secret
from portal.scaffolder.asked import only_asked, with_defaults
from portal.scaffolder.parameters import pages
from portal.services.dry_run import DryRun, DryRunResult, DryRuns
from portal.services.task_checks import secret_names
from portal.services.template_cases import read_cases, read_template
from portal.services.template_lint import LintFault, TemplateLint


@dataclass(frozen=True, slots=True)
class Look:
    """A template as it is now. `error` says why there is no `result`; a result may have an error of its own.

    `secrets` are the names of those that the template takes, each with whether it was given.
    """

    title: str
    description: str = ""
    form: Sequence[Mapping[str, Any]] = ()
    values: Mapping[str, Any] = field(default_factory=dict)
    secrets: Mapping[str, bool] = field(default_factory=dict)
    problems: Sequence[Problem] = ()
    faults: Sequence[LintFault] = ()
    result: DryRunResult | None = None
    error: str = ""


class Preview:
    """The template of one file, with the values that its author gave last."""

    def __init__(self, file: Path, *, runs: DryRuns, lint: TemplateLint) -> None:
        self._file = file.resolve()
        self._runs = runs
        self._lint = lint
        self._lock = threading.Lock()
        self._values: dict[str, Any] | None = None
        self._secrets: dict[str, Secret] = {}

    @property
    def folder(self) -> Path:
        """The folder of the template."""
        return self._file.parent

    def give(self, values: Mapping[str, Any], secrets: Mapping[str, Secret]) -> None:
        """Take values instead of those before; secrets that are not given stay."""
        with self._lock:
            self._values = dict(values)
            self._secrets |= secrets

    def look(self) -> Look:
        """Read the template, try it, and return what there is to see. One at a time, as files change."""
        with self._lock:
            return self._look()

    def _look(self) -> Look:
        try:
            template = read_template(self._file)
        except InputError as error:
            problems = [problem for problem in error.problems if isinstance(problem, Problem)]
            return Look(self._file.name, problems=problems, error="" if problems else error.message)
        form = pages(template)
        given = self._first_values() if self._values is None else only_asked(form, self._values)
        values = with_defaults(form, given)
        result, fault = self._run(template, values)
        linted = self._lint.lint([self._file])
        metadata = template.get("metadata")
        about = metadata if isinstance(metadata, dict) else {}
        return Look(
            str(about.get("title") or about.get("name") or self._file.name),
            str(about.get("description") or ""),
            form,
            values,
            {name: name in self._secrets for name in secret_names(template)},
            linted.problems,
            linted.faults,
            result,
            fault,
        )

    def _first_values(self) -> Mapping[str, Any]:
        """Return the values of the first case beside the template, for a form that is filled in shows most."""
        try:
            cases = read_cases(self.folder)
        except InputError:
            return {}
        return next((case.values for case in cases if "error" not in case.expected), {})

    def _run(self, template: Mapping[str, Any], values: Mapping[str, Any]) -> tuple[DryRunResult | None, str]:
        asked = DryRun(template, values, secrets=self._secrets, location=f"file:{self._file}")
        try:
            return self._runs.run(asked), ""
        except PortalError as error:
            return None, error.message
