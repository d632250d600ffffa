"""`portal owners layers`, `portal owners balance`: how layers stand, how teams do, on the command line."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import click
from rich.table import Table
from rich.text import Text

from portal.app import build
from portal.cli.handovers import at_option, print_as_of
from portal.cli.output import console, database_option, plain, print_json, print_table
from portal.cli.questions import short_name
from portal.graph.balance import Held
from portal.model.moment import Moment
from portal.model.ref import EntityRef
from portal.services.balance import BalanceAnswer
from portal.services.layers import LayerReport, LayersAnswer, Page

_NONE = "-"
_MOST_NAMED = 5
_NECESSITIES = {"required": "required", "one-of": "one of these", "usual": "usual"}
_json_option = click.option(
    "--json", "as_json", is_flag=True, help="Print JSON, as the route of the same name answers."
)


@click.command()
@click.option("--layer", metavar="NAME", help="One layer alone.")
@click.option("--limit", type=click.IntRange(1), default=20, show_default=True, help="How many items of each list.")
@at_option
@_json_option
@database_option
@click.pass_obj
def layers(load: Any, *, layer: str | None, limit: int, at: Moment | None, as_json: bool, database: str | None) -> None:
    """Tell how each layer stands: entities, owners, coverage, violations, reuse, near-duplicates."""
    with build(load(database=database)) as portal:
        portal.migrate()
        found = portal.answers.layers.layers(layer=layer, limit=limit, at=at)
    print_json(found.to_json()) if as_json else _print_layers(found)


@click.command()
@click.argument("ref", metavar="REF")
@_json_option
@database_option
@click.pass_obj
def balance(load: Any, *, ref: str, as_json: bool, database: str | None) -> None:
    """Tell whether a team is balanced: roles needed, who holds each, what is missing."""
    with build(load(database=database)) as portal:
        portal.migrate()
        found = portal.answers.balance.balance(EntityRef.parse(ref))
    print_json(found.to_json()) if as_json else _print_balance(found)


def _print_layers(found: LayersAnswer) -> None:
    print_as_of(found.as_of)
    if not found.reports:
        click.echo("The catalog is empty.")
        return
    _print_rows(
        ("Layer", "Entities", "Owners", "With a live owner", "Violations", "Reusable", "Used by projects", "Unused"),
        [_overview(report) for report in found.reports],
    )
    for report in found.reports:
        _print_report(report)
    if found.duplicates.total:
        _print_title(f"near-duplicates: {found.duplicates.total}")
    for item in found.duplicates.items:
        first, second = (
            f"{node.ref} of {', '.join(sorted(homes))}" for node, homes in zip(item.nodes, item.homes, strict=True)
        )
        told = f"{item.pair.alike} %: {first}, and {second}: {item.pair.reason}. {item.advice}"
        console().print(Text(plain(told)), soft_wrap=True)
    _print_more(found.duplicates)


def _overview(report: LayerReport) -> Sequence[str]:
    reused = report.reused
    return (
        _name(report),
        str(report.total),
        str(report.owners.total),
        _NONE if report.percent is None else f"{report.percent:g} %",
        str(sum(item.count for item in report.broken)),
        _NONE if reused is None else str(reused.total + report.unused.total),
        _NONE if reused is None else str(report.used),
        _NONE if reused is None else str(report.unused.total),
    )


def _print_report(report: LayerReport) -> None:
    _print_title(_name(report))
    _print_line("kinds", (f"{kind} {count}" for kind, count in report.kinds.items()))
    owners = (
        f"{short_name(owner.ref)} {owner.count}{'' if owner.exists else ' (not in the catalog)'}"
        for owner in report.owners.items
    )
    _print_line("owners", owners)
    _print_more(report.owners)
    for item in report.broken:
        console().print(Text(plain(f"{item.severity}: {item.rule}: {item.count}")), soft_wrap=True)
    if report.reused is not None and report.reused.items:
        rows = [
            (
                item.node.ref,
                str(item.use.projects),
                str(item.use.dependents),
                ", ".join(short_name(ref, kind="project") for ref in item.use.named[:_MOST_NAMED])
                + (", ..." if item.use.projects > _MOST_NAMED else "")
                or _NONE,
            )
            for item in report.reused.items
        ]
        _print_rows(("Reused", "Projects", "Needed by", "Which projects"), rows)
        _print_more(report.reused)
    if report.reused is not None:
        _print_line("nobody uses", (node.ref for node in report.unused.items))
        _print_more(report.unused)


def _print_balance(found: BalanceAnswer) -> None:
    told = found.balance
    names = ", ".join(short_name(layer.ref) for layer in found.layers) or _NONE
    node = found.entity
    console().print(Text.assemble((node.ref, "bold"), f"  {plain(node.title)}, layer {names}"), soft_wrap=True)
    console().print(Text(plain(told.summary), style="green" if told.is_balanced else "red"), soft_wrap=True)
    _print_rows(("Role", "Needed", "By", "Held by"), [_role_row(item) for item in told.roles])
    for mate, roles in told.lent:
        line = f"{mate.ref} ({', '.join(mate.ways)}): {', '.join(short_name(role.ref, kind='role') for role in roles)}"
        console().print(Text.assemble(("lent: ", "bold"), plain(line)), soft_wrap=True)
    for sentence in told.missing:
        console().print(Text.assemble(("missing: ", "red"), plain(sentence)), soft_wrap=True)
    for sentence in told.notes:
        console().print(Text.assemble(("note: ", "yellow"), plain(sentence)), soft_wrap=True)


def _role_row(item: Held) -> Sequence[str]:
    sources = dict.fromkeys(
        f"the layer {short_name(need.ref)}" if need.place == "layer" else str(need.ref) for need in item.needs
    )
    holders = [
        f"{short_name(mate.ref, kind='user')}{' (lent)' if mate.lent else ''}{' alone' if item.is_single else ''}"
        for mate in item.holders[:_MOST_NAMED]
    ]
    more = f", {len(item.holders) - _MOST_NAMED} more" if len(item.holders) > _MOST_NAMED else ""
    held = ", ".join(holders) + more or ("nobody" if item.is_missing else _NONE)
    return (short_name(item.role.ref, kind="role"), _NECESSITIES[item.necessity], ", ".join(sources), held)


def _print_rows(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    table = Table(*columns, header_style="bold", box=None, pad_edge=False)
    for row in rows:
        table.add_row(*(Text(plain(cell)) for cell in row))
    print_table(table)


def _print_title(text: str) -> None:
    console().print(Text(f"\n{plain(text)}", style="bold"), soft_wrap=True)


def _print_line(name: str, items: Iterable[str]) -> None:
    console().print(Text.assemble((f"{name}: ", "bold"), plain(", ".join(items)) or _NONE), soft_wrap=True)


def _print_more(page: Page[Any]) -> None:
    if page.total > len(page.items):
        click.echo(f"{page.total - len(page.items)} more; ask with a larger --limit")


def _name(report: LayerReport) -> str:
    return "no layer" if report.layer is None else report.layer.name
