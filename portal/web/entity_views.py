"""What each view of an entity shows, beside what all of them do."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from flask import request, url_for

from portal.model.kind_fields import fields_of
from portal.model.ref import EntityRef
from portal.model.relation import DEPENDENCY_TYPES, INVERSES
from portal.services.ownership import Node
from portal.web.api_definition import read_definition
from portal.web.entity_frame import EntityServices, Frame
from portal.web.entity_source import as_yaml, place_url
from portal.web.history import in_short
from portal.web.language import gettext, translated
from portal.web.links import is_safe, words
from portal.web.listed import MOST_SHOWN, Listed
from portal.web.relation_names import group_of, group_title, relation_name

View = Callable[[EntityServices, Frame], dict[str, Any]]

#: So many entities of a relation are shown on the first view; people that an owner reaches; owners to tell.
_FEW, _PEOPLE_SHOWN, _OWNERS_SHOWN = 6, 12, 8
#: So many entities of a relation are shown where relations are what is asked for.
_MANY = 200
#: So many entities that a change reaches are shown at once.
_AT_ONCE = 100
_LARGEST_OFFSET = 10_000_000
#: So many steps at each end are shown of a way that is longer than both.
_WAY_ENDS = 3
#: So much of a definition is shown as text.
_DEFINITION_SHOWN = 200_000
#: What stands beside the relations already, with where it comes from.
_TOLD_BESIDE = frozenset({"ownedBy", "stewardedBy", "contributedBy"})
#: What leads from an entity to those that need it themselves.
_NEEDED_BY = frozenset(INVERSES[name] for name in DEPENDENCY_TYPES)


@dataclass(frozen=True, slots=True)
class ShownRelation:
    """The entities that a relation leads to, under the name that people have for it."""

    type: str
    name: str
    refs: Listed


def overview(services: EntityServices, frame: Frame) -> dict[str, Any]:
    """Return what an entity is, who answers for it, what it is tied to, what happened to it last."""
    kinds = services.kinds.current()
    related = kinds.reference_fields
    declares = next((found for found in kinds if found.declared_by == frame.ref), None)
    is_owned = frame.node.owner is not None or "owner" in related.get(frame.ref.kind, {"owner"})
    relations = [found for found in _relations(frame, most=_FEW) if not (is_owned and found.type in _TOLD_BESIDE)]
    needed_by = _needed_by(frame)
    told = [ref for relation in relations for ref in relation.refs.shown]
    known = dict(services.ownership.nodes({*told, *needed_by[:_MANY], *_people_named(frame)}))
    owners = Counter(node.owner for ref in needed_by[:_MANY] if (node := known.get(ref)) is not None and node.owner)
    known |= services.ownership.nodes(owners.keys() - known.keys())
    return {
        "known": known | _people_shown(frame),
        "is_owned": is_owned,
        "people": Listed(frame.who.people[:_PEOPLE_SHOWN], len(frame.who.people)),
        "facts": _facts(
            frame.spec, leave_out={"definition", *(name for name, *_ in frame.badges)}.union(*related.values())
        ),
        "links": _links(frame.metadata),
        "relations": relations,
        "needed_by": len(needed_by),
        "needed_owners": sorted(owners.items(), key=lambda item: (-item[1], item[0]))[:_OWNERS_SHOWN],
        "owners_of_first": _MANY if len(needed_by) > _MANY else 0,
        "declares": declares,
        "declared_fields": fields_of(declares) if declares else (),
        **in_short(services.history, frame.ref),
    }


def relations(services: EntityServices, frame: Frame) -> dict[str, Any]:
    """Return all that an entity is tied to, in groups."""
    found = _relations(frame, most=_MANY)
    groups = [
        (group_title(group), list(members)) for group, members in groupby(found, lambda item: group_of(item.type)[0])
    ]
    return {
        "groups": groups,
        "known": services.ownership.nodes({ref for relation in found for ref in relation.refs.shown}),
    }


def lineage(services: EntityServices, frame: Frame) -> dict[str, Any]:
    """Return what flows into an entity, and what it flows into, by distance."""
    found = services.ownership.lineage(frame.ref)
    up, down = (
        [(item.distance, node, item.path) for item, node in side] for side in (found.upstream, found.downstream)
    )
    shown = [*up[:_AT_ONCE], *down[:_AT_ONCE]]
    named = {ref for _, node, path in shown for ref in (node.owner, *path[-2:]) if ref is not None}
    return {
        "upstream": Listed(up[:_AT_ONCE], len(up)),
        "downstream": Listed(down[:_AT_ONCE], len(down)),
        "known": services.ownership.nodes(named),
    }


def impact(services: EntityServices, frame: Frame) -> dict[str, Any]:
    """Return whom a change reaches, and through what."""
    offset = request.args.get("offset", 0, type=int)
    offset = offset if 0 <= offset <= _LARGEST_OFFSET else 0
    found = services.impacts.of_entity(frame.ref, limit=_AT_ONCE, offset=offset).reached
    named = {
        *(node.owner for _, node in found.dependents if node.owner is not None),
        *(owner.ref for owner in found.owners[:MOST_SHOWN]),
        *(ref for item, _ in found.dependents for ref in _shown_way(item.path[1:-1])),
        *(node.ref for _, node in found.dependents),
    }
    return {
        "way_ends": _WAY_ENDS,
        "total": found.total,
        "dependents": found.dependents,
        "owners": Listed.of(found.owners),
        "first": offset + 1,
        "previous": max(0, offset - _AT_ONCE) if offset else None,
        "following": offset + _AT_ONCE if offset + _AT_ONCE < found.total else None,
        "known": services.ownership.nodes(named),
    }


def _shown_way(steps: Sequence[EntityRef]) -> Iterable[EntityRef]:
    """Return what is shown of a way: all of it, or its two ends."""
    return steps if len(steps) <= 2 * _WAY_ENDS + 1 else (*steps[:_WAY_ENDS], *steps[-_WAY_ENDS:])


def definition(_services: EntityServices, frame: Frame) -> dict[str, Any]:
    """Return the definition of an API as far as it can be told, and as text."""
    text = str(frame.spec.get("definition", ""))
    return {
        "definition": read_definition(text, str(frame.spec.get("type", ""))),
        "text": text[:_DEFINITION_SHOWN],
        "is_cut": len(text) > _DEFINITION_SHOWN,
        "known": {},
    }


def problems(services: EntityServices, frame: Frame) -> dict[str, Any]:
    """Return what is wrong with an entity: where, what was found, what to do."""
    related = {ref for finding in frame.who.findings for ref in (*finding.related, finding.layer) if ref is not None}
    approvers = {finding.exemption.approver for finding in frame.exempt if finding.exemption is not None}
    return {
        "places": [(problem, place_url(frame, problem)) for problem in frame.problems],
        "known": services.ownership.nodes(related | approvers),
        "rule_url": lambda rule: url_for("web.problems", rule=rule),
    }


def found_yaml(services: EntityServices, frame: Frame) -> dict[str, Any]:
    """Return the document as its file declares it."""
    (item,) = services.history.of_entity(frame.ref, limit=1).items
    return {"text": as_yaml(item.version.declared), "version": item.version, "known": {}}


def processed_yaml(_services: EntityServices, frame: Frame) -> dict[str, Any]:
    """Return the document as the catalog has it, with all that it knows beside."""
    return {"text": as_yaml(frame.body), "known": {}}


#: The views by their name in the address, each with its template; the first is shown where none is named.
VIEWS: Mapping[str, tuple[str, View]] = {
    "overview": ("entity_overview.html", overview),
    "relations": ("entity_relations.html", relations),
    "lineage": ("entity_lineage.html", lineage),
    "impact": ("entity_impact.html", impact),
    "api": ("entity_api.html", definition),
    "problems": ("entity_problems.html", problems),
    "yaml": ("entity_yaml.html", found_yaml),
    "processed": ("entity_yaml.html", processed_yaml),
}


def _relations(frame: Frame, *, most: int) -> list[ShownRelation]:
    """Return an entity's relations by type, in the order of their groups."""
    by_type: dict[str, list[EntityRef]] = {}
    for item in frame.document.get("relations") or ():
        by_type.setdefault(item["type"], []).append(EntityRef(item["targetRef"]))
    order = ["needs", "data", "place", "people", "other"]

    def place(name: str) -> tuple[int, int, str]:
        group, number = group_of(name)
        return order.index(group), number, name

    return [
        ShownRelation(name, relation_name(name), Listed(by_type[name][:most], len(by_type[name])))
        for name in sorted(by_type, key=place)
    ]


def _needed_by(frame: Frame) -> list[EntityRef]:
    """Return the entities that need this one themselves, each once."""
    found = (item for item in frame.document.get("relations") or () if item["type"] in _NEEDED_BY)
    return list(dict.fromkeys(EntityRef(item["targetRef"]) for item in found))


def _people_named(frame: Frame) -> Iterator[EntityRef]:
    who = frame.who
    named: Iterable[EntityRef | None] = [
        *(who.entity.owner, who.entity.layer, who.entity.system),
        *(ref for ref, _ in who.co_owners),
        *(ref for steward in who.stewards for ref in (steward.who, steward.role, steward.origin.ref)),
        *(ref for contributor in who.contributors for ref in (contributor.who, contributor.origin.ref)),
        *(member.through for member in who.people[:_PEOPLE_SHOWN]),
    ]
    return (ref for ref in named if ref is not None)


def _people_shown(frame: Frame) -> dict[EntityRef, Node]:
    """Return the groups above the owner with the people whom it reaches, who are known already."""
    found = {node.ref: node for node, _ in frame.who.chain}
    shown = frame.who.people[:_PEOPLE_SHOWN]
    return found | {who.ref: Node(who.ref, "user", who.title, None, None, None) for who in shown}


def _links(metadata: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    links = metadata.get("links")
    return [
        link
        for link in (links if isinstance(links, list) else ())
        if isinstance(link, dict) and isinstance(link.get("url"), str) and is_safe(link["url"])
    ]


def _facts(spec: Mapping[str, Any], *, leave_out: Collection[str]) -> list[tuple[str, str]]:
    """Return the plain members of a spec, as words; those that name other entities are shown as relations."""
    found = []
    for key, value in spec.items():
        values = value if isinstance(value, list) else [value]
        if key not in leave_out and values and all(isinstance(item, (str, int, float)) for item in values):
            text = ", ".join(
                (gettext("yes") if item else gettext("no")) if isinstance(item, bool) else str(item) for item in values
            )
            if text and "\n" not in text.strip():
                found.append((translated(words(key)), text))
    return found
