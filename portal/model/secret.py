"""Values that must not be seen: they print as `***`."""

from __future__ import annotations

import base64
import html
import json
from collections.abc import Iterator
from typing import final
from urllib.parse import quote, quote_plus
from weakref import WeakValueDictionary

MASK = "***"
#: A shorter one would blot out words that have nothing to do with it.
_SHORTEST_MASKED = 4
#: Of shorter texts, neither lines nor what base64 makes of them are looked for: they would be such words themselves.
SHORTEST_PART = 8
#: How many bytes may stand before a text in the group of three that base64 writes at a time, with the number of letters
#: that hold bits of them.
_BEFORE = ((0, 0), (1, 2), (2, 3))
_GROUP_BYTES = 3


@final
class Secret:
    """A text that prints as `***`, wherever it is printed; only `reveal` gives it out."""

    __slots__ = ("__weakref__", "_forms", "_text")

    def __init__(self, text: str) -> None:
        self._text = text
        self._forms: frozenset[str] | None = None
        _alive[id(self)] = self

    def reveal(self) -> str:
        """Return the text itself."""
        return self._text

    def forms(self) -> frozenset[str]:
        """Return what `forms_of` makes of the text."""
        if self._forms is None:
            self._forms = forms_of(self._text) if len(self._text) >= _SHORTEST_MASKED else frozenset()
        return self._forms

    def __repr__(self) -> str:
        return MASK

    def __str__(self) -> str:
        return MASK

    def __format__(self, format_spec: str) -> str:
        return MASK

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._text == self._text

    def __hash__(self) -> int:
        return hash((Secret, self._text))

    def __reduce__(self) -> str | tuple[object, ...]:
        raise TypeError("a secret is not pickled")


#: By identity: of two equal secrets, one may live longer.
_alive: WeakValueDictionary[int, Secret] = WeakValueDictionary()


def without_secrets(text: str) -> str:
    """Return a text without any secret that this process holds now."""
    # The references are copied at once: other threads make secrets meanwhile.
    held = [secret.forms() for reference in _alive.valuerefs() if (secret := reference()) is not None]
    there = {form for forms in held for form in forms if form in text}
    for hidden in sorted(there, key=len, reverse=True):
        text = text.replace(hidden, MASK)
    return text


def forms_of(text: str) -> frozenset[str]:
    """Return a text in the forms that programs write it in: as it is, by lines, escaped, quoted, encoded.

    All that is masked is looked for in each: a fault shows a path as Python does, a host repeats a password as it stood
    in the url, an action logs its input as JSON.
    """
    parts = {text, *(line.strip() for line in text.splitlines())} if "\n" in text else {text}
    return frozenset(form for part in parts if part == text or len(part) >= SHORTEST_PART for form in _forms(part))


def _forms(text: str) -> Iterator[str]:
    yield text
    if not (text.isalnum() and text.isascii()):
        yield json.dumps(text)[1:-1]
        yield json.dumps(text, ensure_ascii=False)[1:-1]
        yield repr(text)[1:-1]
        # As it stands in a longer text with both kinds of quotes.
        yield repr(f"{text}'\"")[1:-4]
        yield text.replace("'", "''")  # YAML, SQL
        yield html.escape(text)
        yield html.escape(text, quote=False).replace('"', "&#34;").replace("'", "&#39;")
        for safe in ("/", "", "!'()*"):  # a path, a part of one, JavaScript
            yield quote(text, safe=safe, errors="replace")
        yield quote_plus(text, errors="replace")
    if len(text) >= SHORTEST_PART:
        for count, first in _BEFORE:
            content = bytes(count) + text.encode("utf-8", "replace")
            written = base64.b64encode(content).decode("ascii").rstrip("=")[first:]
            # The last letter of a group that is not full holds bits of what follows.
            written = written[:-1] if len(content) % _GROUP_BYTES else written
            yield written
            yield written.replace("+", "-").replace("/", "_")
