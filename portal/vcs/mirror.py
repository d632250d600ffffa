"""Mirrors of git remotes: bare, locked, one folder a remote."""

from __future__ import annotations

import difflib
import hashlib
import os
import posixpath
import shutil
import tempfile
from collections.abc import Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from filelock import FileLock

from portal.errors import PortalError, RevisionNotFoundError, SourceError
from portal.vcs.command import git, lines
from portal.vcs.policy import RemotePolicy, without_credentials

_PARALLEL = 8
_CHUNK_BYTES = 64 * 1024 * 1024
_LONGEST_HISTORY = 10_000
_COMMIT_CHARACTERS = 40
_LOCK_SECONDS = 900


@dataclass(frozen=True, slots=True)
class Revision:
    """What is asked of a remote: a branch, or its default one. A `trusted` remote was named by the operator."""

    remote: str
    branch: str | None
    trusted: bool = False


@dataclass(frozen=True, slots=True)
class Head:
    """Where a branch stands: the commit is 40 hex characters."""

    remote: str
    branch: str
    commit: str


@dataclass(frozen=True, slots=True)
class TreeEntry:
    """A file, link or submodule of a tree; `mode` is git's, such as `100644`."""

    path: str
    mode: str
    blob: str


@dataclass(frozen=True, slots=True)
class Change:
    """The commit that last touched a file; `time` is the author's, in UTC."""

    commit: str
    author_name: str
    author_email: str
    time: datetime


class Mirrors:
    """The mirrors below one folder."""

    def __init__(self, root: Path, policy: RemotePolicy) -> None:
        self._root = root
        self._policy = policy

    def heads(self, wanted: Collection[Revision]) -> Mapping[Revision, Head | PortalError]:
        """Return where each branch stands now, or why that cannot be told; each remote is asked once."""
        remotes = sorted({(revision.remote, revision.trusted) for revision in wanted})
        with ThreadPoolExecutor(_PARALLEL) as pool:
            answers = dict(zip(remotes, pool.map(lambda item: self._ask(*item), remotes), strict=True))
        return {revision: _head(revision, answers[revision.remote, revision.trusted]) for revision in wanted}

    def fetch(self, heads: Collection[Head]) -> Mapping[Head, SourceError | None]:
        """Bring each commit into its mirror where it is not yet; return why it failed, if it did."""
        by_remote: dict[str, list[Head]] = {}
        for head in heads:
            by_remote.setdefault(head.remote, []).append(head)
        result: dict[Head, SourceError | None] = {}
        with ThreadPoolExecutor(_PARALLEL) as pool:
            for found in pool.map(self._fetch, by_remote.values()):
                result |= found
        return result

    def tree(self, heads: Collection[Head]) -> Mapping[Head, Mapping[str, TreeEntry]]:
        """Return the files of each commit by path."""
        return {head: self._tree(head) for head in heads}

    def read(self, remote: str, blobs: Collection[str], *, size_limit_bytes: int) -> Mapping[str, bytes | int]:
        """Return the content of blobs; one above the limit gives its size and is not read."""
        folder = self._folder(remote)
        wanted = sorted(set(blobs))
        self._complete(remote, folder, wanted)
        sizes = self._sizes(folder, wanted)
        found: dict[str, bytes | int] = {blob: size for blob, size in sizes.items() if size > size_limit_bytes}
        for chunk in _chunks({blob: size for blob, size in sizes.items() if size <= size_limit_bytes}):
            found |= dict(_batch(git("cat-file", "--batch", folder=folder, stdin=_listed(chunk), remote=remote)))
        return found

    def authors(self, head: Head, *, since: str | None, paths: Collection[str]) -> Mapping[str, Change]:
        """Return the commit that last touched each path; of the newest 10,000, else the head itself."""
        folder = self._folder(head.remote)
        form = "--format=%x01%H%x02%aN%x02%aE%x02%at%x02"
        common = ("log", form, "--name-only", "--no-renames", "-z", f"--max-count={_LONGEST_HISTORY}")
        spans = [f"{since}..{head.commit}", head.commit] if since and self._has(folder, since) else [head.commit]
        found: dict[str, Change] = {}
        newest: Change | None = None
        for span in spans:
            if found.keys() >= set(paths):
                break
            for change, touched in _log(git(*common, span, folder=folder, remote=head.remote)):
                newest = newest or change
                for path in touched:
                    if path in paths:
                        found.setdefault(path, change)
        if newest is None:
            (newest,) = [change for change, _ in _log(git("log", form, "-1", "-z", head.commit, folder=folder))]
        return {path: found.get(path, newest) for path in paths}

    def export(self, head: Head, folder: str, into: Path) -> None:
        """Write the files below `folder` (empty: all) to a directory.

        Links that leave the folder, submodules and anything called `.git` are left out.
        """
        prefix = f"{folder.strip('/')}/" if folder.strip("/") else ""
        entries = {
            path.removeprefix(prefix): entry
            for path, entry in self._tree(head).items()
            if path.startswith(prefix) and ".git" not in path.lower().split("/")
        }
        contents = self.read(head.remote, {entry.blob for entry in entries.values() if entry.mode != "160000"},
                             size_limit_bytes=_CHUNK_BYTES)  # fmt: skip
        for path, entry in entries.items():
            content = contents.get(entry.blob)
            if not isinstance(content, bytes):
                continue
            target = into / path
            target.parent.mkdir(parents=True, exist_ok=True)
            if entry.mode == "120000":
                link = posixpath.normpath(posixpath.join(posixpath.dirname(path), os.fsdecode(content)))
                if not link.startswith(("/", "..")):
                    target.symlink_to(os.fsdecode(content))
                continue
            target.write_bytes(content)
            target.chmod(0o755 if entry.mode == "100755" else 0o644)

    def _ask(self, remote: str, trusted: bool) -> tuple[str, dict[str, str]] | PortalError:  # noqa: FBT001
        """Return the default branch's ref and all refs of a remote with their commits."""
        try:
            url = self._policy.check(remote, trusted=trusted)
            output = git("ls-remote", "--symref", "--", url, "HEAD", "refs/heads/*", remote=remote)
        except PortalError as error:
            return error
        default, refs = "", {}
        for line in lines(output):
            left, _, right = line.partition("\t")
            if left.startswith("ref: "):
                default = left.removeprefix("ref: ")
            else:
                refs[right] = left
        return default, refs

    def _fetch(self, heads: Sequence[Head]) -> dict[Head, SourceError | None]:
        remote = heads[0].remote
        try:
            with self._locked(remote) as folder:
                missing = [head for head in heads if not self._has(folder, head.commit)]
                if missing:
                    specs = [f"+{head.commit}:refs/portal/{head.commit}" for head in missing]
                    url = self._policy.check(remote, trusted=True)
                    git("fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--filter=blob:none",
                        "--recurse-submodules=no", "--", url, *specs, folder=folder, remote=remote)  # fmt: skip
        except SourceError as error:
            return dict.fromkeys(heads, error)
        return dict.fromkeys(heads)

    def _tree(self, head: Head) -> dict[str, TreeEntry]:
        output = git("ls-tree", "-r", "-z", "--full-tree", head.commit, folder=self._folder(head.remote))
        found = {}
        for line in lines(output, separator=b"\0"):
            facts, _, path = line.partition("\t")
            mode, _, blob = facts.split(" ")
            found[path] = TreeEntry(path, mode, blob)
        return found

    def _complete(self, remote: str, folder: Path, blobs: Sequence[str]) -> None:
        """Fetch the blobs that a partial mirror lacks, all in one go."""
        if (
            not blobs
            or not (folder / "objects" / "pack").is_dir()
            or not list((folder / "objects/pack").glob("*.promisor"))
        ):
            return
        output = git(
            "rev-list", "--objects", "--missing=print", "--no-walk", "--stdin", folder=folder, stdin=_listed(blobs)
        )
        missing = [line[1:] for line in lines(output) if line.startswith("?")]
        if missing:
            git("fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--filter=blob:none", "--stdin",
                "--recurse-submodules=no", self._policy.check(remote, trusted=True),
                folder=folder, stdin=_listed(missing), remote=remote)  # fmt: skip

    def _sizes(self, folder: Path, blobs: Sequence[str]) -> dict[str, int]:
        form = "--batch-check=%(objectname) %(objectsize)"
        output = git("cat-file", form, folder=folder, stdin=_listed(blobs)) if blobs else b""
        return {name: int(size) for name, size in (line.split(" ") for line in lines(output))}

    def _has(self, folder: Path, commit: str) -> bool:
        form = "--batch-check=%(objecttype)"
        return git("cat-file", form, folder=folder, stdin=_listed([commit])).strip() == b"commit"

    def _folder(self, remote: str) -> Path:
        name = hashlib.sha256(without_credentials(remote).encode()).hexdigest()[:_COMMIT_CHARACTERS]
        return self._root / f"{name}.git"

    @contextmanager
    def _locked(self, remote: str) -> Iterator[Path]:
        """Hold the mirror of a remote, made or mended first where needed."""
        folder = self._folder(remote)
        self._root.mkdir(parents=True, exist_ok=True)
        with FileLock(f"{folder}.lock", timeout=_LOCK_SECONDS):
            if folder.exists() and not _is_sound(folder):
                shutil.rmtree(folder)
            if not folder.exists():
                staging = Path(tempfile.mkdtemp(dir=self._root))
                git("init", "--quiet", "--bare", "--template=", str(staging))
                staging.rename(folder)
            yield folder


def _is_sound(folder: Path) -> bool:
    try:
        git("rev-parse", "--git-dir", folder=folder)
        git("for-each-ref", folder=folder)
    except SourceError:
        return False
    return (folder / "HEAD").is_file()


def _head(revision: Revision, answer: tuple[str, dict[str, str]] | PortalError) -> Head | PortalError:
    if isinstance(answer, PortalError):
        return answer
    default, refs = answer
    shown = without_credentials(revision.remote)
    branches = sorted(name.removeprefix("refs/heads/") for name in refs if name.startswith("refs/heads/"))
    if revision.branch is None:
        if "HEAD" in refs:
            return Head(revision.remote, default.removeprefix("refs/heads/") or "HEAD", refs["HEAD"])
        return RevisionNotFoundError(f"{shown} has no default branch; it has {_named(branches)}", shown)
    commit = refs.get(f"refs/heads/{revision.branch}")
    if commit is not None:
        return Head(revision.remote, revision.branch, commit)
    if len(revision.branch) == _COMMIT_CHARACTERS and revision.branch in refs.values():
        return Head(revision.remote, revision.branch, revision.branch)
    near = difflib.get_close_matches(revision.branch, branches, n=3) or branches[:10]
    return RevisionNotFoundError(f'{shown} has no branch "{revision.branch}"; it has {_named(near)}', shown)


def _named(branches: Sequence[str]) -> str:
    return ", ".join(branches) or "no branches at all"


def _listed(names: Collection[str]) -> bytes:
    return "".join(f"{name}\n" for name in names).encode()


def _chunks(sizes: Mapping[str, int]) -> Iterator[list[str]]:
    chunk: list[str] = []
    total = 0
    for blob, size in sizes.items():
        if chunk and total + size > _CHUNK_BYTES:
            yield chunk
            chunk, total = [], 0
        chunk.append(blob)
        total += size
    if chunk:
        yield chunk


def _batch(output: bytes) -> Iterator[tuple[str, bytes]]:
    start = 0
    while start < len(output):
        end = output.index(b"\n", start)
        name, _, size = output[start:end].decode().split(" ")
        start = end + 1
        yield name, output[start : start + int(size)]
        start += int(size) + 1


def _log(output: bytes) -> Iterator[tuple[Change, list[str]]]:
    for record in output.split(b"\x01")[1:]:
        commit, name, email, seconds, names = record.decode(errors="surrogateescape").split("\x02", 4)
        touched = [path.lstrip("\n") for path in names.split("\0") if path.strip("\n")]
        yield Change(commit, name, email, datetime.fromtimestamp(int(seconds), UTC)), touched
