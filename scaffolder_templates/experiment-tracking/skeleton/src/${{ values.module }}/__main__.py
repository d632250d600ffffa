"""The command: a run for each candidate, and which of them is best."""

import argparse
import sys
from collections.abc import Sequence

import mlflow

from .experiment import CANDIDATES, judge
from .tracking import tracked_run


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the experiment."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=200, help="how many points there are")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args(arguments)
    errors = {}
    for candidate in CANDIDATES:
        with tracked_run(candidate, parameters={"candidate": candidate, "count": given.count}, seed=given.seed):
            measures = judge(candidate, count=given.count, seed=given.seed)
            mlflow.log_metrics(measures)
        errors[candidate] = measures["mean_absolute_error"]
        print(f"{candidate}: mean absolute error {errors[candidate]:.3f}")
    print(f"best: {min(errors, key=lambda candidate: errors[candidate])}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
