"""Publishes the workspace as a new project at GitLab.

Rules: scaffolder-backend-module-gitlab 0.12 `publish:gitlab`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from portal.actions.contract import ActionContext, Example
from portal.actions.gitlab_api import OWNER, GitLab, gitlab_client
from portal.actions.host_client import token_for
from portal.actions.hosted_repository import Place, add_codeowners, claim, grants_of, not_ours, place_of
from portal.actions.pushing import author_of, checked_branch, push_patiently, source_folder
from portal.actions.repository_mark import RepositoryMarks
from portal.actions.schema import ActionSchema, Record, Records, Texts, Value
from portal.errors import ActionError
from portal.model.integration import Integrations
from portal.model.repository_access import Grant
from portal.model.secret import Secret
from portal.vcs.policy import RemotePolicy

_VISIBILITIES = ("private", "internal", "public")
_DRY_COMMIT = "0" * 40
_DRY_PROJECT = 43


class SourcePath(Value):
    """A folder of the workspace; true is the workspace itself, false is none."""

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> Any:
        found = super()._deserialize(value, attr, data, **kwargs)
        return {True: "", False: None}[found] if isinstance(found, bool) else found


class ProjectSettings(ActionSchema):
    """What GitLab's API takes for a new project, by its names."""

    name = Value(str, description="What people call the project, where it is not the name in the repoUrl.")
    path = Value(str, description="The project's name in urls, where it is not that of the repoUrl.")
    auto_devops_enabled = Value(bool, description="Enable Auto DevOps.")
    ci_config_path = Value(str, description="Path of the CI configuration.")
    description = Value(str, description="What the project is for.")
    merge_method = Value(str, choices=("merge", "rebase_merge", "ff"), description="How merge requests are merged.")
    squash_option = Value(
        str, choices=("default_off", "default_on", "never", "always"), description="Whether commits are squashed."
    )
    topics = Texts(description="Topics.")
    visibility = Value(str, choices=_VISIBILITIES, description="Who sees the project.")
    only_allow_merge_if_all_discussions_are_resolved = Value(bool, description="All threads must be resolved.")
    only_allow_merge_if_pipeline_succeeds = Value(bool, description="Pipelines must succeed.")
    allow_merge_on_skipped_pipeline = Value(bool, description="Skipped pipelines are taken for successful ones.")


class ProjectBranch(ActionSchema):
    """A branch of a new project."""

    name = Value(str, required=True, description="Name of the branch.")
    protect = Value(bool, default=False, description="Protect it.")
    create = Value(bool, default=False, description="Make it where it is not there.")
    ref = Value(str, description="What it begins at; without it the default branch.")


class ProjectVariable(ActionSchema):
    """A variable of a new project's pipelines."""

    key = Value(str, required=True, description="Its name: letters, digits, _.")
    value = Value(str, required=True, description="Its value.")
    description = Value(str, description="What it is for.")
    variable_type = Value(str, default="env_var", choices=("env_var", "file"), description="Its type.")
    protected = Value(bool, default=False, description="Only for protected branches.")
    masked = Value(bool, default=False, description="Masked in the logs of jobs.")
    masked_and_hidden = Value(bool, default=False, description="Masked, and shown to nobody.")
    raw = Value(bool, default=False, description="Not expanded.")
    environment_scope = Value(str, default="*", description="The environments that it is for.")


class PublishGitLabInput(ActionSchema):
    """The input of publish:gitlab."""

    repo_url = Value(
        str, key="repoUrl", required=True, description="Such as gitlab.com?owner=group%2Fsubgroup&repo=name."
    )
    repo_visibility = Value(
        str,
        key="repoVisibility",
        default="private",
        choices=_VISIBILITIES,
        description="Who sees the project, unless settings.visibility says so.",
    )
    default_branch = Value(str, key="defaultBranch", default="master", description="Branch to push.")
    git_commit_message = Value(str, key="gitCommitMessage", default="initial commit", description="Text of the commit.")
    git_author_name = Value(str, key="gitAuthorName", description="Who the commit is by.")
    git_author_email = Value(str, key="gitAuthorEmail", description="Their mail address.")
    source_path = SourcePath(
        str,
        bool,
        key="sourcePath",
        default="",
        description="Folder of the workspace to publish; false: the project stays empty.",
    )
    skip_existing = Value(
        bool, key="skipExisting", default=False, description="A project that is there is left alone, and no fault."
    )
    token = Value(str, description="Token to use in place of the one of the settings, from a secret.")
    set_user_as_owner = Value(
        bool,
        key="setUserAsOwner",
        default=False,
        description="Whom the token belongs to owns the project; the token of the settings has to be allowed that.",
    )
    owner_username = Value(
        str,
        key="ownerUsername",
        description="User who is made an owner of the project, with the token of the settings.",
    )
    topics = Texts(default=(), description="Topics, unless settings.topics names some.")
    settings = Record(ProjectSettings, description="What GitLab's API takes for a new project.")
    branches = Records(ProjectBranch, description="Branches to make or protect.")
    project_variables = Records(ProjectVariable, key="projectVariables", description="Variables of pipelines.")


class PublishGitLabOutput(ActionSchema):
    """The output of publish:gitlab."""

    remote_url = Value(str, key="remoteUrl", description="Url of the project.")
    repo_contents_url = Value(str, key="repoContentsUrl", description="What catalog:register takes.")
    project_id = Value(int, key="projectId", description="The project's number.")
    commit_hash = Value(str, key="commitHash", description="The commit, 40 hex characters.")
    created = Value(bool, description="Whether the project was made.")


class PublishGitLab:
    """Publishes at GitLab."""

    id = "publish:gitlab"
    description = (
        "Makes a project at GitLab, pushes the workspace as its first commit, and gives the owner that was asked for "
        "access to it."
    )
    input_schema = PublishGitLabInput
    output_schema = PublishGitLabOutput
    examples: Sequence[Example] = (
        Example(
            "Publish to a group, with its default branch protected.",
            {
                "id": "publish",
                "action": "publish:gitlab",
                "input": {
                    "repoUrl": "${{ parameters.repoUrl }}",
                    "defaultBranch": "main",
                    "settings": {"description": "${{ parameters.description }}", "topics": ["dataset"]},
                    "branches": [{"name": "main", "protect": True}],
                },
            },
        ),
        Example(
            "Give pipelines a variable, and use the token of whoever runs the template.",
            {
                "id": "publish",
                "action": "publish:gitlab",
                "input": {
                    "repoUrl": "gitlab.com?owner=science&repo=sensors",
                    "token": "${{ secrets.USER_OAUTH_TOKEN }}",
                    "projectVariables": [{"key": "REGION", "value": "north"}],
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
        """Publish. Run again for the same task, it goes on with the project that it has made, and touches no other."""
        given = context.input
        place = place_of(given["repo_url"], self._integrations, kind="gitlab", name=given["settings"]["path"])
        branch = checked_branch(given["default_branch"], action_id=self.id)
        grants = grants_of(context)
        if given["source_path"] is not None:
            source_folder(context, given["source_path"], action_id=self.id)
            add_codeowners(context, place, given["source_path"], grants=grants)
        if context.is_dry_run:
            context.log(f"Would make {place.url} and push the workspace to its branch {branch}")
            commit = "" if given["source_path"] is None else _DRY_COMMIT
            _tell(context, place, branch, project_id=_DRY_PROJECT, commit=commit)
            return
        token = token_for(place.host, given["token"])
        with gitlab_client(context, place.host, token) as client:
            self._publish(context, place, GitLab(client, context), token=token, grants=grants)

    def _publish(
        self, context: ActionContext, place: Place, gitlab: GitLab, *, token: Secret, grants: Sequence[Grant]
    ) -> None:
        given = context.input
        branch = given["default_branch"]
        mark = self._marks.mark(context.task_id, str(place))
        found = gitlab.project_at(place.path)
        is_ours = found is None or found.get("description") == mark
        if found is not None and not is_ours and given["skip_existing"]:
            context.log(f"{place.url} is there already, and left alone")
            _tell(context, place, found.get("default_branch") or branch, project_id=found["id"], created=False)
            return

        def push(*, is_made: bool) -> str:
            if given["source_path"] is None:
                raise not_ours(place)
            return self._push(context, place, token=token, is_made=is_made)

        members = gitlab.members_of(place.owner, grants)
        commit = claim(
            context,
            place,
            mark=mark,
            description=None if found is None else found.get("description") or "",
            make=lambda: gitlab.make(place.path, _wanted(given, place, gitlab.namespace_id(place.owner)), mark=mark),
            push=push,
        )
        found = found or gitlab.project_at(place.path)
        if found is None:
            raise ActionError(f"{place.url} was made, and is not there any more")
        project_id = int(found["id"])
        self._set_owners(context, place, gitlab, project_id)
        # Before the push: it may start pipelines, which need their variables.
        for variable in given["project_variables"] or ():
            gitlab.set_variable(project_id, variable)
        gitlab.give_access(project_id, members)
        if given["source_path"] is not None:
            commit = commit or push(is_made=True)
            context.log(f"Pushed {commit}")
            for one in given["branches"] or ():
                if one["create"]:
                    gitlab.ensure_branch(place.path, one["name"], ref=one["ref"] or branch)
                if one["protect"]:
                    gitlab.protect_branch(project_id, one["name"])
        # Last: with its mark a project is known to be unfinished.
        pushed = {"default_branch": branch} if commit else {}
        gitlab.edit_project(project_id, {"description": given["settings"]["description"] or ""} | pushed)
        _tell(context, place, branch, project_id=project_id, commit=commit)

    def _push(self, context: ActionContext, place: Place, *, token: Secret, is_made: bool) -> str:
        given = context.input
        context.log(f"Pushing to {place.remote}, branch {given['default_branch']}")
        return push_patiently(
            context,
            source_folder(context, given["source_path"], action_id=self.id),
            place.remote,
            policy=self._policy,
            branch=given["default_branch"],
            message=given["git_commit_message"],
            author=author_of(given["git_author_name"], given["git_author_email"]),
            token=token,
            is_made=is_made,
        )

    def _set_owners(self, context: ActionContext, place: Place, gitlab: GitLab, project_id: int) -> None:
        """Make those owners whom the step names, with the token of the settings: others may not."""
        given = context.input
        users = [gitlab.user_id()] if given["set_user_as_owner"] else []
        if given["owner_username"]:
            users += gitlab.user_ids([given["owner_username"]]).values()
            if not users:
                context.log(f"GitLab has no user {given['owner_username']}, who was to be an owner")
        if not users or place.host.token is None:
            return
        with gitlab_client(context, place.host, place.host.token) as client:
            for user_id in users:
                GitLab(client, context).add_member(project_id, user_id, OWNER)


def _wanted(given: Mapping[str, Any], place: Place, namespace_id: int) -> dict[str, Any]:
    """Return what a new project is to be, by the names of GitLab's API."""
    settings = {name: value for name, value in given["settings"].items() if value is not None}
    topics = {"topics": list(given["topics"])} if given["topics"] else {}
    # Named outright: GitLab would make another one of some names.
    name = {"name": place.title, "path": place.name}
    return {"namespace_id": namespace_id, "visibility": given["repo_visibility"], **name, **topics, **settings}


def _tell(
    context: ActionContext, place: Place, branch: str, *, project_id: int, commit: str = "", created: bool = True
) -> None:
    context.output("remoteUrl", place.url)
    context.output("repoContentsUrl", f"{place.url}/-/blob/{quote(branch)}")
    context.output("projectId", project_id)
    context.output("created", created)
    if commit:
        context.output("commitHash", commit)
