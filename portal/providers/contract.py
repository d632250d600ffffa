"""What a provider of catalog files must be able to do, always for sets."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Protocol

from portal.errors import PortalError
from portal.model.location import Tree


@dataclass(frozen=True, slots=True)
class FileEntry:
    """A file of a tree: the identity of its content, and whether it is a symbolic link."""

    blob: str
    is_symlink: bool = False


@dataclass(frozen=True, slots=True)
class Listing:
    """The files of a tree at one moment, by path. `commit` is empty for what has no history."""

    tree: Tree
    branch: str
    commit: str
    files: Mapping[str, FileEntry]


@dataclass(frozen=True, slots=True)
class Authorship:
    """Who last touched a file: the commit (40 hex characters), author, and time in milliseconds since 1970."""

    commit: str = ""
    author: str = ""
    authored_at_ms: int | None = None


#: Of no tree it was asked just now where it stands.
NOT_ASKED: Mapping[Tree, str] = MappingProxyType({})


class TreeProvider(Protocol):
    """Reads trees of one type."""

    def commits(self, trees: Collection[Tree]) -> Mapping[Tree, str | PortalError]:
        """Return the commit at which each tree stands now (empty: unknown without listing), or why it is unknown."""
        ...

    def listings(
        self, trees: Collection[Tree], *, at: Mapping[Tree, str] = NOT_ASKED
    ) -> Mapping[Tree, Listing | PortalError]:
        """Return the files of each tree, or why they cannot be had.

        `at` are commits that `commits` has told just now: where these trees stand need not be asked again.
        """
        ...

    def read(self, listing: Listing, paths: Collection[str], *, size_limit_bytes: int) -> Mapping[str, bytes | int]:
        """Return the content of files of a listing; a file above the limit gives its size in bytes instead."""
        ...

    def authorship(self, listing: Listing, paths: Collection[str], *, since: str) -> Mapping[str, Authorship]:
        """Return who last touched each file; `since` is the commit that was known before, or empty."""
        ...
