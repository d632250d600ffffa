"""Which KindDefinitions are accepted, and what the kinds that they declare accept."""

import time
from typing import Any

import jsonschema_rs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.defaults.kinds import all_kinds
from portal.ingest.check import check
from portal.model.declared_kinds import declared_kind, with_declared
from portal.model.envelope import Path
from portal.model.kind_fields import fields_of

KINDS = all_kinds()
VERSION = "ml.example.com/v1"
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.text(max_size=5) | st.just("a") | st.just(["component:x"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


def definition(**spec: Any) -> dict[str, Any]:
    """Return a KindDefinition of the kind Thing."""
    plain = {"owner": "team", "names": {"kind": "Thing"}, "group": "ml.example.com", "version": "v1"}
    return {
        "apiVersion": "portal/v1alpha1",
        "kind": "KindDefinition",
        "metadata": {"name": "thing"},
        "spec": plain | spec,
    }


def thing(**spec: Any) -> dict[str, Any]:
    """Return an entity of the declared kind."""
    return {"apiVersion": VERSION, "kind": "Thing", "metadata": {"name": "x"}, "spec": spec}


def schema(**members: Any) -> dict[str, Any]:
    """Return a definition with a schema."""
    return definition(schema=members)


def relation(**members: Any) -> dict[str, Any]:
    """Return a definition with one relation."""
    return definition(relations=[{"field": "uses", "type": "usesThing", "inverse": "thingUsedBy"} | members])


def nested(depth: int) -> dict[str, Any]:
    """Return a schema of lists of lists."""
    return {"items": nested(depth - 1)} if depth else {}


def doubling(steps: int) -> dict[str, Any]:
    """Return definitions that each name the next one twice."""
    names = {f"a{step}": {"allOf": [{"$ref": f"#/$defs/a{step + 1}"}] * 2} for step in range(steps)}
    return {"$defs": names | {f"a{steps}": {}}, "properties": {"x": {"$ref": "#/$defs/a0"}}}


@pytest.mark.parametrize(
    ("document", "field"),
    [
        (definition(names={"kind": "no kind"}), "spec.names.kind"),
        (definition(names={"kind": "Dataset"}), "spec.names.kind"),
        (definition(group="no group"), "spec.version"),
        (definition(group="portal/x"), "spec.version"),
        (definition(versions=["v1", "v 2"]), "spec.versions.1"),
        (definition(layer="no layer"), "spec.layer"),
        (schema(type="array"), "spec.schema.type"),
        (schema(type="objekt"), "spec.schema.type"),
        (schema(properties=[]), "spec.schema.properties"),
        (schema(properties={"a": {"minLength": "many"}}), "spec.schema.properties.a.minLength"),
        (schema(properties={"a": {"pattern": "(a"}}), "spec.schema.properties.a.pattern"),
        (schema(properties={"a": {"pattern": "(?=a)b"}}), "spec.schema.properties.a.pattern"),
        (schema(properties={"a": {"pattern": "(a{1000}){1000}"}}), "spec.schema.properties.a.pattern"),
        (schema(**{"$schema": "http://json-schema.org/draft-04/schema#"}), "spec.schema.$schema"),
        (schema(**{"$id": "https://example.com/a"}), "spec.schema.$id"),
        (schema(properties={"a": {"$ref": "https://example.com/a.json"}}), "spec.schema.properties.a.$ref"),
        (schema(properties={"a": {"$ref": "file:///etc/passwd"}}), "spec.schema.properties.a.$ref"),
        (schema(properties={"a": {"$ref": "#"}}), "spec.schema.properties.a.$ref"),
        (schema(properties={"a": {"$ref": "#/$defs/none"}}), "spec.schema.properties.a.$ref"),
        (schema(properties={"a": {"$dynamicRef": "#a"}}), "spec.schema.properties.a.$dynamicRef"),
        (schema(properties={"a": {"$defs": {}}}), "spec.schema.properties.a.$defs"),
        (schema(**{"$defs": {"a": {"items": {"$ref": "#/$defs/a"}}}}), "spec.schema.$defs.a.items.$ref"),
        (schema(**doubling(15)), "spec.schema"),
        (schema(**nested(60)), "spec.schema" + ".items" * 41),
        (schema(description="x" * 70_000), "spec.schema"),
        (schema(const=2**70), "spec.schema"),
        (relation(field="Uses"), "spec.relations.0.field"),
        (relation(field="owner"), "spec.relations.0.field"),
        (relation(type="no type"), "spec.relations.0.type"),
        (relation(inverse="no type"), "spec.relations.0.inverse"),
        (relation(inverse=None), "spec.relations.0.inverse"),
        (relation(inverse="dependsOn"), "spec.relations.0.inverse"),
        (relation(type="dependsOn"), "spec.relations.0.inverse"),
        (relation(kind="no kind"), "spec.relations.0.kind"),
        (definition(relations=[{"field": f"a{n}", "type": "dependsOn"} for n in range(51)]), "spec.relations"),
        (definition(relations=[{"field": "a", "type": "dependsOn"}] * 2), "spec.relations.1.field"),
        (
            definition(
                relations=[{"field": "a", "type": "dependsOn"}], schema={"properties": {"a": {"type": "number"}}}
            ),
            "spec.relations.0.field",
        ),
        (
            definition(
                relations=[{"field": "a", "type": "dependsOn"}],
                schema={"properties": {"a": {"type": ["string", "null"]}}},
            ),
            "spec.relations.0.field",
        ),
    ],
)
def test_a_definition_that_cannot_hold_says_where(document: dict[str, Any], field: str) -> None:
    checked = check(document, kinds=KINDS)

    assert {".".join(map(str, fault.path)) for fault in checked.faults} == {field}
    assert all(fault.fault.expected for fault in checked.faults)


def test_a_schema_that_doubles_is_refused_before_it_costs_anything() -> None:
    start = time.perf_counter()

    checked = check(schema(**doubling(99)), kinds=KINDS)

    assert checked.faults
    assert time.perf_counter() - start < 1


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({}, {"spec.type": ("field-missing", "one of a, 3")}),
        ({"type": "b"}, {"spec.type": ("field-invalid", "one of a, 3")}),
        ({"type": "a", "more": 1}, {"spec.more": ("field-unknown", None)}),
        ({"type": "a", "count": 0}, {"spec.count": ("field-invalid", "1 or more")}),
        ({"type": "a", "count": 1.5}, {"spec.count": ("field-invalid", "null or a whole number")}),
        ({"type": "a", "count": float("nan")}, {"spec.count": ("field-invalid", "null or a whole number")}),
        ({"type": "a", "code": "zz"}, {"spec.code": ("field-invalid", "a text that matches ^x+$")}),
        ({"type": "a", "site": "not a url"}, {"spec.site": ("field-invalid", "a text of the format uri")}),
        ({"type": "a", "parts": [{"k": 1}, {}]}, {"spec.parts.1.k": ("field-missing", "a value")}),
        ({"type": "a", "owner": ["x"]}, {"spec.owner": ("field-invalid", "a text")}),
        ({"type": "a", "stewards": [{"ref": "a"}]}, {"spec.stewards.0.duty": ("field-missing", "a text")}),
        ({"type": "a", "uses": "x"}, {"spec.uses": ("field-invalid", "a list")}),
        ({"type": "a", "uses": ["x", "/y"]}, {"spec.uses.1": ("field-invalid", None)}),
        ({"type": "a", "dependsOn": ["x"]}, {"spec.dependsOn.0": ("field-invalid", None)}),
        ({"type": 3, "uses": ["x"], "owner": "x", "lifecycle": "any", "parts": [{"k": None}]}, {}),
    ],
)
def test_a_fault_names_its_field_and_what_was_expected(spec: dict[str, Any], expected: dict[str, Any]) -> None:
    members = {
        "required": ["type"],
        "additionalProperties": False,
        "properties": {
            "type": {"enum": ["a", 3]},
            "count": {"type": ["integer", "null"], "minimum": 1},
            "code": {"pattern": "^x+$"},
            "site": {"format": "uri"},
            "parts": {"items": {"$ref": "#/$defs/part"}},
            "owner": {"minLength": 1},
        },
        "$defs": {"part": {"type": "object", "required": ["k"]}},
    }
    kinds = with_declared(KINDS, [definition(schema=members, relations=relation(kind="Model")["spec"]["relations"])])

    faults = check(thing(**spec), kinds=kinds).faults

    assert {".".join(map(str, fault.path)): fault.fault.code for fault in faults} == {
        field: code for field, (code, _) in expected.items()
    }
    for fault in faults:
        assert expected[".".join(map(str, fault.path))][1] in {None, fault.fault.expected}


def test_an_asset_of_a_layer_must_have_an_owner() -> None:
    layered = with_declared(KINDS, [definition(layer="shared")])

    assert [fault.path for fault in check(thing(), kinds=layered).faults] == [("spec", "owner")]
    assert layered.default_layers["thing"] == "shared"
    assert "thing" in layered.layered
    assert check(thing(), kinds=with_declared(KINDS, [definition()])).faults == ()


def test_every_version_that_is_declared_is_taken() -> None:
    kinds = with_declared(KINDS, [definition(version="v2", versions=["v1"])])

    assert kinds.find("Thing", "ml.example.com/v1") is kinds.find("Thing", "ml.example.com/v2") is not None
    assert kinds.find("Thing", "ml.example.com/v3") is None


@pytest.mark.parametrize("name", ["validate", "fields", "load", "opts", "context", "accepts", "meta", "json_schema"])
def test_a_field_may_be_called_anything(name: str) -> None:
    kinds = with_declared(KINDS, [relation(field=name, kind="Model")])

    assert check(thing(**{name: ["x"]}), kinds=kinds).faults == ()
    assert [fault.path for fault in check(thing(**{name: 3}), kinds=kinds).faults] == [("spec", name)]


@given(st.dictionaries(st.sampled_from(["type", "uses", "owner", "stewards", "dependsOn", "more"]), VALUES))
def test_what_a_declared_kind_accepts_its_json_schema_accepts(spec: dict[str, Any]) -> None:
    described = {"required": ["type"], "properties": {"type": {"$ref": "#/$defs/a"}}, "$defs": {"a": {"const": "a"}}}
    kind = declared_kind(definition(schema=described, relations=relation(kind="Model")["spec"]["relations"]))
    checked = check(thing(**spec), kinds=with_declared(KINDS, [definition(schema=described)]))

    assert jsonschema_rs.meta.is_valid(kind.json_schema())
    if checked.entity is not None and "uses" not in spec:
        assert jsonschema_rs.is_valid(kind.json_schema(), thing(**spec))


@given(VALUES)
def test_no_schema_makes_the_check_fail(value: Any) -> None:
    check(definition(schema=value, relations=value), kinds=KINDS)
    check(definition(schema={"properties": value, "$defs": value, "items": value, "allOf": value}), kinds=KINDS)


@pytest.mark.parametrize("schema", [{}, {"required": ["owner", "type"], "allOf": [True], "anyOf": [True]}])
@pytest.mark.parametrize("layer", [{}, {"layer": "shared"}])
def test_owners_stand_in_for_the_owner_of_a_declared_kind(schema: dict[str, Any], layer: dict[str, str]) -> None:
    kinds = with_declared(KINDS, [definition(schema=schema, **layer)])

    def faults(**spec: Any) -> list[tuple[Path, str]]:
        found = check(thing(type="a", **spec), kinds=kinds).faults
        return [(fault.path, fault.fault.code) for fault in found]

    needs_one = bool(schema or layer)
    assert faults(owners=["a", "b"]) == faults(owner="a") == faults(owner="a", owners=["b"]) == []
    assert faults() == ([(("spec", "owner"), "field-missing")] if needs_one else [])
    assert faults(owner="a", owners=[]) == [(("spec", "owners"), "field-invalid")]
    assert faults(owners=["a", 5]) == [(("spec", "owners", 1), "field-invalid")]
    assert faults(owners=["a", "x:"]) == [(("spec", "owners", 1), "field-invalid")]
    kind = kinds.named("Thing")
    assert kind is not None
    told = {field.name: field.is_required for field in fields_of(kind)}
    assert (told["owner"], told["owners"]) == (needs_one, False)
