"""Names the repository that an action publishes to at a git host, with those who get access to it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from portal.actions.contract import ActionContext
from portal.actions.host_client import find_host, web_root
from portal.errors import ActionError, ConflictError, InputError
from portal.model.integration import Integration, Integrations
from portal.model.repository_access import Grant, RepositoryRight
from portal.scaffolder.filters import parse_repo_url

_NAME = re.compile(r"(?!.*\.(?:git|atom|wiki)$)[A-Za-z0-9_][A-Za-z0-9_.-]*", re.ASCII)
_ACCOUNT = re.compile(r"[A-Za-z0-9_.-]+(/[A-Za-z0-9_.-]+)*", re.ASCII)
#: Where hosts look for the owners of code, the usual place first.
_CODEOWNERS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "github": (".github/CODEOWNERS", "CODEOWNERS", "docs/CODEOWNERS"),
        "gitlab": ("CODEOWNERS", "docs/CODEOWNERS", ".gitlab/CODEOWNERS"),
        "gitea": ("CODEOWNERS", "docs/CODEOWNERS", ".gitea/CODEOWNERS"),
    }
)
#: What stands for all files; Gitea's patterns are regular expressions.
_ALL_FILES: Mapping[str, str] = MappingProxyType({"github": "*", "gitlab": "*", "gitea": ".*"})
#: Where an account of a group may be a team of the organisation that the repository is in.
_WITH_TEAMS = frozenset({"github", "gitea"})


@dataclass(frozen=True, slots=True)
class Place:
    """Where a repository is or will be: at a host, below an owner, which at GitLab may be a group in a group.

    `title` is how people call it, where that is not the name in its url.
    """

    host: Integration
    owner: str
    name: str
    title: str = ""

    @property
    def path(self) -> str:
        """Owner and name."""
        return f"{self.owner}/{self.name}"

    @property
    def url(self) -> str:
        """The url at which the host shows the repository."""
        return f"{web_root(self.host)}/{self.path}"

    @property
    def remote(self) -> str:
        """The repository's git url."""
        return f"{self.url}.git"

    def __str__(self) -> str:
        return f"{self.host.host}/{self.path}"


def place_of(repo_url: str, integrations: Integrations, *, kind: str, name: str | None = None) -> Place:
    """Return what a repository picker's text names at a host of a type; `name` takes the place of the one in it.

    Raises `InputError` for another type of host, and for names that no repository can have.
    """
    found = parse_repo_url(repo_url, integrations={item.host: item.type for item in integrations})
    host = find_host(integrations, found["host"], kind=kind)
    owner, repository = found.get("owner", ""), name or found.get("repo", "")
    if not owner:
        raise InputError(f"No owner provided for host: {host.host}, and repo {repository}")
    owners = owner.split("/") if kind == "gitlab" else [owner]
    for part in (*owners, repository):
        if not _NAME.fullmatch(part):
            raise InputError(
                f'found "{part}" in "{repo_url}"; expected a name of letters, digits, "-", "_", "." that begins with '
                'neither "-" nor "." and does not end in ".git"'
            )
    return Place(host, owner, repository, title=found.get("repo") or repository)


def grants_of(context: ActionContext) -> Sequence[Grant]:
    """Return what the owner that was asked for, and the stewards, get in a repository; empty without such an owner."""
    return context.catalog.repository_access(context.owner, None) if context.owner else ()


def add_codeowners(context: ActionContext, place: Place, folder: str, *, grants: Sequence[Grant]) -> bool:
    """Write a CODEOWNERS file into a folder of the workspace, unless the template has one; return if there is one.

    It names the owner, or where that has no account at the type of host those with accounts who may write. Without
    anybody there is no file.
    """
    kind = place.host.type
    prefix = f"{folder.rstrip('/')}/" if folder else ""
    if any(context.workspace.resolve(f"{prefix}{path}").exists() for path in _CODEOWNERS[kind]):
        return True
    known = {
        grant.ref: name
        for grant in grants
        if grant.right.rank >= RepositoryRight.WRITE.rank and (name := _code_owner(grant, place))
    }
    named = [known[ref] for ref in known if ref == context.owner] or list(known.values())
    if named:
        names = " ".join(dict.fromkeys(named))
        context.workspace.put(f"{prefix}{_CODEOWNERS[kind][0]}", f"{_ALL_FILES[kind]} {names}\n".encode())
        context.log(f"Wrote {_CODEOWNERS[kind][0]}: {names}")
    return bool(named)


def _code_owner(grant: Grant, place: Place) -> str:
    """Return how CODEOWNERS names a group or user; empty for one without a name that fits into a line."""
    account = account_of(grant, place.host.type)
    if not _ACCOUNT.fullmatch(account):
        return ""
    is_short_team = place.host.type in _WITH_TEAMS and grant.ref.kind == "group" and "/" not in account
    return f"@{place.owner}/{account}" if is_short_team else f"@{account}"


def account_of(grant: Grant, kind: str) -> str:
    """Return the name that a group or user has at a type of host, empty where the catalog knows none."""
    return grant.accounts.get(kind, "").removeprefix("@").strip("/")


def claim(
    context: ActionContext,
    place: Place,
    *,
    mark: str,
    description: str | None,
    make: Callable[[], None],
    push: Callable[..., str],
) -> str:
    """Make a repository unless this task has; return the commit of one that it has pushed to and finished, else "".

    `description` is that of the repository which is there, None without one: until it is finished, it is the `mark`.
    Raises `ActionError` for one that is not this task's, before anything is changed.
    """
    if description is None:
        make()
        context.log(f"Made {place.url}")
    elif description == mark:
        context.log(f"Going on with {place.url}, which this task has made before")
    else:
        try:
            return push(is_made=False)
        except ConflictError as error:
            raise not_ours(place) from error
    return ""


def not_ours(place: Place) -> ActionError:
    """Return the fault that somebody else has made a repository."""
    return ActionError(
        f"{place.url} is there already, and this task has not made it; nothing was changed. Choose another name"
    )
