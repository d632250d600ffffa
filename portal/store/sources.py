"""Keeps what is known of sources: their files, documents, problems."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import orjson
from sqlalchemy import Connection, bindparam, delete, func, insert, select, update

from portal.ingest.stored import DocumentKey, FileState, Stored, StoredDocument, StoredProblem
from portal.model.problem import Problem, Span
from portal.model.sentence import restored, stored
from portal.store.bulk import insert_rows
from portal.store.dialect import WANTED, among, among_wanted, in_chunks, once
from portal.store.tables import documents, files, problems, revisions, sources
from portal.store.versions import declared_by_documents

#: The problems that say that git, a folder or a web server did not give what there is now.
UNREACHABLE = ("source-unreachable", "revision-missing")

#: Asked several times for one answer: to put it together took longer than to answer it.
_NEWEST = select(func.coalesce(func.max(revisions.c.revision), 0))
_PROBLEMS_OF = select(problems).where(among_wanted(problems.c.ref)).order_by(problems.c.id)


@dataclass(frozen=True, slots=True)
class Source:
    """What is refreshed as a whole: the root location and all that it leads to.

    `fingerprint` tells what the last refresh was made from; empty before the first. A `registered` source came through
    the API, the others from settings or the CLI. `generation` grows with each write: who has read another one must not
    write, however long ago that was.
    """

    id: str
    type: str
    target: str
    registered: bool
    fingerprint: str = ""
    revision: int = 0
    generation: int = 0

    @property
    def location(self) -> str:
        """The root location, `type:target`."""
        return f"{self.type}:{self.target}"


class Revision(NamedTuple):
    """A revision of the catalog, and when it was recorded in milliseconds since 1970."""

    number: int
    recorded_at_ms: int


def list_sources(connection: Connection) -> list[Source]:
    """Return all sources, oldest first."""
    rows = connection.execute(select(sources).order_by(sources.c.created_at_ms, sources.c.id))
    return [
        Source(row.id, row.type, row.target, row.registered, row.fingerprint, row.revision, row.generation)
        for row in rows
    ]


def times_of_changes(connection: Connection) -> dict[str, int]:
    """Return when each source's last refresh ended that found a change, in milliseconds since 1970."""
    statement = select(sources.c.id, sources.c.refreshed_at_ms).where(sources.c.refreshed_at_ms.is_not(None))
    return {row.id: row.refreshed_at_ms for row in connection.execute(statement)}


def unreachable_sources(connection: Connection) -> frozenset[str]:
    """Return the sources of which something could not be read at the last look."""
    statement = select(problems.c.source_id).where(problems.c.code.in_(UNREACHABLE)).distinct()
    return frozenset(connection.execute(statement).scalars())


def add_sources(connection: Connection, added: Collection[Source], *, now_ms: int) -> None:
    """Add sources that are not there yet."""
    insert_rows(
        connection,
        sources,
        [
            {
                "id": source.id,
                "type": source.type,
                "target": source.target,
                "registered": source.registered,
                "fingerprint": source.fingerprint,
                "revision": source.revision,
                "created_at_ms": now_ms,
                "refreshed_at_ms": None,
            }
            for source in added
        ],
    )


def retarget_source(connection: Connection, source_id: str, *, location_type: str, target: str) -> None:
    """Give a source another root location."""
    connection.execute(update(sources).where(sources.c.id == source_id).values(type=location_type, target=target))


def delete_sources(connection: Connection, ids: Collection[str]) -> None:
    """Delete sources whose documents have been dropped, with their files and problems."""
    for table, column in ((problems, problems.c.source_id), (files, files.c.source_id), (sources, sources.c.id)):
        connection.execute(delete(table).where(column.in_(list(ids))))


def finish_source(
    connection: Connection, source_id: str, *, fingerprint: str, revision: int | None, now_ms: int
) -> None:
    """Note what a refresh was made from, and its revision where it changed anything."""
    values: dict[str, Any] = {"fingerprint": fingerprint, "generation": sources.c.generation + 1}
    if revision is not None:
        values |= {"revision": revision, "refreshed_at_ms": now_ms}
    connection.execute(update(sources).where(sources.c.id == source_id).values(values))


def current_revision(connection: Connection) -> int:
    """Return the newest revision of the catalog; 0 when nothing has been written."""
    return once(connection, "revision", lambda: int(connection.execute(_NEWEST).scalar_one()))


def newest_revision(connection: Connection) -> Revision:
    """Return the newest revision with its time; 0 for both when nothing has been written."""
    columns = (revisions.c.revision, revisions.c.recorded_at_ms)
    row = connection.execute(select(*columns).order_by(revisions.c.revision.desc()).limit(1)).first()
    return Revision(0, 0) if row is None else Revision(row.revision, row.recorded_at_ms)


def add_revision(connection: Connection, row: Mapping[str, Any]) -> None:
    """Record a revision with its counts of entities added, changed and removed."""
    connection.execute(insert(revisions), dict(row))


def stored_state(connection: Connection, source_id: str) -> Stored:
    """Return what the store knows of a source but its documents, in two statements; see `stored_documents`."""
    file_rows = connection.execute(
        select(files.c.location, files.c.blob, files.c.inputs).where(files.c.source_id == source_id)
    )
    found_files = {
        location: FileState(blob, () if inputs == "{}" else tuple(sorted(orjson.loads(inputs).items())))
        for location, blob, inputs in file_rows
    }
    problem_rows = connection.execute(select(problems).where(problems.c.source_id == source_id).order_by(problems.c.id))
    return Stored(found_files, {}, [StoredProblem(row.id, problem_of_row(row), row.revision) for row in problem_rows])


def stored_documents(
    connection: Connection, source_id: str, *, locations: Collection[str] | None = None
) -> dict[DocumentKey, StoredDocument]:
    """Return the documents of a source: all, or those of some files with all orphans."""
    statement = select(
        documents.c.id,
        documents.c.location,
        documents.c.ref,
        documents.c.occurrence,
        documents.c.line,
        documents.c.digest,
        documents.c.is_orphan,
    ).where(documents.c.source_id == source_id)
    if locations is None:
        statements = [statement]
    else:
        statements = [statement.where(among(documents.c.location, chunk)) for chunk in in_chunks(sorted(locations))]
        statements.append(statement.where(documents.c.is_orphan))
    found: dict[DocumentKey, StoredDocument] = {}
    for wanted in statements:
        for row in connection.execute(wanted):
            key = DocumentKey(row.location, row.ref, row.occurrence)
            found[key] = StoredDocument(row.id, key, row.line, row.digest, row.is_orphan)
    return found


def location_documents(connection: Connection, source_id: str) -> dict[str, list[str]]:
    """Return the declared text of a source's Location entities but orphans, by the file they stand in."""
    rows = connection.execute(
        select(documents.c.location, declared_by_documents()).where(
            documents.c.source_id == source_id, documents.c.ref.like("location:%"), ~documents.c.is_orphan
        )
    )
    found: dict[str, list[str]] = {}
    for row in rows:
        found.setdefault(row.location, []).append(row.declared)
    return found


def next_document_id(connection: Connection) -> int:
    """Return the first id above all documents' own: the lowest id was the first to claim its entity."""
    return int(connection.execute(select(func.coalesce(func.max(documents.c.id), 0))).scalar_one()) + 1


def insert_documents(connection: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert documents, with ids from `next_document_id` on."""
    insert_rows(connection, documents, rows)


def update_documents(connection: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Bring documents, given by `id`, to the columns given."""
    if rows:
        columns = [name for name in rows[0] if name != "id"]
        statement = (
            update(documents)
            .where(documents.c.id == bindparam("row_id"))
            .values({name: bindparam(f"new_{name}") for name in columns})
        )
        connection.execute(
            statement, [{"row_id": row["id"]} | {f"new_{name}": row[name] for name in columns} for row in rows]
        )


def delete_documents(connection: Connection, ids: Sequence[int]) -> None:
    """Delete documents by id."""
    for chunk in in_chunks(ids):
        connection.execute(delete(documents).where(documents.c.id.in_(chunk)))


def put_files(connection: Connection, source_id: str, states: Mapping[str, FileState]) -> None:
    """Note the content that files were compiled from."""
    delete_files(connection, source_id, list(states))
    insert_rows(
        connection,
        files,
        [
            {
                "source_id": source_id,
                "location": location,
                "blob": state.blob,
                "inputs": orjson.dumps(dict(state.inputs)).decode(),
            }
            for location, state in states.items()
        ],
    )


def delete_files(connection: Connection, source_id: str, locations: Sequence[str]) -> None:
    """Forget files."""
    for chunk in in_chunks(locations):
        connection.execute(delete(files).where(files.c.source_id == source_id, among(files.c.location, chunk)))


def add_problems(
    connection: Connection,
    added: Collection[tuple[str, Problem]],
    *,
    revision: int,
    dropped: Collection[StoredProblem] = (),
) -> None:
    """Add problems, each with the id of the source that it belongs to.

    One that only stands on another line than a dropped one is as old as that: an edit above it makes it no news.
    """
    known: dict[Problem, int] = {}
    for item in dropped:
        place = replace(item.problem, span=None)
        known[place] = min(item.revision, known.get(place, revision))
    insert_rows(
        connection,
        problems,
        [
            {
                "source_id": source_id,
                "ref": problem.ref,
                "location": problem.location,
                "line": problem.span.line if problem.span else None,
                "column": problem.span.column if problem.span else None,
                "field": problem.field,
                "code": problem.code,
                "severity": problem.severity,
                "found": problem.found,
                "expected": problem.expected,
                "hint": problem.hint,
                "said": _said(problem),
                "revision": known.get(replace(problem, span=None), revision) if known else revision,
            }
            for source_id, problem in added
        ],
    )


def delete_problems(connection: Connection, ids: Sequence[int]) -> None:
    """Delete problems by id."""
    for chunk in in_chunks(ids):
        connection.execute(delete(problems).where(problems.c.id.in_(chunk)))


def problems_of_refs(
    connection: Connection, refs: Sequence[str], *, codes: Collection[str] = ()
) -> list[tuple[str, StoredProblem]]:
    """Return the problems that concern these entities, each with its source's id; `codes` narrows them."""
    statement = _PROBLEMS_OF.where(problems.c.code.in_(sorted(codes))) if codes else _PROBLEMS_OF
    return [
        (row.source_id, StoredProblem(row.id, problem_of_row(row), row.revision))
        for chunk in in_chunks(refs)
        for row in connection.execute(statement, {WANTED: chunk})
    ]


def refs_with_problems(connection: Connection) -> frozenset[str]:
    """Return the references of all entities that problems concern."""
    return frozenset(connection.execute(select(problems.c.ref).where(problems.c.ref.is_not(None)).distinct()).scalars())


def list_problems(connection: Connection, *, source_ids: Collection[str] | None = None) -> list[Problem]:
    """Return the problems of some sources, or of all, by file and line."""
    statement = select(problems).order_by(problems.c.location, problems.c.line, problems.c.id)
    if source_ids is not None:
        statement = statement.where(problems.c.source_id.in_(sorted(source_ids)))
    return [problem_of_row(row) for row in connection.execute(statement)]


def counts_of_problems(connection: Connection) -> dict[str, int]:
    """Return how many problems there are of each severity."""
    counted = select(problems.c.severity, func.count()).group_by(problems.c.severity)
    return {severity: count for severity, count in connection.execute(counted)}  # noqa: C416  # rows are no pairs to mypy


def dated_problems(connection: Connection) -> list[tuple[Problem, int]]:
    """Return the problems of all sources, by file and line, each with the revision that first showed it."""
    statement = select(problems).order_by(problems.c.location, problems.c.line, problems.c.id)
    return [(problem_of_row(row), row.revision) for row in connection.execute(statement)]


def problem_of_row(row: Any) -> Problem:
    """Return the problem that a row of the table holds."""
    span = Span(row.line, row.column) if row.line is not None else None
    found, expected, hint = row.found, row.expected, row.hint
    if row.said is not None:
        found, expected, hint = map(restored, (found, expected, hint), orjson.loads(row.said))
    return Problem(row.code, row.location, span, row.field, found, expected, hint, row.ref, row.severity)


def _said(problem: Problem) -> str | None:
    """Return the sentences of a problem as pages translate them, None where no value stands in any."""
    kept = [stored(problem.found), stored(problem.expected), stored(problem.hint)]
    return None if not any(kept) else orjson.dumps(kept).decode()


def documents_of(connection: Connection, refs: Sequence[str]) -> dict[str, list[StoredDocument]]:
    """Return the documents that claim these entities, by the id of their source."""
    found: dict[str, list[StoredDocument]] = {}
    for chunk in in_chunks(refs):
        for row in connection.execute(select(documents).where(documents.c.ref.in_(chunk))):
            key = DocumentKey(row.location, row.ref, row.occurrence)
            found.setdefault(row.source_id, []).append(StoredDocument(row.id, key, row.line, row.digest, row.is_orphan))
    return found
