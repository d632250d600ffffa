"""Tells whose an entity was when, what somebody gained or lost, what changed hands between two moments."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Literal, NamedTuple

import orjson

from portal.errors import InputError, NotFoundError
from portal.ingest.relate import declared_targets
from portal.model.declared_kinds import GONE
from portal.model.kind import Kinds
from portal.model.layer import stewards_of
from portal.model.moment import Moment, shown_time
from portal.model.ref import PEOPLE, EntityRef
from portal.model.sentence import Sentence
from portal.services.kinds import KindsService, check_kinds
from portal.services.moments import revision_of
from portal.store import graph, past, sources
from portal.store.database import Connection, Database
from portal.store.versions import Version, presences, versions_at

#: How an owner differs between two moments.
Change = Literal["handed-over", "came", "went"]
CHANGES: tuple[Change, ...] = ("handed-over", "came", "went")


class Said(NamedTuple):
    """What a version of an entity says of who answers for it; `layer` is its own, `stewards` are (who, duty)."""

    owner: EntityRef | None = None
    layer: EntityRef | None = None
    stewards: tuple[tuple[EntityRef, str], ...] = ()
    system: EntityRef | None = None
    domain: EntityRef | None = None


@dataclass(frozen=True, slots=True)
class Period:
    """A time in which an entity's owner, own layer and stewards stayed as they were; `until` is None where it lasts.

    `changed` names those of them that differ from the period before; none where the entity came, or came back.
    """

    said: Said
    since: Version
    until: Version | None
    changed: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """Return the period as JSON tells it."""
        return {
            "owner": self.said.owner,
            "layer": self.said.layer,
            "stewards": [{"ref": who, "duty": duty} for who, duty in self.said.stewards],
            "changed": self.changed,
            "from": self.since.to_json(),
            "to": None if self.until is None else self.until.to_json(),
        }


@dataclass(frozen=True, slots=True)
class Move:
    """An entity that somebody gained, or lost; `other` is who had it before, or has it after, None for nobody."""

    is_gain: bool
    other: EntityRef | None
    version: Version

    def to_json(self) -> dict[str, Any]:
        """Return the move as JSON tells it."""
        return {
            "move": "gained" if self.is_gain else "lost",
            "entity": self.version.ref,
            "other": self.other,
            "version": self.version.to_json(),
        }


@dataclass(frozen=True, slots=True)
class OwnershipHistory:
    """A page of an asset's periods, or of the moves of a group or user, the newest first; `total` counts them all."""

    ref: EntityRef
    total: int
    periods: Sequence[Period] = ()
    moves: Sequence[Move] = ()

    def to_json(self) -> dict[str, Any]:
        """Return the page as JSON tells it."""
        return {
            "ref": self.ref,
            "total": self.total,
            "periods": [period.to_json() for period in self.periods],
            "moves": [move.to_json() for move in self.moves],
        }


@dataclass(frozen=True, slots=True)
class Handover:
    """An entity whose accountable owner differs between two moments; `version` is what brought the later one.

    `layer` is the effective one at the later moment; at the earlier one for an entity that went.
    """

    ref: EntityRef
    change: Change
    before: EntityRef | None
    after: EntityRef | None
    layer: EntityRef | None
    version: Version

    def to_json(self) -> dict[str, Any]:
        """Return the handover as JSON tells it."""
        return {
            "ref": self.ref,
            "change": self.change,
            "before": self.before,
            "after": self.after,
            "layer": self.layer,
            "version": self.version.to_json(),
        }


@dataclass(frozen=True, slots=True)
class Handovers:
    """A page of what changed hands, the newest first; `counts` are of all, by the change.

    The moments are (revision, when it was recorded in milliseconds since 1970, None where that is not known).
    """

    since: tuple[int, int | None]
    until: tuple[int, int | None]
    total: int
    counts: Mapping[Change, int]
    items: Sequence[Handover]

    def to_json(self) -> dict[str, Any]:
        """Return the page as JSON tells it."""
        return {
            "from": _moment_json(self.since),
            "to": _moment_json(self.until),
            "total": self.total,
            "counts": self.counts,
            "items": [item.to_json() for item in self.items],
        }


@dataclass(frozen=True, slots=True)
class _Difference:
    """A handover whose layer has not been looked up yet: `said` is what it follows from."""

    change: Change
    before: EntityRef | None
    after: EntityRef | None
    said: Said
    version: Version


class HandoversService:
    """Ownership in time, read from the versions. Versions are understood as their kinds are today."""

    def __init__(self, database: Database, kinds: KindsService, *, clock: Callable[[], float] = time.time) -> None:
        self._database = database
        self._kinds = kinds
        self._clock = clock

    def history(self, ref: EntityRef, *, limit: int = 100, offset: int = 0) -> OwnershipHistory:
        """Return whose an entity was when; of a group or user what it gained and lost itself.

        It may be gone. Raises `NotFoundError` for what has never been in the catalog, nor owned anything.
        """
        if "\0" in ref:
            raise NotFoundError(_never(ref))
        chosen = slice(offset, offset + limit)
        with self._database.reading() as connection:
            kinds = self._kinds.seen_by(connection)
            if ref.kind in PEOPLE:
                moves = list(_moves(ref, _said_by(past.documents_naming(connection, ref.name), kinds)))
                if not moves and next(past.documents_of(connection, ref), None) is None:
                    raise NotFoundError(_never(ref))
                # Ids grow with revisions; of one version nothing is gained and lost twice.
                moves.sort(key=lambda move: -move.version.id)
                return OwnershipHistory(ref, len(moves), moves=moves[chosen])
            periods = list(_periods(_said_by(past.documents_of(connection, ref), kinds)))
        if not periods:
            raise NotFoundError(_never(ref))
        return OwnershipHistory(ref, len(periods), periods=periods[::-1][chosen])

    def between(
        self,
        since: Moment,
        until: Moment | None = None,
        *,
        owner: EntityRef | None = None,
        layer: EntityRef | None = None,
        kinds: Collection[str] = (),
        limit: int = 100,
        offset: int = 0,
    ) -> Handovers:
        """Return the entities whose accountable owner differs between two moments, the later one now if None.

        `owner` had them before or has them after, `layer` is their effective one, `kinds` are lower case. Raises
        `InputError` for moments yet to come, or in the wrong order, and for an unknown kind; `NotFoundError` for an
        owner or a layer of which the catalog has never heard.
        """
        with self._database.reading() as connection:
            now_ms = int(self._clock() * 1000)
            first = revision_of(connection, since, now_ms=now_ms)
            last = (
                sources.current_revision(connection) if until is None else revision_of(connection, until, now_ms=now_ms)
            )
            if first > last:
                raise InputError(f"Nothing lies between: {since} is later than {until}")
            known = self._kinds.seen_by(connection)
            found = [
                item
                for item in _differences(connection, known, first, last, kinds=kinds)
                if owner is None or owner in (item.before, item.after)
            ]
            found.sort(key=lambda item: (-item.version.revision, item.version.ref))
            if layer is not None:
                layers = _layers(connection, known, found, first, last)
                found = [item for item in found if layers[item.version.ref] == layer]
            if not found:
                _check_known(connection, [ref for ref in (owner, layer) if ref is not None])
                check_kinds(kinds, self._kinds.told_by(connection))
            page = found[offset : offset + limit]
            layers = _layers(connection, known, page, first, last)
            moments = [(number, past.recorded_at(connection, number)) for number in (first, last)]
        counts = dict.fromkeys(CHANGES, 0)
        for item in found:
            counts[item.change] += 1
        items = [
            Handover(item.version.ref, item.change, item.before, item.after, layers[item.version.ref], item.version)
            for item in page
        ]
        return Handovers(moments[0], moments[1], len(found), counts, items)


def _check_known(connection: Connection, refs: Sequence[EntityRef]) -> None:
    storable = [ref for ref in refs if "\0" not in ref]
    known = {*presences(connection, storable), *graph.named_among(connection, storable)}
    for ref in refs:
        if ref not in known:
            raise NotFoundError(_never(ref))


def _never(ref: EntityRef) -> Sentence:
    return Sentence("Entity %(ref)s has never been in the catalog", ref=ref)


def _said(ref: EntityRef, declared: str, kinds: Kinds) -> Said:
    document = orjson.loads(declared)
    targets = declared_targets(ref, document, kinds.find(document["kind"], document["apiVersion"]) or GONE)
    return Said(
        targets.get("owner"),
        targets.get("layer"),
        stewards_of(document, ref),
        targets.get("system"),
        targets.get("domain"),
    )


def _said_by(rows: Iterable[tuple[Version, str]], kinds: Kinds) -> Iterator[tuple[Version, Said | None]]:
    """Yield what versions say; None for a removal."""
    for version, declared in rows:
        yield version, _said(version.ref, declared, kinds) if declared else None


def _periods(told: Iterable[tuple[Version, Said | None]]) -> Iterator[Period]:
    """Yield the periods of one entity, the oldest first, from all its versions in their order."""
    known: tuple[Version, Said, tuple[str, ...]] | None = None
    for version, said in told:
        changed: tuple[str, ...] = ()
        if known is not None:
            since, before, reason = known
            if said is not None:
                names = ("owner", "layer", "stewards")
                changed = tuple(name for name in names if getattr(said, name) != getattr(before, name))
                if not changed:
                    continue
            yield Period(before, since, version, reason)
        known = None if said is None else (version, said, changed)
    if known is not None:
        yield Period(known[1], known[0], None, known[2])


def _moves(who: EntityRef, told: Iterable[tuple[Version, Said | None]]) -> Iterator[Move]:
    """Yield what somebody gained and lost; versions come by entity, those of one in their order."""
    for _, versions in groupby(told, key=lambda item: item[0].ref):
        before: EntityRef | None = None
        for version, said in versions:
            after = said.owner if said is not None else None
            if after != before and who in (before, after):
                yield Move(after == who, before if after == who else after, version)
            before = after


def _differences(
    connection: Connection, known: Kinds, first: int, last: int, *, kinds: Collection[str]
) -> Iterator[_Difference]:
    """Yield the entities whose owner as of one revision is not that as of a later one."""
    steps: dict[EntityRef, list[tuple[Version, Said | None]]] = {}
    for step in _said_by(past.documents_changed(connection, after=first, upto=last, kinds=kinds), known):
        steps.setdefault(step[0].ref, []).append(step)
    earlier = _said_at(connection, known, steps, first)
    for ref, taken in steps.items():
        before, after = earlier.get(ref), taken[-1][1]
        old = owner = before.owner if before is not None else None
        cause: Version | None = None
        for version, said in taken:
            now = said.owner if said is not None else None
            if now != owner:
                cause, owner = version, now
        if old == owner or cause is None:
            continue
        if before is None or after is None:
            yield _Difference("came" if before is None else "went", old, owner, after or before or Said(), cause)
        else:
            yield _Difference("handed-over", old, owner, after, cause)


def _layers(
    connection: Connection, known: Kinds, items: Collection[_Difference], first: int, last: int
) -> dict[EntityRef, EntityRef | None]:
    """Return the effective layer of each entity: as of the later revision, as of the earlier one where it went."""
    found: dict[EntityRef, EntityRef | None] = {}
    for revision, chosen in (
        (first, [item for item in items if item.change == "went"]),
        (last, [item for item in items if item.change != "went"]),
    ):
        systems = _said_at(connection, known, {item.said.system for item in chosen}, revision)
        domains = {said.domain for said in systems.values()} | {item.said.domain for item in chosen}
        above = systems | _said_at(connection, known, domains, revision)
        for item in chosen:
            ref = item.version.ref
            system = above.get(item.said.system) if item.said.system is not None else None
            named = (system.domain if system is not None else None) or item.said.domain
            places = (item.said, system, above.get(named) if named is not None else None)
            declared = next((said.layer for said in places if said is not None and said.layer is not None), None)
            default = known.default_layers.get(ref.kind)
            found[ref] = declared or (EntityRef.of("layer", "default", default) if default else None)
    return found


def _said_at(
    connection: Connection, known: Kinds, refs: Collection[EntityRef | None], revision: int
) -> dict[EntityRef, Said]:
    """Return what those of the entities said that were in the catalog as of a revision."""
    asked = sorted({ref for ref in refs if ref is not None and "\0" not in ref})
    found = versions_at(connection, asked, revision)
    return {ref: _said(ref, found[ref].declared, known) for ref in asked if ref in found and found[ref].declared}


def _moment_json(moment: tuple[int, int | None]) -> dict[str, Any]:
    revision, recorded = moment
    return {"revision": revision, "recordedAt": None if recorded is None else shown_time(recorded)}
