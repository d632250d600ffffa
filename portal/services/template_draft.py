"""A template as the rules of `portal template lint` look at it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path as FilePath
from typing import Any, Literal

from portal.actions.contract import Action
from portal.model.envelope import Path
from portal.model.problem import Severity
from portal.scaffolder.engine import Engine
from portal.scaffolder.form import Form, form_of
from portal.scaffolder.syntax import Place, Syntax, syntax_of

#: What a text is for; what a template `creates` sees what its output does.
Role = Literal["if", "each", "input", "output"]
#: What the catalog replaces by the content of another file, before anybody runs the template.
_PLACEHOLDERS = frozenset({"$text", "$json", "$yaml", "$openapi", "$asyncapi"})


@dataclass(frozen=True, slots=True)
class Step:
    """A step, numbered from 0; `action` is None where nothing of its name is installed."""

    number: int
    id: str
    path: Path
    declared: Mapping[str, Any]
    action_id: str
    action: Action | None

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
    steps: Sequence[Step]
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


@dataclass(frozen=True, slots=True)
class Found:
    """What a rule finds: the field, what stands there, what may be meant.

    `place` is where in the field's text it stands, or in the `file` where there is one; `level` is another than the
    rule's own where given.
    """

    path: Path
    found: str
    hint: str = ""
    place: Place | None = None
    text: str = ""
    level: Severity | None = None
    file: FilePath | None = None


def draft_of(template: Mapping[str, Any], *, engine: Engine, actions: Mapping[str, Action], has_cases: bool) -> Draft:
    """Take a template apart."""
    spec = template.get("spec")
    spec = spec if isinstance(spec, Mapping) else {}
    declared = spec.get("steps")
    entries = declared if isinstance(declared, list) else []
    steps = list(_steps(entries, actions))
    words = engine.words()
    return Draft(
        template,
        form_of(template),
        steps,
        has_all_steps=isinstance(declared, list) and not any(_is_placeholder(entry) for entry in entries),
        texts=_texts(steps, spec, engine),
        actions=actions,
        filters=frozenset(words["filters"]),
        tests=frozenset(words["tests"]),
        has_cases=has_cases,
    )


def strings_in(value: Any, path: Path) -> Iterator[tuple[Path, str]]:
    """Yield the texts in a value, each with its path."""
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, Mapping):
        for name, member in value.items():
            yield from strings_in(member, (*path, name))
    elif isinstance(value, list):
        for number, item in enumerate(value):
            yield from strings_in(item, (*path, number))


def is_rendered(text: str) -> bool:
    """Return whether a text may hold anything to render."""
    return any(mark in text for mark in ("${{", "{%", "{#"))


def _steps(entries: Sequence[Any], actions: Mapping[str, Action]) -> Iterator[Step]:
    for number, entry in enumerate(entries):
        if isinstance(entry, Mapping) and isinstance(entry.get("action"), str):
            action_id = entry["action"]
            step_id = str(entry.get("id") or f"step-{number + 1}")
            yield Step(number, step_id, ("spec", "steps", number), entry, action_id, actions.get(action_id))


def _is_placeholder(entry: Any) -> bool:
    return isinstance(entry, Mapping) and not _PLACEHOLDERS.isdisjoint(entry)


def _texts(steps: Sequence[Step], spec: Mapping[str, Any], engine: Engine) -> list[Text]:
    roles: tuple[Role, ...] = ("if", "each", "input")
    found: list[tuple[Path, str, Role, Step | None]] = []
    for step in steps:
        for role in roles:
            for path, content in strings_in(step.declared.get(role), (*step.path, role)):
                found.append((path, content, role, step))
    for name in ("output", "creates"):
        found += [(path, content, "output", None) for path, content in strings_in(spec.get(name), ("spec", name))]
    rendered = [item for item in found if is_rendered(item[1])]
    outcomes = engine.parse_texts([content for _, content, _, _ in rendered])
    texts = []
    for (path, content, role, owner), outcome in zip(rendered, outcomes, strict=True):
        error = outcome.get("error")
        if error is not None:
            fault = (str(error["message"]), Place(error["line"], error["column"]))
            texts.append(Text(path, content, role, owner, None, fault))
        else:
            texts.append(Text(path, content, role, owner, syntax_of(outcome["tree"])))
    return texts
