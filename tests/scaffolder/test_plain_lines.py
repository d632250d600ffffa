"""Lines that the template engine need not see."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from portal.defaults.engine import build_engine
from portal.errors import TemplateError
from portal.scaffolder.engine import TextSource
from portal.scaffolder.plain_lines import NamedTexts, shortened

VALUES = {
    "a": "x",
    "n": "two\nlines",
    "m": "\x1e",
    "b": "}} {{ values.a }} ${{ values.a }}",
    "d": {"e": "deep"},
    "i": 7,
}
CONTEXT = {"values": VALUES, "cookiecutter": VALUES, "lone": "in scope"}
PIECES = [
    "plain",
    "\n",
    "\r\n",
    " ",
    "${{ values.a }}",
    "${{ values.n }}",
    "${{ values.m }}",
    "{{ values.a }}",
    "${{values.b}}",
    "${{ values.d.e }}",
    "${{ values.d }}",
    "${{ values.i }}",
    "${{ values.gone }}",
    "${{ lone }}",
    "${{ true }}",
    "${{ values.constructor }}",
    "${{ cookiecutter.a }}",
    "${",
    "{",
    "}",
]
PIECES += [
    "{% if values.a %}",
    "{% endif %}",
    "{# c #}",
    "${{- values.a -}}",
    "${{ '}}' }}",
    "${{ {'a':",
    "1} }}",
    "\x1e",
]


@pytest.fixture(scope="module")
def engine():
    with build_engine({}) as opened:
        yield opened


def whole(engine, text, **options):
    reply = engine._render("text", [TextSource("a", text)], CONTEXT, options=options)
    (outcome,) = reply.outcomes
    return outcome["value"][0] if "value" in outcome else (outcome["error"]["line"], outcome["error"]["message"])


@settings(deadline=None, max_examples=150)
@given(pieces=st.lists(st.sampled_from(PIECES), max_size=25), of_cookiecutter=st.booleans())
def test_a_text_renders_as_it_does_whole(engine, pieces, of_cookiecutter):
    text = "".join(pieces).replace("$" if of_cookiecutter else "\0", "")
    (found,) = engine.attempt_texts([TextSource("a", text)], CONTEXT, cookiecutter_compat=of_cookiecutter)
    expected = whole(engine, text, cookiecutterCompat=of_cookiecutter, trimBlocks=False, lstripBlocks=False)
    if isinstance(found, TemplateError):
        line, message = expected
        assert message.startswith(found.message.rpartition(": ")[2][:20]) or f":{line}:" in found.message
    else:
        assert found == expected


def test_plain_lines_are_left_out_and_put_back():
    found = shortened("a\nb\n${{ x }}\nc\nd ${{ y }}", NamedTexts({}))
    assert (found.text, list(found.runs)) == ("\x1e${{ x }}\n\x1ed ${{ y }}", ["a\nb\n", "c\n"])
    assert found.restored("\x1e1\n\x1ed 2") == "a\nb\n1\nc\nd 2"
    assert found.restored("\x1e\x1e\x1e") is None


@pytest.mark.parametrize(
    ("line", "rendered"),
    [
        ("${{ values.a }}, ${{values.d.e}}", "x, deep"),
        ('{"a": "${{ values.b }}"}', '{"a": "}} {{ values.a }} ${{ values.a }}"}'),
        ("${{ values.i }}", None),
        ("${{ values.gone }}", None),
        ("${{ values.a | upper }}", None),
        ("${{ values.a }}}", None),
        ("${{ values.a }} {{ x }}", None),
    ],
)
def test_a_line_that_only_names_texts_needs_no_engine(line, rendered):
    assert NamedTexts(CONTEXT).rendered(line) == rendered


def test_a_fault_is_told_where_it_stands_in_the_whole_text(engine):
    text = "plain\n" * 7 + "${{ values.a | nofilter }}\n"
    (fault,) = engine.attempt_texts([TextSource("a.txt", text)], CONTEXT)
    assert isinstance(fault, TemplateError)
    assert fault.message.startswith("a.txt:8:")
