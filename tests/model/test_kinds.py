from typing import Any

import jsonschema_rs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.defaults.kinds import all_kinds
from portal.errors import InputError, PluginError
from portal.ingest.check import check
from portal.model.kind import Kinds
from portal.model.kind_fields import fields_of
from portal.model.location import normal_path, parse_target, relative_target
from portal.model.ref import EntityRef, split_ref
from portal.model.relation import INVERSES
from portal.model.secret import Secret

KINDS = all_kinds()
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@pytest.mark.parametrize("kind", list(KINDS), ids=lambda kind: kind.name)
def test_the_json_schema_of_a_kind_is_one(kind) -> None:
    assert jsonschema_rs.meta.is_valid(kind.json_schema())


@given(st.sampled_from(list(KINDS)), st.data())
def test_what_a_kind_accepts_its_json_schema_accepts(kind, data: st.DataObject) -> None:
    fields = [field.data_key or name for name, field in kind.spec_schema.fields.items()]
    some = VALUES | st.just("x") | st.just(["component:x"])
    spec = data.draw(st.dictionaries(st.sampled_from(fields), some, max_size=len(fields)))
    document = {
        "apiVersion": min(kind.api_versions),
        "kind": kind.name,
        "metadata": {"name": "x"},
        "spec": spec,
    }

    checked = check(document, kinds=KINDS)

    if checked.entity is not None and not checked.faults:
        assert jsonschema_rs.is_valid(kind.json_schema(), document)


@given(VALUES)
def test_no_document_breaks_the_check(value) -> None:
    checked = check(value, kinds=KINDS)

    assert checked.entity is None
    assert checked.faults


def test_an_owner_or_owners_are_what_a_json_schema_asks_for() -> None:
    owned = [kind for kind in KINDS if kind.name == "Template" or "anyOf" in kind.spec.json_schema()]

    for kind in owned:
        schema = kind.spec.json_schema()
        base = {name: _some(schema["properties"][name]) for name in schema.get("required", ())}
        for owners, is_valid in (({"owner": "a"}, True), ({"owners": ["a"]}, True), ({}, kind.name == "Template"),
                                 ({"owners": []}, False), ({"owner": "a", "owners": ["a", "b"]}, True),
                                 ({"owners": "a"}, False), ({"owners": [""]}, False)):  # fmt: skip
            assert jsonschema_rs.is_valid(schema, base | owners) == is_valid, (kind.name, owners)
        told = {field.name: field.is_required for field in fields_of(kind)}
        assert (told["owner"], told["owners"]) == (kind.name != "Template", False)
    assert len(owned) == 17


def _some(schema: dict[str, Any]) -> object:
    """Return a value that a schema takes."""
    if "properties" in schema:
        return {name: _some(schema["properties"][name]) for name in schema.get("required", ())}
    return schema["enum"][0] if "enum" in schema else {"string": "x", "array": [], "integer": 1}[schema["type"]]


@pytest.mark.parametrize(("baseline", "is_good"), [(12, True), (0.5, True), (True, False), ("12", False)])
def test_what_a_kpi_counts_is_a_number(baseline: object, is_good: bool) -> None:
    spec = {"owner": "a", "lifecycle": "production", "kpis": [{"name": "waiting", "baseline": baseline, "target": 5}]}
    document = {"apiVersion": "portal/v1alpha1", "kind": "Project", "metadata": {"name": "x"}, "spec": spec}

    assert ([fault.path for fault in check(document, kinds=KINDS).faults] == []) == is_good
    assert jsonschema_rs.is_valid(KINDS.named("project").json_schema(), document) == is_good


def test_every_relation_of_a_field_has_an_inverse() -> None:
    for kind in KINDS:
        for fields in kind.relation_fields.values():
            for field in fields:
                assert INVERSES[field.emits.forward] == field.emits.inverse
                assert INVERSES[field.emits.inverse] == field.emits.forward


def test_two_kinds_of_one_name_are_refused() -> None:
    with pytest.raises(PluginError):
        Kinds([*KINDS, KINDS.named("component")])


NAMES = st.text("abcXYZ019-_.", min_size=1, max_size=8)


@given(NAMES, NAMES, NAMES)
def test_a_reference_survives_being_written_and_read(kind: str, namespace: str, name: str) -> None:
    ref = EntityRef.of(kind, namespace, name)

    assert EntityRef.parse(ref) == ref
    assert (ref.kind, ref.namespace, ref.name) == (kind.lower(), namespace.lower(), name.lower())


@given(st.text())
def test_any_text_is_a_reference_or_refused(text: str) -> None:
    try:
        parts = split_ref(text, default_kind="component")
    except InputError:
        return
    assert all(parts)


@pytest.mark.parametrize(
    ("target", "root", "branch", "pattern", "file"),
    [
        ("https://h/o/r", "https://h/o/r", "", "catalog-info.yaml", "url:https://h/o/r#:x"),
        ("https://h/o/r#dev:a/*.yaml", "https://h/o/r", "dev", "a/*.yaml", "url:https://h/o/r#dev:x"),
        ("https://h/o/r#:b.yaml", "https://h/o/r", "", "b.yaml", "url:https://h/o/r#:x"),
        ("git@h:o/r.git#main", "git@h:o/r.git", "main", "catalog-info.yaml", "url:git@h:o/r.git#main:x"),
        ("https://github.com/o/r/blob/main/a/b.yaml", "https://github.com/o/r", "main", "a/b.yaml",
         "url:https://github.com/o/r/blob/main/x"),
        ("https://github.com/o/r/tree/main/a", "https://github.com/o/r", "main", "a",
         "url:https://github.com/o/r/blob/main/x"),
        ("https://gitlab.com/g/s/r/-/blob/main/a.yaml", "https://gitlab.com/g/s/r", "main", "a.yaml",
         "url:https://gitlab.com/g/s/r/-/blob/main/x"),
        ("https://gitea.h/o/r/src/branch/main/a.yaml", "https://gitea.h/o/r", "main", "a.yaml",
         "url:https://gitea.h/o/r/src/branch/main/x"),
        ("https://bitbucket.org/w/r/src/main/a.yaml", "https://bitbucket.org/w/r", "main", "a.yaml",
         "url:https://bitbucket.org/w/r/src/main/x"),
    ],
)  # fmt: skip
def test_a_url_target_names_remote_branch_and_files(
    target: str, root: str, branch: str, pattern: str, file: str
) -> None:
    found = parse_target("url", target)

    assert (found.tree.root, found.tree.branch, found.pattern) == (root, branch, pattern)
    assert found.location("x") == file


@pytest.mark.parametrize(
    ("kind", "target"),
    [("url", "nope"), ("url", ""), ("url", "https://h/a\nb"), ("file", "relative"), ("carrier-pigeon", "x"),
     ("url", "https://h/r#main:../x"), ("url", "https://[/r")],
)  # fmt: skip
def test_a_target_that_cannot_be_understood_is_refused(kind: str, target: str) -> None:
    with pytest.raises(InputError):
        parse_target(kind, target)


@given(st.text("ab/.%", max_size=12), st.text("ab/.%", max_size=12))
def test_no_relative_target_leaves_its_tree(base: str, relative: str) -> None:
    target = parse_target("url", "https://h/r#main:x")
    try:
        found = relative_target(target, base=base, relative=relative)
    except InputError:
        return
    assert not found.pattern.startswith(("/", "../"))
    assert ".." not in found.pattern.split("/")


@given(st.text("ab/.", max_size=12))
def test_a_normal_path_stays_as_it_is(path: str) -> None:
    try:
        normal = normal_path(path)
    except InputError:
        return
    assert normal_path(normal) == normal


def test_a_secret_shows_only_when_it_is_asked_to() -> None:
    secret = Secret("s3cret")

    assert "s3cret" not in f"{secret} {secret!r} {secret!s:>10} {[secret]} {{'a': secret}}"
    assert secret.reveal() == "s3cret"
    assert secret == Secret("s3cret") != Secret("x")
