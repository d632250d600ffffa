"""Settings that are more than one value: tables in the settings file, JSON in the environment."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping
from typing import Any
from urllib.parse import urlsplit

from portal.model.access import ExternalAccess, external_access_json, parse_external_access
from portal.model.integration import HOST_TYPES, Integration
from portal.model.reading import ReadingRules
from portal.model.rules import AllowedKind, Rule, RuleLocation
from portal.model.secret import Secret
from portal.model.sign_in import SignInProvider, parse_sign_in_provider, sign_in_provider_json
from portal.model.webhook import WEBHOOK_TYPES, Webhook, checked_secret

_HOST = re.compile(r"[a-z0-9](?:[a-z0-9.\-]*[a-z0-9])?(?::\d{1,5})?|\[[0-9a-f:]+\](?::\d{1,5})?")
_ORIGIN = re.compile(r"https?://(?:[a-z0-9.\-]+|\[[0-9a-f:]+\])(?::\d{1,5})?")
_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")


def substituted(value: Any, environment: Mapping[str, str]) -> Any:
    """Return a value of the settings file with each text `${NAME}` replaced by that variable, so that secrets stay out.

    Raises `ValueError` naming a variable that is not set.
    """
    if isinstance(value, str):
        found = _VARIABLE.fullmatch(value)
        if found is None:
            return value
        if found[1] not in environment:
            raise ValueError(f"the environment variable {found[1]} to be set")
        return environment[found[1]]
    if isinstance(value, list):
        return [substituted(item, environment) for item in value]
    if isinstance(value, dict):
        return {key: substituted(item, environment) for key, item in value.items()}
    return value


def parse_integrations(value: Any) -> tuple[Integration, ...]:
    """Return the git hosts of a list of tables (or its JSON). Raises `ValueError` saying what is expected."""
    return tuple(_integration(item) for item in tables(value, known={"host", "type", "token", "username", "base_url"}))


def write_integrations(found: tuple[Integration, ...]) -> str:
    """Return the JSON that `parse_integrations` reads, tokens included: for the environment of Portal's own server."""
    return json.dumps(
        [
            {"host": item.host, "type": item.type, "username": item.username, "base_url": item.base_url}
            | ({"token": item.token.reveal()} if item.token else {})
            for item in found
        ]
    )


def show_integrations(found: tuple[Integration, ...]) -> list[str]:
    """Return the hosts as they may be printed."""
    return [f"{item.host} ({item.type}{', token ***' if item.token else ''})" for item in found]


def parse_webhooks(value: Any) -> tuple[Webhook, ...]:
    """Return the secrets of webhooks of a list of tables (or its JSON). Raises `ValueError` saying what is expected."""
    return tuple(_webhook(item) for item in tables(value, known={"type", "secret", "host"}))


def write_webhooks(found: tuple[Webhook, ...]) -> str:
    """Return the JSON that `parse_webhooks` reads, secrets included: for the environment of Portal's own server."""
    return json.dumps([{"type": hook.type, "secret": hook.secret.reveal(), "host": hook.host} for hook in found])


def show_webhooks(found: tuple[Webhook, ...]) -> list[str]:
    """Return the webhooks as they may be printed."""
    return [f"{hook.type} ({f'{hook.host}, ' if hook.host else ''}secret ***)" for hook in found]


def parse_catalog_rules(value: Any) -> tuple[Rule, ...]:
    """Return the rules of a list of tables (or its JSON), as Backstage's `catalog.rules` has them.

    Raises `ValueError` saying what is expected.
    """
    return tuple(_rule(item) for item in tables(value, known={"allow", "locations"}))


def write_catalog_rules(found: tuple[Rule, ...]) -> str:
    """Return the JSON that `parse_catalog_rules` reads."""
    return json.dumps(_rule_tables(found))


def show_catalog_rules(found: tuple[Rule, ...]) -> list[str]:
    """Return the rules as they may be printed, each as JSON."""
    return [json.dumps(table) for table in _rule_tables(found)]


def _rule_tables(found: tuple[Rule, ...]) -> list[dict[str, Any]]:
    return [
        {"allow": [{"kind": kind.kind, "spec.type": kind.type} if kind.type else kind.kind for kind in rule.allow]}
        | ({"locations": [_shown_location(place) for place in rule.locations]} if rule.locations else {})
        for rule in found
    ]


def parse_reading_hosts(value: Any) -> tuple[str, ...]:
    """Return the entries of `ReadingRules`, one a line in the environment. Raises `ValueError`."""
    items = value.splitlines() if isinstance(value, str) else value
    if not isinstance(items, (list, tuple)) or not all(isinstance(item, str) for item in items):
        raise ValueError("a list of hosts and networks (in the environment: one a line)")
    found = tuple(item.strip() for item in items if item.strip())
    ReadingRules(found)
    return found


def parse_access(value: Any) -> tuple[ExternalAccess, ...]:
    """Return the tokens of a list of tables (or its JSON). Raises `ValueError` saying what is expected."""
    return tuple(parse_external_access(item) for item in tables(value, known={"type", "options", "accessRestrictions"}))


def write_access(found: tuple[ExternalAccess, ...]) -> str:
    """Return the JSON that `parse_access` reads, tokens included: for the environment of Portal's own server."""
    return json.dumps([external_access_json(item) for item in found])


def show_access(found: tuple[ExternalAccess, ...]) -> list[str]:
    """Return who has tokens, for which plugins, as may be printed."""
    return [
        f"{item.subject} ({', '.join(part.plugin for part in item.restrictions) or 'everything'}, token ***)"
        for item in found
    ]


def parse_sign_in_providers(value: Any) -> tuple[SignInProvider, ...]:
    """Return the providers of a list of tables (or its JSON). Raises `ValueError` saying what is expected."""
    found = tuple(parse_sign_in_provider(item) for item in tables(value))
    if len({provider.id for provider in found}) != len(found):
        raise ValueError("another id for each provider")
    return found


def write_sign_in_providers(found: tuple[SignInProvider, ...]) -> str:
    """Return the JSON that `parse_sign_in_providers` reads, with secrets: for the environment of Portal's server."""
    return json.dumps([sign_in_provider_json(provider) for provider in found])


def show_sign_in_providers(found: tuple[SignInProvider, ...]) -> list[str]:
    """Return the providers as they may be printed."""
    return [f"{provider.id} ({provider.issuer}, client {provider.client_id}, secret ***)" for provider in found]


def parse_origins(value: Any) -> tuple[str, ...]:
    """Return origins (scheme, host, port), one a line in the environment. Raises `ValueError`."""
    items = value.splitlines() if isinstance(value, str) else value
    if not isinstance(items, (list, tuple)) or not all(isinstance(item, str) for item in items):
        raise ValueError("a list of origins (in the environment: one a line)")
    found = tuple(item.strip() for item in items if item.strip())
    if not all(_ORIGIN.fullmatch(item) for item in found):
        raise ValueError('origins such as "https://backstage.example.com", without a path')
    return found


def tables(value: Any, *, known: Collection[str] = ()) -> list[dict[str, Any]]:
    """Return a list of tables, given as such or as JSON text; of `known` keys alone, if any are named.

    Raises `ValueError`.
    """
    if isinstance(value, str):
        try:
            value = json.loads(value or "[]")
        except json.JSONDecodeError:
            raise ValueError("a list of tables (in the environment: as JSON)") from None
    if not isinstance(value, (list, tuple)) or not all(isinstance(item, dict) for item in value):
        raise ValueError("a list of tables (in the environment: as JSON)")
    for item in value:
        for key in item.keys() - set(known) if known else ():
            raise ValueError(f'tables of {", ".join(sorted(known))}; "{key}" is not known')
    return list(value)


def _integration(item: Mapping[str, Any]) -> Integration:
    if not all(isinstance(part, str) for part in item.values()):
        raise ValueError("texts in each host's table")
    host, kind, base_url = item.get("host", "").lower(), item.get("type", ""), item.get("base_url", "")
    if not _HOST.fullmatch(host):
        raise ValueError('a host such as "git.example.com" or "git.example.com:8443"')
    if kind not in HOST_TYPES:
        raise ValueError(f"for {host} a type, one of {', '.join(HOST_TYPES)}")
    if base_url and urlsplit(base_url).scheme not in {"http", "https"}:
        raise ValueError(f"for {host} a base_url with http or https")
    token = Secret(item["token"]) if item.get("token") else None
    return Integration(host, kind, token, item.get("username", ""), base_url)


def _webhook(item: Mapping[str, Any]) -> Webhook:
    if not all(isinstance(part, str) for part in item.values()):
        raise ValueError("texts in each webhook's table")
    kind, host = item.get("type", ""), item.get("host", "").lower()
    if kind not in WEBHOOK_TYPES:
        raise ValueError(f"for each webhook a type, one of {', '.join(WEBHOOK_TYPES)}")
    if host and not _HOST.fullmatch(host):
        raise ValueError('a host such as "git.example.com"')
    return Webhook(kind, checked_secret(kind, item.get("secret", "")), host)


def _rule(item: Mapping[str, Any]) -> Rule:
    allow = item.get("allow")
    if not isinstance(allow, list) or not allow:
        raise ValueError("in each rule a list allow of kinds")
    kinds = [{"kind": kind} if isinstance(kind, str) else kind for kind in allow]
    for kind in kinds:
        if not isinstance(kind, dict) or not kind.get("kind") or not _are_texts(kind, {"kind", "spec.type"}):
            raise ValueError('kinds such as "Component" or {kind = "Resource", "spec.type" = "database"}')
    found = tuple(AllowedKind(kind["kind"], kind.get("spec.type", "")) for kind in kinds)
    if "locations" not in item:
        return Rule(found)
    places = tables(item["locations"], known={"type", "exact", "pattern"})
    for place in places:
        if not _are_texts(place, {"type", "exact", "pattern"}) or not place.get("type"):
            raise ValueError('locations such as {type = "url", pattern = "https://github.com/organisation/**"}')
        if "exact" in place and "pattern" in place:
            raise ValueError("in each location of a rule either exact or pattern, not both")
    if not places:
        raise ValueError("at least one of a rule's locations, or none of the key")
    return Rule(found, tuple(RuleLocation(**place) for place in places))


def _are_texts(item: Mapping[str, Any], known: set[str]) -> bool:
    return item.keys() <= known and all(isinstance(part, str) for part in item.values())


def _shown_location(place: RuleLocation) -> dict[str, str]:
    parts = {"type": place.type, "exact": place.exact, "pattern": place.pattern}
    return {name: part for name, part in parts.items() if part}
