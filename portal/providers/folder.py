"""Reads catalog files from a folder, as they are on disk now."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

from portal.errors import NotAllowedError, PortalError, SourceUnreachableError
from portal.model.location import Tree
from portal.model.sentence import Sentence
from portal.providers.contract import NOT_ASKED, Authorship, FileEntry, Listing

#: Folders that hold no catalog files of their own, however deep they are.
_SKIPPED_FOLDERS = frozenset({".git", ".hg", ".svn", ".venv", "__pycache__", "node_modules"})


class FolderProvider:
    """Folders named by the operator; a catalog or a request cannot name one.

    Symbolic links are listed and never followed. The identity of a file's content is its size and time of change.
    """

    def commits(self, trees: Collection[Tree]) -> Mapping[Tree, str | PortalError]:
        """Return the empty commit for each folder: only listing tells whether it has changed."""
        return dict.fromkeys(trees, "")

    def listings(
        self,
        trees: Collection[Tree],
        *,
        at: Mapping[Tree, str] = NOT_ASKED,
    ) -> Mapping[Tree, Listing | PortalError]:
        """Return the files of each folder."""
        return {tree: _listing(tree) for tree in trees}

    def read(self, listing: Listing, paths: Collection[str], *, size_limit_bytes: int) -> Mapping[str, bytes | int]:
        """Return the content of files; one that has gone meanwhile reads as empty."""
        found: dict[str, bytes | int] = {}
        for path in paths:
            file = Path(listing.tree.root, path)
            try:
                size_bytes = file.stat().st_size
                found[path] = size_bytes if size_bytes > size_limit_bytes else file.read_bytes()
            except OSError:
                found[path] = b""
        return found

    def authorship(self, listing: Listing, paths: Collection[str], *, since: str) -> Mapping[str, Authorship]:
        """Return no authors: a folder has no history."""
        return {}


def _listing(tree: Tree) -> Listing | PortalError:
    if not tree.trusted:
        return NotAllowedError(Sentence("A folder can only be named in settings or on the command line"))
    root = Path(tree.root)
    if not root.is_dir():
        return SourceUnreachableError(Sentence('The folder "%(root)s" does not exist', root=tree.root), tree.root)
    return Listing(tree, "", "", dict(_walk(root)))


def _walk(root: Path) -> Iterator[tuple[str, FileEntry]]:
    for folder, folders, files in os.walk(root):
        folders[:] = sorted(name for name in folders if name not in _SKIPPED_FOLDERS)
        for name in sorted(files):
            path = Path(folder, name)
            try:
                status = path.lstat()
            except OSError:
                continue
            relative = path.relative_to(root).as_posix()
            yield relative, FileEntry(f"{status.st_size}-{status.st_mtime_ns}", path.is_symlink())
