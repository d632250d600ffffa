"""Kinds as data: name, versions, the shape of the spec, the relations that its fields declare."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from marshmallow import INCLUDE, Schema

from portal.errors import PluginError
from portal.model.fields import Fault, PortalField, Ref, RefList, RefObjectList, instead_of, object_schema
from portal.model.ref import EntityRef
from portal.model.relation import INVERSES, RELATION_TYPES, RelationType
from portal.model.sentence import Sentence

if TYPE_CHECKING:
    from portal.model.envelope import FieldFault

CORE_VERSIONS = frozenset({"backstage.io/v1alpha1", "backstage.io/v1beta1"})
PORTAL_VERSION = "portal/v1alpha1"


class SpecSchema(Schema):
    """The spec of a kind; unknown fields are kept, as Backstage keeps them."""

    error_messages: dict[str, Any] = {"type": Fault("field-invalid", Sentence("a mapping"))}  # noqa: RUF012  # as marshmallow has it

    class Meta:
        """Unknown members pass through."""

        unknown = INCLUDE

    def accepts(self, spec: Mapping[str, Any]) -> bool:
        """Return whether a spec has no fault for certain, ten times faster than `validate` tells which it has."""
        if not self._is_plain:
            return False
        for name, declared, required, instead in self._checks:
            if name in spec:
                if not declared.accepts(spec[name]):
                    return False
            elif required and instead not in spec:
                return False
        return True

    def validate(self, data: Any, **given: Any) -> dict[str, Any]:
        """Return the faults of a spec, nested by field; what stands in for an absent field tells its own."""
        errors: dict[str, Any] = super().validate(data, **given)
        if isinstance(data, Mapping):
            for name, instead in self._instead.items():
                if name not in data and instead in data:
                    errors.pop(name, None)
        return errors

    def is_lenient(self, name: str, spec: Mapping[str, Any]) -> bool:
        """Return whether faults of a field of this spec are warnings.

        They are errors where the field stands in for a required one that is absent: nothing is left then.
        """
        found = self.fields.get(name)
        if not isinstance(found, PortalField) or not found.lenient:
            return False
        return all(instead != name or absent in spec for absent, instead in self._instead.items())

    @classmethod
    def json_schema(cls) -> dict[str, Any]:
        """Return the JSON Schema (draft 2020-12) of the spec."""
        return object_schema(cls)

    @cached_property
    def _is_plain(self) -> bool:
        """Whether the fields say all that is checked."""
        return type(self).validate is SpecSchema.validate and not self._hooks and len(self._checks) == len(self.fields)

    @cached_property
    def _checks(self) -> list[tuple[str, PortalField, bool, str | None]]:
        return [
            (field.data_key or name, field, field.required, instead_of(field))
            for name, field in self.fields.items()
            if isinstance(field, PortalField)
        ]

    @cached_property
    def _instead(self) -> Mapping[str, str]:
        """The list that may stand in for a required field, by that field."""
        return {name: other for name, field in self.fields.items() if field.required and (other := instead_of(field))}


@dataclass(frozen=True, slots=True)
class RelationField:
    """A field of a spec that names other entities."""

    name: str
    field: Ref | RefList | RefObjectList

    @property
    def emits(self) -> RelationType:
        """The relation from the entity to what the field names."""
        return self.field.emits

    @property
    def default_kind(self) -> str | None:
        """The kind of a short reference, or None when it must be written."""
        return self.field.default_kind


@dataclass(frozen=True)
class Kind:
    """One kind of entity.

    `variants` gives a spec of its own to some values of `spec.type`. `layer` is the name of the layer that an entity
    stands in when neither it nor its system nor that system's domain says. A `layered` kind must stand in one.
    `further` yields the faults that no field shows by itself, some only beside the other kinds, in a document that has
    no others.
    `declared_by` is the KindDefinition that a kind comes from, `meaning` a text that changes with what that says.
    """

    name: str
    api_versions: frozenset[str]
    spec: type[SpecSchema]
    description: str
    variants: Mapping[str, type[SpecSchema]] = field(default_factory=dict)
    layer: str | None = None
    layered: bool = False
    plural: str = ""
    further: Callable[[Mapping[str, Any], Kinds], Iterable[FieldFault]] | None = None
    declared_by: EntityRef | None = None
    meaning: str = ""

    @cached_property
    def spec_schema(self) -> SpecSchema:
        """The schema of the spec, ready to check with."""
        return self.spec()

    @cached_property
    def variant_schemas(self) -> Mapping[str, SpecSchema]:
        """The schemas of the variants by `spec.type`, ready to check with."""
        return {name: schema() for name, schema in self.variants.items()}

    def schema_for(self, spec: Mapping[str, Any]) -> SpecSchema:
        """Return the schema that this spec must follow."""
        spec_type = spec.get("type")
        if isinstance(spec_type, str) and spec_type in self.variant_schemas:
            return self.variant_schemas[spec_type]
        return self.spec_schema

    @cached_property
    def relation_fields(self) -> Mapping[SpecSchema, tuple[RelationField, ...]]:
        """The relation fields of each schema of this kind."""
        return {
            schema: tuple(
                RelationField(name, found)
                for name, found in schema.fields.items()
                if isinstance(found, (Ref, RefList, RefObjectList))
            )
            for schema in (self.spec_schema, *self.variant_schemas.values())
        }

    def json_schema(self) -> dict[str, Any]:
        """Return the JSON Schema (draft 2020-12) of a whole entity of this kind."""
        spec = self.spec.json_schema()
        # A reference inside the spec is told from the root of the whole.
        definitions = spec.pop("$defs", None)
        spec.pop("$schema", None)
        if self.variants:
            spec = {
                "anyOf": [
                    *(
                        object_schema(variant)
                        | {"properties": object_schema(variant)["properties"] | {"type": {"const": name}}}
                        for name, variant in self.variants.items()
                    ),
                    spec,
                ]
            }
        return ({"$defs": definitions} if definitions else {}) | {
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "title": self.name,
            "description": self.description,
            "type": "object",
            "required": ["apiVersion", "kind", "metadata", "spec"],
            "additionalProperties": False,
            "properties": {
                "apiVersion": {"enum": sorted(self.api_versions)},
                "kind": {"const": self.name},
                "metadata": METADATA_JSON_SCHEMA,
                "spec": spec,
            },
        }


class Kinds:
    """The kinds that are known, found by name and apiVersion as Backstage does: both with their case."""

    def __init__(self, kinds: Collection[Kind]) -> None:
        self._by_name: dict[str, Kind] = {}
        for kind in kinds:
            if kind.name.lower() in self._by_name:
                raise PluginError(f'Two kinds are called "{kind.name}"')
            self._by_name[kind.name.lower()] = kind

    def __iter__(self) -> Iterator[Kind]:
        return iter(sorted(self._by_name.values(), key=lambda kind: kind.name))

    def find(self, name: str, api_version: str) -> Kind | None:
        """Return the kind of a document, or None when no kind takes this name and apiVersion."""
        kind = self._by_name.get(name.lower())
        if kind is None or kind.name != name or api_version not in kind.api_versions:
            return None
        return kind

    def named(self, name: str) -> Kind | None:
        """Return the kind of this name in any case."""
        return self._by_name.get(name.lower())

    @cached_property
    def declared(self) -> Mapping[str, str]:
        """What each declared kind (lower case) means, as a text that changes with it; KindDefinition stands for all.

        A definition is checked beside the other ones: what it means depends on each of them.
        """
        found = {name: kind.meaning for name, kind in sorted(self._by_name.items()) if kind.declared_by is not None}
        return found | {"kinddefinition": sha256(repr(found).encode()).hexdigest()} if found else {}

    def is_built_in(self, name: str) -> bool:
        """Return whether a kind (lower case) is known that no KindDefinition declares."""
        kind = self._by_name.get(name)
        return kind is not None and kind.declared_by is None

    @cached_property
    def relation_types(self) -> tuple[RelationType, ...]:
        """The relation types that are known, those of declared kinds last; a pair is there once."""
        found = dict.fromkeys(RELATION_TYPES)
        for emits in self._declared_relations(None):
            if emits not in found and emits.inverted() not in found:
                found[emits] = None
        return tuple(found)

    def inverses_beside(self, definition: EntityRef | None) -> dict[str, str]:
        """Return each relation type's name with that of its inverse; without those that only `definition` declares."""
        found = dict(INVERSES)
        for emits in self._declared_relations(definition):
            found |= {emits.forward: emits.inverse, emits.inverse: emits.forward}
        return found

    def _declared_relations(self, without: EntityRef | None) -> Iterator[RelationType]:
        for kind in self._by_name.values():
            if kind.declared_by is not None and kind.declared_by != without:
                for fields in kind.relation_fields.values():
                    yield from (item.emits for item in fields)

    @cached_property
    def reference_fields(self) -> Mapping[str, frozenset[str]]:
        """The fields of each kind (lower case) that name other entities."""
        return {
            name: frozenset(field.name for fields in kind.relation_fields.values() for field in fields)
            for name, kind in self._by_name.items()
        }

    @property
    def default_layers(self) -> Mapping[str, str]:
        """The default layer's name of each kind (lower case) that has one."""
        return {name: kind.layer for name, kind in self._by_name.items() if kind.layer}

    @property
    def layered(self) -> frozenset[str]:
        """The kinds (lower case) whose entities must stand in a layer."""
        return frozenset(name for name, kind in self._by_name.items() if kind.layered)

    def fingerprint(self) -> str:
        """Return a text that changes whenever a kind is added, removed or declared differently."""
        return repr([(kind.name, sorted(kind.api_versions), kind.json_schema(), kind.layer) for kind in self])


_NAME_PATTERN = "^([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]$"

METADATA_JSON_SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": ["name"],
    "properties": {
        "name": {"type": "string", "minLength": 1, "maxLength": 63, "pattern": _NAME_PATTERN},
        "namespace": {
            "type": "string",
            "minLength": 1,
            "maxLength": 63,
            "pattern": "^[a-z0-9]+(?:-+[a-z0-9]+)*$",
            "default": "default",
        },
        "title": {"type": "string", "minLength": 1},
        "description": {"type": "string"},
        "labels": {"type": "object", "additionalProperties": {"type": "string"}},
        "annotations": {"type": "object", "additionalProperties": {"type": "string"}},
        "tags": {
            "type": "array",
            "items": {"type": "string", "maxLength": 63, "pattern": "^[a-z0-9:+#]+(-[a-z0-9:+#]+)*$"},
        },
        "links": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["url"],
                "properties": {
                    "url": {"type": "string", "minLength": 1},
                    "title": {"type": "string", "minLength": 1},
                    "icon": {"type": "string", "minLength": 1},
                    "type": {"type": "string", "minLength": 1},
                },
            },
        },
    },
}
