import os
import random
import socket
import subprocess
import tracemalloc
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import pytest
from repositories import MakeRepository, Repository

from portal.errors import NotAllowedError, PortalError, RevisionNotFoundError, SourceError, SourceUnreachableError
from portal.model.reading import ReadingRules
from portal.vcs.mirror import Head, Mirrors, Revision
from portal.vcs.policy import RemotePolicy


@pytest.fixture
def mirrors(tmp_path: Path) -> Mirrors:
    return Mirrors(tmp_path / "mirrors", RemotePolicy(file_roots=(tmp_path,), addresses=ReadingRules(["127.0.0.0/8"])))


def fetched(mirrors: Mirrors, url: str, branch: str | None = None, *, trusted: bool = False) -> Head:
    revision = Revision(url, branch, trusted)
    head = mirrors.heads([revision])[revision]
    assert isinstance(head, Head), head
    assert mirrors.fetch([head]) == {head: None}
    return head


def objects_of(tmp_path: Path) -> list[str]:
    (place,) = (tmp_path / "mirrors").glob("*.git")
    batch = ["git", "cat-file", "--batch-all-objects", "--batch-check=%(objecttype)"]
    return subprocess.run(batch, cwd=place, check=True, capture_output=True, text=True).stdout.split()


def hostile_tree(made: Repository, *entries: tuple[str, str, str]) -> str:
    """Commit a tree of (mode, name, content) that git itself would not make."""
    raw = b""
    for mode, name, content in entries:
        made_blob = subprocess.run(
            ["git", "hash-object", "-w", "--stdin"],
            check=True,
            cwd=made.path,
            input=content.encode(),
            capture_output=True,
        ).stdout
        raw += f"{mode} {name}\0".encode() + bytes.fromhex(made_blob.decode().strip())
    tree = subprocess.run(
        ["git", "hash-object", "-w", "-t", "tree", "--literally", "--stdin"],
        check=True,
        cwd=made.path,
        input=raw,
        capture_output=True,
    ).stdout.decode()
    commit = made.git("commit-tree", tree.strip(), "-m", "hostile")
    made.git("update-ref", "refs/heads/main", commit)
    return commit


def test_blobs_are_left_out_and_then_fetched_together(
    mirrors: Mirrors, repo: MakeRepository, tmp_path: Path, serve: Callable[[], str]
) -> None:
    made = repo({"a": "1", "b": "2", "c": "3"})
    made.git("config", "uploadpack.allowFilter", "true")
    head = fetched(mirrors, serve() + "/repository")
    files = mirrors.tree([head])[head]
    assert "blob" not in objects_of(tmp_path)

    found = mirrors.read(head.remote, [files["a"].blob, files["b"].blob], size_limit_bytes=10)

    assert found == {files["a"].blob: b"1", files["b"].blob: b"2"}
    assert objects_of(tmp_path).count("blob") == 2
    assert mirrors.authors(head, since=None, paths=["c"])["c"].commit == head.commit
    assert mirrors.sizes(head.remote, [files["c"].blob]) == {files["c"].blob: 1}


def test_many_fetches_leave_few_packs(
    mirrors: Mirrors, repo: MakeRepository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = repo({"a": "0"})
    made.git("config", "uploadpack.allowFilter", "true")
    for number in range(54):
        tree = made.git("rev-parse", "HEAD^{tree}")
        made.git("update-ref", "HEAD", made.git("commit-tree", tree, "-p", "HEAD", "-m", str(number)))
        head = fetched(mirrors, made.url)

    assert len(list((tmp_path / "mirrors").glob("*.git/objects/pack/*.pack"))) < 10
    (entry,) = mirrors.tree([head])[head].values()
    assert mirrors.read(head.remote, [entry.blob], size_limit_bytes=10) == {entry.blob: b"0"}


def test_a_blob_of_50_megabytes_is_not_in_memory(mirrors: Mirrors, repo: MakeRepository) -> None:
    made = repo({"big": random.Random(1).randbytes(50_000_000), "small": "x"})
    head = fetched(mirrors, made.url)
    files = mirrors.tree([head])[head]
    tracemalloc.start()

    found = mirrors.read(head.remote, {entry.blob for entry in files.values()}, size_limit_bytes=1000)

    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert found == {files["big"].blob: 50_000_000, files["small"].blob: b"x"}
    assert peak < 5_000_000


def test_thousands_of_blobs_are_read_without_waiting_for_each_other(mirrors: Mirrors, repo: MakeRepository) -> None:
    made = repo({f"{number % 50}/{number}": f"{number}\n" * 200 for number in range(3000)})
    head = fetched(mirrors, made.url)
    files = mirrors.tree([head])[head]

    found = mirrors.read(head.remote, {entry.blob for entry in files.values()}, size_limit_bytes=10_000)

    assert {path: found[entry.blob] for path, entry in files.items()} == {
        f"{number % 50}/{number}": f"{number}\n".encode() * 200 for number in range(3000)
    }


def test_names_of_any_bytes_are_kept(mirrors: Mirrors, repo: MakeRepository) -> None:
    made = repo()
    name = os.fsdecode(b'q"\xff\nx')
    made.commit({name: "1"})
    head = fetched(mirrors, made.url)

    assert list(mirrors.tree([head])[head]) == [name]
    assert mirrors.authors(head, since=None, paths=[name])[name].commit == head.commit


@pytest.mark.parametrize("damage", ["pack", "config", "all"])
def test_a_damaged_mirror_is_built_anew_when_read(
    damage: str, mirrors: Mirrors, repo: MakeRepository, tmp_path: Path
) -> None:
    made = repo({"a": "1" * 1000})
    head = fetched(mirrors, made.url)
    (entry,) = mirrors.tree([head])[head].values()
    (place,) = (tmp_path / "mirrors").glob("*.git")
    if damage == "pack":
        for pack in place.glob("objects/pack/*.pack"):
            pack.chmod(0o644)
            pack.write_bytes(pack.read_bytes()[:40] + b"\0" * 100)
    elif damage == "config":
        (place / "config").write_text("[broken")
    else:
        for path in place.glob("objects/pack/*"):
            path.unlink()

    assert mirrors.read(head.remote, [entry.blob], size_limit_bytes=2000) == {entry.blob: b"1" * 1000}
    assert mirrors.fetch([head]) == {head: None}
    assert mirrors.tree([head])[head] == {"a": entry}


def _fetch_in_a_process(root: str, url: str) -> bool:
    mirrors = Mirrors(Path(root) / "mirrors", RemotePolicy(any_file=True))
    return len(mirrors.tree([fetched(mirrors, url)])) == 1


def test_processes_that_make_the_same_mirror_do_not_harm_each_other(tmp_path: Path, repo: MakeRepository) -> None:
    made = repo({"a": "1"})

    with ProcessPoolExecutor(3, mp_context=get_context("spawn")) as pool:
        found = list(pool.map(_fetch_in_a_process, [str(tmp_path)] * 3, [made.url] * 3))

    assert found == [True] * 3
    assert len(list((tmp_path / "mirrors").glob("*.git"))) == 1
    assert not list((tmp_path / "mirrors").glob(".staging-*"))


def test_a_branch_may_become_a_folder_of_branches(mirrors: Mirrors, repo: MakeRepository) -> None:
    made = repo({"a": "1"})
    made.git("branch", "x")
    fetched(mirrors, made.url, "x")
    made.git("branch", "--delete", "x")
    made.git("branch", "x/y")
    made.git("tag", "--annotate", "v1", "--message", "v1")

    assert fetched(mirrors, made.url, "x/y").commit == fetched(mirrors, made.url, "v1").commit


def test_a_commit_id_is_a_revision_too(mirrors: Mirrors, repo: MakeRepository) -> None:
    made = repo({"a": "1"})
    first = made.git("rev-parse", "HEAD")
    made.commit({"a": "2"})
    unknown = Head(made.url, "main", "0" * 39 + "1")

    assert fetched(mirrors, made.url, first) == Head(made.url, first, first)
    assert isinstance(mirrors.fetch([unknown])[unknown], RevisionNotFoundError)
    assert fetched(mirrors, made.url, first)


def test_one_bad_remote_does_not_keep_others_from_answering(
    mirrors: Mirrors, repo: MakeRepository, tmp_path: Path
) -> None:
    good, bad = Revision(repo({"a": "1"}).url), [Revision("ext::id"), Revision("file:///etc"), Revision("https://h")]

    found = mirrors.heads([good, *bad])

    assert isinstance(found[good], Head)
    assert all(isinstance(found[revision], PortalError) for revision in bad)


def test_a_folder_outside_the_roots_is_not_fetched(tmp_path: Path, repo: MakeRepository) -> None:
    made = repo({"a": "1"})
    mirrors = Mirrors(tmp_path / "mirrors", RemotePolicy(file_roots=(tmp_path / "elsewhere",)))
    head = Head(made.url, "main", made.git("rev-parse", "HEAD"))

    assert isinstance(mirrors.fetch([head])[head], NotAllowedError)
    assert fetched(mirrors, made.url, trusted=True).commit == head.commit


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root gives files away")
def test_a_repository_of_another_user_can_be_read(mirrors: Mirrors, repo: MakeRepository) -> None:
    made = repo({"a": "1"})
    for path in [made.path, *made.path.rglob("*")]:
        os.chown(path, 12345, 12345, follow_symlinks=False)

    assert fetched(mirrors, made.url)


def test_a_surrounding_git_hook_is_not_worked_on(
    mirrors: Mirrors, repo: MakeRepository, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, around = repo({"a": "1"}, name="a"), repo({"b": "1"}, name="b")
    monkeypatch.setenv("GIT_DIR", str(around.path / ".git"))
    monkeypatch.setenv("GIT_INDEX_FILE", str(around.path / ".git/index"))

    head = fetched(mirrors, made.url)

    assert list(mirrors.tree([head])[head]) == ["a"]
    assert "refs/portal" not in around.git("for-each-ref")


def test_credentials_reach_no_file_and_no_error(tmp_path: Path) -> None:
    mirrors = Mirrors(tmp_path / "mirrors", RemotePolicy())
    head = Head("http://ann:s3cret@127.0.0.1:1/x", "main", "0" * 40, trusted=True)

    error = mirrors.fetch([head])[head]

    assert isinstance(error, SourceError)
    assert "s3cret" not in f"{error} {error.target} {error.__cause__}"
    assert not [p for p in (tmp_path / "mirrors").rglob("*") if p.is_file() and b"s3cret" in p.read_bytes()]


def test_a_server_that_never_answers_is_given_up(tmp_path: Path) -> None:
    mirrors = Mirrors(tmp_path / "mirrors", RemotePolicy(), answer_seconds=0.3)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        revision = Revision(f"git://127.0.0.1:{silent.getsockname()[1]}/x", trusted=True)

        error = mirrors.heads([revision])[revision]

    assert isinstance(error, SourceUnreachableError)
    assert "no answer within 0.3 seconds" in error.message


def test_an_export_never_leaves_its_folder(mirrors: Mirrors, repo: MakeRepository, tmp_path: Path) -> None:
    made = repo({"t/a": "1", "t/sub/b": "2"})
    for name, target in {"sub/d": "..", "sub/e": "d/../..", "abs": "/etc", "up": "../x", "fine": "sub/b"}.items():
        (made.path / "t" / name).symlink_to(target)
    made.commit({})
    into = tmp_path / "out/in"

    left_out = mirrors.export(fetched(mirrors, made.url), "t", into)

    assert left_out == ["abs", "sub/e", "up"]
    assert (into / "fine").read_text() == "2"
    assert all(path.resolve().is_relative_to(into.resolve()) for path in into.rglob("*"))


@pytest.mark.parametrize("name", ["../x", "..", ".git", ".GIT", "a/../../x"])
def test_names_that_lead_elsewhere_are_not_exported(
    name: str, mirrors: Mirrors, repo: MakeRepository, tmp_path: Path
) -> None:
    made = repo({"a": "1"})
    hostile_tree(made, ("100644", name, "bad"), ("100644", "good", "good"))

    mirrors.export(fetched(mirrors, made.url), "", tmp_path / "out/in")

    assert [path.name for path in (tmp_path / "out").rglob("*") if path.is_file()] == ["good"]


def test_a_link_that_is_also_a_folder_is_not_written_through(
    mirrors: Mirrors, repo: MakeRepository, tmp_path: Path
) -> None:
    into = tmp_path / "out/in"
    into.mkdir(parents=True)
    (into / "planted").symlink_to(tmp_path)
    made = repo({"planted/x": "bad"})

    with pytest.raises(PortalError):
        mirrors.export(fetched(mirrors, made.url), "", into)

    assert not (tmp_path / "x").exists()
