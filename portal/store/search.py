"""Finds entities by the words that it keeps of them: FTS5 on SQLite, tsvector on PostgreSQL."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import chain, islice, repeat
from operator import add

import orjson
from sqlalchemy import BigInteger, Connection, Float, Subquery, Text, case, cast, column, func, or_, select, table, text

from portal.model.filter import EntityFilter
from portal.model.query import EntityQuery
from portal.model.searchable import Searchable
from portal.model.words import Phrase
from portal.store.bodies import readable
from portal.store.bulk import insert_tuples
from portal.store.conditions import matching
from portal.store.dialect import in_chunks
from portal.store.tables import entities

#: How much more a word counts in a name, or in what classes an entity, than in its text.
_NAMES, _MARKS, _TEXT = 10.0, 4.0, 1.0
#: The last position that PostgreSQL tells apart.
_LAST = 16_383
_FTS = table("search_words", column("rowid"), column("names"), column("marks"), column("text"))
_VECTORS = table("search_words", column("entity_id"), column("words"))


@dataclass(frozen=True, slots=True)
class Hits:
    """Part of a search's answer, best first: finished JSON texts of entities, and how many there are in all."""

    bodies: Sequence[str]
    total: int


def put_words(connection: Connection, words: Mapping[int, Searchable], *, new: Collection[int] = ()) -> None:
    """Bring the words of entities, given by id, to these; those of entities that are `new` are not there yet."""
    delete_words(connection, [number for number in words if number not in new])
    if connection.dialect.name == "postgresql":
        rows = [(number, _vector(found)) for number, found in words.items()]
        insert_tuples(connection, _VECTORS, ("entity_id", "words"), rows)
    else:
        texts = [(number, *found) for number, found in words.items()]
        insert_tuples(connection, _FTS, ("rowid", "names", "marks", "text"), texts)


def delete_words(connection: Connection, ids: Sequence[int]) -> None:
    """Forget the words of entities."""
    key = "entity_id" if connection.dialect.name == "postgresql" else "rowid"
    for chunk in in_chunks(ids):
        marks = ", ".join(str(int(number)) for number in chunk)
        connection.execute(text(f"DELETE FROM search_words WHERE {key} IN ({marks})"))  # noqa: S608  # whole numbers


def find(
    connection: Connection,
    phrases: Sequence[Phrase],
    entity_filter: EntityFilter | None,
    *,
    term: str,
    offset: int,
    limit: int,
) -> Hits:
    """Return the entities that contain all phrases, best first; without phrases all of them, by reference.

    One whose name or title is just the `term` comes before all others.
    """
    condition = matching(EntityQuery(entity_filter))
    chosen = select(entities.c.id, entities.c.ref, func.count().over().label("total")).where(condition)
    if phrases:
        hits = hits_of(connection, phrases)
        plain = term.strip().lower()
        is_exact = or_(entities.c.ref.endswith(f"/{plain}", autoescape=True), func.lower(entities.c.title) == plain)
        exact = case((is_exact, 0), else_=1)
        chosen = chosen.join(hits, hits.c.id == entities.c.id).order_by(exact, hits.c.score, entities.c.ref)
        chosen = chosen.add_columns(exact.label("exact"), hits.c.score)
    else:
        chosen = chosen.order_by(entities.c.ref)
    part = chosen.offset(offset).limit(limit).subquery("chosen")
    order = [part.c.exact, part.c.score, part.c.ref] if phrases else [part.c.ref]
    # Bodies join last: what is sorted stays small.
    statement = (
        select(entities.c.body, entities.c.ref, part.c.total).join(part, part.c.id == entities.c.id).order_by(*order)
    )
    rows = connection.execute(statement).all()
    if rows or (limit and not offset):
        bodies = readable(connection, {row.ref: row.body for row in rows})
        return Hits([bodies[row.ref] for row in rows], rows[0].total if rows else 0)
    return Hits([], find(connection, phrases, entity_filter, term=term, offset=0, limit=1).total)


def ids_having(connection: Connection, phrases: Sequence[Phrase]) -> Sequence[int]:
    """Return the ids of all entities that contain the phrases, whoever may read them, in no order.

    They come as one text: to fetch a hundred thousand rows takes ten times as long as to find them.
    """
    if connection.dialect.name == "postgresql":
        entries = text("SELECT entity_id AS id FROM search_words WHERE words @@ CAST(:asked AS tsquery)")
    else:
        entries = text("SELECT rowid AS id FROM search_words WHERE search_words MATCH :asked")
    hits = entries.bindparams(asked=_asked(connection, phrases)).columns(column("id", BigInteger)).subquery("hits")
    told = connection.execute(select(func.aggregate_strings(cast(hits.c.id, Text), ","))).scalar_one()
    found: Sequence[int] = orjson.loads(f"[{told or ''}]")
    return found


def hits_of(connection: Connection, phrases: Sequence[Phrase]) -> Subquery:
    """Return (id, score) of the entities that contain the phrases; a smaller score is better."""
    if connection.dialect.name == "postgresql":
        # 1: of two that contain the same the shorter one is better.
        found = text(
            f"SELECT entity_id AS id, -ts_rank_cd('{{{_TEXT / _NAMES}, {_TEXT / _NAMES}, {_MARKS / _NAMES}, 1}}', "  # noqa: S608  # numbers
            "words, asked, 1) AS score FROM search_words, CAST(:asked AS tsquery) AS asked WHERE words @@ asked"
        ).bindparams(asked=_asked(connection, phrases))
    else:
        # The limit, which is none, keeps SQLite from looking words up anew for each entity that a filter leaves
        # (measured: 1.5 s for 6,000 of a kind, 25 ms so).
        found = text(
            f"SELECT rowid AS id, bm25(search_words, {_NAMES}, {_MARKS}, {_TEXT}) AS score FROM search_words "  # noqa: S608  # numbers
            "WHERE search_words MATCH :asked LIMIT -1"
        ).bindparams(asked=_asked(connection, phrases))
    return found.columns(column("id", BigInteger), column("score", Float)).subquery("hits")


def _asked(connection: Connection, phrases: Sequence[Phrase]) -> str:
    """Return phrases, all of which must be there, as a database asks for them."""
    if connection.dialect.name == "postgresql":
        return " & ".join(map(_tsquery, phrases))
    return " AND ".join(map(_fts_query, phrases))


def _fts_query(phrase: Phrase) -> str:
    """Return a phrase as FTS5 asks for it. Rule: sqlite.org/fts5.html, 3. Full-text Query Syntax."""
    quoted = " ".join(phrase.words).replace('"', '""')
    return f'"{quoted}" *' if phrase.is_prefix else f'"{quoted}"'


def _tsquery(phrase: Phrase) -> str:
    """Return a phrase as a tsquery. Rule: PostgreSQL 16, 8.11.2."""
    *first, last = map(_lexeme, phrase.words)
    return f"({' <-> '.join([*first, f'{last}:*' if phrase.is_prefix else last])})"


def _vector(found: Searchable) -> str:
    """Return words as a tsvector, places and weights included. Rule: PostgreSQL 16, 8.11.1.

    The server's own parser would split names and addresses in its own way, unlike SQLite.
    """
    parts: list[str] = []
    place = 0
    for part, weight in zip(found, "ABD", strict=True):
        if part:
            # Letters and digits need no quotes, as almost all words are.
            is_plain = part.replace(" ", "").isalnum()
            words = part.split(" ") if is_plain else map(_lexeme, part.split(" "))
            parts += map(add, words, chain(islice(_places(weight), place, None), repeat(f":{_LAST}{weight}")))
            place += part.count(" ") + 1
        # A phrase does not go on from one part to the next.
        place += 1
    return " ".join(parts)


@cache
def _places(weight: str) -> Sequence[str]:
    """Return what stands behind the word at each place but the last, as the server reads it."""
    return [f":{place}{weight}" for place in range(1, _LAST)]


def _lexeme(word: str) -> str:
    escaped = word.replace("\\", "\\\\").replace("'", "''")
    return f"'{escaped}'"
