"""Backstage's reading of YAML, compared with npm `yaml` 2.9; where an expectation differs, a comment says why."""

from __future__ import annotations

import json
import math
import subprocess
import sys
import textwrap

import pytest

from portal.ingest.yaml import Document, YamlLimits, parse, spans
from portal.model.problem import PROBLEM_MESSAGES, Problem, Span


def values(text: str) -> list[object]:
    documents = parse(text.encode())
    assert [str(document.problem) for document in documents if document.problem] == []
    return [document.value for document in documents]


def value(text: str) -> object:
    (only,) = values(text)
    return only


def problem(text: str | bytes, **limits: int) -> Problem:
    content = text.encode() if isinstance(text, str) else text
    (found,) = [document.problem for document in parse(content, limits=YamlLimits(**limits)) if document.problem]
    assert found.code in PROBLEM_MESSAGES
    return found


@pytest.mark.parametrize(
    ("scalar", "expected"),
    [
        *((word, word) for word in ("yes", "no", "on", "off", "y", "n", "nULL", "tRUE", "NaN", ".Inf.", "=", "<<")),
        *(
            (word, word)
            for word in ("12:30", "190:20:30", "2024-01-02", "2024-01-02T03:04:05Z", "1_000", "0b11", "+0x1")
        ),
        *(
            (word, word)
            for word in ("a:b", "b#c", "http://x/y#z", "-x", "?x", ":x", "0o8", "1e", "e5", ".", "${{ x }}")
        ),
        *((word, None) for word in ("", "~", "null", "Null", "NULL", "# comment")),
        *((word, True) for word in ("true", "True", "TRUE")),
        *((word, False) for word in ("false", "False", "FALSE")),
        ("012", 12),
        ("0o12", 10),
        ("0x1f", 31),
        ("+7", 7),
        ("-0", 0),
        ("-0.0", 0),
        ("1e3", 1000),
        ("5.", 5),
        (".5", 0.5),
        ("-1.25E-2", -0.0125),
        ("e #f", "e"),
        ("'it''s'", "it's"),
        ('"\\u00e9\\x41\\/\\t"', "éA/\t"),
        ('"\\ud83d\\ude00 \\ud83d\\ude80"', "😀 🚀"),  # as JSON writes them
        ("'\\ud83d\\ude00'", "\\ud83d\\ude00"),
        ("é 漢字 🚀", "é 漢字 🚀"),
        ("x\u2028y\u2029z\x85w", "x\u2028y\u2029z\x85w"),  # line breaks in YAML 1.1 only
        ("[a, 1, {b: c}, [d]]", ["a", 1, {"b": "c"}, ["d"]]),
        ("{a, b: }", {"a": None, "b": None}),
        ('{"a":1}', {"a": 1}),
        ("\tx", "x"),
    ],
)
def test_a_scalar_means_what_backstage_takes_it_for(scalar: str, expected: object):
    read = value(f"a: {scalar}")
    assert read == {"a": expected}
    assert type(read["a"]) is type(expected)


def test_integers_of_64_bits_stay_exact_and_larger_ones_become_floats():
    # npm reads all of them as doubles; exact ones lose nothing and are equal as JSON numbers where npm's are exact
    assert value("[9007199254740993, -9223372036854775808, 18446744073709551615]") == [
        9007199254740993,
        -9223372036854775808,
        18446744073709551615,
    ]
    large = value("[18446744073709551616, 0xFFFFFFFFFFFFFFFFFF, 1e30]")
    assert large == [2.0**64, float(0xFFFFFFFFFFFFFFFFFF), 1e30]
    assert all(isinstance(number, float) for number in large)


def test_what_is_no_finite_number_is_a_float_still():
    read = value(f"[.inf, -.INF, .nan, 1e400, {'9' * 5000}, 0x{'f' * 5000}]")
    assert read[:2] == [math.inf, -math.inf]
    assert math.isnan(read[2])
    assert read[3:] == [math.inf, math.inf, math.inf]


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("1", "1"),
        ("1.0", "1"),
        ("0x1F", "31"),
        ("012", "12"),
        ("1e3", "1000"),
        ("1e21", "1e+21"),
        ("0.000001", "0.000001"),
        ("1e-7", "1e-7"),
        (".inf", "Infinity"),
        ("true", "true"),
        ("True", "true"),
        ("null", ""),
        ("~", ""),
        ("'null'", "null"),
        ("2020-01-01", "2020-01-01"),
        ("<<", "<<"),
        ("a b", "a b"),
        ("!!str 5", "5"),
        ("&k e", "e"),
        ("{{ x }}", "{ ? { x } }"),
        ("[a, 'b', \"c\", null]", "[ a, 'b', \"c\", null ]"),
        ("{x: }", "{ x: }"),
        ("{x: 1, y}", "{ x: 1, y }"),
        ("[]", "[]"),
    ],
)
def test_mapping_keys_become_strings(key: str, expected: str):
    assert value(f"{key}: v") == {expected: "v"}


def test_an_unrendered_placeholder_is_a_mapping_whose_key_is_a_mapping():
    assert value("name: {{ x }}") == {"name": {"{ x }": None}}
    assert value("name: {{ cookiecutter.name | jsonify }}") == {"name": {"{ cookiecutter.name | jsonify }": None}}
    assert value("name: {{ a, b: 1 }}") == {"name": {"{ a, b: 1 }": None}}


def test_a_key_may_be_an_alias_or_explicit():
    assert value("a: &x n\n? *x\n: v") == {"a": "n", "n": "v"}
    assert value("a: &x [1]\n? *x\n: v") == {"a": [1], "*x": "v"}
    assert value("? a\n: b\n? c") == {"a": "b", "c": None}
    assert value("? [a]\n: b") == {"[ a ]": "b"}


def test_a_key_may_be_empty():
    assert value(": a") == {"": "a"}
    assert value("a: 1\n: b") == {"a": 1, "": "b"}
    assert value("- : b") == [{"": "b"}]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a: |\n  x\n  y", "x\ny\n"),
        ("a: |-\n  x\n", "x"),
        ("a: |+\n  y\n\n", "y\n\n"),
        ("a: >\n  x\n  y\n\n  z\n", "x y\nz\n"),
        ("a: >-\n  x\n   more\n  y", "x\n more\ny"),
        ("a: |2\n   x\n", " x\n"),
        ("a: x\n  y\n\n  z", "x y\nz"),
        ("a: 'x\n  y'", "x y"),
        ('a: "x\\\n  y"', "xy"),
        ("a: |\r\n  x\r\n  y\r\n", "x\ny\n"),
    ],
)
def test_text_of_several_lines(text: str, expected: str):
    assert value(text) == {"a": expected}


def test_documents_are_counted_and_empty_ones_are_none():
    assert values("---\n---\na: 1\n---\n") == [None, {"a": 1}, None]
    assert values("a: 1\n...\n---\nb: 2") == [{"a": 1}, {"b": 2}]
    assert values("a: 1\n...\n# end\n") == [{"a": 1}]
    assert values("# nothing") == []
    assert values("") == []
    assert values("---") == [None]
    assert values("--- |\n  x\n--- {a: 1}\n--- y") == ["x\n", {"a": 1}, "y"]
    assert values("a: '---'\nb: ---x") == [{"a": "---", "b": "---x"}]
    assert [document.index for document in parse(b"---\n---\na: 1\n---\n")] == [0, 1, 2]


def test_a_document_knows_the_line_where_it_begins():
    assert [document.line for document in parse(b"a: 1\n---\nb: 2\n---\nc: [\n")] == [1, 3, 5]


def test_byte_order_mark_and_crlf_are_accepted():
    assert values("\ufeffa: 1\r\nb: x\r\n---\r\nc: 2\r\n") == [{"a": 1, "b": "x"}, {"c": 2}]


def test_merge_keys_are_plain_keys():
    assert value("x: &b {a: 1}\ny:\n  <<: *b\n  c: 2") == {"x": {"a": 1}, "y": {"<<": {"a": 1}, "c": 2}}


def test_aliases_give_the_value_they_name_and_an_anchor_may_be_set_again():
    assert value("x: &b [1, 2]\ny: *b") == {"x": [1, 2], "y": [1, 2]}
    assert value("a: &x 1\nb: &x 2\nc: *x") == {"a": 1, "b": 2, "c": 2}


def test_anchors_end_with_their_document():
    assert parse(b"a: &x 1\n---\nb: *x")[1].problem is not None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a: !!str 5", "5"),
        ("a: !!int '7'", 7),
        ("a: !!float 5.5", 5.5),
        ("a: !!bool 'true'", True),
        ("a: !!null ''", None),
        ("a: ! 5", "5"),
        ("a: !!map {b: 1}", {"b": 1}),
        ("a: !!seq [b]", ["b"]),
        ("a: !!timestamp 2001-01-01", "2001-01-01T00:00:00.000Z"),
    ],
)
def test_known_tags_are_followed_without_a_warning(text: str, expected: object):
    (document,) = parse(text.encode())
    assert (document.value, document.problem, document.warnings) == ({"a": expected}, None, ())


@pytest.mark.parametrize(
    ("tagged", "expected"),
    [
        ("!foo 5", "5"),
        ("!!float 5", "5"),
        ("!!int abc", "abc"),
        ("!foo [1]", [1]),
        ("!!str [1]", [1]),
        ("!!x {b: 1}", {"b": 1}),
    ],
)
def test_an_unknown_tag_leaves_the_value_with_a_warning(tagged: str, expected: object):
    (document,) = parse(f"x:\n  a: {tagged}".encode(), location="f.yaml")
    assert document.value == {"x": {"a": expected}}
    (warning,) = document.warnings
    assert (warning.code, warning.severity, warning.field, warning.span) == ("yaml-tag", "warning", "x.a", Span(2, 6))
    assert warning.location == "f.yaml"


def test_a_version_directive_switches_to_yaml_1_1_until_the_next_directive():
    legacy = "%YAML 1.1\n---\na: yes\nb: 012\nc: 0b11\nd: 1_000\ne: 12:30\nf: 2001-01-02\n---\na: yes\n"
    assert values(legacy + "...\n%YAML 1.2\n---\na: yes\n") == [
        {"a": True, "b": 10, "c": 3, "d": 1000, "e": 750, "f": "2001-01-02T00:00:00.000Z"},
        {"a": True},
        {"a": "yes"},
    ]
    assert value("%YAML 1.1\n---\nyes: 1\nt: 2001-12-14t21:59:43.10-05:00\nb: .") == pytest.approx(
        {"true": 1, "t": "2001-12-15T02:59:43.100Z", "b": math.nan}, nan_ok=True
    )


def test_top_level_lists_and_text_are_read_too():
    assert value("- a\n- b") == ["a", "b"]
    assert value("hello") == "hello"


def test_tabs_are_accepted_where_they_indent_nothing():
    assert value("a: x\n\t\nb: [1]\n \t \n\t# comment\nc:\n-\td\n- \te\nf:\t1") == {
        "a": "x",
        "b": [1],
        "c": ["d", "e"],
        "f": 1,
    }


@pytest.mark.parametrize(
    "text",
    [
        "a:\n\tb: 1",  # tabs as indentation
        "a: b: c",
        "a: [b",
        "a: {b: c",
        "a: 'x",
        "a: @x",
        "a: `x`",
        "a: %x",
        "a: {% if x %}",
        "{% if x %}\na: b\n{% endif %}",
        "a: {{ x }}-y",
        "a: 'x' y",
        "a: *nope",
        "a: *.md",
        'a: "\\q"',
        'a: "\\ud83d"',  # half a character: npm takes it, UTF-8 and JSON cannot carry it
        "a: 1\nb",
        "a:\n  b: 1\n c: 2",
        "- a\nb: c",
        "a: !x!y z",
        # what libyaml accepts and npm does not, found by comparing 200,000 mutated corpus files
        "a: 'x'#c",
        "a: [x]#c",
        "a: |#c\n  x",
        "a: 'x\ny'",
        "a:\n  b: 'x\n  y'",
        'a:\n- "x\ny"',
        "a: [x,\ny]",
        "a:\n  b: {\n}",
        "a:\n|-\n  x",
    ],
)
def test_what_backstage_refuses_is_refused(text: str):
    assert problem(text).code == "yaml-syntax"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a: [\n  x,\n  y\n]", {"a": ["x", "y"]}),
        ("a: {\n# comment\n  x: 1\n\n}", {"a": {"x": 1}}),
        ("a: 'x\n\n y'", {"a": "x\ny"}),
        ("- 'x\n y'", ["x y"]),
        ("'x\ny'", "x y"),
        ("a: &x\n  b: [\n  ]", {"a": {"b": []}}),
    ],
)
def test_brackets_and_quotes_may_span_indented_lines(text: str, expected: object):
    assert value(text) == expected


@pytest.mark.parametrize("text", ["a: 1\na: 2", "a:\n  b: 1\n  b: 2", "{a: 1, a: 2}", "null: 1\n~: 2"])
def test_duplicate_keys_are_an_error(text: str):
    assert problem(text).code == "yaml-duplicate-key"


def test_keys_are_compared_as_the_strings_they_become():
    # npm compares before, and lets the second value win
    assert problem("1: a\n'1': b").code == "yaml-duplicate-key"


def test_a_duplicate_key_names_its_place():
    found = problem("---\nx: 1\n---\nmetadata:\n  labels:\n    tier: a\n    tier: b\n")
    assert (found.span, found.field) == (Span(7, 5), "metadata.labels.tier")
    assert '"tier"' in found.found


def test_an_error_spoils_only_its_own_document():
    first, second, third = parse(b"a: 1\n---\nb: [\n---\nc: 3")
    assert (first.value, third.value) == ({"a": 1}, {"c": 3})
    assert second.value is None
    assert second.problem is not None


def test_a_syntax_error_names_its_place_in_the_file():
    second = parse(b"a: 1\n---\nb: 1\nc: d: e\n", location="catalog-info.yaml")[1].problem
    assert second is not None
    assert second.span == Span(4, 5)
    assert str(second) == (
        'catalog-info.yaml:4:5: The YAML cannot be parsed: found ": e"; expected one ": " in a line. '
        'Put the text in quotes if it holds ": "'
    )


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a:\n\tb: 1", "Indent with spaces"),
        ("owner: @team", "quotes"),
        ("a: {% if x %}", "template"),
        ("a: *nope", '"&nope"'),
        ("a: 'x\ny'", "begins in line 1"),
    ],
)
def test_a_problem_says_what_to_do(text: str, words: str):
    assert words in str(problem(text))


def test_an_alias_inside_the_value_it_names_is_refused():
    assert problem("a: &x [*x]").code == "yaml-alias-limit"
    assert problem("a: &x\n  b: {c: *x}").code == "yaml-alias-limit"


def test_an_alias_bomb_is_refused():
    lines = ["a: &a [x, x, x, x, x, x, x, x, x]"]
    lines += [
        f"{name}: &{name} [{', '.join([f'*{before}'] * 9)}]"
        for before, name in zip("abcdefgh", "bcdefghi", strict=True)
    ]
    assert problem("\n".join(lines)).code == "yaml-alias-limit"


def test_nodes_count_as_often_as_aliases_name_them():
    text = "a: &a [1, 2]\nb: [*a, *a]"
    # 1 mapping, 2 keys, a list of 2, a list with 2 times (alias and list of 2)
    assert parse(text.encode(), limits=YamlLimits(expanded_nodes=20))[0].problem is None
    assert problem(text, expanded_nodes=10).code == "yaml-alias-limit"
    assert value("[" + "x," * 300 + "]") == ["x"] * 300


def test_nodes_without_aliases_are_bound_by_bytes_only():
    assert parse(b"[1, 2, 3, 4]", limits=YamlLimits(expanded_nodes=2))[0].value == [1, 2, 3, 4]


def test_depth_is_counted_in_collections():
    assert parse(b"[[[x]]]", limits=YamlLimits(depth=3))[0].value == [[["x"]]]
    assert problem("a: {b: {c: x}}\nd: 1", depth=2).code == "yaml-depth"
    assert problem("? [[[x]]]", depth=3).code == "yaml-depth"
    assert parse(("[" * 100 + "]" * 100).encode())[0].problem is None


HOSTILE = {
    "flow sequences": "'[' * 100_000",
    "closed flow sequences": "'[' * 100_000 + ']' * 100_000",
    "flow mappings": "'{a: ' * 100_000",
    "flow keys": "'{' * 100_000",
    "block sequences": "'- ' * 100_000",
    "block mappings": "''.join(' ' * level + 'a:\\n' for level in range(2_000))",
    "explicit keys": "'? ' * 100_000",
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_deep_nesting_ends_in_a_problem_and_not_in_the_c_stack(text: str):
    script = f"""
        from portal.ingest.yaml import parse, spans
        content = ({text}).encode()
        print(*(document.problem.code for document in parse(content)))
        spans(content, index=0, paths=[("b",)])
    """
    ran = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)], capture_output=True, text=True, timeout=60, check=False
    )
    assert (ran.returncode, ran.stdout.strip(), ran.stderr) == (0, "yaml-depth", "")


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"a: \xff", "file-not-utf8"),
        ("a: 1".encode("utf-16"), "file-not-utf8"),
        (b"a: x\0y", "yaml-syntax"),
        (b"x" * 101, "file-too-large"),
        (b"---\n" * 6, "yaml-document-limit"),
    ],
)
def test_a_fault_of_the_file_is_one_document_with_the_problem(content: bytes, code: str):
    limits = YamlLimits(size_bytes=100, documents=5)
    (document,) = parse(content, location="f.yaml", limits=limits)
    assert document.problem is not None
    assert (document.index, document.value, document.problem.code) == (0, None, code)
    assert document.problem.location == "f.yaml"


def test_a_large_file_is_refused_by_its_size():
    assert problem(b"a: [\n" * 10_000_000).code == "file-too-large"


def test_the_byte_that_is_not_utf8_is_named():
    found = problem("a: é\nb: ".encode() + b"\xff")
    assert (found.span, found.found) == (Span(2, 4), "the byte 0xFF")


def test_a_control_character_is_named_and_spoils_its_document():
    first, second = parse(b"a: 1\n---\nb: x\x07y\n")
    assert first.value == {"a": 1}
    assert second.problem is not None
    assert (second.problem.span, second.problem.found) == (Span(3, 5), "the control character U+0007")


def test_placeholders_of_the_reader_are_not_seen():
    everything = "".join(map(chr, range(0xF0000, 0xF0010)))
    assert value(f"a: {everything}\u2028") == {"a": f"{everything}\u2028"}
    assert problem("a: x\u2028\n'b': 'y\u2028'#").span == Span(2, 10)


def test_many_documents_keep_their_order():
    text = "".join(f"---\nname: n{number}\n" for number in range(500))
    assert [document.value for document in parse(text.encode())] == [{"name": f"n{number}"} for number in range(500)]


def test_values_can_be_written_as_json():
    assert json.dumps(value("a: [1, 1.5, x, null, true, 1e3]")) == '{"a": [1, 1.5, "x", null, true, 1000]}'


FIELDS = b"""# catalog
kind: Component
metadata:
  name: x
  tags:
    - a
    -   b
spec: {owner: me, list: [1, [2, 3]]}
---
- k: &a {z: 1}
  'q': *a
"""


@pytest.mark.parametrize(
    ("index", "path", "span"),
    [
        (0, (), Span(2, 1)),
        (0, ("kind",), Span(2, 1)),
        (0, ("metadata",), Span(3, 1)),
        (0, ("metadata", "name"), Span(4, 3)),
        (0, ("metadata", "tags"), Span(5, 3)),
        (0, ("metadata", "tags", 0), Span(6, 7)),
        (0, ("metadata", "tags", 1), Span(7, 9)),
        (0, ("spec", "owner"), Span(8, 8)),
        (0, ("spec", "list", 1, 0), Span(8, 30)),
        (0, ("metadata", "annotations"), Span(3, 1)),
        (0, ("metadata", "tags", 7, "x"), Span(5, 3)),
        (0, ("apiVersion",), Span(2, 1)),
        (1, (), Span(10, 1)),
        (1, (0,), Span(10, 3)),
        (1, (0, "q"), Span(11, 3)),
        (1, (0, "q", "z"), Span(11, 3)),
        (1, (0, "k", "z"), Span(10, 10)),
        (9, ("kind",), Span(1, 1)),
    ],
)
def test_spans_lead_to_keys_and_items(index: int, path: tuple[str | int, ...], span: Span):
    assert spans(FIELDS, index=index, paths=[path]) == {path: span}


def test_spans_answer_all_paths_at_once():
    paths = [("kind",), ("metadata", "name"), ("nope",)]
    assert list(spans(FIELDS, index=0, paths=paths)) == paths


def test_spans_find_what_stands_before_an_error():
    content = b"x: 1\n---\na: 1\nb: {c: 2}\nd: [\n"
    assert spans(content, index=1, paths=[("b", "c"), ("d",)]) == {("b", "c"): Span(4, 5), ("d",): Span(5, 1)}
    assert spans(b"a: \xff", index=0, paths=[("a",)]) == {("a",): Span(1, 1)}


def test_spans_know_keys_as_strings():
    assert spans(b"a: 1\n0x10: {yes: 2}", index=0, paths=[("16", "yes")]) == {("16", "yes"): Span(2, 8)}


def test_the_first_of_two_equal_keys_is_found():
    assert spans(b"a: 1\na: 2", index=0, paths=[("a",)]) == {("a",): Span(1, 1)}


def test_documents_are_values():
    assert parse(b"a: 1") == [Document(0, {"a": 1})]
