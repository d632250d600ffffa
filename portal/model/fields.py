"""Fields of a kind's spec: marshmallow fields that also know their relation, their JSON Schema, what they expect."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from marshmallow import Schema, ValidationError, fields, validate

from portal.model.relation import RelationType
from portal.model.sentence import Sentence


@dataclass(frozen=True, slots=True)
class Fault:
    """What a field expected and did not find; `code` is a problem code, `hint` says how to mend it."""

    code: str
    expected: str
    hint: str = ""


def _messages(expected: str, **more: str) -> dict[str, Any]:
    invalid = [Fault("field-invalid", expected)]
    messages: dict[str, Any] = {
        "required": [Fault("field-missing", expected)],
        "null": invalid,
        "invalid": invalid,
        "invalid_utf8": invalid,
        "type": invalid,
    }
    messages.update({key: [Fault("field-invalid", text)] for key, text in more.items()})
    return messages


class PortalField(fields.Field[Any]):
    """What each field of a spec adds to marshmallow's: a description, leniency and a JSON Schema.

    A `lenient` field never keeps its document out of the catalog: on a kind that Backstage also knows, a field that is
    Portal's own must not refuse what Backstage accepts. Its faults become warnings, and it emits no relation then.
    """

    lenient: bool = False
    description: str = ""
    #: How any fault of the field is mended, where that is not plain from what was expected.
    hint: str = ""

    def json_schema(self) -> dict[str, Any]:
        """Return the JSON Schema (draft 2020-12) of the field's value."""
        raise NotImplementedError

    def accepts(self, value: Any) -> bool:
        """Return whether a value has no fault for certain; False where only the check itself can tell."""
        return False

    def refs(self, value: Any) -> Iterator[str]:
        """Yield the texts of the entity references in a value that has passed the field's check."""
        return iter(())


class Text(PortalField, fields.String):
    """A text, not empty unless `allow_empty`; `one_of` lists the only values accepted."""

    def __init__(
        self,
        *,
        required: bool = False,
        lenient: bool = False,
        allow_empty: bool = False,
        one_of: Sequence[str] = (),
        description: str = "",
    ) -> None:
        expected = (
            Sentence("one of %(names)s", names=list(one_of))
            if one_of
            else Sentence("a text")
            if allow_empty
            else Sentence("a text that is not empty")
        )
        validators: list[Any] = []
        if one_of:
            validators.append(_OneOf(one_of, expected))
        elif not allow_empty:
            validators.append(_NotEmpty(expected))
        super().__init__(required=required, validate=validators, error_messages=_messages(expected))
        self.lenient = lenient
        self.description = description
        self.one_of = tuple(one_of)
        self.allow_empty = allow_empty

    def accepts(self, value: Any) -> bool:
        """Return whether this is a text that the field takes."""
        return type(value) is str and (value in self.one_of if self.one_of else bool(value) or self.allow_empty)

    def json_schema(self) -> dict[str, Any]:
        """Return the JSON Schema of a text."""
        if self.one_of:
            return {"type": "string", "enum": list(self.one_of)}
        return {"type": "string"} if self.allow_empty else {"type": "string", "minLength": 1}


class Ref(Text):
    """An entity reference; `emits` is the relation to what it names, `default_kind` completes a short one.

    `instead` is the field with a list of such references whose first stands for this one where it is absent.
    """

    def __init__(
        self,
        default_kind: str | None,
        *,
        emits: RelationType,
        required: bool = False,
        lenient: bool = False,
        instead: str | None = None,
        description: str = "",
    ) -> None:
        super().__init__(required=required, lenient=lenient, description=description)
        self.default_kind = default_kind
        self.emits = emits
        self.instead = instead

    def refs(self, value: Any) -> Iterator[str]:
        """Yield the reference."""
        yield value


class TextList(PortalField, fields.List[Any]):
    """A list of texts that are not empty."""

    def __init__(
        self, *, required: bool = False, lenient: bool = False, min_items: int = 0, description: str = ""
    ) -> None:
        expected = Sentence("a list of texts that are not empty")
        super().__init__(
            Text(),
            required=required,
            validate=[_MinItems(min_items)] if min_items else [],
            error_messages=_messages(expected),
        )
        self.lenient = lenient
        self.description = description
        self.min_items = min_items

    def accepts(self, value: Any) -> bool:
        """Return whether this is a list of enough texts."""
        return (
            type(value) is list
            and len(value) >= self.min_items
            and all(type(item) is str and item != "" for item in value)
        )

    def json_schema(self) -> dict[str, Any]:
        """Return the JSON Schema of a list of texts."""
        schema: dict[str, Any] = {"type": "array", "items": {"type": "string", "minLength": 1}}
        return schema | ({"minItems": self.min_items} if self.min_items else {})


class RefList(TextList):
    """A list of entity references, each emitting the same relation."""

    def __init__(
        self,
        default_kind: str | None,
        *,
        emits: RelationType,
        required: bool = False,
        lenient: bool = False,
        min_items: int = 0,
        hint: str = "",
        description: str = "",
    ) -> None:
        super().__init__(required=required, lenient=lenient, min_items=min_items, description=description)
        self.default_kind = default_kind
        self.emits = emits
        self.hint = hint

    def refs(self, value: Any) -> Iterator[str]:
        """Yield the references in their order. Raises `TypeError` for what is no list: a text is none of letters."""
        if not isinstance(value, list):
            raise TypeError("a list of references is a list")
        yield from value


class Object(PortalField, fields.Nested):
    """A mapping with fields of its own; unknown members are kept."""

    def __init__(
        self,
        nested: type[Schema],
        *,
        required: bool = False,
        lenient: bool = False,
        key: str | None = None,
        description: str = "",
    ) -> None:
        super().__init__(nested, required=required, data_key=key, error_messages=_messages(Sentence("a mapping")))
        self.lenient = lenient
        self.description = description

    def json_schema(self) -> dict[str, Any]:
        """Return the JSON Schema of the nested mapping."""
        nested: Any = self.schema_class()
        # One may say more of its members than its fields do.
        return nested.json_schema() if hasattr(nested, "json_schema") else object_schema(nested)

    def schema_class(self) -> type[Schema]:
        """Return the marshmallow schema of the members."""
        nested = self.nested
        if not (isinstance(nested, type) and issubclass(nested, Schema)):
            raise TypeError("a nested field is declared with a schema class")
        return nested


class ObjectList(PortalField, fields.List[Any]):
    """A list of mappings with fields of their own."""

    def __init__(
        self,
        nested: type[Schema],
        *,
        required: bool = False,
        lenient: bool = False,
        min_items: int = 0,
        description: str = "",
    ) -> None:
        super().__init__(
            Object(nested),
            required=required,
            validate=[_MinItems(min_items)] if min_items else [],
            error_messages=_messages(Sentence("a list of mappings")),
        )
        self.nested_class = nested
        self.lenient = lenient
        self.description = description
        self.min_items = min_items

    def json_schema(self) -> dict[str, Any]:
        """Return the JSON Schema of the list."""
        schema: dict[str, Any] = {"type": "array", "items": object_schema(self.nested_class)}
        return schema | ({"minItems": self.min_items} if self.min_items else {})


class RefObjectList(ObjectList):
    """A list of mappings whose member `ref` is an entity reference, each emitting the same relation."""

    def __init__(
        self,
        nested: type[Schema],
        default_kind: str | None,
        *,
        emits: RelationType,
        lenient: bool = False,
        description: str = "",
    ) -> None:
        super().__init__(nested, lenient=lenient, description=description)
        self.default_kind = default_kind
        self.emits = emits

    def refs(self, value: Any) -> Iterator[str]:
        """Yield the reference of each member."""
        for member in value:
            yield member["ref"]


class AnyMapping(PortalField, fields.Dict):
    """A mapping with any members."""

    def __init__(self, *, required: bool = False, lenient: bool = False, description: str = "") -> None:
        super().__init__(required=required, error_messages=_messages(Sentence("a mapping")))
        self.lenient = lenient
        self.description = description

    def accepts(self, value: Any) -> bool:
        """Return whether this is a mapping."""
        return type(value) is dict

    def json_schema(self) -> dict[str, Any]:
        """Return the JSON Schema of any mapping."""
        return {"type": "object"}


class TextMapping(PortalField, fields.Dict):
    """A mapping of texts to texts."""

    def __init__(self, *, one_of: Sequence[str] = (), description: str = "") -> None:
        super().__init__(
            keys=Text(allow_empty=True),
            values=Text(allow_empty=not one_of, one_of=one_of),
            error_messages=_messages(Sentence("a mapping of texts")),
        )
        self.lenient = False
        self.description = description
        self.one_of = tuple(one_of)

    def json_schema(self) -> dict[str, Any]:
        """Return the JSON Schema of the mapping."""
        value: dict[str, Any] = {"type": "string"}
        return {"type": "object", "additionalProperties": value | ({"enum": list(self.one_of)} if self.one_of else {})}

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> Any:
        """Check the values; a wrong one is reported at its own key (marshmallow puts it one level deeper)."""
        if not isinstance(value, dict):
            raise self.make_error("invalid")
        errors: dict[str, Any] = {}
        member = self.value_field
        if member is None:
            raise TypeError("the mapping has no field for its values")
        for key, item in value.items():
            try:
                member.deserialize(item)
            except ValidationError as error:
                errors[key] = error.messages
        if errors:
            raise ValidationError(errors)
        return value


class Number(PortalField, fields.Field[float]):
    """A whole number, `minimum` or more."""

    def __init__(self, *, required: bool = False, minimum: int = 0, description: str = "") -> None:
        expected = Sentence("a whole number, %(minimum)s or more", minimum=minimum)
        super().__init__(required=required, error_messages=_messages(expected))
        self.minimum = minimum
        self.lenient = False
        self.description = description

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> int:
        """Return the number as it is; text is not turned into a number."""
        if isinstance(value, bool) or not isinstance(value, int) or value < self.minimum:
            raise self.make_error("invalid")
        return value

    def json_schema(self) -> dict[str, Any]:
        """Return the JSON Schema of the number."""
        return {"type": "integer", "minimum": self.minimum}


class OneOfTypes(PortalField, fields.Field[Any]):
    """A value of one of some plain types, such as a text or a boolean."""

    JSON_TYPES: Mapping[type, str] = {
        str: "string",
        bool: "boolean",
        int: "integer",
        float: "number",
        dict: "object",
        list: "array",
    }

    def __init__(self, types: Sequence[type], *, expected: str, key: str | None = None, description: str = "") -> None:
        super().__init__(data_key=key, error_messages=_messages(expected))
        self.types = tuple(types)
        self.lenient = False
        self.description = description

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> Any:
        """Return the value when its type is one of those accepted."""
        # A boolean is an int to Python, not to whoever writes YAML.
        if not isinstance(value, self.types) or (isinstance(value, bool) and bool not in self.types):
            raise self.make_error("invalid")
        return value

    def json_schema(self) -> dict[str, Any]:
        """Return the JSON Schema of the alternatives."""
        return {"type": [self.JSON_TYPES[kind] for kind in self.types]}


class _NotEmpty(validate.Validator):
    def __init__(self, expected: str) -> None:
        self.fault = Fault("field-invalid", expected)

    def __call__(self, value: str) -> str:
        if not value:
            raise ValidationError([self.fault])
        return value


class _OneOf(validate.Validator):
    def __init__(self, values: Sequence[str], expected: str) -> None:
        self.values = frozenset(values)
        self.fault = Fault("field-invalid", expected)

    def __call__(self, value: str) -> str:
        if value not in self.values:
            raise ValidationError([self.fault])
        return value


class _MinItems(validate.Validator):
    def __init__(self, count: int) -> None:
        self.count = count
        self.fault = Fault("field-invalid", Sentence("a list of at least %(count)s", count=count))

    def __call__(self, value: Sequence[Any]) -> Sequence[Any]:
        if len(value) < self.count:
            raise ValidationError([self.fault])
        return value


def object_schema(schema: type[Schema]) -> dict[str, Any]:
    """Return the JSON Schema of a mapping with the fields of a marshmallow schema."""
    declared = schema().fields
    properties: dict[str, Any] = {}
    for name, field in declared.items():
        if isinstance(field, PortalField):
            properties[field.data_key or name] = field.json_schema() | (
                {"description": field.description} if field.description else {}
            )
    result: dict[str, Any] = {"type": "object", "properties": properties}
    required = [field.data_key or name for name, field in declared.items() if field.required and not instead_of(field)]
    result |= {"required": required} if required else {}
    for name, field in declared.items():
        if field.required and (other := instead_of(field)):
            result |= one_of_fields(name, other)
    return result


def instead_of(field: fields.Field[Any]) -> str | None:
    """Return the name of the list that may stand in for a field, or None."""
    return field.instead if isinstance(field, Ref) else None


def one_of_fields(*names: str) -> dict[str, Any]:
    """Return the JSON Schema of a mapping that has one of some fields."""
    return {"anyOf": [{"required": [name]} for name in names]}


def needed_fields(schema: Mapping[str, Any]) -> set[str]:
    """Return the fields that a mapping with this JSON Schema needs; of those of which one is enough, the first."""
    found = set(schema.get("required", ()))
    for part in (schema, *schema.get("allOf", ())):
        either = alternatives(part.get("anyOf")) if isinstance(part, dict) else ()
        found |= set(either[:1])
    return found


def alternatives(schemas: Any) -> Sequence[str]:
    """Return the fields of which `anyOf` asks for one; empty where it asks for anything else."""
    if not isinstance(schemas, list):
        return ()
    named = [
        item.get("required") if isinstance(item, dict) and item.keys() == {"required"} else None for item in schemas
    ]
    return [names[0] for names in named if names] if all(names and len(names) == 1 for names in named) else ()
