"""Reads what needs what by number, whole, or of what has changed since a revision."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import NamedTuple

import orjson
from sqlalchemy import Connection, select

from portal.graph.impact import REACHED_TYPES
from portal.graph.reach import Step
from portal.model.ref import EntityRef
from portal.model.relation import DEPENDENCY_TYPES
from portal.store.dialect import among, in_chunks
from portal.store.relations import is_of_types
from portal.store.tables import entities, refs, relations, sources, versions

#: So many rows are in memory at once beside the graph that is made of them.
_AT_ONCE = 50_000


class Named(NamedTuple):
    """What a number stands for: its reference, with the owner where the entity is there and has one."""

    ref: str
    owner: str | None


def all_steps(connection: Connection) -> Iterator[list[Step]]:
    """Yield every step of need, a portion at a time, as `portal.graph.reach` has them."""
    columns = (relations.c.source_id, relations.c.target_id, relations.c.is_inverse)
    rows = connection.execute(select(*columns).where(is_of_types(REACHED_TYPES)))
    for some in rows.partitions(_AT_ONCE):
        yield [(source, target, not is_inverse) for source, target, is_inverse in some]


def steps_declared_by(connection: Connection, numbers: Sequence[int]) -> list[Step]:
    """Return the steps of need that some entities declare."""
    found: list[Step] = []
    columns = (relations.c.source_id, relations.c.target_id)
    for chunk in in_chunks(numbers):
        for types, by_source in ((REACHED_TYPES, True), (DEPENDENCY_TYPES, False)):
            wanted = among(relations.c.source_id, chunk), ~relations.c.is_inverse, is_of_types(types)
            for declaring, other in connection.execute(select(*columns).where(*wanted)).all():
                found.append((declaring, other, True) if by_source else (other, declaring, False))
    return found


def numbers_of(connection: Connection, wanted: Collection[str]) -> dict[str, int]:
    """Return the numbers of references; those that nothing has or ever had are left out."""
    found: dict[str, int] = {}
    for chunk in in_chunks(sorted(ref for ref in wanted if "\0" not in ref)):
        found.update(
            (ref, number)
            for ref, number in connection.execute(select(refs.c.ref, refs.c.id).where(among(refs.c.ref, chunk))).all()
        )
    return found


def named(connection: Connection, numbers: Sequence[int]) -> dict[int, Named]:
    """Return what numbers stand for."""
    found: dict[int, Named] = {}
    statement = select(refs.c.id, refs.c.ref, entities.c.owner).outerjoin(entities, entities.c.id == refs.c.id)
    for chunk in in_chunks(numbers):
        rows = connection.execute(statement.where(among(refs.c.id, chunk))).all()
        found.update({number: Named(ref, owner or None) for number, ref, owner in rows})
    return found


def changed_since(connection: Connection, revision: int, *, most: int) -> list[EntityRef] | None:
    """Return the entities that came, changed or went after a revision, sorted; None where they are more than `most`."""
    wanted = select(versions.c.ref).where(versions.c.revision > revision).distinct().limit(most + 1)
    found = connection.execute(wanted).scalars().all()
    return None if len(found) > most else [EntityRef(ref) for ref in sorted(found)]


def meanings(connection: Connection) -> Mapping[str, bytes]:
    """Return what each source's documents were last read under, settings and kinds, as a text that changes with it.

    Where it changes, relations of entities may change that have no new version.
    """
    found: dict[str, bytes] = {}
    for identity, fingerprint in connection.execute(select(sources.c.id, sources.c.fingerprint)):
        parts = orjson.loads(fingerprint) if fingerprint else {}
        told = [parts.get("meaning", ""), parts.get("kinds", {})]
        found[identity] = orjson.dumps(told, option=orjson.OPT_SORT_KEYS)
    return found
