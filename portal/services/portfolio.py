"""Gathers what a group or person answers for: all of it where that is little, else a page beside kept counts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
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

#: What is kept of each owner of more: its counts with those of all groups below, then these groups.
_LARGE = "portfolio/large/"
#: So much is read whole: that takes no longer than to look for a page of it (measured: 20 ms).
_FEW = 2_000
#: So many steps down are taken to find out what to keep; whoever comes later in a stranger organisation is read whole.
_MOST_STEPS = 1_000_000
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
    listed = sources.list_problems(connection)
    nodes = ownership.nodes_seen_by(connection, {EntityRef(problem.ref) for problem in listed if problem.ref})
    theirs = {ref for ref, node in nodes.items() if node.owner in owners}
    problems = [problem for problem in listed if problem.ref in theirs]
    counts = {EntityRef(ref): count for ref, count in head["owners"].items()}
    return Portfolio(
        owner,
        [(Node.from_json(item), item["distance"]) for item in below],
        sum(counts.values()),
        counts.get(owner.ref, 0),
        head["counts"],
        counts,
        ownership.owned_seen_by(connection, owners, limit=limit, offset=offset),
        len(problems),
        problems[offset : offset + limit],
        [Violations(**item) for item in head["violations"]],
        findings.kept_of_owners(connection, owners, limit=limit, offset=offset),
    )


def portfolio_lists(connection: Connection, ownership: OwnershipService) -> dict[str, list[Any]]:
    """Return what a survey keeps of large portfolios: JSON values by the name of their list."""
    standings = _standings(connection, ownership)
    found = _found(connection, ownership)
    below: dict[EntityRef, list[EntityRef]] = {}
    for group, child in graph.all_steps(connection, types=("parentOf",)):
        below.setdefault(group, []).append(child)
    sizes = {owner: counts.total() for owner, counts in standings.items()}
    walks: dict[EntityRef, Walk] = {}
    steps = 0
    for owner in sorted(sizes.keys() | below.keys()):
        if steps > _MOST_STEPS:
            break
        walks[owner] = walked = walk(owner, lambda refs: ((ref, child) for ref in refs for child in below.get(ref, ())))
        steps += len(walked.distances)
        if sum(sizes.get(ref, 0) for ref in walked.distances) <= _FEW:
            del walks[owner]
    groups = ownership.nodes_seen_by(connection, {ref for walked in walks.values() for ref in walked.distances})
    lists: dict[str, list[Any]] = {}
    for owner, walked in walks.items():
        counted = Counter[tuple[str, str]]()
        violated = Counter[tuple[str, str]]()
        for ref in walked.distances:
            counted.update(standings.get(ref, {}))
            violated.update(found.get(ref, {}))
        head = {
            "reached": sorted(walked.distances),
            "owners": {str(ref): sizes[ref] for ref in walked.distances if ref in sizes},
            "counts": _by_layer(counted),
            "violations": [asdict(item) for item in _violations(violated)],
        }
        told = [node.to_json() | {"distance": distance} for node, distance in by_distance(walked, groups)]
        lists[f"{_LARGE}{owner}"] = [head, *told]
    return lists


def _standings(connection: Connection, ownership: OwnershipService) -> dict[EntityRef, Counter[tuple[str, str]]]:
    """Return how many entities each owner has, by layer (empty: none) and kind."""
    standings: dict[EntityRef, Counter[tuple[str, str]]] = {}
    for item in ownership.standings_seen_by(connection):
        if item.owner is not None:
            counts = standings.setdefault(EntityRef(item.owner), Counter())
            counts[str(item.layer or ""), item.kind] += item.count
    return standings


def _found(connection: Connection, ownership: OwnershipService) -> dict[EntityRef, Counter[tuple[str, str]]]:
    """Return how many findings there are on what each owner has, by rule and severity."""
    owners = {asset.ref: asset.owner for asset in ownership.facts_seen_by(connection).assets}
    found: dict[EntityRef, Counter[tuple[str, str]]] = {}
    for finding in ownership.findings_seen_by(connection):
        owner = owners.get(finding.ref)
        if owner is not None:
            found.setdefault(owner, Counter())[finding.rule, finding.severity] += 1
    return found


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
