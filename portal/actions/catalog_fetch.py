"""Reads entities of the catalog for the steps that follow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from portal.actions.contract import ActionContext, Example
from portal.actions.schema import ActionSchema, Texts, Value
from portal.errors import ActionError
from portal.model.ref import DEFAULT_NAMESPACE, EntityRef


class FetchInput(ActionSchema):
    """The input of catalog:fetch."""

    entity_ref = Value(str, key="entityRef", description="Reference of an entity.")
    entity_refs = Texts(key="entityRefs", description="References of several.")
    optional = Value(bool, default=False, description="An entity that is not there is null, not a fault.")
    default_kind = Value(str, key="defaultKind", description="Kind of references that name none.")
    default_namespace = Value(str, key="defaultNamespace", description="Namespace of references that name none.")


class FetchOutput(ActionSchema):
    """The output of catalog:fetch."""

    entity = Value(dict, description="The entity, where entityRef was given.")
    entities = Value(list, description="The entities, in the order of entityRefs.")


class CatalogFetch:
    """Reads entities of the catalog."""

    id = "catalog:fetch"
    description = "Reads entities of the catalog that whoever runs the template may read."
    input_schema = FetchInput
    output_schema = FetchOutput
    examples: Sequence[Example] = (
        Example(
            "Read one entity.",
            {"id": "owner", "action": "catalog:fetch", "input": {"entityRef": "group:default/team-a"}},
        ),
        Example(
            "Read several, which need not be there.",
            {
                "id": "parts",
                "action": "catalog:fetch",
                "input": {"entityRefs": ["sensors", "system:plant"], "defaultKind": "Component", "optional": True},
            },
        ),
    )
    supports_dry_run = True
    reads_only = True

    def run(self, context: ActionContext) -> None:
        """Read all at once. Raises `ActionError` for one that is not there, `InputError` for no reference."""
        given = context.input
        if not given["entity_ref"] and given["entity_refs"] is None:
            if given["optional"]:
                return
            raise ActionError("Missing entity reference or references")
        single = {given["entity_ref"]: self._ref(given["entity_ref"], given)} if given["entity_ref"] else {}
        several = [self._ref(text, given) for text in given["entity_refs"] or ()]
        found = context.catalog.by_refs(list(dict.fromkeys([*single.values(), *several])))
        for text, ref in single.items():
            context.output("entity", _present(found, ref, text, optional=given["optional"]))
        if given["entity_refs"] is not None:
            named = zip(several, given["entity_refs"], strict=True)
            context.output("entities", [_present(found, ref, text, optional=given["optional"]) for ref, text in named])

    @staticmethod
    def _ref(text: str, given: Mapping[str, Any]) -> EntityRef:
        return EntityRef.parse(
            text,
            default_kind=given["default_kind"],
            default_namespace=given["default_namespace"] or DEFAULT_NAMESPACE,
        )


def _present(
    found: Mapping[EntityRef, Mapping[str, Any]], ref: EntityRef, text: str, *, optional: bool
) -> Mapping[str, Any] | None:
    entity = found.get(ref)
    if entity is None and not optional:
        raise ActionError(f"Entity {text} not found")
    return entity
