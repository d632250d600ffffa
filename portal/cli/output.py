"""How the command line prints: JSON, problems, summaries."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import orjson

from portal.model.layer import Finding
from portal.model.moment import shown_time
from portal.model.problem import Problem

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

#: As wide as a line may be that no person reads: what is handed on to a program is not folded.
_UNFOLDED = 10_000

database_option = click.option("--database", metavar="URL", help="sqlite:///PATH or postgresql://…")


def console(*, stderr: bool = False) -> Console:
    """Return a console; colours are used where the terminal has them."""
    from rich.console import Console  # noqa: PLC0415  # a server that starts prints one line

    return Console(stderr=stderr)


def print_json(value: Any) -> None:
    """Print a value as indented JSON."""
    click.echo(orjson.dumps(value, option=orjson.OPT_INDENT_2 | orjson.OPT_NON_STR_KEYS, default=str).decode())


def print_table(table: Table) -> None:
    """Print a table."""
    out = console()
    if not out.is_terminal:
        out.width = _UNFOLDED
    out.print(table)


def plain(text: str) -> str:
    """Return a text without what a terminal would take for commands: catalogs and commits hold anything."""
    return "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in text)


def short_time(milliseconds: int) -> str:
    """Return a time to the minute, in UTC, as tables show it."""
    return f"{shown_time(milliseconds)[:16].replace('T', ' ')}Z"


def shown_location(location: str) -> str:
    """Return a location as people read it: files below the current folder without the way there."""
    if not location.startswith("file:"):
        return location
    path = Path(location.removeprefix("file:"))
    try:
        return os.path.relpath(path) if path.is_relative_to(Path.cwd()) else str(path)
    except ValueError:
        return str(path)


def print_problems(problems: Collection[Problem]) -> None:
    """Print problems, one a line."""
    from rich.text import Text  # noqa: PLC0415

    out = console()
    for problem in problems:
        colour = "red" if problem.severity == "error" else "yellow"
        line = Text(f"{problem.severity}: ", style=colour)
        line.append(plain(str(problem.at(shown_location(problem.location), problem.span))), style="default")
        out.print(line, soft_wrap=True)


def finding_line(finding: Finding) -> str:
    """Return a finding in a line: an excused one says until when, by whom, for what reason."""
    exemption = finding.exemption
    excused = ""
    if exemption is not None:
        excused = f" Exempt until {exemption.expires}, approved by {exemption.approver}: {exemption.reason}"
    return plain(f"{finding.severity}: {finding.ref}: {finding.message} {finding.fix}{excused}")


def counts_table(title: str, rows: Mapping[str, Mapping[str, int]], columns: Collection[str]) -> Table:
    """Return a table of counts: a row a key, a column a name, with totals."""
    from rich.table import Table  # noqa: PLC0415

    table = Table(title=title, title_justify="left", title_style="bold", header_style="bold")
    table.add_column("")
    for column in columns:
        table.add_column(column, justify="right")
    table.add_column("all", justify="right")
    for name, counts in rows.items():
        cells = [str(counts.get(column, 0) or "") for column in columns]
        table.add_row(name, *cells, str(sum(counts.values())))
    totals = [str(sum(counts.get(column, 0) for counts in rows.values())) for column in columns]
    table.add_row("all", *totals, str(sum(sum(counts.values()) for counts in rows.values())), style="bold")
    return table
