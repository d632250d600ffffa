"""Removes, moves, lists what is in the workspace."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from portal.actions.contract import ActionContext, Example
from portal.actions.schema import ActionSchema, Records, Texts, Value
from portal.actions.workspace import Workspace
from portal.errors import ActionError, InputError
from portal.scaffolder.glob import select

#: So many entries may be told; they go into the task's row.
_MOST_LISTED = 10_000


class DeleteInput(ActionSchema):
    """The input of fs:delete."""

    files = Texts(required=True, description="Paths or globs of files; a folder means all files in it.")


class FilesDelete:
    """Deletes files of the workspace."""

    id = "fs:delete"
    description = "Deletes files of the workspace; a path that is not there is no fault."
    input_schema = DeleteInput
    output_schema = None
    examples: Sequence[Example] = (
        Example("Delete files.", {"action": "fs:delete", "input": {"files": ["CHANGELOG.md", "**/*.tmp"]}}),
    )
    supports_dry_run = True

    def run(self, context: ActionContext) -> None:
        """Delete; folders stay, be they empty. A link is deleted itself, nothing is looked for behind it."""
        for pattern in context.input["files"]:
            for path in matching_files(context.workspace, pattern):
                context.workspace.place(path).unlink()
                context.log(f"File {path} deleted")


class Renaming(ActionSchema):
    """One of the renamings of fs:rename."""

    source = Value(str, key="from", required=True, description="File or folder to move.")
    target = Value(str, key="to", required=True, description="Where to; missing folders are made.")
    overwrite = Value(bool, default=False, description="Replace what is there.")


class RenameInput(ActionSchema):
    """The input of fs:rename."""

    files = Records(Renaming, required=True, description="What to move, in this order.")


class FilesRename:
    """Moves files and folders within the workspace."""

    id = "fs:rename"
    description = "Moves files and folders within the workspace."
    input_schema = RenameInput
    output_schema = None
    examples: Sequence[Example] = (
        Example(
            "Move a file.",
            {"action": "fs:rename", "input": {"files": [{"from": "service.py", "to": "src/service.py"}]}},
        ),
    )
    supports_dry_run = True

    def run(self, context: ActionContext) -> None:
        """Move. Raises `ActionError` where the target is there, unless it is to be replaced."""
        for item in context.input["files"]:
            if not item["source"] or not item["target"]:
                raise InputError("fs:rename: each file must have a from and to property")
            _move(context.workspace, item["source"], item["target"], overwrite=item["overwrite"])
            context.log(f"File {item['source']} renamed to {item['target']}")


class ReaddirInput(ActionSchema):
    """The input of fs:readdir."""

    paths = Texts(required=True, description="Folders of the workspace.")
    recursive = Value(bool, default=False, description="Also list the folders below.")


class ListedEntry(ActionSchema):
    """A file or folder that fs:readdir tells of."""

    name = Value(str, required=True, description="Its name.")
    path = Value(str, required=True, description="Its path in the workspace.")
    full_path = Value(str, key="fullPath", required=True, description="The same: each step has a workspace of its own.")


class ReaddirOutput(ActionSchema):
    """The output of fs:readdir."""

    files = Records(ListedEntry, description="Files and links.")
    folders = Records(ListedEntry, description="Folders.")


class FilesReaddir:
    """Lists folders of the workspace."""

    id = "fs:readdir"
    description = "Lists the files and folders in folders of the workspace."
    input_schema = ReaddirInput
    output_schema = ReaddirOutput
    examples: Sequence[Example] = (
        Example("List a folder.", {"action": "fs:readdir", "input": {"paths": ["src"], "recursive": True}}),
    )
    supports_dry_run = True
    reads_only = True

    def run(self, context: ActionContext) -> None:
        """List, in the order of the paths, then by name; links are told as files and not followed."""
        found: dict[str, list[dict[str, Any]]] = {"files": [], "folders": []}
        for path in context.input["paths"]:
            if not path:
                raise InputError('fs:readdir: found an empty path; "." is the workspace')
            folder = context.workspace.resolve(path)
            if not folder.is_dir():
                raise ActionError(f'fs:readdir: "{path}" is no folder of the workspace')
            for place in _entries(folder, recursive=context.input["recursive"]):
                is_folder = place.is_dir() and not place.is_symlink()
                relative = context.workspace.relative(place)
                told = {"name": place.name, "path": relative, "fullPath": relative}
                found["folders" if is_folder else "files"].append(told)
        count = len(found["files"]) + len(found["folders"])
        if count > _MOST_LISTED:
            raise ActionError(f"fs:readdir: found {count:,} entries; expected at most {_MOST_LISTED:,}")
        for name, entries in found.items():
            context.output(name, entries)


def matching_files(workspace: Workspace, pattern: str, *, dot_files: bool = True) -> list[str]:
    """Return the paths of the files, links among them, that a path or glob means, in their order.

    A path that is there is meant as it is written, whatever its characters; a folder means all files in it. Without
    `dot_files` a glob finds none whose path has a segment that begins with a dot, unless the pattern's has one too.
    Raises as `Workspace.resolve`, and `InputError` for a glob that is not understood.
    """
    workspace.resolve(pattern)
    normal = os.path.normpath(pattern or ".")
    entries = workspace.listing()
    folders = {path for path in entries if _is_folder(workspace.path / path)}
    files = [path for path in entries if path not in folders]
    if normal in files:
        return [normal]
    found = select([f"./{normal}"] if normal != "." else ["**"], files, directories=folders)
    if not dot_files and not _has_dot_segment(normal):
        found = {path for path in found if not _has_dot_segment(path)}
    return sorted(found)


def _has_dot_segment(path: str) -> bool:
    return any(segment.startswith(".") and segment != "." for segment in path.split("/"))


def _is_folder(place: Path) -> bool:
    return place.is_dir() and not place.is_symlink()


def _entries(folder: Path, *, recursive: bool) -> Iterator[Path]:
    for place in sorted(folder.iterdir()):
        yield place
        if recursive and _is_folder(place):
            yield from _entries(place, recursive=True)


def _move(workspace: Workspace, source: str, target: str, *, overwrite: bool) -> None:
    """Move as fs-extra's `move` does, which Backstage uses."""
    here, there = workspace.place(source), workspace.place(target)
    if not os.path.lexists(here):
        raise ActionError(f'fs:rename: "{source}" is not there')
    if here == there or there.is_relative_to(here) or here.is_relative_to(there):
        raise ActionError(f'fs:rename: cannot move "{source}" to "{target}": one is within the other')
    if os.path.lexists(there):
        if not overwrite:
            raise ActionError(f'fs:rename: "{target}" already exists; "overwrite" replaces it')
        if _is_folder(here) != _is_folder(there):
            raise ActionError(f'fs:rename: cannot overwrite "{target}" with "{source}": only one of them is a folder')
        if _is_folder(there):
            shutil.rmtree(there)
        else:
            there.unlink()
    try:
        there.parent.mkdir(parents=True, exist_ok=True)
        here.rename(there)
    except OSError as error:
        raise ActionError(f'fs:rename: cannot move "{source}" to "{target}": {error.strerror}') from error
