"""Roadie's actions write, read and change files of the workspace, and nothing else."""

from __future__ import annotations

import pytest
from acting import tree, write
from hypothesis import given
from hypothesis import strategies as st

from portal.actions.roadie_files import FileAppend, FileParse, FileReplace, FileWrite
from portal.actions.scripting import call_script
from portal.errors import ActionError, InputError, NotAllowedError


def test_write_makes_folders_and_keeps_modes(run):
    write(run.work, {"run.sh": "old"})
    (run.work / "run.sh").chmod(0o755)
    assert run(FileWrite(), {"path": "./a/../b/c.txt", "content": "é\n"})[0] == {"path": "b/c.txt"}
    run(FileWrite(), {"path": "run.sh", "content": "new"})
    assert tree(run.work) == {"b/c.txt": "é\n", "run.sh": "new"}
    assert (run.work / "run.sh").stat().st_mode & 0o111


def test_write_indents_json_where_it_is_asked_to(run):
    run(FileWrite(), {"path": "x.json", "content": '{"a": [1]}', "preserveFormatting": True})
    assert tree(run.work) == {"x.json": '{\n  "a": [\n    1\n  ]\n}'}
    with pytest.raises(InputError, match="no JSON"):
        run(FileWrite(), {"path": "x.json", "content": "a: 1", "preserveFormatting": True})


def test_append_makes_the_file_and_not_its_folder(run):
    for text in ("one\n", "two\n"):
        assert run(FileAppend(), {"path": "log", "content": text})[0] == {"path": "log"}
    assert tree(run.work) == {"log": "one\ntwo\n"}
    with pytest.raises(ActionError, match='folder of "a/b"'):
        run(FileAppend(), {"path": "a/b", "content": ""})


@pytest.mark.parametrize(
    ("text", "parser", "content"),
    [
        ("a: 1", None, "a: 1"),
        ("a: 1\non: yes\nd: 2020-01-01", "yaml", {"a": 1, "on": "yes", "d": "2020-01-01"}),
        ("", "yaml", None),
        ('{"a": [1.5]}', "json", {"a": [1.5]}),
        ("a: 1\n---\n- b\n", "multiyaml", [{"a": 1}, ["b"]]),
    ],
)
def test_parse_reads_files_for_later_steps(run, text, parser, content):
    write(run.work, {"f": text})
    assert run(FileParse(), {"path": "f"} | ({"parser": parser} if parser else {}))[0] == {"content": content}


@pytest.mark.parametrize(
    ("text", "parser", "message"),
    [
        ("{", "json", "f: found no JSON"),
        ("a: [", "yaml", "f:2:1: The YAML cannot be parsed"),
        ("a: 1\n---\nb: 2", "yaml", "multiyaml"),
        ("a: 1", "toml", "expected one of yaml, json, multiyaml"),
        ("a: &a [x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a]\n" + "".join(
            f"{new}: &{new} [{','.join([f'*{old}'] * 8)}]\n" for old, new in zip("bcdefgh", "cdefghi", strict=True)
        ), "yaml", "f:"),
    ],
)  # fmt: skip
def test_parse_tells_what_cannot_be_read(run, text, parser, message):
    write(run.work, {"f": text})
    with pytest.raises(InputError, match=message):
        run(FileParse(), {"path": "f", "parser": parser})


def test_a_file_that_is_too_large_is_not_put_into_the_task(run):
    with (run.work / "large").open("wb") as file:
        file.truncate(6 * 1024 * 1024)
    with pytest.raises(ActionError, match="6,291,456 bytes"):
        run(FileParse(), {"path": "large"})
    with pytest.raises(ActionError, match="no file"):
        run(FileParse(), {"path": "absent"})


SAME = {"a.py": "old old", ".b.py": "old", "d/c.py": "old(1)"}


@pytest.mark.parametrize(
    ("item", "expected"),
    [
        (
            {"file": "a.py", "find": "old", "replaceWith": "new"},
            SAME | {"a.py": "new new"},
        ),
        (
            {"file": "**/*.py", "find": "old", "replaceWith": "$&!"},
            SAME | {"a.py": "old! old!", "d/c.py": "old!(1)"},
        ),
        (
            {"file": "*.py", "find": "old", "replaceWith": "x", "includeDotFiles": True},
            SAME | {"a.py": "x x", ".b.py": "x"},
        ),
        ({"file": ".b.py", "find": "old", "replaceWith": "x"}, SAME | {".b.py": "x"}),
        (
            {"file": "d", "find": "(?<name>o\\w+)\\((\\d)\\)", "replaceWith": "$2$<name>", "matchRegex": True},
            SAME | {"d/c.py": "1old"},
        ),
        (
            {"file": "absent", "find": "old", "replaceWith": "x"},
            SAME,
        ),
    ],
)
def test_replace_works_as_javascript_does(run, item, expected):
    write(run.work, SAME)
    run(FileReplace(), {"files": [item]})
    assert tree(run.work) == expected


def test_replace_leaves_what_is_no_text_and_what_has_nothing_to_replace(run):
    (run.work / "logo").write_bytes(b"old\xff")
    write(run.work, {"same": "x\0y"})
    before = (run.work / "same").stat().st_mtime_ns
    _, lines = run(FileReplace(), {"files": [{"file": "*", "find": "old", "replaceWith": "new"}]})
    assert (run.work / "logo").read_bytes() == b"old\xff"
    assert (run.work / "same").stat().st_mtime_ns == before
    assert lines == ["logo is no text and stays as it is", "Replaced in 0 of 2 files that * means"]


@pytest.mark.parametrize(
    ("item", "error", "message"),
    [
        ({"file": "a", "find": "x", "replaceWith": ""}, InputError, "find and replaceWith"),
        ({"file": "", "find": "x", "replaceWith": "y"}, InputError, "Path to file"),
        ({"file": "a", "find": "(", "replaceWith": "y", "matchRegex": True}, InputError, "expecting"),
    ],
)
def test_replace_tells_what_is_missing(run, item, error, message):
    write(run.work, {"a": "x"})
    with pytest.raises(error, match=message):
        run(FileReplace(), {"files": [item]})


def test_an_expression_that_never_ends_is_ended(run):
    with pytest.raises(ActionError, match=r"longer than 0\.2 s"):
        call_script("const main = (text) => /^(a+)+$/.test(text);", "a" * 40 + "!", action_id="x", seconds=0.2)
    with pytest.raises(ActionError, match=r"longer than 0\.2 s"):
        call_script("const main = async () => { for (;;) await null; };", None, action_id="x", seconds=0.2)
    with pytest.raises((ActionError, InputError), match="memory"):
        call_script('const main = () => { let a = "x"; for (;;) a += a.repeat(2) + [a]; };', None, action_id="x")


@given(st.text(st.characters(exclude_categories=())))
def test_any_text_goes_through_javascript_unchanged(text):
    assert call_script("const main = (text) => text;", text, action_id="x") == text


@pytest.mark.parametrize("path", ["../x", "/etc/passwd", "out/x", "a\0b"])
def test_nothing_outside_of_the_workspace_is_touched(run, path):
    write(run.folder / "outside", {"x": "mine"})
    (run.work / "out").symlink_to("../outside")
    for action, given_input in (
        (FileWrite(), {"path": path, "content": "no"}),
        (FileAppend(), {"path": path, "content": "no"}),
        (FileParse(), {"path": path}),
        (FileReplace(), {"files": [{"file": path, "find": "mine", "replaceWith": "no"}]}),
    ):
        with pytest.raises(NotAllowedError):
            run(action, given_input)
    assert tree(run.folder / "outside") == {"x": "mine"}
    # What a glob finds is a link, not what is behind it.
    with pytest.raises(NotAllowedError):
        run(FileReplace(), {"files": [{"file": "*", "find": "mine", "replaceWith": "no"}]})
