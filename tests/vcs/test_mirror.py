import shutil
import threading
from pathlib import Path

import pytest
from repositories import MakeRepository, Repository

from portal.errors import InputError, NotAllowedError, RevisionNotFoundError, SourceUnreachableError
from portal.model.login import without_credentials
from portal.vcs.mirror import Head, Mirrors, Revision
from portal.vcs.policy import RemotePolicy


@pytest.fixture
def mirrors(tmp_path: Path) -> Mirrors:
    return Mirrors(tmp_path / "mirrors", RemotePolicy(file_roots=(tmp_path,)))


def head_of(mirrors: Mirrors, made: Repository, branch: str | None = None) -> Head:
    revision = Revision(made.url, branch)
    head = mirrors.heads([revision])[revision]
    assert isinstance(head, Head), head
    assert mirrors.fetch([head]) == {head: None}
    return head


def contents(mirrors: Mirrors, head: Head) -> dict[str, bytes | int]:
    files = mirrors.tree([head])[head]
    found = mirrors.read(head.remote, [entry.blob for entry in files.values()], size_limit_bytes=1_000_000)
    return {path: found[entry.blob] for path, entry in files.items()}


def test_the_files_of_the_default_branch_are_read(mirrors: Mirrors, repo: MakeRepository) -> None:
    made = repo({"a.yaml": "a: 1\n", "deep/ä b.yaml": b"\xff\x00", "empty": ""})

    head = head_of(mirrors, made)

    assert head.branch == "main"
    assert contents(mirrors, head) == {"a.yaml": b"a: 1\n", "deep/ä b.yaml": b"\xff\x00", "empty": b""}


def test_a_detached_head_can_be_read(mirrors: Mirrors, repo: MakeRepository) -> None:
    made = repo({"a": "1"})
    first = made.git("rev-parse", "HEAD")
    made.commit({"a": "2"})
    made.git("checkout", "--quiet", first)

    assert contents(mirrors, head_of(mirrors, made)) == {"a": b"1"}


def test_a_force_push_and_a_second_fetch_give_what_is_there_now(mirrors: Mirrors, repo: MakeRepository) -> None:
    made = repo({"a": "1"})
    made.commit({"a": "2"})
    old = head_of(mirrors, made)
    made.git("reset", "--quiet", "--hard", "HEAD~1")
    made.commit({"b": "3"})

    assert contents(mirrors, head_of(mirrors, made)) == {"a": b"1", "b": b"3"}
    assert contents(mirrors, old) == {"a": b"2"}


def test_a_blob_above_the_limit_gives_its_size(mirrors: Mirrors, repo: MakeRepository) -> None:
    made = repo({"big": b"x" * 1_000_001, "small": "x"})

    assert contents(mirrors, head_of(mirrors, made)) == {"big": 1_000_001, "small": b"x"}


def test_a_missing_branch_names_those_that_are_like_it(mirrors: Mirrors, repo: MakeRepository) -> None:
    made = repo({"a": "1"})
    made.git("branch", "release")
    revision = Revision(made.url, "relaese")

    error = mirrors.heads([revision])[revision]

    assert isinstance(error, RevisionNotFoundError)
    assert "release" in error.message


def test_an_empty_repository_has_no_revision(mirrors: Mirrors, repo: MakeRepository) -> None:
    revision = Revision(repo().url, None)

    assert isinstance(mirrors.heads([revision])[revision], RevisionNotFoundError)


def test_a_remote_that_is_gone_is_unreachable(mirrors: Mirrors, tmp_path: Path) -> None:
    revision = Revision((tmp_path / "gone").as_uri(), None)

    assert isinstance(mirrors.heads([revision])[revision], SourceUnreachableError)


def test_a_corrupt_mirror_is_made_again(mirrors: Mirrors, repo: MakeRepository, tmp_path: Path) -> None:
    made = repo({"a": "1"})
    head = head_of(mirrors, made)
    (folder,) = (tmp_path / "mirrors").glob("*.git")
    (folder / "HEAD").unlink()
    shutil.rmtree(folder / "objects")

    assert contents(mirrors, head_of(mirrors, made)) == {"a": b"1"}
    assert mirrors.tree([head])


def test_threads_that_make_the_same_mirror_do_not_harm_each_other(mirrors: Mirrors, repo: MakeRepository) -> None:
    made = repo({"a": "1"})
    found: list[dict[str, bytes | int]] = []
    threads = [
        threading.Thread(target=lambda: found.append(contents(mirrors, head_of(mirrors, made)))) for _ in range(6)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert found == [{"a": b"1"}] * 6


def test_links_and_submodules_are_told_by_their_mode(mirrors: Mirrors, repo: MakeRepository) -> None:
    made = repo({"a": "1"})
    (made.path / "link").symlink_to("/etc/passwd")
    made.commit({})

    head = head_of(mirrors, made)

    assert {path: entry.mode for path, entry in mirrors.tree([head])[head].items()} == {"a": "100644", "link": "120000"}


def test_the_last_commit_of_each_file_is_its_author(mirrors: Mirrors, repo: MakeRepository) -> None:
    made = repo({"a": "1", "b": "1"})
    first = made.git("rev-parse", "HEAD")
    second = made.commit({"b": "2"})
    made.commit({"c": "3"})
    head = head_of(mirrors, made)

    found = mirrors.authors(head, since=None, paths=["a", "b"])
    since = mirrors.authors(head, since=first, paths=["b"])

    assert {path: change.commit for path, change in found.items()} == {"a": first, "b": second}
    assert since["b"].commit == second
    assert found["a"].author_name == "Ann Author"


def test_an_export_keeps_modes_and_leaves_out_what_could_escape(
    mirrors: Mirrors, repo: MakeRepository, tmp_path: Path
) -> None:
    made = repo({"skeleton/run.sh": "#!/bin/sh\n", "skeleton/in/a": "1", "other": "x"})
    (made.path / "skeleton/run.sh").chmod(0o755)
    (made.path / "skeleton/inside").symlink_to("in/a")
    (made.path / "skeleton/outside").symlink_to("../other")
    made.commit({})

    mirrors.export(head_of(mirrors, made), "skeleton", tmp_path / "out")

    out = tmp_path / "out"
    assert sorted(path.relative_to(out).as_posix() for path in out.rglob("*")) == ["in", "in/a", "inside", "run.sh"]
    assert (out / "run.sh").stat().st_mode & 0o111
    assert (out / "inside").read_text() == "1"


@pytest.mark.parametrize(
    "remote",
    ["ext::sh -c id", "ext::id", "fd::17", "-uid", "--upload-pack=id", "ssh://-oProxyCommand=id/x", "ftp://h/x", ""],
)
@pytest.mark.parametrize("trusted", [True, False])
def test_what_could_run_a_command_is_refused_for_everybody(remote: str, trusted: bool) -> None:
    with pytest.raises((NotAllowedError, InputError)):
        RemotePolicy().check(remote, trusted=trusted)


@pytest.mark.parametrize("remote", ["file:///etc", "/etc", "file:///srv/git/../../etc", "../x"])
def test_a_repository_on_disk_is_the_operators_to_name(remote: str) -> None:
    with pytest.raises(NotAllowedError):
        RemotePolicy(file_roots=(Path("/srv/git"),)).check(remote, trusted=False)


@pytest.mark.parametrize("remote", ["https://github.com/a/b", "git@github.com:a/b.git", "ssh://git@h/a", "git://h/a"])
def test_the_usual_remotes_are_allowed(remote: str) -> None:
    assert RemotePolicy().check(remote) == remote


def test_credentials_stay_out_of_messages(mirrors: Mirrors) -> None:
    revision = Revision("https://ann:s3cret@127.0.0.1:1/x", None, trusted=True)

    error = mirrors.heads([revision])[revision]

    assert isinstance(error, SourceUnreachableError)
    assert "s3cret" not in f"{error} {error.target}"
    assert without_credentials(revision.remote) == "https://127.0.0.1:1/x"
