"""Keeps bare mirrors of git remotes, to read sets of trees, blobs or changes from them."""

from __future__ import annotations

import hashlib
import tempfile
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TypeVar

from portal.errors import (
    InputError,
    PortalError,
    RevisionNotFoundError,
    SourceError,
    SourceUnreachableError,
)
from portal.model.secret import Secret
from portal.model.sentence import Sentence
from portal.vcs import commits, export, history, lineage, objects
from portal.vcs.command import LOCAL_SECONDS, GitFailureError, Remote, known_remote, open_remote, run
from portal.vcs.commits import Commit
from portal.vcs.heads import Head, Revision, ask, find
from portal.vcs.history import Change
from portal.vcs.lineage import Lineage
from portal.vcs.objects import TreeEntry
from portal.vcs.policy import RemotePolicy

__all__ = ["Change", "Commit", "Head", "Mirrors", "Revision", "TreeEntry"]

_AT_ONCE = 8
#: Each fetch leaves a pack; so many slow every reading down.
_PACKS_KEPT = 50
_SHA256_LENGTH = 64
_EXPORT_LIMIT_BYTES = 512 * 1024 * 1024
#: Known to fetches alone. All other commands see a repository that lacks some objects, and so can never start to fetch
#: them one by one behind our back, as git does for a partial clone.
_PARTIAL = (
    ("remote.origin.promisor", "true"),
    ("remote.origin.partialclonefilter", "blob:none"),
)
_FETCH = (
    "fetch",
    "--quiet",
    "--no-tags",
    "--no-write-fetch-head",
    "--no-auto-maintenance",
    "--recurse-submodules=no",
    "--stdin",
    "origin",
)
#: What git says where the remote answers, but does not have or show what is asked for.
_ABSENT = ("not our ref", "unadvertised object", "find remote ref")
_T = TypeVar("_T")
_K = TypeVar("_K", Revision, Head)
_V = TypeVar("_V")


class Mirrors:
    """Mirrors of git remotes in one folder, shared by threads and processes.

    A mirror holds the commits and trees that were fetched, and the blobs that were read. It is a cache: it may be
    deleted while Portal is stopped, and a damaged one is built anew.
    """

    def __init__(
        self, root: Path, policy: RemotePolicy, *, answer_seconds: float = 60.0, transfer_seconds: float = 900.0
    ) -> None:
        self._root = root.absolute()
        self._policy = policy
        self._answer_seconds = answer_seconds
        self._transfer_seconds = transfer_seconds
        #: Remotes that the operator has named: what is lacking of them may be fetched from any address.
        self._trusted: set[str] = set()

    def lending(self, url: str, token: Secret) -> Mirrors:
        """Return the same mirrors for somebody who has a token for the host of a url. Raises as the policy does.

        Whoever reads at a branch is asked for it by the host each time: that somebody else could is no leave.
        """
        made = Mirrors(
            self._root,
            self._policy.lending(url, token),
            answer_seconds=self._answer_seconds,
            transfer_seconds=self._transfer_seconds,
        )
        made._trusted = self._trusted  # another view of itself
        return made

    def heads(self, wanted: Collection[Revision]) -> Mapping[Revision, Head | PortalError]:
        """Return where each revision stands, or why that is not known; each remote is asked once.

        The reason is `RevisionNotFoundError`, `SourceUnreachableError`, or what the policy says of the remote.
        """
        found: dict[Revision, Head | PortalError] = {}
        refused: dict[Revision, PortalError] = {}
        groups = _by_remote(wanted, refused, self._opened)
        for answer in _at_once(self._heads_of, groups):
            found |= answer
        return found | refused

    def fetch(self, heads: Collection[Head]) -> Mapping[Head, PortalError | None]:
        """Fetch these very commits, and return for each None or why it could not be had.

        Remotes whose commits are there are not spoken to. Blobs are left out where the remote can do that.
        """
        found: dict[Head, PortalError | None] = dict.fromkeys(heads)
        refused: dict[Head, PortalError] = {}
        # What is held already was let through before, and needs no leave again.
        self._trusted.update(head.remote for head in heads if head.trusted)
        groups = _by_remote(heads, refused, lambda head: self._known(head.remote))
        lacking = [head for absent in _at_once(self._absent, groups) for head in absent]
        groups = _by_remote(lacking, refused, self._opened)
        for answer in _at_once(self._fetched, groups):
            found |= answer
        return found | refused

    def tree(self, heads: Collection[Head]) -> Mapping[Head, Mapping[str, TreeEntry]]:
        """Return all files of each fetched head by path. Raises `SourceError` for one that was not fetched."""

        def listing(remote: Remote, wanted: Sequence[Head]) -> dict[Head, Mapping[str, TreeEntry]]:
            return {head: self._mended(remote, [head], partial(objects.entries, commit=head.commit)) for head in wanted}

        groups: defaultdict[Remote, list[Head]] = defaultdict(list)
        for head in heads:
            groups[self._known(head.remote)].append(head)
        return {head: files for answer in _at_once(listing, groups) for head, files in answer.items()}

    def sizes(self, remote: str, blobs: Collection[str]) -> Mapping[str, int]:
        """Return the sizes of blobs in bytes; what the mirror lacks is fetched in one go. Raises `SourceError`."""
        known = self._known(remote)
        return self._mended(known, [], lambda place: self._stocked(place, known, blobs))

    def read(self, remote: str, blobs: Collection[str], *, size_limit_bytes: int) -> Mapping[str, bytes | int]:
        """Return the content of blobs; one above the limit is never in memory and gives its size instead.

        What the mirror lacks is fetched in one go. Raises `SourceError` for blobs that cannot be had.
        """
        known = self._known(remote)

        def contents(place: Path) -> dict[str, bytes | int]:
            sizes = self._stocked(place, known, blobs)
            small = [blob for blob, size in sizes.items() if size <= size_limit_bytes]
            return sizes | dict(objects.contents(place, small))

        return self._mended(known, [], contents)

    def authors(self, head: Head, *, since: str | None, paths: Collection[str]) -> Mapping[str, Change]:
        """Return the last change to each path at a fetched head; see `history.last_changes`."""

        def changes(place: Path) -> dict[str, Change]:
            return history.last_changes(place, head.commit, since=since, paths=paths)

        return self._mended(self._known(head.remote), [head], changes)

    def commits(
        self,
        head: Head,
        reduce: Callable[[Iterator[Commit]], _T],
        *,
        most: int,
        mailmap: str = "",
        timeout_seconds: float = LOCAL_SECONDS,
    ) -> _T:
        """Return what `reduce` makes of the commits up to a fetched head, the newest first; see `commits.walk`.

        It may be called again with all of them, where a damaged mirror had to be built anew. `mailmap` is a blob that
        has been read. Raises `SourceError` where the history cannot be read, or not in the time.
        """
        known = self._known(head.remote)

        def reduced(place: Path) -> _T:
            try:
                return reduce(
                    commits.walk(place, head.commit, most=most, mailmap=mailmap, timeout_seconds=timeout_seconds)
                )
            except GitFailureError as failure:
                if failure.timed_out:
                    # A long history is no damage: a new mirror would only take longer.
                    message = Sentence(
                        "%(remote)s: its history was not read in time: %(reason)s",
                        remote=known.url,
                        reason=failure.reason,
                    )
                    raise SourceUnreachableError(message, known.url) from failure
                raise

        return self._mended(known, [head], reduced)

    def lineage(self, head: Head) -> Lineage:
        """Return the commits up to a fetched head with the paths that each changes; see `lineage.read`.

        Raises `SourceError` where the history cannot be read.
        """
        return self._mended(self._known(head.remote), [head], lambda place: lineage.read(place, head.commit))

    def upto(self, remote: str, commit: str) -> Sequence[str]:
        """Return the commits up to one of a remote that its first digits name; see `lineage.upto`.

        Nothing is fetched: a commit that the mirror lacks has none.
        """
        place = self._place(self._known(remote))
        return lineage.upto(place, commit) if place.exists() else []

    def is_shallow(self, remote: str) -> bool:
        """Return whether a mirror lacks the older part of its history."""
        return (self._place(self._known(remote)) / "shallow").exists()

    def export(
        self, head: Head, folder: str, into: Path, *, size_limit_bytes: int = _EXPORT_LIMIT_BYTES
    ) -> Sequence[str]:
        """Write the files below a folder of a fetched head ("" is the root) into a local one.

        Returns the symbolic links left out, as they lead out of the folder, sorted. Submodules and anything named
        `.git` are passed over. Raises `InputError` where the files together exceed the limit, `NotFoundError` where
        there is no such folder, `ConflictError` where a file and a folder would share a name.
        """
        known = self._known(head.remote)

        def written(place: Path) -> list[str]:
            entries = export.below(objects.entries(place, head.commit), folder)
            sizes = self._stocked(place, known, {entry.blob for entry in entries.values()})
            total = sum(sizes[entry.blob] for entry in entries.values())
            if total > size_limit_bytes:
                raise InputError(f'"{folder}" of {known.url} has {total} bytes; at most {size_limit_bytes} are taken')
            paths: defaultdict[str, list[str]] = defaultdict(list)
            for path, entry in entries.items():
                paths[entry.blob].append(path)
            files = (
                (path, entries[path], content)
                for blob, content in objects.contents(place, paths)
                for path in paths[blob]
            )
            return export.write(files, into)

        return self._mended(known, [head], written)

    def _heads_of(self, remote: Remote, revisions: Sequence[Revision]) -> dict[Revision, Head | PortalError]:
        try:
            refs = ask(
                remote,
                branches={revision.branch for revision in revisions},
                timeout_seconds=self._answer_seconds,
            )
        except GitFailureError as failure:
            error = SourceUnreachableError(failure.message, remote.url)
            return dict.fromkeys(revisions, error)
        return {revision: find(revision, refs, shown=remote.url) for revision in revisions}

    def _fetched(self, remote: Remote, heads: Sequence[Head]) -> dict[Head, PortalError | None]:
        try:
            with self._locked(remote):
                absent = self._absent(remote, heads)
                fetched = self._obtained(self._place(remote), remote, absent) if absent else {}
        except SourceError as error:
            return dict.fromkeys(heads, error)
        return dict.fromkeys(heads) | fetched

    def _obtained(self, place: Path, remote: Remote, heads: Sequence[Head]) -> dict[Head, PortalError | None]:
        try:
            if place.exists():
                self._transfer(place, remote, heads)
            else:
                self._rebuild(place, remote, heads)
        except GitFailureError as failure:
            if any(mark in failure.reason for mark in _ABSENT):
                if len(heads) > 1:
                    return {head: self._obtained(place, remote, [head])[head] for head in heads}
                message = (
                    f"{remote.url}: the remote no longer has commit {heads[0].commit} of {heads[0].branch}; "
                    "read it again to find where the branch stands now"
                )
                return {heads[0]: RevisionNotFoundError(message, remote.url)}
            return self._obtained_anew(place, remote, heads, failure)
        return dict.fromkeys(heads)

    def _obtained_anew(
        self, place: Path, remote: Remote, heads: Sequence[Head], failure: GitFailureError
    ) -> dict[Head, PortalError | None]:
        # Whether the remote or a damaged mirror is at fault, git's words do not tell. A new mirror does.
        if place.exists() and not failure.timed_out:
            try:
                self._rebuild(place, remote, heads)
            except GitFailureError as second:
                failure = second
            else:
                return dict.fromkeys(heads)
        return dict.fromkeys(heads, SourceUnreachableError(str(failure), remote.url))

    def _absent(self, remote: Remote, heads: Sequence[Head]) -> list[Head]:
        place = self._place(remote)
        if not place.exists():
            return list(heads)
        try:
            held = objects.present(place, {head.commit for head in heads})
        except GitFailureError:
            return list(heads)
        return [head for head in heads if head.commit not in held]

    def _transfer(self, place: Path, remote: Remote, heads: Sequence[Head]) -> None:
        """Fetch commits and keep them by a ref each branch; the names are hashes, as "a" and "a/b" cannot both be."""
        kept = {_ref(head): head.commit for head in heads}
        others = {head.commit for head in heads} - set(kept.values())
        wanted = [*(f"+{commit}:{ref}" for ref, commit in sorted(kept.items())), *sorted(others)]
        self._take(place, remote, wanted)
        if sum(1 for _ in (place / "objects/pack").glob("*.pack")) > _PACKS_KEPT:
            run(["gc", "--quiet"], place=place, config=_PARTIAL, timeout_seconds=self._transfer_seconds)

    def _take(self, place: Path, remote: Remote, wanted: Sequence[str], *, negotiate: bool = True) -> None:
        config = _PARTIAL if negotiate else (*_PARTIAL, ("fetch.negotiationAlgorithm", "noop"))
        lines = "".join(f"{line}\n" for line in wanted).encode()
        run(_FETCH, place=place, remote=remote, config=config, stdin=lines, timeout_seconds=self._transfer_seconds)

    def _rebuild(self, place: Path, remote: Remote, heads: Sequence[Head]) -> None:
        """Build a mirror aside with these heads, and put it in place; others are fetched again when needed."""
        with tempfile.TemporaryDirectory(dir=self._root, prefix=".staging-") as staging:
            made = Path(staging) / "new"
            hashing = "sha256" if any(len(head.commit) == _SHA256_LENGTH for head in heads) else "sha1"
            run(["init", "--quiet", "--bare", "--template=", f"--object-format={hashing}", str(made)], place=made)
            (made / "description").write_text(f"Mirror of {remote.url}\n", encoding="utf-8")
            if heads:
                self._transfer(made, remote, heads)
            if place.exists():
                place.rename(Path(staging) / "old")
            made.rename(place)

    def _stocked(self, place: Path, remote: Remote, blobs: Collection[str]) -> dict[str, int]:
        """Return the sizes of blobs, all of which the mirror then holds."""
        sizes = objects.sizes(place, blobs)
        lacking = sorted(set(blobs) - sizes.keys())
        if lacking:
            with self._locked(remote):
                try:
                    self._take(place, remote, lacking, negotiate=False)
                except GitFailureError as failure:
                    raise SourceUnreachableError(failure.message, remote.url) from failure
            sizes |= objects.sizes(place, lacking)
        missing = sorted(set(blobs) - sizes.keys())
        if missing:
            message = f"{remote.url}: blob {missing[0]} is missing in its mirror"
            raise GitFailureError(message, remote.url, reason="a blob is missing")
        return sizes

    def _mended(self, remote: Remote, heads: Sequence[Head], action: Callable[[Path], _T]) -> _T:
        """Return what `action` reads from a mirror; if it fails, the mirror is built anew, and it is tried again."""
        place = self._place(remote)
        if not place.exists():
            raise SourceError(f"{remote.url} has not been fetched", remote.url)
        try:
            return action(place)
        except GitFailureError:
            with self._locked(remote):
                self._rebuild(place, remote, heads)
            return action(place)

    def _known(self, remote: str) -> Remote:
        return known_remote(self._policy, remote, trusted=remote in self._trusted)

    def _opened(self, item: Revision | Head) -> Remote:
        if item.trusted:
            self._trusted.add(item.remote)
        return open_remote(self._policy, item.remote, trusted=item.trusted, reads=True)

    def _place(self, remote: Remote) -> Path:
        return self._root / f"{hashlib.sha256(remote.url.encode()).hexdigest()[:40]}.git"

    @contextmanager
    def _locked(self, remote: Remote) -> Iterator[None]:
        from filelock import FileLock, Timeout  # noqa: PLC0415  # a server answers before it looks at sources

        self._root.mkdir(parents=True, exist_ok=True)
        try:
            with FileLock(self._place(remote).with_suffix(".lock"), timeout=self._transfer_seconds):
                yield
        except Timeout as error:
            message = Sentence(
                "%(remote)s: its mirror has been in use for %(seconds)s seconds",
                remote=remote.url,
                seconds=f"{self._transfer_seconds:g}",
            )
            raise SourceUnreachableError(message, remote.url) from error


def _by_remote(
    wanted: Collection[_K], refused: dict[_K, PortalError], opened: Callable[[_K], Remote]
) -> dict[Remote, list[_K]]:
    groups: defaultdict[Remote, list[_K]] = defaultdict(list)
    for item in wanted:
        try:
            groups[opened(item)].append(item)
        except PortalError as error:
            refused[item] = error
    return groups


def _ref(head: Head) -> str:
    return f"refs/portal/{hashlib.sha256(head.branch.encode('utf-8', 'surrogateescape')).hexdigest()[:40]}"


def _at_once(work: Callable[[Remote, list[_K]], _V], groups: Mapping[Remote, list[_K]]) -> list[_V]:
    if len(groups) < 2:  # noqa: PLR2004  # one needs no threads
        return [work(remote, items) for remote, items in groups.items()]
    with ThreadPoolExecutor(max_workers=_AT_ONCE) as pool:
        return list(pool.map(work, groups, groups.values()))
