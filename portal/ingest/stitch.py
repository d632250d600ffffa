"""Finishes entities: declared document, origin, relations, problems become the text that is served."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from portal.model.entity import LOCATION_ANNOTATION, ORIGIN_ANNOTATION, ORPHAN_ANNOTATION
from portal.model.leaves import Leaf, LeafMemory, declared_leaves, with_added
from portal.model.problem import Problem
from portal.model.ref import DEFAULT_NAMESPACE

#: The names of the errors that Backstage tells, by the code of a problem; InputError for the others.
_ERROR_NAMES = {
    "kind-not-allowed": "NotAllowedError",
    "target-not-allowed": "NotAllowedError",
    "target-missing": "NotFoundError",
    "revision-missing": "NotFoundError",
    "source-unreachable": "ServiceUnavailableError",
}
_THE_CATALOGS_OWN = (LOCATION_ANNOTATION, ORIGIN_ANNOTATION, ORPHAN_ANNOTATION)


@dataclass(frozen=True, slots=True)
class Stitched:
    """A finished entity: the JSON text, its etag (40 hex characters), and the leaves that filters see."""

    body: str
    etag: str
    leaves: Sequence[Leaf]


def stitch(
    declared: Mapping[str, Any],
    *,
    uid: str,
    annotations: Mapping[str, str],
    relations: Iterable[tuple[str, str]],
    problems: Collection[Problem] = (),
    own_leaves: Sequence[Leaf] | None = None,
    memory: LeafMemory | None = None,
) -> Stitched:
    """Return the finished form of one entity; `memory` of leaves is for those that are finished together.

    `own_leaves` are those that the document itself has, where they are known already.

    `annotations` are added, those that the file declares win except for those that only the catalog can know.
    `relations` are (type, target) pairs. The problems of the entity's documents appear under `status.items`. Rule:
    the shape is that of catalog-backend 4.0.0's final entity; line, column and field are Portal's additions.
    """
    metadata = dict(declared["metadata"])
    metadata.setdefault("namespace", DEFAULT_NAMESPACE)
    own = metadata.get("annotations") or {}
    metadata["annotations"] = (
        dict(annotations) | own | {key: annotations[key] for key in _THE_CATALOGS_OWN if key in annotations}
    )
    metadata["uid"] = uid
    document: dict[str, Any] = dict(declared)
    document["metadata"] = metadata
    document["relations"] = [{"type": kind, "targetRef": target} for kind, target in sorted(relations)]
    if problems:
        document["status"] = {"items": [_status_item(problem) for problem in problems]}
    etag = hashlib.sha1(orjson.dumps(document), usedforsecurity=False).hexdigest()
    metadata["etag"] = etag
    known = LeafMemory() if memory is None else memory
    given = [
        (f"metadata.annotations.{name}", text)
        for name, text in annotations.items()
        if metadata["annotations"][name] is text
    ]
    given += [(f"relations.{relation['type']}", relation["targetRef"]) for relation in document["relations"]]
    found = declared_leaves(declared, memory=known) if own_leaves is None else own_leaves
    if ORPHAN_ANNOTATION in annotations:
        found = [leaf for leaf in found if leaf.key != f"metadata.annotations.{ORPHAN_ANNOTATION}"]
    return Stitched(orjson.dumps(document).decode(), etag, with_added(found, [("metadata.uid", uid), *given], known))


def _status_item(problem: Problem) -> dict[str, Any]:
    item: dict[str, Any] = {
        "type": "backstage.io/catalog-processing",
        "level": problem.severity,
        "message": str(problem),
        "error": {"name": _ERROR_NAMES.get(problem.code, "InputError"), "message": str(problem), "code": problem.code},
        "file": problem.location,
    }
    if problem.field:
        item["field"] = problem.field
    if problem.span is not None:
        item["line"] = problem.span.line
        item["column"] = problem.span.column
    return item
