"""Tells how far the project is: `python -m charter`."""

from __future__ import annotations

import sys
from datetime import date

from charter.project import faults, read_measurements, read_milestones, read_project
from charter.report import report


def main() -> int:
    """Print the report, or what does not fit together."""
    project, measurements, milestones = read_project(), read_measurements(), read_milestones()
    found = faults(project, measurements, milestones)
    print("\n".join(found) or report(project, measurements, milestones, today=date.today()))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
