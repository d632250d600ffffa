"""What a document means beyond its place."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from portal.ingest.relate import declared_targets
from portal.ingest.stitch import Frame, frame, furnished
from portal.model.entity import Entity
from portal.model.kind import Kind
from portal.model.leaves import LeafMemory, indexed_leaves
from portal.model.searchable import Searchable, searchable

#: Gives the annotations that the catalog adds to the entities of a file, by its location.
Annotate = Callable[[str], Mapping[str, str]]


class Meaning(NamedTuple):
    """What an entity's document says: its JSON text, its title, what its single references name, words, leaves.

    `leaves` are the places of what the index holds among the leaves of the batch, division after division where it
    was packed; `frame` is its finished text but for what only the whole catalog knows.
    """

    text: str
    title: str
    targets: Mapping[str, str]
    words: Searchable
    leaves: Sequence[int]
    frame: Frame


def meaning_of(
    entity: Entity,
    declared: Mapping[str, Any],
    kind: Kind,
    *,
    annotations: Mapping[str, str],
    memory: LeafMemory,
) -> Meaning:
    """Return what an entity's document means; `declared` is its text, parsed, `annotations` what the catalog adds."""
    metadata = declared["metadata"]
    document = furnished(declared, annotations)
    return Meaning(
        entity.text,
        str(metadata.get("title") or metadata["name"]),
        declared_targets(entity.ref, declared, kind),
        searchable(declared),
        indexed_leaves(document, memory=memory),
        frame(document),
    )
