"""Amending catalog files: what is asked for changes, all else stays byte by byte."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from portal.errors import InputError
from portal.ingest.amend import amend
from portal.ingest.yaml import parse
from portal.model.amendment import Addition, Amendment, FileAmendments
from portal.model.ref import EntityRef

A = EntityRef("group:default/a")
B = EntityRef("group:default/b")


def group(inside: str, name: str = "a") -> str:
    return f"kind: Group\nmetadata:\n  name: {name}\nspec:\n{inside}"


def amended(text: str, *amendments: Amendment, **more: Any) -> str:
    content = text.encode()
    return amend(content, FileAmendments({A: amendments} if amendments else {}, **more), location="f").decode()


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("  owner: old # why\n", "  owner: new # why\n"),
        ("  owner: 'old'   # why\n", "  owner: 'new'   # why\n"),
        ('  "owner":   "old"\n', '  "owner":   "new"\n'),
        ("  {owner: old, type: x}\n", "  {owner: new, type: x}\n"),
        ("  owner:\n    # deep\n    old\n  z: Ü # é\n", "  owner:\n    # deep\n    new\n  z: Ü # é\n"),
        ("  owner: old", "  owner: new"),
        ("  a: &x 1\n  b: *x\n  owner: old\n", "  a: &x 1\n  b: *x\n  owner: new\n"),
        ("  <<: {owner: old}\n  owner: old\n", "  <<: {owner: old}\n  owner: new\n"),
    ],
)
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_text_is_replaced_where_it_stands(before: str, after: str, end: str) -> None:
    done = amended(group(before).replace("\n", end), Amendment(("spec", "owner"), "old", "new"))

    assert done == group(after).replace("\n", end)


@pytest.mark.parametrize("new", ["123", "true", "1e3", "null", "0x1f"])
def test_a_text_that_yaml_takes_for_another_value_is_quoted(new: str) -> None:
    done = amended(group("  owner: old\n  in: {owner: old}\n"), Amendment(("spec", "owner"), "old", new))

    assert f"  owner: '{new}'\n" in done


def removal(index: int, old: str = "x") -> Amendment:
    return Amendment(("spec", "list", index), old)


def appended(new: str) -> Amendment:
    return Amendment(("spec", "list"), None, new)


@pytest.mark.parametrize(
    ("before", "changes", "after"),
    [
        ("  list: [x, y] # c\n", [removal(0)], "  list: [y] # c\n"),
        ("  list: [y, x] # c\n", [removal(1)], "  list: [y] # c\n"),
        ("  list: [x, x, y, x]\n", [removal(0), removal(1), removal(3)], "  list: [y]\n"),
        ("  list: [ x ]\n", [removal(0)], "  list: []\n"),
        ("  list: [x]\n", [removal(0), appended("z")], "  list: [z]\n"),
        ("  list: [y, x]\n", [removal(1), appended("z"), appended("w")], "  list: [y, z, w]\n"),
        ("  list: []\n", [appended("z")], "  list: [z]\n"),
        ("  list: [\n    x, # one\n    y,\n  ]\n", [appended("z")], "  list: [\n    x, # one\n    y, z,\n  ]\n"),
        ("  list: # c\n    - x # gone\n    # stays\n    - y\n", [removal(0)], "  list: # c\n    # stays\n    - y\n"),
        ("  list:\n  - x\n  z: 1\n", [removal(0)], "  list: []\n  z: 1\n"),
        ("  list:\n  -  y # c\n\n  # z\n  z: 1\n", [appended("w")], "  list:\n  -  y # c\n  -  w\n\n  # z\n  z: 1\n"),
        ("  list:\n  - y", [appended("w")], "  list:\n  - y\n  - w"),
        ("  list:\n  - x", [removal(0), appended("w")], "  list:\n  - w\n"),
        (
            "  list:\n  - {a: 1} # c\n  - a: 2\n    b: 3\n\n  z: 1\n",
            [removal(1)],
            "  list:\n  - {a: 1} # c\n\n  z: 1\n",
        ),
    ],
)
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_items_go_and_come(before: str, changes: list[Amendment], after: str, end: str) -> None:
    assert amended(group(before).replace("\n", end), *changes) == group(after).replace("\n", end)


@pytest.mark.parametrize(
    ("inside", "amendment", "reason"),
    [
        ("  owner: &o old\n  other: *o\n", Amendment(("spec", "owner"), "old", "new"), 'anchor "&o"'),
        ("  other: &o old\n  owner: *o\n", Amendment(("spec", "owner"), "old", "new"), 'anchor "&o"'),
        ("  <<: {owner: old}\n", Amendment(("spec", "owner"), "old", "new"), "not written"),
        ("  owner: >-\n    old\n", Amendment(("spec", "owner"), "old", "new"), "block of text"),
        ("  owner: {$text: ./owner}\n", Amendment(("spec", "owner"), "old", "new"), 'not written as "old"'),
        ("  list: [x, # one\n    y]\n", Amendment(("spec", "list", 0), "x"), "comments between its items"),
        ("  list: [x # one\n    ]\n", Amendment(("spec", "list", 0), "x"), "comments between its brackets"),
        ("  list: &l [x]\n", Amendment(("spec", "list"), None, "y"), "anchor"),
        ("  owner: other\n", Amendment(("spec", "owner"), "old", "new"), 'not written as "old"'),
    ],
)
def test_what_cannot_be_amended_by_itself_is_refused(inside: str, amendment: Amendment, reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        amended(group(inside), amendment)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("# head\nA---\nB", "# head\nB"),
        ("# head\n---\nA---\nB", "# head\n---\nB"),
        ("B---\nA", "B"),
        ("B---\n# about a\nA--- # about b\nC", "B--- # about b\nC"),
        ("A--- # b\nB", "--- # b\nB"),
        ("A", ""),
        ("---\nA", ""),
        ("A...\n---\nB", "...\n---\nB"),
    ],
)
def test_a_document_goes_with_its_separator(before: str, after: str) -> None:
    texts = {name: group("  type: team\n", name.lower()) for name in "ABC"}

    def filled(text: str) -> str:
        for name, document in texts.items():
            text = text.replace(name, document)
        return text

    assert amended(filled(before), dropped=[A]) == filled(after)


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("last", ["", "END"])
def test_documents_come_behind_one_that_may_go(end: str, last: str) -> None:
    text = (group("  type: team\n") + "---\n" + group("  type: team # c\n", "c")).replace("\n", end)
    text = text if last else text.removesuffix(end)
    added = [Addition(A, {"kind": "Group", "metadata": {"name": name}}) for name in ("b1", "b2")]

    done = amended(text, added=added, dropped=[A])

    assert [document.value["metadata"]["name"] for document in parse(done.encode())] == ["b1", "b2", "c"]
    assert done.endswith(text[text.index("---") :])
    assert ("\r" in done) == (end == "\r\n")
    assert done.count("\n") == done.count(end)


def test_other_documents_may_be_faulty() -> None:
    text = "a: [\n---\n" + group("  owner: old\n")

    assert amended(text, Amendment(("spec", "owner"), "old", "new")) == text.replace("old", "new")


COMMENTS = st.sampled_from(["", " # c", "  # é: [x]", " # - owner: a"])
BLANKS = st.sampled_from(["", "\n", "  # alone\n", "# left\n", "\n\n"])
NAMES = st.sampled_from(["a", "b", "team-x", "group:default/a", "x1"])


@st.composite
def lists(draw: st.DrawFn, names: Sequence[str]) -> str:
    """A list in one of the ways that people write them, below a key at column 2."""
    style = draw(st.sampled_from(["flow", "lines", "block", "flush"])) if names else "flow"
    quoted = [draw(st.sampled_from(["{}", "'{}'", '"{}"'])).format(name) for name in names]
    if style == "flow":
        space = draw(st.sampled_from(["", " "]))
        return f" [{space}{draw(st.sampled_from([', ', ',', ' , ' if space else ', '])).join(quoted)}{space}]" + (
            draw(COMMENTS) + "\n"
        )
    if style == "lines":
        return " [\n" + ",\n".join(f"      {item}" for item in quoted) + "\n    ]" + draw(COMMENTS) + "\n"
    indent = "  " if style == "flush" else "      "
    lines = [f"{indent}- {item}{draw(COMMENTS)}\n{draw(BLANKS)}" for item in quoted]
    return draw(COMMENTS) + "\n" + draw(BLANKS) + "".join(lines)


@st.composite
def files(draw: st.DrawFn) -> tuple[str, list[list[str]]]:
    """A file of some groups, each with an owner and a list of members, and these lists."""
    texts, members = [], []
    for number in range(draw(st.integers(1, 3))):
        names = draw(st.lists(NAMES, max_size=4))
        members.append(names)
        quote = draw(st.sampled_from(["", "'", '"']))
        texts.append(
            f"{draw(BLANKS)}kind: Group{draw(COMMENTS)}\nmetadata: {{name: g{number}}}\n{draw(BLANKS)}"
            f"spec:{draw(COMMENTS)}\n  type: team\n  owner: {quote}old{quote}{draw(COMMENTS)}\n{draw(BLANKS)}"
            f"  members:{draw(lists(names))}{draw(BLANKS)}  last: 1{draw(COMMENTS)}\n{draw(BLANKS)}"
        )
    text = draw(st.sampled_from(["", "---\n"])) + "---\n".join(texts)
    text = text if draw(st.booleans()) else text.rstrip("\n")
    return text.replace("\n", draw(st.sampled_from(["\n", "\r\n"]))), members


@given(made=files(), choices=st.data())
@settings(max_examples=150, deadline=None)
def test_the_difference_is_the_intended_one_and_other_lines_stay(
    made: tuple[str, list[list[str]]], choices: st.DataObject
) -> None:
    text, members = made
    number = choices.draw(st.integers(0, len(members) - 1))
    names = members[number]
    gone = choices.draw(st.sets(st.sampled_from(range(len(names))))) if names else set()
    come = choices.draw(st.lists(st.sampled_from(["new1", "user:default/new2"]), max_size=2))
    amendments = [Amendment(("spec", "owner"), "old", "new")]
    amendments += [Amendment(("spec", "members", index), names[index]) for index in gone]
    amendments += [Amendment(("spec", "members"), None, name) for name in come]
    ref = EntityRef(f"group:default/g{number}")

    done = amend(text.encode(), FileAmendments({ref: amendments}), location="f").decode()

    wanted = [document.value for document in parse(text.encode())]
    wanted[number]["spec"]["owner"] = "new"
    wanted[number]["spec"]["members"] = [name for index, name in enumerate(names) if index not in gone] + come
    assert [document.value for document in parse(done.encode())] == wanted
    before, after = text.splitlines(keepends=True), done.splitlines(keepends=True)
    taken = [line[2:] for line in difflib.ndiff(before, after) if line.startswith("- ")]
    # The owner's line, and at most the lines of the list that is changed.
    assert sum("old" in line for line in taken) == 1
    # Of lines that are all alike, as empty ones are, it is told at random which has gone: none has.
    assert sum(not line.strip() for line in before) == sum(not line.strip() for line in after)
    touched = [line for line in taken if "old" not in line and line.strip()]
    if gone or come:
        assert len(touched) <= len(gone) + len(names) + 2
        assert all("members" in line or any(name in line for name in [*names, "]"]) for line in touched)
    else:
        assert not touched
    comments = [line for line in before if line.strip().startswith("#")]
    assert [line for line in after if line.strip().startswith("#")] == comments
