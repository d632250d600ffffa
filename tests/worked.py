"""A repository that several people have worked on, for tests of who works on what."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from catalogs import component, documents, entity, group
from repositories import MakeRepository, Repository

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)

ORGANISATION = documents(
    group("company"),
    group("data", more="parent: company"),
    group("ops", more="parent: company"),
    entity("User", "ann", "memberOf: [data], profile: {email: Ann@Example.com}"),
    entity("User", "bob", "memberOf: [ops]").replace(
        "{name: bob}", "{name: bob, annotations: {github.com/user-login: Bob-Hub}}"
    ),
    entity("Role", "maker", "layers: [shared, project]", version="portal/v1alpha1"),
    entity("Layer", "shared", "rank: 2, owner: company, ownerRoles: [maker]", version="portal/v1alpha1"),
    entity("Layer", "project", "rank: 3, owner: company, ownerRoles: [maker]", version="portal/v1alpha1"),
)
MAILMAP = "Ann Author <ann@example.com> <ann@old.example>\n"
CODEOWNERS = "* @acme/data\n\n/services/b/ @bob-hub # by hand\n"


def commit_as(
    made: Repository, author: str, files: Mapping[str, str | bytes | None], *, days_ago: float = 0, now: datetime = NOW
) -> str:
    """Commit files as `Name <address>`, so many days before `now`."""
    made.write(files)
    name, _, email = author.partition(" <")
    moment = (now - timedelta(days=days_ago)).isoformat()
    environment = os.environ | {
        "GIT_AUTHOR_NAME": name,
        "GIT_AUTHOR_EMAIL": email.rstrip(">"),
        "GIT_AUTHOR_DATE": moment,
        "GIT_COMMITTER_DATE": moment,
    }
    for arguments in (["add", "--all"], ["commit", "--quiet", "--allow-empty", "--message", "work"]):
        subprocess.run(["git", *arguments], cwd=made.path, check=True, capture_output=True, env=environment)
    return made.git("rev-parse", "HEAD")


def worked_repository(repo: MakeRepository, *, name: str = "repository", now: datetime = NOW) -> Repository:
    """Return a repository in which Ann, Bob, a stranger, a bot have worked on the folders of three assets.

    `component:a` is of the group data (Ann's), and Bob works on it; `component:b` is of data as well, and Bob's in
    CODEOWNERS; `component:root` stands in the root.
    """
    made = repo(name=name)
    ann, old_ann = "Ann <ann@example.com>", "annie <ann@old.example>"
    bob = "Bob <123+Bob-Hub@users.noreply.github.com>"
    commit_as(
        made,
        ann,
        {
            "catalog-info.yaml": documents(
                component("root", owner="data", more="layer: shared"),
                entity("Location", "all", "targets: ['./services/*/catalog-info.yaml', ./org/org.yaml]"),
            ),
            "org/org.yaml": ORGANISATION,
            ".mailmap": MAILMAP,
            ".github/CODEOWNERS": CODEOWNERS,
            "services/a/catalog-info.yaml": component("a", owner="data", more="layer: project"),
            "services/b/catalog-info.yaml": component("b", owner="data", more="layer: project"),
        },
        days_ago=360,
        now=now,
    )
    commit_as(made, old_ann, {"services/a/x": "1", "services/b/x": "1"}, days_ago=180, now=now)
    commit_as(made, bob, {"services/a/x": "2", "README.md": "2"}, now=now)
    commit_as(made, bob, {"services/a/deep/x": "3"}, now=now)
    commit_as(made, "Eve Stranger <eve@elsewhere.example>", {"services/b/y": "4"}, now=now)
    commit_as(
        made, "dependabot[bot] <49699333+dependabot[bot]@users.noreply.github.com>", {"services/b/lock": "5"}, now=now
    )
    return made
