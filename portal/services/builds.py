"""A source on its way to a snapshot: what has been found of it, what must still be followed."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field

from portal.ingest.snapshot import Snapshot
from portal.ingest.stored import Stored
from portal.model.envelope import Path
from portal.model.kind import Kinds
from portal.model.location import Target, Tree
from portal.model.problem import Problem
from portal.model.ref import EntityRef
from portal.providers.contract import Authorship
from portal.services.spool import Spool
from portal.store.sources import Source


@dataclass(frozen=True, slots=True)
class Link:
    """A target that must be followed, and which field of which Location entity names it.

    `origin` is the location of the Location's file; empty for the source's own target.
    """

    target: Target
    origin: str = ""
    ref: EntityRef | None = None
    path: Path = ()
    text: str = ""
    is_required: bool = True


@dataclass(frozen=True, slots=True)
class TargetDryRun:
    """What registering a target would bring: finished documents as JSON text, the files they stand in, problems."""

    source: Source
    bodies: dict[EntityRef, str]
    locations: dict[EntityRef, str]
    problems: list[Problem]


@dataclass(slots=True)
class Build:
    """A source on its way to a snapshot.

    `again` are files to be read though they have not changed. `inputs` are the files that placeholders took in from
    other trees, by location with their identity now. `reached` are the targets that could be read, by how the locations
    of their files are written. `failed` are trees of catalog files, `unread` trees of such
    inputs, that could not be read.
    """

    source: Source
    stored: Stored
    stored_locations: Mapping[str, list[str]]
    is_anew: bool
    again: frozenset[str] = frozenset()
    snapshot: Snapshot = field(default_factory=lambda: Snapshot(payloads=Spool()))
    frontier: list[Link] = field(default_factory=list)
    places: dict[str, tuple[Target, str]] = field(default_factory=dict)
    parents: dict[str, str] = field(default_factory=dict)
    faults: list[tuple[Link, Problem]] = field(default_factory=list)
    authorship: dict[str, Authorship] = field(default_factory=dict)
    reached: dict[tuple[str, str], Target] = field(default_factory=dict)
    commits: dict[Tree, str] = field(default_factory=dict)
    failed: set[Tree] = field(default_factory=set)
    inputs: dict[str, str] = field(default_factory=dict)
    unread: set[Tree] = field(default_factory=set)

    @property
    def is_complete(self) -> bool:
        """Whether every tree could be read that the snapshot is made from."""
        return not (self.failed or self.unread)

    @property
    def changed_locations(self) -> set[str]:
        """The files whose documents may have to change: those read anew, and those that are gone."""
        return set(self.snapshot.compiled) | (self.stored.files.keys() - self.snapshot.files.keys())


#: Told how far a refresh is: the stage in words, how much of it is done, and how much there is (0: not known).
Progress = Callable[[str, int, int], None]
#: Gives the kinds that there will be with what has been read, and by source the files to compile again; or None.
Redefine = Callable[[Collection[Build]], tuple[Kinds, Mapping[str, Collection[str]]] | None]
