"""The rules of catalog entities, each a question that becomes an `EntityFilter`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from portal.errors import InputError
from portal.model.filter import AllOf, AnyOf, EntityFilter, Match, Not
from portal.model.permission import CATALOG_ENTITY, Condition, Criteria, EveryOf, NoneOf, SomeOf
from portal.model.ref import EntityRef

_DRAFT = "http://json-schema.org/draft-07/schema#"


@dataclass(frozen=True, slots=True)
class Param:
    """A parameter of a rule: a text, a list of texts, or any value."""

    name: str
    description: str
    is_list: bool = False
    is_required: bool = True
    is_any: bool = False

    def to_json_schema(self) -> dict[str, Any]:
        """Return its JSON Schema."""
        if self.is_any:
            return {"description": self.description}
        kind: dict[str, Any] = {"type": "array", "items": {"type": "string"}} if self.is_list else {"type": "string"}
        return kind | {"description": self.description}


@dataclass(frozen=True, slots=True)
class Rule:
    """A question about a resource; `to_filter` is given parameters that fit `params`."""

    name: str
    description: str
    params: tuple[Param, ...]
    to_filter: Callable[[Mapping[str, Any]], EntityFilter]
    resource_type: str = CATALOG_ENTITY

    def to_json(self) -> dict[str, Any]:
        """Return it as clients read it. Rule: permission-node 0.11 `permissionRuleParamsToJsonSchema`."""
        return {
            "name": self.name,
            "description": self.description,
            "resourceType": self.resource_type,
            "paramsSchema": params_json_schema(self.params),
        }

    def filter_of(self, given: Mapping[str, Any]) -> EntityFilter:
        """Return what the rule asks with these parameters. Raises `InputError` for parameters that do not fit.

        Parameters that are not known are left aside, as upstream does whatever its schema says.
        """
        require_params(self.name, self.params, given)
        return self.to_filter(given)


def params_json_schema(params: Sequence[Param]) -> dict[str, Any]:
    """Return the JSON Schema of a rule's parameters."""
    return {
        "type": "object",
        "properties": {param.name: param.to_json_schema() for param in params},
        "required": [param.name for param in params if param.is_required],
        "additionalProperties": False,
        "$schema": _DRAFT,
    }


def require_params(rule: str, params: Sequence[Param], given: Mapping[str, Any]) -> None:
    """Raise `InputError` for parameters that do not fit those of a rule."""
    faults: list[str] = []
    for param in params:
        value = given.get(param.name)
        if param.name not in given:
            if param.is_required:
                faults.append(f'"{param.name}" is missing')
        elif param.is_list:
            if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
                faults.append(f'"{param.name}" must be a list of texts')
        elif not param.is_any and not isinstance(value, str):
            faults.append(f'"{param.name}" must be a text')
    if faults:
        raise InputError(f"Parameters to rule are invalid; {rule}: {'; '.join(faults)}", faults)


def _property_rule(name: str, description: str, *, path: str, key: str, whats: tuple[str, str]) -> Rule:
    """Return the rule that a leaf below `path` is there, or has a value."""

    def to_filter(given: Mapping[str, Any]) -> EntityFilter:
        value = given.get("value")
        return Match.of(f"{path}.{given[key]}", None if value is None else [value])

    return Rule(name, description, (Param(key, whats[0]), Param("value", whats[1], is_required=False)), to_filter)


#: Rule: catalog-backend 4.0.0 `permissions/rules`, in its order; each asks what upstream's `toQuery` asks.
CATALOG_RULES: Mapping[str, Rule] = {
    rule.name: rule
    for rule in (
        _property_rule(
            "HAS_ANNOTATION",
            "Allow entities with the specified annotation",
            path="metadata.annotations",
            key="annotation",
            whats=("Name of the annotation to match on", "Value of the annotation to match on"),
        ),
        _property_rule(
            "HAS_LABEL",
            "Allow entities with the specified label",
            path="metadata.labels",
            key="label",
            whats=("Name of the label to match on", "Value of the label to match on"),
        ),
        _property_rule(
            "HAS_METADATA",
            "Allow entities with the specified metadata subfield",
            path="metadata",
            key="key",
            whats=("Property within the entities metadata to match on", "Value of the given property to match on"),
        ),
        _property_rule(
            "HAS_SPEC",
            "Allow entities with the specified spec subfield",
            path="spec",
            key="key",
            whats=("Property within the entities spec to match on", "Value of the given property to match on"),
        ),
        Rule(
            "IS_ENTITY_KIND",
            "Allow entities matching a specified kind",
            (Param("kinds", "List of kinds to match at least one of", is_list=True),),
            lambda given: Match.of("kind", given["kinds"]),
        ),
        Rule(
            "IS_ENTITY_OWNER",
            "Allow entities owned by a specified claim",
            (Param("claims", "List of claims to match at least one on within ownedBy", is_list=True),),
            lambda given: Match.of("relations.ownedBy", given["claims"]),
        ),
    )
}


def _in_layer(given: Mapping[str, Any]) -> EntityFilter:
    own, system = "relations.inLayer", "relations.partOf"
    of_kinds = AllOf((Match.of("kind", given["kinds"]), Not(Match.of(system, given["otherSystems"]))))
    inherited = AnyOf((Match.of(system, given["systems"]), of_kinds))
    return AnyOf((Match.of(own, given["layers"]), AllOf((Not(Match.of(own)), inherited))))


#: Portal's own. A layer is inherited from systems and kinds, which a filter cannot find out: who makes the condition
#: names them (`portal.services.people`).
IS_IN_LAYER = Rule(
    "IS_IN_LAYER",
    "Allow entities that stand in a layer",
    (
        Param("layers", "References of the layers", is_list=True),
        Param("systems", "References of the systems that stand in them", is_list=True),
        Param("otherSystems", "References of the systems that stand in other layers", is_list=True),
        Param("kinds", "Kinds that stand in them where neither entity nor system says", is_list=True),
    ),
    _in_layer,
)


def _is_entity(given: Mapping[str, Any]) -> EntityFilter:
    return AnyOf(
        tuple(
            AllOf(
                (
                    Match.of("kind", [ref.kind]),
                    Match.of("metadata.namespace", [ref.namespace]),
                    Match.of("metadata.name", [ref.name]),
                )
            )
            for ref in map(EntityRef.parse, given["refs"])
        )
    )


#: Portal's own.
IS_ENTITY = Rule(
    "IS_ENTITY",
    "Allow entities that are listed",
    (Param("refs", "References of the entities", is_list=True),),
    _is_entity,
)
#: All rules on entities.
ENTITY_RULES: Mapping[str, Rule] = {**CATALOG_RULES, IS_IN_LAYER.name: IS_IN_LAYER, IS_ENTITY.name: IS_ENTITY}


def entity_filter(criteria: Criteria, rules: Mapping[str, Rule] = ENTITY_RULES) -> EntityFilter:
    """Return the filter that means just the entities which meet the criteria, for `matches` or for SQL.

    Raises `InputError` for a rule that is not known, or parameters that do not fit one.
    """
    match criteria:
        case EveryOf():
            return AllOf(tuple(entity_filter(part, rules) for part in criteria.parts))
        case SomeOf():
            return AnyOf(tuple(entity_filter(part, rules) for part in criteria.parts))
        case NoneOf():
            return Not(entity_filter(criteria.part, rules))
        case Condition():
            rule = rules.get(criteria.rule)
            if rule is None or rule.resource_type != criteria.resource_type:
                raise InputError(
                    f"Permission rule '{criteria.rule}' does not exist for resource type '{criteria.resource_type}'"
                )
            return rule.filter_of(criteria.params)
    raise TypeError(f"not criteria: {criteria!r}")
