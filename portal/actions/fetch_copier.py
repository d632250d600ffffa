"""Renders a folder with copier into the workspace."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from portal.actions.child import run_child
from portal.actions.contract import ActionContext, Example
from portal.actions.fetch import folder_of
from portal.actions.schema import ActionSchema, Value
from portal.actions.workspace import LARGEST_FILE_BYTES, Workspace, read_folder, size_of
from portal.errors import ActionError
from portal.scaffolder.skeleton import SkeletonEntry, inside_links


class CopierInput(ActionSchema):
    """The input of fetch:copier."""

    url = Value(str, required=True, description="Folder relative to the template's file, or a git url.")
    target_path = Value(str, key="targetPath", default="./", description="Folder of the workspace to write to.")
    values = Value(dict, description="Answers to the questions of copier.yml; others get their defaults.")
    token = Value(str, description="Token for reading at the host of the url, from a secret.")


class FetchCopier:
    """Renders a folder with copier."""

    id = "fetch:copier"
    description = "Renders a template of copier into the workspace; its tasks are not run."
    input_schema = CopierInput
    output_schema = None
    examples: Sequence[Example] = (
        Example(
            "Render a template beside this one.",
            {"action": "fetch:copier", "input": {"url": "./project", "values": {"name": "${{ parameters.name }}"}}},
        ),
    )
    supports_dry_run = True

    def __init__(self, *, cpu_seconds: int = 20) -> None:
        self._cpu_seconds = cpu_seconds

    def run(self, context: ActionContext) -> None:
        """Render all, then write; files that are there are replaced. Raises `InputError` for unsafe templates."""
        given = context.input
        found = folder_of(self.id, context)
        with tempfile.TemporaryDirectory(prefix="copier-") as name:
            folder = Path(name).resolve()
            for part in ("template", "target"):
                (folder / part).mkdir()
            Workspace(folder / "template").write([entry for entry in inside_links(found) if _is_plain(entry)])
            reply = run_child(
                "copier_program.py",
                {"values": given["values"] or {}},
                folder=folder,
                action_id=self.id,
                cpu_seconds=self._cpu_seconds,
            )
            if (size := size_of(folder / "target")) > LARGEST_FILE_BYTES:
                raise ActionError(f"{self.id}: rendered {size:,} bytes; expected at most {LARGEST_FILE_BYTES:,}")
            # The file of answers names the template: as the step does, not where it lay for a moment.
            source = str(folder / "template").encode()
            rendered = [
                replace(entry, content=entry.content.replace(source, given["url"].encode()))
                for entry in inside_links(read_folder(folder / "target"))
            ]
        context.workspace.write(rendered, folder=given["target_path"])
        if reply["tasks"]:
            context.log(f"{reply['tasks']} tasks of the template were not run")
        context.log(f"Rendered {len(rendered)} files and directories")


def _is_plain(entry: SkeletonEntry) -> bool:
    """Return whether an entry is none of git's own, which could name programs to run."""
    return ".git" not in entry.path.lower().split("/")
