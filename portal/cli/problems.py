"""`portal owners problems`: what is wrong with the catalog, on the command line."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import click
from rich.text import Text

from portal.app import build
from portal.cli.output import console, database_option, plain, print_json, print_problems
from portal.cli.questions import short_name
from portal.model.ref import EntityRef
from portal.services.problems import NONE, Asked, Faults

_MOST_SHOWN = 500
#: So many values of a count are spelt out.
_MOST_COUNTED = 10


def _parts(_context: click.Context, _parameter: click.Parameter, texts: Sequence[str]) -> tuple[str, ...]:
    """Return what options name that may be repeated, or hold several names joined by commas."""
    found = tuple(part.strip() for text in texts for part in text.split(",") if part.strip())
    if texts and not found:
        raise click.BadParameter("It names nothing")
    return found


def _chooses(name: str, told: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    return click.option(f"--{name}", multiple=True, callback=_parts, metavar=name.upper(), help=told)


@click.command()
@_chooses("rule", "A problem's code or a rule's id, such as portal/owner-role.")
@_chooses("layer", "A layer; none for what stands in none.")
@_chooses("owner", "An owner; none for nobody.")
@_chooses("severity", "error or warning of problems, enforce or warn of findings.")
@_chooses("kind", "The kind of the entity concerned.")
@_chooses("ref", "The entity concerned.")
@click.option("--since", type=click.IntRange(0), metavar="REVISION", help="Only what has come up after a revision.")
@click.option(
    "--limit", type=click.IntRange(0), help=f"How many at most; {_MOST_SHOWN} without, and all of them with --json."
)
@database_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON, as the route of the same name answers.")
@click.pass_obj
def problems(
    load: Any,
    /,
    *,
    since: int | None,
    limit: int | None,
    database: str | None,
    as_json: bool,
    **chosen: tuple[str, ...],
) -> None:
    """Tell what is wrong with the catalog, counted by rule, layer, owner, severity.

    Options may be repeated, or name several joined by commas: any of them will do.
    """
    most = limit if limit is not None or as_json else _MOST_SHOWN
    with build(load(database=database)) as portal:
        portal.migrate()
        found = portal.problems.ask(Asked(**chosen, since=since), limit=most)
    print_json(found.to_json()) if as_json else _print_faults(found)


def _print_faults(found: Faults) -> None:
    out = console()
    since = "" if found.since is None else f" new since revision {found.since}"
    told = f"{found.total or 'no'} {'problem' if found.total == 1 else 'problems'}{since} at revision {found.revision}"
    out.print(Text(told, style="bold"), soft_wrap=True)
    for name, counts in found.counts.items():
        if counts:
            ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
            shown = [f"{_value(name, value)} {count}" for value, count in ranked[:_MOST_COUNTED]]
            more = [f"{len(ranked) - _MOST_COUNTED} more"] if len(ranked) > _MOST_COUNTED else []
            out.print(Text.assemble((f"by {name}: ", "bold"), ", ".join([*shown, *more])), soft_wrap=True)
    print_problems(found.problems)
    for finding in found.findings:
        line = f"{finding.severity}: {finding.ref}: {finding.rule}: {finding.message} {finding.fix}"
        out.print(Text(plain(line)), soft_wrap=True)
    shown_count = len(found.problems) + len(found.findings)
    if shown_count < found.total:
        click.echo(f"{found.total - shown_count} more; ask with a larger --limit")
    if not found.is_exact:
        click.echo("Some findings may be older: the catalog was not looked at between that revision and a later one.")


def _value(name: str, value: str) -> str:
    if not value:
        return NONE
    return plain(short_name(EntityRef(value)) if name in {"layer", "owner"} else value)
