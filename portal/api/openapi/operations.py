"""What each route takes: parameters, bodies; what it answers in turn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from portal.api.arguments import MOST_ITEMS
from portal.api.drift import MOST_DRIFTS
from portal.api.graph import MEDIA_TYPES, MOST_DEPTH
from portal.api.handovers import MOST_MOVES
from portal.api.openapi.schemas import COUNT, STORABLE, TEXT, WORD, Schema, many, members, one_of, ref
from portal.api.problems import LONGEST_LABEL
from portal.graph import drift
from portal.model.audit import RESULTS
from portal.model.permission_names import PERMISSIONS
from portal.services import audit, history, search

_FILTER = "Conditions `key=value` or `key`, all of which must hold, joined by commas; of several filters one must."


def _query(name: str, schema: Schema, description: str = "", *, required: bool = False, **more: Any) -> dict[str, Any]:
    found: dict[str, Any] = {"name": name, "in": "query", "required": required, "schema": schema, **more}
    return found | ({"description": description} if description else {})


_TEXTS = many(WORD, minItems=1)
#: Parameters of queries, one of a header, by the name that operations give them.
PARAMETERS: Mapping[str, dict[str, Any]] = MappingProxyType(
    {
        "filter": _query("filter", _TEXTS, _FILTER),
        "fields": _query("fields", _TEXTS, "Paths to show, joined by commas or repeated; whole entities without."),
        "order": _query("order", many({"type": "string", "pattern": "^(asc|desc):.+$"}, minItems=1), "`asc:FIELD`."),
        "orderField": _query(
            "orderField",
            many({"type": "string", "pattern": "^[^,]*[^, ][^,]*(,(asc|desc))?$"}, minItems=1, maxItems=8),
            "`FIELD,asc`.",
        ),
        "limit": _query("limit", COUNT, "How many entities a page has; 0 gives the total alone."),
        "portion": _query("limit", {"type": "integer", "minimum": 1}, "How many entities at most."),
        "offset": _query("offset", COUNT),
        "from": _query(
            "from", WORD, "The earlier moment, as `at` names one; `revision:0` is before all.", required=True
        ),
        "to": _query("to", WORD, "The later moment; now without."),
        "movesLimit": _query("limit", {"type": "integer", "minimum": 1, "maximum": MOST_MOVES}),
        "handoverOwner": _query("owner", WORD, "Reference of the owner before or after."),
        "handoverLayer": _query("layer", WORD, "Name of the effective layer."),
        "handoverKind": _query("kind", _TEXTS, "Kinds, repeated; all without."),
        "portfolioLimit": _query("limit", {"type": "integer", "minimum": 1, "maximum": MOST_ITEMS}),
        "oneLayer": _query("layer", WORD, "Name or reference of the one layer to tell of."),
        "layersLimit": _query("limit", {"type": "integer", "minimum": 1, "maximum": MOST_ITEMS}, "Items of each list."),
        "after": _query("after", WORD, "From the `link` header of the portion before."),
        "cursor": _query("cursor", WORD, "From `pageInfo`; it tells filter, order and text as well."),
        "totalItems": _query("totalItems", one_of("include", "exclude")),
        "fullTextFilterTerm": _query("fullTextFilterTerm", WORD),
        "fullTextFilterFields": _query("fullTextFilterFields", many(WORD, minItems=1, maxItems=50)),
        "facet": _query("facet", _TEXTS, "Paths whose values are counted.", required=True),
        "at": _query("at", WORD, "A moment of the past: ISO 8601 with an offset, milliseconds, or `revision:N`."),
        "dryRun": _query("dryRun", WORD, "`true` tells what registering would bring."),
        "onConflict": _query("onConflict", one_of("reject", "refresh")),
        "lastEvent": {
            "name": "Last-Event-ID",
            "in": "header",
            "description": "The last event that the client was told; it goes before `since`.",
            "schema": {"type": "string", "pattern": "^[0-9]{1,15}$"},
        },
        "lastTaskEvent": {
            "name": "Last-Event-ID",
            "in": "header",
            "description": "The last event that the client was told, where it is later than `after`.",
            "schema": {"type": "string", "pattern": "^[0-9]{1,15}$"},
        },
        "since": _query("since", COUNT, "A revision; 0 is before all."),
        "afterChange": _query("after", COUNT, "From the page before."),
        "before": _query("before", COUNT, "From the page before."),
        "changes": _query("limit", {"type": "integer", "minimum": 1, "maximum": history.MOST_AT_ONCE}),
        "term": _query("term", {"type": "string", "maxLength": search.LONGEST_TERM}),
        "types": _query("types", many(one_of(*search.TYPES))),
        "filters": _query(
            "filters",
            {"type": "object", "additionalProperties": {"anyOf": [TEXT, many(TEXT)]}},
            "`filters[kind]=Component`; a field of a result, or any path of an entity.",
            style="deepObject",
            explode=True,
        ),
        "pageLimit": _query(
            "pageLimit",
            {"type": "integer", "minimum": 0, "maximum": search.MOST_AT_ONCE},
            "0 gives the number of results alone.",
        ),
        "pageCursor": _query("pageCursor", TEXT),
        "halfLife": _query(
            "halfLife",
            {"type": "number", "minimum": 1, "maximum": drift.LONGEST_HALF_LIFE_DAYS},
            "Days after which a commit counts half; the setting `half_life_days` without.",
        ),
        "driftOwner": _query("owner", WORD, "Only what this group or user owns."),
        "driftLayer": _query("layer", WORD, "Only what stands in this layer."),
        "driftLimit": _query("limit", {"type": "integer", "minimum": 1, "maximum": MOST_DRIFTS}),
        "root": _query("root", WORD, "Reference of the entity that the walk begins at.", required=True),
        "wayTo": _query(
            "to", WORD, "Reference of another entity: the graph is all shortest ways to it, of at most `depth` steps."
        ),
        "expand": _query("expand", _TEXTS, "References of entities, where shown, from which to go one step further."),
        "depth": _query("depth", {"type": "integer", "minimum": 0, "maximum": MOST_DEPTH}),
        "direction": _query("direction", one_of("in", "out", "both")),
        "relations": _query("relations", _TEXTS, "Types; every relation in its declared sense without."),
        "rule": _query("rule", _TEXTS, "Problem codes or ids of rules, joined by commas or repeated."),
        "layer": _query("layer", _TEXTS, "Names or references of layers; `none` for what stands in none."),
        "owner": _query("owner", _TEXTS, "References of owners, groups if they name no kind; `none` for nobody."),
        "severity": _query("severity", _TEXTS, "`error` or `warning` of problems, `enforce` or `warn` of findings."),
        "ofKind": _query("kind", _TEXTS, "Kinds of the entities that are concerned."),
        "ofRef": _query("ref", _TEXTS, "References of the entities that are concerned."),
        "newSince": _query("since", COUNT, "A revision; only what has come up after it."),
        "problemsLimit": _query(
            "limit",
            {"type": "integer", "minimum": 0, "maximum": MOST_ITEMS},
            "How many at most, problems before findings; all without, 0 gives the counts alone.",
        ),
        "label": _query(
            "label", {"type": "string", "minLength": 1, "maxLength": LONGEST_LABEL}, "What the badge is headed."
        ),
        "kinds": _query("kinds", _TEXTS, "Kinds of the nodes that are shown beside the root; all without."),
        "layers": _query("layers", _TEXTS, "Layers of the nodes that are shown beside the root; all without."),
        "format": _query("format", one_of("json", *MEDIA_TYPES)),
        "removed": _query("removed", one_of("true", "false"), "`true` tells what would break without the entity too."),
        "sinceCommit": _query(
            "since", WORD, "A commit that versions name, by at least 7 digits, or `revision:N`.", required=True
        ),
        "auditSince": _query("since", WORD, "A time with its offset, a day, or a span back from now such as `7d`."),
        "auditUntil": _query("until", WORD, "As `since`; what happened before it."),
        "auditActor": _query("actor", WORD, "`user:default/ann`, `service:ci`, `operator:root`, `nobody`."),
        "auditAction": _query("action", WORD, "`location.create`, `sign-in`, `read` and the like."),
        "auditOn": _query("on", WORD, "A part of what it was done to."),
        "auditResult": _query("result", one_of(*RESULTS)),
        "auditLimit": _query("limit", {"type": "integer", "minimum": 1, "maximum": audit.MOST_AT_ONCE}),
        "place": _query("cursor", {"type": "string", "pattern": "^[0-9]{1,15}-[0-9]{1,18}$"}, "From `pageInfo`."),
        "permission": _query("permission", one_of(*sorted(PERMISSIONS)), required=True),
        "actor": _query("actor", WORD, "Reference of a user; oneself without."),
        "resourceRef": _query("resourceRef", WORD, "Reference of an entity, or the id of a task."),
        "ofTemplate": _query("template", WORD, "Reference of one template; all without."),
        "createdBy": _query("createdBy", many(TEXT)),
        "status": _query("status", many(TEXT)),
        "taskOrder": _query("order", many({"type": "string", "pattern": "^(asc|desc):.+$"}), "`desc:created_at`."),
        "taskLimit": _query("limit", COUNT),
        "env": _query("env", WORD, "Any text; clients tell the environment that they are built for."),
        "origin": _query("origin", WORD, "Origin of the page that has opened the window."),
        "flow": _query("flow", one_of("popup", "redirect"), "`redirect` ends at redirectUrl instead of a message."),
        "redirectUrl": _query("redirectUrl", WORD, "An address of Portal or one of the setting `app_origins`."),
        "scope": _query("scope", TEXT, "Scopes beyond those of the settings, separated by spaces."),
        "state": _query("state", TEXT, "From the provider."),
        "code": _query("code", TEXT, "From the provider."),
        "afterEvent": _query("after", {"type": "integer"}, "Only events with a greater id."),
    }
)


@dataclass(frozen=True, slots=True)
class Operation:
    """What a route takes and answers.

    `parameters` are keys of `PARAMETERS`; `answers` the schema of each status that is no fault, None where nothing is
    sent; `faults` the statuses of faults beyond those that every route has. In `other_media_types` texts are sent.
    """

    tag: str
    answers: Mapping[int, Schema | None]
    parameters: Sequence[str] = ()
    body: Schema | None = None
    faults: Sequence[int] = ()
    media_type: str = "application/json"
    other_media_types: Sequence[str] = ()
    is_open: bool = False
    fault_bodies: Mapping[int, Schema] = field(default_factory=dict)
    is_body_optional: bool = False


_BY_QUERY = (
    *("filter", "fields", "orderField", "limit", "offset", "cursor", "totalItems"),
    *("fullTextFilterTerm", "fullTextFilterFields"),
)
#: Whatever databases can hold; nothing finds everything.
_TERM: Schema = {"type": "string", "pattern": STORABLE["pattern"]}
_EITHER = {"anyOf": [ref("Faults"), ref("Error")]}
_ENTITY_QUERY = members(
    {},
    {
        "query": ref("Predicate"),
        "orderBy": many(members({"field": WORD, "order": one_of("asc", "desc")}), maxItems=8),
        "fullTextFilter": members({}, {"term": _TERM, "fields": many(TEXT, maxItems=50)}),
        "fields": many(TEXT),
        "limit": COUNT,
        "offset": COUNT,
        "cursor": WORD,
        "totalItems": one_of("include", "exclude"),
    },
)
_REFS = members({"entityRefs": many(TEXT)}, {"fields": many(TEXT), "query": ref("Predicate")})
_HEALTH = ref("Health")
_WHICH_PROBLEMS = ("rule", "layer", "owner", "severity", "ofKind", "ofRef", "newSince")

#: Operations by endpoint, and by method where an endpoint has several.
OPERATIONS: Mapping[str, Operation] = MappingProxyType(
    {
        "catalog.by_name": Operation("entities", {200: ref("Entity")}, ["at"], faults=[404]),
        "catalog.ancestry": Operation("entities", {200: ref("Ancestry")}, faults=[404]),
        "catalog.by_uid": Operation("entities", {200: ref("Entity")}, faults=[404]),
        "catalog.by_refs": Operation("entities", {200: ref("EntitiesByRefs")}, ["filter", "fields"], _REFS),
        "catalog.by_query": Operation("entities", {200: ref("EntityPage")}, _BY_QUERY),
        "catalog.by_predicate": Operation("entities", {200: ref("EntityPage")}, body=_ENTITY_QUERY),
        "catalog.entities": Operation(
            "entities", {200: many(ref("EntityPart"))}, ["filter", "fields", "order", "portion", "offset", "after"]
        ),
        "catalog.facets": Operation("entities", {200: ref("Facets")}, ["facet", "filter"]),
        "catalog.facets_by_predicate": Operation(
            "entities",
            {200: ref("Facets")},
            body=members({"facets": many(TEXT, minItems=1)}, {"query": ref("Predicate")}),
        ),
        "catalog.delete_entity": Operation("entities", {204: None}, faults=[404]),
        "catalog.refresh": Operation(
            "entities", {200: None}, body=members({"entityRef": STORABLE}), faults=[404, 409, 503]
        ),
        "catalog.validate_entity": Operation(
            "entities",
            {200: None},
            body=members({"entity": {}, "location": STORABLE}),
            fault_bodies={400: _EITHER},
        ),
        "catalog.list_locations": Operation("locations", {200: many(ref("LocationItem"))}),
        "catalog.add_location": Operation(
            "locations",
            {201: ref("NewLocation")},
            ["dryRun", "onConflict"],
            ref("LocationInput"),
            [403, 404, 409, 503],
        ),
        "catalog.query_locations": Operation(
            "locations",
            {200: ref("LocationPage")},
            body=members({}, {"query": ref("Predicate"), "limit": {"type": "integer", "minimum": 1}, "cursor": WORD}),
        ),
        "catalog.get_location": Operation("locations", {200: ref("Location")}, faults=[404]),
        "catalog.update_location": Operation(
            "locations", {200: ref("Location")}, body=ref("LocationInput"), faults=[403, 404, 409, 503]
        ),
        "catalog.delete_location": Operation("locations", {204: None}, faults=[404]),
        "catalog.location_of_entity": Operation("locations", {200: ref("Location")}, faults=[404]),
        "catalog.analyze_location": Operation(
            "locations",
            {200: ref("Analysis")},
            body=members({"location": ref("LocationInput")}, {"catalogFilename": STORABLE}),
            faults=[403, 404, 503],
        ),
        "kinds.list_kinds": Operation("kinds", {200: ref("Kinds")}),
        "history.changes": Operation("history", {200: ref("Changes")}, ["since", "afterChange", "changes"]),
        "history.change_events": Operation(
            "history", {200: TEXT}, ["since", "lastEvent"], faults=[503], media_type="text/event-stream"
        ),
        "history.history_of_entity": Operation("history", {200: ref("History")}, ["before", "changes"], faults=[404]),
        "search.search": Operation(
            "search", {200: ref("SearchPage")}, ["term", "types", "filters", "pageLimit", "pageCursor"]
        ),
        "ownership.entity": Operation("ownership", {200: ref("Accountability")}, ["at"], faults=[404]),
        "ownership.portfolio": Operation(
            "ownership", {200: ref("Portfolio")}, ["portfolioLimit", "offset", "at"], faults=[404]
        ),
        "ownership.history": Operation(
            "ownership", {200: ref("OwnershipHistory")}, ["movesLimit", "offset"], faults=[404]
        ),
        "ownership.handovers": Operation(
            "ownership",
            {200: ref("Handovers")},
            ["from", "to", "handoverOwner", "handoverLayer", "handoverKind", "movesLimit", "offset"],
        ),
        "ownership.lineage": Operation("ownership", {200: ref("Lineage")}, faults=[404]),
        "ownership.graph": Operation(
            "ownership",
            {200: ref("Graph")},
            ["root", "wayTo", "depth", "direction", "relations", "kinds", "layers", "expand", "format"],
            faults=[404],
            other_media_types=[*MEDIA_TYPES.values()],
        ),
        "ownership.impact": Operation(
            "ownership", {200: ref("Impact")}, ["removed", "portfolioLimit", "offset"], faults=[404]
        ),
        "ownership.impact_of_changes": Operation(
            "ownership", {200: ref("ChangeSet")}, ["sinceCommit", "portfolioLimit", "offset"]
        ),
        "ownership.rules": Operation("ownership", {200: ref("Rules")}),
        "ownership.problems": Operation(
            "ownership", {200: ref("Problems")}, [*_WHICH_PROBLEMS, "problemsLimit", "offset"]
        ),
        "ownership.problems_badge": Operation(
            "ownership", {200: TEXT, 304: None}, [*_WHICH_PROBLEMS, "label"], media_type="image/svg+xml"
        ),
        "ownership.entity_badge": Operation(
            "ownership", {200: TEXT, 304: None}, ["label"], faults=[404], media_type="image/svg+xml"
        ),
        "metrics.metrics": Operation("health", {200: TEXT}, media_type="text/plain"),
        "ownership.layers": Operation("ownership", {200: ref("Layers")}, ["oneLayer", "at", "layersLimit", "offset"]),
        "ownership.balance": Operation("ownership", {200: ref("Balance")}, faults=[404]),
        "ownership.drift_of_entity": Operation("ownership", {200: ref("Drift")}, ["halfLife"], faults=[404]),
        "ownership.drift": Operation(
            "ownership",
            {200: ref("DriftPage")},
            ["driftOwner", "driftLayer", "halfLife", "driftLimit", "offset"],
            faults=[404],
        ),
        "ownership.plan_reorganisation": Operation(
            "ownership", {200: ref("Reorganisation")}, body=ref("ReorganisationPlan"), faults=[403, 503]
        ),
        "ownership.write_reorganisation": Operation(
            "ownership", {200: ref("WrittenReorganisation")}, body=ref("ReorganisationPlan"), faults=[409, 503]
        ),
        "scaffolder.create_task": Operation(
            "scaffolder",
            {201: ref("Created")},
            body=ref("TaskInput"),
            faults=[403, 404, 503],
            fault_bodies={400: _EITHER},
        ),
        "scaffolder.list_tasks": Operation(
            "scaffolder", {200: ref("Tasks")}, ["createdBy", "status", "taskOrder", "taskLimit", "offset"]
        ),
        "scaffolder.autocomplete": Operation(
            "scaffolder",
            {200: ref("Completions")},
            body=members({"token": TEXT}, {"context": {"type": "object", "additionalProperties": TEXT}}),
            faults=[403, 404, 503],
        ),
        "scaffolder.dry_run": Operation(
            "scaffolder",
            {200: ref("DryRunResult")},
            body=ref("DryRunInput"),
            faults=[403, 404, 409, 503],
            fault_bodies={400: _EITHER},
        ),
        "scaffolder.retry_task": Operation(
            "scaffolder",
            {201: ref("Created")},
            body=members({}, {"secrets": {"type": "object", "additionalProperties": TEXT}}),
            is_body_optional=True,
            faults=[403, 404, 409, 503],
            fault_bodies={400: _EITHER},
        ),
        "scaffolder.list_generated": Operation("scaffolder", {200: ref("GeneratedList")}, ["ofTemplate"], faults=[404]),
        "scaffolder.upgrade": Operation(
            "scaffolder",
            {200: ref("Upgrade")},
            body=ref("UpgradeInput"),
            faults=[403, 404, 409, 503],
            fault_bodies={400: _EITHER},
        ),
        "scaffolder.get_task": Operation("scaffolder", {200: ref("Task")}, faults=[404]),
        "scaffolder.cancel_task": Operation("scaffolder", {200: ref("Status")}, faults=[404, 409]),
        "scaffolder.stream_events": Operation(
            "scaffolder", {200: TEXT}, ["afterEvent", "lastTaskEvent"], faults=[404], media_type="text/event-stream"
        ),
        "scaffolder.list_events": Operation("scaffolder", {200: many(ref("TaskEvent"))}, ["afterEvent"], faults=[404]),
        "scaffolder.list_actions": Operation("scaffolder", {200: many(ref("Action"))}),
        "scaffolder.list_templating_extensions": Operation("scaffolder", {200: ref("TemplatingExtensions")}),
        "scaffolder.parameter_schema": Operation("scaffolder", {200: ref("TemplateForm")}, faults=[404]),
        "permission.health": Operation("permission", {200: _HEALTH}, is_open=True),
        "permission.authorize": Operation(
            "permission", {200: ref("Decisions")}, body=members({"items": many(ref("Question"))}), faults=[403]
        ),
        "permission.explain": Operation(
            "permission", {200: ref("Explanation")}, ["permission", "actor", "resourceRef"], faults=[404]
        ),
        "catalog_permission.metadata": Operation("permission", {200: ref("PermissionMetadata")}),
        "catalog_permission.apply_conditions": Operation(
            "permission", {200: ref("Decisions")}, body=members({"items": many(ref("Application"))}), faults=[403]
        ),
        "scaffolder_permission.metadata": Operation("permission", {200: ref("PermissionMetadata")}),
        "scaffolder_permission.apply_conditions": Operation(
            "permission", {200: ref("Decisions")}, body=members({"items": many(ref("Application"))}), faults=[403]
        ),
        "auth.refresh": Operation("auth", {200: ref("SignIn")}, faults=[403], is_open=True),
        "auth.start": Operation("auth", {}, faults=[501], is_open=True),
        "auth.frame": Operation("auth", {}, faults=[501], is_open=True),
        "auth.logout": Operation("auth", {200: None}, faults=[401], is_open=True),
        "sign_in.start": Operation(
            "auth",
            {302: None},
            ["env", "origin", "flow", "redirectUrl", "scope"],
            faults=[403, 404, 503],
            is_open=True,
        ),
        "sign_in.frame": Operation(
            "auth", {200: TEXT, 302: None}, ["state", "code"], media_type="text/html", is_open=True
        ),
        "sign_in.refresh": Operation("auth", {200: ref("SignIn")}, faults=[401, 404, 503], is_open=True),
        "sign_in.logout": Operation("auth", {200: None}, faults=[401, 403, 404], is_open=True),
        "auth.jwks": Operation("auth", {200: ref("Keys")}, is_open=True),
        "auth.openid_configuration": Operation("auth", {200: ref("OpenIdConfiguration")}, is_open=True),
        "auth.userinfo": Operation("auth", {200: ref("UserInfo")}, faults=[401], is_open=True),
        "audit.records": Operation(
            "audit",
            {200: ref("AuditPage")},
            ["auditSince", "auditUntil", "auditActor", "auditAction", "auditOn", "auditResult", "auditLimit", "place"],
            faults=[403],
        ),
        "tokens.list_tokens": Operation("auth", {200: ref("Tokens")}, faults=[403]),
        "tokens.create_token": Operation("auth", {201: ref("NewToken")}, body=ref("TokenInput"), faults=[403, 409]),
        "tokens.revoke_token": Operation("auth", {204: None}, faults=[403, 404]),
        "events.hear": Operation(
            "events",
            {202: members({"status": one_of("accepted", "ignored"), "sources": COUNT})},
            body={"type": "object"},
            faults=[403, 404, 409],
            is_open=True,
        ),
        "health.liveness": Operation("health", {200: _HEALTH}, is_open=True),
        "health.readiness": Operation("health", {200: _HEALTH}, is_open=True, fault_bodies={503: _HEALTH}),
    }
)
#: The routes of the cookie, the same for each plugin, by the end of their endpoint.
COOKIE_OPERATIONS: Mapping[str, Operation] = MappingProxyType(
    {
        "set": Operation("auth", {200: ref("Cookie")}, faults=[403]),
        "end": Operation("auth", {204: None}),
    }
)
