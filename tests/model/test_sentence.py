"""Sentences are their English text, remember what they were made of, and come back from JSON as they were."""

from __future__ import annotations

import copy
import json
import pickle
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from portal.model.ref import EntityRef
from portal.model.sentence import Sentence, either, every, lines, restored, several, stored

PLAIN = st.text(max_size=20)


def made(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.builds(lambda one, other: Sentence("100 %% of %(one)s: %(other)s", one=one, other=other), inner, inner)


VALUES = st.recursive(
    PLAIN | st.integers(-(2**63), 2**63 - 1), lambda inner: made(inner) | st.lists(PLAIN | made(inner), max_size=3)
)


@given(made(VALUES))
def test_a_sentence_comes_back_from_json(sentence: Sentence) -> None:
    back = restored(str(sentence), stored(sentence))
    assert (back, back.template, back.values) == (sentence, sentence.template, sentence.values)  # type: ignore[attr-defined]
    for same in (copy.deepcopy(sentence), pickle.loads(pickle.dumps(sentence))):
        assert (same, same.values) == (sentence, sentence.values)


def test_programs_see_the_english_text() -> None:
    ref = EntityRef("group:default/a")
    sentence = Sentence("Its owner %(owner)s is not in the catalog.", owner=ref)
    assert sentence == "Its owner group:default/a is not in the catalog."
    assert json.dumps([sentence]) == '["Its owner group:default/a is not in the catalog."]'
    assert f"{sentence}!" == "Its owner group:default/a is not in the catalog.!"


def test_a_text_that_nothing_stands_in_needs_no_template() -> None:
    assert stored("100 %") is None
    assert stored(Sentence("100 %")) is None
    assert restored("100 %", None) == "100 %"


def test_several_texts_become_one() -> None:
    assert either(["a", "b", "c"]) == "a or b or c"
    assert every(["a"]) == "a"
    assert either([]) == several(()) == ""
    assert several(["a", "b"]) == "a; b"
    assert lines(["a", "100 %"]) == "a\n100 %"
    assert Sentence("known: %(names)s", names=["a", "b"]) == "known: a, b"
