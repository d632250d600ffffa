"""Finds steps of a template that do not fit together, or name an action that nobody has."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from portal.model.envelope import Path
from portal.model.problem import Severity
from portal.model.sentence import Sentence
from portal.scaffolder.steps import Step, Stepped, Text
from portal.scaffolder.syntax import Place, Use

#: So much is shown of an id that may be as long as a file.
_SHOWN = 60


@dataclass(frozen=True, slots=True)
class Found:
    """What a rule finds: the field, what stands there, what may be meant.

    `place` is where in the field's text it stands, or in the `file`, given by its path, where there is one; `level` is
    another than the rule's own where given.
    """

    path: Path
    found: str
    hint: str = ""
    place: Place | None = None
    text: str = ""
    level: Severity | None = None
    file: str | None = None


def unknown_actions(draft: Stepped) -> Iterator[Found]:
    """Yield steps whose action is not known."""
    for step in draft.steps:
        if step.action_id not in draft.actions:
            yield Found((*step.path, "action"), step.action_id, meant(step.action_id, draft.actions))


def repeated_ids(draft: Stepped) -> Iterator[Found]:
    """Yield ids that a step before has: its output is lost."""
    seen: dict[str, Step] = {}
    for step in draft.steps:
        if step.id in seen:
            told = Sentence(
                "%(step)s, which step %(number)s is called too", step=_short(step.id), number=seen[step.id].number + 1
            )
            yield Found((*step.path, "id"), told)
        seen.setdefault(step.id, step)


def unknown_steps(draft: Stepped) -> Iterator[Found]:
    """Yield uses of steps that are not there."""
    if not draft.has_all_steps:
        return
    ids = {step.id for step in draft.steps}
    for text, use in uses_of_steps(draft):
        if use.path[1] not in ids:
            yield Found(text.path, f"steps.{use.path[1]}", _meant_step(use, ids), use.place, text.content)


def later_steps(draft: Stepped) -> Iterator[Found]:
    """Yield uses of steps that have not run by then."""
    first = {step.id: step.number for step in reversed(draft.steps)}
    for text, use in uses_of_steps(draft):
        number = first.get(use.path[1])
        if text.step is None or number is None or number < text.step.number:
            continue
        name = _short(use.path[1])
        told = Sentence("steps.%(step)s, the step itself", step=name)
        if number > text.step.number:
            told = Sentence("steps.%(step)s, step %(number)s, which comes later", step=name, number=number + 1)
        yield Found(text.path, told, "", use.place, text.content)


#: The rules by the code of the problem that each finds.
STEP_RULES: Mapping[str, Callable[[Stepped], Iterator[Found]]] = MappingProxyType(
    {
        "action-unknown": unknown_actions,
        "id-repeated": repeated_ids,
        "step-undefined": unknown_steps,
        "step-later": later_steps,
    }
)
#: What to do about what each of them finds.
STEP_FIXES: Mapping[str, str] = MappingProxyType(
    {
        "action-unknown": Sentence("Install what adds it, or use another; portal's own are in docs/templates.md"),
        "id-repeated": Sentence("Give each its own"),
        "step-undefined": Sentence("Use the id of a step; without one a step is called step-1, step-2, …"),
        "step-later": Sentence("Move the step that is used before this one"),
    }
)


def uses_of_steps(draft: Stepped) -> Iterator[tuple[Text, Use]]:
    """Yield where texts name a step, the id being the second part of the use's path."""
    for text in draft.texts:
        for use in text.syntax.uses if text.syntax is not None else ():
            if use.path[0] == "steps" and len(use.path) > 1:
                yield text, use


def meant(name: str, known: Collection[str]) -> str:
    """Return a hint at the name that may be meant, empty where none is near."""
    near = difflib.get_close_matches(name, sorted(known), n=1)
    return Sentence('Did you mean "%(name)s"?', name=near[0]) if near else ""


def _meant_step(use: Use, ids: set[str]) -> str:
    dashed = next((step_id for step_id in sorted(ids) if step_id.startswith(f"{use.path[1]}-")), None)
    if use.is_subtracted and dashed is not None:
        return Sentence("A \"-\" subtracts; write steps['%(step)s']", step=dashed)
    return meant(use.path[1], ids)


def _short(text: str) -> str:
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
