"""Refuses who lacks the permission that a route asks for, before the route is reached."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import TYPE_CHECKING, Literal, NamedTuple

import orjson
from flask import Flask, request

from portal.api import catalog_queries as queries
from portal.api.actor import current_actor
from portal.api.auth import COOKIE_PLUGINS
from portal.errors import NotAllowedError
from portal.model.entity import ref_of
from portal.model.permission_names import PERMISSIONS
from portal.model.ref import EntityRef
from portal.services.catalog import CatalogService
from portal.services.explanation import ExplanationService, Sought, refusal
from portal.services.permission import limit_of_token

if TYPE_CHECKING:
    from portal.services.locations import LocationsService

#: Tells who created those of some tasks that exist.
Creators = Callable[[Collection[str]], Mapping[str, str | None]]
#: How what a request is about is found in it.
Place = Literal["uid", "body", "form", "location", "task", "path", "origin"]


class Asked(NamedTuple):
    """A permission, and where in a request the entities or task are that it must be given on."""

    permission: str
    place: Place | None = None


class Right(NamedTuple):
    """What a route asks for, all of it; `is_read` where what it answers is held to what may be read."""

    asked: tuple[Asked, ...] = ()
    is_read: bool = False


#: Whoever may ask at all may; or the route decides itself, as those of sign-in do.
OPEN = Right()
READ = Right((Asked("catalog.entity.read"),), is_read=True)


def _asks(permission: str, place: Place | None = None, *more: Asked) -> Right:
    return Right((Asked(permission, place), *more))


#: What each endpoint asks for. One that is missing here is refused to everybody, and by a test.
RIGHTS: Mapping[str, Right] = {
    "audit.records": _asks("portal.audit.read"),
    "auth.frame": OPEN,
    "auth.jwks": OPEN,
    "auth.logout": OPEN,
    "auth.openid_configuration": OPEN,
    "auth.refresh": OPEN,
    "auth.start": OPEN,
    "auth.userinfo": OPEN,
    "auth_unknown": OPEN,
    "catalog.add_location": _asks("catalog.location.create"),
    "catalog.analyze_location": _asks("catalog.location.analyze"),
    "catalog.ancestry": READ,
    "catalog.by_name": READ,
    "catalog.by_predicate": READ,
    "catalog.by_query": READ,
    "catalog.by_refs": READ,
    "catalog.by_uid": READ,
    "catalog.delete_entity": _asks("catalog.entity.delete", "uid"),
    "catalog.delete_location": _asks("catalog.location.delete", None, Asked("catalog.entity.delete", "location")),
    "catalog.entities": READ,
    "catalog.facets": READ,
    "catalog.facets_by_predicate": READ,
    "catalog.get_location": _asks("catalog.location.read"),
    "catalog.list_locations": _asks("catalog.location.read"),
    "catalog.location_of_entity": _asks("catalog.location.read"),
    "catalog.query_locations": _asks("catalog.location.read"),
    "catalog.refresh": _asks("catalog.entity.refresh", "body"),
    "catalog.update_location": _asks(
        "catalog.location.create",
        None,
        Asked("catalog.location.delete"),
        Asked("catalog.entity.delete", "location"),
    ),
    "catalog.validate_entity": _asks("catalog.entity.validate"),
    "catalog_permission.apply_conditions": OPEN,
    "catalog_permission.metadata": OPEN,
    # Who sends it is told by its signature.
    "events.hear": OPEN,
    "health.liveness": OPEN,
    "health.readiness": OPEN,
    "history.change_events": READ,
    "history.changes": READ,
    "history.history_of_entity": READ,
    "kinds.list_kinds": READ,
    "metrics.metrics": READ,
    # Of a user alone, which the routes ask for; settings are beyond tokens with scopes too.
    **{f"notifications.{name}": OPEN for name in ("notifications", "settings", "status", "topics")},
    **{f"user_settings.{name}": OPEN for name in ("get_setting", "multiget", "put_setting", "remove_setting")},
    "openapi": OPEN,
    "ownership.balance": READ,
    "ownership.drift": READ,
    "ownership.drift_of_entity": READ,
    "ownership.entity": READ,
    "ownership.entity_badge": READ,
    "ownership.graph": READ,
    "ownership.handovers": READ,
    "ownership.history": READ,
    "ownership.impact": READ,
    "ownership.impact_of_changes": READ,
    "ownership.layers": READ,
    "ownership.lineage": READ,
    "ownership.plan_reorganisation": _asks("portal.reorg.plan"),
    "ownership.portfolio": READ,
    "ownership.problems": READ,
    "ownership.problems_badge": READ,
    "ownership.rules": READ,
    "ownership.write_reorganisation": _asks("portal.reorg.write"),
    "permission.authorize": OPEN,
    "permission.explain": OPEN,
    "permission.health": OPEN,
    "scaffolder.autocomplete": _asks("scaffolder.task.create"),
    "scaffolder.cancel_task": _asks("scaffolder.task.cancel", "task"),
    "scaffolder.create_task": _asks("scaffolder.task.create"),
    "scaffolder.dry_run": _asks("scaffolder.task.create", None, Asked("scaffolder.template.dry-run")),
    "scaffolder.get_task": _asks("scaffolder.task.read", "task"),
    "scaffolder.list_actions": READ,
    "scaffolder.list_generated": READ,
    "scaffolder.list_events": _asks("scaffolder.task.read", "task"),
    "scaffolder.list_tasks": _asks("scaffolder.task.read"),
    "scaffolder.parameter_schema": READ,
    "scaffolder.retry_task": _asks("scaffolder.task.read", "task", Asked("scaffolder.task.create")),
    "scaffolder.list_templating_extensions": READ,
    # What a token may not read is not there to be rendered, or merged into.
    "scaffolder.upgrade": _asks(
        "portal.asset.upgrade", "body", Asked("scaffolder.task.create"), Asked("catalog.entity.read")
    ),
    "scaffolder_permission.apply_conditions": OPEN,
    "scaffolder_permission.metadata": OPEN,
    "scaffolder.stream_events": _asks("scaffolder.task.read", "task"),
    "search.search": READ,
    "sign_in.frame": OPEN,
    "sign_in.logout": OPEN,
    "sign_in.refresh": OPEN,
    "sign_in.start": OPEN,
    "tokens.create_token": _asks("portal.token.create"),
    "tokens.list_tokens": _asks("portal.token.read"),
    "tokens.revoke_token": _asks("portal.token.revoke"),
    "web.actions": READ,
    "web.anything_else": OPEN,
    "web.api_reference": READ,
    "web.asset": OPEN,
    "web.catalog": READ,
    "web.catalog_csv": READ,
    "web.begin_task": _asks("scaffolder.task.create"),
    "web.cancel_task": _asks("scaffolder.task.cancel", "task"),
    "web.balance": READ,
    "web.balances": READ,
    "web.choose_language": OPEN,
    "web.create": READ,
    "web.entity": READ,
    "web.entity_history": READ,
    "web.refresh_entity": _asks("catalog.entity.refresh", "path"),
    "web.remove_entity": _asks("catalog.entity.delete", "path"),
    "web.remove_page": READ,
    "web.unregister": _asks("catalog.location.delete", None, Asked("catalog.entity.delete", "origin")),
    "web.favicon": OPEN,
    "web.graph": READ,
    "web.home": READ,
    "web.kinds_page": READ,
    "web.layer": READ,
    "web.layers": READ,
    "web.problems": READ,
    "web.search": READ,
    "web.owner": READ,
    "web.owners": READ,
    "web.sign_in_page": OPEN,
    "web.sign_out": OPEN,
    "web.sign_out_page": OPEN,
    "web.template": READ,
    "web.retry_task": _asks("scaffolder.task.read", "task", Asked("scaffolder.task.create")),
    "web.start_task_over": _asks("scaffolder.task.read", "task", Asked("scaffolder.task.create")),
    "web.task": _asks("scaffolder.task.read", "task"),
    "web.task_log": _asks("scaffolder.task.read", "task"),
    "web.tasks": _asks("scaffolder.task.read"),
    "web.upgrade": _asks("portal.asset.upgrade", "form", Asked("scaffolder.task.create"), Asked("catalog.entity.read")),
    "web.upgrades": READ,
    "web.delete_location": _asks("catalog.location.delete", None, Asked("catalog.entity.delete", "location")),
    "web.refresh_source": _asks("catalog.entity.refresh", "form"),
    "web.register": READ,
    "web.register_location": _asks("catalog.location.create"),
    "web.register_preview": _asks("catalog.location.create"),
    "web.registered": _asks("catalog.location.read"),
    "web.tools": READ,
} | {f"cookie.{plugin}_{verb}": OPEN for plugin in COOKIE_PLUGINS for verb in ("set", "end")}


def register_rights(
    app: Flask,
    explanation: ExplanationService,
    *,
    catalog: CatalogService,
    locations: LocationsService,
    creators: Creators,
) -> None:
    """Make the application refuse who may not; it must know who asks before (`register_actor`).

    A read whose actor's token is not limited costs one look into the table: what it answers is held to what may be
    read, not refused.
    """
    places: Mapping[Place, Callable[[], Sought]] = {
        "uid": lambda: _of_uid(catalog),
        "body": _of_body,
        "form": _of_form,
        "location": lambda: Sought(tuple(map(str, locations.entities_of(_argument("location_id"), hidden=True)))),
        "task": lambda: _of_task(creators),
        "path": _of_path,
        "origin": lambda: Sought(
            tuple(map(str, locations.entities_of(locations.by_entity(_ref_of_path()).id, hidden=True)))
        ),
    }

    @app.before_request
    def check() -> None:
        endpoint = request.endpoint
        if endpoint is None or request.method == "OPTIONS":
            return
        right = RIGHTS.get(endpoint)
        if right is None:
            raise NotAllowedError(f"Nobody may use {endpoint}: no permission is named for it")
        actor = current_actor()
        if right.is_read and actor.scopes is None and actor.restrictions is None:
            return
        for permission, place in right.asked:
            if right.is_read:
                limit = limit_of_token(actor, PERMISSIONS[permission])
                if limit:
                    raise refusal(actor, permission, limit)
            else:
                explanation.require(actor, permission, None if place is None else places[place])


def _argument(name: str) -> str:
    arguments = request.view_args or {}
    return str(arguments[name])


def _of_uid(catalog: CatalogService) -> Sought:
    uid = _argument("uid")
    body = catalog.by_uids([uid]).get(uid)
    return Sought(() if body is None else (ref_of(orjson.loads(body)),), f"No entity with uid {uid}")


def _of_body() -> Sought:
    ref = EntityRef.parse(queries.text_of(queries.body_of("entityRef"), "entityRef"))
    return Sought((ref,), f"Entity {ref} not found")


def _of_form() -> Sought:
    """Return the entities that a form names; of one that names none, its page says so."""
    refs = [str(EntityRef.parse(text)) for text in request.form.getlist("entityRef")]
    return Sought(tuple(refs), f"Entity {refs[0]} not found" if len(refs) == 1 else "")


def _of_path() -> Sought:
    ref = _ref_of_path()
    return Sought((ref,), f"Entity {ref} not found")


def _ref_of_path() -> EntityRef:
    return EntityRef.of(_argument("kind"), _argument("namespace"), _argument("name"))


def _of_task(creators: Creators) -> Sought:
    task = _argument("task_id")
    return Sought((task,) if creators([task]) else (), f"No task with id '{task}' found")
