"""What becomes of a template folder's entries."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.defaults.engine import build_engine
from portal.errors import InputError, NotAllowedError, TemplateError
from portal.scaffolder.binary import is_binary
from portal.scaffolder.glob import select
from portal.scaffolder.skeleton import (
    SkeletonEntry,
    SkeletonOptions,
    encode_text,
    render_file,
    render_skeleton,
    resolve_inside,
)

PNG = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR ${{ values.name }}"
VALUES = {"name": "atlas", "blank": "", "up": "../../x", "dot": ".", "sub": "pkg/core", "on": True, "off": False}


@pytest.fixture(scope="module")
def engine():
    with build_engine({}) as it:
        yield it


@pytest.fixture
def render(engine):
    def rendered(files, *, existing=(), **options):
        entries = [entry(path, content) for path, content in files.items()]
        return render_skeleton(entries, SkeletonOptions(VALUES, **options), engine=engine, existing=existing)

    return rendered


def entry(path, content):
    if content is None:
        return SkeletonEntry(path, "directory")
    if isinstance(content, SkeletonEntry):
        return content
    return SkeletonEntry(path, content=content.encode() if isinstance(content, str) else content)


def link(path, target):
    return SkeletonEntry(path, "symlink", target=target)


def written(skeleton):
    assert skeleton.fault is None
    return {
        entry.path: {"directory": None, "symlink": entry.target}.get(entry.kind, entry.content)
        for entry in skeleton.entries
    }


def test_names_and_bodies_are_rendered(render):
    files = {"${{ values.name }}": None, "${{ values.name }}/a.txt": "I am ${{ values.name }}\r\n"}
    assert written(render(files)) == {"atlas": None, "atlas/a.txt": b"I am atlas\r\n"}


def test_the_permission_bits_are_kept(render):
    script = SkeletonEntry("run.sh", mode=0o755, content=b"${{ values.name }}")
    (result,) = render({"run.sh": script}).entries
    assert (result.mode, result.content) == (0o755, b"atlas")


def test_a_name_with_an_empty_segment_is_left_out_with_all_below(render):
    files = {
        "{% if values.off %}gone{% endif %}": None,
        "${{ values.blank }}/f": "x",
        "a/${{ values.blank }}": "x",
        "a/${{ values.blank }}/f": "x",
        "{% if values.on %}kept{% endif %}": "x",
    }
    assert written(render(files)) == {"kept": b"x"}


def test_binary_files_are_copied_to_a_rendered_name(render):
    assert written(render({"${{ values.name }}.png": PNG})) == {"atlas.png": PNG}


def test_bad_bytes_of_a_text_file_become_replacement_characters(render):
    content = b"name ${{ values.name }} of a long enough text, so that one byte is no tenth: \xff"
    (body,) = written(render({"f": content})).values()
    assert body == b"name atlas of a long enough text, so that one byte is no tenth: \xef\xbf\xbd"


def test_a_byte_order_mark_stays(render):
    assert written(render({"f": b"\xef\xbb\xbf${{ values.name }}"})) == {"f": b"\xef\xbb\xbfatlas"}


def test_copied_files_keep_their_bytes_but_not_their_names(render):
    files = {"raw": None, "raw/${{ values.name }}": b"${{ x }} \xff", "b": "${{ values.name }}"}
    expected = {"raw": None, "raw/atlas": b"${{ x }} \xff", "b": b"atlas"}
    assert written(render(files, copy_without_templating=["raw"])) == expected


def test_only_files_with_the_extension_are_rendered_and_lose_it(render):
    files = {"a.txt.njk": "${{ values.name }}", "b.txt": "${{ x }}", "${{ values.name }}.md": "n", "d.njk": None}
    expected = {"a.txt": b"atlas", "b.txt": b"${{ x }}", "atlas.md": b"n", "d.njk": None}
    assert written(render(files, template_file_extension=True)) == expected
    assert written(render({"a.j2": "${{ values.name }}"}, template_file_extension="j2")) == {"a": b"atlas"}


@pytest.mark.parametrize("other", [{"copy_without_templating": []}, {"cookiecutter_compat": True}])
def test_an_extension_excludes_the_other_ways_to_choose(render, other):
    with pytest.raises(InputError, match="give one of the two"):
        render({"a": "x"}, template_file_extension=True, **other)


def test_cookiecutter_templates_have_their_own_root_and_delimiters(render):
    files = {"{{ cookiecutter.name }}": "{{ cookiecutter.on }} ${{ values.name }}"}
    assert written(render(files, cookiecutter_compat=True)) == {"atlas": b"true $"}


def test_existing_files_are_kept_unless_replaced(render):
    files = {"d": None, "d/${{ values.name }}": "new ${{ nosuch | filter }}", "d/b": "new"}
    skeleton = render(files, existing={"d", "d/atlas"})
    assert (written(skeleton), skeleton.kept) == ({"d/b": b"new"}, ("d/atlas",))
    assert written(render({"a": "new"}, existing={"a"}, replace=True)) == {"a": b"new"}


def test_of_two_entries_with_one_name_the_first_is_kept(render):
    assert written(render({"${{ 'x' }}": "1", "x": "2"})) == {"x": b"1"}


def test_a_faulty_body_stops_after_the_entries_before_it(render):
    skeleton = render({"a": "ok", "b": "${{ values.name | nosuch }}", "c": "ok", "${{ z | nosuch }}": "x"})
    assert [entry.path for entry in skeleton.entries] == []
    skeleton = render({"a": "ok", "b": "${{ values.name | nosuch }}", "c": "ok"})
    assert [entry.path for entry in skeleton.entries] == ["a"]
    assert isinstance(skeleton.fault, TemplateError)
    assert skeleton.fault.message == 'b:1:19: Unknown template filter "nosuch"'


@pytest.mark.parametrize("name", ["${{ values.up }}/a", "a/../../${{ values.name }}", "${{ '..' }}", "a${{ '\\0' }}\0"])
def test_a_name_that_leaves_the_target_is_refused(render, name):
    skeleton = render({name: "x", "zz": "x"})
    assert isinstance(skeleton.fault, NotAllowedError)
    assert skeleton.entries == ()


def test_a_name_that_turns_back_inside_the_target_is_allowed(render):
    assert written(render({"${{ 'a/../b' }}": "x", "${{ values.dot }}": "x"})) == {"b": b"x"}


def test_links_are_copied_with_their_target_as_it_is(render):
    files = {"ln": link("ln", "later ${{ values.name }}"), "${{ values.name }}": link("${{ values.name }}", "ln")}
    assert written(render(files)) == {"ln": "later ${{ values.name }}", "atlas": "ln"}


@pytest.mark.parametrize("links", [
    {"out": "../x"},
    {"out": "/etc/passwd"},
    {"out": "a/../../x"},
    {"a/deep/root": "../..", "out": "a/deep/root/../x"},
    {"out": "out"},
])  # fmt: skip
def test_links_out_of_the_template_are_left_out(render, links):
    skeleton = render({path: link(path, target) for path, target in links.items()})
    assert "out" not in written(skeleton)


def test_a_link_that_a_shorter_name_would_let_out_is_refused(render):
    path = "a/${{ values.dot }}/ln"
    skeleton = render({path: link(path, "../../x")})
    assert isinstance(skeleton.fault, NotAllowedError)


def test_one_file_is_always_text(engine):
    options = SkeletonOptions(VALUES)
    assert render_file(b"hi ${{ values.name }}", options, engine=engine, name="one.txt") == b"hi atlas"
    with pytest.raises(TemplateError, match=r"^one\.txt:1:"):
        render_file(b"${{ x | nosuch }}", options, engine=engine, name="one.txt")


def test_half_a_surrogate_pair_is_written_as_a_replacement_character():
    assert encode_text("a\ud83db😀") == "a\ufffdb😀".encode()


@pytest.mark.parametrize(("path", "base", "expected"), [
    ("./", "", ""), ("", "", ""), ("a//b/./c", "", "a/b/c"), ("../b", "a", "b"), ("..", "a", ""),
])  # fmt: skip
def test_paths_get_a_normal_form(path, base, expected):
    assert resolve_inside(path, base=base) == expected


@pytest.mark.parametrize(
    ("path", "base"), [("..", ""), ("../x", ""), ("/x", ""), ("/x", "a"), ("a/../..", ""), ("\0", "")]
)
def test_paths_out_of_the_folder_are_refused(path, base):
    with pytest.raises(NotAllowedError):
        resolve_inside(path, base=base)


TREE = {"a.txt", ".env", "raw/a.txt", "raw/.git/config", "raw/deep/b.py", "raw-not/c.py"}


@pytest.mark.parametrize(("patterns", "expected"), [
    (["**"], TREE),
    (["*"], {"a.txt", ".env"}),
    (["**/*.txt"], {"a.txt", "raw/a.txt"}),
    (["raw"], {"raw/a.txt", "raw/.git/config", "raw/deep/b.py"}),
    (["./raw/"], {"raw/a.txt", "raw/.git/config", "raw/deep/b.py"}),
    (["raw/*"], {"raw/a.txt"}),
    (["raw/**/*.py"], {"raw/deep/b.py"}),
    (["{a.txt,raw/deep/*}"], {"a.txt", "raw/deep/b.py"}),
    (["@(a|b).txt"], {"a.txt"}),
    (["[a-c].t?t", "[!a]*"], {"a.txt", ".env"}),
    (["[^a]*"], {".env"}),
    (["**", "!raw/**"], {"a.txt", ".env", "raw-not/c.py"}),
    (["!raw/**", "**"], TREE),
    (["!a.txt"], set()),
    (["**/raw/**"], {"raw/a.txt", "raw/.git/config", "raw/deep/b.py"}),
    (["*/", "a.txt/"], set()), (["./"], TREE),
        (["/a.txt", "../a.txt", "/"], set()),
])  # fmt: skip
def test_patterns_select_paths(patterns, expected):
    assert select(patterns, TREE, directories={"raw", "raw/deep", "raw/.git", "raw-not"}) == expected


@pytest.mark.parametrize("pattern", ["!(a).txt", "+(a)", "{1..3}", "x" * 2000, "{a,b}" * 12, ""])
def test_patterns_that_are_not_understood_are_refused(pattern):
    with pytest.raises(InputError, match="pattern"):
        select([pattern], TREE)


def test_a_hostile_pattern_takes_no_time():
    assert select(["*a" * 400 + "b", "**/" * 300 + "b"], {"a" * 250, "a/" * 120 + "a"}) == set()


@given(st.text(alphabet="ab*?[]{},!()|@/.\\", max_size=20))
def test_patterns_are_matched_or_refused(pattern):
    with suppress(InputError):
        assert select([pattern], TREE) <= TREE


@pytest.mark.parametrize(("content", "binary"), [
    (b"", False), (b"plain\n", False), ("é😀ü".encode(), False),
    (b"\xef\xbb\xbf\x00", False), (b"\xff\xfea\x00", False),
    (b"a\x00b", True), (b"%PDF-1.7", True), (b"\x80" * 20, True), (b"a" * 510 + "é".encode(), False),
    (b"a" * 600 + b"\x00", False), (b"\x08\x80\x01\x10\x80\x02" + b"\x08\x01" * 30, True),
])  # fmt: skip
def test_binary_files_are_told_from_text(content, binary):
    assert is_binary(content) is binary
