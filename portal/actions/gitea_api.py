"""Speaks with Gitea's API (Forgejo's too) about repositories, so that what is asked for twice is done once."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from portal.actions.contract import ActionContext
from portal.actions.host_client import HostClient, HostFaultError, api_root, reason_of, segment
from portal.actions.hosted_repository import Place, account_of
from portal.errors import ActionError, InputError
from portal.model.integration import Integration
from portal.model.repository_access import Grant, RepositoryRight
from portal.model.secret import Secret

_NOT_FOUND, _CONFLICT, _INVALID = 404, 409, 422
#: Rule: `AddCollaboratorOption` of Gitea's API. Nobody gets more than they are due: maintainers do not administer.
_PERMISSIONS: Mapping[RepositoryRight, str] = MappingProxyType(
    {
        RepositoryRight.READ: "read",
        RepositoryRight.TRIAGE: "read",
        RepositoryRight.WRITE: "write",
        RepositoryRight.MAINTAIN: "write",
        RepositoryRight.ADMIN: "admin",
    }
)
#: What a team may have at most, whose permission is the same in all its repositories: `maintain` is between two.
_MOST: Mapping[RepositoryRight, str] = MappingProxyType({**_PERMISSIONS, RepositoryRight.MAINTAIN: "admin"})
#: What a team of an organisation may do in its repositories, the least first.
_RANKS = ("none", "read", "write", "admin", "owner")


@dataclass(frozen=True, slots=True)
class Access:
    """What a team of the repository's organisation, or a user, gets; a team has the permission that it has."""

    name: str
    permission: str
    is_team: bool


def gitea_client(context: ActionContext, host: Integration, token: Secret) -> HostClient:
    """Return the API of a Gitea for one step.

    A token that settings have with a user's name may be that user's password, which Backstage's settings have.
    """
    is_login = bool(host.username) and token == host.token
    login = base64.b64encode(f"{host.username}:{token.reveal()}".encode()).decode()
    return HostClient(
        host.host,
        api_root(host),
        token=Secret(login) if is_login else token,
        scheme="Basic" if is_login else "token",
        cancelled=context.cancelled,
        log=context.log,
    )


class Gitea:
    """A repository at a Gitea, as one step of a task uses it; it need not be there yet."""

    def __init__(self, client: HostClient, context: ActionContext, place: Place) -> None:
        self._client = client
        self._log = context.log
        self._asked_owner = context.owner
        self._place = place
        self._path = f"/repos/{segment(place.owner)}/{segment(place.name)}"

    def repository(self) -> Mapping[str, Any] | None:
        """Return the repository, None where the token sees none."""
        answer = self._client.get(self._path, expected={_NOT_FOUND})
        # Gitea leads from the old name of a repository to the new one, and lets the old one be taken.
        is_it = answer.status != _NOT_FOUND and answer.body["full_name"].lower() == self._place.path.lower()
        return answer.body if is_it else None

    def make(self, wanted: Mapping[str, Any], *, mark: str) -> None:
        """Make an empty repository, whose description is the mark until it is finished.

        Raises `InputError` where the owner is neither an organisation nor whom the token belongs to, `HostFaultError`
        where Gitea refuses, or somebody else is faster.
        """
        owner = self._place.owner
        path = f"/orgs/{segment(owner)}/repos"
        if not self._is_organisation():
            if str(self._client.get("/user").body["login"]).lower() != owner.lower():
                raise InputError(f"Organization {owner} do not exist. Please create it first !")
            path = "/user/repos"
        body = {**wanted, "name": self._place.name, "description": mark, "auto_init": False}
        # Where the first answer is lost, the second one tells that the name is taken: the mark tells by whom.
        answer = self._client.ask("POST", path, body=body, expected={_CONFLICT}, is_repeatable=True)
        if answer.status == _CONFLICT and (self.repository() or {}).get("description") != mark:
            raise HostFaultError(
                f"{self._place.url} cannot be made: {reason_of(answer)}. Nothing was changed", answer.status
            )

    def edit(self, wanted: Mapping[str, Any]) -> None:
        """Change some members of the repository."""
        self._client.ask("PATCH", self._path, body=wanted, is_repeatable=True)

    def set_topics(self, topics: Sequence[str]) -> None:
        """Give the repository its topics, in lower case as Gitea wants them."""
        self._client.ask("PUT", f"{self._path}/topics", body={"topics": [topic.lower() for topic in topics]})

    def protect(self, branch: str, rule: Mapping[str, Any]) -> None:
        """Protect a branch, by the names of Gitea's API."""
        path = f"{self._path}/branch_protections"
        one = f"{path}/{segment(branch)}"
        if self._client.get(one, expected={_NOT_FOUND}).status == _NOT_FOUND:
            # Older ones know the branch's name alone.
            self._client.ask("POST", path, body={"rule_name": branch, "branch_name": branch, **rule})
        else:
            self._client.ask("PATCH", one, body=rule, is_repeatable=True)
        self._log(f"Branch {branch} protected")

    def access_of(self, grants: Sequence[Grant]) -> list[Access]:
        """Return who gets which access to the repository.

        The log tells of those who have no account, and of teams that Gitea cannot add. Raises `ActionError` for a team
        or user that Gitea does not know, and where the owner's team may do more than it is due: before anything is
        made.
        """
        teams: Mapping[str, Mapping[str, Any]] | None = None
        found: list[Access] = []
        for grant in grants:
            account = account_of(grant, "gitea")
            organisation, slash, name = account.rpartition("/")
            if not account:
                self._log(f"{grant.ref} has no account at Gitea that the catalog knows, and is not added itself")
            elif grant.ref.kind != "group":
                if self._client.get(f"/users/{segment(account)}", expected={_NOT_FOUND}).status == _NOT_FOUND:
                    raise _missing(grant, f"user {account}")
                if account.lower() != self._place.owner.lower():  # who has all rights
                    found.append(Access(account, _PERMISSIONS[grant.right], is_team=False))
            elif slash and organisation.lower() != self._place.owner.lower():
                self._log(f"{grant.ref} is a team of {organisation}: Gitea adds teams of {self._place.owner} alone")
            else:
                teams = self._teams() if teams is None else teams
                if name.lower() not in teams:
                    raise _missing(grant, f"team {name} in the organisation {self._place.owner}")
                found += self._team_access(grant, teams[name.lower()])
        # One who is named twice gets the most.
        return sorted(found, key=lambda one: _rank(one.permission))

    def _team_access(self, grant: Grant, team: Mapping[str, Any]) -> list[Access]:
        """Return the access of a team, which is the same in all its repositories; nothing where it is more than due."""
        due, most, has = _PERMISSIONS[grant.right], _MOST[grant.right], team.get("permission") or "none"
        if has == "none":  # each of its units has its own
            has = (team.get("units_map") or {}).get("repo.code", "none")
        name = team["name"]
        if team.get("includes_all_repositories") or has == "owner":
            self._log(f"The team {name} has access anyway: to all repositories of {self._place.owner}")
            return []
        if _rank(has) > _rank(most):
            fault = f"The team {name} has {has} access to its repositories, more than {grant.ref} is due ({due})"
            if grant.ref == self._asked_owner:
                raise ActionError(f"{fault}; name another one in its annotation. Nothing was made")
            self._log(f"{fault}: it is not added")
            return []
        if _rank(has) < _rank(due):
            self._log(f"The team {name} has {has} access to its repositories, less than {grant.ref} is due ({due})")
        return [Access(name, has, is_team=True)]

    def give_access(self, wanted: Sequence[Access]) -> None:
        """Give access, one after the other."""
        for one in wanted:
            if one.is_team:
                path = f"{self._path}/teams/{segment(one.name)}"
                if self._client.get(path, expected={_NOT_FOUND}).status == _NOT_FOUND:
                    # A second try is told that the team is there.
                    self._client.ask("PUT", path, expected={_INVALID})
            else:
                self._client.ask(
                    "PUT", f"{self._path}/collaborators/{segment(one.name)}", body={"permission": one.permission}
                )
            self._log(f"{one.name} gets {one.permission} access")

    def pull_request(self, *, source: str, target: str, commit: str) -> Mapping[str, Any] | None:
        """Return the pull request of two branches that is open, or has a commit as its last; None without."""
        path = f"{self._path}/pulls/{segment(target)}/{segment(source)}"
        answer = self._client.get(path, expected={_NOT_FOUND})
        if answer.status == _NOT_FOUND or (answer.body["state"] != "open" and answer.body["head"]["sha"] != commit):
            return None
        found: Mapping[str, Any] = answer.body
        return found

    def make_pull_request(self, wanted: Mapping[str, Any]) -> Mapping[str, Any]:
        """Make a pull request and return it; the one that is open where Gitea has made it and not answered."""
        path = f"{self._path}/pulls"
        answer = self._client.ask("POST", path, body=wanted, expected={_CONFLICT}, is_repeatable=True)
        if answer.status != _CONFLICT:
            made: Mapping[str, Any] = answer.body
            return made
        for earlier in self._client.pages(path, state="open", sort="recentupdate", limit="50"):
            if (earlier["head"]["ref"], earlier["base"]["ref"]) == (wanted["head"], wanted["base"]):
                found: Mapping[str, Any] = earlier
                return found
        raise HostFaultError(f"No pull request can be made: {reason_of(answer)}", answer.status)

    def ask_reviewers(self, number: int, *, reviewers: Sequence[str], teams: Sequence[str]) -> None:
        """Ask users, and teams of the organisation, to review a pull request."""
        wanted = {name: list(names) for name, names in (("reviewers", reviewers), ("team_reviewers", teams)) if names}
        if wanted:
            path = f"{self._path}/pulls/{number}/requested_reviewers"
            self._client.ask("POST", path, body=wanted, is_repeatable=True)

    def _is_organisation(self) -> bool:
        path = f"/orgs/{segment(self._place.owner)}"
        return self._client.get(path, expected={_NOT_FOUND}).status != _NOT_FOUND

    def _teams(self) -> dict[str, Mapping[str, Any]]:
        """Return the teams of the owner by name; a user has none."""
        if not self._is_organisation():
            return {}
        return {team["name"].lower(): team for team in self._client.pages(f"/orgs/{segment(self._place.owner)}/teams")}


def _rank(permission: str) -> int:
    return _RANKS.index(permission) if permission in _RANKS else 0


def _missing(grant: Grant, what: str) -> ActionError:
    return ActionError(
        f"Gitea has no {what}, or the token may not see it; it was to get access, as {grant.ref}. Nothing was made"
    )
