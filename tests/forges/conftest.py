from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from acting import Runner, write
from forge_servers import serving
from giteas import Gitea
from gitlabs import GitLab


@pytest.fixture
def run(tmp_path: Path) -> Runner:
    """Runs an action in a workspace with a file."""
    runner = Runner(tmp_path)
    write(runner.work, {"README.md": "# Sensors\n"})
    return runner


@pytest.fixture
def gitlab(tmp_path: Path) -> Iterator[GitLab]:
    """An empty GitLab."""
    with serving(GitLab(tmp_path / "gitlab")) as served:
        yield served


@pytest.fixture
def gitea(tmp_path: Path) -> Iterator[Gitea]:
    """An empty Gitea."""
    with serving(Gitea(tmp_path / "gitea")) as served:
        yield served
