"""Looks at a working tree of git: what somebody has changed in it, where it comes from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from git import GitCommandError, InvalidGitRepositoryError, NoSuchPathError, Repo

from portal.errors import InputError
from portal.model.hosted import repository_name


@dataclass(frozen=True, slots=True)
class WorkTree:
    """A working tree: its folder, and what its repository and its remotes are called (see `repository_name`)."""

    root: Path
    remotes: frozenset[str]


def find_worktree(folder: Path) -> WorkTree | None:
    """Return the working tree that a folder lies in, None where it lies in none."""
    try:
        with Repo(folder, search_parent_directories=True) as repository:
            if repository.working_tree_dir is None:
                return None
            root = Path(repository.working_tree_dir).resolve()
            urls = [url for remote in repository.remotes for url in remote.urls]
            return WorkTree(root, frozenset({repository_name(url) for url in urls} | {repository_name(str(root))}))
    except (InvalidGitRepositoryError, NoSuchPathError):
        return None


def changed_since(worktree: WorkTree, revision: str) -> Mapping[str, bytes | None]:
    """Return what each changed file held where the branch left `revision`, by path; None: it was not there.

    A change may be committed, staged, or neither; files that git does not know count unless they are ignored; a file
    that was moved is one that has gone and one that has come. Raises `InputError` for a revision that is not there.
    """
    with Repo(worktree.root) as repository:
        try:
            wanted = repository.git.rev_parse("--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}")
            base = repository.git.merge_base(wanted, "HEAD")
        except GitCommandError:
            raise InputError(
                f'"{revision}" is no revision that {worktree.root} shares history with; a shallow clone lacks it '
                "(fetch the branch with its history)"
            ) from None
        changed = repository.git.diff("--name-only", "-z", "--no-renames", "--no-ext-diff", base).split("\0")
        unknown = repository.git.ls_files("--others", "--exclude-standard", "-z").split("\0")
        before = {str(item.path): item for item in repository.commit(base).tree.traverse() if item.type == "blob"}  # type: ignore[union-attr]
        return {
            path: before[path].data_stream.read() if path in before else None  # type: ignore[union-attr]
            for path in sorted({*changed, *unknown} - {""})
        }
