"""Asks a running Portal what its catalog holds."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import httpx

from portal.errors import ServiceUnavailableError, SourceError
from portal.model.ref import EntityRef

_AT_ONCE = 500
_SECONDS = 30.0
_OK = 200


class ServedCatalog:
    """The catalog of a running Portal, or of any server that speaks the catalog's API.

    The token goes into one header of requests to that server alone; redirects are not followed.
    """

    def __init__(self, url: str, *, token: str | None = None) -> None:
        headers = {"authorization": f"Bearer {token}"} if token else {}
        self._client = httpx.Client(base_url=f"{url.rstrip('/')}/api/catalog", headers=headers, timeout=_SECONDS)
        self._url = url

    def of_kinds(self, kinds: Collection[str]) -> list[Mapping[str, Any]]:
        """Return all entities of some kinds. Raises `PortalError` where the server does not tell."""
        found: list[Mapping[str, Any]] = []
        parameters: dict[str, Any] = {"filter": ",".join(f"kind={kind}" for kind in sorted(kinds)), "limit": _AT_ONCE}
        while True:
            answer = self._asked("GET", "/entities/by-query", params=parameters)
            found += answer["items"]
            cursor = answer["pageInfo"].get("nextCursor")
            if cursor is None:
                return found
            parameters = {"cursor": cursor, "limit": _AT_ONCE}

    def by_refs(self, refs: Collection[EntityRef]) -> dict[EntityRef, Mapping[str, Any]]:
        """Return those of the entities that are there. Raises `PortalError` where the server does not tell."""
        wanted = sorted(refs)
        found: dict[EntityRef, Mapping[str, Any]] = {}
        for start in range(0, len(wanted), _AT_ONCE):
            some = wanted[start : start + _AT_ONCE]
            items = self._asked("POST", "/entities/by-refs", json={"entityRefs": some})["items"]
            found |= {ref: item for ref, item in zip(some, items, strict=True) if item is not None}
        return found

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def _asked(self, method: str, path: str, **arguments: Any) -> dict[str, Any]:
        try:
            response = self._client.request(method, path, **arguments)
        except httpx.HTTPError as error:
            raise ServiceUnavailableError(f"{self._url} does not answer: {type(error).__name__}") from error
        if response.status_code != _OK:
            raise SourceError(f"{self._url} answers {response.status_code} to {method} {path}", self._url)
        try:
            value = response.json()
        except ValueError as error:
            raise SourceError(f"{self._url} does not answer as a catalog does", self._url) from error
        if not isinstance(value, dict) or "items" not in value:
            raise SourceError(f"{self._url} does not answer as a catalog does", self._url)
        return value
