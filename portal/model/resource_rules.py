"""The rules of the scaffolder's resources: tasks, parts of templates, actions with their input."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from portal.errors import InputError
from portal.model.permission import Condition, Criteria, EveryOf, NoneOf, SomeOf
from portal.model.permission_names import SCAFFOLDER_ACTION, SCAFFOLDER_TASK, SCAFFOLDER_TEMPLATE
from portal.model.permission_rules import Param, params_json_schema, require_params

#: A task has `createdBy`; a part of a template is as its document has it; an action has `action` and `input`.
Resource = Mapping[str, Any]
Test = Callable[[Resource], bool]

TAGS = "backstage:permissions"
#: What a tag that names people begins with: the part is for those who are meant, or hold the role.
NAMING = ("user:", "group:", "role:")


@dataclass(frozen=True, slots=True)
class ResourceRule:
    """A question about a resource; `holds` is given it with parameters that fit `params`."""

    name: str
    description: str
    resource_type: str
    params: tuple[Param, ...]
    holds: Callable[[Resource, Mapping[str, Any]], bool]

    def to_json(self) -> dict[str, Any]:
        """Return it as clients read it."""
        return {
            "name": self.name,
            "description": self.description,
            "resourceType": self.resource_type,
            "paramsSchema": params_json_schema(self.params),
        }


def tags_of(part: Resource) -> list[str]:
    """Return the tags of a step or parameter page that permissions look at."""
    marked = part.get(TAGS)
    tags = marked.get("tags") if isinstance(marked, Mapping) else None
    return [tag for tag in tags if isinstance(tag, str)] if isinstance(tags, list) else []


def _is_understood(part: Resource) -> bool:
    if TAGS not in part:
        return True
    marked = part[TAGS]
    tags = marked.get("tags", []) if isinstance(marked, Mapping) else None
    return isinstance(tags, list) and all(isinstance(tag, str) for tag in tags)


def _is_meant_for(part: Resource, params: Mapping[str, Any]) -> bool:
    if not _is_understood(part):
        # Whom it is meant for is not known: rather nobody than everybody.
        return False
    named = [tag.lower() for tag in tags_of(part) if tag.lower().startswith(NAMING)]
    return not named or not {str(claim).lower() for claim in params["claims"]}.isdisjoint(named)


def _has_property(resource: Resource, params: Mapping[str, Any], *, types: tuple[type, ...] = (object,)) -> bool:
    value: Any = resource.get("input")
    for name in params["key"].split("."):
        if not isinstance(value, Mapping) or name not in value:
            return False
        value = value[name]
    if not isinstance(value, types) or (isinstance(value, bool) and types == (int, float)):
        return False
    if "value" not in params:
        return True
    wanted = params["value"]
    # As JavaScript compares them: true is not 1.
    return bool(value == wanted) and isinstance(value, bool) is isinstance(wanted, bool)


#: Rule: scaffolder-backend 3 `scaffolderTaskRules`, `scaffolderTemplateRules`, `scaffolderActionRules`; IS_MEANT_FOR is
#: Portal's own.
SCAFFOLDER_RULES: Mapping[str, ResourceRule] = {
    rule.name: rule
    for rule in (
        ResourceRule(
            "IS_TASK_OWNER",
            "Allow tasks that some users created",
            SCAFFOLDER_TASK,
            (Param("createdBy", "References of users", is_list=True),),
            lambda task, params: task.get("createdBy") in params["createdBy"],
        ),
        ResourceRule(
            "HAS_TAG",
            "Match parameters or steps with the given tag",
            SCAFFOLDER_TEMPLATE,
            (Param("tag", "Name of the tag to match on"),),
            lambda part, params: params["tag"] in tags_of(part),
        ),
        ResourceRule(
            "IS_MEANT_FOR",
            "Match parameters or steps whose tags name nobody, or one of some users, groups and roles",
            SCAFFOLDER_TEMPLATE,
            (Param("claims", "References of users, groups and roles", is_list=True),),
            _is_meant_for,
        ),
        ResourceRule(
            "HAS_ACTION_ID",
            "Match actions with the given id",
            SCAFFOLDER_ACTION,
            (Param("actionId", "Id of the action"),),
            lambda action, params: action.get("action") == params["actionId"],
        ),
        *(
            ResourceRule(
                f"HAS_{name.upper()}_PROPERTY",
                f"Match actions whose input has a property that is a {name}, or has it with a value",
                SCAFFOLDER_ACTION,
                (Param("key", "Path of the property"), Param("value", "Its value", is_required=False, is_any=True)),
                partial(_has_property, types=types),
            )
            for name, types in (("boolean", (bool,)), ("number", (int, float)), ("string", (str,)))
        ),
        ResourceRule(
            "HAS_PROPERTY",
            "Match actions whose input has a property, or has it with a value",
            SCAFFOLDER_ACTION,
            (Param("key", "Path of the property"), Param("value", "Its value", is_required=False, is_any=True)),
            _has_property,
        ),
    )
}


def resource_test(criteria: Criteria, resource_type: str) -> Test:
    """Return the question that the criteria ask of a resource of a type.

    Raises `InputError` for a rule that the type does not have, or parameters that do not fit one.
    """
    match criteria:
        case EveryOf():
            every = [resource_test(part, resource_type) for part in criteria.parts]
            return lambda resource: all(test(resource) for test in every)
        case SomeOf():
            some = [resource_test(part, resource_type) for part in criteria.parts]
            return lambda resource: any(test(resource) for test in some)
        case NoneOf():
            inner = resource_test(criteria.part, resource_type)
            return lambda resource: not inner(resource)
        case Condition():
            rule = SCAFFOLDER_RULES.get(criteria.rule)
            if rule is None or not rule.resource_type == criteria.resource_type == resource_type:
                raise InputError(
                    f"Permission rule '{criteria.rule}' does not exist for resource type '{criteria.resource_type}'"
                )
            require_params(rule.name, rule.params, criteria.params)
            holds, params = rule.holds, criteria.params
            return lambda resource: holds(resource, params)
    raise TypeError(f"not criteria: {criteria!r}")
