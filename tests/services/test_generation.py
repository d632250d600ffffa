"""What a generated repository says of where it comes from."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from portal.errors import InputError
from portal.model.ref import EntityRef
from portal.services.generation import Generation, makes_repository

_TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=8)
_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**40), 2**40) | _TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_TEXTS, inner, max_size=3),
    max_leaves=8,
)
_GENERATIONS = st.builds(
    Generation,
    template=st.just(EntityRef("template:default/made")),
    commit=st.from_regex(r"[0-9a-f]{40}", fullmatch=True),
    parameters=st.dictionaries(_TEXTS, _VALUES, max_size=4),
    location=st.just("") | st.just("url:https://git.example.com/x.git#main:template.yaml"),
    step=_TEXTS,
    task=st.just("") | st.uuids().map(str),
    user=st.none() | st.just(EntityRef("user:default/ann")),
)


@given(_GENERATIONS)
@example(Generation(EntityRef("template:default/made"), "0" * 40, {"a\u2028 b": "\x85"}, step="\x85"))
def test_a_record_reads_back_as_what_was_written(generation):
    assert Generation.parse(generation.to_text().encode(), place="") == generation


@given(st.binary(max_size=100) | _VALUES.map(lambda value: f"template: a\ncommit: {value!r}\nuser: {value!r}".encode()))
def test_what_is_no_record_is_refused(content):
    with pytest.raises(InputError):
        Generation.parse(content, place="here")


@dataclass
class Named:
    id: str


def test_what_proposes_to_another_repository_leaves_no_record_in_it():
    named = (
        "publish:git",
        "publish:github",
        "publish:github:pull-request",
        "publish:gitlab:merge-request",
        "fs:rename",
    )
    assert [name for name in named if makes_repository(Named(name))] == ["publish:git", "publish:github"]
