"""Finds what is wrong with templates before anybody runs them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

from portal.actions.contract import Action
from portal.errors import InputError
from portal.ingest import yaml
from portal.ingest.check import check, field_name, problem_of
from portal.ingest.placeholders import find_placeholders
from portal.model.kind import Kinds
from portal.model.problem import PROBLEM_MESSAGES, Problem, Severity, Span
from portal.scaffolder.engine import Engine
from portal.scaffolder.step_rules import STEP_FIXES, STEP_RULES, Found
from portal.services import lint_form, lint_skeleton, lint_steps
from portal.services.template_draft import Draft, draft_of

_NAMED = re.compile(rb"^[\"']?kind[\"']?:\s*[\"']?Template\b", re.MULTILINE)
#: Folders of a template that hold no template of their own, whatever their files say.
_NOT_TEMPLATES = re.compile(r"^(skeleton|content|template|tests|\.)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class LintRule:
    """A rule: its sentence says what is wrong, `fix` what to do."""

    id: str
    explanation: str
    fix: str
    level: Severity
    check: Callable[[Draft], Iterator[Found]]


@dataclass(frozen=True, slots=True)
class LintFault:
    """What a rule has found, at its place; `location` is that of a file, as problems have it."""

    rule: LintRule
    level: Severity
    location: str
    span: Span
    field: str
    found: str
    hint: str

    @property
    def message(self) -> str:
        """What is wrong, in sentences."""
        text = f"{self.rule.explanation}: {self.found}"
        return f"{text}. {self.hint or self.rule.fix}"

    def to_json(self) -> dict[str, str | int]:
        """Return the fault as JSON has it."""
        return {
            "rule": self.rule.id,
            "severity": self.level,
            "message": self.rule.explanation,
            "location": self.location,
            "line": self.span.line,
            "column": self.span.column,
            "field": self.field,
            "found": self.found,
            "hint": self.hint or self.rule.fix,
        }


@dataclass(frozen=True, slots=True)
class Linted:
    """What is wrong with some templates: problems that keep them out of a catalog, and what the rules find."""

    templates: int
    problems: Sequence[Problem]
    faults: Sequence[LintFault]


def _missing_cases(draft: Draft) -> Iterator[Found]:
    if not draft.has_cases:
        yield Found((), "no tests/*.yaml beside it")


def _of_steps(code: str) -> LintRule:
    """Return a rule that ingest has too, and tells in the same words."""
    return LintRule(code, PROBLEM_MESSAGES[code], STEP_FIXES[code], "error", STEP_RULES[code])


LINT_RULES: tuple[LintRule, ...] = (
    _of_steps("action-unknown"),
    LintRule(
        "input-unknown",
        "The action does not know this input, and leaves it aside",
        "Remove it, or write its name as the action does",
        "warning",
        lint_steps.unknown_inputs,
    ),
    LintRule(
        "input-missing",
        "The action needs an input that it does not get",
        "Give it below input",
        "error",
        lint_steps.missing_inputs,
    ),
    LintRule(
        "input-refused",
        "The action does not take this input",
        "Give what it expects",
        "error",
        lint_steps.refused_inputs,
    ),
    LintRule(
        "parameter-unused",
        "The form asks for a parameter that nothing uses",
        "Use it as ${{ parameters.NAME }}, or remove it",
        "warning",
        lint_form.unused_parameters,
    ),
    LintRule(
        "parameter-undefined",
        "The form does not ask for a parameter that is used",
        "Add it to a page, or use one that is there",
        "error",
        lint_form.undefined_parameters,
    ),
    LintRule(
        "page-unreachable",
        "No value opens this part of the form",
        "Compare with a value that the parameter can have, or remove the part",
        "warning",
        lint_form.unreachable_branches,
    ),
    _of_steps("step-undefined"),
    _of_steps("step-later"),
    LintRule(
        "output-undefined",
        "The step gives no output of this name",
        "Use one that its action gives",
        "error",
        lint_steps.unknown_outputs,
    ),
    _of_steps("id-repeated"),
    LintRule(
        "if-decided",
        "The condition holds always or never",
        "Compare with what can be given, or remove the condition",
        "warning",
        lint_steps.decided_conditions,
    ),
    LintRule(
        "expression-invalid",
        "The expression cannot be understood, and stays as it is",
        "Write it in the template language",
        "error",
        lint_steps.invalid_expressions,
    ),
    LintRule(
        "name-undefined",
        "This name has no value here",
        "Use parameters, steps, user, context, environment, in an input secrets, in a step with each each",
        "error",
        lint_steps.unknown_names,
    ),
    LintRule(
        "filter-unknown",
        "The template language has no such filter or test",
        "GET /api/scaffolder/v2/templating-extensions tells those that Portal adds",
        "error",
        lint_steps.unknown_filters,
    ),
    LintRule(
        "owner-missing",
        "Nobody answers for the template itself",
        "Set spec.owner to a group",
        "warning",
        lint_form.missing_owner,
    ),
    LintRule(
        "creates-without-owner",
        "What the template creates needs an owner",
        "Ask for it, with the field OwnerPicker, as a parameter that is required",
        "error",
        lint_form.created_without_owner,
    ),
    LintRule(
        "secret-plain",
        "A secret is asked for as an ordinary value, which is stored and shown",
        "Give it ui:field: Secret and use it as ${{ secrets.NAME }}",
        "warning",
        lint_form.plain_secrets,
    ),
    LintRule(
        "secret-written",
        "A secret is written where others read it",
        "Keep secrets in the host's or cluster's own store, and name them",
        "warning",
        lint_steps.written_secrets,
    ),
    LintRule(
        "skeleton-missing",
        "What the step reads is not beside the template",
        "Correct the url: it is relative to the template's file",
        "error",
        lint_skeleton.missing_skeletons,
    ),
    LintRule(
        "skeleton-invalid",
        "The file cannot be rendered",
        "Write it in the template language, put {% raw %} around what is not, or name it in copyWithoutTemplating",
        "error",
        lint_skeleton.invalid_skeletons,
    ),
    LintRule(
        "value-undefined",
        "A file uses what its step does not give, which renders to nothing",
        "Give it below values, or put {% raw %} around what is not meant",
        "warning",
        lint_skeleton.undefined_values,
    ),
    LintRule(
        "value-unused",
        "The step gives a value that no file uses",
        "Use it as ${{ values.NAME }}, or remove it",
        "warning",
        lint_skeleton.unused_values,
    ),
    LintRule(
        "cases-missing",
        "Nothing tries the template",
        "Put the values of a run into tests/simple.yaml: portal template test tries them",
        "warning",
        _missing_cases,
    ),
)


class TemplateLint:
    """Looks at the templates of files."""

    def __init__(self, *, engine: Engine, actions: Mapping[str, Action], kinds: Kinds) -> None:
        self._engine = engine
        self._actions = actions
        self._kinds = kinds

    def lint(self, targets: Sequence[Path]) -> Linted:
        """Look at the templates in files and below folders. Raises `InputError` where there are none."""
        problems: list[Problem] = []
        faults: list[LintFault] = []
        templates = 0
        for file in _files(targets):
            for document in yaml.parse(_content(file), location=f"file:{file}"):
                if document.problem is not None:
                    problems.append(document.problem)
                problems += document.warnings
                if isinstance(document.value, dict) and document.value.get("kind") == "Template":
                    templates += 1
                    found = self._document(file, document)
                    problems += found[0]
                    faults += found[1]
        if not templates and not problems:
            raise InputError(f"{', '.join(map(str, targets))}: found no template; expected a document of kind Template")
        faults.sort(key=lambda fault: (fault.location, fault.span.line, fault.span.column, fault.rule.id, fault.field))
        return Linted(templates, problems, faults)

    def _document(self, file: Path, document: yaml.Document) -> tuple[list[Problem], list[LintFault]]:
        template: dict[str, Any] = document.value
        included = [place.path for place in find_placeholders(template)]
        invalid = [
            fault
            for fault in check(template, kinds=self._kinds).faults
            if not any(path[: len(fault.path)] == fault.path for path in included)
        ]
        found: list[tuple[LintRule, Found]] = []
        # Of another version nobody knows what its fields mean.
        if not any(fault.fault.code == "kind-unknown" for fault in invalid):
            has_cases = any((file.parent / "tests").glob("*.yaml"))
            draft = draft_of(template, engine=self._engine, actions=self._actions, has_cases=has_cases)
            skeletons = lint_skeleton.read_skeletons(draft.steps, file.parent, engine=self._engine)
            draft = replace(draft, skeletons=skeletons)
            found = [(rule, item) for rule in LINT_RULES for item in rule.check(draft)]
        content = _content(file)
        paths = {item.path for _, item in found} | {fault.path for fault in invalid}
        spans = yaml.spans(content, index=document.index, paths=paths)
        location = f"file:{file}"
        lines = content.decode("utf-8", "replace").removeprefix("\ufeff").split("\n")
        faults = [
            LintFault(
                rule,
                item.level or rule.level,
                location if item.file is None else f"file:{item.file}",
                _inside(lines, spans[item.path], item) if item.file is None else _at(item),
                field_name(item.path),
                item.found,
                item.hint,
            )
            for rule, item in found
        ]
        return [problem_of(fault).at(location, spans.get(fault.path)) for fault in invalid], faults


def _files(targets: Sequence[Path]) -> Iterator[Path]:
    for target in targets:
        if target.is_dir():
            yield from _below(target.resolve())
        else:
            yield target.resolve()


def _below(folder: Path) -> Iterator[Path]:
    """Yield the files with templates below a folder, but for those that are parts of a template."""
    homes: set[Path] = set()
    found = [path for pattern in ("*.yaml", "*.yml") for path in folder.rglob(pattern) if path.is_file()]
    for path in sorted(found, key=lambda path: (len(path.parts), path)):
        if path.is_symlink() or _is_part(path, homes, folder):
            continue
        if _NAMED.search(_content(path)):
            homes.add(path.parent)
            yield path


def _is_part(path: Path, homes: set[Path], folder: Path) -> bool:
    parents = [parent for parent in path.parents if parent.is_relative_to(folder)]
    for above, parent in pairwise(parents):
        if parent in homes and _NOT_TEMPLATES.match(above.name):
            return True
    return any(part.startswith(".") for part in path.relative_to(folder).parts)


def _content(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise InputError(f"{file}: {error.strerror}") from error


def _at(found: Found) -> Span:
    """Return the place in a file that is text as a whole."""
    return Span(1, 1) if found.place is None else Span(found.place.line + 1, found.place.column + 1)


def _inside(lines: Sequence[str], span: Span, found: Found) -> Span:
    """Return where in the file a place of a field's text is; the field's own place where the file writes it otherwise.

    The field stands at its key, or its list's item; the text is on that line, or on lines below.
    """
    place = found.place
    if place is None:
        return span
    texts = found.text.split("\n")
    wanted = texts[place.line].strip()
    lead = len(texts[place.line]) - len(texts[place.line].lstrip())
    first = span.line - 1 + place.line
    for number in range(first, min(len(lines), first + _GAP)):
        column = lines[number].find(wanted, span.column - 1 if number == span.line - 1 else 0)
        if column >= 0:
            return Span(number + 1, column + place.column - lead + 1)
    return span


#: So many lines may stand between a key and its text: comments, the mark of a block.
_GAP = 4
