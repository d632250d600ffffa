"""A text that Portal says, with the template that it was made of, so that a reader may have it in their language."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Self

#: Between the items of a list in an English sentence.
COMMA = ", "


class Sentence(str):
    """An English text that remembers its `template` and the `values` that stand in it.

    The template names its values `%(name)s`, as gettext has it; without values it is the text itself. A value may be a
    sentence, or a list of texts. Programs and files see a plain text; the pages look the template up in the reader's
    language. Each template is written right in the call, where those who gather messages find it, as they find `_`.
    """

    __slots__ = ("template", "values")

    template: str
    values: Mapping[str, Any]

    def __new__(cls, template: str, /, **values: Any) -> Self:
        """Return the sentence in English."""
        text = template % {name: _in_english(value) for name, value in values.items()} if values else template
        made = super().__new__(cls, text)
        made.template = template
        made.values = values
        return made

    def __getnewargs_ex__(self) -> tuple[tuple[str], dict[str, Any]]:
        """Return what copies are made of."""
        return (self.template,), dict(self.values)


def stored(text: str) -> Any:
    """Return a sentence as JSON keeps it; None for any other text, and for one that is its own template."""
    if not isinstance(text, Sentence) or not text.values:
        return None
    return {"template": text.template, "values": {name: _kept(value) for name, value in text.values.items()}}


def restored(text: str, kept: Any) -> str:
    """Return a text as it was before it was stored, with what `stored` gave for it."""
    return str(text) if kept is None else _made(kept)


def either(texts: Iterable[str]) -> str:
    """Return some texts of which one is enough, as a sentence names them."""
    first, *others = texts
    said: str = first
    for other in others:
        said = Sentence("%(first)s or %(other)s", first=said, other=other)
    return said


def every(texts: Iterable[str]) -> str:
    """Return some names that are all meant, as a sentence tells them."""
    first, *others = texts
    said: str = first
    for other in others:
        said = Sentence("%(first)s and %(other)s", first=said, other=other)
    return said


def several(texts: Iterable[str]) -> str:
    """Return some texts that all hold, as a sentence names them."""
    first, *others = texts
    said: str = first
    for other in others:
        said = Sentence("%(first)s; %(other)s", first=said, other=other)
    return said


def lines(texts: Iterable[str]) -> str:
    """Return some texts one below the other."""
    named = {f"line_{number}": text for number, text in enumerate(texts)}
    return Sentence("\n".join(f"%({name})s" for name in named), **named)


def _in_english(value: Any) -> Any:
    return COMMA.join(value) if isinstance(value, list | tuple) else value


def _kept(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return [_kept(item) for item in value]
    if isinstance(value, Sentence):
        return {"template": value.template, "values": {name: _kept(item) for name, item in value.values.items()}}
    return value if isinstance(value, int | float) else str(value)


def _made(kept: Any) -> Any:
    if isinstance(kept, list):
        return [_made(item) for item in kept]
    if isinstance(kept, dict):
        return Sentence(kept["template"], **{name: _made(item) for name, item in kept["values"].items()})
    return kept
