"""`portal owners`: who owns what, who is hit, what flows where, on the command line."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import click
from rich.table import Table
from rich.text import Text

from portal.app import Portal, build
from portal.cli.handovers import at_option, handovers, history
from portal.cli.output import console, database_option, plain, print_json, print_problems, print_table
from portal.graph.impact import Dependent
from portal.model.layer import Finding
from portal.model.moment import Moment, shown_time
from portal.model.ref import EntityRef
from portal.services.accountability import Accountability, Portfolio
from portal.services.organisation import AsOf
from portal.services.ownership import Impact, Lineage
from portal.store.graph import Node

_NONE = "-"


@click.group()
def owners() -> None:
    """Tell who owns what, who is hit, what flows where.

    REF is a reference such as component:default/billing.
    """


def _asks(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the arguments that all of them share."""
    for decorate in (
        click.pass_obj,
        click.option("--json", "as_json", is_flag=True, help="Print JSON, as the route of the same name answers."),
        database_option,
        click.argument("ref", metavar="REF"),
    ):
        command = decorate(command)
    return command


@owners.command()
@at_option
@_asks
def entity(load: Any, *, ref: str, at: Moment | None, database: str | None, as_json: bool) -> None:
    """Tell who answers for an entity: owner, the groups above, people, stewards, contributors, problems."""
    found = _asked(load, database, lambda portal: portal.accountability.of_entity(EntityRef.parse(ref), at=at))
    print_json(found.to_json()) if as_json else _print_accountability(found)


@owners.command()
@click.option("--limit", type=click.IntRange(1), default=500, show_default=True, help="How many items at most.")
@at_option
@_asks
def portfolio(load: Any, *, ref: str, limit: int, at: Moment | None, database: str | None, as_json: bool) -> None:
    """Tell what a group or user answers for, itself and through the groups below."""
    found = _asked(
        load, database, lambda portal: portal.accountability.portfolio(EntityRef.parse(ref), limit=limit, at=at)
    )
    print_json(found.to_json()) if as_json else _print_portfolio(found)


@owners.command()
@_asks
def impact(load: Any, *, ref: str, database: str | None, as_json: bool) -> None:
    """Tell what needs an entity, directly or through others, and the owners to tell, the nearest first."""
    found = _asked(load, database, lambda portal: portal.ownership.impact(EntityRef.parse(ref)))
    print_json(found.to_json()) if as_json else _print_impact(found)


@owners.command()
@_asks
def lineage(load: Any, *, ref: str, database: str | None, as_json: bool) -> None:
    """Tell what data flows into an entity, and what it flows into."""
    found = _asked(load, database, lambda portal: portal.ownership.lineage(EntityRef.parse(ref)))
    print_json(found.to_json()) if as_json else _print_lineage(found)


def _asked(load: Any, database: str | None, ask: Callable[[Portal], Any]) -> Any:
    with build(load(database=database)) as portal:
        portal.migrate()
        return ask(portal)


def _print_accountability(found: Accountability) -> None:
    out = console()
    _print_as_of(found.as_of)
    node = found.entity
    out.print(Text.assemble((node.ref, "bold"), f"  {plain(node.title)}, layer {_layer(node)}"), soft_wrap=True)
    if found.owner is None:
        out.print(Text("owner: nobody", style="red"))
    else:
        missing = "" if found.owner_exists else " (not in the catalog)"
        out.print(Text.assemble(("owner: ", "bold"), found.owner, (missing, "red")), soft_wrap=True)
    _print_line("groups above", (above.ref for above, _ in found.chain))
    _print_line("people", (f"{who.node.ref.name} ({who.through.name})" for who in found.people))
    for steward in found.stewards:
        role = "" if steward.role is None else f", by the role {steward.role.name}"
        who = steward.who or "nobody"
        line = f"{who}, said by the {steward.origin.place} {steward.origin.ref}{role}"
        out.print(Text.assemble((f"{steward.duty}: ", "bold"), line), soft_wrap=True)
    _print_line("contributors", (f"{who} ({origin.place})" for who, origin in found.contributors))
    print_problems(found.problems)
    _print_findings(found.findings)


def _print_portfolio(found: Portfolio) -> None:
    out = console()
    _print_as_of(found.as_of)
    count = "1 entity" if found.total == 1 else f"{found.total} entities"
    out.print(
        Text.assemble((found.owner.ref, "bold"), f" answers for {count}, {found.direct} of them itself"), soft_wrap=True
    )
    below = (f"{group.ref.name} {found.owners.get(group.ref, 0)}" for group, _ in found.groups)
    if found.groups:
        _print_line("groups below", below)
    for layer, kinds in found.counts.items():
        name = EntityRef(layer).name if layer else "no layer"
        _print_line(name, (f"{kind} {number}" for kind, number in kinds.items()))
    _print_nodes(found.items, ("Entity", "Layer", "Owner"), lambda node: (node.ref, _layer(node), _name(node.owner)))
    if len(found.items) < found.total:
        click.echo(f"{found.total - len(found.items)} more; ask with a larger --limit")
    print_problems(found.problems)
    _print_findings(found.findings)


def _print_as_of(as_of: AsOf | None) -> None:
    if as_of is not None:
        when = "" if as_of.recorded_at_ms is None else f" of {shown_time(as_of.recorded_at_ms)}"
        line = f"As of revision {as_of.revision}{when}. Not known of that time: {', '.join(as_of.not_known)}."
        console().print(Text(line, style="dim"), soft_wrap=True)


def _print_impact(found: Impact) -> None:
    _print_reached(f"needs {found.root.ref}", found.dependents)
    told = (f"{owner.ref.name} ({owner.count}, nearest {owner.distance})" for owner in found.owners)
    _print_line("tell", told)


def _print_lineage(found: Lineage) -> None:
    _print_reached(f"flows into {found.root.ref}", found.upstream)
    _print_reached(f"{found.root.ref} flows into", found.downstream)


def _print_reached(title: str, reached: Sequence[tuple[Dependent, Node]]) -> None:
    out = console()
    out.print(Text(f"{title}: {len(reached) or 'nothing'}", style="bold"), soft_wrap=True)
    steps = {item.ref: item for item, _ in reached}
    _print_nodes(
        [node for _, node in reached],
        ("Entity", "Distance", "Layer", "Owner", "Through"),
        lambda node: (
            node.ref,
            str(steps[node.ref].distance),
            _layer(node),
            _name(node.owner),
            " > ".join(ref.name for ref in steps[node.ref].path[1:-1]) or _NONE,
        ),
    )


def _print_nodes(nodes: Sequence[Node], columns: Sequence[str], cells: Callable[[Node], Sequence[str]]) -> None:
    if not nodes:
        return
    table = Table(*columns, header_style="bold", box=None, pad_edge=False)
    for node in nodes:
        table.add_row(*map(Text, cells(node)))
    print_table(table)


def _print_line(name: str, items: Iterable[str]) -> None:
    told = ", ".join(items)
    console().print(Text.assemble((f"{name}: ", "bold"), told or _NONE), soft_wrap=True)


def _print_findings(findings: Iterable[Finding]) -> None:
    for finding in findings:
        text = f"{finding.severity}: {finding.ref}: {finding.message} {finding.fix}"
        console().print(Text(text), soft_wrap=True)


def _layer(node: Node) -> str:
    return _name(node.layer)


def _name(ref: EntityRef | None) -> str:
    return _NONE if ref is None else ref.name


owners.add_command(history)
owners.add_command(handovers)
