"""Rehearses the registration of a location: tells what it would bring, what of that would be wrong."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from contextvars import copy_context
from dataclasses import dataclass, field, replace
from typing import Any

from portal.errors import InputError
from portal.model.layer import Finding
from portal.model.problem import Problem, Span
from portal.model.ref import EntityRef
from portal.services.known import CatalogKnowledge
from portal.services.locations import Location, LocationsService
from portal.services.ownership import OwnershipService
from portal.services.validation import ValidationService
from portal.store.graph import Node

#: What keeps a place from being read at all, whatever it holds.
_UNREADABLE = frozenset({"source-unreachable", "target-invalid", "target-not-allowed"})
_NOT_THERE = frozenset({"target-missing", "revision-missing"})


@dataclass(frozen=True, slots=True)
class Bench:
    """A catalog of its own, for one rehearsal."""

    validation: ValidationService
    ownership: OwnershipService


@dataclass(frozen=True, slots=True)
class Foreseen:
    """An entity that would come; `is_taken` where another file of the catalog holds its reference."""

    node: Node
    location: str
    line: int
    is_taken: bool


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """What registering a location would bring.

    `exists` is the location that is registered already. Where nothing is found there, `elsewhere` are targets of files
    in other folders of the repository, or `suggested` is an entity that could be a beginning. `known` are those owners
    and layers of the entities that the catalog has.
    """

    target: str
    entities: Sequence[Foreseen]
    problems: Sequence[Problem]
    findings: Sequence[tuple[Finding, str, Span]]
    exists: Location | None = None
    elsewhere: Sequence[str] = ()
    suggested: Mapping[str, Any] | None = None
    known: Mapping[EntityRef, Node] = field(default_factory=dict)

    @property
    def is_unreadable(self) -> bool:
        """Whether the place could not be read."""
        return not self.entities and any(problem.code in _UNREADABLE for problem in self.problems)

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing where the catalog would look."""
        return not self.entities and all(problem.code in _NOT_THERE for problem in self.problems)

    @property
    def errors(self) -> Sequence[Problem]:
        """The problems that keep something out of the catalog."""
        return [problem for problem in self.problems if problem.severity == "error"]


class RehearsalService:
    """Reads a location into a catalog of its own, beside what that needs of the whole one."""

    def __init__(
        self,
        knowledge: CatalogKnowledge,
        ownership: OwnershipService,
        locations: LocationsService,
        *,
        bench: Callable[[], AbstractContextManager[Bench]],
    ) -> None:
        self._knowledge = knowledge
        self._ownership = ownership
        self._locations = locations
        self._bench = bench

    def rehearse(self, target: str) -> Rehearsal:
        """Return what registering the url would bring. Raises `InputError` for one that cannot be understood.

        Of the whole catalog it knows what whoever asks may read.
        """
        with self._bench() as bench:
            found = bench.validation.validate([("url", target)], knowledge=_Asked(self._knowledge), registered=True)
            nodes = bench.ownership.nodes(found.places.keys())
            named = {ref for node in nodes.values() for ref in (node.owner, node.layer) if ref is not None}
        taken = {problem.ref for problem in found.problems if problem.code == "ref-conflict"}
        rehearsal = Rehearsal(
            target,
            [Foreseen(nodes[ref], *place, ref in taken) for ref, place in found.places.items() if ref in nodes],
            found.problems,
            found.findings,
            next((location for location in self._locations.list() if location.target == target), None),
            known=self._ownership.nodes(named),
        )
        return self._with_a_beginning(rehearsal) if rehearsal.is_empty else rehearsal

    def _with_a_beginning(self, rehearsal: Rehearsal) -> Rehearsal:
        try:
            analysis = self._locations.analyze("url", rehearsal.target)
        except InputError as error:
            # Catalog files in other folders, all of them faulty; or a branch that is not there.
            problems = [item for item in error.problems if isinstance(item, Problem)]
            return replace(rehearsal, problems=problems or rehearsal.problems)
        elsewhere = sorted({item.target for item in analysis.existing})
        return replace(rehearsal, elsewhere=elsewhere, suggested=analysis.suggested)


class _Asked:
    """The whole catalog as whoever asks sees it: what the rehearsal itself holds is not held to that."""

    def __init__(self, knowledge: CatalogKnowledge) -> None:
        self._knowledge = knowledge
        self._context = copy_context()

    def of_kinds(self, kinds: Collection[str]) -> Iterable[Mapping[str, Any]]:
        return self._context.run(lambda: list(self._knowledge.of_kinds(kinds)))

    def by_refs(self, refs: Collection[EntityRef]) -> Mapping[EntityRef, Mapping[str, Any]]:
        return self._context.run(self._knowledge.by_refs, refs)
