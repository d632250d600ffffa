"""Registers what a task has made, verifying that it is owned as asked."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import orjson

from portal.actions.ownership import OwnerRules
from portal.errors import ActionError, ConflictError, InputError
from portal.model.layer import accountable_owner
from portal.model.ref import EntityRef
from portal.model.repository_access import AccessPolicy, Grant
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


class TaskOwnerRules(OwnerRules, Protocol):
    """Says who may own, and where things stand; see `portal.services.task_owners`."""

    def layers_of(self, refs: Collection[EntityRef], /) -> Mapping[EntityRef, EntityRef | None]:
        """Return the layer that each of the entities stands in."""
        ...


class RepositoryAccess(Protocol):
    """Says who gets what in repositories; see `portal.services.repository_access`."""

    def grants(
        self, owner: EntityRef, /, *, stewards: Collection[tuple[EntityRef, str]], layers: Collection[str]
    ) -> list[Grant]:
        """Return what an owner and stewards, as (who, duty), get in a repository of an asset of some layers."""
        ...


@dataclass(frozen=True, slots=True)
class ExpectedOwnership:
    """What a template has promised: entities of these kinds (lower case) with this owner, in these layers."""

    owner: EntityRef
    kinds: frozenset[str]
    layers: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return it as a JSON value."""
        return {"owner": self.owner, "kinds": sorted(self.kinds), "layers": list(self.layers)}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> ExpectedOwnership:
        """Return what `to_json` gave; tasks that another release has begun tell no layers."""
        return cls(EntityRef(value["owner"]), frozenset(value["kinds"]), tuple(value.get("layers") or ()))


@dataclass(frozen=True, slots=True)
class Promise:
    """What the template of one task has promised to whoever began it, with the rules that it is held to.

    `user` is None for a service. Without `rules` the owner alone is compared.
    """

    expected: ExpectedOwnership
    rules: TaskOwnerRules | None = None
    user: EntityRef | None = None
    scopes: frozenset[str] | None = None

    def faults(self, layers: Sequence[str]) -> list[str]:
        """Return what speaks against the owner now, in each of some layers: the catalog may have changed since."""
        if self.rules is None:
            return []
        return self.rules.faults(self.expected.owner, layers, user=self.user, scopes=self.scopes)


class VerifyingCatalog:
    """The catalog as the actions of one task use it.

    `stewards_for` tells who answers for which duty of what the task has made for an owner.
    """

    def __init__(
        self,
        catalog: CatalogReader,
        locations: Registrar,
        *,
        promise: Promise | None = None,
        access: RepositoryAccess | None = None,
        stewards_for: Callable[[EntityRef], Collection[tuple[EntityRef, str]]] = lambda _owner: (),
        sight: Sight | None = None,
        redact: Callable[[str], str] = str,
    ) -> None:
        self._catalog = catalog
        self._locations = locations
        self._promise = promise
        self._access = access
        self._stewards_for = stewards_for
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
        promise = self._promise
        if promise is not None:
            _require(promise.faults(promise.expected.layers), f"{target} is not registered")
        refs = sorted(self._locations.register("url", target, trusted=True).entity_refs)
        # What is verified is what was made, whoever may read it.
        found = self._found(refs)
        missing = [ref for ref in refs if ref not in found]
        if missing:
            raise ConflictError(
                f"{target} brought {', '.join(missing)}, which another source already holds; choose another name"
            )
        if promise is not None:
            _verify(target, found, promise)
        return refs

    def repository_access(self, owner: EntityRef, layer: str | None) -> list[Grant]:
        """Return who gets what in a repository; see `portal.actions.contract.TaskCatalog`."""
        if self._access is None:
            return [Grant(owner, AccessPolicy().owner)]
        said = self._promise.expected.layers if self._promise is not None else ()
        layers = said if layer is None else (layer,)
        return self._access.grants(owner, stewards=self._stewards_for(owner), layers=layers)


def _require(faults: Sequence[str], what: str) -> None:
    if faults:
        raise ActionError("\n".join((f"{what}, as the owner that was asked for may not own it any more:", *faults)))


def _verify(target: str, found: Mapping[EntityRef, Mapping[str, Any]], promise: Promise) -> None:
    """Raise `ActionError` unless the entities of the promised kinds are there, owned as asked, where that may be."""
    expected = promise.expected
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
    if promise.rules is not None:
        known = {EntityRef.parse(layer, default_kind="layer") for layer in expected.layers}
        placed = promise.rules.layers_of(sorted(made))
        others = sorted({layer for layer in placed.values() if layer is not None} - known)
        _require(promise.faults(others), f"{target} brought {', '.join(sorted(made))} in {', '.join(others)}")
