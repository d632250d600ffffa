"""What is deleted, moved, listed in a workspace, and what cannot be."""

from __future__ import annotations

import pytest
from acting import tree, write
from hypothesis import given
from hypothesis import strategies as st

from portal.actions.files import FilesDelete, FilesReaddir, FilesRename, matching_files
from portal.actions.workspace import Workspace
from portal.errors import ActionError, InputError, NotAllowedError

OUTSIDE = ["../x", "a/../../x", "/etc/passwd", "a\0b", "out/x", "out"]


@pytest.fixture
def outside(run):
    """A folder beside the workspace, which has a link to it."""
    write(run.folder / "outside", {"x": "mine"})
    (run.work / "out").symlink_to("../outside")
    return run.folder / "outside"


@pytest.mark.parametrize(
    ("patterns", "left"),
    [
        (["a.tmp"], {".b.tmp", "d/c.tmp", "d/e/f", "[x].txt", "(y).txt"}),
        (["*.tmp"], {"d/c.tmp", "d/e/f", "[x].txt", "(y).txt"}),
        (["**/*.tmp"], {"d/e/f", "[x].txt", "(y).txt"}),
        (["./d/../a.tmp", "absent"], {".b.tmp", "d/c.tmp", "d/e/f", "[x].txt", "(y).txt"}),
        (["d"], {"a.tmp", ".b.tmp", "[x].txt", "(y).txt"}),
        (["d/"], {"a.tmp", ".b.tmp", "[x].txt", "(y).txt"}),
        (["*"], {"d/c.tmp", "d/e/f"}),
        (["[x].txt", "(y).txt"], {"a.tmp", ".b.tmp", "d/c.tmp", "d/e/f"}),
        (["!a.tmp"], {"a.tmp", ".b.tmp", "d/c.tmp", "d/e/f", "[x].txt", "(y).txt"}),
        (["."], set()),
    ],
)
def test_delete_takes_paths_folders_and_globs(run, patterns, left):
    write(run.work, dict.fromkeys(["a.tmp", ".b.tmp", "d/c.tmp", "d/e/f", "[x].txt", "(y).txt"], ""))
    run(FilesDelete(), {"files": patterns})
    assert set(tree(run.work)) == left
    assert (run.work / "d/e").is_dir()


@pytest.mark.parametrize("path", OUTSIDE)
def test_nothing_outside_of_the_workspace_is_deleted_moved_or_listed(run, outside, path):
    write(run.work, {"mine": "1"})
    for action, given_input in (
        (FilesDelete(), {"files": [path]}),
        (FilesRename(), {"files": [{"from": path, "to": "y"}]}),
        (FilesRename(), {"files": [{"from": "mine", "to": path}]}),
        (FilesReaddir(), {"paths": [path]}),
    ):
        with pytest.raises(NotAllowedError):
            run(action, given_input)
    assert tree(outside) == {"x": "mine"}
    assert (run.work / "mine").exists()


def test_a_link_is_deleted_itself_and_moved_as_one(run):
    write(run.work, {"d/x": "1"})
    (run.work / "link").symlink_to("d")
    run(FilesRename(), {"files": [{"from": "link", "to": "other"}]})
    assert (run.work / "other").is_symlink()
    run(FilesDelete(), {"files": ["other"]})
    assert tree(run.work) == {"d/x": "1"}
    assert not (run.work / "other").is_symlink()


def test_rename_moves_files_and_folders_and_makes_parents(run):
    write(run.work, {"a": "1", "d/x": "2"})
    _, lines = run(FilesRename(), {"files": [{"from": "a", "to": "p/q/b"}, {"from": "d", "to": "p/d"}]})
    assert tree(run.work) == {"p/q/b": "1", "p/d/x": "2"}
    assert lines == ["File a renamed to p/q/b", "File d renamed to p/d"]


def test_rename_replaces_what_is_there_where_it_may(run):
    write(run.work, {"a": "1", "b": "2", "d/x": "3", "e/y": "4"})
    for source, target in (("a", "b"), ("d", "e")):
        with pytest.raises(ActionError, match="already exists"):
            run(FilesRename(), {"files": [{"from": source, "to": target}]})
        run(FilesRename(), {"files": [{"from": source, "to": target, "overwrite": True}]})
    assert tree(run.work) == {"b": "1", "e/x": "3"}


@pytest.mark.parametrize(
    ("source", "target"),
    [
        ("absent", "x"),
        ("d", "d/e"),
        ("d/x", "d"),
        (".", "x"),
        ("d", "."),
        ("a", "a"),
        ("a", "d"),
        ("d", "a"),
        ("d", "a/b"),
    ],
)
def test_a_move_that_makes_no_sense_is_refused_and_loses_nothing(run, source, target):
    write(run.work, {"a": "1", "d/x": "2"})
    with pytest.raises(ActionError):
        run(FilesRename(), {"files": [{"from": source, "to": target, "overwrite": True}]})
    assert tree(run.work) == {"a": "1", "d/x": "2"}


@pytest.mark.parametrize(
    "given_input", [{}, {"files": [{"from": "a"}]}, {"files": ["a"]}, {"files": [{"from": "", "to": "a"}]}]
)
def test_rename_tells_what_is_missing(run, given_input):
    with pytest.raises(InputError, match="file"):
        run(FilesRename(), given_input)


def test_readdir_tells_files_and_folders_by_paths_that_later_steps_can_use(run):
    write(run.work, {"d/.x": "", "d/e/f": "", "g": ""})
    (run.work / "d/link").symlink_to("e")
    output, _ = run(FilesReaddir(), {"paths": ["./d"]})
    assert output == {
        "files": [
            {"name": ".x", "path": "d/.x", "fullPath": "d/.x"},
            {"name": "link", "path": "d/link", "fullPath": "d/link"},
        ],
        "folders": [{"name": "e", "path": "d/e", "fullPath": "d/e"}],
    }
    output, _ = run(FilesReaddir(), {"paths": ["."], "recursive": True})
    assert [entry["path"] for entry in output["files"]] == ["d/.x", "d/e/f", "d/link", "g"]
    with pytest.raises(ActionError, match="no folder"):
        run(FilesReaddir(), {"paths": ["g"]})
    with pytest.raises(InputError, match="empty"):
        run(FilesReaddir(), {"paths": [""]})


NAMES = st.text("ab.[]{}()*?!@+,-^$| \\é\n", min_size=1, max_size=6).filter(lambda name: name not in {".", ".."})


@given(names=st.lists(NAMES, min_size=1, max_size=3))
def test_a_file_is_found_by_its_own_path_whatever_its_characters(tmp_path_factory, names):
    work = tmp_path_factory.mktemp("work")
    write(work, {"/".join(names): ""})
    assert matching_files(Workspace(work), "/".join(names)) == ["/".join(names)]
