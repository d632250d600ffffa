"""Proposes the workspace's files to a repository at GitHub as a pull request.

Rules: scaffolder-backend-module-github 0.10 `publish:github:pull-request`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from portal.actions.contract import ActionContext, Example
from portal.actions.github import account_name, api_path, open_api, place_of
from portal.actions.host_client import HostClient, HostFaultError, token_for
from portal.actions.hosted_repository import Place
from portal.actions.pushing import author_of, checked_branch
from portal.actions.schema import ActionSchema, Texts, Value
from portal.errors import ActionError, InputError
from portal.model.integration import Integrations
from portal.vcs.branch import Changes, push_changes
from portal.vcs.policy import RemotePolicy

_MOST_ASSIGNEES = 10
_INVALID = 422
#: What stands for the number in a dry run. Rule: scaffolder-backend-module-github 0.10.
_DRY_NUMBER = 43


class PullRequestInput(ActionSchema):
    """The input of publish:github:pull-request."""

    repo_url = Value(str, key="repoUrl", required=True, description="The repository: github.com?owner=team&repo=name.")
    branch_name = Value(str, key="branchName", required=True, description="Branch to push, which is not there yet.")
    title = Value(str, required=True, description="Title of the pull request.")
    description = Value(str, required=True, description="What it is for.")
    target_branch_name = Value(
        str, key="targetBranchName", description="Branch to merge into; without it the default one."
    )
    draft = Value(bool, default=False, description="Make a draft.")
    source_path = Value(str, key="sourcePath", default="", description="Folder of the workspace to take files from.")
    target_path = Value(str, key="targetPath", default="", description="Folder of the repository to put them in.")
    files_to_delete = Texts(key="filesToDelete", description="Paths of the repository to delete.")
    commit_message = Value(str, key="commitMessage", description="Message of the commit; without it the title.")
    update = Value(bool, default=False, description="Add a commit where the branch is there already.")
    create_when_empty = Value(
        bool, key="createWhenEmpty", default=True, description="Make a pull request even where nothing differs."
    )
    reviewers = Texts(description="Users who are asked to review.")
    team_reviewers = Texts(key="teamReviewers", description="Teams that are asked to review.")
    assignees = Texts(description="Users it is assigned to, ten at most.")
    git_author_name = Value(str, key="gitAuthorName", description="Name of the commit's author.")
    git_author_email = Value(str, key="gitAuthorEmail", description="Address of the commit's author.")
    token = Value(str, description="Token to publish with, from a secret; without it that of the settings.")


class PullRequestOutput(ActionSchema):
    """The output of publish:github:pull-request."""

    target_branch_name = Value(str, key="targetBranchName", description="Branch that it is to be merged into.")
    remote_url = Value(str, key="remoteUrl", description="Url of the pull request.")
    pull_request_number = Value(int, key="pullRequestNumber", description="Its number.")


class GitHubPullRequest:
    """Pushes a branch to a GitHub that settings name, and asks for it to be merged."""

    id = "publish:github:pull-request"
    description = "Pushes the workspace's files to a new branch of a repository at GitHub, and makes a pull request."
    input_schema = PullRequestInput
    output_schema = PullRequestOutput
    examples: Sequence[Example] = (
        Example(
            "Propose a change of another repository.",
            {
                "id": "propose",
                "action": "publish:github:pull-request",
                "input": {
                    "repoUrl": "github.com?owner=acme&repo=infrastructure",
                    "branchName": "add-${{ parameters.name }}",
                    "title": "Add ${{ parameters.name }}",
                    "description": "Asked for by ${{ user.ref }}.",
                    "targetPath": "projects/${{ parameters.name }}",
                    "teamReviewers": ["cloud-security"],
                },
            },
        ),
    )
    supports_dry_run = True

    def __init__(self, integrations: Integrations, *, policy: RemotePolicy) -> None:
        self._integrations = integrations
        self._policy = policy

    def run(self, context: ActionContext) -> None:
        """Push and ask. A second run for the same task finds what the first one has left, and goes on from there."""
        given = context.input
        place = place_of(given["repo_url"], self._integrations)
        branch = checked_branch(given["branch_name"], action_id=self.id)
        if len(given["assignees"] or ()) > _MOST_ASSIGNEES:
            raise InputError(f"assignees: found {len(given['assignees'])}; expected {_MOST_ASSIGNEES} at most")
        source = context.workspace.resolve(given["source_path"])
        if not source.is_dir():
            raise ActionError(f'{self.id}: "{given["source_path"]}" is no folder of the workspace')
        target = given["target_branch_name"]
        if target is not None:
            target = checked_branch(target, action_id=self.id)
        author = author_of(given["git_author_name"], given["git_author_email"])
        if context.is_dry_run:
            told = f" and ask for it to be merged into {target or 'the default branch'}"
            context.log(f"Would push the files of {given['source_path'] or 'the workspace'} to {place}, {branch}{told}")
            _put(context, target or branch, place.url, _DRY_NUMBER)
            return
        token = token_for(place.host, given["token"])
        with open_api(context, place, token) as api:
            target = target or str(api.get(api_path(place)).body["default_branch"])
            if target == branch:
                raise InputError(f'{self.id}: found the branch "{branch}" as target too; expected another one')
            found = push_changes(
                Changes(source, given["target_path"], given["files_to_delete"] or ()),
                place.remote,
                policy=self._policy,
                base=target,
                branch=branch,
                message=given["commit_message"] or given["title"],
                author=author,
                task_id=context.task_id,
                token=token.reveal(),
                update=given["update"],
                may_be_empty=given["create_when_empty"],
            )
            if not found.changes and not given["create_when_empty"]:
                context.log("Nothing differs from what the repository has: no pull request is made")
                return
            context.log(f"Pushed {found.commit} to the branch {branch}")
            made = _ask(api, place, branch, target, given)
            context.log(f"The pull request is {made['html_url']}")
            _invite(context, api, place, int(made["number"]))
        _put(context, str(made["base"]["ref"]), str(made["html_url"]), int(made["number"]))


def _put(context: ActionContext, target: str, url: str, number: int) -> None:
    context.output("targetBranchName", target)
    context.output("remoteUrl", url)
    context.output("pullRequestNumber", number)


def _open(api: HostClient, place: Place, branch: str, target: str) -> Mapping[str, Any] | None:
    """Return the open pull request of a branch, None where there is none."""
    query = {"state": "open", "head": f"{place.owner}:{branch}", "base": target}
    found = api.get(f"{api_path(place)}/pulls", query=query).body
    first: Mapping[str, Any] | None = found[0] if found else None
    return first


def _ask(api: HostClient, place: Place, branch: str, target: str, given: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the pull request of a branch, which is made where there is none: the branch is the task's."""
    earlier = _open(api, place, branch, target)
    if earlier is not None:
        return earlier
    body = {
        "title": given["title"],
        "body": given["description"],
        "head": branch,
        "base": target,
        "draft": given["draft"],
    }
    try:
        # Where the answer to a first try is lost, the second one is told that there is a pull request already.
        made: Mapping[str, Any] = api.ask("POST", f"{api_path(place)}/pulls", body=body, is_repeatable=True).body
    except HostFaultError as error:
        earlier = _open(api, place, branch, target) if error.status == _INVALID else None
        if earlier is None:
            raise
        return earlier
    return made


def _invite(context: ActionContext, api: HostClient, place: Place, number: int) -> None:
    """Ask for reviews and assign; the log tells of those who cannot be asked."""
    given = context.input
    asked: list[tuple[str, str, dict[str, list[str]]]] = []
    people, teams = (account_names(given[name]) for name in ("reviewers", "team_reviewers"))
    if people or teams:
        reviewers = {name: found for name, found in (("reviewers", people), ("team_reviewers", teams)) if found}
        asked.append(("reviewers", f"/pulls/{number}/requested_reviewers", reviewers))
    if given["assignees"]:
        asked.append(("assignees", f"/issues/{number}/assignees", {"assignees": account_names(given["assignees"])}))
    for what, path, body in asked:
        names = ", ".join(name for found in body.values() for name in found)
        try:
            api.ask("POST", f"{api_path(place)}{path}", body=body, is_repeatable=True)
        except HostFaultError as error:
            if error.status is None:
                raise
            context.log(f"The {what} {names} could not be added: {error.message}")
        else:
            context.log(f"Added the {what} {names}")


def account_names(refs: Sequence[str] | None) -> list[str]:
    """Return the names of accounts, of which references may be given, each once."""
    return list(dict.fromkeys(account_name(ref) for ref in refs or ()))
