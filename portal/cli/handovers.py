"""`portal owners history|handovers`: ownership in time, on the command line."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click
from rich.table import Table
from rich.text import Text

from portal.app import build
from portal.cli.output import console, database_option, plain, print_json, print_table, short_time
from portal.cli.questions import short_name
from portal.model.moment import Moment, parse_moment, shown_time
from portal.model.ref import EntityRef
from portal.services.handovers import Handover, Move, Period
from portal.services.organisation import AsOf
from portal.store.versions import Version

_COMMIT_SHOWN = 10
_NONE = "-"
_NOBODY = "nobody"
_WHO = ("Commit", "Author", "When")
_COLOURS = {"came": "green", "gained": "green", "handed-over": "yellow", "went": "red", "lost": "red"}


def _moment(_context: click.Context, _parameter: click.Parameter, text: str | None) -> Moment | None:
    return None if text is None else parse_moment(text)


_limit = click.option("--limit", type=click.IntRange(1), default=100, show_default=True, help="How many items at most.")
_offset = click.option("--offset", type=click.IntRange(0), default=0, help="How many items to leave out first.")

#: Asks for the organisation as it was.
at_option = click.option(
    "--at", callback=_moment, metavar="MOMENT", help='As it was: "2026-03-01T12:00:00Z", or "revision:7".'
)


@click.command()
@click.argument("ref", metavar="REF")
@database_option
@_limit
@_offset
@click.option("--json", "as_json", is_flag=True, help="Print JSON, as the route of the same name answers.")
@click.pass_obj
def history(load: Any, *, ref: str, limit: int, offset: int, database: str | None, as_json: bool) -> None:
    """Tell whose an entity was when; of a group or user what it gained and lost. The newest comes first."""
    with build(load(database=database)) as portal:
        portal.migrate()
        found = portal.answers.handovers.history(EntityRef.parse(ref), limit=limit, offset=offset)
    if as_json:
        print_json(found.to_json())
        return
    if found.moves or not found.periods:
        console().print(Text.assemble((found.ref, "bold"), f": gained and lost {found.total}"), soft_wrap=True)
        _print(("Move", "Entity", "From/to", *_WHO), [_move(move) for move in found.moves])
    else:
        console().print(Text.assemble((found.ref, "bold"), f": periods {found.total}"), soft_wrap=True)
        _print(
            ("From", "To", "Owner", "Own layer", "Stewards", *_WHO[:2]), [_period(period) for period in found.periods]
        )
    _print_more(found.total, len(found.moves) + len(found.periods), offset)


@click.command()
@click.option("--from", "since", callback=_moment, required=True, metavar="MOMENT", help="The earlier moment.")
@click.option("--to", "until", callback=_moment, metavar="MOMENT", help="The later moment; now without it.")
@click.option("--owner", metavar="REF", help="Only what this group or user had before, or has after.")
@click.option("--layer", metavar="NAME", help="Only what stands in this layer.")
@click.option("--kind", "kinds", multiple=True, metavar="KIND", help="Only entities of this kind; may be repeated.")
@_limit
@_offset
@database_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON, as the route of the same name answers.")
@click.pass_obj
def handovers(
    load: Any,
    *,
    since: Moment,
    until: Moment | None,
    owner: str | None,
    layer: str | None,
    kinds: Sequence[str],
    limit: int,
    offset: int,
    database: str | None,
    as_json: bool,
) -> None:
    """Tell what changed hands between two moments, the newest first: times with an offset, or `revision:N`."""
    with build(load(database=database)) as portal:
        portal.migrate()
        found = portal.answers.handovers.between(
            since,
            until,
            owner=None if owner is None else EntityRef.parse(owner, default_kind="group"),
            layer=None if layer is None else EntityRef.parse(layer, default_kind="layer"),
            kinds=[kind.lower() for kind in kinds],
            limit=limit,
            offset=offset,
        )
    if as_json:
        print_json(found.to_json())
        return
    counts = ", ".join(f"{count} {change}" for change, count in found.counts.items())
    span = f"Between the revisions {found.since[0]} and {found.until[0]}: {counts}"
    console().print(Text(span, style="bold"), soft_wrap=True)
    _print(("Entity", "Change", "Before", "After", "Layer", *_WHO), [_handover(item) for item in found.items])
    _print_more(found.total, len(found.items), offset)


def _print(columns: Sequence[str], rows: Sequence[Sequence[str | Text]]) -> None:
    if not rows:
        return
    table = Table(header_style="bold", box=None, pad_edge=False)
    for column in columns:
        # A commit that is folded is of no use to anybody.
        table.add_column(column, overflow="fold", no_wrap=column in {"Commit", "When", "From", "To"})
    for row in rows:
        table.add_row(*(cell if isinstance(cell, Text) else Text(plain(cell)) for cell in row))
    print_table(table)


def _print_more(total: int, shown: int, offset: int) -> None:
    if offset + shown < total:
        click.echo(f"{total - offset - shown} more with --offset {offset + shown}")


def _period(period: Period) -> Sequence[str | Text]:
    stewards = ", ".join(f"{duty} {short_name(who)}" for who, duty in period.said.stewards)
    until = "now" if period.until is None else short_time(period.until.when_ms)
    if period.until is not None and period.until.change == "removed":
        until += " (went)"
    return (
        short_time(period.since.when_ms),
        until,
        _name(period.said.owner, _NOBODY),
        _name(period.said.layer),
        stewards or _NONE,
        *_who(period.since)[:2],
    )


def _move(move: Move) -> Sequence[str | Text]:
    change = "gained" if move.is_gain else "lost"
    version = move.version
    other = _name(move.other, _NOBODY)
    if move.other is None and version.change != "changed":
        other = "it came" if move.is_gain else "it went"
    return (Text(change, style=_COLOURS[change]), version.ref, other, *_who(version))


def _handover(item: Handover) -> Sequence[str | Text]:
    return (
        item.ref,
        Text(item.change, style=_COLOURS[item.change]),
        _name(item.before),
        _name(item.after),
        _name(item.layer),
        *_who(item.version),
    )


def _who(version: Version) -> tuple[str, str, str]:
    """Return commit, author's name and time."""
    return version.commit[:_COMMIT_SHOWN], version.author_name, short_time(version.when_ms)


def _name(ref: EntityRef | None, nothing: str = _NONE) -> str:
    return nothing if ref is None else short_name(ref)


def print_as_of(as_of: AsOf | None) -> None:
    """Print which past an answer is about; nothing for the present."""
    if as_of is not None:
        when = "" if as_of.recorded_at_ms is None else f" of {shown_time(as_of.recorded_at_ms)}"
        line = f"As of revision {as_of.revision}{when}. Not known of that time: {', '.join(as_of.not_known)}."
        console().print(Text(line, style="dim"), soft_wrap=True)
