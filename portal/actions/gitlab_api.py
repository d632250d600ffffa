"""Speaks with GitLab's API about projects, in such a way that what is asked for twice is done once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from portal.actions.contract import ActionContext
from portal.actions.host_client import HostClient, HostFaultError, api_root, reason_of, segment
from portal.actions.hosted_repository import account_of
from portal.errors import ActionError, InputError
from portal.model.integration import Integration
from portal.model.repository_access import Grant, RepositoryRight
from portal.model.secret import Secret

_BAD_REQUEST, _NOT_FOUND, _CONFLICT = 400, 404, 409
OWNER = 50
#: Rule: "Valid access levels" of GitLab's "Members API". Guests do not see private code, so that reporters read.
_LEVELS: Mapping[RepositoryRight, int] = MappingProxyType(
    {
        RepositoryRight.READ: 20,
        RepositoryRight.TRIAGE: 20,
        RepositoryRight.WRITE: 30,
        RepositoryRight.MAINTAIN: 40,
        RepositoryRight.ADMIN: OWNER,
    }
)


@dataclass(frozen=True, slots=True)
class Member:
    """A group or user of GitLab, by its number there, with an access level."""

    id: int
    name: str
    level: int
    is_group: bool


def gitlab_client(context: ActionContext, host: Integration, token: Secret) -> HostClient:
    """Return the API of a GitLab for one step, asked with a token of whatever kind."""
    return HostClient(
        host.host,
        api_root(host),
        token=token,
        cancelled=context.cancelled,
        log=context.log,
    )


class GitLab:
    """A GitLab, as one step of a task uses it."""

    def __init__(self, client: HostClient, context: ActionContext) -> None:
        self._client = client
        self._log = context.log

    def namespace_id(self, path: str) -> int:
        """Return the id of a group or user. Raises `InputError` where the token sees none of that name."""
        answer = self._client.get(f"/namespaces/{segment(path)}", expected={_NOT_FOUND})
        if answer.status == _NOT_FOUND:
            raise InputError(f"The namespace {path} is not found or the user doesn't have permissions to access it")
        return int(answer.body["id"])

    def user_id(self) -> int:
        """Return the id of whom the token belongs to."""
        return int(self._client.get("/user").body["id"])

    def user_ids(self, usernames: Sequence[str]) -> Mapping[str, int]:
        """Return the ids of those users that there are."""
        found = {name: self._client.get("/users", query={"username": name}).body for name in dict.fromkeys(usernames)}
        return {name: int(users[0]["id"]) for name, users in found.items() if users}

    def project(self, path: str) -> Mapping[str, Any] | None:
        """Return a project by its path or id, None where the token sees none."""
        answer = self._client.get(f"/projects/{segment(path)}", expected={_NOT_FOUND})
        return None if answer.status == _NOT_FOUND else answer.body

    def project_at(self, path: str) -> Mapping[str, Any] | None:
        """Return the project of a path, None where that is free: GitLab leads on from former paths."""
        found = self.project(path)
        return found if found and found["path_with_namespace"].lower() == path.lower() else None

    def make(self, path: str, wanted: Mapping[str, Any], *, mark: str) -> None:
        """Make an empty project, whose description is the mark until it is finished.

        Raises `HostFaultError` where GitLab refuses, or somebody else is faster.
        """
        # Where the first answer is lost, the second one tells that the name is taken: the mark tells by whom.
        answer = self._client.ask(
            "POST", "/projects", body={**wanted, "description": mark}, expected={_BAD_REQUEST}, is_repeatable=True
        )
        if answer.status == _BAD_REQUEST and (self.project_at(path) or {}).get("description") != mark:
            raise HostFaultError(f"{path} cannot be made: {reason_of(answer)}. Nothing was changed", answer.status)

    def edit_project(self, project_id: int, wanted: Mapping[str, Any]) -> None:
        """Change some members of a project."""
        self._client.ask("PUT", f"/projects/{project_id}", body=wanted)

    def has_branch(self, project: str, name: str) -> bool:
        """Return whether a project has a branch."""
        path = f"/projects/{segment(project)}/repository/branches/{segment(name)}"
        return self._client.get(path, expected={_NOT_FOUND}).status != _NOT_FOUND

    def ensure_branch(self, project: str, name: str, *, ref: str) -> None:
        """Make a branch where there is none."""
        if self.has_branch(project, name):
            return
        self._client.ask("POST", f"/projects/{segment(project)}/repository/branches", body={"branch": name, "ref": ref})
        self._log(f"Branch {name} created with ref {ref}")

    def protect_branch(self, project_id: int, name: str) -> None:
        """Protect a branch; GitLab protects the default one by itself, as its settings say."""
        self._client.ask(
            "POST",
            f"/projects/{project_id}/protected_branches",
            body={"name": name},
            expected={_CONFLICT},
            is_repeatable=True,
        )
        self._log(f"Branch {name} protected")

    def set_variable(self, project_id: int, variable: Mapping[str, Any]) -> None:
        """Give a variable of a project's pipelines its value, in its `environment_scope`."""
        path = f"/projects/{project_id}/variables"
        one = f"{path}/{segment(variable['key'])}"
        known = {name: value for name, value in variable.items() if name not in {"key", "masked_and_hidden"}}
        scope = {"filter[environment_scope]": variable["environment_scope"]}
        if self._client.get(one, query=scope, expected={_NOT_FOUND}).status == _NOT_FOUND:
            self._client.ask("POST", path, body=variable)
        else:
            self._client.ask("PUT", one, query=scope, body=known)

    def members_of(self, namespace: str, grants: Sequence[Grant]) -> list[Member]:
        """Return who gets which access level in a project below a namespace, by GitLab's own numbers.

        The log tells of those who have no account, or the project anyway. Raises `ActionError` for a group or user that
        GitLab does not know: before anything is made.
        """
        users = self.user_ids([account_of(grant, "gitlab") for grant in grants if _is_user(grant)])
        found = []
        for grant in grants:
            name = account_of(grant, "gitlab")
            is_group = grant.ref.kind == "group"
            if not name:
                self._log(f"{grant.ref} has no account at GitLab that the catalog knows, and is not added itself")
            elif is_group and f"{namespace}/".lower().startswith(f"{name}/".lower()):
                self._log(f"The members of {name} have access anyway: the project is theirs")
            else:
                number = self._group_id(name) if is_group else users.get(name)
                if number is None:
                    raise ActionError(
                        f"GitLab has no {grant.ref.kind} {name}, or the token may not see it; it was to get access, as "
                        f"{grant.ref}. Nothing was made"
                    )
                found.append(Member(number, name, _LEVELS[grant.right], is_group=is_group))
        return found

    def _group_id(self, path: str) -> int | None:
        answer = self._client.get(f"/groups/{segment(path)}", query={"with_projects": "false"}, expected={_NOT_FOUND})
        return None if answer.status == _NOT_FOUND else int(answer.body["id"])

    def give_access(self, project_id: int, members: Sequence[Member]) -> None:
        """Give access, one after the other."""
        for member in members:
            if member.is_group:
                self._client.ask(
                    "POST",
                    f"/projects/{project_id}/share",
                    body={"group_id": member.id, "group_access": member.level},
                    expected={_CONFLICT},  # shared already
                    is_repeatable=True,
                )
            else:
                self.add_member(project_id, member.id, member.level)
            self._log(f"{member.name} gets access level {member.level}")

    def add_member(self, project_id: int, user_id: int, level: int) -> None:
        """Give a user an access level in a project; one who has more, perhaps by a group, keeps that."""
        path = f"/projects/{project_id}/members"
        answer = self._client.ask(
            "POST",
            path,
            body={"user_id": user_id, "access_level": level},
            expected={_BAD_REQUEST, _CONFLICT},
            is_repeatable=True,
        )
        if answer.status == _CONFLICT:
            if int(self._client.get(f"{path}/{user_id}").body["access_level"]) < level:
                self._client.ask("PUT", f"{path}/{user_id}", body={"access_level": level})
        elif answer.status == _BAD_REQUEST and "inherited membership" not in reason_of(answer):
            raise HostFaultError(f"A member cannot be added to the project: {reason_of(answer)}", answer.status)

    def merge_request(self, project: str, *, source: str, target: str, commit: str) -> Mapping[str, Any] | None:
        """Return the merge request of two branches that is open, or that has a commit as its last; None without."""
        query = {"source_branch": source, "target_branch": target, "state": "all"}
        found = self._client.pages(f"/projects/{segment(project)}/merge_requests", **query)
        return next((item for item in found if item["state"] == "opened" or (commit and item["sha"] == commit)), None)

    def make_merge_request(self, project: str, wanted: Mapping[str, Any]) -> Mapping[str, Any]:
        """Make a merge request and return it; the one that is open where GitLab has made it and not answered."""
        path = f"/projects/{segment(project)}/merge_requests"
        answer = self._client.ask("POST", path, body=wanted, expected={_CONFLICT}, is_repeatable=True)
        if answer.status != _CONFLICT:
            made: Mapping[str, Any] = answer.body
            return made
        branches = {"source": wanted["source_branch"], "target": wanted["target_branch"]}
        earlier = self.merge_request(project, **branches, commit="")
        if earlier is None:
            raise HostFaultError(f"No merge request can be made: {reason_of(answer)}", answer.status)
        return earlier

    def merge_when_checked(self, project: str, number: int) -> None:
        """Have GitLab merge a merge request when its checks pass; older ones know the second name of that alone."""
        path = f"/projects/{segment(project)}/merge_requests/{number}/merge"
        self._client.ask("PUT", path, body={"auto_merge": True, "merge_when_pipeline_succeeds": True})

    def merge_request_of(self, project: str, number: int) -> Mapping[str, Any]:
        """Return a merge request by its number."""
        found: Mapping[str, Any] = self._client.get(f"/projects/{segment(project)}/merge_requests/{number}").body
        return found

    def edit_merge_request(self, project: str, number: int, wanted: Mapping[str, Any]) -> None:
        """Change some members of a merge request."""
        self._client.ask("PUT", f"/projects/{segment(project)}/merge_requests/{number}", body=wanted)

    def approvers(self, project: str, number: int) -> list[int]:
        """Return the ids of those who may approve a merge request by its rules, owners of code among them."""
        rules = self._client.get(f"/projects/{segment(project)}/merge_requests/{number}/approval_rules").body
        return list(dict.fromkeys(int(user["id"]) for rule in rules for user in rule.get("eligible_approvers") or ()))


def _is_user(grant: Grant) -> bool:
    return grant.ref.kind != "group" and bool(account_of(grant, "gitlab"))
