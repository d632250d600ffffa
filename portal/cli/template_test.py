"""`portal template test`: tries templates with the cases beside them."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.text import Text

from portal.app.dry_runs import dry_runs_alone
from portal.cli.output import console, plain, print_json
from portal.errors import InputError
from portal.services.template_cases import Verdict, read_cases, read_template, try_case

_TEMPLATE = "template.yaml"


@click.command("test")
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--update", is_flag=True, help="Keep what cases make now as their snapshots.")
@click.option("--json", "as_json", is_flag=True, help="Print the results as JSON.")
@click.pass_obj
def test(load: Any, *, folder: Path, update: bool, as_json: bool) -> None:
    """Try the template in FOLDER, or all in folders below, with the cases in tests/*.yaml; exit with 1 for a fault.

    Nothing is published, registered or stored. A case holds `values`, and may `expect` files, contents, output, steps
    or an error; files are compared with its snapshot where there is one.
    """
    verdicts: list[tuple[Path, Verdict]] = []
    with dry_runs_alone(load()) as runs:
        for file in _templates(folder):
            template = read_template(file)
            cases = read_cases(file.parent)
            if not cases:
                raise InputError(f"{file.parent / 'tests'}: found no cases; expected files such as tests/simple.yaml")
            verdicts += [(file, try_case(runs, template, case, file=file, update=update)) for case in cases]
    if as_json:
        print_json([_shown(verdict) for _, verdict in verdicts])
    else:
        _print(console(), verdicts)
    if any(verdict.faults for _, verdict in verdicts):
        sys.exit(1)


def _templates(folder: Path) -> list[Path]:
    own = folder / _TEMPLATE
    found = [own] if own.is_file() else sorted(folder.glob(f"*/{_TEMPLATE}"))
    if not found:
        raise InputError(f"{folder}: found no {_TEMPLATE}, here or in a folder below")
    return found


def _shown(verdict: Verdict) -> dict[str, Any]:
    return {
        "case": str(verdict.case.path),
        "passed": not verdict.faults,
        "faults": list(verdict.faults),
        "updated": verdict.is_updated,
    }


def _print(out: Console, verdicts: Sequence[tuple[Path, Verdict]]) -> None:
    for file, verdict in verdicts:
        name = verdict.case.path.relative_to(file.parent)
        mark, style = ("✗", "red") if verdict.faults else ("✓", "green")
        note = ", snapshot written" if verdict.is_updated else ""
        out.print(Text(f"{mark} {file.parent.name} {name}{note}", style=style), soft_wrap=True)
        for fault in verdict.faults:
            for line in fault.splitlines():
                out.print(Text(f"    {plain(line)}"), soft_wrap=True)
    failed = sum(bool(verdict.faults) for _, verdict in verdicts)
    out.print(Text(f"{len(verdicts) - failed} passed, {failed} failed"))
