"""Puts what a task has made into the catalog."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from portal.actions.contract import ActionContext, Example, contents_url
from portal.actions.schema import ActionSchema, Value
from portal.errors import ActionError, InputError, PortalError
from portal.ingest.yaml_text import to_yaml
from portal.model.ref import EntityRef

SOURCE_TEMPLATE_ANNOTATION = "backstage.io/source-template"


class RegisterInput(ActionSchema):
    """The input of catalog:register: `catalogInfoUrl`, or `repoContentsUrl` with a path."""

    catalog_info_url = Value(str, key="catalogInfoUrl", description="Url of the catalog file.")
    repo_contents_url = Value(
        str, key="repoContentsUrl", description="Url of the repository's content, as publish steps give it."
    )
    catalog_info_path = Value(
        str, key="catalogInfoPath", default="/catalog-info.yaml", description="Path of the catalog file in it."
    )
    optional = Value(bool, default=False, description="A failure is logged and the step goes on.")


class RegisterOutput(ActionSchema):
    """The output of catalog:register."""

    entity_ref = Value(str, key="entityRef", description="The first Component, else the first entity.")
    catalog_info_url = Value(str, key="catalogInfoUrl", description="Url of the catalog file.")


class CatalogRegister:
    """Registers a catalog file."""

    id = "catalog:register"
    description = "Registers a catalog file and verifies that its entities are in the catalog, owned as asked."
    input_schema = RegisterInput
    output_schema = RegisterOutput
    examples: Sequence[Example] = (
        Example(
            "Register the published repository.",
            {
                "action": "catalog:register",
                "input": {"repoContentsUrl": "${{ steps.publish.output.repoContentsUrl }}"},
            },
        ),
    )
    supports_dry_run = False
    reads_only = True

    def run(self, context: ActionContext) -> None:
        """Register; a location that is registered already is read again."""
        given = context.input
        if bool(given["catalog_info_url"]) == bool(given["repo_contents_url"]):
            raise InputError("catalog:register: expected either catalogInfoUrl or repoContentsUrl")
        target = given["catalog_info_url"] or contents_url(given["repo_contents_url"], given["catalog_info_path"])
        context.log(f"Registering {target} in the catalog")
        context.output("catalogInfoUrl", target)
        try:
            refs = context.catalog.register(target)
            if not refs:
                raise ActionError(f"{target} was read, but brought no entity; look at the problems of its location")
        except PortalError as error:
            if not given["optional"]:
                raise
            context.log(f"Registering failed, which this step allows: {error.message}")
            return
        context.output("entityRef", _main(refs))


class WriteInput(ActionSchema):
    """The input of catalog:write."""

    entity = Value(dict, required=True, description="The entity, as YAML has it.")
    file_path = Value(str, key="filePath", default="catalog-info.yaml", description="File of the workspace to write.")


class CatalogWrite:
    """Writes a catalog file."""

    id = "catalog:write"
    description = "Writes an entity to a catalog file in the workspace, with the template it comes from."
    input_schema = WriteInput
    output_schema = None
    examples: Sequence[Example] = (
        Example(
            "Write catalog-info.yaml.",
            {
                "action": "catalog:write",
                "input": {
                    "entity": {
                        "apiVersion": "backstage.io/v1alpha1",
                        "kind": "Component",
                        "metadata": {"name": "${{ parameters.name }}"},
                        "spec": {"type": "service", "lifecycle": "experimental", "owner": "${{ parameters.owner }}"},
                    }
                },
            },
        ),
    )
    supports_dry_run = True

    def run(self, context: ActionContext) -> None:
        """Write the file. Raises `InputError` for an entity without metadata."""
        entity: dict[str, Any] = dict(context.input["entity"])
        metadata = entity.get("metadata")
        if not isinstance(metadata, dict):
            raise InputError("catalog:write: found no metadata in the entity; expected a mapping with a name")
        annotations = metadata.get("annotations")
        own = annotations if isinstance(annotations, dict) else {}
        entity["metadata"] = {**metadata, "annotations": {**own, SOURCE_TEMPLATE_ANNOTATION: str(context.template.ref)}}
        path = context.workspace.resolve(context.input["file_path"])
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(to_yaml(entity), "utf-8")
        context.log(f"Wrote {context.input['file_path']}")


def _main(refs: Sequence[EntityRef]) -> str:
    """Return the entity that a person wants to see: no generated one, a Component before others."""
    written = [ref for ref in refs if not ref.name.startswith("generated-")]
    components = [ref for ref in written if ref.kind == "component"]
    return str((components or written or list(refs))[0])
