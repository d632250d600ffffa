import time
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.errors import InputError
from portal.model.expression import MOST_CHARACTERS, VARIABLES, Expression

SEEN = {
    "entity": {"kind": "Dataset", "metadata": {"name": "x"}, "spec": {"deep": [[[]]], "none": None}},
    "layer": "low",
    "owner": {"ref": "", "kind": "", "exists": False, "roles": []},
    "stewards": [],
    "needs": [],
}
WORDS = [
    *VARIABLES,
    ".spec",
    ".all(x, ",
    "[0]",
    "has(",
    ")",
    "(",
    "+",
    "'a'",
    "1",
    "true",
    "&&",
    "==",
    "?",
    ":",
    ".size()",
]


def test_a_condition_is_compiled_once_and_asked_of_many() -> None:
    condition = Expression(
        'entity.kind == "Dataset" && layer in ["low"] && !owner.exists && needs.all(n, n.layer != "")'
    )

    assert condition.holds(SEEN)
    assert not condition.holds(SEEN | {"layer": "high"})


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "Syntax error"),
        ("entity.kind ==", "at 1:15"),
        ("entity.kind == 'a' &&\n  nothing", "undeclared reference to 'nothing' (in container '') at 2:3"),
        ("layer + 1 == 2", "no matching overload"),
        ("needs", "not of the type list"),
        ("needs.map(n, n.ref).size() > 0", "undeclared reference"),
        ("(" * 100 + "true" + ")" * 100, "recursion limit"),
        (f"layer == '{'a' * MOST_CHARACTERS}'", "at most 2,000 characters"),
    ],
)
def test_a_text_that_is_no_condition_says_what_is_wrong(text: str, words: str) -> None:
    with pytest.raises(InputError) as raised:
        Expression(text)

    assert words in str(raised.value)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("entity.spec.gone == 1", 'Key not found in map : "gone"'),
        ("entity.kind", "of the type string"),
        ("needs[0].ref == ''", "index"),
    ],
)
def test_a_condition_that_cannot_be_asked_says_why(text: str, words: str) -> None:
    with pytest.raises(InputError) as raised:
        Expression(text).holds(SEEN)

    assert words in str(raised.value)


@given(st.one_of(st.text(max_size=200), st.lists(st.sampled_from(WORDS), max_size=30).map("".join)))
def test_no_text_does_more_than_fail(text: str) -> None:
    began = time.monotonic()
    with suppress(InputError):
        assert Expression(text).holds(SEEN) in {True, False}
    assert time.monotonic() - began < 5


def test_a_number_that_the_language_has_not_is_told() -> None:
    with pytest.raises(InputError, match="out of range"):
        Expression("entity.spec.big == 1").holds(SEEN | {"entity": {"spec": {"big": 2**70}}})
