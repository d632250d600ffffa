"""Writes rows to try the features with: `python -m feature_repo.sample`."""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd

from feature_repo.definitions import DESCRIBED, FOLDER

KEYS = 5


def keys(count: int = KEYS) -> list[Any]:
    """Return what the sample has rows about."""
    numbers = range(1, count + 1)
    return list(numbers) if DESCRIBED["key"]["type"] == "Int64" else [f"key-{number}" for number in numbers]


def sample(days: Sequence[datetime], *, seed: int = 1) -> pd.DataFrame:
    """Return a row for each key and day; the same seed makes the same rows."""
    numbers = random.Random(seed)
    rows = [
        {DESCRIBED["key"]["name"]: key, DESCRIBED["timestamp"]: day}
        | {feature["name"]: _value(feature["type"], numbers) for feature in DESCRIBED["features"]}
        for day in days
        for key in keys()
    ]
    frame = pd.DataFrame(rows)
    narrow = {feature["name"]: "float32" for feature in DESCRIBED["features"] if feature["type"] == "Float32"}
    return frame.astype(narrow)


def main() -> None:
    """Write the last thirty days where the definitions look for them."""
    today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    path = Path(FOLDER / DESCRIBED["source"])
    path.parent.mkdir(parents=True, exist_ok=True)
    sample([today - timedelta(days=day) for day in range(30, -1, -1)]).to_parquet(path)
    print(f"wrote {path}")


def _value(kind: str, numbers: random.Random) -> Any:
    match kind:
        case "Int64":
            return numbers.randint(0, 1000)
        case "Bool":
            return numbers.random() < 0.5
        case "String":
            return numbers.choice(["low", "middle", "high"])
        case _:
            return round(numbers.uniform(0, 100), 2)


if __name__ == "__main__":
    main()
