"""The input that publishing at GitHub takes.

Rules: scaffolder-backend-module-github 0.10 `publish:github`, `inputProperties`.
"""

from __future__ import annotations

from portal.actions.schema import ActionSchema, Records, Texts, Value


class Collaborator(ActionSchema):
    """A user, or a team of the owner's organisation, who gets access."""

    user = Value(str, description="Login of a user, or its reference.")
    team = Value(str, description="Name of a team, or its reference.")
    username = Value(str, description="The former name of user.")
    access = Value(
        str, required=True, description="pull, triage, push, maintain, admin, or a role of the organisation."
    )


class PublishGitHubInput(ActionSchema):
    """The input of publish:github."""

    repo_url = Value(
        str, key="repoUrl", required=True, description="The new repository: github.com?owner=team&repo=name."
    )
    description = Value(str, description="What the repository is for.")
    homepage = Value(str, description="Url of a page about it.")
    access = Value(str, description="Who else administrates it: a login, or organisation/team.")
    collaborators = Records(Collaborator, description="Further users and teams with their access.")
    repo_visibility = Value(
        str,
        key="repoVisibility",
        default="private",
        choices=("private", "public", "internal"),
        description="Who sees it.",
    )
    default_branch = Value(str, key="defaultBranch", default="main", description="Branch to push.")
    git_commit_message = Value(
        str, key="gitCommitMessage", default="initial commit", description="Message of the commit."
    )
    git_author_name = Value(str, key="gitAuthorName", description="Name of the commit's author.")
    git_author_email = Value(str, key="gitAuthorEmail", description="Address of the commit's author.")
    source_path = Value(str, key="sourcePath", default="", description="Folder of the workspace to publish.")
    token = Value(str, description="Token to publish with, from a secret; without it that of the settings.")
    topics = Texts(description="Topics; they become lower case.")

    protect_default_branch = Value(bool, key="protectDefaultBranch", default=True, description="Protect the branch.")
    protect_enforce_admins = Value(
        bool, key="protectEnforceAdmins", default=True, description="The protection holds for administrators too."
    )
    require_code_owner_reviews = Value(
        bool,
        key="requireCodeOwnerReviews",
        default=False,
        description="Code owners review; CODEOWNERS names the owner, unless the template has one.",
    )
    required_approving_review_count = Value(
        int,
        key="requiredApprovingReviewCount",
        default=1,
        choices=tuple(range(7)),
        description="Reviewers who must approve.",
    )
    dismiss_stale_reviews = Value(
        bool, key="dismissStaleReviews", default=False, description="A further commit takes approvals back."
    )
    require_last_push_approval = Value(
        bool, key="requireLastPushApproval", default=False, description="Somebody else approves the last push."
    )
    bypass_pull_request_allowances = Value(
        dict, key="bypassPullRequestAllowances", description="users, teams, apps who need no pull request."
    )
    restrictions = Value(dict, description="users, teams, apps who alone may push; organisations only.")
    required_status_check_contexts = Texts(
        key="requiredStatusCheckContexts", description="Checks that must pass before merging."
    )
    require_branches_to_be_up_to_date = Value(
        bool, key="requireBranchesToBeUpToDate", default=True, description="Only branches that are up to date merge."
    )
    required_conversation_resolution = Value(
        bool, key="requiredConversationResolution", default=False, description="All conversations are resolved first."
    )
    required_commit_signing = Value(
        bool, key="requiredCommitSigning", default=False, description="Commits must be signed."
    )
    required_linear_history = Value(
        bool, key="requiredLinearHistory", default=False, description="No merge commits on the branch."
    )
    block_creations = Value(
        bool, key="blockCreations", default=False, description="With restrictions: nobody else makes such branches."
    )

    delete_branch_on_merge = Value(
        bool, key="deleteBranchOnMerge", default=False, description="Merged branches are deleted."
    )
    allow_merge_commit = Value(bool, key="allowMergeCommit", default=True, description="Merging by merge commits.")
    allow_squash_merge = Value(bool, key="allowSquashMerge", default=True, description="Merging by squashing.")
    allow_rebase_merge = Value(bool, key="allowRebaseMerge", default=True, description="Merging by rebasing.")
    allow_auto_merge = Value(bool, key="allowAutoMerge", default=False, description="Merging once all holds.")
    allow_update_branch = Value(
        bool, key="allowUpdateBranch", default=False, description="Pull requests may be brought up to date."
    )
    squash_merge_commit_title = Value(
        str,
        key="squashMergeCommitTitle",
        default="COMMIT_OR_PR_TITLE",
        choices=("PR_TITLE", "COMMIT_OR_PR_TITLE"),
        description="Title of squashed commits.",
    )
    squash_merge_commit_message = Value(
        str,
        key="squashMergeCommitMessage",
        default="COMMIT_MESSAGES",
        choices=("PR_BODY", "COMMIT_MESSAGES", "BLANK"),
        description="Message of squashed commits.",
    )
    has_projects = Value(bool, key="hasProjects", description="Whether it has projects.")
    has_wiki = Value(bool, key="hasWiki", description="Whether it has a wiki.")
    has_issues = Value(bool, key="hasIssues", description="Whether it has issues.")

    repo_variables = Value(dict, key="repoVariables", description="Variables of its workflows.")
    secrets = Value(dict, description="Secrets of its workflows, from secrets of the task.")
    oidc_customization = Value(
        dict, key="oidcCustomization", description="useDefault, includeClaimKeys: what tokens of workflows claim."
    )
    custom_properties = Value(dict, key="customProperties", description="Properties that the organisation defines.")
    subscribe = Value(bool, default=False, description="Watch it.")


class PublishGitHubOutput(ActionSchema):
    """The output of publish:github."""

    remote_url = Value(str, key="remoteUrl", description="Url of the repository for git.")
    repo_contents_url = Value(str, key="repoContentsUrl", description="What catalog:register takes.")
    commit_hash = Value(str, key="commitHash", description="The commit, 40 hex characters.")
