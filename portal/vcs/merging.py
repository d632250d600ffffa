"""Merges what a repository was made of, as it was then with what it would be now, into what it has become since."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from portal.errors import ConflictError, InputError, ServiceUnavailableError, SourceError
from portal.vcs import objects
from portal.vcs.command import GitFailureError, Remote, git_version, open_remote, run, stream
from portal.vcs.heads import Head, ask
from portal.vcs.policy import RemotePolicy
from portal.vcs.proposal import FETCH, tree_with
from portal.vcs.publish import TAKEN, Author, commit_tree, drop_repositories, push_new, tree_of

_ANSWER_SECONDS = 60.0
_TRANSFER_SECONDS = 900.0
#: The first version that merges trees without a working tree.
_MERGING_GIT = (2, 38)
_MERGE = (("merge.renames", "true"), ("merge.conflictStyle", "merge"), ("merge.directoryRenames", "conflict"))
_DIFF = ("diff", "--no-color", "--no-ext-diff", "--no-textconv", "--find-renames")
_CONFLICT = "CONFLICT"
#: How large files are that are read as a whole, and what is shown of a diff.
_MOST_BYTES = 5 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Merged:
    """What a merge makes: a tree, where it differs from the repository, what git could not decide on.

    `diff` is unified, as git writes it; `conflicts` are git's sentences. Texts in conflict hold both sides between
    marks; of other files the repository's side stays, or the only one that there is.
    """

    tree: str
    diff: str
    paths: tuple[str, ...]
    conflicts: tuple[str, ...]


class Merges:
    """Fetches branches of remotes, to merge into them and push the result to branches of their own."""

    def __init__(self, policy: RemotePolicy) -> None:
        self._policy = policy

    @contextmanager
    def open(self, head: Head) -> Iterator[MergePlace]:
        """Fetch what a branch holds now. Raises `SourceError` where the remote does not answer."""
        version = git_version()
        if version < _MERGING_GIT:
            told, needed = (".".join(map(str, numbers)) for numbers in (version, _MERGING_GIT))
            raise ServiceUnavailableError(f"Merging needs git {needed} or newer; found {told}")
        # The login that the settings have for the host goes along, as for proposals.
        opened = open_remote(self._policy, head.remote, trusted=head.trusted, reads=True)
        with tempfile.TemporaryDirectory(prefix="portal-merge-") as folder:
            place = Path(folder) / "merge.git"
            run(["init", "--quiet", "--bare", "--template=", str(place)], place=place)
            try:
                run([*FETCH, head.commit], place=place, remote=opened, timeout_seconds=_TRANSFER_SECONDS)
            except GitFailureError as failure:
                raise SourceError(str(failure), opened.url) from failure
            yield MergePlace(place, opened, head.commit)


class MergePlace:
    """A repository as a branch of it stands."""

    def __init__(self, place: Path, remote: Remote, commit: str) -> None:
        self._place = place
        self._remote = remote
        self._commit = commit
        self._files = objects.entries(place, commit)

    def read(self, path: str) -> bytes | None:
        """Return the content of a file, None where there is none. Raises `InputError` for one that is too large."""
        entry = self._files.get(path)
        if entry is None or not _is_file(entry):
            return None
        size = objects.sizes(self._place, [entry.blob]).get(entry.blob, 0)
        if size > _MOST_BYTES:
            raise InputError(f"{path} of {self._remote.url} has {size:,} bytes; expected at most {_MOST_BYTES:,}")
        return dict(objects.contents(self._place, [entry.blob]))[entry.blob]

    def merge(
        self,
        before: Path,
        after: Path,
        *,
        names: tuple[str, str],
        finished: str = "",
        finish: Callable[[bytes], bytes] = bytes,
    ) -> Merged:
        """Return what comes of merging the difference of two folders into the repository; nothing is pushed.

        Files that are ignored in a folder are left out, as they are when it is published. `names` are those of the
        repository and of `after` in marks of conflicts. Of files called `finished`, in whatever folder of the result,
        `finish` gives the last content.
        """
        for folder in (before, after):
            drop_repositories(folder)
        base = commit_tree(self._place, tree_of(self._place, before), message="before", author=Author())
        # Nothing of the folder before is left in the index.
        run(["read-tree", "--empty"], place=self._place)
        sides = (f"{self._commit}^{{tree}}", tree_of(self._place, after))
        for name, side in zip(names, sides, strict=True):
            commit = commit_tree(self._place, side, message=name, author=Author(), parent=base)
            run(["update-ref", f"refs/heads/{name}", commit], place=self._place)
        tree, conflicts = self._merged(names)
        entries = objects.entries(self._place, tree)
        last = {
            path: entry for path, entry in entries.items() if path.rpartition("/")[2] == finished and _is_file(entry)
        }
        sizes = objects.sizes(self._place, {entry.blob for entry in last.values()})
        contents = dict(objects.contents(self._place, [blob for blob, size in sizes.items() if size <= _MOST_BYTES]))
        changed = {path: finish(contents[entry.blob]) for path, entry in last.items() if entry.blob in contents}
        tree = tree_with(self._place, tree, changed)
        compared = [*_DIFF, self._commit, tree, "--"]
        diff = run(compared, place=self._place)
        more = len(diff) - _MOST_BYTES
        told = diff[:_MOST_BYTES].decode("utf-8", "replace") + (f"\n... {more:,} more bytes\n" if more > 0 else "")
        listed = run(["diff", "--name-only", "-z", *compared[1:]], place=self._place)
        paths = listed.decode("utf-8", "surrogateescape").split("\0")
        return Merged(tree, told, tuple(path for path in paths if path), conflicts)

    def push(self, merged: Merged, *, branch: str, message: str, author: Author) -> str:
        """Push the commit of a merge to a new branch, and return its id.

        Raises `ConflictError` where the branch is there, `SourceError` where the remote does not answer or accept.
        """
        commit = commit_tree(self._place, merged.tree, message=message, author=author, parent=self._commit)
        taken = ConflictError(f'{self._remote.url} already has a branch "{branch}"')
        try:
            # The same merge in the same second is the same commit, which git would be content with.
            refs = ask(self._remote, branches={branch}, timeout_seconds=_ANSWER_SECONDS)
            if f"refs/heads/{branch}" in refs.commits:
                raise taken
            push_new(self._place, self._remote, commit, branch=branch)
        except GitFailureError as failure:
            if any(mark in failure.reason for mark in TAKEN):
                raise taken from failure
            raise SourceError(str(failure), self._remote.url) from failure
        return commit

    def _merged(self, names: tuple[str, str]) -> tuple[str, tuple[str, ...]]:
        """Return the tree that merging two branches makes, with the sentences on conflicts."""
        printed = bytearray()
        try:
            with stream(["merge-tree", "--write-tree", "-z", *names], place=self._place, config=_MERGE) as output:
                for chunk in output.chunks():
                    printed += chunk
        except GitFailureError:
            # With conflicts it fails, after it has said all.
            if not printed:
                raise
        head, _, rest = bytes(printed).partition(b"\0")
        # The files in conflict, a NUL behind each; then, behind one more, what there is to say.
        told = (b"\0" + rest).partition(b"\0\0")[2].decode("utf-8", "replace").split("\0")
        conflicts = []
        while len(told) > 1:
            count = int(told[0])
            kind, sentence = told[count + 1 : count + 3]
            if kind.startswith(_CONFLICT):
                conflicts.append(sentence.strip())
            told = told[count + 3 :]
        return head.decode("ascii"), tuple(dict.fromkeys(conflicts))


def _is_file(entry: objects.TreeEntry) -> bool:
    return entry.mode not in {objects.SYMLINK, objects.SUBMODULE}
