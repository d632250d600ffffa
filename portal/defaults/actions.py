"""The scaffolder actions that ship with Portal, beside those that installed distributions add."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path

from portal.actions.catalog import CatalogRegister, CatalogWrite
from portal.actions.catalog_fetch import CatalogFetch
from portal.actions.contract import Action
from portal.actions.debug import DebugLog, DebugWait
from portal.actions.fetch import FetchPlain, FetchTemplate
from portal.actions.fetch_cookiecutter import FetchCookiecutter
from portal.actions.fetch_copier import FetchCopier
from portal.actions.fetch_file import FetchPlainFile, FetchTemplateFile
from portal.actions.files import FilesDelete, FilesReaddir, FilesRename
from portal.actions.gitea_pull_request import GiteaPullRequest
from portal.actions.github_dispatch import GitHubDispatch
from portal.actions.github_pull_request import GitHubPullRequest
from portal.actions.gitlab_merge_request import GitLabMergeRequest
from portal.actions.ownership import OwnerRules, OwnershipCheck
from portal.actions.publish import PublishGit
from portal.actions.publish_gitea import PublishGitea
from portal.actions.publish_github import PublishGitHub
from portal.actions.publish_gitlab import PublishGitLab
from portal.actions.repository_mark import RepositoryMarks
from portal.actions.request import BackstageRequest, OwnPortal
from portal.actions.roadie_archive import Zip
from portal.actions.roadie_files import FileAppend, FileParse, FileReplace, FileWrite
from portal.actions.roadie_jsonata import Jsonata, JsonFileTransform, YamlFileTransform
from portal.actions.roadie_merge import FileMerge, JsonMerge, YamlMerge
from portal.actions.roadie_serialize import SerializeJson, SerializeYaml
from portal.actions.roadie_sleep import Sleep
from portal.defaults.engine import load_bundle
from portal.plugins import Registry
from portal.scaffolder.engine import Engine
from portal.vcs.policy import RemotePolicy


def all_actions(
    engine: Engine,
    *,
    repositories: Path,
    policy: RemotePolicy,
    owners: OwnerRules,
    portal: OwnPortal,
    marks: RepositoryMarks,
) -> Mapping[str, Action]:
    """Return the actions by id. `repositories` is where repositories without a remote of their own are made.

    `marks` know again what a task has made at a git host. Hosts are those of the policy's integrations.
    """
    load_jsonata = partial(load_bundle, "portal.actions", "jsonata.js")
    shipped: tuple[Action, ...] = (
        FetchTemplate(engine),
        FetchTemplateFile(engine),
        FetchPlain(),
        FetchPlainFile(),
        FetchCookiecutter(),
        FetchCopier(),
        PublishGit(repositories=repositories, policy=policy),
        PublishGitHub(policy.integrations, policy=policy, marks=marks),
        GitHubPullRequest(policy.integrations, policy=policy),
        GitHubDispatch(policy.integrations),
        PublishGitLab(policy.integrations, policy=policy, marks=marks),
        GitLabMergeRequest(policy.integrations, policy=policy),
        PublishGitea(policy.integrations, policy=policy, marks=marks),
        GiteaPullRequest(policy.integrations, policy=policy),
        CatalogRegister(),
        CatalogWrite(),
        CatalogFetch(),
        OwnershipCheck(owners),
        BackstageRequest(portal),
        FilesDelete(),
        FilesRename(),
        FilesReaddir(),
        DebugLog(),
        DebugWait(),
        FileWrite(),
        FileAppend(),
        FileParse(),
        FileReplace(),
        JsonMerge(),
        YamlMerge(),
        FileMerge(),
        SerializeJson(),
        SerializeYaml(),
        Jsonata(load_jsonata),
        JsonFileTransform(load_jsonata),
        YamlFileTransform(load_jsonata),
        Zip(),
        Sleep(),
    )
    registry = Registry[Action](
        "portal.actions",
        defaults={action.id: action for action in shipped},
        kind=Action,  # type: ignore[type-abstract]  # a protocol is what an action is asked to follow
    )
    return dict(registry.items())
