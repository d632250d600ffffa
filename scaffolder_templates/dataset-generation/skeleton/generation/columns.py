"""Makes the values of a column from a seed."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from typing import Any

Column = dict[str, Any]


def values(column: Column, *, seed: int) -> Iterator[Any]:
    """Yield the values of a column without end; each column has random numbers of its own."""
    # The name is part of the seed, so that no column's values change when another one is added.
    numbers = random.Random(f"{seed}:{column['name']}")
    if column["kind"] == "id":
        yield from _counted()
    make = _MAKERS[column["kind"]]
    while True:
        yield make(column, numbers)


def _counted() -> Iterator[int]:
    number = 0
    while True:
        number += 1
        yield number


def _integer(column: Column, numbers: random.Random) -> int:
    return numbers.randint(round(column["minimum"]), round(column["maximum"]))


def _number(column: Column, numbers: random.Random) -> float:
    return round(numbers.uniform(column["minimum"], column["maximum"]), 3)


def _category(column: Column, numbers: random.Random) -> str:
    chosen: str = numbers.choice(column["categories"])
    return chosen


def _day(column: Column, numbers: random.Random) -> str:
    first, last = date.fromisoformat(column["first"]), date.fromisoformat(column["last"])
    return (first + timedelta(days=numbers.randint(0, (last - first).days))).isoformat()


_MAKERS: dict[str, Callable[[Column, random.Random], Any]] = {
    "integer": _integer,
    "number": _number,
    "category": _category,
    "date": _day,
}
