"""The preview's form: what is shown of values is what is read of them again."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st
from werkzeug.datastructures import MultiDict

from portal.scaffolder.asked import asked, only_asked, with_defaults
from portal.web.preview_form import form_pages, read_form

PAGE = {
    "required": ["text"],
    "properties": {
        "text": {"type": "string"},
        "area": {"type": "string", "ui:widget": "textarea"},
        "flag": {"type": "boolean"},
        "whole": {"type": "integer"},
        "broken": {"type": "number"},
        "choice": {"enum": ["a", 1, True, None, "1"]},
        "choices": {"type": "array", "items": {"enum": ["a", "b", 3]}},
        "lines": {"type": "array", "items": {"type": "string"}},
        "free": {"type": "array", "items": {"type": "object"}},
        "group": {"type": "object", "properties": {"inner": {"type": "string"}, "deep": {"type": "boolean"}}},
    },
}
TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\r\n"), min_size=1, max_size=20)
LINE = TEXT.filter(lambda text: text.strip())
VALUES = st.fixed_dictionaries(
    {"flag": st.booleans(), "choices": st.sampled_from([[], ["a"], ["a", 3], ["a", "b", 3]])},
    optional={
        "text": TEXT,
        "area": st.lists(TEXT, min_size=1, max_size=3).map("\n".join),
        "whole": st.integers(),
        "broken": st.floats(allow_nan=False, allow_infinity=False),
        "choice": st.sampled_from(["a", 1, True, "1"]),
        "lines": st.lists(LINE, min_size=1, max_size=3),
        "free": st.lists(
            st.fixed_dictionaries({"a": st.integers(0, 9), "b": st.text("xyz: -", max_size=5)}), min_size=1
        ),
        "group": st.fixed_dictionaries({"deep": st.booleans()}, optional={"inner": TEXT}),
    },
)


def _sent(inputs):
    """Yield what a browser sends of inputs that nobody touches."""
    for item in inputs:
        if item.control == "group":
            yield from _sent(item.members)
        elif item.control == "flag":
            yield from [(item.name, "on")] if item.is_set else []
        elif item.options:
            yield from [(item.name, str(number)) for number, option in enumerate(item.options) if option.is_chosen]
        else:
            yield item.name, item.text.replace("\n", "\r\n")


@given(VALUES)
def test_what_is_shown_is_read_again(values):
    shown = form_pages([PAGE], values)
    sent = MultiDict(list(_sent(shown[0].inputs)))
    group = values.get("group", {"deep": False})

    read, secrets = read_form(shown, sent)
    assert secrets == {}
    # As JSON: there 1 is not true.
    assert json.dumps(read, sort_keys=True) == json.dumps({**values, "group": group}, sort_keys=True)


def test_secrets_are_read_as_secrets_and_never_shown():
    page = {"properties": {"key": {"type": "string", "ui:field": "Secret"}}}
    values, secrets = read_form(form_pages([page], {}), MultiDict([("value/key", "hidden")]))

    assert values == {"key": "***"}
    assert secrets["key"].reveal() == "hidden"
    (shown,) = form_pages([page], {"key": "hidden"})[0].inputs
    assert shown.text == ""
    assert read_form(form_pages([page], {"key": "***"}), MultiDict())[0] == {"key": "***"}


BRANCHES = {
    "properties": {"kind": {"type": "string", "default": "b"}},
    "if": {"properties": {"kind": {"const": "a"}}},
    "then": {"properties": {"of_a": {"default": 1}}, "required": ["of_a"]},
    "else": {"properties": {"of_b": {"default": 2}}},
    "dependencies": {"of_b": ["more"], "more": {"properties": {"most": {"default": 3}}}},
}


def test_branches_are_asked_for_while_values_open_them():
    assert set(asked(BRANCHES, {"kind": "a"}).properties) == {"kind", "of_a"}
    assert asked(BRANCHES, {"kind": "a"}).required == {"of_a"}
    assert asked(BRANCHES, {"kind": "b", "of_b": 2, "more": 1}).required == {"more"}
    assert set(asked(BRANCHES, {"kind": "b", "more": 1}).properties) == {"kind", "of_b", "most"}


def test_defaults_are_those_of_the_branches_that_they_open():
    assert with_defaults([BRANCHES], {}) == {"kind": "b", "of_b": 2}
    assert with_defaults([BRANCHES], {"kind": "a"}) == {"kind": "a", "of_a": 1}
    assert only_asked([BRANCHES], {"kind": "a", "of_a": 1, "of_b": 2}) == {"kind": "a", "of_a": 1}
