"""Reads who has worked on which folders of a git branch, through mirrors."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from portal.errors import SourceUnreachableError
from portal.graph.drift import Author, FolderOf, Touch
from portal.model.location import Tree
from portal.model.login import without_credentials
from portal.vcs.command import GitFailureError
from portal.vcs.mirror import Commit, Head, Mirrors, TreeEntry

#: More commits than these say little of who works on something now.
MOST_COMMITS = 50_000
#: Where hosts look for the file, in their order: GitHub's, then GitLab's.
_CODEOWNERS = (".github/CODEOWNERS", "CODEOWNERS", "docs/CODEOWNERS", ".gitlab/CODEOWNERS")
_MAILMAP = ".mailmap"
_FILE_MODES = frozenset({"100644", "100755"})
_SIZE_LIMIT_BYTES = 3 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Work:
    """Who has touched which folder of a tree up to a commit, and what its CODEOWNERS file says (path empty: none).

    `is_cut` says that older commits are not told, `is_shallow` that the mirror does not have them.
    """

    remote: str
    touches: Mapping[str, tuple[Touch, ...]]
    codeowners_path: str = ""
    codeowners: str = ""
    is_shallow: bool = False
    is_cut: bool = False

    @property
    def size(self) -> int:
        """How many touches there are."""
        return sum(map(len, self.touches.values()))


class GitWork:
    """The work that the histories of git branches tell of."""

    def __init__(self, mirrors: Mirrors) -> None:
        self._mirrors = mirrors

    def read(
        self, tree: Tree, commit: str, folders: Collection[str], *, timeout_seconds: float, most: int = MOST_COMMITS
    ) -> Work:
        """Return the work on some folders ("" is the root) of a git tree up to a commit, from one walk.

        A path counts for the nearest folder above it alone. Raises `PortalError` where that cannot be read.
        """
        try:
            return self._read(tree, commit, folders, timeout_seconds=timeout_seconds, most=most)
        except GitFailureError as failure:
            # Where its mirror is on disk is nobody's matter.
            shown = without_credentials(tree.root)
            message = f"{shown}: its history cannot be read: {failure.reason}"
            raise SourceUnreachableError(message, shown) from failure

    def _read(self, tree: Tree, commit: str, folders: Collection[str], *, timeout_seconds: float, most: int) -> Work:
        head = Head(tree.root, tree.branch, commit, tree.trusted)
        error = self._mirrors.fetch([head])[head]
        if error is not None:
            raise error
        files = self._mirrors.tree([head])[head]
        place = next((path for path in _CODEOWNERS if _is_file(files.get(path))), "")
        wanted = [files[path].blob for path in (place, _MAILMAP) if _is_file(files.get(path))]
        texts = self._mirrors.read(tree.root, wanted, size_limit_bytes=_SIZE_LIMIT_BYTES) if wanted else {}
        mailmap = files[_MAILMAP].blob if _is_file(files.get(_MAILMAP)) else ""
        if isinstance(texts.get(mailmap), int):
            mailmap = ""
        content = texts.get(files[place].blob) if place else b""
        if isinstance(content, int):
            place, content = "", b""
        folder_of = FolderOf(folders)

        def gathered(commits: Iterator[Commit]) -> tuple[dict[str, tuple[Touch, ...]], int]:
            return _gathered(commits, folder_of)

        touches, count = self._mirrors.commits(
            head, gathered, most=most, mailmap=mailmap, timeout_seconds=timeout_seconds
        )
        return Work(
            without_credentials(tree.root),
            touches,
            place,
            (content or b"").decode("utf-8", "replace"),
            self._mirrors.is_shallow(tree.root),
            count >= most,
        )


def _gathered(commits: Iterator[Commit], folder_of: FolderOf) -> tuple[dict[str, tuple[Touch, ...]], int]:
    authors: dict[tuple[str, str], Author] = {}
    found: dict[str, list[Touch]] = {}
    count = 0
    for commit in commits:
        count += 1
        key = (commit.author_name, commit.author_email)
        author = authors.setdefault(key, Author(*key))
        touch = Touch(author, commit.time_seconds)
        for folder in {folder_of(path) for path in commit.paths} - {None}:
            if folder is not None:
                found.setdefault(folder, []).append(touch)
    return {folder: tuple(touches) for folder, touches in found.items()}, count


def _is_file(entry: TreeEntry | None) -> bool:
    return entry is not None and entry.mode in _FILE_MODES
