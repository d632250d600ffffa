"""`portal owners drift`: how far declared owners are from the people who do the work, on the command line."""

from __future__ import annotations

from typing import Any

import click
from rich.table import Table
from rich.text import Text

from portal.app import build
from portal.cli.output import console, database_option, plain, print_json, print_table
from portal.cli.questions import short_name
from portal.model.ref import EntityRef
from portal.services.drift import AssetDrift, DriftPage

_NONE = "-"


@click.command()
@click.argument("ref", metavar="[REF]", required=False)
@click.option("--owner", metavar="REF", help="Only what this group or user owns.")
@click.option("--layer", metavar="NAME", help="Only what stands in this layer.")
@click.option("--half-life", type=float, metavar="DAYS", help="When a commit counts half.")
@click.option("--limit", type=click.IntRange(1, 1_000), default=100, show_default=True, help="How many at most.")
@click.option("--offset", type=click.IntRange(0), default=0, help="How many to pass over.")
@database_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON, as the route of the same name answers.")
@click.pass_obj
def drift(
    load: Any,
    *,
    ref: str | None,
    owner: str | None,
    layer: str | None,
    half_life: float | None,
    limit: int,
    offset: int,
    database: str | None,
    as_json: bool,
) -> None:
    """Tell how much of the recent work on an entity is by its declared owner; without REF of all, the worst first."""
    if ref is not None and (owner or layer):
        raise click.UsageError("--owner and --layer choose among all assets; leave out REF")
    with build(load(database=database)) as portal:
        portal.migrate()
        if ref is not None:
            found = portal.answers.drift.of_entity(EntityRef.parse(ref), half_life_days=half_life)
            print_json(found.to_json()) if as_json else _print_one(found)
            return
        page = portal.answers.drift.overall(
            owner=None if owner is None else EntityRef.parse(owner, default_kind="group"),
            layer=layer,
            half_life_days=half_life,
            limit=limit,
            offset=offset,
        )
    print_json(page.to_json()) if as_json else _print_all(page, offset)


def _print_one(found: AssetDrift) -> None:
    out = console()
    node = found.entity
    out.print(Text.assemble((node.ref, "bold"), f"  {plain(node.title)}"), soft_wrap=True)
    out.print(Text.assemble(("owner: ", "bold"), node.owner or "nobody"), soft_wrap=True)
    out.print(Text(plain(found.message)), soft_wrap=True)
    if found.place is not None:
        place = found.place
        branch = f" {place.branch}" if place.branch else ""
        limits = (", older commits left out" if place.is_cut else "") + (
            ", a shallow clone" if place.is_shallow else ""
        )
        bots = f", {found.effort.bots} by bots left out" if found.effort.bots else ""
        where = f"{place.folder or 'the root'} of {place.remote}{branch} at {place.commit[:12]}{limits}"
        count = "1 commit" if found.effort.commits == 1 else f"{found.effort.commits} commits"
        out.print(Text.assemble(("read: ", "bold"), plain(f"{count} to {where}{bots}")), soft_wrap=True)
    if found.codeowners is not None:
        colour = "red" if found.codeowners.agrees is False else ""
        out.print(Text.assemble(("CODEOWNERS: ", "bold"), (plain(found.codeowners.message), colour)), soft_wrap=True)
    if not found.workers:
        return
    table = Table("Share", "Commits", "Last", "Who", "Groups", header_style="bold", box=None, pad_edge=False)
    for share, worker in ((item.share, item.to_json()) for item in found.workers):
        who = worker["ref"] or f"{worker['name']} ({worker['hint'] or 'no address'}; not in the catalog)"
        groups = ", ".join(map(short_name, worker["groups"])) or _NONE
        table.add_row(*map(Text, (f"{share:.0%}", str(worker["commits"]), worker["lastAt"][:10], plain(who), groups)))
    print_table(table)


def _print_all(page: DriftPage, offset: int) -> None:
    table = Table(
        *("Entity", "Owner", "Share", "Commits", "Most by", "Owner by work", "CODEOWNERS"),
        header_style="bold",
        box=None,
        pad_edge=False,
    )
    for item in page.items:
        top = item.workers[0].to_json() if item.workers else None
        agrees = None if item.codeowners is None else item.codeowners.agrees
        table.add_row(
            item.entity.ref,
            short_name(item.entity.owner),
            _share(item),
            str(item.effort.commits),
            Text(plain(top["name"]) if top else _NONE),
            short_name(item.drift.suggestion.ref) if item.drift.suggestion else _NONE,
            {True: "agrees", False: "differs", None: _NONE}[agrees],
        )
    if page.items:
        print_table(table)
    told = ", ".join(f"{count} {status}" for status, count in page.counts.items() if count) or "none"
    click.echo(f"{page.total} assets: {told}; {page.disagreements} differ from CODEOWNERS")
    for remote, why in sorted(page.unread.items()):
        console().print(Text(plain(f"{remote}: {why}"), style="yellow"), soft_wrap=True)
    more = page.total - offset - len(page.items)
    if more > 0:
        click.echo(f"{more} more; ask with a larger --limit or --offset")


def _share(item: AssetDrift) -> str:
    found = item.drift
    if found.share is None:
        return found.status
    return f"{found.share:.0%}" if found.status == "known" else f"{found.share:.0%} ({found.status})"
