"""Writes the dataset: `python -m generation`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from generation.dataset import ROOT, read_description, write


def main() -> None:
    """Write the file that the arguments ask for."""
    described = read_description()
    default = ROOT / "data" / f"{described['name']}.{described['format']}"
    parser = argparse.ArgumentParser(prog="python -m generation", description="Generate the dataset.")
    parser.add_argument("--rows", type=int, help=f"how many rows, instead of {described['rows']}")
    parser.add_argument("--to", default=str(default), help="the file to write; - for the terminal")
    given = parser.parse_args()
    if given.to == "-":
        write(described, sys.stdout, count=given.rows)
        return
    path = Path(given.to)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as file:
        write(described, file, count=given.rows)
    print(f"wrote {path}")


if __name__ == "__main__":
    main()
