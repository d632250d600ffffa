"""Makes classes of values of which there are thousands at a time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar, dataclass_transform

Made = TypeVar("Made")


@dataclass_transform(frozen_default=True)
def value(cls: type[Made]) -> type[Made]:
    """Make a class a dataclass with slots, which the type checker alone keeps from being changed.

    A frozen one sets each field by way of `object.__setattr__`: 1.3 µs for eight fields, not 0.25 (measured).
    """
    return dataclass(slots=True, unsafe_hash=True)(cls)
