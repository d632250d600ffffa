"""Which routes do something that is to be remembered, under which name, on what."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from flask import Response, request

from portal.model.login import without_credentials
from portal.model.ref import EntityRef

#: What a route that is not in the table is called where it refuses.
READ = "read"


@dataclass(frozen=True, slots=True)
class Audited:
    """The name of what a route does; `on` says to what, from the request with its response."""

    action: str
    on: Callable[[Response], str] = lambda _response: request.path


def _member(name: str) -> str:
    """Return a text of the request's JSON body, empty without it. Only members that are no secrets are asked for."""
    body = request.get_json(silent=True)
    value = body.get(name) if isinstance(body, dict) else None
    return value if isinstance(value, str) else ""


def _made(response: Response, name: str) -> str:
    """Return a text of the response's JSON body, empty for a response without it."""
    body = response.get_json(silent=True) if response.is_json else None
    value = body.get(name) if isinstance(body, dict) else None
    return value if isinstance(value, str) else ""


def _argument(name: str) -> str:
    arguments: Mapping[str, Any] = request.view_args or {}
    return str(arguments.get(name, ""))


def _location(_response: Response) -> str:
    return f"{_member('type')}:{without_credentials(_member('target'))}"


def _pasted() -> str:
    return f"url:{without_credentials(request.form.get('target', '').strip())}"


def _entity(_response: Response) -> str:
    return _member("entityRef")


def _entity_of_path(_response: Response) -> str:
    return EntityRef.of(_argument("kind"), _argument("namespace"), _argument("name"))


def _setting(_response: Response) -> str:
    """Return which of the caller's settings it is; what stands in it is their own."""
    return f"{_argument('bucket')}/{_argument('key')}"


def _new_task(response: Response) -> str:
    template, task_id = _member("templateRef"), _made(response, "id")
    return f"{template} task {task_id}" if task_id else template


def _begun_task(response: Response) -> str:
    template = f"template:{_argument('namespace')}/{_argument('name')}"
    task_id = (response.location or "").rpartition("/tasks/")[2]
    return f"{template} task {task_id}" if task_id else template


def _new_token(response: Response) -> str:
    return f"token {_made(response, 'id')}".strip()


_SIGN_IN, _SIGN_OUT = Audited("sign-in"), Audited("sign-out")
#: Every route with a method that may write, by endpoint; None for those that only read, whatever their method. A
#: provider sends people back with GET.
ACTIONS: Mapping[str, Audited | None] = MappingProxyType(
    {
        "auth.refresh": _SIGN_IN,
        "auth.frame": None,
        "auth.logout": _SIGN_OUT,
        "auth.userinfo": None,
        "auth_unknown": None,
        "catalog.add_location": Audited("location.create", _location),
        "catalog.analyze_location": None,
        "catalog.by_predicate": None,
        "catalog.by_refs": None,
        "catalog.delete_entity": Audited("entity.delete", lambda _: _argument("uid")),
        "catalog.delete_location": Audited("location.delete", lambda _: _argument("location_id")),
        "catalog.facets_by_predicate": None,
        "catalog.query_locations": None,
        "catalog.refresh": Audited("entity.refresh", _entity),
        "catalog.update_location": Audited("location.update", _location),
        "catalog.validate_entity": None,
        "catalog_permission.apply_conditions": None,
        "scaffolder_permission.apply_conditions": None,
        "events.hear": Audited("event.hear", lambda _: _argument("host")),
        "ownership.plan_reorganisation": None,
        "ownership.write_reorganisation": Audited("reorg.write"),
        "permission.authorize": None,
        "scaffolder.autocomplete": None,
        "scaffolder.cancel_task": Audited("task.cancel", lambda _: f"task {_argument('task_id')}"),
        "scaffolder.create_task": Audited("task.create", _new_task),
        # It leaves nothing behind.
        "scaffolder.dry_run": None,
        "scaffolder.retry_task": Audited("task.retry", lambda _: f"task {_argument('task_id')}"),
        "scaffolder.upgrade": Audited("template.upgrade", _entity),
        "sign_in.frame": _SIGN_IN,
        "sign_in.logout": _SIGN_OUT,
        "sign_in.refresh": _SIGN_IN,
        "tokens.create_token": Audited("token.create", _new_token),
        "tokens.revoke_token": Audited("token.revoke", lambda _: f"token {_argument('token_id')}"),
        "user_settings.multiget": None,
        "user_settings.put_setting": Audited("setting.put", _setting),
        "user_settings.remove_setting": Audited("setting.remove", _setting),
        "web.begin_task": Audited("task.create", _begun_task),
        "web.cancel_task": Audited("task.cancel", lambda _: f"task {_argument('task_id')}"),
        "web.retry_task": Audited("task.retry", lambda _: f"task {_argument('task_id')}"),
        "web.delete_location": Audited("location.delete", lambda _: _argument("location_id")),
        "web.refresh_source": Audited("entity.refresh", lambda _: request.form.get("entityRef", "")),
        "web.register_location": Audited("location.create", lambda _: _pasted()),
        "web.register_preview": None,
        "web.sign_out": _SIGN_OUT,
        "web.start_task_over": Audited("task.create", lambda _: f"again task {_argument('task_id')}"),
        "web.upgrade": Audited("template.upgrade", lambda _: ", ".join(request.form.getlist("entityRef"))),
        "web.refresh_entity": Audited("entity.refresh", _entity_of_path),
        "web.remove_entity": Audited("entity.delete", _entity_of_path),
        "web.unregister": Audited("location.delete", _entity_of_path),
        **{f"cookie.{plugin}_end": _SIGN_OUT for plugin in ("auth", "catalog", "permission", "scaffolder", "search")},
    }
)
