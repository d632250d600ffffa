"""The command that a pipeline runs: a CSV file in, a CSV file and a summary out."""

from __future__ import annotations

import argparse
import csv
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from .step import MissingColumnError, Summary, transform


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the step; return 1 where the rows are not what it needs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--input", type=Path, required=True, help="CSV file with a line of column names")
    parser.add_argument("--output", type=Path, required=True, help="CSV file to write")
    parser.add_argument("--required", default="", help="columns that must have a value, with ',' between them")
    given = parser.parse_args(arguments)
    required = [column.strip() for column in given.required.split(",") if column.strip()]
    summary = Summary()
    # The folder that a pipeline names for its output need not be there yet.
    given.output.parent.mkdir(parents=True, exist_ok=True)
    with (
        given.input.open(encoding="utf-8", newline="") as source,
        given.output.open("w", encoding="utf-8", newline="") as target,
    ):
        reader = csv.DictReader(source)
        writer = csv.DictWriter(target, fieldnames=reader.fieldnames or [])
        writer.writeheader()
        try:
            writer.writerows(transform(reader, required=required, summary=summary))
        except MissingColumnError as error:
            print(error, file=sys.stderr)
            return 1
    print(json.dumps(asdict(summary)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
