"""Values are merged into files; comments stay where they are asked to."""

from __future__ import annotations

import pytest
from acting import tree, write
from hypothesis import assume, given
from hypothesis import strategies as st

from portal.actions.roadie_merge import FileMerge, JsonMerge, YamlMerge
from portal.actions.yaml_merge import merge_into_yaml
from portal.errors import ActionError, InputError, NotAllowedError
from portal.ingest.yaml import parse
from portal.ingest.yaml_text import to_yaml
from portal.scaffolder.merging import merge

COMMENTED = """\
# Settings
a: 1 # one
list:
  # first
  - x
  - "y"
deep:
  on: yes # text
"""


def test_json_is_merged_into_a_file_or_a_new_one(run):
    write(run.work, {"p.json": '{\n\t"a": {"b": 1},\n\t"l": [1]\n}'})
    assert run(JsonMerge(), {"path": "p.json", "content": {"a": {"c": 2}}, "matchFileIndent": True})[0] == {
        "path": "p.json"
    }
    run(JsonMerge(), {"path": "n/new.json", "content": '{"l": [2]}'})
    run(JsonMerge(), {"path": "n/new.json", "content": {"l": [2, 3]}, "mergeArrays": True})
    assert tree(run.work) == {
        "n/new.json": '{\n  "l": [\n    2,\n    3\n  ]\n}',
        "p.json": '{\n\t"a": {\n\t\t"b": 1,\n\t\t"c": 2\n\t},\n\t"l": [\n\t\t1\n\t]\n}',
    }


def test_yaml_is_merged_without_or_with_its_comments(run):
    write(run.work, {"plain.yaml": COMMENTED, "kept.yml": COMMENTED})
    change = {"a": 2, "list": ["z"], "deep": {"off": "no"}, "new": {"k": "v"}}
    run(FileMerge(), {"path": "plain.yaml", "content": change, "mergeArrays": True})
    run(FileMerge(), {"path": "kept.yml", "content": change, "mergeArrays": True, "preserveYamlComments": True})
    found = tree(run.work)
    assert found["plain.yaml"] == (
        "a: 2\nlist:\n  - x\n  - y\n  - z\ndeep:\n  'on': 'yes'\n  'off': 'no'\nnew:\n  k: v\n"
    )
    assert found["kept.yml"] == (
        '# Settings\na: 2 # one\nlist:\n  # first\n  - x\n  - "y"\n  - z\n'
        "deep:\n  on: yes # text\n  off: no\nnew:\n  k: v\n"
    )


@pytest.mark.parametrize("keeps", [False, True])
def test_of_several_documents_the_selected_one_is_changed(run, keeps):
    write(run.work, {"d.yaml": "kind: A\nmeta:\n  n: 1\n---\nkind: B\nmeta:\n  n: 2\n"})
    given_input = {"path": "d.yaml", "content": "x: 1", "preserveYamlComments": keeps}
    for selection in ({"key": "kind", "value": "B"}, {"key": "meta.n", "value": "2"}):
        run(FileMerge(), given_input | {"useDocumentIncludingField": selection})
    assert tree(run.work) == {"d.yaml": "kind: A\nmeta:\n  n: 1\n---\nkind: B\nmeta:\n  n: 2\nx: 1\n"}
    with pytest.raises(ActionError, match="Multiple documents found"):
        run(FileMerge(), given_input)
    _, lines = run(FileMerge(), given_input | {"useDocumentIncludingField": {"key": "kind", "value": "C"}})
    assert "No document of d.yaml has kind: C" in lines


def test_a_field_that_selects_nothing_that_could_be_meant_is_told(run):
    write(run.work, {"d.yaml": "kind: A\n---\nkind: [B]\n"})
    with pytest.raises(ActionError, match="must be a string or a number"):
        run(
            FileMerge(),
            {"path": "d.yaml", "content": "x: 1", "useDocumentIncludingField": {"key": "kind", "value": "A"}},
        )


def test_yaml_merge_makes_the_file_and_asks_for_no_ending(run):
    run(YamlMerge(), {"path": "settings", "content": "a:\n  b: 1"})
    run(YamlMerge(), {"path": "settings", "content": {"a": {"c": ["x"]}}, "options": {"indent": 4}})
    assert tree(run.work) == {"settings": "a:\n    b: 1\n    c:\n        - x\n"}


@pytest.mark.parametrize(
    ("action", "path", "content", "error", "message"),
    [
        (FileMerge(), "absent.yaml", {}, ActionError, "The file absent.yaml does not exist."),
        (FileMerge(), "a.txt", {}, InputError, r"expected a file .json, .yaml or .yml"),
        (FileMerge(), "a.json", {}, InputError, "a.json: found no JSON"),
        (FileMerge(), "bad.yaml", {}, InputError, "bad.yaml:2:1"),
        (FileMerge(), "empty.yaml", {}, ActionError, "No documents found"),
        (FileMerge(), "text.yaml", {}, InputError, "expected a mapping or a list"),
        (FileMerge(), "good.yaml", "a: 1\n---\nb: 1", InputError, "found 2 documents"),
        (FileMerge(), "good.yaml", "just text", InputError, "content: found 'just text'"),
        (JsonMerge(), "good.json", "a: 1", InputError, "content: found no JSON"),
        (JsonMerge(), "good.json", "3", InputError, "content: found 3"),
        (JsonMerge(), "../x.json", {}, NotAllowedError, "outside"),
        (YamlMerge(), "good.yaml", {}, InputError, "indent"),
    ],
)  # fmt: skip
def test_what_cannot_be_merged_is_told(run, action, path, content, error, message):
    files = {
        "a.txt": "x", "a.json": "{", "bad.yaml": "a: [", "empty.yaml": "# nothing\n", "text.yaml": "text",
        "good.yaml": "a: 1\n", "good.json": "{}",
    }  # fmt: skip
    write(run.work, files)
    options = {"options": {"indent": 40}} if message == "indent" else {}
    with pytest.raises(error, match=message):
        run(action, {"path": path, "content": content} | options)
    assert tree(run.work) == files


def test_anchors_are_not_changed_behind_the_authors_back():
    with pytest.raises(InputError, match="preserveYamlComments"):
        merge_into_yaml("a: &x\n  k: 1\nb: *x\n", {"b": {"k": 2}}, name="f")


TEXTS = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs")), max_size=6)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=6,
)
MAPPINGS = st.dictionaries(TEXTS, VALUES, min_size=1, max_size=3)


@given(MAPPINGS, MAPPINGS, st.booleans())
def test_a_merge_that_keeps_comments_means_what_one_without_does_or_is_refused(value, change, joins):
    text = to_yaml(value)
    assume(parse(text.encode())[0].value == value)
    try:
        result = merge_into_yaml(text, change, name="f", joins_lists=joins)
    except InputError:
        return
    assert parse(result.encode())[0].value == merge(value, change, joins_lists=joins)
