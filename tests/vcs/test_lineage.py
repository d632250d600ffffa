"""Which commits of a history changed which folders."""

from __future__ import annotations

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
