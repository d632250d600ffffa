"""`portal owners`: who owns what, who is hit, what flows where, on the command line."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import click
from rich.text import Text

from portal.cli.drift import drift
from portal.cli.graph import graph
from portal.cli.handovers import at_option, handovers, history, print_as_of
from portal.cli.impact import impact
from portal.cli.layers import balance, layers
from portal.cli.output import console, finding_line, plain, print_json, print_problems
from portal.cli.problems import problems
from portal.cli.questions import asked, asks, layer_name, print_line, print_nodes, print_reached, short_name, shown_root
from portal.cli.reorg import reorg
from portal.cli.rules import rules
from portal.model.layer import Finding
from portal.model.moment import Moment
from portal.model.ref import PEOPLE, EntityRef
from portal.services.accountability import Accountability
from portal.services.members import Member
from portal.services.ownership import Lineage
from portal.services.portfolio import Portfolio

_NO_FLOW = "no data flows here: nothing says that it produces, consumes, derives from, is trained on this, or needs it"


@click.group()
def owners() -> None:
    """Tell who owns what, who is hit, what flows where.

    REF is a reference such as component:default/billing.
    """


@owners.command()
@at_option
@asks
def entity(load: Any, *, ref: str, at: Moment | None, database: str | None, as_json: bool) -> None:
    """Tell who answers for an entity: owner, the groups above, people, stewards, contributors, problems."""
    found = asked(load, database, lambda portal: portal.accountability.of_entity(EntityRef.parse(ref), at=at))
    print_json(found.to_json()) if as_json else _print_accountability(found)


@owners.command()
@click.option("--limit", type=click.IntRange(1), default=500, show_default=True, help="How many items at most.")
@at_option
@asks
def portfolio(load: Any, *, ref: str, limit: int, at: Moment | None, database: str | None, as_json: bool) -> None:
    """Tell what a group or user answers for, itself and through the groups below."""
    found = asked(
        load, database, lambda portal: portal.accountability.portfolio(EntityRef.parse(ref), limit=limit, at=at)
    )
    print_json(found.to_json()) if as_json else _print_portfolio(found)


@owners.command()
@asks
def lineage(load: Any, *, ref: str, database: str | None, as_json: bool) -> None:
    """Tell what data flows into an entity, and what it flows into."""
    found = asked(load, database, lambda portal: portal.ownership.lineage(EntityRef.parse(ref)))
    print_json(found.to_json()) if as_json else _print_lineage(found)


def _print_accountability(found: Accountability) -> None:
    out = console()
    print_as_of(found.as_of)
    node = found.entity
    out.print(Text.assemble((node.ref, "bold"), f"  {plain(node.title)}, layer {layer_name(node)}"), soft_wrap=True)
    if found.owner is None and node.ref.kind in PEOPLE:
        out.print(Text.assemble(("owner: ", "bold"), "none; a group or person answers for itself"), soft_wrap=True)
    elif found.owner is None:
        out.print(Text("owner: nobody", style="red"))
    else:
        missing = "" if found.owner_exists else " (not in the catalog)"
        out.print(Text.assemble(("owner: ", "bold"), found.owner, (missing, "red")), soft_wrap=True)
    if found.co_owners:
        print_line("owners too, not accountable", map(_co_owner, found.co_owners))
    print_line("groups above", (above.ref for above, _ in found.chain))
    print_line("people", map(_member, found.people) if found.people else ["nobody"])
    for steward in found.stewards:
        role = "" if steward.role is None else f", by the role {steward.role.name}"
        who = steward.who or "nobody"
        line = f"{who}, said by the {steward.origin.place} {steward.origin.ref}{role}"
        out.print(Text.assemble((f"{steward.duty}: ", "bold"), line), soft_wrap=True)
    print_line("contributors", (f"{who} ({origin.place})" for who, origin in found.contributors))
    print_problems(found.problems)
    _print_findings(found.findings)


def _member(found: Member) -> str:
    name = short_name(found.ref, kind="user")
    return name if found.through == found.ref else f"{name} ({short_name(found.through)})"


def _co_owner(found: tuple[EntityRef, bool]) -> str:
    ref, exists = found
    return ref if exists else f"{ref} (not in the catalog)"


def _print_portfolio(found: Portfolio) -> None:
    out = console()
    print_as_of(found.as_of)
    count = {0: "no entity", 1: "1 entity"}.get(found.total, f"{found.total} entities")
    itself = f", {found.direct} of them itself" if found.total else ""
    out.print(
        Text.assemble((shown_root(found.owner), "bold"), f" answers for {count}{itself}"),
        soft_wrap=True,
    )
    below = (f"{short_name(group.ref)} {found.owners.get(group.ref, 0)}" for group, _ in found.groups)
    if found.groups:
        print_line("groups below", below)
    for layer, kinds in found.counts.items():
        name = short_name(EntityRef(layer)) if layer else "no layer"
        print_line(name, (f"{kind} {number}" for kind, number in kinds.items()))
    print_nodes(
        found.items, ("Entity", "Layer", "Owner"), lambda node: (node.ref, layer_name(node), short_name(node.owner))
    )
    if len(found.items) < found.total:
        click.echo(f"{found.total - len(found.items)} more; ask with a larger --limit")
    for item in found.violations:
        console().print(Text(f"{item.severity}: {item.rule}: {item.count}"), soft_wrap=True)
    print_problems(found.problems)
    _print_findings(found.findings)
    untold = found.problems_total - len(found.problems) + found.findings_total - len(found.findings)
    if untold:
        click.echo(f"{untold} more problems and findings; ask with a larger --limit")


def _print_lineage(found: Lineage) -> None:
    root = shown_root(found.root)
    print_reached(f"flows into {root}", found.upstream)
    print_reached(f"{root} flows into", found.downstream)
    if not found.edges:
        click.echo(f"{_NO_FLOW}; what needs it in any other way: portal owners impact {found.root.ref}")


def _print_findings(findings: Iterable[Finding]) -> None:
    for finding in findings:
        console().print(Text(finding_line(finding)), soft_wrap=True)


owners.add_command(impact)
owners.add_command(graph)
owners.add_command(history)
owners.add_command(handovers)
owners.add_command(rules)
owners.add_command(problems)
owners.add_command(layers)
owners.add_command(balance)
owners.add_command(drift)
owners.add_command(reorg)
