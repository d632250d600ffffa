"""The flow of data, from a dataset to the services that use what is made of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from portal.model.relation import INVERSES, Relation

#: Relations from what is made, or reads, to what it is made of, or read: against the flow.
_AGAINST: Final = frozenset({"consumes", "derivedFrom", "producedBy", "trainedOn"})
#: A need is a flow of data where data or a model is needed; of a library or a cluster it is none.
_NEED, _DATA_KINDS = "dependsOn", frozenset({"dataset", "featureset", "model"})

#: Relations to follow from an entity to what flows into it, and to what it flows into.
UPSTREAM: Final = frozenset({*_AGAINST, _NEED})
DOWNSTREAM: Final = frozenset(INVERSES[name] for name in UPSTREAM)


def flows(relations: Iterable[Relation]) -> Iterator[Relation]:
    """Yield those of the relations of `UPSTREAM` or `DOWNSTREAM` that data flows along."""
    for relation in relations:
        needed = relation.target if relation.type == _NEED else relation.source
        if relation.type not in {_NEED, INVERSES[_NEED]} or needed.kind in _DATA_KINDS:
            yield relation
