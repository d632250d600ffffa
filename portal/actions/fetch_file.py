"""Brings one file from beside the template into the workspace."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from portal.actions.contract import ActionContext, Example
from portal.actions.fetch import RenderingInput
from portal.actions.schema import ActionSchema, Value
from portal.errors import InputError
from portal.scaffolder.engine import Engine
from portal.scaffolder.skeleton import SkeletonEntry, SkeletonOptions, render_file

_URL = "File relative to the template's file, or a git url REMOTE#BRANCH:PATH."
_TARGET = "File of the workspace to write."


class FetchPlainFileInput(ActionSchema):
    """The input of fetch:plain:file."""

    url = Value(str, required=True, description=_URL)
    target_path = Value(str, key="targetPath", required=True, description=_TARGET)
    token = Value(str, description="Token for reading at the host of the url, from a secret.")


class FetchPlainFile:
    """Copies one file into the workspace."""

    id = "fetch:plain:file"
    description = "Copies one file into the workspace as it is."
    input_schema = FetchPlainFileInput
    output_schema = None
    examples: Sequence[Example] = (
        Example(
            "Copy a file.",
            {"action": "fetch:plain:file", "input": {"url": "./files/LICENSE", "targetPath": "LICENSE"}},
        ),
    )
    supports_dry_run = True

    def run(self, context: ActionContext) -> None:
        """Copy; a file that is there is replaced, missing folders are made."""
        target = context.input["target_path"]
        source = _file(self.id, context)
        context.workspace.write([replace(source, path=target)])
        context.log(f"Copied {context.input['url']} to {target}")


class FetchTemplateFileInput(RenderingInput):
    """The input of fetch:template:file."""

    target_path = Value(str, key="targetPath", required=True, description=_TARGET)


class FetchTemplateFile:
    """Renders one file into the workspace."""

    id = "fetch:template:file"
    description = "Renders one file, always taken for text, into the workspace."
    input_schema = FetchTemplateFileInput
    output_schema = None
    examples: Sequence[Example] = (
        Example(
            "Render a file beside the template.",
            {
                "action": "fetch:template:file",
                "input": {
                    "url": "./skeleton/README.md",
                    "targetPath": "README.md",
                    "values": {"name": "${{ parameters.name }}"},
                },
            },
        ),
    )
    supports_dry_run = True

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def run(self, context: ActionContext) -> None:
        """Render; a file that is there stays unless it is to be replaced. The mode is not kept, as in Backstage."""
        given = context.input
        target = given["target_path"]
        if context.workspace.resolve(target).exists() and not given["replace"]:
            context.log(f"File {target} already exists in workspace, not replacing.")
            return
        options = SkeletonOptions(
            values=given["values"] or {},
            cookiecutter_compat=given["cookiecutter_compat"],
            trim_blocks=given["trim_blocks"],
            lstrip_blocks=given["lstrip_blocks"],
        )
        source = _file(self.id, context)
        context.workspace.put(target, render_file(source.content, options, engine=self._engine, name=given["url"]))
        context.log(f"Rendered {given['url']} to {target}")


def _file(action_id: str, context: ActionContext) -> SkeletonEntry:
    """Return the file that the input names. Raises `InputError` for anything else."""
    url = context.input["url"]
    fetched = context.reader.read(url, token=context.input["token"])
    if not fetched.is_file:
        raise InputError(f'{action_id}: "{url}" is a folder; expected a file')
    (source,) = fetched.entries
    if source.kind != "file":
        raise InputError(f'{action_id}: "{url}" is a link; expected a file')
    return source
