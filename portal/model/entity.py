"""An entity as its file declares it, with where it came from."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from portal.model.ref import DEFAULT_NAMESPACE, EntityRef

LOCATION_ANNOTATION = "backstage.io/managed-by-location"
ORIGIN_ANNOTATION = "backstage.io/managed-by-origin-location"
TEMPLATE_ANNOTATION = "backstage.io/source-template"
#: The commit of the template at which an entity was generated, or brought up to date.
TEMPLATE_COMMIT_ANNOTATION = "portal/template-commit"
SOURCE_ANNOTATION = "backstage.io/source-location"
VIEW_URL_ANNOTATION = "backstage.io/view-url"
EDIT_URL_ANNOTATION = "backstage.io/edit-url"
ORPHAN_ANNOTATION = "backstage.io/orphan"


#: What a file says of these is replaced: the catalog knows where the file is.
GIVEN_ANNOTATIONS = frozenset({LOCATION_ANNOTATION, ORIGIN_ANNOTATION})


@dataclass(frozen=True, slots=True)
class Entity:
    """A document that has passed every check.

    `text` is its JSON, nothing changed; `digest` (64 hex characters) is the same for any order of its keys.
    """

    ref: EntityRef
    text: str
    digest: str


def ref_of(declared: Mapping[str, Any]) -> EntityRef:
    """Return the reference of a declared entity whose envelope has been checked."""
    metadata = declared["metadata"]
    return EntityRef.of(declared["kind"], metadata.get("namespace") or DEFAULT_NAMESPACE, metadata["name"])


def digest_of(declared: Mapping[str, Any]) -> str:
    """Return the digest of a declared entity: 64 hex characters, the same for any order of keys."""
    return hashlib.sha256(orjson.dumps(declared, option=orjson.OPT_SORT_KEYS)).hexdigest()


def entity_of(declared: Mapping[str, Any]) -> Entity:
    """Return the entity of a document that has passed every check."""
    return Entity(ref_of(declared), orjson.dumps(declared).decode(), digest_of(declared))
