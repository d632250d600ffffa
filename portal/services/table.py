"""The catalog as a table: filtered, counted by facet, in an order, a page at a time."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from portal.model.layer import Layer, layer_of
from portal.model.ref import EntityRef
from portal.model.words import Phrase, phrases
from portal.services.by_visibility import ByVisibility
from portal.services.columns import FACETS, Columns, Entry, Place
from portal.services.kinds import KindsService
from portal.services.memory import cycles_kept
from portal.store import columns, graph, search, sources, versions
from portal.store.columns import Row, Value
from portal.store.database import Connection, Database
from portal.store.sight import visibility_of

#: What a table can be sorted by.
SORTS = ("title", "kind", "type", "layer", "owner", "system", "lifecycle")
#: Up to so many entities that have changed are read by themselves.
_FEW = 1_000
#: So many texts that were asked for are remembered.
_MOST_WORDS = 50
_KEYS = ("metadata.tags", "spec.lifecycle", "spec.type")


@dataclass(frozen=True, slots=True)
class TableQuery:
    """Which entities, in which order: any of the values (lower case) of each facet, all of the words of a text.

    `columns.NONE` among the values means those without any.
    """

    chosen: Mapping[str, frozenset[str]] = field(default_factory=dict)
    text: str = ""
    sort: str = "title"
    descending: bool = False


@dataclass(frozen=True, slots=True)
class TableView:
    """What a query finds in one revision: the numbers of its entities in order, and the sets that facets count."""

    columns: Columns
    query: TableQuery
    ordered: Sequence[int]
    sets: Mapping[str, int]

    @property
    def total(self) -> int:
        """How many entities match."""
        return len(self.ordered)

    def counts(self, facet: str) -> Mapping[str, int]:
        """Return how many entities would be found by each value of a facet, all other facets as they are."""
        return self.columns.counts(facet, self.sets[facet])

    def entries(self, first: int, limit: int) -> list[Entry]:
        """Return a page, from the entity with a number in the order."""
        return [self.columns.entries[number] for number in self.ordered[first : first + limit]]

    def first(self, place: Place | None, *, direction: Literal["after", "before"], limit: int) -> int:
        """Return with which number in the order the page begins that comes after a place, or ends before it."""
        if place is None:
            return 0
        at = self.columns.index(self.ordered, place, self.query.sort, descending=self.query.descending)
        if direction == "before":
            return max(0, at - limit)
        is_taken = at < self.total and self.columns.refs[self.ordered[at]] == place.ref
        return at + 1 if is_taken else at

    def place(self, number: int) -> Place:
        """Return the place of the entity with a number in the order."""
        return self.columns.place(self.ordered[number], self.query.sort)


@dataclass(frozen=True, slots=True)
class _Known:
    """The entities of one revision as somebody sees them, their layers, the sets of those that have some words."""

    columns: Columns
    layers: Mapping[EntityRef, Layer]
    default_layers: Mapping[str, str]
    words: dict[tuple[Phrase, ...], int] = field(default_factory=dict)


class TableService:
    """Tables, for readers.

    All entities of a revision are held in memory for those who see everything, and for the last few visibilities that
    see less: seven facets of 100,000 entities take some milliseconds so, and a second in the database.
    """

    def __init__(self, database: Database, kinds: KindsService) -> None:
        self._database = database
        self._kinds = kinds
        self._lock = threading.Lock()
        self._known: ByVisibility[_Known] = ByVisibility()

    def view(self, query: TableQuery) -> TableView:
        """Return what a query finds as the catalog is now."""
        known = self._now()
        found = known.columns
        sets = {facet: found.having(facet, wanted) for facet, wanted in query.chosen.items() if wanted}
        base = found.everything
        if query.text.strip():
            base = self._having_words(known, query.text)
        every = base
        for part in sets.values():
            every &= part
        others = {}
        for facet in FACETS:
            others[facet] = every
            if facet in sets:
                others[facet] = base
                for other, part in sets.items():
                    if other != facet:
                        others[facet] &= part
        ordered = found.ordered(every, query.sort, descending=query.descending)
        return TableView(found, query, ordered, others)

    def layers(self) -> Mapping[EntityRef, Layer]:
        """Return the layers that there are."""
        return self._now().layers

    def _having_words(self, known: _Known, term: str) -> int:
        wanted = tuple(phrases(term))
        found = known.words.get(wanted)
        if found is None:
            found = 0
            if wanted:
                with self._database.reading() as connection:
                    found = known.columns.of_ids(search.ids_having(connection, wanted))
            if len(known.words) >= _MOST_WORDS:
                known.words.clear()
            known.words[wanted] = found
        return found

    def _now(self) -> _Known:
        revision = self._database.lookup.revision()
        key = self._database.visibility(revision).key
        known = self._known.of(key)
        if known is not None and known.columns.revision == revision:
            return known
        # Held while it is read: others who ask wait for it instead of reading all as well.
        with self._lock, self._database.reading() as connection:
            known = self._known.get(connection)
            revision = sources.current_revision(connection)
            if known is None or known.columns.revision != revision:
                with cycles_kept():
                    known = self._read(connection, known, revision)
                self._known.keep(connection, known)
            return known

    def _read(self, connection: Connection, known: _Known | None, revision: int) -> _Known:
        kinds = self._kinds.seen_by(connection)
        defaults = dict(kinds.default_layers)
        layers = {ref: layer_of(body, ref) for ref, body in graph.declared_of_kinds(connection, ("layer",)).items()}
        found = None
        # What somebody may read may change with other entities than those that have changed.
        if (
            known is not None
            and known.columns.revision < revision
            and known.default_layers == defaults
            and visibility_of(connection).is_all
        ):
            changes = versions.changes_since(connection, known.columns.revision)
            if len(changes) <= _FEW:
                came = [ref for ref, change in changes.items() if change != "removed"]
                gone = changes.keys() - came
                rows = columns.rows(connection, default_layers=defaults, refs=came)
                values = columns.values(connection, _KEYS, ids=[row.id for row in rows])
                found = known.columns.patched(revision, _entries(rows, values), gone=gone)
        if found is None:
            rows = columns.rows(connection, default_layers=defaults)
            names = {kind.name.lower(): kind.name for kind in kinds}
            found = Columns(revision, _entries(rows, columns.values(connection, _KEYS)), names)
        return _Known(found, layers, defaults)


def _entries(rows: Sequence[Row], values: Iterable[Value]) -> list[Entry]:
    """Return entities with what they are classed as; tags that many have together are held once."""
    types: dict[int, str] = {}
    lifecycles: dict[int, str] = {}
    tags: dict[int, list[str]] = {}
    for value in sorted(values, key=lambda value: value.text):
        if value.key == "metadata.tags":
            for number in value.ids:
                tags.setdefault(number, []).append(value.text)
        else:
            told = types if value.key == "spec.type" else lifecycles
            for number in value.ids:
                told.setdefault(number, value.text)
    known: dict[tuple[str, ...], tuple[str, ...]] = {}
    return [
        Entry(
            row,
            types.get(row.id, ""),
            lifecycles.get(row.id, ""),
            known.setdefault(found := tuple(tags.get(row.id, ())), found),
        )
        for row in rows
    ]
