"""Packs bare repositories into git's own bundles, to unpack them elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from pathlib import Path

from portal.errors import InputError
from portal.vcs.command import run, stream
from portal.vcs.heads import is_object_id
from portal.vcs.publish import create_bare

_PACK_SECONDS = 3600.0


def bare_repositories(folder: Path) -> list[str]:
    """Return the names of the bare repositories right below a folder, sorted."""
    if not folder.is_dir():
        return []
    return sorted(path.name for path in folder.glob("*.git") if (path / "HEAD").is_file())


def default_branches(places: Collection[Path]) -> dict[Path, str]:
    """Return the branch that the HEAD of each repository names."""
    return {
        place: run(["symbolic-ref", "--short", "HEAD"], place=place).decode("utf-8", "surrogateescape").strip()
        for place in places
    }


def pack(place: Path, write: Callable[[bytes], object]) -> bool:
    """Hand over all branches and tags of a repository as one bundle; return whether there are any."""
    if not run(["for-each-ref", "--count=1"], place=place):
        return False
    # Whatever is pushed meanwhile is in it as a whole or not at all: git reads the refs once.
    with stream(["bundle", "create", "--quiet", "-", "--all"], place=place, timeout_seconds=_PACK_SECONDS) as output:
        for chunk in output.chunks():
            write(chunk)
    return True


def unpack(bundle: Path | None, into: Path, *, default_branch: str) -> None:
    """Make a bare repository of a bundle, or an empty one of None. Raises `GitFailureError` for a damaged bundle."""
    create_bare(into, default_branch=default_branch)
    if bundle is None:
        return
    # No fetch: that would need leave to read a path, and follow the bundle's own idea of what is a branch.
    told = run(["bundle", "unbundle", str(bundle)], place=into, timeout_seconds=_PACK_SECONDS)
    commands = "".join(f"create {name} {commit}\n" for name, commit in _refs(told).items())
    run(["update-ref", "--stdin"], place=into, stdin=commands.encode("utf-8", "surrogateescape"))


def _refs(told: bytes) -> Mapping[str, str]:
    found = {}
    for line in told.decode("utf-8", "surrogateescape").splitlines():
        commit, _, name = line.partition(" ")
        if not is_object_id(commit):
            raise InputError("A bundle of the backup names something that is no commit")
        if name.startswith("refs/"):
            found[name] = commit
    return found
