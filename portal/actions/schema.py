"""Fields of the inputs that actions take: strict, for a template's author wants to hear of a wrong type."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from marshmallow import EXCLUDE, Schema, ValidationError, fields

from portal.errors import InputError


class ActionSchema(Schema):
    """The input or output of an action. Members that it does not know are left out; `unknown_members` names them."""

    class Meta:
        """Unknown members are no fault: public templates send many that the newest Backstage refuses."""

        unknown = EXCLUDE


class Value(fields.Field[Any]):
    """Any JSON value of some types; `key` is its name in the template, `choices` are the only values where given."""

    def __init__(
        self,
        *types: type,
        key: str | None = None,
        required: bool = False,
        default: Any = None,
        description: str = "",
        choices: Sequence[Any] = (),
    ) -> None:
        if required:
            super().__init__(required=True, data_key=key, metadata={"description": description})
        else:
            super().__init__(load_default=default, data_key=key, metadata={"description": description})
        self.types = types
        self.choices = tuple(choices)

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> Any:
        is_flag = isinstance(value, bool)
        fits = any((is_flag and kind is bool) or (not is_flag and isinstance(value, kind)) for kind in self.types)
        if self.types and not fits:
            expected = " or ".join(dict.fromkeys(_JSON_TYPES[kind] for kind in self.types))
            raise ValidationError(f"found {_shown(value)}; expected {expected}")
        if self.choices and value not in self.choices:
            raise ValidationError(f"found {_shown(value)}; expected one of {', '.join(map(str, self.choices))}")
        return value

    def json_schema(self) -> dict[str, Any]:
        """Return the JSON Schema of the value."""
        names = list(dict.fromkeys(_JSON_TYPES[kind] for kind in self.types))
        schema: dict[str, Any] = {"type": names[0] if len(names) == 1 else names} if names else {}
        if self.choices:
            schema["enum"] = list(self.choices)
        description = self.metadata.get("description")
        return schema | ({"description": description} if description else {})


class Texts(Value):
    """A list of texts."""

    def __init__(
        self, *, key: str | None = None, required: bool = False, default: Any = None, description: str = ""
    ) -> None:
        super().__init__(list, key=key, required=required, default=default, description=description)

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> Any:
        found = super()._deserialize(value, attr, data, **kwargs)
        wrong = [item for item in found if not isinstance(item, str)]
        if wrong:
            raise ValidationError(f"found {_shown(wrong[0])} in the list; expected texts")
        return found

    def json_schema(self) -> dict[str, Any]:
        """Return the JSON Schema of the list."""
        return super().json_schema() | {"items": {"type": "string"}}


class Record(Value):
    """A mapping as a schema has it; where none is given, one of its defaults."""

    def __init__(self, of: type[ActionSchema], *, key: str | None = None, description: str = "") -> None:
        super().__init__(dict, key=key, default=lambda: of().load({}), description=description)
        self.of = of

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> Any:
        return self.of().load(super()._deserialize(value, attr, data, **kwargs))

    def json_schema(self) -> dict[str, Any]:
        """Return the JSON Schema of the mapping."""
        return super().json_schema() | json_schema(self.of)


class Records(Value):
    """A list of mappings, each of them as a schema has it."""

    def __init__(
        self, of: type[ActionSchema], *, key: str | None = None, required: bool = False, description: str = ""
    ) -> None:
        super().__init__(list, key=key, required=required, description=description)
        self.of = of

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> Any:
        found = super()._deserialize(value, attr, data, **kwargs)
        loaded, faults = [], []
        for index, item in enumerate(found):
            if not isinstance(item, dict):
                faults.append(f"{index}: found {_shown(item)}; expected a mapping")
                continue
            try:
                loaded.append(self.of().load(item))
            except ValidationError as error:
                faults += [f"{index}.{fault}" for fault in _faults(error)]
        if faults:
            raise ValidationError("; ".join(faults))
        return loaded

    def json_schema(self) -> dict[str, Any]:
        """Return the JSON Schema of the list."""
        return super().json_schema() | {"items": json_schema(self.of)}


_JSON_TYPES: Mapping[type, str] = {
    str: "string",
    bool: "boolean",
    int: "number",
    float: "number",
    dict: "object",
    list: "array",
}
_LONGEST_SHOWN = 80
_UNKNOWN = 'instance is not allowed to have the additional property "{}"'


def load_input(action_id: str, schema: type[Schema], given: Any, *, strict: bool = False) -> dict[str, Any]:
    """Return an action's input by the names of its schema. Raises `InputError` that tells every fault.

    Where it is `strict`, members that the schema does not know are faults. Rule: scaffolder-backend 4.2
    `NunjucksWorkflowRunner`, in the words of npm's jsonschema.
    """
    if not isinstance(given, dict):
        raise InputError(f"Invalid input passed to action {action_id}, found {_shown(given)}; expected a mapping")
    faults = [_UNKNOWN.format(name) for name in unknown_members(schema, given)] if strict else []
    loaded: dict[str, Any] = {}
    try:
        loaded = _instance(schema).load(given)
    except ValidationError as error:
        faults += _faults(error)
    if faults:
        raise InputError(f"Invalid input passed to action {action_id}, {'; '.join(faults)}", faults)
    return loaded


def unknown_members(schema: type[Schema], given: Mapping[str, Any]) -> list[str]:
    """Return the names in an input that its schema does not know."""
    declared = _instance(schema).fields
    return sorted(given.keys() - {field.data_key or name for name, field in declared.items()})


def json_schema(schema: type[Schema]) -> dict[str, Any]:
    """Return the JSON Schema of an input or output."""
    declared = {field.data_key or name: field for name, field in schema().fields.items()}
    properties = {name: field.json_schema() for name, field in declared.items() if isinstance(field, Value)}
    required = [name for name, field in declared.items() if field.required]
    return {"type": "object", "properties": properties} | ({"required": required} if required else {})


@cache
def _instance(schema: type[Schema]) -> Schema:
    """Return the one instance of a schema: each makes copies of all its fields, which takes longer than an input."""
    return schema()


def _faults(error: ValidationError) -> list[str]:
    return [f"{name}: {' '.join(map(str, texts))}" for name, texts in sorted(error.messages_dict.items())]


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}…"
