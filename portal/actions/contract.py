"""What an action is, with all that it may touch."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

from marshmallow import Schema

from portal.actions.workspace import Workspace
from portal.errors import InputError
from portal.model.ref import EntityRef
from portal.model.repository_access import Grant
from portal.model.secret import Secret
from portal.scaffolder.skeleton import SkeletonEntry


@dataclass(frozen=True, slots=True)
class Example:
    """A use of an action: `step` is a step of a template, as YAML has it."""

    description: str
    step: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Fetched:
    """What a url of a template names: the files of a folder, or one file, then alone in `entries`."""

    entries: Sequence[SkeletonEntry]
    is_file: bool = False


class Reader(Protocol):
    """Reads what stands beside the template, or in another repository."""

    def read(self, url: str, *, token: str | None = None) -> Fetched:
        """Return what a url names: relative to the template's file, or a git url `REMOTE#BRANCH:PATH`.

        A `token` is for the host of a git url.

        Raises `NotAllowedError` for one that leaves the template's repository, or folder, and for schemes that are not
        allowed; `InputError` for one that cannot be understood; `NotFoundError` when nothing is there.
        """
        ...


class TaskCatalog(Protocol):
    """The catalog, as an action may use it."""

    def by_refs(self, refs: Sequence[EntityRef]) -> Mapping[EntityRef, Mapping[str, Any]]:
        """Return those of the entities that are in the catalog."""
        ...

    def register(self, target: str) -> Sequence[EntityRef]:
        """Register a location of type url, read it, and return the entities that it brought.

        A location that is registered already is read again. Raises `ActionError` when an entity that the template
        was to create is not in the catalog afterwards, or not owned as asked.
        """
        ...

    def repository_access(self, owner: EntityRef, layer: str | None) -> Sequence[Grant]:
        """Return what the owner and the stewards of an asset get in its repository, the owner first.

        The policy of the layer says so, given by name; None: that of the layers which the template says it makes
        assets of. A group that has no account at a type of host is followed by its members, with theirs.
        """
        ...


@dataclass(frozen=True, slots=True)
class TemplateInfo:
    """The template that a task is made from; `commit` is empty for a folder."""

    ref: EntityRef
    commit: str = ""
    base_url: str | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ActionContext:
    """All that an action may touch.

    `input` is what `input_schema` made of the step's input. `log` adds a line to the step's log, `output` sets one
    member of its output. `cancelled(seconds)` tells whether the task was cancelled, waiting at most so long for it. In
    a dry run nothing outside of the workspace may change. `scopes` are the permissions that an API token left to the
    user; None: no such token began the task. `owner` is who is to own what the template says it creates.
    """

    input: Mapping[str, Any]
    workspace: Workspace
    reader: Reader
    catalog: TaskCatalog
    secrets: Mapping[str, Secret]
    log: Callable[[str], None]
    output: Callable[[str, Any], None]
    cancelled: Callable[[float], bool]
    task_id: str
    step_id: str
    user: Mapping[str, Any]
    template: TemplateInfo
    is_dry_run: bool = False
    scopes: frozenset[str] | None = None
    owner: EntityRef | None = None

    @property
    def user_ref(self) -> str | None:
        """The reference of the user who asked for the task; None for a service."""
        return self.user.get("ref")


@runtime_checkable
class Action(Protocol):
    """Something that a template's step can do.

    `run` may be called again for the same step after a crash, with the workspace as it was before: what it does
    outside of the workspace must bear being done twice. It raises `PortalError` for what it cannot do.

    One that brings files of the workspace to where others see them is called `publish:...`, or has an attribute
    `publishes` that is true: the owners in the catalog files below its input `sourcePath` are compared before it runs.
    One that writes nothing into its workspace may have an attribute `reads_only` that is true: it is given what the
    step before has left, not a copy of that.
    """

    @property
    def id(self) -> str:
        """The name that a template's step calls it by, such as `fetch:template`."""
        ...

    @property
    def description(self) -> str:
        """What it does, in a sentence."""
        ...

    @property
    def input_schema(self) -> type[Schema]:
        """The schema of its input, see `portal.actions.schema`."""
        ...

    @property
    def output_schema(self) -> type[Schema] | None:
        """The schema of its output, None when it has none."""
        ...

    @property
    def examples(self) -> Sequence[Example]:
        """Uses of it, to learn from."""
        ...

    @property
    def supports_dry_run(self) -> bool:
        """Whether it may run in a dry run, where nothing outside of the workspace must change."""
        ...

    def run(self, context: ActionContext) -> None:
        """Do it."""
        ...


def contents_url(repository_url: str, path: str) -> str:
    """Return the location target of a file, given the url of a repository's content.

    `REMOTE#BRANCH:` takes the path at its end; the urls that hosts show (`…/blob/main`) take it as a further segment.
    Raises `InputError` for an empty url.
    """
    if not repository_url:
        raise InputError("repoContentsUrl is empty; expected the url of a repository's content")
    relative = path.lstrip("/")
    if "#" in repository_url:
        remote, _, fragment = repository_url.partition("#")
        branch, _, folder = fragment.partition(":")
        return f"{remote}#{branch}:{'/'.join(part for part in (folder.strip('/'), relative) if part)}"
    return f"{repository_url.rstrip('/')}/{relative}"
