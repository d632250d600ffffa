"""The addresses of pages."""

from __future__ import annotations

import re
from typing import Any

from flask import Blueprint, request, url_for

from portal.model.ref import PEOPLE, EntityRef
from portal.web.assets import asset_name
from portal.web.language import gettext

_LINK_SCHEMES = frozenset({"http", "https", "mailto"})


def add_links(blueprint: Blueprint) -> None:
    """Give all templates the addresses they lead to."""

    @blueprint.app_context_processor
    def context() -> dict[str, Any]:
        return {
            "asset_url": asset_url,
            "entity_url": entity_url,
            "history_url": history_url,
            "navigation": _navigation(),
            "owner_url": owner_url,
            "here": request.full_path.rstrip("?"),
            "words": words,
        }


def asset_url(name: str) -> str:
    """Return the address of a style sheet or script, as `style.css`."""
    return url_for("web.asset", name=asset_name(name))


def entity_url(ref: str) -> str:
    """Return the address of an entity's page."""
    found = EntityRef(ref)
    return url_for("web.entity", namespace=found.namespace, kind=found.kind, name=found.name)


def history_url(ref: EntityRef, before: int | None = None) -> str:
    """Return the address of an entity's history, of what is older than a place in it where one is given."""
    return url_for("web.entity_history", namespace=ref.namespace, kind=ref.kind, name=ref.name, before=before)


def owner_url(ref: str) -> str:
    """Return the address of what a group or person answers for; of anything else its own page."""
    found = EntityRef(ref)
    if found.kind not in PEOPLE:
        return entity_url(ref)
    return url_for("web.owner", kind=found.kind, namespace=found.namespace, name=found.name)


def words(name: str) -> str:
    """Return a name in camel case as words: `dependsOn` is "depends on"."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", name).lower()


def is_safe(url: str) -> bool:
    """Return whether people may be led to a url that comes from a catalog file."""
    scheme, colon, _ = url.partition(":")
    return bool(colon) and scheme.lower() in _LINK_SCHEMES


def _navigation() -> list[tuple[str, str, bool]]:
    """Return address and name of each main page, and whether the request is for it or one below it."""
    ways = [
        ("web.home", gettext("Home")),
        ("web.catalog", gettext("Catalog")),
        ("web.owners", gettext("Owners")),
        ("web.graph", gettext("Graph")),
        ("web.layers", gettext("Layers")),
        ("web.problems", gettext("Problems")),
        ("web.create", gettext("Create")),
        ("web.register", gettext("Register")),
        ("web.tools", gettext("Tools")),
    ]
    found = []
    for endpoint, name in ways:
        url = url_for(endpoint)
        found.append((url, name, request.path == url or (url != "/" and request.path.startswith(f"{url}/"))))
    return found
