"""Says what the model is asked with, and what is wrong with a question."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Input:
    """A number that the model needs."""

    name: str
    title: str
    minimum: float
    maximum: float


def faults(question: Any, inputs: Sequence[Input]) -> list[str]:
    """Return a sentence for each fault of a question."""
    if not isinstance(question, dict):
        return ["found no object; expected one with " + ", ".join(item.name for item in inputs)]
    known = {item.name for item in inputs}
    found = [f"{name}: is not an input" for name in question if name not in known]
    for item in inputs:
        value = question.get(item.name)
        expected = f"expected a number from {item.minimum:g} to {item.maximum:g}"
        if item.name not in question:
            found.append(f"{item.name}: is missing; {expected}")
        elif isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            found.append(f"{item.name}: found {value!r}; {expected}")
        elif not item.minimum <= value <= item.maximum:
            found.append(f"{item.name}: found {value:g}; {expected}")
    return found
