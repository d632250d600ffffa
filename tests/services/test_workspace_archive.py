"""What steps leave in their workspaces, kept where another machine goes on with it."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import time
from pathlib import Path

import pytest
from acting import tree, write
from hypothesis import given, settings
from hypothesis import strategies as st
from scaffolds import messages, scaffold, statuses, template
from waiting import eventually

from portal.actions.workspace import read_folder
from portal.errors import ActionError, SettingsError
from portal.services.vault import Vault
from portal.services.workspace_archive import WorkspaceArchive
from portal.services.workspaces import EMPTY, Workspaces

STEPS = [
    {"id": "one", "action": "test:flaky", "input": {"name": "one"}},
    {"id": "gate", "action": "test:gate", "input": {"name": "g"}},
    {"id": "two", "action": "test:flaky", "input": {"name": "two"}},
]
T = template("t", STEPS, output={"found": "${{ steps.two.output.found }}"})
NAMES = st.text("ab.é ${", min_size=1, max_size=6).filter(lambda name: name.strip(".") == name)


def keeping(folder, *, url=None, **limits):
    return WorkspaceArchive(url or f"file://{folder / 'kept'}", vault=Vault(folder / "instance.key"), **limits)


@settings(deadline=None, max_examples=25)
@given(
    files=st.dictionaries(NAMES, st.tuples(st.binary(max_size=2000), st.booleans()), max_size=6),
    links=st.dictionaries(st.text("xyz", min_size=1, max_size=3), st.sampled_from(["a", "../..", "/etc/passwd"])),
)
def test_what_is_kept_comes_back_as_it_was(files, links):
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        source, target = folder / "source", folder / "target"
        (source / "below" / "empty").mkdir(parents=True)
        target.mkdir()
        for path, (content, is_executable) in files.items():
            (source / "below" / path).write_bytes(content)
            (source / "below" / path).chmod(0o755 if is_executable else 0o640)
        for path, leads_to in links.items():
            (source / path).symlink_to(leads_to)
        archive = keeping(folder)
        archive.save("task", "0-run", source)
        assert archive.restore("task", "0-run", target)
        assert read_folder(target) == read_folder(source)


def test_several_chunks_and_places_without_folders(tmp_path):
    content = os.urandom(3 * 1024 * 1024 + 17)
    (tmp_path / "source").mkdir()
    (tmp_path / "source" / "large").write_bytes(content)
    archive = keeping(tmp_path, url=f"memory://{tmp_path.name}")
    archive.save("task", "0-run", tmp_path / "source")
    (tmp_path / "target").mkdir()
    assert archive.restore("task", "0-run", tmp_path / "target")
    assert (tmp_path / "target" / "large").read_bytes() == content
    assert archive.names("task") == ["0-run"]
    archive.remove("task")
    assert not archive.has("task", "0-run")
    assert not archive.restore("task", "0-run", tmp_path / "target")


def test_nobody_reads_or_forges_what_is_kept(tmp_path):
    write(tmp_path / "source", {"a": "hidden-word " * 1000})
    archive = keeping(tmp_path)
    archive.save("task", "0-run", tmp_path / "source")
    (kept,) = (tmp_path / "kept" / "task").iterdir()
    content = kept.read_bytes()
    assert b"hidden-word" not in content
    faults = {
        "changed": content[:-1] + bytes([content[-1] ^ 1]),
        "broken off": content[:-40],
        "empty": b"",
        "something else": b"no archive" * 10,
    }
    for place, (name, changed) in enumerate(faults.items()):
        kept.write_bytes(changed)
        (tmp_path / str(place)).mkdir()
        with pytest.raises(ActionError, match="cannot be read"):
            archive.restore("task", "0-run", tmp_path / str(place))
        assert not tree(tmp_path / str(place)), name
    # That of another step, put in its place, is another's.
    kept.with_name(kept.name.replace("0-", "1-")).write_bytes(content)
    (tmp_path / "other").mkdir()
    with pytest.raises(ActionError, match="sealed under another key"):
        archive.restore("task", "1-run", tmp_path / "other")


def test_what_is_too_large_is_neither_kept_nor_brought_back(tmp_path):
    write(tmp_path / "source", {"zeros": "0" * 100_000, "b": "1"})
    keeping(tmp_path).save("task", "0-run", tmp_path / "source")
    for place, limits in enumerate(({"most_bytes": 1000}, {"most_files": 1})):
        small = keeping(tmp_path, **limits)
        with pytest.raises(ActionError, match="expected at most"):
            small.save("task", "1-run", tmp_path / "source")
        (tmp_path / str(place)).mkdir()
        with pytest.raises(ActionError, match="holds more than"):
            small.restore("task", "0-run", tmp_path / str(place))


def test_a_url_that_cannot_be_used_stops_the_start(tmp_path):
    with pytest.raises(SettingsError, match="workspace_url"):
        keeping(tmp_path, url="no-such-protocol://x")


def test_a_place_that_is_gone_fails_the_step_that_needs_it_alone(tmp_path):
    (tmp_path / "kept").write_text("a file in the way")
    (tmp_path / "source").mkdir()
    archive = keeping(tmp_path)
    with pytest.raises(ActionError, match="cannot be kept"):
        archive.save("task", "0-run", tmp_path / "source")
    archive.remove("task")
    assert archive.names("task") == []


def test_another_machine_has_what_was_kept_and_drops_what_is_not_needed(tmp_path):
    here, there = (Workspaces(tmp_path / name, archive=keeping(tmp_path)) for name in ("here", "there"))
    work, first, _ = here.prepare("task", 0, before=EMPTY, run="r")
    write(work.path, {"a": "1"})
    here.keep("task", first)
    work, second, _ = there.prepare("task", 1, before=first, run="s")
    assert tree(work.path) == {"a": "1"}
    write(work.path, {"b": "2"})
    there.keep("task", second)
    work, third, _ = here.prepare("task", 2, before=second, run="t")
    assert tree(work.path) == {"a": "1", "b": "2"}
    assert keeping(tmp_path).names("task") == [second]
    with pytest.raises(ActionError, match="not on this machine any more"):
        there.prepare("task", 3, before=third, run="u")
    assert there.keep_only("task", second)
    assert not there.keep_only("task", third)
    there.remove("task")
    assert not keeping(tmp_path).names("task")


def test_what_nobody_has_kept_for_long_is_told(tmp_path):
    (tmp_path / "source").mkdir()
    for task in ("old", "new"):
        keeping(tmp_path).save(task, "0-run", tmp_path / "source")
    for file in (tmp_path / "kept" / "old").iterdir():
        os.utime(file, (time.time() - 1000, time.time() - 1000))
    archive = keeping(tmp_path)
    assert archive.older_than(500) == ["old"]
    assert archive.older_than(500) == []  # asked again within the hour


@pytest.fixture
def machines(database_url, tmp_path, repo):
    """Open scaffoldings of one database with a folder of their own each, and the same key."""
    source = repo({"catalog-info.yaml": json.dumps(T)}, name="templates")

    def opened(name, **more):
        return scaffold(
            database_url,
            tmp_path / name,
            workspace_url=f"file://{tmp_path / 'kept'}",
            key=tmp_path / "instance.key",
            **more,
        )

    with opened("first", worker=False) as portal:
        portal.ingest(f"{source.url}#main:catalog-info.yaml")
    return opened


def allow(portal, *names):
    for name in names:
        (portal.folder / name).touch()


def test_a_task_goes_on_at_another_machine_with_its_files(machines, tmp_path):
    with machines("first") as portal:
        allow(portal, "mend-one")
        task = portal.service.create_task("t", {})
        eventually((portal.folder / "notes").exists, "the first step")
        eventually(lambda: "begin g clean" in (portal.folder / "notes").read_text(), "the gate")
    with machines("second") as portal:
        allow(portal, "open-g", "mend-two")
        events = list(portal.service.event_stream(task))
    assert statuses(events) == dict.fromkeys(("one", "gate", "two"), "completed"), messages(events)
    assert events[-1]["body"]["output"] == {"found": ["half-g", "made-one", "made-two"]}
    assert not list((tmp_path / "kept").rglob("*.sealed"))


def test_a_failed_task_is_retried_at_another_machine_from_the_step_that_failed(machines, tmp_path):
    with machines("first") as portal:
        allow(portal, "mend-one", "open-g")
        task = portal.service.create_task("t", {})
        assert statuses(list(portal.service.event_stream(task)))["two"] == "failed"
    shutil.rmtree(tmp_path / "first" / "workspaces")
    with machines("second") as portal:
        allow(portal, "mend-two")
        portal.service.retry(task)
        events = list(portal.service.event_stream(task))
        assert (portal.folder / "notes").read_text().splitlines() == ["run two"]
    assert events[-1]["body"]["output"] == {"found": ["half-g", "made-one", "made-two"]}
