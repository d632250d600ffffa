"""Says what speaks against an owner of what a task makes."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Protocol

from portal.errors import AuthenticationError, NotAllowedError
from portal.model.ref import PEOPLE, EntityRef
from portal.services.explanation import ExplanationService, Sought
from portal.services.identity import Actor
from portal.services.task_catalog import CatalogReader
from portal.services.task_checks import OwnershipRules
from portal.store.sight import Sight, seeing


class Placed(Protocol):
    """An entity as graphs show it."""

    @property
    def layer(self) -> EntityRef | None:
        """The layer that it stands in."""
        ...


class LayerRules(OwnershipRules, Protocol):
    """Says who may own, and where entities stand."""

    def nodes(self, refs: Collection[EntityRef]) -> Mapping[EntityRef, Placed]:
        """Return those of the entities that are in the catalog."""
        ...


class TaskOwners:
    """The invariant on owners, as a step asks for it: the one that is checked before a task exists."""

    def __init__(
        self,
        catalog: CatalogReader,
        ownership: LayerRules,
        explanation: ExplanationService,
        *,
        sight_of: Callable[[str | None], Sight | None],
    ) -> None:
        self._catalog = catalog
        self._ownership = ownership
        self._explanation = explanation
        self._sight_of = sight_of

    def faults(
        self, owner: EntityRef, layers: Sequence[str], *, user: EntityRef | None, scopes: frozenset[str] | None
    ) -> list[str]:
        """See `portal.actions.ownership.OwnerRules`.

        Without a user a service has begun the task, or a guest who may do so: both were asked for the right then.
        """
        with seeing(self._sight_of(user)):
            if owner.kind not in PEOPLE or owner not in self._catalog.by_refs([owner]):
                return [f"found {owner}, which is not in the catalog; expected a Group or User that is"]
            found = [
                f"{finding.message} (rule {finding.rule}). {finding.fix}"
                for layer in layers
                for finding in self._ownership.check_owner(owner, layer)
                if finding.severity == "enforce"
            ]
            if user is not None:
                try:
                    actor = Actor("user", user, scopes=scopes)
                    self._explanation.require(actor, "portal.asset.create", lambda: Sought((owner,)))
                except (AuthenticationError, NotAllowedError) as refusal:
                    found.append(refusal.message)
        return found

    def layers_of(self, refs: Collection[EntityRef]) -> Mapping[EntityRef, EntityRef | None]:
        """Return the layer that each of the entities stands in, for whatever reason; None for none."""
        return {ref: node.layer for ref, node in self._ownership.nodes(refs).items()}
