"""The description of the routes that Backstage's front end alone asks for."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from portal.api.openapi.operations import Operation
from portal.api.openapi.schemas import COUNT, STORABLE, WORD, many, maybe, members
from portal.api.user_settings import MOST_AT_ONCE

_USER_SETTING = members({"bucket": WORD, "key": WORD, "value": {}})

#: Operations by endpoint.
FRONT_END_OPERATIONS: Mapping[str, Operation] = MappingProxyType(
    {
        "user_settings.multiget": Operation(
            "front end",
            {200: members({"items": many(maybe(members({"value": {}})))})},
            body=members({"items": many(members({"bucket": STORABLE, "key": STORABLE}), maxItems=MOST_AT_ONCE)}),
        ),
        "user_settings.get_setting": Operation("front end", {200: _USER_SETTING}, faults=[404]),
        "user_settings.put_setting": Operation(
            "front end", {200: _USER_SETTING}, body=members({"value": {}}), faults=[404, 409]
        ),
        "user_settings.remove_setting": Operation("front end", {204: None}, faults=[404]),
        "notifications.status": Operation("front end", {200: members({"unread": COUNT, "read": COUNT})}),
        "notifications.notifications": Operation(
            "front end", {200: members({"totalCount": COUNT, "notifications": many({"type": "object"})})}
        ),
        "notifications.topics": Operation("front end", {200: members({"topics": many(WORD)})}),
        "notifications.settings": Operation("front end", {200: members({"channels": many({"type": "object"})})}),
    }
)
