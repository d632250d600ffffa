"""What holds for every content of a file."""

from __future__ import annotations

import json

import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from portal.ingest.yaml import Document, parse, spans
from portal.model.problem import PROBLEM_MESSAGES

# JSON-like values as PyYAML writes them; it quotes for YAML 1.1, which quotes all that YAML 1.2 would not read as text,
# but for these: `0o17` and floats such as `1e3` are text in YAML 1.1, numbers in 1.2.
NUMBERS_ONLY_IN_1_2 = ("0o", "e", "E")
TEXT = st.text(st.characters(exclude_categories=["Cs", "Cc", "Co", "Cn"]), max_size=20).filter(
    lambda text: not (text[:1].isdigit() or text[:1] in set("+-.")) or not any(c in text for c in NUMBERS_ONLY_IN_1_2)
)
JSON_LIKE = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False, width=32)
    | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=12,
)
YAML_PIECES = st.sampled_from(
    (
        *(
            "a",
            "b: ",
            "- ",
            "\n",
            "  ",
            "\t",
            ": ",
            "? ",
            "---\n",
            "...\n",
            "{",
            "}",
            "[",
            "]",
            ", ",
            "&a ",
            "*a",
            "!!str ",
        ),
        *("!x ", "'", '"', "|\n", ">-\n", "#", " # c", "\r\n", "\r", "\u2028", "\\ud83d\\ude00", "%YAML 1.1\n", "<<: "),
        *("{{ x }}", "1", "\x07"),
    )
)


def assert_well_formed(content: bytes) -> None:
    for index, document in enumerate(parse(content, location="f.yaml")):
        assert isinstance(document, Document)
        assert document.index == index
        for problem in (document.problem, *document.warnings):
            if problem is not None:
                assert problem.code in PROBLEM_MESSAGES
                assert problem.location == "f.yaml"
                assert problem.span is not None
                assert problem.span.line >= 1
                assert problem.span.column >= 1
        if document.problem is not None:
            assert document.value is None
        json.dumps(document.value, allow_nan=True)
        assert set(spans(content, index=index, paths=[(), ("a", 0)])) == {(), ("a", 0)}


@given(st.binary(max_size=200))
def test_any_bytes_give_documents(content: bytes):
    assert_well_formed(content)


@given(st.text(max_size=200))
def test_any_text_gives_documents(text: str):
    assert_well_formed(text.encode(errors="surrogatepass"))


@settings(max_examples=400)
@given(st.lists(YAML_PIECES, max_size=25).map("".join))
def test_any_mixture_of_yaml_gives_documents(text: str):
    assert_well_formed(text.encode())


@given(JSON_LIKE, st.booleans(), st.booleans())
def test_what_pyyaml_writes_is_read_back(value: object, flow: bool, unicode: bool):
    written = yaml.safe_dump(value, default_flow_style=flow, allow_unicode=unicode, sort_keys=False)
    (document,) = parse(written.encode())
    assert document.problem is None, written
    assert document.value == value


@given(JSON_LIKE)
def test_json_is_yaml(value: object):
    (document,) = parse(json.dumps(value).encode())
    assert document.problem is None
    assert document.value == value


@given(st.lists(JSON_LIKE, max_size=5))
def test_documents_of_a_stream_do_not_touch_each_other(stream: list[object]):
    text = "".join(f"---\n{json.dumps(value)}\n---\na: [\n" for value in stream)
    documents = parse(text.encode())
    assert [document.value for document in documents[::2]] == stream
    assert all(document.problem for document in documents[1::2])
