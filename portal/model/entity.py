"""An entity as its file declares it, with where it came from."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import orjson

from portal.model.ref import DEFAULT_NAMESPACE, EntityRef

LOCATION_ANNOTATION = "backstage.io/managed-by-location"
ORIGIN_ANNOTATION = "backstage.io/managed-by-origin-location"
TEMPLATE_ANNOTATION = "backstage.io/source-template"
SOURCE_ANNOTATION = "backstage.io/source-location"
VIEW_URL_ANNOTATION = "backstage.io/view-url"
EDIT_URL_ANNOTATION = "backstage.io/edit-url"
ORPHAN_ANNOTATION = "backstage.io/orphan"


@dataclass(frozen=True, slots=True)
class Entity:
    """A document that has passed every check.

    `declared` is untouched; `text` is its JSON; `digest` (64 hex characters) is of its JSON in the order of its keys.
    """

    ref: EntityRef
    declared: Mapping[str, Any]
    text: str
    digest: str

    @classmethod
    def of_text(cls, ref: EntityRef, text: str, digest: str) -> Self:
        """Return an entity as the store has it."""
        return cls(ref, orjson.loads(text), text, digest)

    @property
    def kind(self) -> str:
        """The kind with its case."""
        return str(self.declared["kind"])

    @property
    def spec(self) -> Mapping[str, Any]:
        """The spec; empty where the document has none."""
        spec: Mapping[str, Any] = self.declared.get("spec") or {}
        return spec


def ref_of(declared: Mapping[str, Any]) -> EntityRef:
    """Return the reference of a declared entity whose envelope has been checked."""
    metadata = declared["metadata"]
    return EntityRef.of(declared["kind"], metadata.get("namespace") or DEFAULT_NAMESPACE, metadata["name"])


def digest_of(declared: Mapping[str, Any]) -> str:
    """Return the digest of a declared entity: 64 hex characters, the same for any order of keys."""
    return hashlib.sha256(orjson.dumps(declared, option=orjson.OPT_SORT_KEYS)).hexdigest()


def entity_of(declared: Mapping[str, Any]) -> Entity:
    """Return the entity of a document that has passed every check."""
    return Entity(ref_of(declared), declared, orjson.dumps(declared).decode(), digest_of(declared))
