"""Reads in the spec of a task which template it was made from, with what limits it."""

from __future__ import annotations

from portal.actions.contract import TemplateInfo
from portal.errors import InputError
from portal.model.entity import LOCATION_ANNOTATION
from portal.model.ref import EntityRef
from portal.store.tasks import TaskRow


def location_of(task: TaskRow) -> str:
    """Return where the template of a task is; the catalog itself has written it there. Raises `InputError`."""
    metadata = task.spec["templateInfo"]["entity"]["metadata"]
    location = (metadata.get("annotations") or {}).get(LOCATION_ANNOTATION)
    if not location:
        raise InputError("The template has no location in the catalog, so nothing can be read beside it")
    return str(location)


def template_of(task: TaskRow, commit: str) -> TemplateInfo:
    """Return the template of a task as it is at a commit."""
    about = task.spec["templateInfo"]
    return TemplateInfo(EntityRef(about["entityRef"]), commit, about.get("baseUrl"), about["entity"]["metadata"])


def scopes_of(task: TaskRow) -> frozenset[str] | None:
    """Return the permissions that the API token of who began a task left to them; None: no such token did."""
    found = task.spec.get("scopes")
    return None if found is None else frozenset(found)
