"""Roadie's action that packs files of the workspace.

Rule: scaffolder-backend-module-utils 4.1 `zip`.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

from portal.actions.contract import ActionContext, Example
from portal.actions.schema import ActionSchema, Value
from portal.actions.workspace import LARGEST_FILE_BYTES, read_folder, size_of
from portal.errors import ActionError, InputError
from portal.scaffolder.skeleton import SkeletonEntry

#: A moment that the format can tell, the same in each run: the archive of equal files is equal.
_EPOCH = (1980, 1, 1, 0, 0, 0)
_REGULAR_FILE = 0o100000


class ZipInput(ActionSchema):
    """The input of roadiehq:utils:zip."""

    path = Value(str, required=True, description="File or folder of the workspace to pack.")
    output_path = Value(str, key="outputPath", required=True, description="Archive of the workspace to write.")


class ZipOutput(ActionSchema):
    """The output of roadiehq:utils:zip."""

    output_path = Value(str, key="outputPath", description="Path of the archive in the workspace.")


class Zip:
    """Packs a file or folder."""

    id = "roadiehq:utils:zip"
    description = "Packs a file, or what is in a folder, of the workspace into a zip archive."
    input_schema = ZipInput
    output_schema = ZipOutput
    examples: Sequence[Example] = (
        Example(
            "Pack a folder.", {"action": "roadiehq:utils:zip", "input": {"path": "docs", "outputPath": "docs.zip"}}
        ),
    )
    supports_dry_run = True

    def run(self, context: ActionContext) -> None:
        """Pack; links are left out, which is told. Raises `InputError` where the path is not there."""
        path, workspace = context.input["path"], context.workspace
        source = workspace.resolve(path)
        target = workspace.resolve(context.input["output_path"])
        if not source.exists():
            raise InputError(f"File {path} does not exist. Can't zip it.")
        if (size := size_of(source)) > LARGEST_FILE_BYTES:
            raise ActionError(f'"{path}" has {size:,} bytes; expected at most {LARGEST_FILE_BYTES:,} to be packed')
        entries = read_folder(source) if source.is_dir() else [_file(source)]
        packed = io.BytesIO()
        with ZipFile(packed, "w", ZIP_DEFLATED) as archive:
            for entry in entries:
                if entry.kind == "symlink":
                    context.log(f"{entry.path} is a link and was left out")
                elif entry.kind == "file" and (source / entry.path) != target:
                    _add(archive, entry)
        context.output("outputPath", workspace.put(context.input["output_path"], packed.getvalue()))
        context.log(f"Packed {path} into {context.input['output_path']}")


def _file(place: Path) -> SkeletonEntry:
    return SkeletonEntry(place.name, mode=place.stat().st_mode & 0o777, content=place.read_bytes())


def _add(archive: ZipFile, entry: SkeletonEntry) -> None:
    about = ZipInfo(entry.path, _EPOCH)
    about.compress_type = ZIP_DEFLATED
    about.external_attr = (_REGULAR_FILE | entry.mode) << 16
    archive.writestr(about, entry.content)
