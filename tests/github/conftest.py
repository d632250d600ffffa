from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from acting import MARKS, Runner
from githubs import TOKEN, GitHub, github_at, prism_for

from portal.actions.github_dispatch import GitHubDispatch
from portal.actions.github_pull_request import GitHubPullRequest
from portal.actions.publish_github import PublishGitHub
from portal.model.integration import Integration, Integrations
from portal.model.secret import Secret
from portal.vcs.policy import RemotePolicy


@pytest.fixture(scope="session")
def prism(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Prism with GitHub's description, for all tests."""
    with prism_for(tmp_path_factory.mktemp("prism")) as url:
        yield url


@pytest.fixture
def hub(prism: str, tmp_path: Path) -> Iterator[GitHub]:
    """An empty GitHub."""
    with github_at(tmp_path / "hub", prism) as served:
        yield served


@pytest.fixture
def run(tmp_path: Path) -> Runner:
    return Runner(tmp_path)


class Actions:
    """The actions for a GitHub, which settings name with a token."""

    def __init__(self, hub: GitHub, token: str = TOKEN) -> None:
        held = Secret(token) if token else None
        hosts = Integrations([Integration(hub.host, "github", held, base_url=f"http://{hub.host}")])
        policy = RemotePolicy(allowed_schemes=frozenset({"http"}), integrations=hosts)
        self.publish = PublishGitHub(hosts, policy=policy, marks=MARKS)
        self.propose = GitHubPullRequest(hosts, policy=policy)
        self.dispatch = GitHubDispatch(hosts)


@pytest.fixture
def actions(hub: GitHub) -> Actions:
    return Actions(hub)
