"""Real git repositories for tests, from a dict of paths."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest


class Repository:
    """A git repository with a work tree; `commit` writes files (None removes one) and returns the commit's id."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.mkdir(parents=True)
        self.git("init", "--quiet", "--initial-branch=main")

    @property
    def url(self) -> str:
        """The repository's url, for Portal to read from."""
        return self.path.as_uri()

    def git(self, *arguments: str) -> str:
        """Run git in the work tree and return what it printed."""
        return subprocess.run(
            ["git", *arguments], cwd=self.path, check=True, capture_output=True, text=True
        ).stdout.strip()

    def write(self, files: Mapping[str, str | bytes | None]) -> None:
        """Write the files into the work tree; None removes one."""
        for name, content in files.items():
            path = self.path / name
            if content is None:
                path.unlink()
                continue
            path.parent.mkdir(parents=True, exist_ok=True)
            if isinstance(content, str):
                path.write_text(content, encoding="utf-8", newline="")
            else:
                path.write_bytes(content)

    def commit(self, files: Mapping[str, str | bytes | None], *, message: str = "change") -> str:
        """Write the files, commit them, and return the commit's id (40 hex characters)."""
        self.write(files)
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message", message)
        return self.git("rev-parse", "HEAD")


MakeRepository = Callable[..., Repository]


@pytest.fixture
def repo(tmp_path: Path) -> MakeRepository:
    """Make a real repository: `repo({"catalog-info.yaml": "..."}, name="a")`."""

    def make(files: Mapping[str, str | bytes | None] | None = None, *, name: str = "repository") -> Repository:
        made = Repository(tmp_path / "repositories" / name)
        if files:
            made.commit(files, message="first")
        return made

    return make
