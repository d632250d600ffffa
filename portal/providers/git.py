"""Reads catalog files from git remotes, through mirrors."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from portal.errors import PortalError
from portal.model.location import Tree
from portal.providers.contract import NOT_ASKED, Authorship, FileEntry, Listing
from portal.vcs.mirror import Head, Mirrors, Revision

_SYMLINK = "120000"
_SUBMODULE = "160000"
#: So many are remembered; with the next ones all are forgotten, and asked for again.
_MOST_BRANCHES = 10_000


class GitProvider:
    """Branches of git remotes; only blobs that have changed are read."""

    def __init__(self, mirrors: Mirrors) -> None:
        self._mirrors = mirrors
        #: The branch of each head that was told: a tree that names none stands at its remote's default.
        self._branches: dict[tuple[Tree, str], str] = {}

    def commits(self, trees: Collection[Tree]) -> Mapping[Tree, str | PortalError]:
        """Return the commit at which each branch stands, asked of its remote."""
        heads = self._heads(trees)
        if len(self._branches) > _MOST_BRANCHES:
            self._branches.clear()
        self._branches.update(
            {(tree, found.commit): found.branch for tree, found in heads.items() if isinstance(found, Head)}
        )
        return {tree: found.commit if isinstance(found, Head) else found for tree, found in heads.items()}

    def listings(
        self, trees: Collection[Tree], *, at: Mapping[Tree, str] = NOT_ASKED
    ) -> Mapping[Tree, Listing | PortalError]:
        """Return the files of each branch, after fetching what is new."""
        found: dict[Tree, Listing | PortalError] = {}
        heads = {
            tree: Head(tree.root, branch, at[tree], tree.trusted)
            for tree in trees
            if tree in at and (branch := self._branches.get((tree, at[tree]))) is not None
        }
        for tree, head in self._heads([tree for tree in trees if tree not in heads]).items():
            if isinstance(head, Head):
                heads[tree] = head
            else:
                found[tree] = head
        fetched = self._mirrors.fetch(set(heads.values()))
        ready = {tree: head for tree, head in heads.items() if fetched.get(head) is None}
        found |= {tree: error for tree, head in heads.items() if (error := fetched.get(head)) is not None}
        contents = self._mirrors.tree(set(ready.values()))
        for tree, head in ready.items():
            files = {
                path: FileEntry(entry.blob, entry.mode == _SYMLINK)
                for path, entry in contents[head].items()
                if entry.mode != _SUBMODULE
            }
            found[tree] = Listing(tree, head.branch, head.commit, files)
        return found

    def read(self, listing: Listing, paths: Collection[str], *, size_limit_bytes: int) -> Mapping[str, bytes | int]:
        """Return the content of files, in one conversation with git."""
        blobs = {listing.files[path].blob for path in paths}
        contents = self._mirrors.read(listing.tree.root, blobs, size_limit_bytes=size_limit_bytes)
        return {path: contents[listing.files[path].blob] for path in paths}

    def authorship(self, listing: Listing, paths: Collection[str], *, since: str) -> Mapping[str, Authorship]:
        """Return the commit that last touched each file."""
        head = _head(listing)
        return {
            path: Authorship(
                change.commit, f"{change.author_name} <{change.author_email}>", int(change.time.timestamp() * 1000)
            )
            for path, change in self._mirrors.authors(head, since=since or None, paths=paths).items()
        }

    def _heads(self, trees: Collection[Tree]) -> dict[Tree, Head | PortalError]:
        revisions = {tree: Revision(tree.root, tree.branch or None, tree.trusted) for tree in trees}
        heads = self._mirrors.heads(set(revisions.values()))
        return {tree: heads[revision] for tree, revision in revisions.items()}


def _head(listing: Listing) -> Head:
    return Head(listing.tree.root, listing.branch, listing.commit, listing.tree.trusted)
