"""Reads what a table of all entities shows, column by column."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from sys import intern
from typing import NamedTuple

import orjson
from sqlalchemy import Connection, Text, cast, func, select, true

from portal.model.leaves import NOTHING
from portal.model.ref import EntityRef
from portal.store.dialect import among, each_number, in_chunks
from portal.store.graph import with_declared_layer
from portal.store.tables import entities, postings, terms


class Row(NamedTuple):
    """An entity in a table; its `layer` is the effective one, `domain` the one that it names itself."""

    id: int
    ref: str
    kind: str
    title: str
    owner: str | None
    system: str | None
    domain: str | None
    layer: str | None


class Value(NamedTuple):
    """A value of a leaf, as it is written, with the ids of entities that have it; some may not be readable."""

    key: str
    text: str
    ids: Sequence[int]


def rows(
    connection: Connection, *, default_layers: Mapping[str, str], refs: Collection[str] | None = None
) -> list[Row]:
    """Return entities, some or all, by reference; `default_layers` are those of kinds (lower case), by name."""
    told = with_declared_layer(
        entities.c.id,
        entities.c.ref,
        entities.c.kind,
        entities.c.title,
        entities.c.owner,
        entities.c.system,
        entities.c.domain,
    )
    if refs is None:
        found = connection.execute(told).all()
    else:
        chunks = in_chunks(sorted(refs))
        found = [row for chunk in chunks for row in connection.execute(told.where(among(entities.c.ref, chunk)))]
    defaults = {kind: str(EntityRef.of("layer", "default", name)) for kind, name in default_layers.items()}
    made = [
        # What many have is held once.
        Row(number, ref, intern(kind), title, *map(_held, (owner, system, domain, layer or defaults.get(kind))))
        for number, ref, kind, title, owner, system, domain, layer in found
    ]
    return sorted(made, key=lambda row: row.ref)


def values(connection: Connection, keys: Collection[str], *, ids: Collection[int] | None = None) -> list[Value]:
    """Return the values of some keys (lower case) of some entities or all, as often as they are written differently.

    Of all, entities come as one text for each value: as rows there would be several for each entity.
    """
    meant = (terms.c.key.in_(sorted(keys)), terms.c.value != NOTHING)
    if ids is not None:
        listed, term_id = each_number(entities.c.term_ids)
        asked = select(terms.c.key, terms.c.display, entities.c.id)
        asked = asked.select_from(entities.join(listed, true()).join(terms, terms.c.id == term_id))
        return [
            Value(key, text, (number,))
            for chunk in in_chunks(sorted(ids))
            for key, text, number in connection.execute(asked.where(*meant, among(entities.c.id, chunk)))
        ]
    gathered = func.aggregate_strings(cast(postings.c.entity_id, Text), ",").label("ids")
    wanted = postings.c.term_id.in_(select(terms.c.id).where(*meant))
    each = select(postings.c.term_id, gathered).where(wanted).group_by(postings.c.term_id).subquery()
    asked = select(terms.c.key, terms.c.display, each.c.ids).join(each, each.c.term_id == terms.c.id)
    return [Value(key, text, orjson.loads(f"[{numbers}]")) for key, text, numbers in connection.execute(asked).all()]


def _held(text: str | None) -> str | None:
    return intern(text) if text else None
