"""Finds what makes a reusable workflow unsafe, or a riddle for whoever calls it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parent.parent
_FOLDERS = (".github/workflows", "templates")
#: What a caller sets, put into a shell script as it is: whoever sets it runs what they like.
_IN_SHELL = re.compile(r"\$\{\{\s*(inputs|github\.event|github\.head_ref)\b")


def check_all(root: Path = ROOT) -> list[str]:
    """Return a sentence for each fault of all workflows below a folder."""
    found = []
    for path in workflow_files(root):
        faults = check(path.read_text(encoding="utf-8"), is_gitlab=path.parent.name == "templates")
        found += [f"{path.relative_to(root)}: {fault}" for fault in faults]
    return found


def workflow_files(root: Path = ROOT) -> list[Path]:
    """Return the files of the workflows."""
    return sorted(
        path for folder in _FOLDERS for pattern in ("*.yaml", "*.yml") for path in (root / folder).glob(pattern)
    )


def check(text: str, *, is_gitlab: bool) -> list[str]:
    """Return a sentence for each fault of a workflow."""
    try:
        documents = [document or {} for document in yaml.safe_load_all(text)]
    except yaml.YAMLError as error:
        return [f"is no YAML: {error}"]
    return list(_gitlab(documents) if is_gitlab else _github(documents[0] if documents else {}))


def _github(workflow: Mapping[Any, Any]) -> Iterator[str]:
    # YAML 1.1 takes the key `on` for a truth.
    triggers = workflow.get("on", workflow.get(True)) or {}
    called = triggers.get("workflow_call") if isinstance(triggers, dict) else None
    if isinstance(called, dict):
        yield from _undescribed("input", called.get("inputs"))
        yield from _undescribed("secret", called.get("secrets"))
    if "permissions" not in workflow:
        yield "says nothing of permissions; begin with `permissions: {contents: read}`"
    for name, job in (workflow.get("jobs") or {}).items():
        if "uses" not in job and "timeout-minutes" not in job:
            yield f"the job {name} has no timeout-minutes"
        for step in job.get("steps") or []:
            uses = str(step.get("uses", "./"))
            if not uses.startswith("./") and re.search(r"@(main|master|latest)?$|^[^@]*$", uses):
                yield f"the job {name} uses {uses}; name a version or a commit"
            if _IN_SHELL.search(str(step.get("run", ""))):
                yield f"the job {name} puts what a caller sets into a script; hand it over in env"


def _gitlab(documents: list[Mapping[str, Any]]) -> Iterator[str]:
    if len(documents) != 2 or "spec" not in documents[0]:
        yield "expected two documents, the first one with spec.inputs"
        return
    header, body = documents
    yield from _undescribed("input", (header["spec"] or {}).get("inputs"))
    for name, job in body.items():
        if not isinstance(job, dict) or "script" not in job:
            continue
        if "timeout" not in job:
            yield f"the job {name} has no timeout"
        image = str(job.get("image", ""))
        if ":" not in image or image.endswith(":latest"):
            yield f"the job {name} runs on the image {image!r}; name a version"


def _undescribed(what: str, declared: Any) -> Iterator[str]:
    for name, told in (declared or {}).items():
        if not (told or {}).get("description"):
            yield f"the {what} {name} has no description"
