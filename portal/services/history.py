"""Tells what changed in the catalog, when, in which commit, what an entity was before."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any

import orjson

from portal.errors import InputError, NotFoundError
from portal.ingest.annotate import Annotator
from portal.ingest.relate import relate
from portal.ingest.stitch import stitch
from portal.model.declared_kinds import GONE
from portal.model.difference import Difference, differences
from portal.model.entity import ORIGIN_ANNOTATION
from portal.model.integration import NO_INTEGRATIONS, Integrations
from portal.model.moment import Moment, shown_time
from portal.model.ref import EntityRef
from portal.model.sentence import Sentence
from portal.services.kinds import KindsService
from portal.services.moments import absence, revision_of
from portal.store import sources
from portal.store.database import Database
from portal.store.entities import held_entities
from portal.store.versions import (
    Version,
    presences,
    refs_by_change,
    versions_at,
    versions_of,
    versions_since,
)

MOST_AT_ONCE = 1_000


@dataclass(frozen=True, slots=True)
class ChangesPage:
    """Versions in their order; `revision` is the catalog's newest, `after` leads on where there are more."""

    revision: int
    versions: Sequence[Version]
    after: int | None

    def to_json(self) -> dict[str, Any]:
        """Return the page as JSON tells it."""
        items = [version.to_json() for version in self.versions]
        return {"revision": self.revision, "items": items} | ({} if self.after is None else {"after": self.after})


@dataclass(frozen=True, slots=True)
class HistoryItem:
    """A version of one entity with what it changed of the one before; nothing for the first one and a removal.

    `moved_from` is the location of the one before where it stood in another file; empty otherwise.
    """

    version: Version
    differences: Sequence[Difference]
    moved_from: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return the item as JSON tells it."""
        found = self.version.to_json() | {"differences": [item.to_json() for item in self.differences]}
        return found | ({"movedFrom": self.moved_from} if self.moved_from else {})


@dataclass(frozen=True, slots=True)
class HistoryPage:
    """Versions of one entity, the newest first; `before` leads to older ones, if there are any."""

    items: Sequence[HistoryItem]
    before: int | None

    def to_json(self) -> dict[str, Any]:
        """Return the page as JSON tells it."""
        items = [item.to_json() for item in self.items]
        return {"items": items} | ({} if self.before is None else {"before": self.before})


class HistoryService:
    """The catalog in time, for readers."""

    def __init__(
        self,
        database: Database,
        kinds: KindsService,
        *,
        integrations: Integrations = NO_INTEGRATIONS,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._database = database
        self._kinds = kinds
        self._annotator = Annotator(integrations)
        self._clock = clock

    def changes(self, since: int, *, after: int = 0, limit: int = 100) -> ChangesPage:
        """Return what happened after a revision. Raises `InputError` for a revision that is not there yet."""
        with self._database.reading() as connection:
            revision = sources.current_revision(connection)
            if since > revision:
                raise InputError(
                    Sentence(
                        "There is no revision %(since)s yet; the newest is %(revision)s", since=since, revision=revision
                    )
                )
            found = versions_since(connection, since, after=after, limit=limit + 1)
        return ChangesPage(revision, found[:limit], found[limit - 1].id if len(found) > limit else None)

    def refs_of(self, revisions: Collection[int]) -> dict[str, list[EntityRef]]:
        """Return the entities that came, changed or went with some revisions, by the name of the change."""
        with self._database.reading() as connection:
            return refs_by_change(connection, revisions)

    def of_entity(self, ref: EntityRef, *, before: int | None = None, limit: int = 20) -> HistoryPage:
        """Return the versions of an entity, of one that is gone too. Raises `NotFoundError` where it never was."""
        with self._database.reading() as connection:
            found = versions_of(connection, ref, before=before, limit=limit + 1)
        if not found and before is None:
            raise NotFoundError(Sentence("Entity %(ref)s has never been in the catalog", ref=ref))
        items = [_item(old, new) for new, old in zip_longest(found, found[1:])]
        return HistoryPage(items[:limit], found[limit - 1].id if len(found) > limit else None)

    def at(self, ref: EntityRef, moment: Moment) -> dict[str, Any]:
        """Return an entity as it was at a moment; one of its status items says what is not known of that time.

        Its relations are those that its own document declared, as its kind is understood today. Raises `InputError`
        for a moment to come, `NotFoundError` where the entity was not in the catalog, saying when it was.
        """
        with self._database.reading() as connection:
            revision = revision_of(connection, moment, now_ms=int(self._clock() * 1000))
            version = versions_at(connection, [ref], revision).get(ref)
            known = presences(connection, [ref]).get(ref, ())
            if version is None or version.change == "removed":
                raise NotFoundError(absence(ref, moment, known))
            is_same = all(found.is_there or found.revision <= revision for found in known)
            uid = held_entities(connection, [ref])[ref].uid if is_same else ""
            origins = {source.id: source.location for source in sources.list_sources(connection)}
            kinds = self._kinds.seen_by(connection)
        declared = orjson.loads(version.declared)
        kind = kinds.find(declared["kind"], declared["apiVersion"]) or GONE
        origin = origins.get(version.source_id, "")
        annotations = self._annotator.annotations(version.location, origin=origin)
        relations = [(found.type, found.target) for found in relate(ref, declared, kind) if found.source == ref]
        stitched = stitch(declared, uid=uid, annotations=annotations, relations=relations)
        document: dict[str, Any] = orjson.loads(stitched.body)
        unknown = ["relations that only other entities declare", "problems", "whether it was an orphan"]
        if not uid:
            del document["metadata"]["uid"]
            unknown.append("the uid")
        if not origin:
            del document["metadata"]["annotations"][ORIGIN_ANNOTATION]
            unknown.append("the location that led there")
        return document | {"status": {"items": [_status_item(version, unknown)]}}


def _status_item(version: Version, unknown: Sequence[str]) -> dict[str, str]:
    made = f"revision {version.revision} of {shown_time(version.recorded_at_ms)}"
    return {
        "type": "portal/history",
        "level": "info",
        "message": f"As {made} made it. Not known of that time: {', '.join(unknown)}",
    }


def _item(old: Version | None, new: Version) -> HistoryItem:
    if old is None or not old.declared or not new.declared:
        return HistoryItem(new, [])
    found = list(differences(orjson.loads(old.declared), orjson.loads(new.declared)))
    return HistoryItem(new, found, old.location if old.location != new.location else "")
