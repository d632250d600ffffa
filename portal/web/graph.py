"""The graph explorer: what is around an entity, the ways between two, the whole catalog small."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any, NamedTuple
from urllib.parse import unquote

import orjson
from flask import Blueprint, render_template, request, url_for

from portal.errors import InputError
from portal.model.layer import Layer
from portal.model.ref import PEOPLE, EntityRef
from portal.model.relation import DEPENDENCY_TYPES, IN_LAYER, RelationType
from portal.services.impact import ImpactService
from portal.services.kinds import KindsService
from portal.services.overview import OverviewService, Part
from portal.services.ownership import Node, OwnershipService
from portal.services.search import LONGEST_TERM, SearchQuery, SearchService
from portal.services.subgraph import SubGraph, SubGraphService
from portal.web.graph_asked import DEEPEST, DIRECTIONS, FEW, MANY, Asked
from portal.web.language import gettext, ngettext
from portal.web.links import entity_url
from portal.web.relation_names import GROUPS, group_of, group_title, relation_name
from portal.web.tones import tones_by_layer

#: So many entities are offered for what was typed, and so many neighbours are named beside an entity.
_OFFERED, _NAMED = 12, 8


@dataclass(frozen=True, slots=True)
class GraphServices:
    """What the page asks."""

    subgraphs: SubGraphService
    overviews: OverviewService
    impacts: ImpactService
    search: SearchService
    ownership: OwnershipService
    kinds: KindsService


@dataclass(frozen=True, slots=True)
class Item:
    """What stands in the list beside the drawing: an entity, or many in one, with what it is related to."""

    id: str
    node: Node | Part
    url: str | None
    hidden: int = 0
    distance: int | None = None
    is_expanded: bool = False
    relations: list[Related] = field(default_factory=list)

    @property
    def related(self) -> Sequence[Related]:
        """The relations that are told at once."""
        return self.relations[:_NAMED]

    @property
    def more(self) -> int:
        """How many others there are."""
        return len(self.relations) - len(self.related)


class Related(NamedTuple):
    """How something is related to another; `times` says how often, 0 where it is as any relation is."""

    words: str
    item: Item
    times: int = 0


@dataclass(frozen=True, slots=True)
class Band:
    """A layer with what is shown of it; `layer` is None for what stands in none."""

    layer: Layer | None
    tone: int
    items: Sequence[Item]


def add_graph(blueprint: Blueprint, services: GraphServices) -> None:
    """Add the page."""

    @blueprint.get("/graph")
    def graph() -> str:
        asked = Asked.of(request.args)
        root, offered = _meant(services, asked.root)
        to, offered_to = _meant(services, asked.to)
        shown: dict[str, Any] = {"asked": asked}
        if root is not None:
            asked = replace(asked, root=root, to=to or asked.to)
            shown = _around(services, asked, root, to)
        elif not asked.root:
            shown |= _overview(services)
        return render_template(
            "graph.html",
            root=root,
            to=to,
            offers=[(asked.url(root=ref), title, kind) for ref, title, kind in offered],
            offers_to=[(asked.url(to=ref), title, kind) for ref, title, kind in offered_to],
            depths=range(1, DEEPEST + 1),
            directions=DIRECTIONS,
            relation_groups=_relation_groups(services.kinds, asked.types),
            kinds=sorted(kind.name for kind in services.kinds.told()),
            layers=[view.layer for view in services.ownership.layers() if view.layer is not None],
            few=FEW,
            many=MANY,
            **shown,
        )


def _meant(services: GraphServices, typed: str) -> tuple[EntityRef | None, Sequence[tuple[EntityRef, str, str]]]:
    """Return the entity that a text is the reference of, else those that it may mean, with title and kind."""
    if not typed:
        return None, ()
    term = typed
    try:
        ref = EntityRef.parse(typed)
    except InputError:
        pass
    else:
        if ref in services.ownership.nodes([ref]):
            return ref, ()
        term = ref.name
    found = services.search.query(SearchQuery(term[:LONGEST_TERM], limit=_OFFERED)).results
    return None, [
        (_ref_at(result.document["location"]), result.document["title"], result.document["kind"]) for result in found
    ]


def _ref_at(location: str) -> EntityRef:
    """Return the reference of the entity whose page a search's result leads to."""
    namespace, kind, name = (unquote(part) for part in location.removeprefix("/catalog/").split("/"))
    return EntityRef.of(kind, namespace, name)


def _around(services: GraphServices, asked: Asked, root: EntityRef, to: EntityRef | None) -> dict[str, Any]:
    """Return what the page shows around an entity, or between two."""
    which: dict[str, Any] = {
        "direction": asked.direction,
        "types": asked.types or None,
        "kinds": asked.kinds or None,
        "layers": asked.layers or None,
        "most": asked.most,
    }
    hidden: Mapping[EntityRef, int] = {}
    followed: Sequence[str] = asked.types
    if to is None:
        expand = [EntityRef(text) for text in asked.expand]
        found = services.subgraphs.around(root, depth=asked.depth, expand=expand, **which)
        hidden = services.subgraphs.hidden_steps(found, direction=asked.direction, types=asked.types or None)
    else:
        found, followed = _between(services, root, to, which)
    reached = services.impacts.distances(root, [node.ref for node in found.nodes]) if asked.is_impact else None
    tones = tones_by_layer(services.ownership.layers())
    known = services.ownership.nodes([node.ref for node in found.nodes])
    called = cache(relation_name)
    inverses = {name: other for pair in services.kinds.told().relation_types for name, other in _both(pair)}
    items = {
        node.ref: Item(
            _id(node.ref),
            node,
            entity_url(node.ref) if node.ref in known else None,
            hidden=hidden.get(node.ref, 0),
            distance=reached.steps.get(node.ref) if reached else None,
            is_expanded=node.ref in asked.expand,
        )
        for node in found.nodes
    }
    for edge in sorted(found.edges, key=lambda edge: (group_of(edge.type), edge)):
        items[edge.source].relations.append(Related(called(edge.type), items[edge.target]))
        items[edge.target].relations.append(Related(called(inverses[edge.type]), items[edge.source]))
    return {
        "asked": replace(asked, expand=tuple(ref for ref in asked.expand if ref in items)),
        "export_url": replace(asked, types=followed).export_url,
        "found": found,
        "known": known,
        "reached": reached,
        "reached_url": asked.url(
            direction="in", types=DEPENDENCY_TYPES, kinds=(), layers=(), expand=(), to="", depth=DEEPEST, most=MANY
        ),
        "bands": _bands(found.layers, items.values(), tones),
        "way": [items[ref] for ref in found.way],
        "is_common": bool(to and found.way and not followed and not PEOPLE & {root.kind, to.kind}),
        "drawing": _drawing(
            found.layers,
            items.values(),
            tones,
            [
                {"source": _id(edge.source), "target": _id(edge.target), "label": called(edge.type)}
                for edge in found.edges
            ],
            root=_id(root),
            way=[_id(ref) for ref in found.way],
        ),
    }


def _between(
    services: GraphServices, root: EntityRef, to: EntityRef, which: Mapping[str, Any]
) -> tuple[SubGraph, Sequence[str]]:
    """Return the ways between two, and the relations that were followed, empty for all.

    Nearly everything is one group or layer away from everything else: unless somebody says which relations to follow,
    those of people and layers are followed only where there is no other way.
    """
    if which["types"] is None and not PEOPLE & {root.kind, to.kind}:
        forward = (pair.forward for pair in services.kinds.told().relation_types)
        things = [name for name in forward if group_of(name)[0] != "people" and name != IN_LAYER.forward]
        found = services.subgraphs.between(root, to, **{**which, "types": things})
        if found.way:
            return found, things
    return services.subgraphs.between(root, to, **which), which["types"] or ()


def _overview(services: GraphServices) -> dict[str, Any]:
    """Return what the page shows of the whole catalog."""
    found = services.overviews.overview()
    tones = tones_by_layer(services.ownership.layers())
    items = {part.key: Item(_id(part.key), part, _part_url(part)) for part in found.parts}
    for (source, target), count in found.needs.items():
        items[source].relations.append(Related(gettext("needs"), items[target], count))
        items[target].relations.append(Related(gettext("needed by"), items[source], count))
    return {
        "overview": found,
        "bands": _bands(found.layers, items.values(), tones),
        "drawing": _drawing(
            found.layers,
            items.values(),
            tones,
            [
                {"source": _id(source), "target": _id(target), "label": str(count), "count": count}
                for (source, target), count in found.needs.items()
            ],
        ),
    }


def _part_url(part: Part) -> str | None:
    """Return where a part of the overview leads: to its own graph, or to the list of all that it stands for."""
    if part.ref is not None:
        return url_for("web.graph", root=part.ref)
    return url_for("web.catalog", kind=part.kind, layer=part.layer)


def _bands(layers: Sequence[Layer], items: Iterable[Item], tones: Mapping[EntityRef, int]) -> list[Band]:
    """Return the layers of which something is shown, the highest first; what stands in none comes last."""
    by_layer: dict[EntityRef | None, list[Item]] = {}
    known = {layer.ref for layer in layers}
    for item in sorted(items, key=lambda item: (item.node.kind, item.node.title.lower(), item.id)):
        by_layer.setdefault(item.node.layer if item.node.layer in known else None, []).append(item)
    bands = [Band(layer, tones.get(layer.ref, 0), by_layer[layer.ref]) for layer in layers if layer.ref in by_layer]
    return bands + ([Band(None, 0, by_layer[None])] if None in by_layer else [])


def _drawing(
    layers: Sequence[Layer],
    items: Iterable[Item],
    tones: Mapping[EntityRef, int],
    edges: Sequence[Mapping[str, Any]],
    **more: Any,
) -> str:
    """Return what the script draws, as JSON."""
    nodes = [
        {
            "id": item.id,
            "title": item.node.title,
            "note": _note(item.node),
            "layer": item.node.layer,
            "hidden": 0 if item.is_expanded else item.hidden,
            "distance": item.distance,
            "missing": item.url is None and isinstance(item.node, Node),
        }
        for item in items
    ]
    told = [{"ref": layer.ref, "title": layer.title, "tone": tones.get(layer.ref, 0)} for layer in layers]
    drawn = {"nodes": nodes, "edges": edges, "layers": told, "outside": gettext("In no layer"), **more}
    return orjson.dumps(drawn).decode()


def _note(node: Node | Part) -> str:
    return ngettext("%(num)s entity", "%(num)s entities", node.count) if isinstance(node, Part) else node.kind


def _relation_groups(kinds: KindsService, chosen: Collection[str]) -> list[tuple[str, list[tuple[str, str]]]]:
    """Return the relations that can be followed, by group: name, and what it is called.

    They are told as they are declared; of those that are told from the other side, what is chosen is there.
    """
    found: dict[str, list[str]] = {}
    for name in {*(pair.forward for pair in kinds.told().relation_types), *chosen}:
        found.setdefault(group_of(name)[0], []).append(name)
    order = [*GROUPS, "other"]
    return [
        (
            group_title(group),
            [(name, relation_name(name)) for name in sorted(found[group], key=lambda name: (group_of(name), name))],
        )
        for group in sorted(found, key=order.index)
    ]


def _both(pair: RelationType) -> Iterator[tuple[str, str]]:
    yield pair.forward, pair.inverse
    yield pair.inverse, pair.forward


def _id(key: str) -> str:
    """Return an id for an element, which a reference may be too long for, or name what selectors do not allow."""
    return f"node-{hashlib.blake2s(key.encode(), digest_size=6).hexdigest()}"
