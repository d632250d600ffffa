"""The addresses of pages."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import cache, lru_cache
from typing import Any
from urllib.parse import urlencode

from flask import Blueprint, request, url_for

from portal.model.ref import PEOPLE, EntityRef
from portal.web.assets import asset_name
from portal.web.language import gettext

#: Flask takes 20 µs to put an address together; each that is kept takes some 300 bytes.
_ADDRESSES_KEPT = 8_192
#: What stands in a query string as it is. Rule: Werkzeug's `_urlencode`.
_PLAIN = "!$'()*,/:;?@"
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
        }


def asset_url(name: str) -> str:
    """Return the address of a style sheet or script, as `style.css`."""
    return _address(request.script_root, "web.asset", asset_name(name))


def entity_url(ref: str) -> str:
    """Return the address of an entity's page."""
    return _address_of(request.script_root, "web.entity", str(ref))


def history_url(ref: EntityRef, before: int | None = None) -> str:
    """Return the address of an entity's history, of what is older than a place in it where one is given."""
    return url_for("web.entity_history", namespace=ref.namespace, kind=ref.kind, name=ref.name, before=before)


def owner_url(ref: str) -> str:
    """Return the address of what a group or person answers for; of anything else its own page."""
    if EntityRef(ref).kind not in PEOPLE:
        return entity_url(ref)
    return _address_of(request.script_root, "web.owner", str(ref))


@lru_cache(maxsize=_ADDRESSES_KEPT)
def _address_of(_root: str, endpoint: str, ref: str) -> str:
    """Return the address of a page of an entity, where all are below `_root`: pages have hundreds of them."""
    found = EntityRef(ref)
    return url_for(endpoint, kind=found.kind, namespace=found.namespace, name=found.name)


@cache
def _address(_root: str, endpoint: str, name: str | None = None) -> str:
    """Return the address of one of few pages, where all are below `_root`."""
    return url_for(endpoint, name=name)


def query_url(endpoint: str, query: Mapping[str, str | int | Sequence[str]]) -> str:
    """Return the address of one of few pages with a query string, as `url_for` puts it together in more time."""
    told = urlencode(query, doseq=True, safe=_PLAIN)
    return _address(request.script_root, endpoint) + (f"?{told}" if told else "")


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
        url = _address(request.script_root, endpoint)
        found.append((url, name, request.path == url or (url != "/" and request.path.startswith(f"{url}/"))))
    return found
