"""Locations: registering, listing, removing what the catalog reads, refreshing by hand."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from portal.errors import ConflictError, InputError, NotFoundError
from portal.ingest.generated import generated_name
from portal.model.filter import EntityFilter
from portal.model.problem import Problem, raise_for
from portal.model.ref import EntityRef
from portal.model.sentence import Sentence
from portal.services.analysis import Analysis, analyze, validation_messages
from portal.services.ancestry import ancestry
from portal.services.refresh import RefreshService
from portal.services.sources import SourcesService
from portal.store import catalog, entities, graph, sources
from portal.store.database import Database
from portal.store.sources import Source


@dataclass(frozen=True, slots=True)
class Location:
    """A registered location, and the Location entity that stands for it."""

    id: str
    type: str
    target: str

    @property
    def entity_ref(self) -> EntityRef:
        """The reference of the Location entity."""
        return EntityRef.of("location", "default", generated_name(f"{self.type}:{self.target}"))

    @property
    def values(self) -> dict[str, set[str]]:
        """The value of each field as filters compare them, lower case."""
        fields = {"id": self.id, "type": self.type, "target": self.target, "entityref": self.entity_ref}
        return {name: {value.lower()} for name, value in fields.items()}


@dataclass(frozen=True, slots=True)
class Registered:
    """A location that has been registered, with the entities that it brought."""

    location: Location
    entity_refs: Sequence[EntityRef]


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the catalog is with a registered location: what it alone brought, what is wrong with its files."""

    location: Location
    is_read: bool
    entity_refs: Sequence[EntityRef] = ()
    problems: Sequence[Problem] = ()


@dataclass(frozen=True, slots=True)
class DryRun:
    """What registering a location would bring; `exists` when it is registered already."""

    location: Location
    entities: list[dict[str, Any]]
    exists: bool


class LocationsService:
    """Registered locations; those of settings are refreshed with them and listed by none of these methods.

    `hand_over` lets a worker refresh sources, by id, with files to read though unchanged: for a process that does not.
    `begin` does so too, where there is a worker to be relied on, and returns whether it has.
    """

    def __init__(
        self,
        database: Database,
        located: SourcesService,
        refresh: RefreshService,
        *,
        hand_over: Callable[[Mapping[str, Collection[str]]], None] | None = None,
        begin: Callable[[Mapping[str, Collection[str]]], bool] = lambda _wanted: False,
    ) -> None:
        self._database = database
        self._sources = located
        self._refresh = refresh
        self._hand_over = hand_over
        self._begin = begin

    def list(self) -> list[Location]:
        """Return the registered locations, oldest first: those whose Location entity whoever asks may read."""
        found = [_location(source) for source in self._sources.list() if source.registered]
        if self._database.visibility().is_all:
            return found
        with self._database.reading() as connection:
            readable = graph.refs_there(connection, [location.entity_ref for location in found])
        return [location for location in found if location.entity_ref in readable]

    def get(self, location_id: str) -> Location:
        """Return a registered location. Raises `NotFoundError`."""
        for location in self.list():
            if location.id == location_id:
                return location
        raise NotFoundError(Sentence("Found no location with ID %(source_id)s", source_id=location_id))

    def entities_of(self, location_id: str, *, hidden: bool = False) -> Sequence[EntityRef]:
        """Return the entities that a registered location alone brought. Raises `NotFoundError`.

        With `hidden` those too that whoever asks may not read: they go with it, so what decides on that must know them.
        """
        refs = self._refs_of(self.get(location_id).id)
        database = self._database.whole if hidden else self._database
        with database.reading() as connection:
            held = entities.held_entities(connection, refs)
        return sorted(ref for ref, entity in held.items() if entity.source_id == location_id)

    def by_entity(self, ref: EntityRef) -> Location:
        """Return the registered location that brought an entity. Raises `NotFoundError`."""
        source_id = self._source_of(ref)
        for location in self.list():
            if location.id == source_id:
                return location
        raise NotFoundError(Sentence("Found no registered location for entity %(ref)s", ref=ref))

    def query(self, wanted: EntityFilter | None, *, limit: int, after_id: str = "") -> tuple[Sequence[Location], int]:
        """Return a page of the registered locations that a filter on their fields means, by id, with their total."""
        found = [item for item in self.list() if wanted is None or wanted.holds(item.values)]
        following = sorted((item for item in found if item.id > after_id), key=lambda item: item.id)
        return following[:limit], len(found)

    def progress(self, location_id: str) -> Progress:
        """Return how far the catalog is with a registered location. Raises `NotFoundError`.

        Before it was read there is nothing that could say who may read it.
        """
        for source in self._sources.list():
            if source.id == location_id and source.registered and not source.fingerprint:
                return Progress(_location(source), is_read=False)
        location = self.get(location_id)
        with self._database.reading() as connection:
            found = sources.list_problems(connection, source_ids=[location_id])
        return Progress(location, is_read=True, entity_refs=self.entities_of(location_id), problems=found)

    def register(self, location_type: str, target: str, *, trusted: bool = False, waits: bool = True) -> Registered:
        """Register a location and read it.

        Faulty documents become problems; the location is registered whatever its files hold. Who does not wait learns
        from `progress` what came of it, where a worker reads it. Raises `InputError` for a target that cannot be
        understood and `ConflictError` for one that is registered.
        """
        _require_url(location_type)
        known = {(source.type, source.target) for source in self._sources.list()}
        if (location_type, target) in known and not trusted:
            raise ConflictError(
                Sentence("Location %(type)s:%(target)s already exists", type=location_type, target=target)
            )
        (source,) = self._sources.add([(location_type, target)], registered=True)
        if not waits and self._begin({source.id: ()}):
            return Registered(_location(source), ())
        self._refresh.refresh([source.id])
        return Registered(_location(source), self._refs_of(source.id))

    def dry_run(self, location_type: str, target: str) -> DryRun:
        """Return what registering would bring. Raises `InputError` with all problems, if there are any."""
        _require_url(location_type)
        found = self._refresh.dry_run(location_type, target)
        raise_for(found.problems)
        exists = any((source.type, source.target) == (location_type, target) for source in self._sources.list())
        bodies = [orjson.loads(body) for _, body in sorted(found.bodies.items())]
        return DryRun(_location(found.source), bodies, exists)

    def update(self, location_id: str, location_type: str, target: str) -> Location:
        """Give a registered location another target, and read that.

        Raises `NotFoundError`, `InputError` for a target that cannot be understood, `ConflictError` for one that is
        registered.
        """
        _require_url(location_type)
        location = self.get(location_id)
        return _location(self._refresh.retarget(location.id, location_type, target))

    def delete(self, location_id: str) -> Location:
        """Remove a registered location with all that it alone brought; return it. Raises `NotFoundError`."""
        location = self.get(location_id)
        if not self._refresh.remove([location.id]):
            raise NotFoundError(Sentence("Found no location with ID %(source_id)s", source_id=location_id))
        return location

    def refresh(self, ref: EntityRef) -> None:
        """Read an entity's file again, and those of the Locations that lead to it; of all else, what has changed.

        Where a worker is to do it, it has not been done yet. Raises `NotFoundError`.
        """
        with self._database.reading() as connection:
            entity = catalog.origins(connection, [ref]).get(ref)
            if entity is None:
                raise NotFoundError(Sentence("Entity %(ref)s not found", ref=ref))
        # Whoever may refresh an entity has what leads to it read again, of which they may know nothing.
        with self._database.whole.reading() as connection:
            locations = catalog.location_entities(connection, [entity.source_id])
        chain = {item.ref for item in ancestry(entity, locations, integrations=self._sources.integrations)}
        files = {entity.location, *(item.location for item in locations if item.ref in chain)}
        if self._hand_over is not None:
            self._hand_over({entity.source_id: files})
        else:
            self._refresh.refresh([entity.source_id], again=files)

    def remove_entity(self, uid: str) -> EntityRef:
        """Take an entity out of the catalog until its file is read anew; return it. Raises `NotFoundError`."""
        with self._database.reading() as connection:
            refs = entities.refs_of_uids(connection, [uid])
        if not refs:
            raise NotFoundError(Sentence("No entity with uid %(uid)s", uid=uid))
        self._refresh.forget(list(refs.values()))
        return refs[uid]

    def analyze(self, location_type: str, target: str, *, filename: str = "") -> Analysis:
        """Return what a repository declares, or what it could begin with; see `analysis.analyze`."""
        _require_url(location_type)
        return analyze(self._database, self._sources, self._refresh, target, filename=filename)

    def validation_messages(self, entity: Mapping[str, Any], *, location: tuple[str, str]) -> Sequence[str]:
        """Return what keeps an entity out of the catalog; see `analysis.validation_messages`."""
        return validation_messages(self._refresh, entity, location=location)

    def _source_of(self, ref: EntityRef) -> str:
        with self._database.reading() as connection:
            held = entities.held_entities(connection, [ref]).get(ref)
        if held is None:
            raise NotFoundError(Sentence("Entity %(ref)s not found", ref=ref))
        return held.source_id

    def _refs_of(self, source_id: str) -> Sequence[EntityRef]:
        with self._database.whole.reading() as connection:
            stored = sources.stored_documents(connection, source_id)
        generated = self._generated(source_id)
        return sorted({EntityRef(key.ref) for key in stored} - generated)

    def _generated(self, source_id: str) -> set[EntityRef]:
        return {_location(source).entity_ref for source in self._sources.list() if source.id == source_id}


def _location(source: Source) -> Location:
    return Location(source.id, source.type, source.target)


def _require_url(location_type: str) -> None:
    if location_type != "url":
        raise InputError(Sentence('Registered locations must be of an allowed type ["url"]'))
