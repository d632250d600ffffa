"""Catalog files that say which template they come from."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.ingest import yaml
from portal.ingest.stamp import restamped, stamped

COMMIT = "0123456789abcdef0123456789abcdef01234567"
TEMPLATE = "template:default/made"
LINES = f"    backstage.io/source-template: {TEMPLATE}\n    portal/template-commit: {COMMIT}\n"

DOCUMENT = "---\napiVersion: v\nmetadata:\n  annotations:\n{}"


def stamp(text, *, commit=COMMIT):
    return stamped(text.encode(), template=TEMPLATE, commit=commit).decode()


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (
            "# kept\napiVersion: v\nmetadata:\n  name: a  # too\n",
            f"# kept\napiVersion: v\nmetadata:\n  annotations:\n{LINES}  name: a  # too\n",
        ),
        (
            "apiVersion: v\nmetadata:\n  annotations:\n    # kept\n    a: b\n",
            f"apiVersion: v\nmetadata:\n  annotations:\n    # kept\n{LINES}    a: b\n",
        ),
        (
            "apiVersion: v\nmetadata: {name: a}\n",
            (
                "apiVersion: v\nmetadata: {annotations: {"
                f"backstage.io/source-template: {TEMPLATE}, portal/template-commit: {COMMIT}}}, name: a}}\n"
            ),
        ),
        (
            f"apiVersion: v\nmetadata:\n  annotations: {{backstage.io/source-template: {TEMPLATE}}}\n",
            (
                f"apiVersion: v\nmetadata:\n  annotations: {{portal/template-commit: {COMMIT}, "
                f"backstage.io/source-template: {TEMPLATE}}}\n"
            ),
        ),
        (
            "apiVersion: v\r\nmetadata:\r\n  annotations:\r\n    a: b\r\n",
            "apiVersion: v\r\nmetadata:\r\n  annotations:\r\n" + LINES.replace("\n", "\r\n") + "    a: b\r\n",
        ),
        (
            DOCUMENT.format("    a: b\n") + DOCUMENT.format("    c: d\n"),
            DOCUMENT.format(f"{LINES}    a: b\n") + DOCUMENT.format(f"{LINES}    c: d\n"),
        ),
    ],
)
def test_the_template_is_written_and_all_else_stays(before, after):
    assert stamp(before) == after
    assert stamp(after) == after


@pytest.mark.parametrize(
    "text",
    [
        "apiVersion: v\nmetadata:\n  annotations:\n    backstage.io/source-template: template:default/other\n",
        "apiVersion: v\nmetadata:\n  annotations:\n    portal/template-commit: mine\n",
        "apiVersion: v\nmetadata:\n  name: a\n  annotations: {}\n",
        "metadata: {name: no entity}\n",
        "apiVersion: v\nmetadata: text\n",
        "a: [",
        "",
        "- 1\n",
    ],
)
def test_what_says_otherwise_stays(text):
    assert stamp(text) == text


def test_a_commit_that_reads_as_a_number_is_a_text():
    (document,) = yaml.parse(stamp("apiVersion: v\nmetadata:\n  name: a\n", commit="1" * 40).encode())
    assert document.value["metadata"]["annotations"]["portal/template-commit"] == "1" * 40


def test_another_commit_takes_the_place_of_the_first():
    text = f'a: {COMMIT}\n    portal/template-commit: {COMMIT}\n{{"portal/template-commit":"{COMMIT}"}}\n'
    other = "f" * 40
    assert restamped(text.encode(), before=COMMIT, after=other).decode() == (
        f'a: {COMMIT}\n    portal/template-commit: {other}\n{{"portal/template-commit":"{other}"}}\n'
    )


_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=4), inner, max_size=2),
    max_leaves=5,
)
_DOCUMENTS = st.fixed_dictionaries(
    {"apiVersion": st.just("v")},
    optional={
        "metadata": st.dictionaries(st.text(max_size=4), _VALUES, max_size=3)
        | st.fixed_dictionaries({"annotations": st.dictionaries(st.text(max_size=4), st.text(max_size=4), max_size=3)}),
        "spec": _VALUES,
    },
)


@given(st.lists(_DOCUMENTS, min_size=1, max_size=3), st.booleans())
def test_nothing_but_annotations_is_another_afterwards(values, is_flow):
    import yaml as pyyaml  # noqa: PLC0415  # another writer than ours, which knows both styles

    content = pyyaml.safe_dump_all(values, default_flow_style=is_flow, allow_unicode=True).encode()
    before, after = (
        [item.value for item in yaml.parse(text)]
        for text in (content, stamped(content, template=TEMPLATE, commit=COMMIT))
    )
    assert len(before) == len(after)
    for old, new in zip(before, after, strict=True):
        if old != new:
            added = new["metadata"].pop("annotations")
            kept = (old["metadata"].pop("annotations", None)) or {}
            assert old == new
            assert added == kept | {"backstage.io/source-template": TEMPLATE, "portal/template-commit": COMMIT}


@given(st.binary(max_size=200))
def test_no_content_is_too_odd(content):
    stamped(content, template=TEMPLATE, commit=COMMIT)
