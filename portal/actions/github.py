"""Names repositories at GitHub, opens its API for a step."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from urllib.parse import quote

from portal.actions.contract import ActionContext
from portal.actions.host_client import HostClient, api_root, find_host, segment
from portal.actions.hosted_repository import Place
from portal.errors import InputError
from portal.model.integration import Integrations
from portal.model.repository_access import RepositoryRight
from portal.model.secret import Secret
from portal.scaffolder.filters import parse_repo_url

#: What GitHub makes no other name of: it changes what else a name has, without a word.
_NAME = re.compile(r"[A-Za-z0-9._-]{1,100}", re.ASCII)
_HEADERS: Mapping[str, str] = MappingProxyType(
    {"accept": "application/vnd.github+json", "x-github-api-version": "2022-11-28"}
)
#: What GitHub calls the rights that it calls otherwise elsewhere.
PERMISSIONS: Mapping[RepositoryRight, str] = MappingProxyType(
    {
        RepositoryRight.READ: "pull",
        RepositoryRight.TRIAGE: "triage",
        RepositoryRight.WRITE: "push",
        RepositoryRight.MAINTAIN: "maintain",
        RepositoryRight.ADMIN: "admin",
    }
)


def api_path(place: Place) -> str:
    """Return the path of a repository in the API."""
    return f"/repos/{segment(place.owner)}/{segment(place.name)}"


def contents_of(place: Place, branch: str) -> str:
    """Return the url of what is on a branch, for `catalog:register`."""
    return f"{place.url}/blob/{quote(branch)}"


def place_of(repo_url: str, integrations: Integrations) -> Place:
    """Return what a repository picker's text names, such as `github.com?owner=team&repo=sensors`.

    Raises `InputError` for a host that settings do not name as GitHub, and for names that GitHub would change.
    """
    parts = parse_repo_url(repo_url, integrations={item.host: item.type for item in integrations})
    host = find_host(integrations, parts["host"], kind="github")
    for part in ("owner", "repo"):
        if not _NAME.fullmatch(parts[part]) or parts[part] in {".", ".."}:
            raise InputError(
                f'found {part} "{parts[part]}" in "{repo_url}"; expected letters, digits, "-", "_", ".", at most 100'
            )
    return Place(host, parts["owner"], parts["repo"].removesuffix(".git"))


def open_api(context: ActionContext, place: Place, token: Secret) -> HostClient:
    """Return the API of a place's host, for one step."""
    return HostClient(
        place.host.host,
        api_root(place.host),
        token=token,
        cancelled=context.cancelled,
        log=context.log,
        headers=_HEADERS,
    )


def account_name(ref: str) -> str:
    """Return the name of an account, of which a reference or `organisation/team` may be given.

    Rule: scaffolder-backend-module-github 0.10 `entityRefToName`.
    """
    return re.sub(r"^.*[:/]", "", ref)
