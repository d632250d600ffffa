"""Tells what changed in the catalog, when, in which commit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import orjson

from portal.errors import InputError, NotFoundError
from portal.model.difference import Difference, differences
from portal.model.ref import EntityRef
from portal.store import sources
from portal.store.database import Database
from portal.store.versions import Version, versions_of, versions_since

MOST_AT_ONCE = 1_000


@dataclass(frozen=True, slots=True)
class ChangesPage:
    """Versions in their order; `revision` is the catalog's newest, `after` leads on where there are more."""

    revision: int
    versions: Sequence[Version]
    after: int | None


@dataclass(frozen=True, slots=True)
class HistoryItem:
    """A version of one entity with what it changed of the one before; nothing for the first one and a removal."""

    version: Version
    differences: Sequence[Difference]


@dataclass(frozen=True, slots=True)
class HistoryPage:
    """Versions of one entity, the newest first; `before` leads to older ones, if there are any."""

    items: Sequence[HistoryItem]
    before: int | None


class HistoryService:
    """The catalog in time, for readers."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def changes(self, since: int, *, after: int = 0, limit: int = 100) -> ChangesPage:
        """Return what happened after a revision. Raises `InputError` for a revision that is not there yet."""
        with self._database.reading() as connection:
            revision = sources.current_revision(connection)
            if since > revision:
                raise InputError(f"There is no revision {since} yet; the newest is {revision}")
            found = versions_since(connection, since, after=after, limit=limit + 1)
        return ChangesPage(revision, found[:limit], found[limit - 1].id if len(found) > limit else None)

    def of_entity(self, ref: EntityRef, *, before: int | None = None, limit: int = 20) -> HistoryPage:
        """Return the versions of an entity, of one that is gone too. Raises `NotFoundError` where it never was."""
        with self._database.reading() as connection:
            found = versions_of(connection, ref, before=before, limit=limit + 1)
        if not found and before is None:
            raise NotFoundError(f"Entity {ref} has never been in the catalog")
        older = [*found[1:], None]
        items = [HistoryItem(new, _differences(old, new)) for new, old in zip(found, older, strict=True)]
        return HistoryPage(items[:limit], found[limit - 1].id if len(found) > limit else None)


def _differences(old: Version | None, new: Version) -> Sequence[Difference]:
    if old is None or not old.declared or not new.declared:
        return []
    return list(differences(orjson.loads(old.declared), orjson.loads(new.declared)))
