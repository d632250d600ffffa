"""Values that must not be seen: they print as `***`."""

from __future__ import annotations

from typing import final
from weakref import WeakValueDictionary

MASK = "***"
#: A shorter one would blot out words that have nothing to do with it.
_SHORTEST_MASKED = 4


@final
class Secret:
    """A text that prints as `***`, wherever it is printed; only `reveal` gives it out."""

    __slots__ = ("__weakref__", "_text")

    def __init__(self, text: str) -> None:
        self._text = text
        _alive[id(self)] = self

    def reveal(self) -> str:
        """Return the text itself."""
        return self._text

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
    held = [secret.reveal() for reference in _alive.valuerefs() if (secret := reference()) is not None]
    for hidden in sorted(held, key=len, reverse=True):
        if len(hidden) >= _SHORTEST_MASKED:
            text = text.replace(hidden, MASK)
    return text
