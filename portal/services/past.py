"""Rebuilds the organisation of a past revision from the versions."""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, date, datetime
from functools import cached_property
from typing import Any, NamedTuple

import orjson

from portal.errors import InputError, NotFoundError
from portal.graph.policies import Facts
from portal.graph.walk import beyond
from portal.ingest.relate import declared_relations, declared_targets
from portal.model.declared_kinds import GONE
from portal.model.kind import Kinds
from portal.model.layer import Finding, role_of
from portal.model.moment import Moment, shown_time
from portal.model.problem import Problem
from portal.model.ref import EntityRef
from portal.model.sentence import Sentence
from portal.services.facts import FACT_TYPES, RULE_KINDS, DocumentsOf, FactsReader
from portal.services.kinds import KindsService
from portal.services.members import Members
from portal.services.moments import absence, revision_of
from portal.services.organisation import AsOf
from portal.services.ownership import LayerView, layer_views
from portal.store import past, sources
from portal.store.database import Connection
from portal.store.graph import Node
from portal.store.sight import visibility_of
from portal.store.versions import presences, versions_at

#: What a version tells of a past organisation takes about 1 kB of memory.
_MOST_HELD = 250_000
_MOST_REVISIONS = 8
#: Up to so many entities are looked at by themselves instead of all.
_FEW = 2_000
_WALKED_TYPES = frozenset({"parentOf", "hasMember", "roleOf", "ownerOf", "ownedBy", "hasPart"})
_KEPT_TYPES = FACT_TYPES | _WALKED_TYPES
_NOT_KNOWN = ("problems", "how kinds were understood (they are taken as they are today)")


class _Told(NamedTuple):
    """What a version says of its entity.

    `relations` are (type, inverse, target); `stewarded` is its document cut down to stewards, if it has any.
    """

    version: int
    title: str
    type: str
    owner: EntityRef | None
    system: EntityRef | None
    domain: EntityRef | None
    layer: EntityRef | None
    relations: tuple[tuple[str, str, EntityRef], ...]
    stewarded: Mapping[str, Any] | None
    rule: Mapping[str, Any] | None


class PastOrganisation:
    """The organisation as of one revision, in memory: entities, relations, what follows from the layers' rules."""

    def __init__(self, told: Mapping[EntityRef, _Told], kinds: Kinds, reader: FactsReader, day: date | None) -> None:
        self.told = told
        self.kinds = kinds
        self._reader = reader
        self._day = day
        #: What the rules find on each entity; None until all are asked for.
        self._found: dict[EntityRef, list[Finding]] | None = None

    @cached_property
    def nodes(self) -> dict[EntityRef, Node]:
        """All entities as graphs show them, sorted."""
        defaults = {kind: EntityRef.of("layer", "default", name) for kind, name in self.kinds.default_layers.items()}
        return {
            ref: Node(
                ref, ref.kind, found.title, found.owner, self._layer(found) or defaults.get(ref.kind), found.system
            )
            for ref, found in sorted(self.told.items())
        }

    @cached_property
    def facts(self) -> Facts:
        """All that the rules look at, on the day of the revision."""
        return self._reader.of(
            self.nodes,
            {ref: found.rule for ref, found in sorted(self.told.items()) if found.rule is not None},
            stewarded={ref: found.stewarded for ref, found in self.told.items() if found.stewarded is not None},
            leading={
                name: {source: sorted({*targets}) for source, targets in self._steps[name].items()}
                for name in FACT_TYPES
            },
            layered=self.kinds.layered,
            today=self._day,
        )

    @property
    def types(self) -> dict[str, str]:
        """What `spec.type` says of the entities that have one, lower case."""
        return {ref: found.type for ref, found in self.told.items() if found.type}

    @property
    def layer_views(self) -> list[LayerView]:
        """The layers, the highest first, each with its assets; what stands in none comes last."""
        rules = {ref: found.rule for ref, found in self.told.items() if found.rule is not None and ref.kind == "role"}
        roles = {ref: role_of(body, ref) for ref, body in rules.items()}
        return layer_views(self.facts.layers, self.nodes.values(), roles)

    def all_steps(self, types: Collection[str]) -> list[tuple[str, str]]:
        """Return where all relations of some types lead, as (from, to); a step may come twice."""
        return [
            (source, target) for name in types for source, targets in self._steps[name].items() for target in targets
        ]

    def findings(self, documents_of: DocumentsOf, refs: Collection[EntityRef] | None = None) -> list[Finding]:
        """Return what the layers' rules find over all entities, or on some of them."""
        if refs is not None and len(refs) <= _FEW and self._found is None:
            wanted = set(refs)
            some = replace(self.facts, assets=[asset for asset in self.facts.assets if asset.ref in wanted])
            return [finding for finding in self._reader.findings(some, documents_of) if finding.ref in wanted]
        if self._found is None:
            found: dict[EntityRef, list[Finding]] = {}
            for finding in self._reader.findings(self.facts, documents_of):
                found.setdefault(finding.ref, []).append(finding)
            self._found = found
        by_ref = self._found
        asked = by_ref if refs is None else sorted(set(refs))
        return [finding for ref in asked for finding in by_ref.get(ref, ())]

    def steps_from(self, refs: Collection[EntityRef], *, types: Collection[str]) -> Iterator[tuple[str, str]]:
        """Yield where relations of some types lead from some entities, as (from, to); a step may come twice."""
        for source, _, target in self._named_steps(refs, types):
            yield source, target

    def _layer(self, found: _Told) -> EntityRef | None:
        """Return the layer that an entity or what it is part of declares, as `portal.store.graph` finds it."""
        system = self.told.get(found.system) if found.system is not None else None
        named = (system.domain if system is not None else None) or found.domain
        domain = self.told.get(named) if named is not None else None
        return (
            found.layer
            or (system.layer if system is not None else None)
            or (domain.layer if domain is not None else None)
        )

    @cached_property
    def _steps(self) -> Mapping[str, Mapping[EntityRef, list[EntityRef]]]:
        """Where relations lead, by their type; one that two entities declare comes twice."""
        found: dict[str, defaultdict[EntityRef, list[EntityRef]]] = {name: defaultdict(list) for name in _KEPT_TYPES}
        for ref, told in self.told.items():
            for name, inverse, target in told.relations:
                if name in found:
                    found[name][ref].append(target)
                if inverse in found:
                    found[inverse][target].append(ref)
        return found

    def _named_steps(
        self, refs: Collection[EntityRef], types: Collection[str]
    ) -> Iterator[tuple[EntityRef, str, EntityRef]]:
        for name in types:
            steps = self._steps[name]
            for ref in refs:
                for target in steps.get(ref, ()):
                    yield ref, name, target


class Past:
    """A past organisation, asked by one who has a connection: documents are read when they are asked for."""

    def __init__(self, connection: Connection, organisation: PastOrganisation, as_of: AsOf, moment: Moment) -> None:
        self.organisation = organisation
        self._as_of = as_of
        self._connection = connection
        self._moment = moment

    @property
    def as_of(self) -> AsOf | None:
        """Which past it is."""
        return self._as_of

    def node(self, ref: EntityRef) -> Node:
        """Return an entity as graphs show it. Raises `NotFoundError` that says when it was there."""
        node = self.organisation.nodes.get(ref)
        if node is None:
            known = presences(self._connection, [ref]).get(ref, ()) if "\0" not in ref else ()
            raise NotFoundError(absence(ref, self._moment, known))
        return node

    def nodes(self, refs: Collection[EntityRef]) -> Mapping[EntityRef, Node]:
        """Return those of the entities that were there, sorted."""
        known = self.organisation.nodes
        return {ref: known[ref] for ref in sorted(set(refs)) if ref in known}

    def steps_from(self, refs: Collection[EntityRef], *, types: Collection[str]) -> Iterable[tuple[str, str]]:
        """Return where relations of some types led from some entities."""
        return self.organisation.steps_from(refs, types=types)

    def steps_beyond(
        self, refs: Collection[EntityRef], *, types: Collection[str]
    ) -> Mapping[EntityRef, Collection[EntityRef]]:
        """Return where relations of some types led from some entities, and from all that they led to."""
        return beyond(refs, lambda found: self.organisation.steps_from(found, types=types))

    def kept_members(self, group: EntityRef) -> Members | None:
        """Return nothing: surveys keep the present."""
        return None

    def documents_of(self, refs: Collection[EntityRef]) -> Mapping[EntityRef, Mapping[str, Any]]:
        """Return the documents of those of the entities that were there as they declared them, sorted."""
        there = sorted(ref for ref in set(refs) if ref in self.organisation.told)
        found = versions_at(self._connection, there, self._as_of.revision)
        return {ref: orjson.loads(found[ref].declared) for ref in there}

    def problems(self, refs: Collection[EntityRef]) -> list[Problem]:
        """Return nothing: which problems there were is not known."""
        return []

    def findings(self, refs: Collection[EntityRef]) -> list[Finding]:
        """Return what the layers' rules would have found on some entities."""
        return self.organisation.findings(self.documents_of, refs)


class PastOrganisations:
    """The organisations of past revisions, of which the last few that were asked for are kept: none ever changes."""

    def __init__(self, kinds: KindsService, reader: FactsReader, *, clock: Callable[[], float] = time.time) -> None:
        self._kinds = kinds
        self._reader = reader
        self._clock = clock
        self._lock = threading.Lock()
        #: By revision, and by what may be read: who may read less may read something else with each new revision.
        self._kept: dict[tuple[int, str, int], PastOrganisation] = {}

    def seen_by(self, connection: Connection, moment: Moment) -> Past:
        """Return the organisation as of a moment.

        Raises `InputError` for a moment that is yet to come, and for one that was before the first revision.
        """
        revision = revision_of(connection, moment, now_ms=int(self._clock() * 1000))
        first = past.first_revision(connection)
        if first is None or revision < first:
            told = (
                Sentence("nothing is in the catalog yet")
                if first is None
                else Sentence(
                    "its first revision is %(revision)s, of %(time)s",
                    revision=first,
                    time=shown_time(past.recorded_at(connection, first) or 0),
                )
            )
            raise InputError(
                Sentence("The catalog knows nothing of %(moment)s: %(told)s", moment=str(moment), told=told)
            )
        as_of = AsOf(revision, past.recorded_at(connection, revision), _NOT_KNOWN)
        return Past(connection, self._organisation(connection, revision), as_of, moment)

    def _organisation(self, connection: Connection, revision: int) -> PastOrganisation:
        kinds = self._kinds.seen_by(connection)
        key = visibility_of(connection).key
        place = (revision, key, sources.current_revision(connection) if key else 0)
        # Held while one is rebuilt: others who ask for it wait instead of rebuilding it as well.
        with self._lock:
            self._kept = {place: kept for place, kept in self._kept.items() if kept.kinds is kinds}
            found = self._kept.pop(place, None) or self._rebuilt(connection, revision, kinds)
            self._kept[place] = found
            while len(self._kept) > 1 and (len(self._kept) > _MOST_REVISIONS or self._held() > _MOST_HELD):
                del self._kept[next(iter(self._kept))]
        return found

    def _held(self) -> int:
        return sum(len(kept.told) for kept in self._kept.values())

    def _rebuilt(self, connection: Connection, revision: int, kinds: Kinds) -> PastOrganisation:
        # What a version tells is the same in each revision that it was the newest in.
        shared = {found.version: found for kept in self._kept.values() for found in kept.told.values()}
        held = past.held_at(connection, revision)
        missing = [number for number in held.values() if number not in shared]
        for number, ref, declared in past.declared_by(connection, missing):
            shared[number] = _told(number, ref, orjson.loads(declared), kinds)
        recorded = past.recorded_at(connection, revision)
        day = None if recorded is None else datetime.fromtimestamp(recorded / 1000, UTC).date()
        return PastOrganisation({ref: shared[number] for ref, number in held.items()}, kinds, self._reader, day)


def _told(number: int, ref: EntityRef, declared: Mapping[str, Any], kinds: Kinds) -> _Told:
    kind = kinds.find(declared["kind"], declared["apiVersion"]) or GONE
    metadata = declared["metadata"]
    targets = declared_targets(ref, declared, kind)
    relations = declared_relations(ref, declared, kind)
    has_stewards = any(found.type == "stewardedBy" for found in relations)
    return _Told(
        number,
        str(metadata.get("title") or metadata["name"]),
        str((declared.get("spec") or {}).get("type") or "").lower(),
        targets.get("owner"),
        targets.get("system"),
        targets.get("domain"),
        targets.get("layer"),
        tuple(
            (found.type, found.inverse, EntityRef(found.target))
            for found in relations
            if found.type in _KEPT_TYPES or found.inverse in _KEPT_TYPES
        ),
        {"spec": {"stewards": declared["spec"]["stewards"]}} if has_stewards else None,
        declared if ref.kind in RULE_KINDS else None,
    )
