"""A template as the rules of `portal template lint` look at it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path as FilePath
from typing import Any

from portal.actions.contract import Action
from portal.scaffolder.engine import Engine
from portal.scaffolder.form import Form, form_of
from portal.scaffolder.steps import Step, Text, steps_of, texts_of
from portal.scaffolder.syntax import Place, Syntax


@dataclass(frozen=True, slots=True)
class ActingStep(Step):
    """A step with its action; None where nothing of its name is installed."""

    action: Action | None


@dataclass(frozen=True, slots=True)
class SkeletonText:
    """A name or body that a step renders, of a file or folder."""

    file: FilePath
    is_name: bool
    syntax: Syntax | None
    fault: tuple[str, Place] | None = None


@dataclass(frozen=True, slots=True)
class Skeleton:
    """What a step reads from beside the template; `texts` is None where it is not there.

    `root` is the name by which the texts have the step's values.
    """

    step: Step
    root: str
    texts: Sequence[SkeletonText] | None


@dataclass(frozen=True, slots=True)
class Draft:
    """A template taken apart. `has_all_steps` is false where the catalog adds some from other files."""

    template: Mapping[str, Any]
    form: Form
    steps: Sequence[ActingStep]
    has_all_steps: bool
    texts: Sequence[Text]
    actions: Mapping[str, Action]
    filters: frozenset[str]
    tests: frozenset[str]
    has_cases: bool
    skeletons: Sequence[Skeleton] = ()

    @property
    def spec(self) -> Mapping[str, Any]:
        """The template's spec."""
        spec = self.template.get("spec")
        return spec if isinstance(spec, Mapping) else {}

    def parsed(self) -> Iterator[tuple[Text, Syntax]]:
        """Yield the texts that can be parsed, with what they use."""
        for text in self.texts:
            if text.syntax is not None:
                yield text, text.syntax


def draft_of(template: Mapping[str, Any], *, engine: Engine, actions: Mapping[str, Action], has_cases: bool) -> Draft:
    """Take a template apart."""
    spec = template.get("spec")
    spec = spec if isinstance(spec, Mapping) else {}
    declared, has_all_steps = steps_of(spec)
    steps = [
        ActingStep(step.number, step.id, step.path, step.declared, step.action_id, actions.get(step.action_id))
        for step in declared
    ]
    words = engine.words()
    return Draft(
        template,
        form_of(template),
        steps,
        has_all_steps=has_all_steps,
        texts=texts_of(steps, spec, parse=engine.parse_texts),
        actions=actions,
        filters=frozenset(words["filters"]),
        tests=frozenset(words["tests"]),
        has_cases=has_cases,
    )
