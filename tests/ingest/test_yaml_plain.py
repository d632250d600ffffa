from __future__ import annotations

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from portal.ingest.yaml import YamlLimits, parse
from portal.ingest.yaml_plain import DEEPEST, NOT_PLAIN, plain_value

#: With less depth allowed than a plain document may have, every document is read from its events.
_BY_EVENTS = YamlLimits(depth=DEEPEST - 1)

_KEYS = ["a", "b", "kind", "x.y/z", "null", "true", "no", "_", "1", "'q'", '"q"', "<<", "? a", "a b"]
_VALUES = [
    *["", "x", "x y", "x: y", "x:", ":x", "-x", "- x", "x - y", "x #c", "x#c", "#c", "'it''s'", "'x' #c", "'x'#c"],
    *[
        '"x"',
        '"x\\n"',
        '"x: y"',
        "'- x'",
        "'x",
        '"',
        "it's",
        "*a",
        "&a x",
        "!t x",
        "%x",
        "@x",
        "`x",
        "|",
        ">-",
        "?",
        "? x",
    ],
    *[
        "0",
        "-0",
        "012",
        "1.0",
        ".5",
        "5.",
        "1e3",
        "0x1F",
        "0o7",
        "1_0",
        "+1",
        ".inf",
        "-.INF",
        ".nan",
        "~",
        "null",
        "Null",
    ],
    *["true", "True", "yes", "off", "12:30", "2020-01-01", "1.2.3", "123456789012345", "12345678901234567890", "-1"],
    *[
        "[]",
        "{}",
        "[a, b]",
        "[ a,b ]",
        "[a, b,]",
        "[a: b]",
        "[[a]]",
        "[1, 2.0]",
        "[a]#c",
        "[a] #c",
        "[a]b",
        "[,]",
        "[a:, b]",
    ],
    *[
        "{a: 1}",
        "{a: 1, a: 2}",
        "{a: 1, b}",
        "{a:1}",
        "{a: 'x, y'}",
        '{"a":1}',
        "{ x }",
        "{{ x }}",
        "{a: b: c}",
        "{a: }",
    ],
    *[
        "http://x/y?z#w",
        "a,b",
        "a]b",
        "a}b",
        "\tx",
        "x\t",
        "\u00a0x",
        "\u4e2d\u6587",
        "x\u2028y",
        "\ufeffx",
        "---",
        "...",
    ],
]
_LINES = st.one_of(
    st.builds(
        lambda indent, dash, key, gap, value: f"{' ' * indent}{dash}{key}:{gap}{value}",
        st.integers(0, 4),
        st.sampled_from(["", "", "", "- ", "-  ", "-"]),
        st.sampled_from(_KEYS),
        st.sampled_from([" ", " ", " ", "  ", ""]),
        st.sampled_from(_VALUES),
    ),
    st.builds(
        lambda indent, gap, value: f"{' ' * indent}-{gap}{value}",
        st.integers(0, 4),
        st.sampled_from([" ", " ", "  ", ""]),
        st.sampled_from(_VALUES),
    ),
    st.sampled_from(["", " ", "# c", "  # c: d", "---", "x", "  x y", "[a,", "b]"]),
    st.text(alphabet="ab:-[]{}'\"# ,.01", max_size=8),
)


@settings(max_examples=1_500)
@given(lines=st.lists(_LINES, max_size=7), end=st.sampled_from(["\n", ""]))
def test_a_plain_document_is_what_its_events_say(lines: list[str], end: str) -> None:
    text = "\n".join(lines) + end
    value = plain_value(text)
    if value is NOT_PLAIN:
        return

    (document, *more) = parse(text.encode(), limits=_BY_EVENTS) or [None]

    assert not more
    assert document is None or document.problem is None
    assert not (document and document.warnings)
    assert orjson.dumps(value) == orjson.dumps(document.value if document else None)


@pytest.mark.parametrize(
    "text",
    [
        "kind: Component\nmetadata:\n  name: a\n  tags: [x, y]\n",
        "a:\n- b: 1\n  c: '2'\n-   d: e # why\n",
        "# why\na: http://x/y\n\nb: {c: d/e, f: 'g, h'}",
    ],
)
def test_what_catalog_files_mostly_hold_is_plain(text: str) -> None:
    (document,) = parse(text.encode(), limits=_BY_EVENTS)

    assert plain_value(text) == document.value


@pytest.mark.parametrize(
    "text",
    [
        "a: 1\na: 2\n",
        "a: {b: 1, b: 2}\n",
        "a: {b: 1, b: 2, c}\n",
        "1: x\n",
        "a: &x 1\nb: *x\n",
        "a: !t x\n",
        "a: 1.0\n",
        "a: .inf\n",
        "a:\tx\n",
        'a: "\\x41"\n',
        "a: |\n  x\n",
        "a: b\n  c\n",
        f"{' ' * 61}a: 1\n",
        "a: [[b]]\n",
        "a: b: c\n",
    ],
)
def test_what_parsers_read_differently_is_not_plain(text: str) -> None:
    assert plain_value(text) is NOT_PLAIN
