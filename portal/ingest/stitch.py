"""Finishes entities: declared document, origin, relations, problems become the text that is served."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Mapping
from typing import Any, NamedTuple

import orjson

from portal.model.entity import LOCATION_ANNOTATION, ORIGIN_ANNOTATION, ORPHAN_ANNOTATION
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
#: What a declared document may say of these is not heard.
_GIVEN_METADATA, _GIVEN = frozenset({"uid", "etag"}), frozenset({"relations"})


class Frame(NamedTuple):
    """A finished entity's JSON text but for uid, etag, relations: up to them in the metadata, from there on."""

    head: str
    tail: str


class Stitched(NamedTuple):
    """A finished entity: the JSON text, and its etag (40 hex characters)."""

    body: str
    etag: str


def furnished(declared: Mapping[str, Any], annotations: Mapping[str, str]) -> dict[str, Any]:
    """Return a declared document with what the catalog says by itself: namespace, annotations.

    Annotations that the file declares win except for those that only the catalog can know. What a file says of uid,
    etag or relations is left out.
    """
    metadata = {name: value for name, value in declared["metadata"].items() if name not in _GIVEN_METADATA}
    metadata.setdefault("namespace", DEFAULT_NAMESPACE)
    own = metadata.pop("annotations", None) or {}
    given = {key: annotations[key] for key in _THE_CATALOGS_OWN if key in annotations}
    metadata["annotations"] = {**annotations, **own, **given}
    document = {name: value for name, value in declared.items() if name not in _GIVEN}
    document["metadata"] = metadata
    return document


def frame(document: Mapping[str, Any]) -> Frame:
    """Return the frame of a furnished document."""
    before: dict[str, Any] = {}
    after = dict(document)
    for name in document:
        before[name] = after.pop(name)
        if name == "metadata":
            break
    tail = orjson.dumps(after).decode()[1:-1]
    return Frame(f"{orjson.dumps(before).decode()[:-2]},", f",{tail}" if tail else "")


def finish(
    framed: Frame, *, uid: str, relations: Iterable[tuple[str, str]], problems: Collection[Problem] = ()
) -> Stitched:
    """Return the finished form of an entity from its frame.

    `relations` are (type, target) pairs, sorted. The problems of the entity's documents appear under `status.items`.
    Rule: the shape is that of catalog-backend 4.0.0's final entity; line, column and field are Portal's additions.
    """
    shown = orjson.dumps([{"type": kind, "targetRef": target} for kind, target in relations]).decode()
    head, tail = f'{framed.head}"uid":"{uid}"', f'}}{framed.tail},"relations":{shown}}}'
    if problems:
        document = orjson.loads(head + tail)
        document["status"] = {"items": [_status_item(problem) for problem in problems]}
        framed = frame(document)
        head, tail = framed.head[:-1], f"}}{framed.tail}}}"
    etag = hashlib.sha1((head + tail).encode(), usedforsecurity=False).hexdigest()
    return Stitched(f'{head},"etag":"{etag}"{tail}', etag)


def stitch(
    declared: Mapping[str, Any],
    *,
    uid: str,
    annotations: Mapping[str, str],
    relations: Iterable[tuple[str, str]],
    problems: Collection[Problem] = (),
) -> Stitched:
    """Return the finished form of one declared entity, to which the catalog adds `annotations`; see `finish`."""
    found = frame(furnished(declared, annotations))
    return finish(found, uid=uid, relations=sorted(relations), problems=problems)


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
