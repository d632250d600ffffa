"""`portal changes`, `portal history`: the catalog in time on the command line."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import click
import orjson
from rich.table import Table
from rich.text import Text

from portal.app import build
from portal.cli.output import database_option, plain, print_json, print_table, short_time, shown_location
from portal.model.difference import MISSING, Difference
from portal.model.ref import EntityRef
from portal.services.history import MOST_AT_ONCE, HistoryItem
from portal.store.versions import Version

_COLOURS = {"added": "green", "changed": "yellow", "removed": "red"}
_COMMIT_SHOWN = 10
_VALUE_SHOWN = 80

_limit = click.IntRange(1, MOST_AT_ONCE)


@click.command()
@click.option(
    "--since", type=click.IntRange(0), default=0, show_default=True, help="Revision to tell the changes after."
)
@click.option("--after", type=click.IntRange(0), default=0, help="Where to go on, as the page before says.")
@click.option("--limit", type=_limit, default=100, show_default=True, help="How many changes at most.")
@database_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON, as GET /api/catalog/changes answers.")
@click.pass_obj
def changes(load: Any, *, since: int, after: int, limit: int, database: str | None, as_json: bool) -> None:
    """Tell which entities were added, changed or removed after a revision."""
    with build(load(database=database)) as portal:
        portal.migrate()
        page = portal.history.changes(since, after=after, limit=limit)
    if as_json:
        print_json(page.to_json())
        return
    table = _table("Revision", "Change", "Entity", "Commit", "Author", "When")
    for version in page.versions:
        table.add_row(str(version.revision), _change(version), Text(version.ref), *_who(version))
    if page.versions:
        print_table(table)
    count = len(page.versions)
    more = "" if page.after is None else f"; more with --since {since} --after {page.after}"
    click.echo(f"{count} {'change' if count == 1 else 'changes'}, the newest revision is {page.revision}{more}")


@click.command()
@click.argument("ref", metavar="REF")
@click.option("--before", type=click.IntRange(0), help="Where to go on, as the page before says.")
@click.option("--limit", type=_limit, default=20, show_default=True, help="How many versions at most.")
@database_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON, as GET .../by-name/.../history answers.")
@click.pass_obj
def history(load: Any, *, ref: str, before: int | None, limit: int, database: str | None, as_json: bool) -> None:
    """Tell what changed of an entity, who changed it, in which commit, the newest first.

    REF is a reference such as component:default/billing; of an entity that is gone too.
    """
    with build(load(database=database)) as portal:
        portal.migrate()
        page = portal.history.of_entity(EntityRef.parse(ref), before=before, limit=limit)
    if as_json:
        print_json(page.to_json())
        return
    table = _table("Revision", "Change", "What", "Commit", "Author", "When")
    for item in page.items:
        version = item.version
        table.add_row(str(version.revision), _change(version), Text("\n".join(_what(item))), *_who(version))
    print_table(table)
    if page.before is not None:
        click.echo(f"older ones with --before {page.before}")


def _table(*columns: str) -> Table:
    table = Table(header_style="bold", box=None, pad_edge=False)
    for column in columns:
        # A commit that is folded is of no use to anybody.
        table.add_column(column, overflow="fold", no_wrap=column in {"Revision", "Commit", "When"})
    return table


def _change(version: Version) -> Text:
    return Text(version.change, style=_COLOURS[version.change])


def _who(version: Version) -> tuple[Text, Text, str]:
    """Return commit, author's name and time; the time of recording where the source has no history."""
    return Text(version.commit[:_COMMIT_SHOWN]), Text(plain(version.author_name)), short_time(version.when_ms)


def _what(item: HistoryItem) -> Iterator[str]:
    if item.moved_from:
        yield f"moved from {plain(shown_location(item.moved_from))}"
    yield from map(_difference, item.differences)


def _difference(found: Difference) -> str:
    path = plain(".".join(found.path))
    if found.before is MISSING:
        return f"{path}: + {_value(found.after)}"
    if found.after is MISSING:
        return f"{path}: - {_value(found.before)}"
    return f"{path}: {_value(found.before)} -> {_value(found.after)}"


def _value(value: Any) -> str:
    text = plain(orjson.dumps(value).decode())
    return text if len(text) <= _VALUE_SHOWN else f"{text[:_VALUE_SHOWN]}…"
