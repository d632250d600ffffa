"""Writes files of a commit into a local folder, trusting none of their names."""

from __future__ import annotations

import os
import posixpath
from collections.abc import Iterable, Mapping
from pathlib import Path

from portal.errors import ConflictError, NotFoundError
from portal.vcs.objects import EXECUTABLE, SUBMODULE, SYMLINK, TreeEntry

#: How `.git` is also written where a file system folds case or shortens names.
_GIT_NAMES = frozenset({".git", "git~1"})


def below(tree: Mapping[str, TreeEntry], folder: str) -> dict[str, TreeEntry]:
    """Return the entries below a folder of the tree ("" is the root), by their path from there.

    Left out are submodules, whatever is named like a `.git`, and names that lead elsewhere. Raises `NotFoundError`
    if there is no such folder.
    """
    normal = posixpath.normpath(folder).strip("/") if folder else "."
    prefix = "" if normal == "." else f"{normal}/"
    found = {path.removeprefix(prefix): entry for path, entry in tree.items() if path.startswith(prefix)}
    if prefix and not found:
        raise NotFoundError(f'The repository has no folder "{folder}"')
    return {path: found[path] for path in sorted(found) if found[path].mode != SUBMODULE and _is_plain(path)}


def write(files: Iterable[tuple[str, TreeEntry, bytes]], into: Path) -> list[str]:
    """Write files (path, entry, content) into a folder, made if missing, and return the paths left out, sorted.

    A file that is there is replaced. Symbolic links that lead out of the folder are left out. Raises `ConflictError`
    where a folder stands in place of a file or the other way round.
    """
    into.mkdir(parents=True, exist_ok=True)
    root = into.resolve()
    links: list[tuple[str, str]] = []
    for path, entry, content in files:
        if entry.mode == SYMLINK:
            links.append((path, os.fsdecode(content)))
        else:
            _write_file(_cleared(root, path), content, executable=entry.mode == EXECUTABLE)
    # Links come last: until then no name of a hostile tree, such as a link that is also a folder, leads through one.
    refused = []
    for path, target in sorted(links):
        if _stays_inside(path, target):
            _cleared(root, path).symlink_to(target)
        else:
            refused.append(path)
    return refused


def _is_plain(path: str) -> bool:
    # A tree object may hold any bytes as a name, "../x" too.
    parts = path.split("/")
    return not any(part in {"", ".", ".."} or part.lower().rstrip(". ") in _GIT_NAMES for part in parts)


def _stays_inside(path: str, target: str) -> bool:
    # ".." behind a name may go up from wherever that name, if it is a link, leads: only leading ones can be counted.
    parts = [part for part in target.split("/") if part not in {"", "."}]
    ups = next((number for number, part in enumerate(parts) if part != ".."), len(parts))
    depth = path.count("/")
    return bool(target) and not target.startswith("/") and ups <= depth and ".." not in parts[ups:]


def _cleared(root: Path, path: str) -> Path:
    place = root / path
    if not place.parent.resolve().is_relative_to(root):
        raise ConflictError(f'"{path}" leads out of its folder through a symbolic link that was there')
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError) as error:
        raise ConflictError(f'"{path}" needs a folder where a file is') from error
    if place.is_symlink() or place.is_file():
        place.unlink()
    elif place.exists():
        raise ConflictError(f'"{path}" is a file where a folder is')
    return place


def _write_file(place: Path, content: bytes, *, executable: bool) -> None:
    place.write_bytes(content)
    place.chmod(0o755 if executable else 0o644)
