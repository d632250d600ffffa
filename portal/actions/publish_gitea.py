"""Publishes the workspace as a new repository at Gitea or Forgejo.

Rules: scaffolder-backend-module-gitea 0.2 `publish:gitea`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from portal.actions.contract import ActionContext, Example
from portal.actions.gitea_api import Gitea, gitea_client
from portal.actions.host_client import token_for
from portal.actions.hosted_repository import Place, add_codeowners, claim, grants_of, place_of
from portal.actions.pushing import author_of, checked_branch, push_patiently, source_folder
from portal.actions.repository_mark import RepositoryMarks
from portal.actions.schema import ActionSchema, Texts, Value
from portal.model.integration import Integrations
from portal.model.repository_access import Grant
from portal.model.secret import Secret
from portal.vcs.policy import RemotePolicy

_DRY_COMMIT = "0" * 40


class PublishGiteaInput(ActionSchema):
    """The input of publish:gitea; topics, token, protection of the branch are Portal's own."""

    repo_url = Value(str, key="repoUrl", required=True, description="Such as gitea.com?owner=organisation&repo=name.")
    description = Value(str, required=True, description="What the repository is for.")
    default_branch = Value(str, key="defaultBranch", default="main", description="Branch to push.")
    repo_visibility = Value(
        str, key="repoVisibility", default="public", choices=("private", "public"), description="Who sees it."
    )
    git_commit_message = Value(
        str, key="gitCommitMessage", default="initial commit", description="Subject of the commit."
    )
    git_author_name = Value(str, key="gitAuthorName", description="Who the commit is by.")
    git_author_email = Value(str, key="gitAuthorEmail", description="Their mail address.")
    source_path = Value(str, key="sourcePath", default="", description="Folder of the workspace to publish.")
    token = Value(str, description="Token to use in place of the one of the settings, from a secret.")
    topics = Texts(default=(), description="Topics of the repository.")
    protect_default_branch = Value(
        bool, key="protectDefaultBranch", default=False, description="Changes come by pull requests alone."
    )
    required_approving_review_count = Value(
        int, key="requiredApprovingReviewCount", default=1, description="Approvals that a pull request then needs."
    )
    require_code_owner_reviews = Value(
        bool,
        key="requireCodeOwnerReviews",
        default=False,
        description="A pull request then waits for those who were asked to review it, as owners of code are.",
    )
    dismiss_stale_reviews = Value(
        bool, key="dismissStaleReviews", default=False, description="New commits then make approvals void."
    )
    required_status_check_contexts = Texts(
        key="requiredStatusCheckContexts", default=(), description="Checks that a pull request then has to pass."
    )


class PublishGiteaOutput(ActionSchema):
    """The output of publish:gitea."""

    remote_url = Value(str, key="remoteUrl", description="Url of the repository.")
    repo_contents_url = Value(str, key="repoContentsUrl", description="What catalog:register takes.")
    commit_hash = Value(str, key="commitHash", description="The commit, 40 hex characters.")


class PublishGitea:
    """Publishes at Gitea."""

    id = "publish:gitea"
    description = (
        "Makes a repository at Gitea or Forgejo, pushes the workspace as its first commit, gives the owner that was "
        "asked for access to it."
    )
    input_schema = PublishGiteaInput
    output_schema = PublishGiteaOutput
    examples: Sequence[Example] = (
        Example(
            "Publish to an organisation.",
            {
                "id": "publish",
                "action": "publish:gitea",
                "input": {
                    "repoUrl": "${{ parameters.repoUrl }}",
                    "description": "${{ parameters.description }}",
                    "repoVisibility": "private",
                },
            },
        ),
        Example(
            "Have changes reviewed by the owner's group.",
            {
                "id": "publish",
                "action": "publish:gitea",
                "input": {
                    "repoUrl": "codeberg.org?owner=science&repo=sensors",
                    "description": "Readings of all sensors.",
                    "topics": ["dataset"],
                    "protectDefaultBranch": True,
                    "requireCodeOwnerReviews": True,
                },
            },
        ),
    )
    supports_dry_run = True

    def __init__(
        self,
        integrations: Integrations,
        *,
        policy: RemotePolicy,
        marks: RepositoryMarks,
    ) -> None:
        self._integrations = integrations
        self._policy = policy
        self._marks = marks

    def run(self, context: ActionContext) -> None:
        """Publish. Run again for the same task, it goes on with the repository it has made, and touches no other."""
        given = context.input
        place = place_of(given["repo_url"], self._integrations, kind="gitea")
        branch = checked_branch(given["default_branch"], action_id=self.id)
        source_folder(context, given["source_path"], action_id=self.id)
        grants = grants_of(context)
        add_codeowners(context, place, given["source_path"], grants=grants)
        if context.is_dry_run:
            context.log(f"Would make {place.url} and push the workspace to its branch {branch}")
            commit = _DRY_COMMIT
        else:
            token = token_for(place.host, given["token"])
            with gitea_client(context, place.host, token) as client:
                commit = self._publish(context, place, Gitea(client, context, place), token=token, grants=grants)
        context.output("remoteUrl", place.remote)
        context.output("repoContentsUrl", f"{place.url}/src/branch/{quote(branch)}/")
        context.output("commitHash", commit)

    def _publish(
        self, context: ActionContext, place: Place, gitea: Gitea, *, token: Secret, grants: Sequence[Grant]
    ) -> str:
        given = context.input
        branch = given["default_branch"]

        def push(*, is_made: bool) -> str:
            context.log(f"Pushing to {place.remote}, branch {branch}")
            return push_patiently(
                context,
                source_folder(context, given["source_path"], action_id=self.id),
                place.remote,
                policy=self._policy,
                branch=branch,
                message=_message(context, place),
                author=author_of(given["git_author_name"], given["git_author_email"]),
                token=token,
                is_made=is_made,
            )

        found = gitea.repository()
        access = gitea.access_of(grants)
        mark = self._marks.mark(context.task_id, str(place))
        wanted = {"private": given["repo_visibility"] == "private", "default_branch": branch}
        commit = claim(
            context,
            place,
            mark=mark,
            description=None if found is None else found["description"],
            make=lambda: gitea.make(wanted, mark=mark),
            push=push,
        )
        gitea.give_access(access)
        if given["topics"]:
            gitea.set_topics(given["topics"])
        commit = commit or push(is_made=True)
        context.log(f"Pushed {commit}")
        if given["protect_default_branch"]:
            gitea.protect(branch, _rule(given))
        # Last: with its mark a repository is known to be unfinished.
        gitea.edit({"description": given["description"], "default_branch": branch})
        return commit


def _message(context: ActionContext, place: Place) -> str:
    """Return the text of the commit, with a change's number as Gerrit reads it: the same when it is made again."""
    number = hashlib.sha1(f"{context.task_id} {place}".encode(), usedforsecurity=False).hexdigest()
    return f"{context.input['git_commit_message']}\n\nChange-Id: I{number}"


def _rule(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return how a branch is protected, by the names of Gitea's API."""
    checks = list(given["required_status_check_contexts"])
    return {
        "enable_push": False,
        "required_approvals": given["required_approving_review_count"],
        "block_on_official_review_requests": given["require_code_owner_reviews"],
        "dismiss_stale_approvals": given["dismiss_stale_reviews"],
        "enable_status_check": bool(checks),
        "status_check_contexts": checks,
    }
