"""Gathers what a group or person answers for: all of it where that is little, else a page beside kept counts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from heapq import merge
from itertools import islice
from typing import Any, NamedTuple

from portal.graph.walk import Walk, walk
from portal.model.layer import Finding
from portal.model.problem import Problem
from portal.model.ref import EntityRef
from portal.services.organisation import AsOf, Organisation
from portal.services.ownership import OwnershipService
from portal.store import derived, findings, graph, sources
from portal.store.database import Connection
from portal.store.graph import Node

#: What is kept of each owner of more: its counts with those of all groups below and where pages begin, then these
#: groups.
_LARGE = "portfolio/large/"
#: So much is read whole: that takes no longer than to read what is kept with a page (measured: 10 ms).
_FEW = 300
#: The first entities are kept, and the names of those with the first findings; pages beyond so many are looked for.
_PAGE = 500
#: So many groups and entities are gone through to find out what to keep; whoever comes later in a stranger
#: organisation is read whole.
_MOST_STEPS = 10_000_000
#: So many entities of each layer and kind are named beside the counts.
_FIRST = 5


class Asked(NamedTuple):
    """Whose portfolio is asked for, and which page of its lists.

    `groups` are those below with their distance, `owners` all of them and those that are named but not there.
    """

    owner: Node
    groups: list[tuple[Node, int]]
    owners: frozenset[EntityRef]
    limit: int
    offset: int

    @property
    def page(self) -> slice:
        """The part of a list that is asked for."""
        return slice(self.offset, self.offset + self.limit)


@dataclass(frozen=True, slots=True)
class Violations:
    """How many findings of a rule with a severity there are."""

    rule: str
    severity: str
    count: int


@dataclass(frozen=True, slots=True)
class Portfolio:
    """What a group or person answers for, itself or through the groups below.

    `items` are a page of it, sorted, and so are `problems` and `findings` of theirs; the counts are of all: by layer
    (empty: none) and kind, by owner, of problems, of findings by rule and severity. `first` holds a few of each layer
    and kind, by title, where all of it was read.
    """

    owner: Node
    groups: list[tuple[Node, int]]
    total: int
    direct: int
    counts: Mapping[str, Mapping[str, int]]
    owners: Mapping[EntityRef, int]
    items: list[Node]
    problems_total: int
    problems: list[Problem]
    violations: list[Violations]
    findings: list[Finding]
    as_of: AsOf | None = None
    first: Mapping[tuple[str, str], Sequence[Node]] = field(default_factory=dict)

    @property
    def findings_total(self) -> int:
        """How many findings there are on all of it."""
        return sum(item.count for item in self.violations)

    def to_json(self) -> dict[str, Any]:
        """Return the answer as JSON tells it."""
        return {
            "owner": self.owner.to_json(),
            "groups": [
                node.to_json() | {"distance": distance, "count": self.owners.get(node.ref, 0)}
                for node, distance in self.groups
            ],
            "total": self.total,
            "direct": self.direct,
            "counts": self.counts,
            "items": [node.to_json() for node in self.items],
            "problemsTotal": self.problems_total,
            "problems": [problem.to_json() for problem in self.problems],
            "violations": {
                "total": self.findings_total,
                "items": [asdict(item) for item in self.violations],
            },
            "findings": [finding.to_json() for finding in self.findings],
        } | (self.as_of.to_json() if self.as_of is not None else {})


def read_portfolio(organisation: Organisation, asked: Asked) -> Portfolio:
    """Return a portfolio for which all that belongs to it is read."""
    owners = asked.owners
    owned = {EntityRef(target) for _, target in organisation.steps_from(owners, types=("ownerOf",))}
    # Whoever else is named beside the accountable owner does not answer for it.
    items = [node for node in organisation.nodes(owned).values() if node.owner in owners]
    refs = [node.ref for node in items]
    problems, listed = organisation.problems(refs), organisation.findings(refs)
    counts = Counter(node.owner for node in items if node.owner is not None)
    return Portfolio(
        asked.owner,
        asked.groups,
        len(items),
        counts[asked.owner.ref],
        _by_layer(Counter((str(node.layer or ""), node.kind) for node in items)),
        counts,
        items[asked.page],
        len(problems),
        problems[asked.page],
        _violations(Counter((finding.rule, str(finding.severity)) for finding in listed)),
        listed[asked.page],
        organisation.as_of,
        _first_of_each(items),
    )


def kept_portfolio(
    connection: Connection, ownership: OwnershipService, owner: Node, *, limit: int, offset: int
) -> Portfolio | None:
    """Return a large portfolio from what the newest survey has kept of it; None where it is not large."""
    told = derived.whole(connection, f"{_LARGE}{owner.ref}")
    if not told:
        return None
    head, *below = told
    owners = frozenset(map(EntityRef, head["reached"]))
    is_kept = offset + limit <= _PAGE
    page = slice(offset, offset + limit)
    listed = sources.list_problems(connection)
    nodes = ownership.nodes_seen_by(connection, {EntityRef(problem.ref) for problem in listed if problem.ref})
    theirs = {ref for ref, node in nodes.items() if node.owner in owners}
    problems = [problem for problem in listed if problem.ref in theirs]
    counts = {EntityRef(ref): count for ref, count in head["owners"].items()}
    if is_kept:
        items, found = list(map(_node, head["items"][page])), _kept_findings(connection, head["found"], page)
    else:
        items = ownership.owned_seen_by(connection, owners, limit=limit, offset=offset)
        found = findings.kept_of_owners(connection, owners, limit=limit, offset=offset)
    return Portfolio(
        owner,
        [(_node(told), distance) for *told, distance in below],
        sum(counts.values()),
        counts.get(owner.ref, 0),
        head["counts"],
        counts,
        items,
        len(problems),
        problems[page],
        [Violations(**item) for item in head["violations"]],
        found,
        first={(layer, kind): list(map(_node, told)) for layer, kind, told in head["first"]},
    )


def _kept_node(node: Node) -> tuple[str | None, ...]:
    """Return a node as a survey keeps it, without names of fields: of large portfolios there are hundreds."""
    return node.ref, node.kind, node.title, node.owner, node.layer, node.system


def _node(told: Sequence[Any]) -> Node:
    ref, kind, title, owner, layer, system = told
    return Node(
        EntityRef(ref),
        kind,
        title,
        EntityRef(owner) if owner else None,
        EntityRef(layer) if layer else None,
        EntityRef(system) if system else None,
    )


def _kept_findings(connection: Connection, found: Sequence[EntityRef], page: slice) -> list[Finding]:
    """Return a page of findings; `found` are the entities that they are on, one for each."""
    refs = found[page]
    # Those on the first of these entities that belong to the page before.
    before = page.start - found.index(refs[0]) if refs else 0
    return findings.kept(connection, refs)[before : before + len(refs)]


def portfolio_lists(connection: Connection, ownership: OwnershipService) -> dict[str, list[Any]]:
    """Return what a survey keeps of large portfolios: JSON values by the name of their list."""
    held, nodes = _held(connection, ownership)
    below: dict[EntityRef, list[EntityRef]] = {}
    for group, child in graph.all_steps(connection, types=("parentOf",)):
        below.setdefault(group, []).append(child)
    walks: dict[EntityRef, Walk] = {}
    steps = 0
    for owner in sorted(held.keys() | below.keys()):
        if steps > _MOST_STEPS:
            break
        walks[owner] = walked = walk(owner, lambda refs: ((ref, child) for ref in refs for child in below.get(ref, ())))
        total = sum(held[ref].counts.total() for ref in walked.distances if ref in held)
        steps += len(walked.distances) + total
        if total <= _FEW:
            del walks[owner]
    groups = ownership.nodes_seen_by(connection, {ref for walked in walks.values() for ref in walked.distances})
    lists: dict[str, list[Any]] = {}
    for owner, walked in walks.items():
        reached = {ref: held[ref] for ref in walked.distances if ref in held}
        counted = Counter[tuple[str, str]]()
        violated = Counter[tuple[str, str]]()
        for own in reached.values():
            counted.update(own.counts)
            violated.update(own.violations)
        few = _first_of_each(node for own in reached.values() for some in own.first.values() for node in some)
        head = {
            "reached": sorted(walked.distances),
            "owners": {str(ref): own.counts.total() for ref, own in reached.items()},
            "counts": _by_layer(counted),
            "violations": [asdict(item) for item in _violations(violated)],
            "items": [_kept_node(nodes[ref]) for ref in _beginning(own.items for own in reached.values())],
            "found": _beginning(own.found for own in reached.values()),
            "first": [(*place, list(map(_kept_node, some))) for place, some in few.items()],
        }
        told = [(*_kept_node(node), distance) for node, distance in by_distance(walked, groups)]
        lists[f"{_LARGE}{owner}"] = [head, *told]
    return lists


class _Own(NamedTuple):
    """What an owner has: counts by layer (empty: none) and kind, of findings by rule and severity, what they count.

    `items` are sorted, and so is `found`: the entities that findings are on, one for each.
    """

    counts: Counter[tuple[str, str]]
    violations: Counter[tuple[str, str]]
    items: list[EntityRef]
    found: list[EntityRef]
    first: Mapping[tuple[str, str], Sequence[Node]]


def _held(
    connection: Connection, ownership: OwnershipService
) -> tuple[dict[EntityRef, _Own], Mapping[EntityRef, Node]]:
    """Return what each owner has itself, with the nodes of all of it."""
    owners = {asset.ref: asset.owner for asset in ownership.facts_seen_by(connection).assets if asset.owner is not None}
    nodes = {node.ref: node for view in ownership.layers_seen_by(connection) for node in view.nodes}
    # Those that say how the organisation works, or make it up, stand in no view; some have an owner.
    nodes |= ownership.nodes_seen_by(connection, owners.keys() - nodes.keys())
    owned: dict[EntityRef, list[Node]] = {}
    for ref, owner in sorted(owners.items()):
        owned.setdefault(owner, []).append(nodes[ref])
    broken: dict[EntityRef, list[Finding]] = {}
    for finding in ownership.findings_seen_by(connection):
        if finding.ref in owners:
            broken.setdefault(owners[finding.ref], []).append(finding)
    held = {
        owner: _Own(
            Counter((str(node.layer or ""), node.kind) for node in items),
            Counter((finding.rule, str(finding.severity)) for finding in broken.get(owner, ())),
            [node.ref for node in items],
            sorted(finding.ref for finding in broken.get(owner, ())),
            _first_of_each(items),
        )
        for owner, items in owned.items()
    }
    return held, nodes


def _beginning(lists: Iterable[Sequence[EntityRef]]) -> list[EntityRef]:
    """Return the first of several sorted lists; no more of them is looked at."""
    return list(islice(merge(*lists), _PAGE))


def by_distance(found: Walk, known: Mapping[EntityRef, Node]) -> list[tuple[Node, int]]:
    """Return what a walk has reached that is in the catalog, but not where it began, the nearest first."""
    reached = sorted(found.distances.items(), key=lambda item: (item[1], item[0]))
    return [(known[ref], distance) for ref, distance in reached if distance and ref in known]


def _first_of_each(items: Iterable[Node]) -> dict[tuple[str, str], list[Node]]:
    found: dict[tuple[str, str], list[Node]] = {}
    for node in sorted(items, key=lambda node: (node.title.lower(), node.ref)):
        listed = found.setdefault((str(node.layer or ""), node.kind), [])
        if len(listed) < _FIRST:
            listed.append(node)
    return found


def _by_layer(counted: Mapping[tuple[str, str], int]) -> dict[str, dict[str, int]]:
    counts: dict[str, dict[str, int]] = {}
    for (layer, kind), count in sorted(counted.items()):
        counts.setdefault(layer, {})[kind] = count
    return counts


def _violations(found: Mapping[tuple[str, str], int]) -> list[Violations]:
    return [Violations(rule, severity, count) for (rule, severity), count in sorted(found.items())]
