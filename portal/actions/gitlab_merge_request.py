"""Proposes what the workspace holds as a merge request at GitLab.

Rules: scaffolder-backend-module-gitlab 0.12 `publish:gitlab:merge-request`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from portal.actions.contract import ActionContext, Example
from portal.actions.gitlab_api import GitLab, gitlab_client
from portal.actions.host_client import HostFaultError, find_host, token_for, web_root
from portal.actions.hosted_repository import Place
from portal.actions.pushing import author_of, checked_branch
from portal.actions.schema import ActionSchema, Texts, Value
from portal.errors import ActionError, InputError, NotFoundError
from portal.model.integration import Integrations
from portal.model.secret import Secret
from portal.scaffolder.filters import parse_repo_url
from portal.vcs.branch import Changes, push_changes
from portal.vcs.policy import RemotePolicy

_DRY_NUMBER = 43
#: GitLab works out in the background who may approve.
_PREPARING = ("preparing", "approvals_syncing", "checking", "unchecked")
_PREPARING_PAUSES_SECONDS = (1.0,) * 5 + (5.0,) * 11
_MODES = {"create": "create", "update": "update", "delete": "delete", "auto": "put"}


class MergeRequestInput(ActionSchema):
    """The input of publish:gitlab:merge-request."""

    repo_url = Value(
        str, key="repoUrl", required=True, description="Such as gitlab.com?owner=group&repo=name, or ?project=path."
    )
    title = Value(str, required=True, description="Title of the merge request, and text of its commit.")
    description = Value(str, default="", description="What it is for.")
    branch_name = Value(str, key="branchName", required=True, description="Branch to push.")
    target_branch_name = Value(
        str, key="targetBranchName", description="Branch to merge into; without it the project's default one."
    )
    source_path = Value(
        str, key="sourcePath", description="Folder of the workspace to take; without it that of targetPath, or all."
    )
    target_path = Value(str, key="targetPath", default="", description="Folder of the repository to put it in.")
    commit_action = Value(
        str,
        key="commitAction",
        default="auto",
        choices=("create", "update", "delete", "skip", "auto"),
        description="What is done with the files; auto: those that are there are changed, others are made.",
    )
    token = Value(str, description="Token to use in place of the one of the settings, from a secret.")
    projectid = Value(str, description="Accepted, without effect: the repoUrl names the project.")
    remove_source_branch = Value(
        bool, key="removeSourceBranch", default=False, description="Delete the branch when it is merged."
    )
    assignee = Value(str, description="User whom it is assigned to.")
    reviewers = Texts(default=(), description="Users who are to review it.")
    assign_reviewers_from_approval_rules = Value(
        bool,
        key="assignReviewersFromApprovalRules",
        default=False,
        description="Those who may approve by the project's rules review it, owners of code among them.",
    )
    labels = Value(str, list, description="Labels, as a list or separated by commas.")
    auto_merge = Value(bool, key="autoMerge", default=False, description="Merge when its checks pass.")


class MergeRequestOutput(ActionSchema):
    """The output of publish:gitlab:merge-request."""

    target_branch_name = Value(str, key="targetBranchName", description="Branch to merge into.")
    projectid = Value(str, description="The project, as the repoUrl names it.")
    project_path = Value(str, key="projectPath", description="The same.")
    merge_request_url = Value(str, key="mergeRequestUrl", description="Url of the merge request.")


class GitLabMergeRequest:
    """Opens merge requests."""

    id = "publish:gitlab:merge-request"
    description = "Pushes the workspace to a branch of its own of a project at GitLab, and opens a merge request."
    input_schema = MergeRequestInput
    output_schema = MergeRequestOutput
    examples: Sequence[Example] = (
        Example(
            "Propose a new dataset to a project of its owners.",
            {
                "id": "propose",
                "action": "publish:gitlab:merge-request",
                "input": {
                    "repoUrl": "gitlab.com?owner=science&repo=datasets",
                    "title": "Add ${{ parameters.name }}",
                    "branchName": "add-${{ parameters.name }}",
                    "sourcePath": "rendered",
                    "targetPath": "datasets/${{ parameters.name }}",
                    "removeSourceBranch": True,
                    "assignReviewersFromApprovalRules": True,
                },
            },
        ),
    )
    supports_dry_run = True

    def __init__(self, integrations: Integrations, *, policy: RemotePolicy) -> None:
        self._integrations = integrations
        self._policy = policy

    def run(self, context: ActionContext) -> None:
        """Propose. Run again for the same task, it finds the branch and the merge request that it has made."""
        given = context.input
        parts = parse_repo_url(given["repo_url"], integrations={item.host: item.type for item in self._integrations})
        host = find_host(self._integrations, parts["host"], kind="gitlab")
        project = parts.get("project") or f"{parts['owner']}/{parts['repo']}"
        branch = checked_branch(given["branch_name"], action_id=self.id)
        target = given["target_branch_name"] and checked_branch(given["target_branch_name"], action_id=self.id)
        folder = context.workspace.resolve(given["source_path"] or given["target_path"])
        if not folder.is_dir() and given["commit_action"] != "skip":
            raise ActionError(
                f'{self.id}: the workspace has no folder "{given["source_path"] or given["target_path"]}"'
            )
        if context.is_dry_run:
            context.log(f"Would push to the branch {branch} of {project} and open a merge request")
            url = f"{web_root(host)}/{project}/-/merge_requests/{_DRY_NUMBER}"
            _tell(context, project, target or branch, url)
            return
        token = token_for(host, given["token"])
        with gitlab_client(context, host, token) as client:
            gitlab = GitLab(client, context)
            found = gitlab.project(project)
            if found is None:
                raise NotFoundError(f"{host.host} has no project {project}, or the token may not see it")
            target = target or found.get("default_branch")
            if not target:
                raise InputError(f"{project} has no default branch; expected targetBranchName")
            if target == branch:
                raise InputError(
                    f'found branchName "{branch}", which is the branch to merge into; expected another one'
                )
            owner, _, name = found["path_with_namespace"].rpartition("/")
            self._propose(context, Place(host, owner, name), gitlab, project=project, target=target, token=token)

    def _propose(
        self, context: ActionContext, place: Place, gitlab: GitLab, *, project: str, target: str, token: Secret
    ) -> None:
        given = context.input
        branch = given["branch_name"]
        people = gitlab.user_ids([*([given["assignee"]] if given["assignee"] else []), *given["reviewers"]])
        for name in (given["assignee"], *given["reviewers"]):
            if name and name not in people:
                context.log(f"GitLab has no user {name}: the merge request goes without")
        commit = "" if given["commit_action"] == "skip" else self._push(context, place, target=target, token=token)
        if not commit:
            context.log(f"Using the branch {branch} without modification")
            gitlab.ensure_branch(place.path, branch, ref=target)
        found = gitlab.merge_request(place.path, source=branch, target=target, commit=commit)
        if found is None:
            found = gitlab.make_merge_request(place.path, _wanted(given, people, target=target))
        number, url = int(found["iid"]), str(found["web_url"])
        context.log(f"The merge request is {url}")
        if given["assign_reviewers_from_approval_rules"]:
            _assign_approvers(
                context,
                gitlab,
                place.path,
                number,
                known=[people[name] for name in given["reviewers"] if name in people],
            )
        if given["auto_merge"] and found["state"] == "opened":
            gitlab.merge_when_checked(place.path, number)
        _tell(context, project, target, url)

    def _push(self, context: ActionContext, place: Place, *, target: str, token: Secret) -> str:
        """Return the commit that was pushed, empty where there is nothing to change."""
        given = context.input
        source = given["source_path"] or given["target_path"]
        pushed = push_changes(
            Changes(context.workspace.resolve(source), given["target_path"], mode=_MODES[given["commit_action"]]),
            place.remote,
            policy=self._policy,
            base=target,
            branch=given["branch_name"],
            message=given["title"],
            author=author_of(None, None),
            task_id=context.task_id,
            token=token.reveal(),
            may_be_empty=False,
        )
        return pushed.commit if pushed.changes else ""


def _wanted(given: Mapping[str, Any], people: Mapping[str, int], *, target: str) -> dict[str, Any]:
    """Return what a merge request is to be, by the names of GitLab's API."""
    labels = given["labels"] if isinstance(given["labels"], str) else ",".join(map(str, given["labels"] or ()))
    reviewers = [people[name] for name in given["reviewers"] if name in people]
    return {
        "source_branch": given["branch_name"],
        "target_branch": target,
        "title": given["title"],
        "description": given["description"],
        "remove_source_branch": given["remove_source_branch"],
        **({"assignee_id": people[given["assignee"]]} if given["assignee"] in people else {}),
        **({"reviewer_ids": reviewers} if reviewers else {}),
        **({"labels": labels} if labels else {}),
    }


def _assign_approvers(
    context: ActionContext, gitlab: GitLab, project: str, number: int, *, known: Sequence[int]
) -> None:
    """Have those review a merge request who may approve it; the log tells where GitLab does not say who they are."""
    try:
        for pause in _PREPARING_PAUSES_SECONDS:
            status = gitlab.merge_request_of(project, number).get("detailed_merge_status")
            if status not in _PREPARING or context.cancelled(pause):
                break
        approvers = gitlab.approvers(project, number)
        if approvers:
            gitlab.edit_merge_request(project, number, {"reviewer_ids": list(dict.fromkeys([*known, *approvers]))})
    except HostFaultError as error:
        context.log(f"Reviewers are not assigned from approval rules: {error.message}")


def _tell(context: ActionContext, project: str, target: str, url: str) -> None:
    context.output("projectid", project)
    context.output("projectPath", project)
    context.output("targetBranchName", target)
    context.output("mergeRequestUrl", url)
