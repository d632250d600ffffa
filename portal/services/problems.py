"""Says what is wrong with the catalog: of whom, how grave, since when."""

from __future__ import annotations

import sys
import threading
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from portal.errors import InputError, NotFoundError
from portal.graph.faults import (
    GRAVE,
    SEVERITIES,
    Fault,
    Selection,
    Values,
    combined,
    counted,
    facets,
    fault_of_finding,
    fault_of_problem,
    mark_of,
)
from portal.graph.policies import RULES
from portal.model.layer import Finding
from portal.model.problem import PROBLEM_MESSAGES, Problem
from portal.model.ref import PEOPLE, EntityRef
from portal.model.sentence import Sentence
from portal.services.accountability import AccountabilityService
from portal.services.by_visibility import ByVisibility
from portal.services.kinds import KindsService
from portal.services.ownership import OwnershipService
from portal.store import findings, graph, sources
from portal.store.database import Connection, Database
from portal.store.findings import Seen
from portal.store.graph import Node

#: What stands for no layer, no owner where one is asked for by name.
NONE = "none"
#: So many selections have their counts remembered.
_MOST_FACETED = 50


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked for, in the words of who asks; of several in a field any will do, an empty field takes all."""

    rule: Sequence[str] = ()
    layer: Sequence[str] = ()
    owner: Sequence[str] = ()
    severity: Sequence[str] = ()
    kind: Sequence[str] = ()
    ref: Sequence[str] = ()
    since: int | None = None


@dataclass(frozen=True, slots=True)
class Faults:
    """Problems and findings that were asked for: a page of them, problems first; the counts are of all.

    `since` is the revision that they are new since, where one was named. `is_exact` says whether that is known of all:
    a finding that came up between two looks at the catalog may be older than a revision between them, and is told.
    """

    revision: int
    total: int
    counts: Mapping[str, Mapping[str, int]]
    problems: list[Problem]
    findings: list[Finding]
    since: int | None = None
    is_exact: bool = True

    @property
    def is_grave(self) -> bool:
        """Whether there is one that keeps something from happening."""
        return not GRAVE.isdisjoint(self.counts["severity"])

    def to_json(self) -> dict[str, Any]:
        """Return the answer as JSON tells it."""
        return {
            "revision": self.revision,
            "since": None if self.since is None else {"revision": self.since, "isExact": self.is_exact},
            "total": self.total,
            "counts": self.counts,
            "problems": [problem.to_json() for problem in self.problems],
            "findings": [finding.to_json() for finding in self.findings],
        }


@dataclass(frozen=True, slots=True)
class Measures:
    """What is counted of one revision, recorded at `recorded_at_ms`; an empty layer or owner stands for none.

    `problems` is by rule, layer and severity, `by_owner` by owner and severity, `entities` by kind and layer;
    `coverage` the share of a layer's assets whose owner is in the catalog.
    """

    revision: int
    recorded_at_ms: int
    problems: Mapping[tuple[str, str, str], int]
    by_owner: Mapping[tuple[str, str], int]
    entities: Mapping[tuple[str, str], int]
    coverage: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class _State:
    """All faults of one revision, in their order, counted, and what may be asked for by name.

    `faceted` holds what was counted beside the last few selections.
    """

    revision: int
    faults: Sequence[Fault]
    combined: Mapping[Values, int]
    layers: frozenset[str]
    rules: frozenset[str]
    severities: Sequence[str]
    faceted: dict[Selection, Mapping[str, Mapping[str, int]]] = field(default_factory=dict)

    def facets(self, chosen: Selection) -> Mapping[str, Mapping[str, int]]:
        """Return how many of all faults there would be by each value of a facet if that chose nothing."""
        found = self.faceted.get(chosen)
        if found is None:
            found = facets(self.combined, chosen)
            if len(self.faceted) >= _MOST_FACETED:
                self.faceted.clear()
            self.faceted[chosen] = found
        return found


class ProblemsService:
    """Answers from problems of documents with findings of rules."""

    def __init__(
        self,
        database: Database,
        ownership: OwnershipService,
        accountability: AccountabilityService,
        kinds: KindsService,
    ) -> None:
        self._database = database
        self._ownership = ownership
        self._accountability = accountability
        self._kinds = kinds
        self._lock = threading.Lock()
        self._known: ByVisibility[_State] = ByVisibility()
        self._measured: ByVisibility[Measures] = ByVisibility()

    def ask(self, asked: Asked, *, limit: int | None = None, offset: int = 0) -> Faults:
        """Return the problems, by file and line, then the findings, by entity, that are asked for.

        Raises `InputError` for a name that means nothing, and for a revision that is not there yet; `NotFoundError`
        where nothing is found, and an owner or entity asked for is neither in the catalog nor named there.
        """
        with self._database.reading() as connection:
            state = self._state(connection)
            chosen = self._selection(connection, state, asked)
            found = chosen.among(state.faults)
            if not found:
                self._check_known(connection, {EntityRef(ref) for ref in {*chosen.owners, *chosen.refs} if ref})
            is_exact = True
            if asked.since is not None:
                if asked.since > state.revision:
                    raise InputError(
                        Sentence(
                            "There is no revision %(since)s yet; the newest is %(revision)s",
                            since=asked.since,
                            revision=state.revision,
                        )
                    )
                # One that no survey has met came up since the last.
                unmarked = Seen(findings.last_survey(connection).revision, state.revision)
                found, is_exact = _new_since(asked.since, found, findings.seen(connection), unmarked)
        page = found[offset:] if limit is None else found[offset : offset + limit]
        return Faults(
            state.revision,
            len(found),
            state.facets(chosen) if found is state.faults else counted(found),
            [fault.told for fault in page if isinstance(fault.told, Problem)],
            [fault.told for fault in page if isinstance(fault.told, Finding)],
            asked.since,
            is_exact,
        )

    def of_files(self) -> Mapping[str, int]:
        """Return how many problems files have, by severity: without what rules find."""
        with self._database.reading() as connection:
            return sources.counts_of_problems(connection)

    def facets(self, asked: Asked) -> Mapping[str, Mapping[str, int]]:
        """Return how many faults each value of a facet would give beside what is asked for in the others.

        "" stands for none. Raises `InputError` as `ask` does.
        """
        with self._database.reading() as connection:
            state = self._state(connection)
            chosen = self._selection(connection, state, asked)
        within = Selection(kinds=chosen.kinds, refs=chosen.refs).among(state.faults)
        return state.facets(chosen) if within is state.faults else facets(combined(within), chosen)

    def about(self, ref: EntityRef) -> Faults:
        """Return how much is wrong with an entity, without telling what. Raises `NotFoundError`.

        Of a layer it is all that stands in it, of a group or user all that it answers for, itself and through the
        groups below.
        """
        with self._database.reading() as connection:
            self._ownership.node_seen_by(connection, ref)
            revision = sources.current_revision(connection)
            if ref.kind == "layer":
                found = [fault for fault in self._state(connection).faults if fault.layer == ref]
            elif ref.kind not in PEOPLE:
                problems = [known.problem for _, known in sources.problems_of_refs(connection, [ref])]
                found = _faults(problems, self._ownership.findings_seen_by(connection, [ref]))
        if ref.kind in PEOPLE:
            answers = self._accountability.portfolio(ref, limit=sys.maxsize)
            found = _faults(answers.problems, answers.findings)
        return Faults(revision, len(found), counted(found), [], [])

    def measures(self) -> Measures:
        """Return what is counted of the newest revision; worked out once for each."""
        now = self._database.lookup.revision()
        known = self._measured.of(self._database.visibility(now).key)
        if known is not None and known.revision == now:
            return known
        with self._database.reading() as connection:
            newest = sources.newest_revision(connection)
            state = self._state(connection)
            nodes = self._ownership.nodes_seen_by(connection)
            views = self._ownership.layers_seen_by(connection)
            problems: dict[tuple[str, str, str], int] = {}
            by_owner: dict[tuple[str, str], int] = {}
            entities: dict[tuple[str, str], int] = {}
            for fault in state.faults:
                key = (fault.rule, fault.layer, fault.severity)
                problems[key] = problems.get(key, 0) + 1
                held = (fault.owner, fault.severity)
                by_owner[held] = by_owner.get(held, 0) + 1
            for node in nodes.values():
                place = (node.kind, str(node.layer or ""))
                entities[place] = entities.get(place, 0) + 1
            coverage = {
                str(view.layer.ref): sum(_is_owned(node, nodes) for node in view.nodes) / len(view.nodes)
                for view in views
                if view.layer is not None and view.nodes
            }
            found = Measures(newest.number, newest.recorded_at_ms, problems, by_owner, entities, coverage)
            self._measured.keep(connection, found)
        return found

    def _state(self, connection: Connection) -> _State:
        """Return the faults of the catalog as this connection sees it; put together once for each revision."""
        revision = sources.current_revision(connection)
        with self._lock:
            known = self._known.get(connection)
            if known is not None and known.revision == revision:
                return known
            state = self._read_state(connection, revision)
            if known is None or known.revision < revision:
                self._known.keep(connection, state)
            return state

    def _read_state(self, connection: Connection, revision: int) -> _State:
        problems = sources.dated_problems(connection)
        found = self._ownership.findings_seen_by(connection)
        concerned = {EntityRef(problem.ref) for problem, _ in problems if problem.ref is not None}
        concerned.update(finding.ref for finding in found)
        nodes = self._ownership.nodes_seen_by(connection, concerned)
        places = {str(ref): (str(node.layer or ""), str(node.owner or "")) for ref, node in nodes.items()}
        faults = [fault_of_problem(problem, revision=since, places=places) for problem, since in problems]
        faults += [fault_of_finding(finding, places=places) for finding in found]
        declared = graph.declared_of_kinds(connection, ("layer", "policy"))
        named = {str(body["spec"].get("rule") or "") for ref, body in declared.items() if ref.kind == "policy"}
        return _State(
            revision,
            faults,
            combined(faults),
            frozenset(ref for ref in declared if ref.kind == "layer") | {fault.layer for fault in faults},
            frozenset({*PROBLEM_MESSAGES, *(rule.id for rule in RULES), *named, *(fault.rule for fault in faults)})
            - {""},
            tuple(dict.fromkeys((*SEVERITIES, *(fault.severity for fault in faults)))),
        )

    def _check_known(self, connection: Connection, refs: Collection[EntityRef]) -> None:
        known = {*self._ownership.nodes_seen_by(connection, refs), *graph.named_among(connection, refs)}
        for ref in sorted(set(refs) - known):
            raise NotFoundError(Sentence("Entity %(ref)s not found", ref=ref))

    def _selection(self, connection: Connection, state: _State, asked: Asked) -> Selection:
        """Return what words mean. Raises `InputError` for those that mean nothing."""
        kinds = [kind.name.lower() for kind in self._kinds.told_by(connection)] if asked.kind else []
        return Selection(
            _known_among(Sentence("rule"), asked.rule, state.rules),
            _known_among(Sentence("layer"), [_named("layer", name) for name in asked.layer], state.layers | {""}),
            frozenset(_named("group", name) for name in asked.owner),
            _known_among(Sentence("severity"), asked.severity, state.severities),
            _known_among(Sentence("kind"), [name.lower() for name in asked.kind], kinds),
            frozenset(EntityRef.parse(name) for name in asked.ref),
        )


def _new_since(
    since: int, faults: Sequence[Fault], marks: Mapping[str, Seen], unmarked: Seen
) -> tuple[list[Fault], bool]:
    """Return those that came up after a revision, and whether that is sure of each."""
    found: list[Fault] = []
    is_exact = True
    for fault in faults:
        if isinstance(fault.told, Finding):
            came = marks.get(mark_of(fault.told), unmarked)
        else:
            came = Seen(since, fault.revision)
        if came.revision > since:
            found.append(fault)
            is_exact = is_exact and came.after >= since
    return found, is_exact


def _faults(problems: Collection[Problem], found: Collection[Finding]) -> list[Fault]:
    """Return faults whose places do not matter."""
    told = [fault_of_problem(problem, revision=0, places={}) for problem in problems]
    return told + [fault_of_finding(finding, places={}) for finding in found]


def _is_owned(node: Node, known: Collection[EntityRef]) -> bool:
    return node.owner is not None and node.owner.kind in PEOPLE and node.owner in known


def _known_among(name: str, values: Collection[str], known: Collection[str]) -> frozenset[str]:
    for value in values:
        if value not in known:
            told = [item or NONE for item in (known if isinstance(known, tuple) else sorted(known))]
            raise InputError(
                Sentence('There is no %(name)s "%(value)s"; known are %(told)s', name=name, value=value, told=told)
            )
    return frozenset(values)


def _named(kind: str, name: str) -> str:
    return "" if name == NONE else str(EntityRef.parse(name, default_kind=kind))
