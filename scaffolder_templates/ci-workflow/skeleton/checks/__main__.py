"""Checks the workflows: `python -m checks`; exits with 1 and names each fault where there are any."""

from __future__ import annotations

import sys

from checks.workflows import check_all, workflow_files

if __name__ == "__main__":
    found = check_all()
    print("\n".join(found) or f"{len(workflow_files())} workflows have no faults")
    sys.exit(1 if found else 0)
