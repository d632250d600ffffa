"""Tells what there is at a git host to fill a form with, as its API tells the person who fills it."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from types import MappingProxyType

from portal.actions.host_client import HostClient, HostFaultError, Patience, segment, web_root
from portal.errors import InputError, NotFoundError, PortalError, ServiceUnavailableError
from portal.model.integration import Integration, Integrations
from portal.model.secret import Secret

_PER_PAGE = 100
_UNAUTHORIZED, _FORBIDDEN, _NOT_FOUND, _TOO_MANY = 401, 403, 404, 429
#: Somebody waits in front of a form.
_PATIENCE = Patience(answer=20.0, longest=5.0, first=0.5, attempts=2)

Context = Mapping[str, str]
Results = list[dict[str, str]]


def _part(context: Context, name: str) -> str:
    """Return a member of the context as a segment of a path."""
    if not context.get(name):
        raise InputError(f"Missing {name} context parameter")
    return segment(context[name])


def _github_owners(api: HostClient, _context: Context) -> Results:
    names = [str(item["login"]) for item in api.pages("/user/orgs", per_page=str(_PER_PAGE))]
    return [{"id": name} for name in dict.fromkeys((*names, str(api.get("/user").body["login"])))]


def _github_repositories(api: HostClient, _context: Context) -> Results:
    return [{"id": str(item["full_name"])} for item in api.pages("/user/repos", per_page=str(_PER_PAGE))]


def _github_branches(api: HostClient, context: Context) -> Results:
    path = f"/repos/{_part(context, 'owner')}/{_part(context, 'repository')}/branches"
    return [{"id": str(item["name"])} for item in api.pages(path, per_page=str(_PER_PAGE))]


def _gitlab_groups(api: HostClient, _context: Context) -> Results:
    groups = api.pages("/groups", per_page=str(_PER_PAGE))
    found = [{"id": str(item["id"]), "title": str(item["full_path"])} for item in groups]
    user = api.get("/user").body
    return [*found, {"id": str(user["id"]), "title": str(user["username"])}]


def _gitlab_repositories(api: HostClient, context: Context) -> Results:
    wanted = _part(context, "id")
    kind = "users" if str(api.get("/user").body["id"]) == context["id"] else "groups"
    projects = api.pages(f"/{kind}/{wanted}/projects", per_page=str(_PER_PAGE))
    return [{"id": str(item["id"]), "title": str(item["name"]).strip()} for item in projects]


def _bitbucket_workspaces(api: HostClient, _context: Context) -> Results:
    return [{"id": str(item["slug"])} for item in api.pages("/workspaces", pagelen=str(_PER_PAGE))]


def _bitbucket_projects(api: HostClient, context: Context) -> Results:
    path = f"/workspaces/{_part(context, 'workspace')}/projects"
    return [{"id": str(item["key"])} for item in api.pages(path, pagelen=str(_PER_PAGE))]


def _bitbucket_repositories(api: HostClient, context: Context) -> Results:
    workspace, _ = _part(context, "workspace"), _part(context, "project")
    project = context["project"].replace("\\", "\\\\").replace('"', '\\"')
    items = api.pages(f"/repositories/{workspace}", pagelen=str(_PER_PAGE), q=f'project.key="{project}"')
    return [{"id": str(item["slug"])} for item in items]


def _bitbucket_branches(api: HostClient, context: Context) -> Results:
    path = f"/repositories/{_part(context, 'workspace')}/{_part(context, 'repository')}/refs/branches"
    return [{"id": str(item["name"])} for item in api.pages(path, pagelen=str(_PER_PAGE))]


#: What can be asked for, by provider. Rule: scaffolder-backend-module-github 0.10, -gitlab 0.12, -bitbucket-cloud.
RESOURCES: Mapping[str, Mapping[str, Callable[[HostClient, Context], Results]]] = MappingProxyType(
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

    def __init__(self, integrations: Integrations, *, patience: Patience = _PATIENCE) -> None:
        self._integrations = integrations
        self._patience = patience

    def complete(self, provider: str, resource: str, *, token: Secret, context: Context) -> Results:
        """Return what a host has: `id`, and `title` where people know it by another name.

        Raises `InputError` for a provider, resource or host that is not known, for a missing part of the context or a
        token that the host refuses; `NotFoundError`, or `ServiceUnavailableError` where the host does not answer.
        """
        resources = RESOURCES.get(provider)
        if resources is None:
            raise InputError(f"Unsupported provider: {provider}")
        if resource not in resources:
            raise InputError(f"Invalid resource: {resource}")
        public, root = _PUBLIC[provider]
        host = context.get("host") or public
        if host != public:
            root = f"{web_root(self._found(provider, host))}{_PATHS[provider]}"
        try:
            with HostClient(
                host, root, token=token, cancelled=_wait, log=lambda _message: None, patience=self._patience
            ) as api:
                return resources[resource](api, context)
        except HostFaultError as fault:
            raise _told(fault, host) from fault
        except (KeyError, TypeError, ValueError) as error:
            raise ServiceUnavailableError(f"{host} answers something else than {resource}") from error

    def _found(self, provider: str, host: str) -> Integration:
        for item in self._integrations:
            if item.host == host and item.type == provider:
                return item
        raise InputError(f"No integration of the type {provider} for the host {host}")


def _wait(seconds: float) -> bool:
    time.sleep(seconds)
    return False


def _told(fault: HostFaultError, host: str) -> PortalError:
    """Return what the fault of a host means to whoever fills a form."""
    if fault.status in {_UNAUTHORIZED, _FORBIDDEN}:
        return InputError(f"{host} refuses the token with {fault.status}")
    if fault.status == _NOT_FOUND:
        return NotFoundError(f"{host} knows nothing there, or does not show it to the holder of the token")
    if fault.status == _TOO_MANY:
        return ServiceUnavailableError(f"{host} limits how often it is asked; try again in a minute")
    return ServiceUnavailableError(fault.message)
