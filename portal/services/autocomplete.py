"""Tells what there is at a git host to fill a form with, as its API tells the person who fills it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urljoin

from portal.errors import InputError, NotFoundError, ServiceUnavailableError
from portal.model.integration import Integration, Integrations
from portal.model.secret import Secret

if TYPE_CHECKING:
    import httpx

_TOKEN = re.compile(r"[\x21-\x7e]+")
_PER_PAGE = 100
_MOST_PAGES = 50
_UNAUTHORIZED, _FORBIDDEN, _NOT_FOUND = 401, 403, 404


@dataclass(frozen=True, slots=True)
class _Page:
    """What an API answers at once: `next` is the url of the following page, empty for the last."""

    items: list[Mapping[str, Any]]
    next: str


@dataclass(frozen=True, slots=True)
class _Api:
    """The API of one host, asked with the person's own token."""

    client: httpx.Client
    root: str
    host: str

    def one(self, path: str) -> Mapping[str, Any]:
        """Return what is at a path."""
        found: Mapping[str, Any] = self._get(f"{self.root}{path}").json()
        return found

    def all(self, path: str, **query: str) -> Iterator[Mapping[str, Any]]:
        """Yield the items of all pages at a path."""
        first = self.client.build_request("GET", f"{self.root}{path}", params=query).url
        url = str(first)
        for _ in range(_MOST_PAGES):
            page = _page(self._get(url))
            yield from page.items
            if not page.next:
                return
            url = urljoin(url, page.next)
            # The token goes to the host that it is for alone.
            if not url.startswith(f"{self.root}/"):
                raise ServiceUnavailableError(f"{self.host} names a page elsewhere")

    def _get(self, url: str) -> httpx.Response:
        import httpx  # noqa: PLC0415  # who fills no such form need not import it

        try:
            response = self.client.get(url)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise ServiceUnavailableError(f"{self.host} does not answer: {type(error).__name__}") from error
        if response.status_code in {_UNAUTHORIZED, _FORBIDDEN}:
            raise InputError(f"{self.host} refuses the token with {response.status_code}")
        if response.status_code == _NOT_FOUND:
            raise NotFoundError(f"{self.host} knows nothing there, or does not show it to the holder of the token")
        if not response.is_success:
            raise ServiceUnavailableError(f"{self.host} answers {response.status_code}")
        return response


def _page(response: httpx.Response) -> _Page:
    try:
        found = response.json()
        if isinstance(found, dict):  # Bitbucket's pages are objects
            return _Page(list(found["values"]), str(found.get("next") or ""))
        return _Page(list(found), str(response.links.get("next", {}).get("url", "")))
    except (KeyError, TypeError, ValueError) as error:
        raise ServiceUnavailableError(f"{response.url.host} answers something else than a list") from error


Context = Mapping[str, str]
Results = list[dict[str, str]]


def _part(context: Context, name: str) -> str:
    """Return a member of the context as a segment of a path."""
    if not context.get(name):
        raise InputError(f"Missing {name} context parameter")
    return quote(context[name], safe="")


def _github_owners(api: _Api, _context: Context) -> Results:
    names = [str(item["login"]) for item in api.all("/user/orgs", per_page=str(_PER_PAGE))]
    return [{"id": name} for name in dict.fromkeys((*names, str(api.one("/user")["login"])))]


def _github_repositories(api: _Api, _context: Context) -> Results:
    return [{"id": str(item["full_name"])} for item in api.all("/user/repos", per_page=str(_PER_PAGE))]


def _github_branches(api: _Api, context: Context) -> Results:
    path = f"/repos/{_part(context, 'owner')}/{_part(context, 'repository')}/branches"
    return [{"id": str(item["name"])} for item in api.all(path, per_page=str(_PER_PAGE))]


def _gitlab_groups(api: _Api, _context: Context) -> Results:
    found = [
        {"id": str(item["id"]), "title": str(item["full_path"])} for item in api.all("/groups", per_page=str(_PER_PAGE))
    ]
    user = api.one("/user")
    return [*found, {"id": str(user["id"]), "title": str(user["username"])}]


def _gitlab_repositories(api: _Api, context: Context) -> Results:
    wanted = _part(context, "id")
    kind = "users" if str(api.one("/user")["id"]) == context["id"] else "groups"
    projects = api.all(f"/{kind}/{wanted}/projects", per_page=str(_PER_PAGE))
    return [{"id": str(item["id"]), "title": str(item["name"]).strip()} for item in projects]


def _bitbucket_workspaces(api: _Api, _context: Context) -> Results:
    return [{"id": str(item["slug"])} for item in api.all("/workspaces", pagelen=str(_PER_PAGE))]


def _bitbucket_projects(api: _Api, context: Context) -> Results:
    path = f"/workspaces/{_part(context, 'workspace')}/projects"
    return [{"id": str(item["key"])} for item in api.all(path, pagelen=str(_PER_PAGE))]


def _bitbucket_repositories(api: _Api, context: Context) -> Results:
    workspace, _ = _part(context, "workspace"), _part(context, "project")
    project = context["project"].replace("\\", "\\\\").replace('"', '\\"')
    items = api.all(f"/repositories/{workspace}", pagelen=str(_PER_PAGE), q=f'project.key="{project}"')
    return [{"id": str(item["slug"])} for item in items]


def _bitbucket_branches(api: _Api, context: Context) -> Results:
    path = f"/repositories/{_part(context, 'workspace')}/{_part(context, 'repository')}/refs/branches"
    return [{"id": str(item["name"])} for item in api.all(path, pagelen=str(_PER_PAGE))]


#: What can be asked for, by provider. Rule: scaffolder-backend-module-github 0.10, -gitlab 0.12, -bitbucket-cloud.
RESOURCES: Mapping[str, Mapping[str, Callable[[_Api, Context], Results]]] = MappingProxyType(
    {
        "github": {
            "owners": _github_owners,
            "repositoriesWithOwner": _github_repositories,
            "branches": _github_branches,
        },
        "gitlab": {"groups": _gitlab_groups, "repositories": _gitlab_repositories},
        "bitbucketCloud": {
            "workspaces": _bitbucket_workspaces,
            "projects": _bitbucket_projects,
            "repositories": _bitbucket_repositories,
            "branches": _bitbucket_branches,
        },
    }
)
_PUBLIC: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "github": ("github.com", "https://api.github.com"),
        "gitlab": ("gitlab.com", "https://gitlab.com/api/v4"),
        "bitbucketCloud": ("bitbucket.org", "https://api.bitbucket.org/2.0"),
    }
)
_PATHS: Mapping[str, str] = MappingProxyType({"github": "/api/v3", "gitlab": "/api/v4", "bitbucketCloud": "/2.0"})


class Autocomplete:
    """Asks the hosts that settings name, and the public ones, no others."""

    def __init__(self, integrations: Integrations, *, timeout_seconds: float = 20.0) -> None:
        self._integrations = integrations
        self._timeout_seconds = timeout_seconds

    def complete(self, provider: str, resource: str, *, token: Secret, context: Context) -> Results:
        """Return what a host has: `id`, and `title` where people know it by another name.

        Raises `InputError` for a provider, resource or host that is not known, for a missing part of the context or a
        token that the host refuses; `NotFoundError`, or `ServiceUnavailableError` where the host does not answer.
        """
        import httpx  # noqa: PLC0415  # as above

        resources = RESOURCES.get(provider)
        if resources is None:
            raise InputError(f"Unsupported provider: {provider}")
        if resource not in resources:
            raise InputError(f"Invalid resource: {resource}")
        if not _TOKEN.fullmatch(token.reveal()):
            raise InputError("The token is none: expected printable ASCII characters without spaces")
        public, root = _PUBLIC[provider]
        host = context.get("host") or public
        if host != public:
            root = f"{_base(self._found(provider, host))}{_PATHS[provider]}"
        headers = {"authorization": f"Bearer {token.reveal()}", "user-agent": "portal", "accept": "application/json"}
        with httpx.Client(
            headers=headers, trust_env=False, follow_redirects=False, timeout=self._timeout_seconds
        ) as client:
            try:
                return resources[resource](_Api(client, root, host), context)
            except (KeyError, TypeError, ValueError) as error:
                raise ServiceUnavailableError(f"{host} answers something else than {resource}") from error

    def _found(self, provider: str, host: str) -> Integration:
        for item in self._integrations:
            if item.host == host and item.type == provider:
                return item
        raise InputError(f"No integration of the type {provider} for the host {host}")


def _base(integration: Integration) -> str:
    return integration.base_url.rstrip("/") or f"https://{integration.host}"
