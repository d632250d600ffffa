"""How questions about owners are asked on the command line, how what they find is printed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import click
from rich.table import Table
from rich.text import Text

from portal.app import Portal, build
from portal.cli.output import console, database_option, print_table
from portal.graph.impact import Dependent
from portal.model.ref import EntityRef
from portal.store.graph import Node

NONE = "-"


def asks(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the arguments that all of them share."""
    for decorate in (
        click.pass_obj,
        click.option("--json", "as_json", is_flag=True, help="Print JSON, as the route of the same name answers."),
        database_option,
        click.argument("ref", metavar="REF"),
    ):
        command = decorate(command)
    return command


def asked(load: Any, database: str | None, ask: Callable[[Portal], Any]) -> Any:
    """Return what a Portal answers."""
    with build(load(database=database)) as portal:
        portal.migrate()
        return ask(portal)


def print_reached(title: str, reached: Sequence[tuple[Dependent, Node]], *, total: int | None = None) -> None:
    """Print what a walk has reached; `total` tells how much there is where that is a part of it."""
    count = len(reached) if total is None else total
    console().print(Text(f"{title}: {count or 'nothing'}", style="bold"), soft_wrap=True)
    steps = {item.ref: item for item, _ in reached}
    print_nodes(
        [node for _, node in reached],
        ("Entity", "Distance", "Layer", "Owner", "Through"),
        lambda node: (
            node.ref,
            str(steps[node.ref].distance),
            layer_name(node),
            short_name(node.owner),
            " > ".join(short_name(ref, kind=ref.kind) for ref in steps[node.ref].path[1:-1]) or NONE,
        ),
    )


def print_nodes(nodes: Sequence[Node], columns: Sequence[str], cells: Callable[[Node], Sequence[str]]) -> None:
    """Print a table with a row a node."""
    if not nodes:
        return
    table = Table(*columns, header_style="bold", box=None, pad_edge=False)
    for node in nodes:
        table.add_row(*map(Text, cells(node)))
    print_table(table)


def print_line(name: str, items: Iterable[str]) -> None:
    """Print some items on one line."""
    told = ", ".join(items)
    console().print(Text.assemble((f"{name}: ", "bold"), told or NONE), soft_wrap=True)


def layer_name(node: Node) -> str:
    """Return the name of a node's layer, or that there is no such entity."""
    return short_name(node.layer) if node.is_there else "(not in the catalog)"


def shown_root(node: Node) -> str:
    """Return the reference of what a question is about, and that there is no such entity."""
    return node.ref if node.is_there else f"{node.ref} (not in the catalog)"


def short_name(ref: EntityRef | None, *, kind: str = "group") -> str:
    """Return the name of an entity, where there is one, so that nobody takes it for another.

    The kind is told unless it is the usual one of the list, or a layer; the namespace unless it is the default one.
    """
    if ref is None:
        return NONE
    told = "" if ref.kind in {kind, "layer"} else f"{ref.kind}:"
    return f"{told}{ref.name}" if ref.namespace == "default" else f"{told}{ref.namespace}/{ref.name}"
