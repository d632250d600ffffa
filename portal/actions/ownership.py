"""Checks that what a task is about to publish will have the owner that it should have."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Protocol

from portal.actions.contract import ActionContext, Example
from portal.actions.made import MadeEntity, read_file
from portal.actions.schema import ActionSchema, Texts, Value
from portal.errors import InputError
from portal.model.ref import EntityRef


class OwnerRules(Protocol):
    """Says who may own."""

    def faults(
        self, owner: EntityRef, layers: Sequence[str], *, user: EntityRef | None, scopes: frozenset[str] | None
    ) -> list[str]:
        """Return what speaks against an owner of something new, in each of some layers, made by a user.

        `scopes` are the permissions that an API token left to the user. Empty where nothing does.
        """
        ...


class OwnershipInput(ActionSchema):
    """The input of portal:ownership:check."""

    owner = Value(str, required=True, description="Who is to own, such as group:default/team.")
    layer = Value(str, description="Layer that the asset will be in.")
    layers = Texts(description="Layers, where the assets will be in several.")
    catalog_info_path = Value(
        str, key="catalogInfoPath", description="Catalog file of the workspace whose entities must have that owner."
    )
    kinds = Texts(description="Kinds of these entities; without it all that name an owner.")


class OwnershipOutput(ActionSchema):
    """The output of portal:ownership:check."""

    owner = Value(str, description="The owner's whole reference.")
    checked = Value(list, description="References of the entities of the catalog file that have it.")


class OwnershipCheck:
    """Checks an owner before anything is published."""

    id = "portal:ownership:check"
    description = (
        "Fails unless the owner is in the catalog, may own in the layer, is one that whoever runs the template may "
        "create for, and is the one in the catalog file."
    )
    input_schema = OwnershipInput
    output_schema = OwnershipOutput
    examples: Sequence[Example] = (
        Example(
            "Check what has been rendered, before it is published.",
            {
                "action": "portal:ownership:check",
                "input": {
                    "owner": "${{ parameters.owner }}",
                    "layer": "shared",
                    "catalogInfoPath": "catalog-info.yaml",
                    "kinds": ["Dataset"],
                },
            },
        ),
    )
    supports_dry_run = True
    reads_only = True

    def __init__(self, rules: OwnerRules) -> None:
        self._rules = rules

    def run(self, context: ActionContext) -> None:
        """Check all there is to check. Raises `InputError` that tells every fault."""
        given = context.input
        owner = EntityRef.parse(given["owner"], default_kind="group")
        layers = list(dict.fromkeys([*([given["layer"]] if given["layer"] else []), *(given["layers"] or [])]))
        user = EntityRef(context.user_ref) if context.user_ref else None
        faults = self._rules.faults(owner, layers, user=user, scopes=context.scopes)
        checked: list[EntityRef] = []
        if given["catalog_info_path"]:
            kinds = None if given["kinds"] is None else {kind.lower() for kind in given["kinds"]}
            path = given["catalog_info_path"]
            try:
                wrong, checked = _compared(read_file(context.workspace, path), owner, kinds, path=path)
                faults += wrong
            except InputError as error:
                faults.append(error.message)
        if faults:
            raise InputError("\n".join(faults), faults)
        context.output("owner", owner)
        context.output("checked", checked)
        context.log(f"{owner} may own {', '.join(checked) or 'what is made'}")


def _compared(
    made: Sequence[MadeEntity], owner: EntityRef, kinds: Collection[str] | None, *, path: str
) -> tuple[list[str], list[EntityRef]]:
    """Return what is wrong with the owners of declared entities, and those that are right."""
    concerned = [item for item in made if (item.names_owner if kinds is None else item.ref.kind in kinds)]
    if not concerned:
        wanted = " or ".join(sorted(kinds)) if kinds else "entity with an owner"
        return [f"{path}: found no {wanted}; expected one that is owned by {owner}"], []
    faults = {item.ref: item.owner_problem(owner) for item in concerned}
    return [str(fault) for fault in faults.values() if fault is not None], [
        ref for ref, fault in faults.items() if fault is None
    ]
