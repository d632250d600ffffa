"""Which commits of a history changed which folders."""

from __future__ import annotations

import pytest

from portal.errors import InputError
from portal.vcs import lineage


def test_commits_that_another_does_not_hold_are_told_by_folder(repo):
    made = repo({"a/x": "1", "b/x": "1"})
    first = made.git("rev-parse", "HEAD")
    made.git("switch", "--quiet", "--create", "side")
    side = made.commit({"a/x": "2", "odd name\n": "1"}, message="on the side: ü")
    made.git("switch", "--quiet", "main")
    straight = made.commit({"b/x": "2"})
    made.git("merge", "--quiet", "--no-edit", "side")
    last = made.commit({"a/y": "3"})
    found = lineage.read(made.path / ".git", last)
    assert [link.commit for link in found.since(first, "a")] == [last, side]
    assert [link.commit for link in found.since(first, "b")] == [straight]
    assert [link.commit for link in found.since(straight, "a")] == [last, side]
    assert [link.commit for link in found.since(side, "")] == [last, straight]
    assert found.since(last, "a") == []
    assert found.since("0" * 40, "a") is None
    assert found.links[side].subject == "on the side: ü"
    assert "odd name\n" in found.links[side].paths
    assert (found.last("b").commit, found.last("none")) == (straight, None)


def test_a_commit_is_told_with_what_it_builds_on_by_its_first_digits(repo):
    made = repo({"x": "1"})
    place = made.path / ".git"
    commits = [made.git("rev-parse", "HEAD"), made.commit({"x": "2"}), made.commit({"x": "3"})]
    assert lineage.upto(place, commits[1][:9]) == [commits[1], commits[0]]
    assert lineage.upto(place, commits[2], most=2) == [commits[2], commits[1]]
    assert lineage.upto(place, "0" * 40) == []
    # What is no commit is none by another name either.
    assert lineage.upto(place, made.git("rev-parse", "HEAD^{tree}")) == []
    for text in ("main", "--all", "HEAD~1", ""):
        with pytest.raises(InputError):
            lineage.upto(place, text)
