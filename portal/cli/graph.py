"""`portal owners graph`: the part of the graph around an entity, on the command line."""

from __future__ import annotations

from typing import Any, cast

import click

from portal.cli.output import print_json
from portal.cli.questions import asked, asks, layer_name, print_nodes, short_name
from portal.graph.export import WRITERS
from portal.model.ref import EntityRef
from portal.services.subgraph import Direction, SubGraph


@click.command()
@click.option("--depth", type=click.IntRange(0, 100), default=1, show_default=True, help="How many steps to walk.")
@click.option("--direction", type=click.Choice(["in", "out", "both"]), default="both", show_default=True)
@click.option("--relation", "types", multiple=True, metavar="TYPE", help="Follow these only; may be repeated.")
@click.option("--kind", "kinds", multiple=True, metavar="KIND", help="Show these only; may be repeated.")
@click.option("--layer", "layers", multiple=True, metavar="LAYER", help="Show these only; may be repeated.")
@click.option("--format", "written", type=click.Choice(["text", *WRITERS]), default="text", show_default=True)
@asks
def graph(
    load: Any,
    *,
    ref: str,
    depth: int,
    direction: str,
    types: tuple[str, ...],
    kinds: tuple[str, ...],
    layers: tuple[str, ...],
    written: str,
    database: str | None,
    as_json: bool,
) -> None:
    """Show what is around an entity, also as DOT, Mermaid or GraphML.

    Kinds and layers say which nodes are shown; the walk goes on from what is shown only.
    """
    found = asked(
        load,
        database,
        lambda portal: portal.answers.subgraphs.around(
            EntityRef.parse(ref),
            depth=depth,
            direction=cast("Direction", direction),
            types=types or None,
            kinds=kinds or None,
            layers=layers or None,
        ),
    )
    if as_json:
        print_json(found.to_json())
    elif written == "text":
        _print_graph(found)
    else:
        click.echo(found.written(written), nl=False)
    if found.is_truncated:
        click.echo(f"only {len(found.nodes)} of the nodes are shown; ask for fewer", err=True)


def _print_graph(found: SubGraph) -> None:
    print_nodes(
        found.nodes,
        ("Entity", "Layer", "Owner"),
        lambda node: (node.ref, layer_name(node), short_name(node.owner)),
    )
    for edge in found.edges:
        click.echo(f"{edge.source} {edge.type} {edge.target}")
