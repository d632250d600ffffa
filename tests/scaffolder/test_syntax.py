"""What a text uses, read with the engine's own parser."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.defaults.engine import build_engine
from portal.scaffolder.filters import builtin_filters
from portal.scaffolder.syntax import syntax_of


@pytest.fixture(scope="module")
def engine():
    with build_engine(builtin_filters({})) as opened:
        yield opened


@pytest.fixture(scope="module")
def syntax(engine):
    def read(text):
        (outcome,) = engine.parse_texts([text])
        return syntax_of(outcome["tree"])

    return read


@pytest.mark.parametrize(
    ("text", "paths"),
    [
        ("${{ parameters.a.b }}", ["parameters.a.b"]),
        ("${{ parameters['a'].b[0] }}", ["parameters.a.b.0"]),
        ("${{ parameters[user.ref].b }}", ["user.ref", "parameters"]),
        ("${{ steps.a-b.output }}", ["steps.a", "b.output"]),
        ("${{ (parameters.a | parseRepoUrl).owner }}", ["parameters.a"]),
        ("${{ parameters.a.split('/').length }}", ["parameters.a"]),
        ("${{ {a: x, 'b': y}[z] }}", ["z", "x", "y"]),
        ("${{ f(a, k=b) }}", ["f", "a", "b"]),
        ("{% for k, v in xs %}${{ k }}${{ v }}${{ loop.index }}${{ w }}{% endfor %}", ["xs", "w"]),
        ("{% set a = b %}${{ a }}", ["b"]),
        ("{% macro m(a, b=c) %}${{ a }}${{ b }}{% endmacro %}${{ m(d) }}", ["c", "d"]),
        ("{% if a is defined %}x{% elif b %}y{% else %}${{ c }}{% endif %}", ["a", "b", "c"]),
        ("{% switch a %}{% case b %}x{% default %}${{ c }}{% endswitch %}", ["a", "b", "c"]),
        ("{% raw %}${{ a }}{% endraw %}{# ${{ b }} #}", []),
        ("${{ a[b:c] }}", ["b", "c", "a"]),
    ],
)
def test_a_text_uses_the_values_that_it_names(syntax, text, paths):
    assert sorted(".".join(use.path) for use in syntax(text).uses) == sorted(paths)


def test_uses_tell_their_place_and_whether_they_are_guarded(syntax):
    uses = syntax("x\n  ${{ a or b }} ${{ c | default('d') }}").uses

    assert [(use.path, use.place.line, use.place.column, use.is_guarded) for use in uses] == [
        (("a",), 1, 6, True),
        (("b",), 1, 11, False),
        (("c",), 1, 20, True),
    ]


def test_filters_tests_and_comparisons_are_told(syntax):
    found = syntax("${{ a | upper | my.own if b is odd and c == 'd' and e in [1, 2] }}")

    assert [name for name, _ in found.filters] == ["my.own", "upper"]
    assert [name for name, _ in found.tests] == ["odd"]
    assert [(comparison.path, comparison.values) for comparison in found.comparisons] == [
        (("c",), ("d",)),
        (("e",), (1, 2)),
    ]


def test_a_text_that_cannot_be_parsed_tells_where(engine):
    (outcome,) = engine.parse_texts(["a\n${{ b && c }}"])

    assert outcome["error"]["line"] == 1
    assert "&" in outcome["error"]["message"]


def test_the_names_of_filters_are_those_that_the_engine_renders_with(engine):
    words = engine.words()

    assert {"parseRepoUrl", "upper", "default"} <= set(words["filters"])
    assert {"defined", "odd"} <= set(words["tests"])


@given(st.text(alphabet="a.b[]'(){}$%|-~ \n#=<>1,:ifelsnotr", max_size=60))
def test_any_text_is_read_or_refused(engine, text):
    (outcome,) = engine.parse_texts([f"${{{{ {text} }}}}{{% {text} %}}"])

    if "tree" in outcome:
        syntax_of(outcome["tree"])
    else:
        assert outcome["error"]["message"]
