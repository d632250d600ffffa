"""Holds a task to what its template has promised of owners, before anything is published."""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
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
    Promise,
    Registrar,
    RepositoryAccess,
    TaskOwnerRules,
    VerifyingCatalog,
)
from portal.store.sight import Sight
from portal.store.tasks import TaskRow

#: Inputs of actions that name a catalog file of the workspace.
_NAMING = {"catalog:register": "catalogInfoPath", "catalog:write": "filePath"}
_EXPRESSION = "${{"
_UNKNOWN = object()
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
        owners: TaskOwnerRules | None = None,
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
                made = self._made(task, workspace, [given])
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
        try:
            faults = self._faults(promise, self._made(task, workspace, inputs))
        except InputError as error:  # a catalog file that cannot be read
            faults = [error.message]
        if faults:
            told = "\n".join(map(str, faults))
            raise InputError(f"Nothing is published, as {owner} was asked to own what is made:\n{told}", faults)

    def _made(self, task: TaskRow, workspace: Workspace, inputs: Iterable[Mapping[str, Any]]) -> Collection[MadeEntity]:
        """Return the entities of what is about to be published for some inputs, each once."""
        folders = sorted({_folder(given) for given in inputs})
        made = [entity for at in folders for entity in read_made(workspace, folder=at, named=_named(task, at))]
        return {(entity.path, entity.index): entity for entity in made}.values()

    def _faults(self, promise: Promise, made: Collection[MadeEntity]) -> list[Problem | str]:
        """Return what is wrong with the owners of entities, and with the layers that they stand in."""
        owner, kinds = promise.expected.owner, promise.expected.kinds
        owned = [entity for entity in made if entity.names_owner or entity.ref.kind in kinds]
        wrong = [(entity, problem) for entity in owned if (problem := entity.owner_problem(owner)) is not None]
        known = self._specs([entity.ref for entity, _ in wrong])
        return [
            # A proposal to a repository publishes its other entities too.
            *(problem for entity, problem in wrong if entity.declared.get("spec") != known.get(entity.ref, _UNKNOWN)),
            *promise.faults(promise.expected.layers),
            *_in_layers([entity for entity in owned if entity.owner == owner], promise),
        ]

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

    def _specs(self, refs: Sequence[EntityRef]) -> dict[EntityRef, Any]:
        """Return the specs of those of the entities that are in the catalog."""
        found = self._catalog.by_refs(refs) if refs else {}
        return {ref: orjson.loads(body).get("spec") for ref, body in found.items()}


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


def _named(task: TaskRow, folder: str) -> list[str]:
    """Return the catalog files of a published folder that steps of a task name, as far as the template itself says.

    What is registered is named by its place in the repository, what is written by that in the workspace.
    """
    found = []
    for step in task.spec["steps"]:
        given, action = step.get("input"), step.get("action")
        path = given.get(_NAMING[action]) if action in _NAMING and isinstance(given, Mapping) else None
        if not isinstance(path, str) or _EXPRESSION in path:
            continue
        found.append(path if action == "catalog:register" else posixpath.relpath(path, folder or "."))
    return found
