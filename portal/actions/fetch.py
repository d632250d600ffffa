"""Brings files from beside the template into the workspace."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace

from portal.actions.contract import ActionContext, Example
from portal.actions.schema import ActionSchema, Texts, Value
from portal.errors import InputError
from portal.scaffolder.engine import Engine
from portal.scaffolder.skeleton import SkeletonEntry, SkeletonOptions, render_skeleton

_URL = "Folder relative to the template's file, or a git url REMOTE#BRANCH:PATH."
_TARGET = "Folder of the workspace to write to; the workspace itself by default."


class RenderingInput(ActionSchema):
    """What actions that render have in common: what is read, and how."""

    url = Value(str, required=True, description=_URL)
    values = Value(dict, description="What the files may use as `values`.")
    cookiecutter_compat = Value(
        bool, key="cookiecutterCompat", default=False, description="Variables are {{ cookiecutter.name }}."
    )
    replace = Value(bool, default=False, description="Replace files that are there already.")
    trim_blocks = Value(bool, key="trimBlocks", default=False, description="Drop the newline after a block.")
    lstrip_blocks = Value(bool, key="lstripBlocks", default=False, description="Drop the space before a block.")
    token = Value(str, description="Token for reading at the host of the url, from a secret.")


class FetchTemplateInput(RenderingInput):
    """The input of fetch:template."""

    target_path = Value(str, key="targetPath", default="./", description=_TARGET)
    copy_without_templating = Texts(
        key="copyWithoutTemplating", description="Globs of files whose bodies are copied as they are."
    )
    copy_without_render = Texts(key="copyWithoutRender", description="Accepted, without effect.")
    template_file_extension = Value(
        str, bool, key="templateFileExtension", default=False, description="Only such files are rendered; true: .njk."
    )


class FetchTemplate:
    """Renders a folder of files into the workspace."""

    id = "fetch:template"
    description = "Renders the files of a folder, names and bodies, into the workspace."
    input_schema = FetchTemplateInput
    output_schema = None
    examples: Sequence[Example] = (
        Example(
            "Render the folder beside the template.",
            {"action": "fetch:template", "input": {"url": "./skeleton", "values": {"name": "${{ parameters.name }}"}}},
        ),
    )
    supports_dry_run = True

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def run(self, context: ActionContext) -> None:
        """Write what the folder renders to; a fault stops the work at its file, which is told."""
        given = context.input
        target = given["target_path"]
        entries = folder_of(self.id, context)
        options = SkeletonOptions(
            values=given["values"] or {},
            copy_without_templating=given["copy_without_templating"],
            template_file_extension=given["template_file_extension"],
            cookiecutter_compat=given["cookiecutter_compat"],
            trim_blocks=given["trim_blocks"],
            lstrip_blocks=given["lstrip_blocks"],
            replace=given["replace"],
        )
        rendered = render_skeleton(entries, options, engine=self._engine, existing=context.workspace.listing(target))
        context.workspace.write(rendered.entries, folder=target)
        for path in rendered.kept:
            context.log(f"{path} is there already and was kept")
        if rendered.fault is not None:
            raise rendered.fault
        context.log(f"Rendered {len(rendered.entries)} files and directories")


class FetchPlainInput(ActionSchema):
    """The input of fetch:plain."""

    url = Value(str, required=True, description=_URL)
    target_path = Value(str, key="targetPath", default="./", description=_TARGET)
    token = Value(str, description="Token for reading at the host of the url, from a secret.")


class FetchPlain:
    """Copies a folder of files, or one file, into the workspace."""

    id = "fetch:plain"
    description = "Copies a folder, or a file, into the workspace as it is."
    input_schema = FetchPlainInput
    output_schema = None
    examples: Sequence[Example] = (
        Example("Copy a folder.", {"action": "fetch:plain", "input": {"url": "./files", "targetPath": "files"}}),
    )
    supports_dry_run = True

    def run(self, context: ActionContext) -> None:
        """Copy; a file is copied as the target path itself, files that are there are replaced."""
        target = context.input["target_path"]
        fetched = context.reader.read(context.input["url"], token=context.input["token"])
        if fetched.is_file:
            folder, name = os.path.split(target)
            if not name or name in {".", ".."}:
                folder, name = target, fetched.entries[0].path
            context.workspace.write([replace(fetched.entries[0], path=name)], folder=folder)
        else:
            context.workspace.resolve(target).mkdir(parents=True, exist_ok=True)
            context.workspace.write(fetched.entries, folder=target)
        context.log(f"Copied {len(fetched.entries)} files and directories")


def folder_of(action_id: str, context: ActionContext) -> Sequence[SkeletonEntry]:
    """Return the files of the folder that the input names. Raises `InputError` for a file."""
    url = context.input["url"]
    fetched = context.reader.read(url, token=context.input["token"])
    if fetched.is_file:
        raise InputError(f'{action_id}: "{url}" is a file; expected a folder')
    return fetched.entries
