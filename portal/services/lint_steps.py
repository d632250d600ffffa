"""Finds what is wrong with a template's steps."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

from marshmallow import ValidationError

from portal.actions.schema import json_schema, unknown_members
from portal.model.texts import texts_in
from portal.scaffolder.step_rules import Found, meant, uses_of_steps
from portal.scaffolder.steps import Text, is_rendered
from portal.scaffolder.syntax import Syntax
from portal.services.lint_form import names_secret, shown
from portal.services.template_draft import ActingStep, Draft

_ROOTS = frozenset({"parameters", "steps", "user", "context", "environment"})
_FUNCTIONS = frozenset({"always", "failure", "range", "cycler", "joiner"})
#: Not names of values, but written for having none.
_NOTHING = frozenset({"undefined"})
#: Inputs that end in files, or in what everybody reads.
_WRITING = {
    "fetch:template": "values",
    "fetch:template:file": "values",
    "fetch:cookiecutter": "values",
    "fetch:copier": "values",
    "debug:log": "message",
    "catalog:write": "entity",
    "roadiehq:utils:fs:write": "content",
    "roadiehq:utils:fs:append": "content",
}
_SHOWN = 60


def unknown_inputs(draft: Draft) -> Iterator[Found]:
    """Yield inputs that an action does not know."""
    for step in draft.steps:
        if step.action is None:
            continue
        known = frozenset(json_schema(step.action.input_schema)["properties"])
        for name in unknown_members(step.action.input_schema, step.input):
            yield Found((*step.path, "input", name), f"{name} of {step.action_id}", meant(name, known))


def missing_inputs(draft: Draft) -> Iterator[Found]:
    """Yield inputs that an action needs and does not get."""
    for step in draft.steps:
        if step.action is None or isinstance(step.declared.get("input"), str):
            continue
        for name in json_schema(step.action.input_schema).get("required", ()):
            if name not in step.input:
                yield Found((*step.path, "input"), f"no {name} for {step.action_id}")


def refused_inputs(draft: Draft) -> Iterator[Found]:
    """Yield inputs that an action does not take, among those that hold nothing to render."""
    for step in draft.steps:
        if step.action is None:
            continue
        for name, field in step.action.input_schema().fields.items():
            key = field.data_key or name
            if key not in step.input or any(is_rendered(text) for _, text in texts_in(step.input[key], ())):
                continue
            try:
                field.deserialize(step.input[key], key, step.input)
            except ValidationError as error:
                yield Found((*step.path, "input", key), f"{key} of {step.action_id}: {_told(error)}")


def unknown_outputs(draft: Draft) -> Iterator[Found]:
    """Yield uses of outputs that the step's action does not give."""
    by_id: dict[str, list[ActingStep]] = {}
    for step in draft.steps:
        by_id.setdefault(step.id, []).append(step)
    for text, use in uses_of_steps(draft):
        steps = by_id.get(use.path[1], [])
        actions = [step.action for step in steps if step.action is not None]
        if not steps or len(actions) != len(steps):
            continue
        _, _, *members = use.path
        if members[:1] not in ([], ["output"]):
            yield Found(text.path, ".".join(use.path[:3]), "Expected .output", use.place, text.content)
        elif members[1:]:
            schemas = [json_schema(action.output_schema) for action in actions if action.output_schema is not None]
            names = {name for schema in schemas for name in schema["properties"]}
            if members[1] not in names:
                gives = f"{actions[0].id} gives {', '.join(sorted(names)) or 'nothing'}"
                yield Found(text.path, ".".join(use.path[:4]), gives, use.place, text.content)


def unknown_names(draft: Draft) -> Iterator[Found]:
    """Yield names that mean nothing where they are used."""
    for text, syntax in draft.parsed():
        known = set(_ROOTS | _FUNCTIONS | _NOTHING)
        has_each = text.step is not None and "each" in text.step.declared
        if text.role in {"input", "each"} or (text.role == "if" and has_each):
            known.add("secrets")
        if has_each and text.role != "each":
            known.add("each")
        for use in syntax.uses:
            name = use.path[0]
            if name in known or (name == "secrets" and use.is_guarded) or _is_part_of_an_id(name, syntax, draft):
                continue
            hint = meant(name, known)
            if name == "secrets":
                hint = "What is shown at the end sees no secrets" if text.step is None else "An if sees no secrets"
            elif name == "each":
                hint = "The step has no each"
            yield Found(text.path, name, hint, use.place, text.content, level="warning" if use.is_guarded else None)


def unknown_filters(draft: Draft) -> Iterator[Found]:
    """Yield filters and tests that the engine does not have."""
    for text, syntax in draft.parsed():
        for names, known in ((syntax.filters, draft.filters), (syntax.tests, draft.tests)):
            for name, place in names:
                if name not in known:
                    yield Found(text.path, name, meant(name, known), place, text.content)


def invalid_expressions(draft: Draft) -> Iterator[Found]:
    """Yield texts that cannot be parsed, which a step gets as they are."""
    for text in draft.texts:
        if text.fault is not None:
            message, place = text.fault
            yield Found(text.path, _short(text.content), message, place, text.content)


def decided_conditions(draft: Draft) -> Iterator[Found]:
    """Yield conditions that hold always or never."""
    by_path = {text.path: text for text in draft.texts}
    for step in draft.steps:
        path = (*step.path, "if")
        condition = step.declared.get("if")
        if condition is False:
            yield Found(path, "false: the step never runs")
        elif isinstance(condition, str) and condition:
            text = by_path.get(path)
            if text is None:
                yield Found(path, f'the text "{_short(condition)}": the step always runs', "Did you mean ${{ … }}?")
            elif text.syntax is not None:
                yield from _decided(text, draft)


def written_secrets(draft: Draft) -> Iterator[Found]:
    """Yield secrets that end in files or logs, and secrets that stand in the template."""
    for text, syntax in draft.parsed():
        if text.step is None or text.role != "input" or _WRITING.get(text.step.action_id) not in text.path:
            continue
        for use in syntax.uses:
            if use.path[0] == "secrets" or use.path[:2] == ("environment", "secrets"):
                found = f"{'.'.join(use.path)} in {text.step.action_id}"
                yield Found(text.path, found, "", use.place, text.content)
    for step in draft.steps:
        # Further down are values of the files' own, which say `token` of what they like.
        for name, value in step.input.items():
            if isinstance(value, str) and value and names_secret(str(name)) and not is_rendered(value):
                yield Found((*step.path, "input", name), f"a text as {name} of {step.action_id}")


def _decided(text: Text, draft: Draft) -> Iterator[Found]:
    syntax = text.syntax
    if syntax is None:
        return
    if syntax.has_text:
        hint = "Leave the ${{ }} alone, without text or line ends around it"
        yield Found(text.path, f'"{_short(text.content)}" has text in any case, so the step always runs', hint)
    elif syntax.is_lone and not syntax.uses and not syntax.calls:
        yield Found(text.path, f"{_short(text.content)}, which is always the same")
    for comparison in syntax.comparisons:
        root, *members = comparison.path
        if root != "parameters" or len(members) != 1 or draft.form.is_open:
            continue
        choices = draft.form.choices(members[0])
        if choices is not None and not any(_equals(value, choice) for value in comparison.values for choice in choices):
            values = " or ".join(map(shown, comparison.values))
            yield Found(
                text.path,
                f"{members[0]} compared with {values}",
                f"It offers {', '.join(map(shown, choices))}",
                comparison.place,
                text.content,
            )


def _equals(value: Any, choice: Any) -> bool:
    """Return whether the template language finds two constants equal: as JavaScript does, where true is not "true"."""
    if isinstance(choice, (dict, list)):
        return True  # these become texts first
    if value is None or choice is None or (isinstance(value, str) and isinstance(choice, str)):
        return bool(value == choice)
    return _number(value) == _number(choice)


def _number(value: Any) -> float:
    try:
        return float(value or 0)
    except ValueError:
        return math.nan


def _is_part_of_an_id(name: str, syntax: Syntax, draft: Draft) -> bool:
    """Return whether a name is what follows the "-" of a step's id: the step is told of already."""
    return any(
        use.is_subtracted and use.path[0] == "steps" and any(step.id.endswith(f"-{name}") for step in draft.steps)
        for use in syntax.uses
    )


def _told(error: ValidationError) -> str:
    messages = error.messages
    if isinstance(messages, Mapping):
        return "; ".join(f"{name}: {text}" for name, text in messages.items())
    return " ".join(map(str, messages))


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _SHOWN else f"{line[:_SHOWN]}…"
