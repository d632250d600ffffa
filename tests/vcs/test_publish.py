import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from repositories import MakeRepository

from portal.errors import ConflictError, InputError, NotAllowedError, SourceError
from portal.vcs.policy import RemotePolicy
from portal.vcs.publish import Author, create_bare, push

ANN = Author("Ann", "ann@example.com")


def git(*arguments: str, folder: Path) -> bytes:
    return subprocess.run(["git", *arguments], cwd=folder, check=True, capture_output=True).stdout


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


def test_a_second_run_finds_its_commit_though_others_have_built_on_it(tmp_path: Path, policy: RemotePolicy) -> None:
    remote = create_bare(tmp_path / "made.git")
    first = push(workspace(tmp_path / "w", a="1"), remote, policy=policy, task_id="t")
    git("clone", "--quiet", remote, "clone", folder=tmp_path)
    git("commit", "--quiet", "--allow-empty", "--message", "more", folder=tmp_path / "clone")
    git("push", "--quiet", "origin", "main", folder=tmp_path / "clone")

    assert push(workspace(tmp_path / "v", a="1"), remote, policy=policy, task_id="t") == first


def test_two_runs_of_one_task_at_once_end_with_one_commit(tmp_path: Path, policy: RemotePolicy) -> None:
    remote = create_bare(tmp_path / "made.git")
    folders = [workspace(tmp_path / f"w{number}", a="1") for number in range(4)]

    with ThreadPoolExecutor(len(folders)) as pool:
        found = list(pool.map(lambda folder: push(folder, remote, policy=policy, task_id="t"), folders))

    assert set(found) == {git("rev-parse", "main", folder=tmp_path / "made.git").decode().strip()}


def test_a_repository_inside_a_template_is_published_as_files(tmp_path: Path, policy: RemotePolicy) -> None:
    remote = create_bare(tmp_path / "made.git")
    folder = workspace(tmp_path / "w", a="1")
    inner = workspace(folder / "inner", b="2")
    git("init", "--quiet", folder=inner)
    (inner / ".gitignore").write_text("skipped\n")
    (inner / "skipped").write_text("x")

    push(folder, remote, policy=policy, task_id="t")

    listed = git("ls-tree", "-r", "--name-only", "main", folder=tmp_path / "made.git")
    assert listed.decode().split() == ["a", "inner/.gitignore", "inner/b"]
    assert not list(folder.rglob(".git"))


def test_a_token_is_in_no_message_and_no_file(tmp_path: Path) -> None:
    folder = workspace(tmp_path / "w", a="1")

    with pytest.raises(SourceError) as caught:
        push(folder, "http://127.0.0.1:1/x", policy=RemotePolicy(), task_id="t", token="s3cret-token", trusted=True)

    assert "s3cret-token" not in f"{caught.value} {caught.value.target} {caught.value.__cause__}"
    assert not [path for path in tmp_path.rglob("*") if path.is_file() and b"s3cret" in path.read_bytes()]


@pytest.mark.parametrize("branch", ["-f", "a..b", "a b", "", "x.lock"])
def test_what_is_no_branch_name_is_refused(branch: str, tmp_path: Path, policy: RemotePolicy) -> None:
    remote = create_bare(tmp_path / "made.git")

    with pytest.raises(InputError):
        push(workspace(tmp_path / "w", a="1"), remote, policy=policy, branch=branch, task_id="t")


def test_a_folder_with_other_things_in_it_becomes_no_repository(tmp_path: Path) -> None:
    workspace(tmp_path / "made.git", a="1")

    with pytest.raises(ConflictError):
        create_bare(tmp_path / "made.git")
