"""Checks that the sample rows follow the schema; exits with 1 and names each fault where they do not."""

import csv
import json
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CASTS = {"string": str, "number": float, "integer": int}


def faults(schema: dict, rows: list[dict]) -> list[str]:
    """Return a sentence for each fault of the rows."""
    found = []
    properties = schema["properties"]
    for number, row in enumerate(rows, start=2):
        place = f"data/sample.csv:{number}"
        found += [f"{place}: {name} is missing" for name in schema.get("required", []) if not row.get(name)]
        for name, value in row.items():
            if name not in properties:
                found.append(f"{place}: {name} is not in the schema")
            elif value:
                try:
                    CASTS[properties[name]["type"]](value)
                except ValueError:
                    found.append(f"{place}: {name} is {value!r}, expected a {properties[name]['type']}")
    return found


def main() -> int:
    """Check the sample."""
    schema = json.loads((ROOT / "schema/dataset.schema.json").read_text(encoding="utf-8"))
    with (ROOT / "data/sample.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    found = faults(schema, rows)
    print("\n".join(found) or f"{len(rows)} rows follow the schema")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
