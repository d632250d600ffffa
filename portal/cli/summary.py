"""The summary that the command line prints after an ingest."""

from __future__ import annotations

from typing import Any

import click
from rich.text import Text

from portal.app import Portal
from portal.cli.output import console, counts_table, finding_line, print_problems
from portal.cli.questions import short_name
from portal.services.refresh import RefreshReport

_MOST_SHOWN = 20
_NO_LAYER = "no layer"


def print_summary(portal: Portal, report: RefreshReport) -> None:
    """Print entities by kind and layer, owners, problems, and what the layers' rules find."""
    found = portal.ownership.summary()
    out = console()
    columns = [*found.layers, _NO_LAYER]
    rows = {kind: {name or _NO_LAYER: count for name, count in row.items()} for kind, row in found.counts.items()}
    out.print(counts_table("Entities", rows, columns))
    shown = ", ".join(f"{short_name(owner)} {count}" for owner, count in list(found.owners.items())[:_MOST_SHOWN])
    count = "1 owner" if len(found.owners) == 1 else f"{len(found.owners) or 'no'} owners"
    out.print(Text.assemble((f"{count}{': ' if shown else ''}", "bold"), shown), soft_wrap=True)
    for changes in report.changes.values():
        if changes.revision is not None:
            counts = f"{changes.added} added, {changes.changed} changed, {changes.removed} removed"
            out.print(Text(f"revision {changes.revision}: {counts}"))
    print_problems(found.problems[:_MOST_SHOWN])
    for finding in found.findings[:_MOST_SHOWN]:
        out.print(Text(finding_line(finding)), soft_wrap=True)
    exempt = sum(finding.exemption is not None for finding in found.findings)
    counted = f"{len(found.problems)} problems, {len(found.findings) - exempt} findings"
    click.echo(f"{counted}, {exempt} exempt" if exempt else counted)


def summary_json(portal: Portal, report: RefreshReport) -> dict[str, Any]:
    """Return the summary as JSON has it."""
    found = portal.ownership.summary()
    return {
        "counts": found.counts,
        "layers": found.layers,
        "owners": found.owners,
        "changes": [
            {"revision": changes.revision} | portal.history.refs_of(changes.revisions)
            for changes in report.changes.values()
        ],
        "problems": [problem.to_json() for problem in found.problems],
        "findings": [finding.to_json() for finding in found.findings],
    }
