"""A text that Portal says, with the template that it was made of, so that a reader may have it in their language."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import reduce
from typing import Any, Self

import orjson

#: Between the items of a list in an English sentence.
COMMA = ", "


class Sentence(str):
    """An English text that remembers its `template` and the `values` that stand in it.

    The template names its values `%(name)s`, as gettext has it; without values it is the text itself. A value may be a
    sentence, or a list of texts. Programs and files see a plain text; the pages look the template up in the reader's
    language. Each template is written right in the call, where those who gather messages find it, as they find `_`.
    """

    __slots__ = ("_kept", "_template", "_values")

    _template: str
    _values: Mapping[str, Any]
    #: What the store gave, until somebody wants to know more than the text.
    _kept: str | None

    def __new__(cls, template: str, /, **values: Any) -> Self:
        """Return the sentence in English."""
        made = super().__new__(cls, template % _in_english(values) if values else template)
        made._template, made._values, made._kept = template, values, None
        return made

    @classmethod
    def restored(cls, text: str, kept: str) -> Self:
        """Return the sentence that was kept beside its text: of a catalog's thousands a page shows a few."""
        made = super().__new__(cls, text)
        made._template, made._values, made._kept = text, {}, kept
        return made

    @property
    def template(self) -> str:
        """The text with the names of its values in it."""
        self._open()
        return self._template

    @property
    def values(self) -> Mapping[str, Any]:
        """The values by name: texts, numbers, sentences, lists of texts."""
        self._open()
        return self._values

    def _open(self) -> None:
        if self._kept is not None:
            found = orjson.loads(self._kept)
            self._template, self._kept = found["template"], None
            self._values = {name: _made(value) for name, value in found["values"].items()}

    def __getnewargs_ex__(self) -> tuple[tuple[str], dict[str, Any]]:
        """Return what copies are made of."""
        return (self.template,), dict(self.values)


def stored(text: str) -> str | None:
    """Return a sentence as JSON; None for any other text, and for one that is its own template."""
    return orjson.dumps(_kept(text)).decode() if isinstance(text, Sentence) and text.values else None


def restored(text: str, kept: str | None) -> str:
    """Return a text as it was before it was stored, with what `stored` gave for it."""
    return text if kept is None else Sentence.restored(text, kept)


def either(texts: Iterable[str]) -> str:
    """Return some texts of which one is enough, as a sentence names them; nothing for none."""
    return _folded(texts, lambda first, other: Sentence("%(first)s or %(other)s", first=first, other=other))


def every(texts: Iterable[str]) -> str:
    """Return some names that are all meant, as a sentence tells them; nothing for none."""
    return _folded(texts, lambda first, other: Sentence("%(first)s and %(other)s", first=first, other=other))


def several(texts: Iterable[str]) -> str:
    """Return some texts that all hold, as a sentence names them; nothing for none."""
    return _folded(texts, lambda first, other: Sentence("%(first)s; %(other)s", first=first, other=other))


def lines(texts: Iterable[str]) -> str:
    """Return some texts one below the other."""
    named = {f"line_{number}": text for number, text in enumerate(texts)}
    return Sentence("\n".join(f"%({name})s" for name in named), **named)


def _folded(texts: Iterable[str], fold: Callable[[str, str], str]) -> str:
    items = list(texts)
    return reduce(fold, items) if items else ""


def _in_english(values: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the values as they stand in the text; of tens of thousands of findings few have lists."""
    for value in values.values():
        if isinstance(value, (list, tuple)):
            return {
                name: COMMA.join(item) if isinstance(item, (list, tuple)) else item for name, item in values.items()
            }
    return values


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
