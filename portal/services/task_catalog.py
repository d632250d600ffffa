"""Registers what a task has made, verifying that it is owned as asked."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import orjson

from portal.errors import ActionError, ConflictError, InputError
from portal.model.layer import accountable_owner
from portal.model.ref import EntityRef
from portal.model.repository_access import Grant, RepositoryRight
from portal.store.sight import Sight, seeing


class CatalogReader(Protocol):
    """The catalog, read by sets."""

    def by_refs(self, refs: Sequence[EntityRef], /) -> Mapping[EntityRef, str]:
        """Return the finished JSON text of those of the entities that are there."""
        ...


class Registered(Protocol):
    """What registering a location has brought."""

    @property
    def entity_refs(self) -> Collection[EntityRef]:
        """The entities."""
        ...


class Registrar(Protocol):
    """Registers locations."""

    def register(self, location_type: str, target: str, *, trusted: bool = False) -> Registered:
        """Register a location and read it; a `trusted` one may be registered already and is read again."""
        ...


@dataclass(frozen=True, slots=True)
class ExpectedOwnership:
    """What a template has promised: entities of these kinds (lower case) with this owner."""

    owner: EntityRef
    kinds: frozenset[str]

    def to_json(self) -> dict[str, Any]:
        """Return it as a JSON value."""
        return {"owner": self.owner, "kinds": sorted(self.kinds)}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> ExpectedOwnership:
        """Return what `to_json` gave."""
        return cls(EntityRef(value["owner"]), frozenset(value["kinds"]))


class VerifyingCatalog:
    """The catalog as the actions of one task use it."""

    def __init__(
        self,
        catalog: CatalogReader,
        locations: Registrar,
        *,
        expected: ExpectedOwnership | None = None,
        sight: Sight | None = None,
        redact: Callable[[str], str] = str,
    ) -> None:
        self._catalog = catalog
        self._locations = locations
        self._expected = expected
        self._sight = sight
        self._redact = redact

    def by_refs(self, refs: Sequence[EntityRef]) -> dict[EntityRef, Mapping[str, Any]]:
        """Return those of the entities that are in the catalog, and that whoever began the task may read."""
        with seeing(self._sight):
            return self._found(refs)

    def _found(self, refs: Sequence[EntityRef]) -> dict[EntityRef, Mapping[str, Any]]:
        return {ref: orjson.loads(body) for ref, body in self._catalog.by_refs(list(refs)).items()}

    def register(self, target: str) -> list[EntityRef]:
        """Register and read a location; see `portal.actions.contract.TaskCatalog`."""
        shown = self._redact(target)
        if shown != target:
            raise InputError(
                f"{shown} was made with a secret, and everybody may read where entities come from; register a url "
                "without one, and name the host with its token in the setting integrations"
            )
        refs = sorted(self._locations.register("url", target, trusted=True).entity_refs)
        # What is verified is what was made, whoever may read it.
        found = self._found(refs)
        missing = [ref for ref in refs if ref not in found]
        if missing:
            raise ConflictError(
                f"{target} brought {', '.join(missing)}, which another source already holds; choose another name"
            )
        if self._expected is not None:
            _verify(target, found, self._expected)
        return refs

    def repository_access(self, owner: EntityRef, layer: str | None) -> list[Grant]:
        """Return what an owner gets in a repository; see `portal.actions.contract.TaskCatalog`."""
        return [Grant(owner, RepositoryRight.MAINTAIN)]


def _verify(target: str, found: Mapping[EntityRef, Mapping[str, Any]], expected: ExpectedOwnership) -> None:
    made = {ref: entity for ref, entity in found.items() if ref.kind in expected.kinds}
    if not made:
        brought = ", ".join(sorted(found)) or "nothing"
        raise ActionError(
            f"{target} brought {brought}; expected a {' or '.join(sorted(expected.kinds))}, as the template says it "
            "creates. Look at the problems of its location"
        )
    for ref, entity in sorted(made.items()):
        owner = accountable_owner(entity, ref)
        if owner != expected.owner:
            raise ActionError(f"{ref} is owned by {owner or 'nobody'}; expected {expected.owner}, as was asked for")
