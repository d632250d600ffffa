"""There is no way out of a workspace."""

from __future__ import annotations

import pytest

from portal.actions.workspace import Workspace, read_folder
from portal.errors import ActionError, NotAllowedError
from portal.scaffolder.skeleton import SkeletonEntry


@pytest.fixture
def workspace(tmp_path):
    (tmp_path / "work").mkdir()
    (tmp_path / "outside").mkdir()
    return Workspace(tmp_path / "work")


@pytest.mark.parametrize("path", ["..", "../outside", "a/../../outside", "/etc/passwd", "a\0b"])
def test_paths_that_lead_out_are_refused(workspace, path):
    with pytest.raises(NotAllowedError):
        workspace.resolve(path)


@pytest.mark.parametrize("target", ["../outside", "../outside/new", "/etc", "../absent"])
def test_links_that_lead_out_are_not_followed_dangling_or_not(workspace, target):
    (workspace.path / "link").symlink_to(target)
    with pytest.raises(NotAllowedError):
        workspace.resolve("link/file")
    with pytest.raises(NotAllowedError):
        workspace.write([SkeletonEntry("link/x", content=b"x")])


def test_a_ring_of_links_is_refused(workspace):
    (workspace.path / "a").symlink_to("b")
    (workspace.path / "b").symlink_to("a")
    with pytest.raises((NotAllowedError, ActionError)):
        workspace.write([SkeletonEntry("a/x", content=b"x")])


def test_paths_inside_are_fine(workspace):
    assert workspace.resolve() == workspace.path.resolve()
    assert workspace.resolve("./a/../b") == workspace.path.resolve() / "b"


def test_what_is_written_is_what_is_read(workspace):
    entries = [
        SkeletonEntry("a", kind="directory"),
        SkeletonEntry("a/link", kind="symlink", target="run.sh"),
        SkeletonEntry("a/run.sh", mode=0o755, content=b"#!/bin/sh\n"),
        SkeletonEntry("b", content=b"\x00"),
    ]
    workspace.write(entries)
    assert [(entry.path, entry.kind) for entry in read_folder(workspace.path)] == [
        (entry.path, entry.kind) for entry in entries
    ]
    assert read_folder(workspace.path)[2].mode & 0o111


def test_a_file_in_the_way_of_a_folder_is_told(workspace):
    workspace.write([SkeletonEntry("a", content=b"x")])
    with pytest.raises(ActionError, match="in the way"):
        workspace.write([SkeletonEntry("a/b", content=b"x")])
