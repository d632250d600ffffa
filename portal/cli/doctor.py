"""`portal doctor`: what is wrong with this Portal, with the mend of each fault."""

from __future__ import annotations

import sys
from typing import Any

import click

from portal.app.examination import examine
from portal.cli.output import console, database_option, plain, print_json
from portal.services.doctor import Check

_MARKS = {"ok": ("✓", "green"), "warning": ("!", "yellow"), "failed": ("✗", "red"), "skipped": ("-", "dim")}


@click.command()
@database_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def doctor(load: Any, *, database: str | None, as_json: bool) -> None:
    """Look at settings, database, git, disk, keys, clock, stuck work; change nothing.

    Exit code 1 when anything failed; warnings alone are no failure.
    """
    found: list[Check] = []
    for check in examine(lambda: load(database=database)):
        found.append(check)
        if not as_json:
            _print(check)
    has_failed = any(check.status == "failed" for check in found)
    if as_json:
        print_json({"healthy": not has_failed, "checks": [check.as_json() for check in found]})
    sys.exit(1 if has_failed else 0)


def _print(check: Check) -> None:
    mark, colour = _MARKS[check.status]
    out = console()
    out.print(f"[{colour}]{mark}[/{colour}] [bold]{check.name}[/bold]:", end=" ", highlight=False)
    out.print(plain(check.found), markup=False, highlight=False, soft_wrap=True)
    if check.mend and check.status not in {"ok", "skipped"}:
        out.print(f"    → {plain(check.mend)}", markup=False, highlight=False, soft_wrap=True)
