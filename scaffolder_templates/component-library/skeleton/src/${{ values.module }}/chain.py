"""Puts steps together by name, as a pipeline's configuration lists them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from .steps import Row, drop_incomplete, part_of, scale

Step = Callable[..., Iterator[Row]]

#: What a configuration may name. A new step is added here, and tested in tests/test_steps.py.
STEPS: Mapping[str, Step] = {"drop_incomplete": drop_incomplete, "part_of": part_of, "scale": scale}


class UnknownStepError(LookupError):
    """A configuration names a step that there is not."""


def run(rows: Iterable[Row], steps: Sequence[tuple[str, Mapping[str, Any]]]) -> Iterator[Row]:
    """Return what the steps, each a name with its settings, make of the rows one after the other.

    Raises `UnknownStepError` before any row is read.
    """
    unknown = [name for name, _ in steps if name not in STEPS]
    if unknown:
        raise UnknownStepError(f"found {', '.join(unknown)}; the steps are {', '.join(sorted(STEPS))}")
    for name, settings in steps:
        rows = STEPS[name](rows, **settings)
    return iter(rows)
