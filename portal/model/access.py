"""What gives programs access from outside: tokens that the settings name."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from portal.model.permission import ACTIONS
from portal.model.secret import Secret

_SHORTEST = 8
_WORD = re.compile(r"\S+")
_SEPARATOR = re.compile(r"[ ,]")


@dataclass(frozen=True, slots=True)
class AccessRestriction:
    """What a token may do in a plugin: these permissions, or those with these actions; none named: all."""

    plugin: str
    permissions: tuple[str, ...] = ()
    actions: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ExternalAccess:
    """A token, with the name of who has it; without restrictions it may do anything."""

    token: Secret
    subject: str
    restrictions: tuple[AccessRestriction, ...] = ()


def parse_external_access(value: Any) -> ExternalAccess:
    """Return what an entry of `backend.auth.externalAccess` grants. Raises `ValueError` saying what is expected.

    The message never holds what was found, which may be the token. Rule: backend-defaults 0.18
    `staticTokenHandler`, `readAccessRestrictionsFromConfig`.
    """
    entry = _table(value, known={"type", "options", "accessRestrictions"})
    if entry.get("type") != "static":
        raise ValueError('the type "static"')
    options = _table(entry.get("options"), known={"token", "subject"})
    token, subject = options.get("token"), options.get("subject")
    if not isinstance(token, str) or not _WORD.fullmatch(token) or len(token) < _SHORTEST:
        raise ValueError(f"a token of at least {_SHORTEST} characters without spaces in options")
    if not isinstance(subject, str) or not _WORD.fullmatch(subject):
        raise ValueError("a subject without spaces in options")
    listed = entry.get("accessRestrictions", [])
    if not isinstance(listed, list):
        raise ValueError("a list of accessRestrictions")  # noqa: TRY004  # one kind of fault for the caller to report
    restrictions = tuple(_restriction(item) for item in listed)
    plugins = [item.plugin for item in restrictions]
    if len(plugins) != len(set(plugins)):
        raise ValueError("accessRestrictions once for each plugin")
    return ExternalAccess(Secret(token), subject, restrictions)


def external_access_json(access: ExternalAccess) -> dict[str, Any]:
    """Return the entry that `parse_external_access` reads, token included."""
    entry: dict[str, Any] = {
        "type": "static",
        "options": {"token": access.token.reveal(), "subject": access.subject},
    }
    if access.restrictions:
        entry["accessRestrictions"] = [
            {
                "plugin": item.plugin,
                "permission": list(item.permissions),
                "permissionAttribute": {"action": list(item.actions)},
            }
            for item in access.restrictions
        ]
    return entry


def _restriction(value: Any) -> AccessRestriction:
    item = _table(value, known={"plugin", "permission", "permissionAttribute"})
    plugin = item.get("plugin")
    if not isinstance(plugin, str) or not plugin:
        raise ValueError("the plugin of each of accessRestrictions")
    attributes = _table(item.get("permissionAttribute", {}), known={"action"})
    actions = _words(attributes.get("action", []), "action")
    if not set(actions) <= set(ACTIONS):
        raise ValueError(f"as action some of {', '.join(ACTIONS)}")
    return AccessRestriction(plugin, _words(item.get("permission", []), "permission"), actions)


def _words(value: Any, name: str) -> tuple[str, ...]:
    texts = [value] if isinstance(value, str) else value
    if not isinstance(texts, list) or not all(isinstance(item, str) for item in texts):
        raise ValueError(f"a text or list of texts as {name}")
    return tuple(dict.fromkeys(word for item in texts for word in _SEPARATOR.split(item) if word))


def _table(value: Any, *, known: set[str]) -> dict[str, Any]:
    if not isinstance(value, dict) or not value.keys() <= known:
        raise ValueError(f"a table of {', '.join(sorted(known))}")
    return value
