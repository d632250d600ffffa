"""Keeps the versions of entities, none of which is ever rewritten."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, func, select

from portal.model.location import GENERATED_PREFIX
from portal.model.moment import shown_time
from portal.model.ref import EntityRef
from portal.store.bulk import insert_rows
from portal.store.dialect import among, in_chunks
from portal.store.tables import documents, revisions, versions


@dataclass(frozen=True, slots=True)
class Version:
    """What a refresh did to an entity: `change` is added, changed or removed; `declared` is JSON, empty when removed.

    Times are milliseconds since 1970. `commit` and `author` are empty where the source is no git repository.
    """

    id: int
    ref: EntityRef
    revision: int
    change: str
    location: str
    commit: str
    author: str
    authored_at_ms: int | None
    recorded_at_ms: int
    source_id: str
    declared: str = ""

    @property
    def when_ms(self) -> int:
        """When it was authored; when it was recorded where the source has no history."""
        return self.recorded_at_ms if self.authored_at_ms is None else self.authored_at_ms

    @property
    def author_name(self) -> str:
        """The author without the address."""
        return self.author.rpartition(" <")[0] or self.author

    def to_json(self) -> dict[str, Any]:
        """Return the version as JSON tells it, without its document."""
        authored = self.authored_at_ms
        return {
            "entityRef": self.ref,
            "change": self.change,
            "revision": self.revision,
            "commit": self.commit or None,
            "author": self.author or None,
            "authoredAt": None if authored is None else shown_time(authored),
            "recordedAt": shown_time(self.recorded_at_ms),
            "location": self.location.removeprefix(GENERATED_PREFIX),
        }


class Presence(NamedTuple):
    """When an entity came (`is_there`) or went: the revision and its time in milliseconds since 1970."""

    is_there: bool
    revision: int
    recorded_at_ms: int


COLUMNS = (
    versions.c.id,
    versions.c.ref,
    versions.c.revision,
    versions.c.change,
    versions.c.location,
    versions.c.commit,
    versions.c.author,
    versions.c.authored_at_ms,
    versions.c.recorded_at_ms,
    versions.c.source_id,
)


def declared_by_documents() -> ColumnElement[str]:
    """Return the text that documents declare: their own, or that of a version which tells the same."""
    told = (
        select(versions.c.declared)
        .where(
            versions.c.ref == documents.c.ref,
            versions.c.digest == documents.c.digest,
            versions.c.change != "removed",
        )
        .limit(1)
    )
    return func.coalesce(documents.c.declared, told.scalar_subquery()).label("declared")


def insert_versions(connection: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Append versions; none is ever rewritten."""
    insert_rows(connection, versions, rows)


def versions_since(connection: Connection, revision: int, *, after: int, limit: int) -> Sequence[Version]:
    """Return versions of later revisions in their order, from behind the one with the id `after`, without documents.

    Ids grow with revisions, as only one transaction writes at a time: from a place on, the key alone tells the order.
    """
    statement = select(*COLUMNS).where(versions.c.revision > revision).limit(limit)
    if after:
        statement = statement.where(versions.c.id > after).order_by(versions.c.id)
    else:
        statement = statement.order_by(versions.c.revision, versions.c.id)
    return [version_of(row) for row in connection.execute(statement)]


def refs_by_change(connection: Connection, revisions: Collection[int]) -> dict[str, list[EntityRef]]:
    """Return the entities that came, changed or went with some revisions, sorted, by the name of the change."""
    found: dict[str, list[EntityRef]] = {"added": [], "changed": [], "removed": []}
    statement = select(versions.c.change, versions.c.ref).where(versions.c.revision.in_(sorted(revisions)))
    for change, ref in connection.execute(statement.order_by(versions.c.ref)):
        found[change].append(EntityRef(ref))
    return found


def changes_since(connection: Connection, revision: int) -> dict[EntityRef, str]:
    """Return what later revisions together did to each entity, sorted: it was added, changed or removed.

    What came and went again is left out.
    """
    first: dict[str, str] = {}
    last: dict[str, str] = {}
    statement = select(versions.c.ref, versions.c.change).where(versions.c.revision > revision).order_by(versions.c.id)
    for ref, change in connection.execute(statement).all():
        first.setdefault(ref, change)
        last[ref] = change
    found: dict[EntityRef, str] = {}
    for ref in sorted(last):
        was_there, is_there = first[ref] != "added", last[ref] != "removed"
        if was_there or is_there:
            change = "changed" if was_there else "added"
            found[EntityRef(ref)] = change if is_there else "removed"
    return found


def revisions_of_commits(connection: Connection, commit: str) -> dict[str, int]:
    """Return the newest revision that has versions of a commit, for each commit that begins so; two at most."""
    statement = (
        select(versions.c.commit, func.max(versions.c.revision).label("revision"))
        .where(versions.c.commit.startswith(commit, autoescape=True))
        .group_by(versions.c.commit)
        .limit(2)
    )
    return {row.commit: row.revision for row in connection.execute(statement)}


def newest_revision_of(connection: Connection, commits: Sequence[str]) -> int | None:
    """Return the newest revision that has versions of any of some commits, given in full; None where none has."""
    newest = select(func.max(versions.c.revision)).where(among(versions.c.commit, commits))
    found: int | None = connection.execute(newest).scalar()
    return found


def place_of_revision(connection: Connection, revision: int) -> int:
    """Return the id of the last version of all revisions up to one; 0 when there was none."""
    upto = select(versions.c.id).where(versions.c.revision <= revision)
    newest = upto.order_by(versions.c.revision.desc(), versions.c.id.desc()).limit(1)
    return connection.execute(newest).scalar() or 0


def revision_at(connection: Connection, time_ms: int) -> int:
    """Return the newest revision that was recorded up to a time; 0 when there was none."""
    recorded = revisions.c.recorded_at_ms <= time_ms
    found = select(revisions.c.revision).where(recorded).order_by(revisions.c.revision.desc()).limit(1)
    return connection.execute(found).scalar() or 0


def versions_at(connection: Connection, refs: Sequence[EntityRef], revision: int) -> Mapping[EntityRef, Version]:
    """Return the version of each entity that was the newest as of a revision; a removal is one too."""
    found: dict[EntityRef, Version] = {}
    for chunk in in_chunks(refs):
        newest = (
            select(func.max(versions.c.id))
            .where(versions.c.ref.in_(chunk), versions.c.revision <= revision)
            .group_by(versions.c.ref)
        )
        for row in connection.execute(select(*COLUMNS, versions.c.declared).where(versions.c.id.in_(newest))):
            version = version_of(row)
            found[version.ref] = version
    return found


def presences(connection: Connection, refs: Sequence[EntityRef]) -> Mapping[EntityRef, Sequence[Presence]]:
    """Return when each entity came and went, in turn; those that never were are left out."""
    found: dict[EntityRef, list[Presence]] = {}
    columns = (versions.c.ref, versions.c.change, versions.c.revision, versions.c.recorded_at_ms)
    for chunk in in_chunks(refs):
        statement = select(*columns).where(versions.c.ref.in_(chunk), versions.c.change != "changed")
        for ref, change, revision, recorded in connection.execute(statement.order_by(versions.c.id)):
            found.setdefault(EntityRef(ref), []).append(Presence(change == "added", revision, recorded))
    return found


def versions_of(connection: Connection, ref: EntityRef, *, before: int | None, limit: int) -> Sequence[Version]:
    """Return the versions of one entity, the newest first, from before the one with the id `before`."""
    columns = (*COLUMNS, versions.c.declared)
    statement = select(*columns).where(versions.c.ref == ref).order_by(versions.c.id.desc()).limit(limit)
    if before is not None:
        statement = statement.where(versions.c.id < before)
    return [version_of(row) for row in connection.execute(statement)]


def version_of(row: Sequence[object]) -> Version:
    """Return the version that a row of `COLUMNS`, with or without its document, tells of."""
    identity, ref, *rest = row
    return Version(identity, EntityRef(ref), *rest)  # type: ignore[arg-type]
