"""The JSON Schemas that requests keep to, as answers do."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

Schema = dict[str, Any]

TEXT: Schema = {"type": "string"}
WORD: Schema = {"type": "string", "minLength": 1}
#: A text that databases can hold.
STORABLE: Schema = {"type": "string", "minLength": 1, "pattern": r"^[^\u0000]*$"}
COUNT: Schema = {"type": "integer", "minimum": 0}
SHARE: Schema = {"type": "number", "minimum": 0, "maximum": 1}
TIME: Schema = {"type": "string", "format": "date-time"}
ANY_OBJECT: Schema = {"type": "object", "additionalProperties": True}


def ref(name: str) -> Schema:
    """Return the reference of a component."""
    return {"$ref": f"#/components/schemas/{name}"}


def many(items: Schema, **more: Any) -> Schema:
    """Return the schema of a list."""
    return {"type": "array", "items": items, **more}


def maybe(schema: Schema) -> Schema:
    """Return the schema of a value that may be null."""
    return {"anyOf": [schema, {"type": "null"}]}


def one_of(*values: str) -> Schema:
    """Return the schema of a text that is one of a few."""
    return {"type": "string", "enum": list(values)}


def members(required: Mapping[str, Schema], optional: Mapping[str, Schema] | None = None, **more: Any) -> Schema:
    """Return the schema of an object; other members are allowed unless `additionalProperties` says no."""
    found: Schema = {"type": "object", "properties": {**required, **(optional or {})}, **more}
    return found | ({"required": list(required)} if required else {})


_METADATA = members(
    {"name": WORD},
    {
        "namespace": TEXT,
        "uid": TEXT,
        "etag": TEXT,
        "title": TEXT,
        "description": TEXT,
        "labels": {"type": "object", "additionalProperties": TEXT},
        "annotations": {"type": "object", "additionalProperties": TEXT},
        "tags": many(TEXT),
        "links": many(ANY_OBJECT),
    },
)
NODE = {"ref": TEXT, "kind": TEXT, "title": TEXT, "layer": maybe(TEXT), "owner": maybe(TEXT)}
_VERSION = {
    "entityRef": TEXT,
    "change": one_of("added", "changed", "removed"),
    "revision": COUNT,
    "commit": maybe(TEXT),
    "author": maybe(TEXT),
    "authoredAt": maybe(TIME),
    "recordedAt": TIME,
    "location": TEXT,
}
_PREDICATE = "the form that `query` has in requests: a path with a value, `$all`, `$any`, `$not`, `$exists`, `$in`, ..."

#: The components of the document, by name.
SCHEMAS: Mapping[str, Schema] = MappingProxyType(
    {
        "Error": members(
            {
                "error": members({"name": TEXT, "message": TEXT}),
                "request": members({"method": TEXT, "url": TEXT}),
                "response": members({"statusCode": {"type": "integer", "minimum": 400}}),
            },
            description="Backstage's error body.",
        ),
        "Faults": members({"errors": many(ANY_OBJECT, minItems=1)}, description="Each fault of what was sent."),
        "Entity": members(
            {"apiVersion": WORD, "kind": WORD, "metadata": _METADATA},
            {
                "spec": ANY_OBJECT,
                "relations": many(members({"type": TEXT, "targetRef": TEXT})),
                "status": members({}, {"items": many(ANY_OBJECT)}),
            },
            description="An entity, finished: as declared, with what the catalog adds.",
        ),
        "EntityPart": ANY_OBJECT | {"description": "An entity, cut down to the `fields` that were asked for."},
        "Predicate": {"type": "object", "description": _PREDICATE},
        "PageInfo": members({}, {"nextCursor": TEXT, "prevCursor": TEXT}),
        "EntityPage": members(
            {"items": many(ref("EntityPart")), "totalItems": COUNT, "pageInfo": ref("PageInfo")},
        ),
        "EntitiesByRefs": members({"items": many(maybe(ref("EntityPart")))}),
        "Ancestry": members(
            {
                "rootEntityRef": TEXT,
                "items": many(members({"entity": ref("Entity"), "parentEntityRefs": many(TEXT)}), minItems=1),
            }
        ),
        "Facets": members(
            {
                "facets": {
                    "type": "object",
                    "additionalProperties": many(members({"value": TEXT, "count": COUNT})),
                }
            }
        ),
        "Location": members({"id": WORD, "type": WORD, "target": WORD, "entityRef": WORD}),
        "LocationItem": members({"data": ref("Location")}),
        "NewLocation": members(
            {"location": ref("Location"), "entities": many(ref("Entity"))}, {"exists": {"type": "boolean"}}
        ),
        "LocationPage": members(
            {"items": many(ref("Location")), "totalItems": COUNT, "pageInfo": members({}, {"nextCursor": TEXT})}
        ),
        "LocationInput": members(
            {"type": STORABLE, "target": STORABLE}, {"presence": TEXT}, additionalProperties=False
        ),
        "Analysis": members(
            {
                "existingEntityFiles": many(
                    members(
                        {
                            "location": members({"type": TEXT, "target": TEXT}),
                            "isRegistered": {"type": "boolean"},
                            "entity": ref("Entity"),
                        }
                    )
                ),
                "generateEntities": many(members({"entity": ANY_OBJECT, "fields": many(ANY_OBJECT)})),
            }
        ),
        "Version": members(_VERSION, description="A change of one entity; the commit is null where none is known."),
        "Changes": members({"revision": COUNT, "items": many(ref("Version"))}, {"after": COUNT}),
        "History": members(
            {
                "items": many(
                    members(
                        {
                            **_VERSION,
                            "differences": many(
                                members({"path": many({"type": ["string", "integer"]})}, {"before": {}, "after": {}})
                            ),
                        },
                        {"movedFrom": TEXT},
                    )
                )
            },
            {"before": COUNT},
        ),
        "Kind": members(
            {
                "name": WORD,
                "plural": TEXT,
                "description": TEXT,
                "apiVersions": many(TEXT),
                "defaultLayer": maybe(TEXT),
                "declaredBy": maybe(TEXT),
                "fields": many(
                    members(
                        {
                            "name": WORD,
                            "required": {"type": "boolean"},
                            "description": TEXT,
                            "relation": maybe(members({"type": TEXT, "inverse": TEXT, "defaultKind": maybe(TEXT)})),
                        }
                    )
                ),
                "schema": ANY_OBJECT,
            }
        ),
        "Kinds": members({"items": many(ref("Kind"))}),
        "SearchPage": members(
            {
                "numberOfResults": COUNT,
                "results": many(
                    members(
                        {
                            "type": TEXT,
                            "rank": {"type": "integer", "minimum": 1},
                            "document": members({"title": TEXT, "text": TEXT, "location": TEXT, "kind": TEXT}),
                            "highlight": members(
                                {
                                    "preTag": TEXT,
                                    "postTag": TEXT,
                                    "fields": {"type": "object", "additionalProperties": TEXT},
                                }
                            ),
                        }
                    )
                ),
            },
            {"nextPageCursor": TEXT, "previousPageCursor": TEXT},
        ),
        "DryRunInput": members(
            {
                "template": ANY_OBJECT,
                "values": ANY_OBJECT,
                "directoryContents": many(
                    members(
                        {"path": TEXT, "base64Content": {"type": "string", "contentEncoding": "base64"}},
                        {"executable": {"type": "boolean"}},
                    )
                ),
            },
            {"secrets": {"type": "object", "additionalProperties": TEXT}},
        ),
        "DryRunResult": members(
            {
                "log": many(members({"body": members({"message": TEXT}, {"stepId": TEXT, "status": TEXT})})),
                "steps": many(ANY_OBJECT),
                "output": ANY_OBJECT,
                "directoryContents": many(
                    members({"path": WORD, "base64Content": TEXT, "executable": {"type": "boolean"}})
                ),
            }
        ),
        "TaskInput": members(
            {"templateRef": TEXT, "values": ANY_OBJECT},
            {"secrets": {"type": "object", "additionalProperties": TEXT}},
        ),
        "Task": members(
            {"id": WORD, "status": WORD, "spec": ANY_OBJECT, "createdAt": TEXT},
            {"createdBy": TEXT, "lastHeartbeatAt": TEXT},
        ),
        "Tasks": members({"tasks": many(ref("Task")), "totalTasks": COUNT}),
        "TaskEvent": members(
            {"id": {"type": "integer"}, "taskId": TEXT, "type": TEXT, "createdAt": TEXT, "body": ANY_OBJECT}
        ),
        "Action": members({"id": WORD}, {"description": TEXT, "schema": ANY_OBJECT, "examples": many(ANY_OBJECT)}),
        "Completions": members({"results": many(members({"id": TEXT}, {"title": TEXT}))}),
        "TemplatingExtensions": members(
            {"filters": ANY_OBJECT, "globals": members({"functions": ANY_OBJECT, "values": ANY_OBJECT})}
        ),
        "TemplateForm": members({"title": TEXT, "steps": many(ANY_OBJECT)}, {"description": TEXT}),
        "Permission": members(
            {"type": one_of("basic", "resource"), "name": TEXT, "attributes": ANY_OBJECT}, {"resourceType": TEXT}
        ),
        "Question": members(
            {"id": TEXT, "permission": ref("Permission")},
            {"resourceRef": {"anyOf": [TEXT, many(TEXT, minItems=1)]}},
        ),
        "Decisions": members(
            {
                "items": many(
                    members(
                        {
                            "id": TEXT,
                            "result": {
                                "anyOf": [
                                    one_of("ALLOW", "DENY", "CONDITIONAL"),
                                    many(one_of("ALLOW", "DENY")),
                                ]
                            },
                        },
                        {"pluginId": TEXT, "resourceType": TEXT, "conditions": ANY_OBJECT},
                    )
                )
            }
        ),
        "Application": members(
            {
                "id": TEXT,
                "resourceRef": {"anyOf": [TEXT, many(TEXT, minItems=1)]},
                "resourceType": TEXT,
                "conditions": ANY_OBJECT,
            }
        ),
        "Explanation": members(
            {
                "actor": WORD,
                "permission": ref("Permission"),
                "resourceRef": maybe(TEXT),
                "result": one_of("ALLOW", "DENY", "CONDITIONAL"),
                "reason": TEXT,
                "conditions": maybe(ANY_OBJECT),
                "claims": many(TEXT),
                "owners": many(TEXT),
                "admins": many(TEXT),
            },
            description="Whether somebody has a permission, and why; `owners` are the entity's.",
        ),
        "PermissionMetadata": members({"permissions": many(ref("Permission")), "rules": many(ANY_OBJECT)}),
        "SignIn": members(
            {
                "profile": ANY_OBJECT,
                "backstageIdentity": members(
                    {
                        "token": WORD,
                        "expiresInSeconds": COUNT,
                        "identity": members(
                            {"type": one_of("user"), "userEntityRef": WORD, "ownershipEntityRefs": many(WORD)}
                        ),
                    }
                ),
            }
        ),
        "UserInfo": members({"claims": members({"sub": WORD, "ent": many(WORD)})}),
        "Keys": members({"keys": many(members({"kty": TEXT, "kid": TEXT, "alg": TEXT}))}),
        "OpenIdConfiguration": members({"issuer": WORD, "jwks_uri": WORD, "userinfo_endpoint": WORD}),
        "Cookie": members({"expiresAt": TIME}),
        "Health": members({"status": one_of("ok", "error")}, {"message": TEXT}),
        "Status": members({"status": TEXT}),
        "Created": members({"id": WORD}),
    }
)
