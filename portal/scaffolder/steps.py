"""Takes a template's steps apart: what each does, which texts a run renders."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from portal.model.envelope import Path
from portal.model.texts import texts_in
from portal.scaffolder.syntax import Place, Syntax, syntax_of

#: What a text is for; what a template `creates` sees what its output does.
Role = Literal["if", "each", "input", "output"]
#: Gives for each text its syntax `tree`, or its `error`, as `Engine.parse_texts` does.
Parse = Callable[[Sequence[str]], Sequence[Mapping[str, Any]]]
#: What the catalog replaces by the content of another file, before anybody runs the template.
_PLACEHOLDERS = frozenset({"$text", "$json", "$yaml", "$openapi", "$asyncapi"})


@dataclass(frozen=True, slots=True)
class Step:
    """A step, numbered from 0."""

    number: int
    id: str
    path: Path
    declared: Mapping[str, Any]
    action_id: str

    @property
    def input(self) -> Mapping[str, Any]:
        """What is given to the action."""
        given = self.declared.get("input")
        return given if isinstance(given, Mapping) else {}


@dataclass(frozen=True, slots=True)
class Text:
    """A text of a template that is rendered, where it stands and what for; `step` is the one it belongs to, if any.

    A text that cannot be parsed has a `fault`, with its place, and no syntax.
    """

    path: Path
    content: str
    role: Role
    step: Step | None
    syntax: Syntax | None
    fault: tuple[str, Place] | None = None


class Stepped(Protocol):
    """A template taken apart.

    `has_all_steps` is false where the catalog adds some from other files; `actions` holds the ids of those that are
    known.
    """

    @property
    def steps(self) -> Sequence[Step]:
        """Its steps in their order."""

    @property
    def texts(self) -> Sequence[Text]:
        """The texts that are rendered."""

    @property
    def has_all_steps(self) -> bool:
        """Whether nothing adds to the steps."""

    @property
    def actions(self) -> Collection[str]:
        """The ids of the actions that are known."""


@dataclass(frozen=True, slots=True)
class Outline:
    """A template taken apart as far as the rules on its steps look at it."""

    steps: Sequence[Step]
    texts: Sequence[Text]
    has_all_steps: bool
    actions: Collection[str]


def outline_of(template: Mapping[str, Any], *, parse: Parse, actions: Collection[str]) -> Outline:
    """Take a template apart; of its texts those alone are parsed that may name a step."""
    spec = template.get("spec")
    spec = spec if isinstance(spec, Mapping) else {}
    steps, has_all_steps = steps_of(spec)
    return Outline(steps, texts_of(steps, spec, parse=parse, naming="steps"), has_all_steps, actions)


def steps_of(spec: Mapping[str, Any]) -> tuple[list[Step], bool]:
    """Return the steps of a template's spec, with whether these are all."""
    declared = spec.get("steps")
    entries = declared if isinstance(declared, list) else []
    steps = [
        Step(number, str(entry.get("id") or f"step-{number + 1}"), ("spec", "steps", number), entry, entry["action"])
        for number, entry in enumerate(entries)
        if isinstance(entry, Mapping) and isinstance(entry.get("action"), str)
    ]
    return steps, isinstance(declared, list) and not any(_is_placeholder(entry) for entry in entries)


def texts_of(steps: Sequence[Step], spec: Mapping[str, Any], *, parse: Parse, naming: str = "") -> list[Text]:
    """Return the texts of a template that are rendered; those alone in which a word stands, where one is given."""
    roles: tuple[Role, ...] = ("if", "each", "input")
    found: list[tuple[Path, str, Role, Step | None]] = []
    for step in steps:
        for role in roles:
            for path, content in texts_in(step.declared.get(role), (*step.path, role)):
                found.append((path, content, role, step))
    for name in ("output", "creates"):
        found += [(path, content, "output", None) for path, content in texts_in(spec.get(name), ("spec", name))]
    rendered = [item for item in found if naming in item[1] and is_rendered(item[1])]
    outcomes = parse([content for _, content, _, _ in rendered])
    texts = []
    for (path, content, role, owner), outcome in zip(rendered, outcomes, strict=True):
        error = outcome.get("error")
        if error is not None:
            fault = (str(error["message"]), Place(error["line"], error["column"]))
            texts.append(Text(path, content, role, owner, None, fault))
        else:
            texts.append(Text(path, content, role, owner, syntax_of(outcome["tree"])))
    return texts


def is_rendered(text: str) -> bool:
    """Return whether a text may hold anything to render."""
    return any(mark in text for mark in ("${{", "{%", "{#"))


def _is_placeholder(entry: Any) -> bool:
    return isinstance(entry, Mapping) and not _PLACEHOLDERS.isdisjoint(entry)
