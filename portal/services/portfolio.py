"""Gathers what a group or person answers for: all of it where that is little, else a page beside kept counts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

from portal.graph.walk import Walk
from portal.model.layer import Finding
from portal.model.problem import Problem
from portal.model.ref import EntityRef
from portal.services.organisation import AsOf, Organisation
from portal.services.ownership import OwnershipService
from portal.store import derived, findings, sources
from portal.store.database import Connection
from portal.store.graph import Node

#: What is kept of each owner: how many of each layer and kind it has, how many findings of each rule and severity.
_OWNED, _FOUND = "portfolio/owned/", "portfolio/found/"
#: So much is read whole: that takes no longer than to look for a page of it (measured: 20 ms).
_FEW = 2_000


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
    (empty: none) and kind, by owner, of problems, of findings by rule and severity.
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
    standings = Counter((node.owner or "", str(node.layer or ""), node.kind) for node in items)
    found = Counter((finding.rule, str(finding.severity)) for finding in listed)
    return _portfolio(
        asked,
        standings,
        found,
        items=items[asked.page],
        problems=problems,
        listed=listed[asked.page],
        as_of=organisation.as_of,
    )


def kept_portfolio(connection: Connection, ownership: OwnershipService, asked: Asked) -> Portfolio | None:
    """Return a large portfolio from the counts that the newest survey has kept; None where it is not large."""
    owners = asked.owners
    names = [f"{prefix}{owner}" for prefix in (_OWNED, _FOUND) for owner in owners]
    lists = derived.whole_lists(connection, names)
    standings: Counter[tuple[str, str, str]] = Counter()
    found: Counter[tuple[str, str]] = Counter()
    for owner in owners:
        for told in lists.get(f"{_OWNED}{owner}", ()):
            standings[owner, told["layer"], told["kind"]] += told["count"]
        for told in lists.get(f"{_FOUND}{owner}", ()):
            found[told["rule"], told["severity"]] += told["count"]
    if standings.total() <= _FEW:
        return None
    listed = sources.list_problems(connection)
    nodes = ownership.nodes_seen_by(connection, {EntityRef(problem.ref) for problem in listed if problem.ref})
    theirs = {ref for ref, node in nodes.items() if node.owner in owners}
    return _portfolio(
        asked,
        standings,
        found,
        items=ownership.owned_seen_by(connection, owners, limit=asked.limit, offset=asked.offset),
        problems=[problem for problem in listed if problem.ref in theirs],
        listed=findings.kept_of_owners(connection, owners, limit=asked.limit, offset=asked.offset),
    )


def portfolio_lists(connection: Connection, ownership: OwnershipService) -> dict[str, list[Any]]:
    """Return the counts that a survey keeps of each owner: JSON values by the name of their list."""
    lists: dict[str, list[Any]] = {}
    for item in ownership.standings_seen_by(connection):
        if item.owner is not None:
            told = {"layer": str(item.layer or ""), "kind": item.kind, "count": item.count}
            lists.setdefault(f"{_OWNED}{item.owner}", []).append(told)
    owners = {asset.ref: asset.owner for asset in ownership.facts_seen_by(connection).assets}
    counts: dict[EntityRef, Counter[tuple[str, str]]] = {}
    for finding in ownership.findings_seen_by(connection):
        owner = owners.get(finding.ref)
        if owner is not None:
            counts.setdefault(owner, Counter())[finding.rule, finding.severity] += 1
    for owner, found in counts.items():
        lists[f"{_FOUND}{owner}"] = [asdict(item) for item in _violations(found)]
    return lists


def by_distance(found: Walk, known: Mapping[EntityRef, Node]) -> list[tuple[Node, int]]:
    """Return what a walk has reached that is in the catalog, but not where it began, the nearest first."""
    reached = sorted(found.distances.items(), key=lambda item: (item[1], item[0]))
    return [(known[ref], distance) for ref, distance in reached if distance and ref in known]


def _portfolio(
    asked: Asked,
    standings: Mapping[tuple[str, str, str], int],
    found: Mapping[tuple[str, str], int],
    *,
    items: list[Node],
    problems: list[Problem],
    listed: list[Finding],
    as_of: AsOf | None = None,
) -> Portfolio:
    """Return the portfolio of which `standings` counts by owner, layer and kind, `found` by rule and severity."""
    owners: Counter[EntityRef] = Counter()
    counts: dict[str, dict[str, int]] = {}
    for (owner, layer, kind), count in sorted(standings.items()):
        owners[EntityRef(owner)] += count
        row = counts.setdefault(layer, {})
        row[kind] = row.get(kind, 0) + count
    return Portfolio(
        asked.owner,
        asked.groups,
        owners.total(),
        owners[asked.owner.ref],
        {layer: dict(sorted(row.items())) for layer, row in sorted(counts.items())},
        owners,
        items,
        len(problems),
        problems[asked.page],
        _violations(found),
        listed,
        as_of,
    )


def _violations(found: Mapping[tuple[str, str], int]) -> list[Violations]:
    return [Violations(rule, severity, count) for (rule, severity), count in sorted(found.items())]
