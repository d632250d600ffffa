"""The steps: each takes rows and gives rows, and touches neither files nor networks."""

from __future__ import annotations

import hashlib
import statistics
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

Row = Mapping[str, Any]


class Scale(NamedTuple):
    """Where the values of a column lie."""

    mean: float
    deviation: float


def drop_incomplete(rows: Iterable[Row], *, columns: Sequence[str]) -> Iterator[Row]:
    """Yield the rows that have a value in each of the columns."""
    for row in rows:
        if all(row.get(column) not in (None, "") for column in columns):
            yield row


def part_of(rows: Iterable[Row], *, key: str, share: float, rest: bool = False) -> Iterator[Row]:
    """Yield about a share (0 to 1) of the rows, or the `rest` of them.

    The value of the column `key` alone decides, so that a row is on the same side in each run, and on each machine.
    """
    for row in rows:
        digest = hashlib.sha256(str(row[key]).encode()).digest()
        is_chosen = int.from_bytes(digest[:8], "big") < share * 2**64
        if is_chosen is not rest:
            yield row


def fit_scale(rows: Iterable[Row], *, columns: Sequence[str]) -> dict[str, Scale]:
    """Return the scale of each column. Fit it on the rows that a model learns from, never on those that judge it."""
    known = list(rows)
    found = {}
    for column in columns:
        values = [float(row[column]) for row in known]
        # A column that never changes has no deviation; it becomes zero instead of an error.
        found[column] = Scale(statistics.fmean(values), statistics.pstdev(values) or 1.0)
    return found


def scale(rows: Iterable[Row], *, scales: Mapping[str, Sequence[float]]) -> Iterator[Row]:
    """Yield the rows with the columns that have a scale around zero, with a deviation of one."""
    for row in rows:
        moved = {column: (float(row[column]) - mean) / deviation for column, (mean, deviation) in scales.items()}
        yield {**row, **moved}
