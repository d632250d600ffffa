from pathlib import Path

import pytest
from repositories import MakeRepository

from portal.errors import ConflictError, NotAllowedError
from portal.vcs.command import git
from portal.vcs.policy import RemotePolicy
from portal.vcs.publish import Author, create_bare, push

ANN = Author("Ann", "ann@example.com")


@pytest.fixture
def policy(tmp_path: Path) -> RemotePolicy:
    return RemotePolicy(file_roots=(tmp_path,))


def workspace(folder: Path, **files: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name).write_text(text)
    return folder


def test_a_folder_becomes_the_first_commit_of_a_repository(tmp_path: Path, policy: RemotePolicy) -> None:
    remote = create_bare(tmp_path / "made.git")

    commit = push(workspace(tmp_path / "w", a="1"), remote, policy=policy, message="first", author=ANN, task_id="t")

    assert git("log", "-1", "--format=%H %an %s", "main", folder=tmp_path / "made.git").decode().strip() == (
        f"{commit} Ann first"
    )
    assert git("show", "main:a", folder=tmp_path / "made.git") == b"1"
    assert create_bare(tmp_path / "made.git") == remote


def test_the_same_task_adopts_what_it_has_pushed(tmp_path: Path, policy: RemotePolicy) -> None:
    remote = create_bare(tmp_path / "made.git")
    first = push(workspace(tmp_path / "w", a="1"), remote, policy=policy, author=ANN, task_id="t")

    again = push(workspace(tmp_path / "v", a="1"), remote, policy=policy, author=ANN, task_id="t")

    assert again == first
    assert git("rev-list", "--count", "main", folder=tmp_path / "made.git").strip() == b"1"


@pytest.mark.parametrize(("content", "task"), [("2", "t"), ("1", "another")])
def test_a_branch_with_anything_else_on_it_is_not_touched(
    content: str, task: str, tmp_path: Path, policy: RemotePolicy
) -> None:
    remote = create_bare(tmp_path / "made.git")
    first = push(workspace(tmp_path / "w", a="1"), remote, policy=policy, task_id="t")

    with pytest.raises(ConflictError):
        push(workspace(tmp_path / "v", a=content), remote, policy=policy, task_id=task)

    assert git("rev-parse", "main", folder=tmp_path / "made.git").decode().strip() == first


def test_git_folders_and_hooks_of_a_template_are_dropped(tmp_path: Path, policy: RemotePolicy) -> None:
    remote = create_bare(tmp_path / "made.git")
    folder = workspace(tmp_path / "w", a="1")
    hooks = folder / ".git/hooks"
    hooks.mkdir(parents=True)
    (hooks / "pre-push").write_text(f"#!/bin/sh\ntouch {tmp_path}/ran\n")
    (hooks / "pre-push").chmod(0o755)

    push(folder, remote, policy=policy, task_id="t")

    assert not (tmp_path / "ran").exists()


def test_a_remote_that_is_not_allowed_is_not_pushed_to(tmp_path: Path, repo: MakeRepository) -> None:
    with pytest.raises(NotAllowedError):
        push(workspace(tmp_path / "w", a="1"), repo({"b": "1"}).url, policy=RemotePolicy(), task_id="t")
