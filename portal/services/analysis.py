"""Looks at what is not in the catalog yet: a repository that somebody is about to register, an entity being written."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from portal.errors import InputError
from portal.ingest.check import problem_of
from portal.model.hosted import shown_url
from portal.model.integration import Integrations
from portal.model.location import DEFAULT_PATTERN, Target, is_glob
from portal.model.problem import raise_for
from portal.services.refresh import RefreshService
from portal.services.sources import SourcesService
from portal.store import entities
from portal.store.database import Database

#: What tools know a repository by, by type of its host. Rule: `RepoLocationAnalyzer` of catalog-backend 4.0.0.
_SLUG_ANNOTATIONS: Mapping[str, str] = {
    "azure": "dev.azure.com/project-slug",
    "bitbucketCloud": "bitbucket.org/project-slug",
    "github": "github.com/project-slug",
    "gitlab": "gitlab.com/project-slug",
}
_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9._-]+")
_LONGEST_NAME = 63


@dataclass(frozen=True, slots=True)
class ExistingEntity:
    """An entity that a repository declares: the target of its file, whether the catalog has it from there, its JSON."""

    target: str
    is_registered: bool
    body: str


@dataclass(frozen=True, slots=True)
class Analysis:
    """What a repository declares, or, where it declares nothing, the entity that could be a beginning."""

    existing: Sequence[ExistingEntity]
    suggested: dict[str, Any] | None


def analyze(
    database: Database, located: SourcesService, refresh: RefreshService, target: str, *, filename: str = ""
) -> Analysis:
    """Return what a repository declares in its files of this name (empty: catalog-info.yaml), in any folder.

    Raises `InputError` for a target that cannot be understood, for a repository that cannot be read, and with all
    problems where every catalog file is faulty. Rule: `RepoLocationAnalyzer` and `GithubLocationAnalyzer` of Backstage,
    here for any git remote.
    """
    if "/" in filename or is_glob(filename) or not filename.isprintable():
        raise InputError(f"The catalogFilename {filename!r} is not the name of a file")
    named = located.target_of("url", target)
    wanted = _everywhere(named, filename or DEFAULT_PATTERN)
    found = refresh.dry_run("url", target if wanted is None else wanted)
    inside = located.target_of("url", found.source.target)
    bodies = {
        ref: body
        for ref, body in found.bodies.items()
        if (path := inside.path_of(found.locations[ref])) is not None and inside.matches(path)
    }
    if not bodies:
        raise_for(found.problems)
        return Analysis((), _suggestion(named, located.integrations))
    with database.reading() as connection:
        held = entities.held_entities(connection, sorted(bodies))
    existing = [
        ExistingEntity(
            _shown(found.locations[ref].removeprefix("url:"), located.integrations),
            ref in held and _is_same_file(located, held[ref].location, found.locations[ref]),
            bodies[ref],
        )
        for ref in sorted(bodies, key=lambda ref: (found.locations[ref], ref))
    ]
    return Analysis(existing, None)


def validation_messages(refresh: RefreshService, entity: Mapping[str, Any], *, location: tuple[str, str]) -> list[str]:
    """Return what keeps an entity out of the catalog at a location (type, target), a sentence for each fault."""
    checked = refresh.check(entity, location_type=location[0], target=location[1])
    faults = [fault for fault in checked.faults if not fault.lenient]
    return [str(problem_of(fault, ref=checked.ref)) for fault in faults]


def _everywhere(named: Target, filename: str) -> str | None:
    """Return the url target of all files of a name in the tree; None for the single file of a web server."""
    if named.tree.type != "git":
        return None
    return named.location(f"**/{filename}").removeprefix("url:")


def _shown(url: str, integrations: Integrations) -> str:
    """Return the url at which a known host shows a file, which people can open, and any Backstage reads."""
    remote, _, fragment = url.partition("#")
    branch, _, path = fragment.partition(":")
    return (path and shown_url(remote, branch, path, integrations)) or url


def _is_same_file(located: SourcesService, location: str, other: str) -> bool:
    """Return whether two locations are one file: hosts and people write them in several ways."""
    if not location.startswith("url:"):
        return False
    one, two = (located.target_of("url", text.removeprefix("url:")) for text in (location, other))
    branches = {one.tree.branch, two.tree.branch} - {"", "HEAD"}
    return one.pattern == two.pattern and _repository(one) == _repository(two) and len(branches) <= 1


def _repository(target: Target) -> str:
    return target.tree.root.rstrip("/").removesuffix(".git")


def _suggestion(named: Target, integrations: Integrations) -> dict[str, Any]:
    *before, last = [part for part in re.split(r"[/:]", unquote(_repository(named))) if part]
    metadata: dict[str, Any] = {"name": _NOT_IN_NAMES.sub("-", last)[:_LONGEST_NAME].strip("-._") or "component"}
    known = integrations.by_url(named.tree.root)
    annotation = _SLUG_ANNOTATIONS.get(known.type) if known is not None else None
    if annotation is not None:
        metadata["annotations"] = {annotation: f"{before[-1]}/{last}" if before else last}
    return {
        "apiVersion": "backstage.io/v1alpha1",
        "kind": "Component",
        "metadata": metadata,
        "spec": {"type": "other", "lifecycle": "unknown"},
    }
