"""Holds a task to what its template has promised of owners, before anything is published."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import orjson

from portal.actions.contract import Action
from portal.actions.made import MadeEntity, read_made
from portal.actions.workspace import Workspace
from portal.errors import InputError, PortalError
from portal.model.layer import named, stewards_of
from portal.model.problem import Problem
from portal.model.ref import EntityRef
from portal.services.task_catalog import (
    CatalogReader,
    ExpectedOwnership,
    OwnerRules,
    Promise,
    Registrar,
    RepositoryAccess,
    VerifyingCatalog,
)
from portal.store.sight import Sight
from portal.store.tasks import TaskRow

#: Inputs of actions that name a catalog file of the workspace.
_NAMING = {"catalog:register": "catalogInfoPath", "catalog:write": "filePath"}
_EXPRESSION = "${{"
#: Gives what a user by reference, None for nobody in particular, may read; None: everything.
SightOf = Callable[[str | None], Sight | None]


class Promises:
    """Knows what tasks have promised, with the rules that they are held to.

    `owners` None: the owner alone is compared. `access` None: an owner maintains, and nobody else gets anything.
    """

    def __init__(
        self,
        catalog: CatalogReader,
        locations: Registrar,
        *,
        owners: OwnerRules | None = None,
        access: RepositoryAccess | None = None,
        sight_of: SightOf = lambda _who: None,
    ) -> None:
        self._catalog = catalog
        self._locations = locations
        self._owners = owners
        self._access = access
        self._sight_of = sight_of

    def catalog_of(
        self, task: TaskRow, workspace: Workspace, given: Mapping[str, Any], *, redact: Callable[[str], str]
    ) -> VerifyingCatalog:
        """Return the catalog as a step of a task uses it; `given` is the step's input as the template has it."""

        def stewards_for(owner: EntityRef) -> list[tuple[EntityRef, str]]:
            try:
                made = read_made(workspace, folder=_folder(given), named=_named(task))
            except PortalError:
                return []  # a template that promises nothing may publish what no catalog can read
            return sorted({item for entity in made if entity.owner == owner for item in _stewards(entity)})

        return VerifyingCatalog(
            self._catalog,
            self._locations,
            promise=self._promise(task),
            access=self._access,
            stewards_for=stewards_for,
            sight=self._sight_of(task.created_by),
            redact=redact,
        )

    def require(self, task: TaskRow, workspace: Workspace, inputs: Iterable[Mapping[str, Any]]) -> None:
        """Raise `InputError` unless all that is about to be published for some inputs is owned as was asked for.

        Each entity of a catalog file that names an owner, or is of a kind that the template creates, must name the
        owner that was asked for; one that the catalog has just so already is left alone. That owner must still be one
        who may own, in the layers that the template says and those that the files name.
        """
        promise = self._promise(task)
        if promise is None:
            return
        owner = promise.expected.owner
        made = {
            (entity.path, entity.index): entity
            for folder in sorted({_folder(given) for given in inputs})
            for entity in read_made(workspace, folder=folder, named=_named(task))
            if entity.names_owner or entity.ref.kind in promise.expected.kinds
        }
        wrong = {
            entity.ref: problem for entity in made.values() if (problem := entity.owner_problem(owner)) is not None
        }
        kept = self._kept([entity for entity in made.values() if entity.ref in wrong])
        faults: list[Problem | str] = [problem for ref, problem in wrong.items() if ref not in kept]
        faults += promise.faults(promise.expected.layers)
        faults += _in_layers([entity for entity in made.values() if entity.ref not in wrong], promise)
        if faults:
            told = "\n".join(map(str, faults))
            raise InputError(f"Nothing is published, as {owner} was asked to own what is made:\n{told}", faults)

    def _promise(self, task: TaskRow) -> Promise | None:
        declared = task.spec.get("ownership")
        if not declared:
            return None
        scopes, user = task.spec.get("scopes"), task.spec["user"].get("ref")
        return Promise(
            ExpectedOwnership.from_json(declared),
            self._owners,
            EntityRef(user) if user else None,
            None if scopes is None else frozenset(scopes),
        )

    def _kept(self, made: Sequence[MadeEntity]) -> set[EntityRef]:
        """Return what the catalog has just so already: a proposal to a repository publishes its other entities too."""
        found = self._catalog.by_refs([entity.ref for entity in made]) if made else {}
        known = {ref: orjson.loads(body).get("spec") for ref, body in found.items()}
        return {entity.ref for entity in made if known.get(entity.ref) == entity.declared.get("spec")}


def is_publishing(action: Action) -> bool:
    """Return whether an action brings files of the workspace to where others see them."""
    return bool(getattr(action, "publishes", action.id.startswith("publish:")))


def _in_layers(made: Sequence[MadeEntity], promise: Promise) -> list[Problem]:
    """Return what speaks against the owner in layers that the files name beside those of the template."""
    known = {EntityRef.parse(layer, default_kind="layer") for layer in promise.expected.layers}
    found = []
    for entity in made:
        said = entity.spec.get("layer")
        layer = named("layer", said, entity.ref) if isinstance(said, str) and said else None
        if layer is None or layer in known:
            continue
        known.add(layer)
        found += [
            entity.problem(
                ("spec", "layer"),
                found=layer,
                expected=f"a layer that {promise.expected.owner} may own in",
                hint=fault,
            )
            for fault in promise.faults([layer])
        ]
    return found


def _stewards(entity: MadeEntity) -> tuple[tuple[EntityRef, str], ...]:
    return stewards_of(entity.declared, entity.ref)


def _folder(given: Mapping[str, Any]) -> str:
    """Return the folder of the workspace that an action publishes; what is no text it refuses itself."""
    found = given.get("sourcePath")
    return found if isinstance(found, str) else ""


def _named(task: TaskRow) -> list[str]:
    """Return the catalog files that steps of a task name, as far as the template itself says."""
    found = []
    for step in task.spec["steps"]:
        given = step.get("input")
        path = given.get(_NAMING.get(step.get("action"), "")) if isinstance(given, Mapping) else None
        if isinstance(path, str) and _EXPRESSION not in path:
            found.append(path)
    return found
