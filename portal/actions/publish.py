"""Publishes the workspace as a git repository."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from portal.actions.contract import ActionContext, Example, contents_url
from portal.actions.pushing import checked_branch, source_folder
from portal.actions.schema import ActionSchema, Value
from portal.errors import InputError
from portal.model.login import without_credentials
from portal.vcs.policy import RemotePolicy
from portal.vcs.publish import Author, create_bare, push

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*(/[A-Za-z0-9][A-Za-z0-9_.-]*)?", re.ASCII)


class PublishGitInput(ActionSchema):
    """The input of publish:git."""

    name = Value(str, required=True, description="Name of the repository, for example team-a/sensors.")
    remote = Value(str, description="Git url to push to; without it Portal keeps the repository itself.")
    default_branch = Value(str, key="defaultBranch", default="main", description="Branch to push.")
    description = Value(str, description="What the repository is for; becomes the commit's text.")
    commit_message = Value(str, key="commitMessage", default="initial commit", description="Subject of the commit.")
    source_path = Value(str, key="sourcePath", default="", description="Folder of the workspace to publish.")
    token = Value(str, description="Token for a remote that needs one, from a secret.")


class PublishGitOutput(ActionSchema):
    """The output of publish:git."""

    remote_url = Value(str, key="remoteUrl", description="Url of the repository.")
    repo_contents_url = Value(str, key="repoContentsUrl", description="What catalog:register takes.")
    commit_hash = Value(str, key="commitHash", description="The commit, 40 hex characters.")


class PublishGit:
    """Pushes the workspace to a git remote.

    `repositories` is the folder of the repositories that Portal keeps itself. `policy` says which remotes are allowed.
    """

    id = "publish:git"
    description = (
        "Pushes the workspace as the first commit of a git repository, which Portal makes where none is named."
    )
    input_schema = PublishGitInput
    output_schema = PublishGitOutput
    examples: Sequence[Example] = (
        Example(
            "Publish to a repository that Portal keeps.",
            {"id": "publish", "action": "publish:git", "input": {"name": "${{ parameters.name }}"}},
        ),
        Example(
            "Publish to a remote.",
            {
                "id": "publish",
                "action": "publish:git",
                "input": {
                    "name": "${{ parameters.name }}",
                    "remote": "https://git.example.com/team/${{ parameters.name }}.git",
                    "token": "${{ secrets.GIT_TOKEN }}",
                },
            },
        ),
    )
    supports_dry_run = False

    def __init__(self, *, repositories: Path, policy: RemotePolicy, author: Author | None = None) -> None:
        self._repositories = repositories
        self._policy = policy
        self._author = author

    def run(self, context: ActionContext) -> None:
        """Push. A second run for the same task finds the first one's commit and does nothing."""
        given = context.input
        name = given["name"].removesuffix(".git")
        if not _NAME.fullmatch(name):
            raise InputError(
                f'publish:git: found name "{given["name"]}"; expected letters, digits, "-", "_", ".", at most one "/"'
            )
        branch = checked_branch(given["default_branch"], action_id=self.id)
        source = source_folder(context, given["source_path"], action_id=self.id)
        remote = given["remote"] or create_bare(self._repositories / f"{name}.git", default_branch=branch)
        shown = without_credentials(remote)
        context.log(f"Pushing to {shown}, branch {branch}")
        message = given["commit_message"] + (f"\n\n{given['description']}" if given["description"] else "")
        commit = push(
            source,
            remote,
            policy=self._policy,
            branch=branch,
            message=message,
            author=self._author,
            task_id=context.task_id,
            token=given["token"] or "",
        )
        context.log(f"Pushed {commit}")
        context.output("remoteUrl", shown)
        context.output("repoContentsUrl", contents_url(f"{shown}#{branch}:", ""))
        context.output("commitHash", commit)
