"""The folder that a task's steps work in, with no way out of it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

from portal.errors import ActionError, NotAllowedError
from portal.scaffolder.skeleton import SkeletonEntry

#: What one file may have that a step reads or writes as a whole.
LARGEST_FILE_BYTES = 64 * 1024 * 1024
_PERMISSIONS = 0o777


class Workspace:
    """A task's folder; its steps reach it through paths relative to it alone."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._real = path.resolve()

    def resolve(self, relative: str = "") -> Path:
        """Return the real path of `relative`; the workspace itself is allowed.

        Raises `NotAllowedError` when it is absolute, leads out of the workspace, or does so through a symbolic link,
        be it a dangling one.
        """
        if "\0" in relative:
            raise NotAllowedError("A path must not hold a NUL")
        try:
            real = (self._real / (relative or ".")).resolve()
        except (OSError, RuntimeError) as error:  # links in a ring
            raise NotAllowedError(f'Relative path "{relative}" cannot be followed: {error}') from error
        if not real.is_relative_to(self._real):
            raise NotAllowedError(
                f'Relative path "{relative}" is not allowed to refer to a directory outside its parent'
            )
        return real

    def place(self, relative: str) -> Path:
        """Return where `relative` stands: a link itself, not what it leads to. Raises as `resolve`."""
        self.resolve(relative)
        parent, name = os.path.split(os.path.normpath(relative or "."))
        return self.resolve(parent) / name if name not in {"", ".", ".."} else self.resolve(relative)

    def relative(self, place: Path) -> str:
        """Return the path of a place of this workspace as steps name it.

        Steps are told this one alone: each works in a folder of its own, so that an absolute one means nothing later.
        """
        return place.relative_to(self._real).as_posix()

    def read(self, relative: str, *, size_limit_bytes: int = LARGEST_FILE_BYTES) -> bytes:
        """Return the content of a file. Raises as `resolve`, and `ActionError` for what is none or too large."""
        place = self.resolve(relative)
        if not place.is_file():
            raise ActionError(f'"{relative}" is no file of the workspace')
        size = place.stat().st_size
        if size > size_limit_bytes:
            raise ActionError(f'"{relative}" has {size:,} bytes; expected at most {size_limit_bytes:,}')
        return place.read_bytes()

    def put(self, relative: str, content: bytes) -> str:
        """Write one file and return its path, see `relative`; the mode of one that is there stays.

        Missing folders are made. Raises as `resolve`, and `ActionError` where something else is in the way.
        """
        place = self.resolve(relative)
        if len(content) > LARGEST_FILE_BYTES:
            raise ActionError(
                f'"{relative}" would have {len(content):,} bytes; expected at most {LARGEST_FILE_BYTES:,}'
            )
        try:
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(content)
        except OSError as error:
            raise ActionError(f'"{relative}" cannot be written: {error.strerror}') from error
        return self.relative(place)

    def listing(self, relative: str = "") -> list[str]:
        """Return the paths, relative to a folder, of all that is in it; links are not followed."""
        folder = self.resolve(relative)
        return sorted(_walk(folder)) if folder.is_dir() else []

    def write(self, entries: Sequence[SkeletonEntry], *, folder: str = "") -> None:
        """Write files, directories and links below a folder; a file in the way of a file is replaced.

        Raises `NotAllowedError` for an entry that leaves the workspace, `ActionError` where a file is in the way of a
        directory, or the reverse.
        """
        folders: dict[str, Path] = {}
        for entry in entries:
            inside = os.path.join(folder, entry.path)  # noqa: PTH118  # Path would drop what `resolve` has to refuse
            try:
                self._write(entry, inside, folders)
            except (FileExistsError, IsADirectoryError, NotADirectoryError) as error:
                raise ActionError(
                    f'"{inside}" cannot be written: a file or directory of that name is in the way'
                ) from error

    def _write(self, entry: SkeletonEntry, inside: str, folders: dict[str, Path]) -> None:
        """Write one; `folders` are those that are there, resolved, as most files share theirs."""
        parent, name = os.path.split(inside)
        if parent not in folders:
            real = self.resolve(parent)
            real.mkdir(parents=True, exist_ok=True)
            folders[parent] = real
        place = folders[parent] / name
        if entry.kind == "symlink":
            place.unlink(missing_ok=True)
            place.symlink_to(entry.target)
            folders.clear()  # it may stand for another folder now
            return
        if name in {"", ".", ".."} or "\0" in name or place.is_symlink():
            place = self.resolve(inside)
            place.parent.mkdir(parents=True, exist_ok=True)
        if entry.kind == "directory":
            place.mkdir(parents=True, exist_ok=True)
            return
        place.write_bytes(entry.content)
        place.chmod(entry.mode & _PERMISSIONS | 0o600)


def read_folder(folder: Path) -> list[SkeletonEntry]:
    """Return all that is in a folder, links as links."""
    entries = []
    for path in sorted(_walk(folder)):
        place = folder / path
        if place.is_symlink():
            entries.append(SkeletonEntry(path, kind="symlink", target=str(place.readlink())))
        elif place.is_dir():
            entries.append(SkeletonEntry(path, kind="directory"))
        elif place.is_file():
            mode = place.stat().st_mode & _PERMISSIONS
            entries.append(SkeletonEntry(path, mode=mode, content=place.read_bytes()))
    return entries


def size_of(place: Path) -> int:
    """Return the bytes of a file, or of all files in a folder; links count for nothing."""
    files = [place] if place.is_file() else [place / path for path in _walk(place)]
    return sum(file.stat().st_size for file in files if file.is_file() and not file.is_symlink())


def copy_folder(source: Path, target: Path) -> None:
    """Copy a folder with its links as they are; `target` must not be there."""
    shutil.copytree(source, target, symlinks=True)


def _walk(folder: Path) -> Iterator[str]:
    for parent, directories, files in os.walk(folder):
        base = Path(parent).relative_to(folder)
        for name in (*directories, *files):
            yield (base / name).as_posix()
