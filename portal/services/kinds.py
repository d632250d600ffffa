"""Knows the kinds of the catalog: those that are built in, those that its KindDefinitions declare."""

from __future__ import annotations

import threading
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from portal.errors import InputError
from portal.model.declared_kinds import with_declared
from portal.model.entity import ref_of
from portal.model.kind import Kinds
from portal.model.ref import EntityRef
from portal.model.sentence import Sentence
from portal.services.by_visibility import ByVisibility
from portal.store import graph, sources
from portal.store import kinds as stored_kinds
from portal.store.database import Connection, Database
from portal.store.kinds import Definition
from portal.store.sight import visibility_of

if TYPE_CHECKING:
    from portal.services.builds import Build


@dataclass(frozen=True, slots=True)
class _Known:
    """The kinds of one revision, and what they were made from."""

    revision: int
    definitions: Sequence[Definition]
    kinds: Kinds


class KindsService:
    """The one place that says which kinds there are now; asked at every use, it costs one short statement."""

    def __init__(self, database: Database, built_in: Kinds) -> None:
        self._database = database.whole
        self._readers = database
        self._built_in = built_in
        self._lock = threading.Lock()
        self._known = _Known(0, (), built_in)
        self._told: ByVisibility[_Known] = ByVisibility()

    @property
    def built_in(self) -> Kinds:
        """The kinds that are there without any definition."""
        return self._built_in

    def current(self) -> Kinds:
        """Return the kinds of the catalog as it is now."""
        with self._database.reading() as connection:
            return self.seen_by(connection)

    def seen_by(self, connection: Connection) -> Kinds:
        """Return the kinds of the catalog as a connection that only reads sees it."""
        return self._look(connection).kinds

    def told(self) -> Kinds:
        """Return the kinds of the catalog as whoever asks may know of them."""
        with self._readers.reading() as connection:
            return self.told_by(connection)

    def told_by(self, connection: Connection) -> Kinds:
        """Return the kinds of which a connection may read the definitions, to be told to whoever asks.

        What entities mean follows from all kinds; see `seen_by`.
        """
        known = self._look(connection)
        if visibility_of(connection).is_all:
            return known.kinds
        told = self._told.get(connection)
        if told is None or told.revision != known.revision:
            refs = graph.refs_there(connection, [found.ref for found in known.definitions])
            found = [item for item in known.definitions if item.ref in refs]
            told = _Known(known.revision, found, with_declared(self._built_in, [item.declared for item in found]))
            self._told.keep(connection, told)
        return told.kinds

    def expected(self, builds: Collection[Build]) -> Kinds | None:
        """Return the kinds that there will be once builds are written, or None where they bring no definition.

        It is a forecast: whether a document comes to hold its entity shows when it is written.
        """
        fresh: dict[EntityRef, Any] = {}
        for build in builds:
            for file in build.snapshot.compiled.values():
                for declared in file.definitions:
                    fresh.setdefault(ref_of(declared), declared)
        if not fresh:
            return None
        with self._database.reading() as connection:
            known = self._look(connection)
        merged = [fresh.pop(found.ref, found.declared) for found in known.definitions]
        return with_declared(self._built_in, [*merged, *fresh.values()])

    def concerned(self, builds: Collection[Build], kinds: Collection[str]) -> dict[str, set[str]]:
        """Return the files of builds, by source, for which it matters what these kinds (lower case) mean."""
        with self._database.reading() as connection:
            ids = [build.source.id for build in builds]
            found = stored_kinds.files_of_kinds(connection, kinds, source_ids=ids)
        for build in builds:
            places = found.setdefault(build.source.id, set())
            for location, file in build.snapshot.compiled.items():
                named = {*file.kinds, *(ref.kind for ref in file.faulty_refs)}
                if file.unknown_refs or not named.isdisjoint(kinds):
                    places.add(location)
        return found

    def _look(self, connection: Connection) -> _Known:
        revision = sources.current_revision(connection)
        with self._lock:
            known = self._known
        if known.revision == revision:
            return known
        found = stored_kinds.definitions(connection)
        if [item[:2] for item in found] == [item[:2] for item in known.definitions]:
            kinds = known.kinds
        else:
            kinds = with_declared(self._built_in, [item.declared for item in found])
        now = _Known(revision, found, kinds)
        with self._lock:
            if self._known.revision < revision:
                self._known = now
        return now


def check_kinds(names: Collection[str], known: Kinds) -> None:
    """Raise `InputError` for a name, in lower case, that is none of some kinds'."""
    names_known = sorted(kind.name.lower() for kind in known)
    for name in sorted(set(names).difference(names_known)):
        raise InputError(Sentence('Unknown kind "%(name)s"; known are %(known)s', name=name, known=names_known))
