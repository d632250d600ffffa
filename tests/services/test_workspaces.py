"""The folders that the steps of a task work in."""

from __future__ import annotations

from pathlib import Path

import pytest

from portal.errors import ActionError
from portal.services.workspaces import EMPTY, Workspaces


def names(root: Path) -> set[str]:
    """Return the folders of the one task."""
    return {found.name for found in (root / "task").iterdir()}


def test_a_step_that_writes_works_in_a_copy(tmp_path):
    places = Workspaces(tmp_path)
    first, name, is_again = places.prepare("task", 0, before=EMPTY, run="r")
    first.put("a", b"1")
    assert (name, is_again) == ("0-r", False)
    second, name, _ = places.prepare("task", 1, before=name, run="r")
    second.put("a", b"2")
    assert (name, first.read("a"), second.read("a")) == ("1-r", b"1", b"2")


def test_a_step_that_only_reads_is_given_what_the_step_before_has_left(tmp_path):
    places = Workspaces(tmp_path)
    first, name, _ = places.prepare("task", 0, before=EMPTY, run="r")
    first.put("a", b"1")
    second, kept, is_again = places.prepare("task", 1, before=name, run="r", reads_only=True)
    assert (kept, is_again, second.read("a")) == ("0-r", False, b"1")
    # A run of it that was broken off is known all the same, and the next that writes has a copy again.
    assert places.prepare("task", 1, before=name, run="s", reads_only=True)[2]
    third, kept, _ = places.prepare("task", 2, before=kept, run="r")
    third.put("a", b"3")
    assert (kept, first.read("a")) == ("2-r", b"1")
    assert places.keep_only("task", "0-r")
    assert names(tmp_path) == {"0-r"}


def test_the_first_step_has_an_empty_one_even_if_it_only_reads(tmp_path):
    workspace, name, _ = Workspaces(tmp_path).prepare("task", 0, before=EMPTY, run="r", reads_only=True)
    assert (name, list(workspace.listing())) == ("0-r", [])


def test_what_has_gone_is_told(tmp_path):
    with pytest.raises(ActionError, match="not on this machine any more"):
        Workspaces(tmp_path).prepare("task", 1, before="0-r", run="r", reads_only=True)
