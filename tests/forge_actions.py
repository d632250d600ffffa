"""The actions that publish and propose at a GitLab or Gitea of the tests."""

from __future__ import annotations

from acting import MARKS
from forge_servers import TOKEN, Forge

from portal.actions.gitea_pull_request import GiteaPullRequest
from portal.actions.gitlab_merge_request import GitLabMergeRequest
from portal.actions.publish_gitea import PublishGitea
from portal.actions.publish_gitlab import PublishGitLab
from portal.model.integration import Integration, Integrations
from portal.model.secret import Secret
from portal.vcs.policy import RemotePolicy


class Actions:
    """The actions for a host, which settings name with a token."""

    def __init__(self, forge: Forge, token: str | None = TOKEN, **more: str) -> None:
        held = Secret(token) if token else None
        kind = type(forge).__name__.lower()
        hosts = Integrations([Integration(forge.host, kind, held, base_url=forge.url, **more)])
        policy = RemotePolicy(allowed_schemes=frozenset({"http"}), integrations=hosts)
        publishing, proposing = (
            (PublishGitLab, GitLabMergeRequest) if kind == "gitlab" else (PublishGitea, GiteaPullRequest)
        )
        self.publish = publishing(hosts, policy=policy, marks=MARKS)
        self.propose = proposing(hosts, policy=policy)
