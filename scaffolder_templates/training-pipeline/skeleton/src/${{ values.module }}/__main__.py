"""The commands: `compile` writes what Kubeflow takes, `try` runs the steps here."""

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from . import steps
from .sample import write_sample


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; return 1 where the model is not good enough."""
    parser = argparse.ArgumentParser(description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    writing = commands.add_parser("compile", help="write the pipeline as Kubeflow takes it")
    writing.add_argument("file", type=Path, nargs="?", default=Path("pipeline.yaml"))
    trying = commands.add_parser("try", help="run the steps on this machine")
    trying.add_argument("--rows", type=Path, help="CSV file with a line of column names; rows of its own without one")
    given = parser.parse_args(arguments)
    if given.command == "compile":
        from kfp import compiler

        from .pipeline import training_pipeline

        compiler.Compiler().compile(training_pipeline, str(given.file))
        return 0
    return _attempt(given.rows)


def _attempt(rows: Path | None) -> int:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        source = rows or folder / "rows.csv"
        if rows is None:
            write_sample(source)
        counts = steps.prepare(source, folder / "train.csv", folder / "test.csv")
        steps.train(folder / "train.csv", folder / "model.joblib")
        try:
            score = steps.evaluate(folder / "test.csv", folder / "model.joblib")
        except steps.BelowMinimumError as error:
            print(error, file=sys.stderr)
            return 1
    print(f"learnt from {counts[0]} rows, judged on {counts[1]}: {score:.3f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
