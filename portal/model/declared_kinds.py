"""Kinds that are declared in YAML: a KindDefinition becomes a `Kind` like any other."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, ClassVar

import orjson

from portal.model.entity import ref_of
from portal.model.envelope import FieldFault, Path, is_api_version, is_kind, is_object_name
from portal.model.fields import Fault, Ref, RefList, object_schema, one_of_fields
from portal.model.json_schema import SpecChecker, schema_faults
from portal.model.kind import Kind, Kinds
from portal.model.owned import AssetSpec
from portal.model.ref import EntityRef
from portal.model.relation import INVERSES, RelationType
from portal.model.sentence import Sentence

#: The kind whose entities declare kinds, lower case.
DEFINITION = "kinddefinition"
MOST_RELATIONS = 50
#: Stands for a kind that nothing declares any more.
GONE = Kind("", frozenset(), AssetSpec, "")

_FIELD = re.compile(r"[a-z][A-Za-z0-9_]{0,62}", re.ASCII)
_RELATION = re.compile(r"[a-z][A-Za-z0-9]{0,62}", re.ASCII)
_FIELD_EXPECTED = Sentence("a lower-case letter, then letters, digits and '_', at most 63 characters")
_RELATION_EXPECTED = Sentence("a lower-case letter, then letters and digits, at most 63 characters, such as servedBy")


class DeclaredSpec(AssetSpec):
    """The spec of a declared kind: what its JSON Schema says, with the fields that all owned things share.

    The schema alone decides; the fields tell which references the spec holds.
    """

    _checker: ClassVar[SpecChecker]

    class Meta(AssetSpec.Meta):
        """Kept out of marshmallow's list of all schemas, which never forgets one."""

        register = False

    def accepts(self, spec: Mapping[str, Any]) -> bool:
        """Return whether a spec has no fault."""
        return self._checker.is_valid(spec)

    def validate(self, data: Any, **_: Any) -> dict[str, Any]:
        """Return the faults of a spec, nested by field."""
        return self._checker.faults(data)

    @classmethod
    def json_schema(cls) -> dict[str, Any]:
        """Return the JSON Schema that specs are checked with."""
        return dict(cls._checker.schema)


def with_declared(kinds: Kinds, definitions: Iterable[Mapping[str, Any]]) -> Kinds:
    """Return the kinds with those that KindDefinitions, oldest first, declare.

    A definition that is not what it must be, beside those before it, declares nothing; checking its document says why.
    """
    known = kinds
    for declared in definitions:
        if next(definition_faults(declared, known), None) is None:
            known = Kinds([*known, declared_kind(declared)])
    return known


def declared_kind(declared: Mapping[str, Any]) -> Kind:
    """Return the kind that a KindDefinition without faults declares."""
    spec = declared["spec"]
    name, layer = spec["names"]["kind"], spec.get("layer")
    ref = ref_of(declared)
    references: dict[str, Ref | RefList] = {
        relation["field"]: _reference_field(relation, spec) for relation in spec.get("relations") or ()
    }
    checker = SpecChecker(_effective_schema(spec, references))
    shape = type(f"{name}Spec", (DeclaredSpec,), dict[str, Any](references) | {"_checker": checker})
    versions = dict.fromkeys([spec["version"], *(spec.get("versions") or ())])
    return Kind(
        name,
        frozenset(f"{spec['group']}/{version}" for version in versions),
        shape,
        str(declared["metadata"].get("description") or f"Declared by {ref}."),
        layer=layer,
        layered=layer is not None,
        plural=str(spec["names"].get("plural") or f"{name.lower()}s"),
        declared_by=ref,
        meaning=hashlib.sha256(orjson.dumps([ref, spec], option=orjson.OPT_SORT_KEYS)).hexdigest(),
    )


def _reference_field(relation: Mapping[str, Any], spec: Mapping[str, Any]) -> Ref | RefList:
    emits = RelationType(relation["type"], _inverse(relation))
    described = (spec.get("schema") or {}).get("properties", {}).get(relation["field"])
    is_one = isinstance(described, dict) and described.get("type") == "string"
    description = relation.get("description") or (described.get("description", "") if described else "")
    return (Ref if is_one else RefList)(relation.get("kind"), emits=emits, description=str(description))


def _inverse(relation: Mapping[str, Any]) -> str:
    return str(relation.get("inverse") or INVERSES[relation["type"]])


def _effective_schema(spec: Mapping[str, Any], references: Mapping[str, Ref | RefList]) -> dict[str, Any]:
    """Return the definition's schema with the fields that are every kind's, and those that hold references."""
    schema: dict[str, Any] = {"type": "object"} | (spec.get("schema") or {})
    ours: dict[str, Any] = dict(object_schema(AssetSpec)["properties"])
    for name, field in references.items():
        ours[name] = field.json_schema() | ({"description": field.description} if field.description else {})
    properties = dict(schema.get("properties") or {})
    for name, shape in ours.items():
        theirs = properties.get(name)
        # What is said of one of these fields narrows it: the rest of Portal relies on its shape.
        properties[name] = shape if theirs is None else _both(shape, theirs)
    required = list(dict.fromkeys([*schema.get("required", ()), *(["owner"] if "layer" in spec else [])]))
    whole = schema | {"properties": properties} | ({"required": required} if required else {})
    if "owner" in required:
        # There is an owner too where several are listed.
        whole["required"] = [name for name in required if name != "owner"]
        whole["allOf"] = [*schema.get("allOf", ()), one_of_fields("owner", "owners")]
    return whole


def _both(ours: dict[str, Any], theirs: Any) -> dict[str, Any]:
    described = theirs.get("description") if isinstance(theirs, dict) else None
    return {"allOf": [ours, theirs]} | ({"description": described} if described else {})


def definition_faults(declared: Mapping[str, Any], kinds: Kinds) -> Iterator[FieldFault]:
    """Yield what keeps a KindDefinition, whose fields have been checked one by one, from declaring its kind.

    `kinds` are all that are known, this definition's own among them if it declares one already.
    """
    ref, spec = ref_of(declared), declared["spec"]
    yield from _name_faults(ref, spec, kinds)
    for number, text in enumerate([spec["version"], *(spec.get("versions") or ())]):
        if not is_api_version(f"{spec['group']}/{text}"):
            path: Path = ("spec", "version") if number == 0 else ("spec", "versions", number - 1)
            yield _fault(
                path,
                Sentence("with the group an apiVersion, such as ml.example.com/v1alpha1"),
                f"{spec['group']}/{text}",
            )
    if "layer" in spec and not is_object_name(spec["layer"]):
        yield _fault(("spec", "layer"), Sentence("the name of a layer"), spec["layer"])
    found = list(schema_faults(spec.get("schema") or {}))
    yield from (fault._replace(path=("spec", "schema", *fault.path)) for fault in found)
    yield from _relation_faults(ref, spec, kinds, is_schema_sound=not found)


def _name_faults(ref: EntityRef, spec: Mapping[str, Any], kinds: Kinds) -> Iterator[FieldFault]:
    path, name = ("spec", "names", "kind"), spec["names"]["kind"]
    if not is_kind(name):
        yield _fault(
            path, Sentence("a letter, then letters and digits, at most 63 characters, such as FeatureStore"), name
        )
        return
    known = kinds.named(name)
    if known is not None and known.declared_by != ref:
        holder = (
            Sentence("%(declared_by)s declares it", declared_by=known.declared_by)
            if known.declared_by
            else Sentence("%(name)s is there without it", name=known.name)
        )
        yield _fault(path, Sentence("a kind that nothing else declares; %(holder)s", holder=holder), name)


def _relation_faults(
    ref: EntityRef, spec: Mapping[str, Any], kinds: Kinds, *, is_schema_sound: bool
) -> Iterator[FieldFault]:
    relations = spec.get("relations") or ()
    if len(relations) > MOST_RELATIONS:
        yield _fault(
            ("spec", "relations"), Sentence("at most %(limit)s relations", limit=MOST_RELATIONS), len(relations)
        )
        return
    shared = object_schema(AssetSpec)["properties"]
    inverses = kinds.inverses_beside(ref)
    seen: set[str] = set()
    for number, relation in enumerate(relations):
        path: Path = ("spec", "relations", number)
        name = relation["field"]
        if not _FIELD.fullmatch(name):
            yield _fault((*path, "field"), _FIELD_EXPECTED, name)
        elif name in shared:
            yield _fault(
                (*path, "field"),
                Sentence("a field that is not every kind's, as %(shared)s are", shared=list(shared)),
                name,
            )
        elif name in seen:
            yield _fault((*path, "field"), Sentence("each field once"), name)
        elif is_schema_sound and not _holds_references(spec, name):
            yield _fault((*path, "field"), Sentence("a field whose schema is a text, or a list of texts"), name)
        seen.add(name)
        kind = relation.get("kind")
        if kind is not None and not is_kind(kind):
            yield _fault((*path, "kind"), Sentence("the name of a kind"), kind)
        yield from _type_faults(relation, path, inverses)


def _holds_references(spec: Mapping[str, Any], name: str) -> bool:
    described = (spec.get("schema") or {}).get("properties", {}).get(name)
    if described is None:
        return True
    if not isinstance(described, dict) or described.get("type") not in ("string", "array"):
        return False
    items = described.get("items")
    return described["type"] == "string" or items is None or (isinstance(items, dict) and items.get("type") == "string")


def _type_faults(relation: Mapping[str, Any], path: Path, inverses: dict[str, str]) -> Iterator[FieldFault]:
    """Yield what is wrong with a relation's type; a sound one is added to `inverses`."""
    name, inverse = relation["type"], relation.get("inverse")
    for field, text in (("type", name), ("inverse", inverse)):
        if text is not None and not _RELATION.fullmatch(text):
            yield _fault((*path, field), _RELATION_EXPECTED, text)
            return
    if name in inverses:
        if inverse not in {None, inverses[name]}:
            yield _fault(
                (*path, "inverse"),
                Sentence("%(inverses)s, the inverse of %(name)s everywhere", inverses=inverses[name], name=name),
                inverse,
            )
    elif inverse is None:
        yield FieldFault(
            (*path, "inverse"),
            Fault("field-missing", Sentence("the inverse of %(name)s, such as %(name)sOf", name=name)),
        )
    elif inverse in inverses:
        yield _fault(
            (*path, "inverse"),
            Sentence(
                "a name that is free; %(inverse)s is the inverse of %(inverses)s",
                inverse=inverse,
                inverses=inverses[inverse],
            ),
            inverse,
        )
    else:
        inverses |= {name: inverse, inverse: name}


def _fault(path: Path, expected: str, found: Any) -> FieldFault:
    return FieldFault(path, Fault("field-invalid", expected), found)
