"""Makes the rows of a dataset, and writes them as a file."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any, TextIO

from generation.columns import values

ROOT = Path(__file__).resolve().parent.parent


def read_description(path: Path = ROOT / "dataset.json") -> dict[str, Any]:
    """Return what is to be generated."""
    described: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return described


def rows(described: dict[str, Any], *, count: int | None = None) -> Iterator[dict[str, Any]]:
    """Yield the rows, `count` of them or as many as the description says."""
    columns = described["columns"]
    names = [column["name"] for column in columns]
    made = zip(*(values(column, seed=described["seed"]) for column in columns), strict=True)
    for row in islice(made, described["rows"] if count is None else count):
        yield dict(zip(names, row, strict=True))


def write(described: dict[str, Any], file: TextIO, *, count: int | None = None) -> None:
    """Write the rows to a file in the dataset's format."""
    if described["format"] == "jsonl":
        file.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows(described, count=count))
        return
    writer = csv.DictWriter(file, [column["name"] for column in described["columns"]], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows(described, count=count))
