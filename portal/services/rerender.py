"""Renders what a template publishes once more, at any of its commits, doing nothing else that its steps do."""

from __future__ import annotations

import posixpath
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from portal.actions.contract import Action, Reader
from portal.actions.workspace import Workspace, copy_folder
from portal.errors import InputError, NotFoundError, PortalError
from portal.ingest.yaml import parse
from portal.model.entity import ref_of
from portal.model.ref import EntityRef
from portal.model.sentence import Sentence
from portal.scaffolder.task import API_VERSION, task_spec
from portal.services.dry_run import DryRuns, made_up, placed_at
from portal.services.generation import Generation, makes_repository, published_folder, stamp
from portal.services.task_checks import base_url
from portal.services.task_rights import TaskRights
from portal.services.task_surroundings import Sources
from portal.store.tasks import TaskRow

#: These ask Portal in the name of whoever ran the template: the record of a repository says who, but proves nothing.
_ASKING = frozenset({"http:backstage:request", "portal:ownership:check"})


@dataclass(frozen=True, slots=True)
class Asking:
    """Who has something rendered: they see what is read for it, and may have these actions run; None: anything."""

    user_ref: str | None = None
    rights: TaskRights | None = None


@dataclass(frozen=True, slots=True)
class Pinned:
    """A template as it stood at a commit; `location` is where its file was then."""

    ref: EntityRef
    document: Mapping[str, Any]
    location: str
    commit: str


def template_at(sources: Sources, ref: EntityRef, *, locations: Sequence[str], commit: str) -> Pinned:
    """Return a template as it stood at a commit, at the first of some locations that has it. Raises `InputError`."""
    missing = ""
    for location in dict.fromkeys(locations):
        try:
            content = _content(sources.reader(location, commit=commit), location)
        except NotFoundError as error:
            missing = missing or error.message
            continue
        found = [
            document.value
            for document in parse(content)
            if document.problem is None and _is_template(document.value, ref)
        ]
        if found:
            return Pinned(ref, found[0], location, commit)
        missing = missing or f"{location} has no template {ref}"
    raise InputError(
        Sentence(
            "%(ref)s cannot be read at its commit %(commit)s: %(missing)s", ref=ref, commit=commit, missing=missing
        )
    )


class Rerenders:
    """Renders templates of commits; `sources` reads them."""

    def __init__(self, runs: DryRuns, sources: Sources) -> None:
        self._runs = runs
        self._sources = sources

    def render(self, template: Pinned, generation: Generation, *, into: Path, room: Path, asking: Asking) -> None:
        """Write what the recorded step publishes, given the recorded parameters and user, into a folder that is made.

        `room` is one to work in, made too. Actions with effects outside of it do not run, nor do those that ask in
        somebody's name; secrets are not there. Raises `InputError` where the template does not get to publishing.
        """
        room.mkdir()
        published: dict[str, list[Path]] = {}

        def stand_in(step: str, action: Action, workspace: Workspace, inputs: Sequence[Any]) -> dict[str, Any] | None:
            if makes_repository(action):
                for given in inputs:
                    kept = room / f"published-{sum(map(len, published.values()))}"
                    source = workspace.resolve(published_folder(given if isinstance(given, Mapping) else {}))
                    if source.is_dir():
                        copy_folder(source, kept)
                        published.setdefault(step, []).append(kept)
                return made_up(action)
            return None if action.supports_dry_run and action.id not in _ASKING else made_up(action)

        notebook = self._runs.carry_out(
            self._task(template, generation, asking),
            room / "workspace",
            templates=_AtCommit(self._sources, template.commit),
            stand_in=stand_in,
        )
        every = [one for some in published.values() for one in some]
        # A step may have another name by now.
        found = published.get(generation.step) or every
        if len(found) != 1:
            error = notebook.bodies(hidden=str(room))[-1].get("error")
            raise InputError(_why_not(template, error, count=len(found)))
        shutil.move(found[0], into)
        stamp(into, generation)

    def _task(self, template: Pinned, generation: Generation, asking: Asking) -> TaskRow:
        rights = asking.rights
        document = placed_at(template.document, template.location)
        if rights is not None:
            document = rights.permitted(document)
        user = None if generation.user is None else str(generation.user)
        spec = task_spec(
            document,
            generation.parameters,
            template_ref=str(template.ref),
            base_url=base_url(document),
            user=self._runs.user(user),
        )
        if rights is not None:
            actions, scopes = rights.actions(document), rights.scopes()
            spec |= {} if actions is None else {"permittedActions": actions.to_json()}
            spec |= {} if scopes is None else {"scopes": sorted(scopes)}
        # The id stands in what some templates render; whose the task is decides what is read for it.
        return TaskRow(generation.task or "upgrade", "open", spec, asking.user_ref, 0, None)


class _AtCommit:
    """Reads a template's files at the commit that is asked for."""

    def __init__(self, sources: Sources, commit: str) -> None:
        self._sources = sources
        self._commit = commit

    def commit(self, _location: str, *, since: float | None = None) -> str:  # it is told
        """Return the commit."""
        return self._commit

    def reader(self, location: str, *, commit: str) -> Reader:
        """Return what reads beside the template."""
        return self._sources.reader(location, commit=commit)


def _content(reader: Reader, location: str) -> bytes:
    name = posixpath.basename(location.partition("?")[0])
    fetched = reader.read(f"./{name.rpartition(':')[2]}")
    if not fetched.is_file:
        raise NotFoundError(Sentence("%(location)s is no file", location=location))
    return fetched.entries[0].content


def _is_template(value: Any, ref: EntityRef) -> bool:
    if not isinstance(value, dict) or value.get("kind") != "Template" or value.get("apiVersion") != API_VERSION:
        return False
    try:
        return ref_of(value) == ref and isinstance(value.get("spec"), dict)
    except (PortalError, KeyError, TypeError, AttributeError):
        return False


def _why_not(template: Pinned, error: Any, *, count: int) -> str:
    told = Sentence(
        "%(template)s at %(commit)s cannot be rendered with the recorded values",
        template=template.ref,
        commit=template.commit,
    )
    if isinstance(error, Mapping):
        return Sentence(
            "%(told)s: %(name)s: %(message)s", told=told, name=error.get("name"), message=error.get("message")
        )
    if not count:
        return Sentence("%(told)s: its steps publish no folders; expected one", told=told)
    return Sentence("%(told)s: its steps publish %(count)s folders; expected one", told=told, count=count)
