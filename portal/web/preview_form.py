"""Makes a plain HTML form of a template's pages, which needs no script."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import orjson

from portal.ingest.yaml import parse
from portal.model.secret import MASK, Secret
from portal.scaffolder.asked import asked

Control = Literal["text", "area", "number", "flag", "choice", "choices", "lines", "secret", "free", "group"]
_SEPARATOR = "/"
_NAMES = ("enumNames", "ui:enumNames")


class Posted(Protocol):
    """What a browser sends of a form."""

    def getlist(self, key: str) -> Sequence[str]:
        """Return all that was given under a name."""
        ...


@dataclass(frozen=True, slots=True)
class Option:
    """One of several values; the browser sends its number."""

    label: str
    is_chosen: bool


@dataclass(frozen=True, slots=True)
class Input:
    """A part of the form: `name` is what the browser sends it as, `text` what stands in it."""

    name: str
    label: str
    help: str
    control: Control
    schema: Mapping[str, Any]
    is_required: bool
    text: str = ""
    is_set: bool = False
    options: Sequence[Option] = ()
    members: Sequence[Input] = ()


@dataclass(frozen=True, slots=True)
class ShownPage:
    """A page of the form."""

    title: str
    description: str
    inputs: Sequence[Input]


def form_pages(form: Sequence[Mapping[str, Any]], values: Mapping[str, Any]) -> list[ShownPage]:
    """Return the pages with what they ask for while these values are given."""
    return [
        ShownPage(
            str(page.get("title") or f"Page {number}"),
            str(page.get("description") or ""),
            list(_inputs(page, values, "value")),
        )
        for number, page in enumerate(form, start=1)
    ]


def read_form(shown: Sequence[ShownPage], posted: Posted) -> tuple[dict[str, Any], dict[str, Secret]]:
    """Return values and secrets that were given to the pages as they were shown; what is empty is left out."""
    values: dict[str, Any] = {}
    secrets: dict[str, Secret] = {}
    for page in shown:
        for item in page.inputs:
            if item.control == "secret":
                text = "".join(posted.getlist(item.name)[:1])
                if text:
                    secrets[_last(item)] = Secret(text)
                if text or item.is_set:
                    values[_last(item)] = MASK
                continue
            value = _value(item, posted)
            if value is not None:
                values[_last(item)] = value
    return values, secrets


def _inputs(schema: Mapping[str, Any], values: Mapping[str, Any], prefix: str) -> Iterator[Input]:
    found = asked(schema, values)
    for name, member in found.properties.items():
        if member.get("type") == "null" or member.get("ui:widget") == "hidden":
            continue
        yield _input(member, values.get(name), f"{prefix}{_SEPARATOR}{name}", is_required=name in found.required)


def _input(schema: Mapping[str, Any], value: Any, name: str, *, is_required: bool) -> Input:
    control = _control(schema)
    members: Sequence[Input] = ()
    if control == "group":
        members = list(_inputs(schema, value if isinstance(value, Mapping) else {}, name))
    return Input(
        name,
        str(schema.get("title") or name.rpartition(_SEPARATOR)[2]),
        str(schema.get("description") or schema.get("ui:help") or ""),
        control,
        schema,
        is_required,
        _text(control, value),
        bool(value),
        _options(schema, value, control),
        members,
    )


def _control(schema: Mapping[str, Any]) -> Control:
    kind = schema.get("type", "string")
    if schema.get("ui:field") == "Secret":
        return "secret"
    if isinstance(schema.get("enum"), list) and kind != "boolean":
        return "choice"
    if kind == "object" and isinstance(schema.get("properties"), Mapping):
        return "group"
    if kind == "array":
        return _list_control(schema.get("items"))
    if kind == "string" and schema.get("ui:widget") == "textarea":
        return "area"
    return _CONTROLS.get(kind, "free") if isinstance(kind, str) else "free"


_CONTROLS: Mapping[str, Control] = {"string": "text", "boolean": "flag", "number": "number", "integer": "number"}


def _list_control(items: Any) -> Control:
    of = items if isinstance(items, Mapping) else {}
    if isinstance(of.get("enum"), list):
        return "choices"
    return "lines" if of.get("type", "string") == "string" else "free"


def _text(control: Control, value: Any) -> str:
    if value is None or control == "secret":
        return ""
    if control == "lines" and isinstance(value, list):
        return "\n".join(map(str, value))
    if control == "free" or not isinstance(value, (str, int, float)):
        return orjson.dumps(value).decode()
    return str(value)


def _options(schema: Mapping[str, Any], value: Any, control: Control) -> list[Option]:
    if control == "choice":
        enum, chosen = schema["enum"], [value]
    elif control == "choices":
        enum, chosen = schema["items"]["enum"], value if isinstance(value, list) else []
    else:
        return []
    named = [schema, schema["items"]] if control == "choices" else [schema]
    names: Sequence[Any] = next((found for item in named for key in _NAMES if (found := item.get(key))), ())
    labels = [str(names[number]) if number < len(names) else str(item) for number, item in enumerate(enum)]
    # Of 1 and true only one is meant.
    typed = [(type(value), value) for value in chosen]
    return [Option(label, (type(item), item) in typed) for label, item in zip(labels, enum, strict=True)]


def _value(item: Input, posted: Posted) -> Any:
    """Return what was given to an input, None for nothing; what cannot be read stays text, which the schema refuses."""
    if item.control == "group":
        found = {_last(member): _value(member, posted) for member in item.members}
        return {name: value for name, value in found.items() if value is not None} or None
    texts = [text.replace("\r\n", "\n") for text in posted.getlist(item.name)]
    if item.control == "flag":
        return bool(texts)
    if item.control in {"choice", "choices"}:
        return _chosen(item, texts)
    text = "".join(texts[:1])
    return _READERS.get(item.control, str)(text) if text else None


def _chosen(item: Input, texts: Sequence[str]) -> Any:
    enum = item.schema["enum"] if item.control == "choice" else item.schema["items"]["enum"]
    chosen = [enum[int(text)] for text in texts if text.isdecimal() and int(text) < len(enum)]
    if item.control == "choices":
        return chosen
    return chosen[0] if chosen else None


def _number(text: str) -> Any:
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def _free(text: str) -> Any:
    """Return the value that a text is as YAML, or JSON."""
    documents = parse(text.encode())
    return documents[0].value if len(documents) == 1 and documents[0].problem is None else text


def _lines(text: str) -> list[str]:
    return [line for line in text.split("\n") if line.strip()]


_READERS: Mapping[Control, Callable[[str], Any]] = {"number": _number, "lines": _lines, "free": _free}


def _last(item: Input) -> str:
    return item.name.rpartition(_SEPARATOR)[2]
