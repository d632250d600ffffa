"""The settings of users, as Backstage's front end keeps its stars in them."""

from __future__ import annotations

from typing import Any

from flask import Response
from flask_smorest import Blueprint

from portal.api.actor import current_actor
from portal.api.answers import answer
from portal.api.catalog_queries import body_of, text_of
from portal.errors import InputError, NotAllowedError
from portal.model.ref import EntityRef
from portal.services.user_settings import UserSettings

_PATH = "/buckets/<bucket>/keys/<path:key>"
#: What one request may ask for; the front end asks for a hundred.
MOST_AT_ONCE = 1000


def user_settings_blueprint(settings: UserSettings) -> Blueprint:
    """Return the routes below /api/user-settings. Rule: user-settings-backend 0.4."""
    blueprint = Blueprint(
        "user_settings", __name__, url_prefix="/api/user-settings", description="What users set for themselves"
    )

    @blueprint.post("/multiget")
    @blueprint.response(200)
    def multiget() -> Response:
        """Return the values of some of the caller's settings, null for those that are not there."""
        places = _places()
        found = settings.values(_user(), places)
        return answer({"items": [{"value": found[place]} if place in found else None for place in places]})

    @blueprint.get(_PATH)
    @blueprint.response(200)
    def get_setting(bucket: str, key: str) -> Response:
        """Return one of the caller's settings."""
        return answer({"bucket": bucket, "key": key, "value": settings.value(_user(), (bucket, key))})

    @blueprint.put(_PATH)
    @blueprint.response(200)
    def put_setting(bucket: str, key: str) -> Response:
        """Set one of the caller's settings."""
        body = body_of()
        if "value" not in body:
            raise InputError('Missing required field "value"')
        settings.put(_user(), (bucket, key), body["value"])
        return answer({"bucket": bucket, "key": key, "value": body["value"]})

    @blueprint.delete(_PATH)
    @blueprint.response(204)
    def remove_setting(bucket: str, key: str) -> Response:
        """Remove one of the caller's settings, if it is there."""
        settings.remove(_user(), (bucket, key))
        return Response(status=204)

    return blueprint


def _user() -> EntityRef:
    """Return the user who asks. Raises `AuthenticationError` for nobody, `NotAllowedError` for any other."""
    actor = current_actor()
    actor.require("user")
    if actor.scopes is not None:
        raise NotAllowedError("A token that was made for scopes has none for a user's settings")
    return EntityRef(actor.subject)


def _places() -> list[tuple[str, str]]:
    items: Any = body_of("items")["items"]
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        raise InputError("request/body/items must be an array of objects")
    if len(items) > MOST_AT_ONCE:
        raise InputError(f"request/body/items must have at most {MOST_AT_ONCE} items")
    for item in items:
        for name in ("bucket", "key"):
            if name not in item:
                raise InputError(f"request/body/items must have required property '{name}'")
    return [(text_of(item, "bucket"), text_of(item, "key")) for item in items]
