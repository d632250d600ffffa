"""Proposes what the workspace holds as a pull request at Gitea or Forgejo.

Backstage has no such action; inputs and outputs are those of its `publish:github:pull-request`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from portal.actions.contract import ActionContext, Example
from portal.actions.gitea_api import Gitea, gitea_client
from portal.actions.github_pull_request import PullRequestInput, PullRequestOutput, account_names
from portal.actions.host_client import HostFaultError, token_for
from portal.actions.hosted_repository import Place, place_of
from portal.actions.pushing import author_of, checked_branch
from portal.actions.schema import Value
from portal.errors import ActionError, InputError, NotFoundError
from portal.model.integration import Integrations
from portal.model.secret import Secret
from portal.vcs.branch import Changes, Pushed, push_changes
from portal.vcs.policy import RemotePolicy

_DRY_NUMBER = 43
#: By its title Gitea knows a draft.
_DRAFT = "WIP: "


class GiteaPullRequestInput(PullRequestInput):
    """The input of publish:gitea:pull-request."""

    repo_url = Value(str, key="repoUrl", required=True, description="Such as gitea.com?owner=organisation&repo=name.")


class GiteaPullRequest:
    """Opens pull requests."""

    id = "publish:gitea:pull-request"
    description = "Pushes the workspace to a branch of its own of a repository at Gitea, and opens a pull request."
    input_schema = GiteaPullRequestInput
    output_schema = PullRequestOutput
    examples: Sequence[Example] = (
        Example(
            "Propose a new dataset to a repository of its owners.",
            {
                "id": "propose",
                "action": "publish:gitea:pull-request",
                "input": {
                    "repoUrl": "codeberg.org?owner=science&repo=datasets",
                    "branchName": "add-${{ parameters.name }}",
                    "title": "Add ${{ parameters.name }}",
                    "description": "Asked for by ${{ user.ref }}.",
                    "sourcePath": "rendered",
                    "targetPath": "datasets/${{ parameters.name }}",
                    "teamReviewers": ["data"],
                },
            },
        ),
    )
    supports_dry_run = True

    def __init__(self, integrations: Integrations, *, policy: RemotePolicy) -> None:
        self._integrations = integrations
        self._policy = policy

    def run(self, context: ActionContext) -> None:
        """Propose. Run again for the same task, it finds the branch and the pull request that it has made."""
        given = context.input
        place = place_of(given["repo_url"], self._integrations, kind="gitea")
        branch = checked_branch(given["branch_name"], action_id=self.id)
        target = given["target_branch_name"] and checked_branch(given["target_branch_name"], action_id=self.id)
        if not context.workspace.resolve(given["source_path"]).is_dir():
            raise ActionError(f'{self.id}: the workspace has no folder "{given["source_path"]}"')
        if context.is_dry_run:
            context.log(f"Would push to the branch {branch} of {place.path} and open a pull request")
            _tell(context, target or branch, f"{place.url}/pulls/{_DRY_NUMBER}", _DRY_NUMBER)
            return
        token = token_for(place.host, given["token"])
        with gitea_client(context, place.host, token) as client:
            gitea = Gitea(client, context, place)
            found = gitea.repository()
            if found is None:
                raise NotFoundError(f"{place.url} is not there, or the token may not see it")
            target = target or found["default_branch"]
            if target == branch:
                raise InputError(
                    f'found branchName "{branch}", which is the branch to merge into; expected another one'
                )
            pushed = self._push(context, place, target=target, token=token)
            if not pushed.changes and not given["create_when_empty"]:
                context.log(f"Nothing differs from the branch {target}: there is nothing to propose")
                return
            made = gitea.pull_request(source=branch, target=target, commit=pushed.commit)
            made = made or gitea.make_pull_request(_wanted(given, target=target))
            context.log(f"The pull request is {made['html_url']}")
            _invite(context, gitea, int(made["number"]))
        _tell(context, target, str(made["html_url"]), int(made["number"]))

    def _push(self, context: ActionContext, place: Place, *, target: str, token: Secret) -> Pushed:
        given = context.input
        return push_changes(
            Changes(
                context.workspace.resolve(given["source_path"]), given["target_path"], given["files_to_delete"] or ()
            ),
            place.remote,
            policy=self._policy,
            base=target,
            branch=given["branch_name"],
            message=given["commit_message"] or given["title"],
            author=author_of(given["git_author_name"], given["git_author_email"]),
            task_id=context.task_id,
            token=token.reveal(),
            update=given["update"],
            may_be_empty=given["create_when_empty"],
        )


def _wanted(given: Mapping[str, Any], *, target: str) -> dict[str, Any]:
    """Return what a pull request is to be, by the names of Gitea's API."""
    return {
        "head": given["branch_name"],
        "base": target,
        "title": f"{_DRAFT if given['draft'] else ''}{given['title']}",
        "body": given["description"],
        "assignees": account_names(given["assignees"]),
    }


def _invite(context: ActionContext, gitea: Gitea, number: int) -> None:
    """Ask for reviews; the log tells where Gitea does not take those who are to review."""
    given = context.input
    try:
        gitea.ask_reviewers(
            number, reviewers=account_names(given["reviewers"]), teams=account_names(given["team_reviewers"])
        )
    except HostFaultError as error:
        context.log(f"Reviews are not asked for: {error.message}")


def _tell(context: ActionContext, target: str, url: str, number: int) -> None:
    context.output("targetBranchName", target)
    context.output("remoteUrl", url)
    context.output("pullRequestNumber", number)
