"""Publishes the workspace as a new repository at GitHub.

Rules: scaffolder-backend-module-github 0.10 `publish:github`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from portal.actions.contract import ActionContext, Example
from portal.actions.github import contents_of, open_api, place_of
from portal.actions.github_access import Access, check_teams, give_access, wanted_access
from portal.actions.github_repository import (
    description_of,
    finish,
    make,
    protect,
    set_token_claims,
    set_topics,
    set_variables,
    subscribe,
)
from portal.actions.github_secrets import set_secrets
from portal.actions.host_client import HostClient, token_for
from portal.actions.hosted_repository import Place, add_codeowners, claim, grants_of
from portal.actions.publish_github_input import PublishGitHubInput, PublishGitHubOutput
from portal.actions.pushing import author_of, checked_branch, push_patiently, source_folder
from portal.actions.repository_mark import RepositoryMarks
from portal.model.integration import Integrations
from portal.model.secret import Secret
from portal.vcs.policy import RemotePolicy
from portal.vcs.publish import Author

_NO_COMMIT = "0" * 40


class PublishGitHub:
    """Makes a repository at a GitHub that settings name, and pushes the workspace to it."""

    id = "publish:github"
    description = (
        "Makes a repository at GitHub, pushes the workspace as its first commit, gives the owner access and protects "
        "its branch."
    )
    input_schema = PublishGitHubInput
    output_schema = PublishGitHubOutput
    examples: Sequence[Example] = (
        Example(
            "Publish a private repository with the token that settings have for the host.",
            {
                "id": "publish",
                "action": "publish:github",
                "input": {
                    "repoUrl": "${{ parameters.repoUrl }}",
                    "description": "${{ parameters.description }}",
                    "topics": ["machine-learning"],
                },
            },
        ),
        Example(
            "Publish with the token of whoever runs the template, code owners reviewing what changes.",
            {
                "id": "publish",
                "action": "publish:github",
                "input": {
                    "repoUrl": "github.com?owner=acme&repo=${{ parameters.name }}",
                    "token": "${{ secrets.USER_OAUTH_TOKEN }}",
                    "repoVisibility": "internal",
                    "requireCodeOwnerReviews": True,
                    "requiredStatusCheckContexts": ["test"],
                    "collaborators": [{"team": "acme/mlops", "access": "maintain"}],
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
        """Make and push. A second run for the same task goes on with the repository that the first one made.

        Raises `ActionError` for a repository that is there and not this task's own, before anything is changed.
        """
        given = context.input
        place = place_of(given["repo_url"], self._integrations)
        branch = checked_branch(given["default_branch"], action_id=self.id)
        source = source_folder(context, given["source_path"], action_id=self.id)
        author = author_of(given["git_author_name"], given["git_author_email"])
        grants = grants_of(context)
        wanted = wanted_access(
            context, place, access=given["access"], collaborators=given["collaborators"] or (), grants=grants
        )
        if given["require_code_owner_reviews"] and not add_codeowners(
            context, place, given["source_path"], grants=grants
        ):
            context.log(
                "No account at GitHub is known for the owner, so there is no CODEOWNERS file: nobody has to review"
            )
        if context.is_dry_run:
            _tell(context, place, branch, wanted)
            commit = _NO_COMMIT
        else:
            commit = self._publish(context, place, source, branch=branch, author=author, wanted=wanted)
        context.output("remoteUrl", place.remote)
        context.output("repoContentsUrl", contents_of(place, branch))
        context.output("commitHash", commit)

    def _publish(
        self,
        context: ActionContext,
        place: Place,
        source: Path,
        *,
        branch: str,
        author: Author,
        wanted: Sequence[Access],
    ) -> str:
        given = context.input
        token = token_for(place.host, given["token"])

        def push(*, is_made: bool) -> str:
            context.log(f"Pushing to {place.remote}, branch {branch}")
            return push_patiently(
                context,
                source,
                place.remote,
                policy=self._policy,
                branch=branch,
                message=given["git_commit_message"],
                author=author,
                token=token,
                is_made=is_made,
            )

        with open_api(context, place, token) as api:
            commit = self._claim(context, api, place, wanted, push)
            # Before the push: it may start workflows, which need their secrets.
            give_access(context, api, place, wanted)
            _set_up(context, api, place)
            commit = commit or push(is_made=True)
            context.log(f"Pushed {commit}")
            if given["protect_default_branch"]:
                protect(
                    context,
                    api,
                    place,
                    branch=branch,
                    rules=_protection(given),
                    is_signed=given["required_commit_signing"],
                )
            # Last: with its mark a repository is known to be unfinished.
            finish(api, place, description=given["description"] or "", homepage=given["homepage"])
        return commit

    def _claim(
        self,
        context: ActionContext,
        api: HostClient,
        place: Place,
        wanted: Sequence[Access],
        push: Callable[..., str],
    ) -> str:
        """Make the repository, unless this task has; return the commit of one that is finished, else nothing."""

        def begin() -> None:
            check_teams(api, place, wanted)
            make(api, place, _settings(context.input), mark=mark)

        mark = self._marks.mark(context.task_id, str(place))
        return claim(context, place, mark=mark, description=description_of(api, place), make=begin, push=push)


def _tell(context: ActionContext, place: Place, branch: str, wanted: Sequence[Access]) -> None:
    given = context.input
    context.log(f"Would make {place} ({given['repo_visibility']}) and push the workspace to its branch {branch}")
    for one in wanted:
        context.log(f"Would give {one} {one.permission} access")
    if given["protect_default_branch"]:
        context.log(f"Would protect the branch {branch}")


def _set_up(context: ActionContext, api: HostClient, place: Place) -> None:
    given = context.input
    if given["topics"]:
        set_topics(api, place, given["topics"])
    set_variables(api, place, given["repo_variables"] or {})
    set_secrets(api, place, {name: Secret(str(text)) for name, text in (given["secrets"] or {}).items()})
    if given["oidc_customization"] is not None:
        set_token_claims(api, place, given["oidc_customization"])
    if given["subscribe"]:
        subscribe(api, place)


def _settings(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return how a new repository is made, by the names of GitHub's API; what is None there is left to GitHub."""
    settings = {
        "private": given["repo_visibility"] != "public",
        "visibility": given["repo_visibility"],
        "homepage": given["homepage"],
        "delete_branch_on_merge": given["delete_branch_on_merge"],
        "allow_merge_commit": given["allow_merge_commit"],
        "allow_squash_merge": given["allow_squash_merge"],
        "squash_merge_commit_title": given["squash_merge_commit_title"],
        "squash_merge_commit_message": given["squash_merge_commit_message"],
        "allow_rebase_merge": given["allow_rebase_merge"],
        "allow_auto_merge": given["allow_auto_merge"],
        "allow_update_branch": given["allow_update_branch"],
        "has_projects": given["has_projects"],
        "has_wiki": given["has_wiki"],
        "has_issues": given["has_issues"],
        "custom_properties": given["custom_properties"],
    }
    return {name: value for name, value in settings.items() if value is not None}


def _protection(given: Mapping[str, Any]) -> dict[str, Any]:
    reviews = {
        "required_approving_review_count": given["required_approving_review_count"],
        "require_code_owner_reviews": given["require_code_owner_reviews"],
        "dismiss_stale_reviews": given["dismiss_stale_reviews"],
        "require_last_push_approval": given["require_last_push_approval"],
    }
    if given["bypass_pull_request_allowances"] is not None:
        reviews["bypass_pull_request_allowances"] = given["bypass_pull_request_allowances"]
    restrictions = given["restrictions"]
    return {
        "required_status_checks": {
            "strict": given["require_branches_to_be_up_to_date"],
            "contexts": given["required_status_check_contexts"] or [],
        },
        "enforce_admins": given["protect_enforce_admins"],
        "required_pull_request_reviews": reviews,
        "restrictions": None if restrictions is None else {"users": [], "teams": [], **restrictions},
        "required_linear_history": given["required_linear_history"],
        "block_creations": given["block_creations"],
        "required_conversation_resolution": given["required_conversation_resolution"],
    }
