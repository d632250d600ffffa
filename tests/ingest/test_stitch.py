"""The finished text of an entity is the declared document with what the catalog adds, whatever the document holds."""

from __future__ import annotations

import hashlib
from typing import Any

import orjson
from hypothesis import given
from hypothesis import strategies as st

from portal.ingest.stitch import Frame, finish, frame, furnished, stitch
from portal.model.problem import Problem

values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)
names = st.text(max_size=8) | st.sampled_from(["uid", "etag", "relations", "status", "spec", "kind", "namespace"])
members = st.dictionaries(names.filter(lambda name: name != "metadata"), values, max_size=4)
annotations = st.dictionaries(st.text(max_size=6), st.text(max_size=6), max_size=3)
metadata = st.builds(
    lambda given, own: given | {"name": "a"} | ({} if own is None else {"annotations": own}),
    st.dictionaries(names.filter(lambda name: name != "annotations"), values, max_size=3),
    st.none() | annotations,
)
documents = st.builds(lambda before, held, after: before | {"metadata": held} | after, members, metadata, members)
pairs = st.lists(st.tuples(st.sampled_from(["dependsOn", "ownedBy"]), st.text(max_size=8)), max_size=3)


@given(declared=documents, given_annotations=annotations, relations=pairs)
def test_what_is_finished_is_the_document_with_what_the_catalog_adds(
    declared: dict[str, Any], given_annotations: dict[str, str], relations: list[tuple[str, str]]
) -> None:
    found = stitch(declared, uid="u-1", annotations=given_annotations, relations=relations)

    body = orjson.loads(found.body)
    assert body["metadata"]["uid"] == "u-1"
    assert body["metadata"]["etag"] == found.etag
    assert body["relations"] == [{"type": kind, "targetRef": target} for kind, target in sorted(relations)]
    ours = {"uid", "etag", "annotations"}
    assert {name: value for name, value in body["metadata"].items() if name not in ours} == {"namespace": "default"} | {
        name: value for name, value in declared["metadata"].items() if name not in ours
    }
    assert body["metadata"]["annotations"] == given_annotations | (declared["metadata"].get("annotations") or {})
    others = {"metadata", "relations"}
    assert {name: value for name, value in body.items() if name not in others} == {
        name: value for name, value in declared.items() if name not in others
    }


@given(declared=documents)
def test_the_etag_is_that_of_the_text_without_it(declared: dict[str, Any]) -> None:
    found = stitch(declared, uid="u", annotations={}, relations=[])

    bare = found.body.replace(f',"etag":"{found.etag}"', "", 1)
    assert hashlib.sha1(bare.encode(), usedforsecurity=False).hexdigest() == found.etag


@given(declared=documents)
def test_a_problem_is_shown_under_status_and_changes_nothing_else(declared: dict[str, Any]) -> None:
    framed: Frame = frame(furnished(declared, {}))
    problem = Problem("field-missing", "file:/x", ref="component:default/a")

    sound = orjson.loads(finish(framed, uid="u", relations=()).body)
    faulty = orjson.loads(finish(framed, uid="u", relations=(), problems=[problem]).body)

    assert faulty.pop("status")["items"][0]["file"] == "file:/x"
    sound.pop("status", None)
    del sound["metadata"]["etag"], faulty["metadata"]["etag"]
    assert faulty == sound
