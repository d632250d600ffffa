"""`portal audit`: tells who did what, as a table or as JSON lines."""

from __future__ import annotations

from typing import Any

import click
import orjson
from rich.table import Table

from portal.app import build
from portal.cli.output import database_option, plain, print_json, print_table
from portal.model.audit import RESULTS, parse_place, parse_query
from portal.model.moment import shown_time
from portal.services.audit import MOST_AT_ONCE, AuditPage

_WHICH = (
    click.option("--since", metavar="WHEN", help="7d, 2026-01-31, or a time with its offset."),
    click.option("--until", metavar="WHEN", help="As --since; what happened before it."),
    click.option("--actor", help="user:default/ann, service:ci, operator:root, nobody."),
    click.option("--action", help="location.create, sign-in, read and the like."),
    click.option("--on", metavar="TEXT", help="A part of what it was done to."),
    click.option("--result", type=click.Choice(RESULTS), help="How it ended."),
)


def _which(command: Any) -> Any:
    for option in reversed(_WHICH):
        command = option(command)
    return command


@click.group(invoke_without_command=True)
@_which
@click.option("--limit", type=click.IntRange(1, MOST_AT_ONCE), default=50, show_default=True, help="How many at most.")
@click.option("--before", metavar="PLACE", help="Go on where a page ended.")
@database_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON, as the route of the same name answers.")
@click.pass_context
def audit(
    ctx: click.Context, /, *, limit: int, before: str | None, database: str | None, as_json: bool, **which: Any
) -> None:
    """Tell who did what, on what, with which result, the newest first."""
    if ctx.invoked_subcommand is not None:
        if any(value is not None for value in which.values()):
            raise click.UsageError("Say which records are to be exported after export")
        return
    with build(ctx.obj(database=database)) as portal:
        portal.migrate()
        query = parse_query(which, now_ms=portal.audit.now_ms)
        page = portal.audit.find(query, before=None if before is None else parse_place(before), limit=limit)
    if as_json:
        following = {} if page.following is None else {"nextCursor": str(page.following)}
        print_json({"items": [record.to_json() for record in page.records], "pageInfo": following})
    else:
        _print(page)


@audit.command()
@click.argument("file", type=click.File("wb", lazy=False))
@_which
@database_option
@click.pass_obj
def export(load: Any, /, *, file: Any, database: str | None, **which: Any) -> None:
    """Write records to FILE (- for the standard output), one JSON object a line, the oldest first."""
    with build(load(database=database)) as portal:
        portal.migrate()
        count = 0
        for record in portal.audit.walk(parse_query(which, now_ms=portal.audit.now_ms)):
            file.write(orjson.dumps(record.to_json(), option=orjson.OPT_APPEND_NEWLINE))
            count += 1
    click.echo(f"{count} records", err=True)


def _print(page: AuditPage) -> None:
    table = Table(header_style="bold")
    for column in ("at", "who", "what", "on", "result", "request"):
        table.add_column(column)
    for record in page.records:
        who = f"{record.actor} (token {record.token_id})" if record.token_id else record.actor
        result = record.result if record.status is None else f"{record.result} {record.status}"
        cells = (shown_time(record.at_ms), who, record.action, record.target, result, record.request_id)
        table.add_row(*map(plain, cells))
    print_table(table)
    if page.following is not None:
        click.echo(f"older ones: --before {page.following}")
