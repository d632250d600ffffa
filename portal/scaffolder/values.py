"""Names the one template value that JSON has no word for.

A template expression can have no value at all (`${{ parameters.absent }}`), which is not the same as null: a member
without a value disappears from its mapping, a null member stays.
"""

from __future__ import annotations

from enum import Enum
from typing import Any, Final


class Undefined(Enum):
    """The type of `UNDEFINED`, for annotations such as `Any | Undefined`."""

    UNDEFINED = "undefined"

    def __bool__(self) -> bool:
        """Return False, as in the template language."""
        return False

    def __repr__(self) -> str:
        return "UNDEFINED"


#: What an expression without a value gives; compare with `is`.
UNDEFINED: Final = Undefined.UNDEFINED


def is_truthy(value: Any) -> bool:
    """Return whether a rendered `if` lets its step, link or text through.

    False for False, None, `UNDEFINED`, 0, NaN, the empty text and the empty list; True for all else, so for the empty
    mapping and for the text `"false"`. Not for use inside expressions, where the empty list counts as true. Rule:
    scaffolder-backend 4.2 `isTruthy`.
    """
    if isinstance(value, dict):
        return True
    if isinstance(value, float) and value != value:  # noqa: PLR0124 - only NaN differs from itself
        return False
    return bool(value)
