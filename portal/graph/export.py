"""Writes a graph in the formats that other programs draw."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

from portal.model.ref import EntityRef
from portal.model.relation import Relation

#: What Mermaid would take for its own in a text, or a browser for a tag; it knows characters by number.
_MERMAID = {ord(letter): f"#{ord(letter)};" for letter in '#"&<>`\\;{}[]()|%*_~$@'}
_LIST = re.compile(r"^( *(?:[0-9]+(?=\.))?)([.+-])")


class Shown(NamedTuple):
    """A node as drawings show it."""

    ref: EntityRef
    kind: str
    title: str
    layer: EntityRef | None
    owner: EntityRef | None
    is_there: bool = True

    @property
    def said(self) -> str:
        """What kind it is, and that it is not in the catalog where it is not."""
        return self.kind if self.is_there else f"{self.kind}, not in the catalog"


Nodes = Sequence[Shown]
Edges = Collection[Relation]


def to_dot(nodes: Nodes, edges: Edges) -> str:
    """Return a graph in Graphviz' language, with a cluster for each layer."""
    import graphviz  # noqa: PLC0415  # few ask for it

    drawn = graphviz.Digraph("catalog", graph_attr={"rankdir": "LR"}, node_attr={"shape": "box"})
    names = _names(nodes)
    for number, (layer, members) in enumerate(_by_layer(nodes).items()):
        cluster = drawn if layer is None else graphviz.Digraph(f"cluster_{number}")
        if layer is not None:
            cluster.attr(label=graphviz.nohtml(_escaped(layer.name)))
        for node in members:
            label = f"{_escaped(node.title)}\\n{_escaped(node.said)}"
            cluster.node(names[node.ref], label=graphviz.nohtml(label), tooltip=graphviz.nohtml(_escaped(node.ref)))
        if layer is not None:
            drawn.subgraph(cluster)
    for edge in edges:
        drawn.edge(names[edge.source], names[edge.target], label=graphviz.nohtml(_escaped(edge.type)))
    return str(drawn.source)


def to_mermaid(nodes: Nodes, edges: Edges) -> str:
    """Return a graph as Mermaid's flowchart, with a subgraph for each layer."""
    names = _names(nodes)
    lines = ["flowchart LR"]
    for number, (layer, members) in enumerate(_by_layer(nodes).items()):
        indent = "  " if layer is None else "    "
        if layer is not None:
            lines.append(f'  subgraph l{number}["{_quoted(layer.name)}"]')
        lines += [f'{indent}{names[node.ref]}["{_quoted(node.title)}<br/>{_quoted(node.said)}"]' for node in members]
        if layer is not None:
            lines.append("  end")
    lines += [f'  {names[edge.source]} -->|"{_quoted(edge.type)}"| {names[edge.target]}' for edge in edges]
    return "\n".join(lines) + "\n"


def to_graphml(nodes: Nodes, edges: Edges) -> str:
    """Return a graph as GraphML: nodes by reference, with kind, title, layer, owner; edges with their type."""
    import networkx as nx  # noqa: PLC0415  # few ask for it, and it takes as long to import as Portal itself

    graph = nx.MultiDiGraph()
    for node in nodes:
        members = {"kind": node.kind, "title": node.title, "layer": node.layer, "owner": node.owner}
        told: dict[str, Any] = {name: _printable(value) for name, value in members.items() if value}
        graph.add_node(_printable(node.ref), **(told if node.is_there else told | {"exists": False}))
    for number, edge in enumerate(edges):
        # The key becomes the edge's id, which must be its own in the whole document.
        graph.add_edge(_printable(edge.source), _printable(edge.target), key=number, type=_printable(edge.type))
    return "\n".join(nx.generate_graphml(graph)) + "\n"


#: How a graph is written, by the name of the format.
WRITERS: Mapping[str, Callable[[Nodes, Edges], str]] = MappingProxyType(
    {"dot": to_dot, "mermaid": to_mermaid, "graphml": to_graphml}
)


def _names(nodes: Nodes) -> dict[EntityRef, str]:
    """Return a name for each node that no language takes for anything else."""
    return {node.ref: f"n{number}" for number, node in enumerate(nodes)}


def _by_layer(nodes: Nodes) -> dict[EntityRef | None, list[Shown]]:
    found: dict[EntityRef | None, list[Shown]] = {}
    for node in sorted(nodes, key=lambda node: (node.layer or "", node.ref)):
        found.setdefault(node.layer, []).append(node)
    return found


def _printable(text: str) -> str:
    """Return a text as one line, without characters that XML cannot hold or terminals obey."""
    return "".join(
        letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in text.replace("\n", " ")
    )


def _escaped(text: str) -> str:
    """Return a text that Graphviz shows as it is: a backslash is its own sign, as is HTML's for a character."""
    return _printable(text).replace("\\", "\\\\").replace("&", "&amp;")


def _quoted(text: str) -> str:
    """Return a text that Mermaid shows as it is: what begins like a list would be told to be none that it knows."""
    told = _printable(text).translate(_MERMAID)
    return _LIST.sub(lambda found: f"{found[1]}#{ord(found[2])};", told)
