"""What the step does to rows: it reads and writes nothing itself, so that it is tested without files."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field


class MissingColumnError(ValueError):
    """A row lacks a column that the step needs."""


@dataclass
class Summary:
    """How many rows came and went; `dropped` counts them by the column that was empty."""

    read: int = 0
    written: int = 0
    dropped: dict[str, int] = field(default_factory=dict)


def transform(
    rows: Iterable[Mapping[str, str]], *, required: Sequence[str], summary: Summary
) -> Iterator[dict[str, str]]:
    """Yield the rows that have a value in each required column, without blanks around their values.

    Rows are taken one at a time, so that a file may be larger than the memory. Raises `MissingColumnError`.
    """
    for row in rows:
        summary.read += 1
        trimmed = {column: (value or "").strip() for column, value in row.items()}
        missing = [column for column in required if column not in trimmed]
        if missing:
            found = ", ".join(trimmed)
            raise MissingColumnError(f"row {summary.read}: found no column {', '.join(missing)}; there are {found}")
        empty = next((column for column in required if not trimmed[column]), None)
        if empty is not None:
            summary.dropped[empty] = summary.dropped.get(empty, 0) + 1
            continue
        summary.written += 1
        yield trimmed
