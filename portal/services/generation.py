"""Keeps in a generated repository what it was generated from."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, Self

from portal.actions.contract import Action
from portal.actions.workspace import Workspace
from portal.errors import InputError
from portal.ingest.stamp import stamped
from portal.ingest.yaml import parse
from portal.ingest.yaml_text import to_yaml
from portal.model.entity import LOCATION_ANNOTATION
from portal.model.ref import EntityRef
from portal.model.sentence import Sentence

RECORD_FILE = ".portal/answers.yaml"
CATALOG_FILE = "catalog-info.yaml"
_COMMIT = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
_TASK = re.compile(r"[A-Za-z0-9-]{1,100}")
#: What does not make a repository, but proposes something to one that is somebody else's work.
_PROPOSALS = ("pull-request", "merge-request")


@dataclass(frozen=True, slots=True)
class Generation:
    """The template that a repository was generated from, with what it was given; no secrets.

    `commit` is empty for a template of a folder. `location` is where the template's file was, `step` the one that
    published; the repositories of older tasks know neither these nor the `task` and its `user`.
    """

    template: EntityRef
    commit: str
    parameters: Mapping[str, Any] = field(default_factory=dict)
    location: str = ""
    step: str = ""
    task: str = ""
    user: EntityRef | None = None

    @classmethod
    def of_task(
        cls,
        task_id: str,
        spec: Mapping[str, Any],
        *,
        step: str,
        commit: str,
        redacted: Callable[[Any], Any],
    ) -> Self:
        """Return what a step of a task publishes; `redacted` masks the secrets in a value."""
        about, user = spec["templateInfo"], spec["user"].get("ref")
        annotations = about["entity"]["metadata"].get("annotations") or {}
        return cls(
            EntityRef(about["entityRef"]),
            commit,
            redacted(spec["parameters"]),
            str(annotations.get(LOCATION_ANNOTATION, "")),
            step,
            task_id,
            EntityRef(user) if user else None,
        )

    @classmethod
    def parse(cls, content: bytes, *, place: str) -> Self:
        """Return what a record file says; `place` names it in faults. Raises `InputError`."""
        documents = parse(content, location=place)
        value = documents[0].value if len(documents) == 1 else None
        if not isinstance(value, dict) or not isinstance(value.get("parameters") or {}, dict):
            raise InputError(Sentence("%(place)s: expected a mapping with template, commit, parameters", place=place))
        text = {name: item for name, item in value.items() if isinstance(item, str)}
        commit = text.get("commit", "")
        if not _COMMIT.fullmatch(commit):
            raise InputError(
                Sentence(
                    '%(place)s: found commit "%(commit)s"; expected 40 or 64 hexadecimal characters. '
                    "What was generated from a template of a folder, which has no commits, cannot be upgraded",
                    place=place,
                    commit=commit[:80],
                )
            )
        task = text.get("task", "")
        return cls(
            EntityRef.parse(text.get("template", ""), default_kind="template"),
            commit,
            value.get("parameters") or {},
            text.get("location", ""),
            text.get("step", ""),
            task if _TASK.fullmatch(task) else "",
            EntityRef.parse(text["user"], default_kind="user") if text.get("user") else None,
        )

    def to_text(self) -> str:
        """Return the content of the record file."""
        facts: dict[str, Any] = {"template": str(self.template), "commit": self.commit}
        more = {
            "location": self.location,
            "step": self.step,
            "task": self.task,
            "user": None if self.user is None else str(self.user),
        }
        facts |= {name: text for name, text in more.items() if text}
        return to_yaml(facts | {"parameters": dict(self.parameters)})


def makes_repository(action: Action) -> bool:
    """Return whether an action publishes what is to remember where it comes from."""
    return action.id.startswith("publish:") and not action.id.endswith(_PROPOSALS)


def published_folder(given: Mapping[str, Any]) -> str:
    """Return the folder of the workspace that a publishing step publishes, from its input."""
    found = given.get("source_path") or given.get("sourcePath") or ""
    return found if isinstance(found, str) else ""


def keep_in(workspace: Workspace, folder: str, generation: Generation) -> None:
    """Write what a folder is generated from: the record, unless the skeleton has its own, and in its catalog files."""
    place = workspace.resolve(str(PurePosixPath(folder) / RECORD_FILE))
    if not place.exists():
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(generation.to_text(), "utf-8")
    stamp(workspace.resolve(folder), generation)


def stamp(folder: Path, generation: Generation) -> None:
    """Write the template and its commit into the catalog files of a folder."""
    for file in sorted(folder.rglob(CATALOG_FILE)):
        if file.is_symlink() or not file.is_file():
            continue
        content = file.read_bytes()
        result = stamped(content, template=str(generation.template), commit=generation.commit)
        if result != content:
            file.write_bytes(result)
