"""All entities of one revision in columns, which filters, counts, orders go through in memory.

A set of entities is a whole number with one byte for each, 1 where the entity belongs to it: sets are joined and
counted as numbers are, those of a hundred thousand in some millionths of a second.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter, OrderedDict
from collections.abc import Callable, Collection, Hashable, Iterable, Mapping, Sequence
from functools import reduce
from itertools import chain, compress
from operator import or_
from typing import NamedTuple, TypeVar

from portal.store.columns import Row

Answer = TypeVar("Answer")

#: What a table can be filtered by; an entity has one value of each at most, but for tags.
FACETS = ("kind", "type", "layer", "owner", "system", "lifecycle", "tag")
#: The facets whose values are references.
LEADING = frozenset({"layer", "owner", "system"})
#: What stands for having no value.
NONE = "-"
#: So many answers of each sort are kept; an order of 100,000 takes 800 kB.
_MOST_KEPT, _MOST_ORDERED = 32, 8
#: The sets of so many values are held.
_FEW_VALUES = 60
#: Comes after all that people write.
_LAST = "\U0010ffff"


class Entry(NamedTuple):
    """An entity in a table: its row, with what it is classed as, as it is written."""

    row: Row
    type: str = ""
    lifecycle: str = ""
    tags: tuple[str, ...] = ()


class Place(NamedTuple):
    """An entity's place in an order: what it is ordered by, then its reference."""

    value: str
    ref: str


class Columns:
    """The entities of a revision, by number in the order of references; they stay as they are."""

    def __init__(self, revision: int, entries: Sequence[Entry], kinds: Mapping[str, str]) -> None:
        """`entries` are sorted by reference; `kinds` are the names of kinds by their lower case."""
        self.revision = revision
        self.entries = entries
        self.kinds = kinds
        self.refs = [entry.row.ref for entry in entries]
        self._numbers = {entry.row.id: number for number, entry in enumerate(entries)}
        self._single: Mapping[str, list[str]] = {
            "kind": [entry.row.kind for entry in entries],
            "type": [entry.type.lower() or NONE for entry in entries],
            "layer": [entry.row.layer or NONE for entry in entries],
            "owner": [entry.row.owner or NONE for entry in entries],
            "system": [entry.row.system or NONE for entry in entries],
            "lifecycle": [entry.lifecycle.lower() or NONE for entry in entries],
        }
        self._written = {
            "kind": kinds,
            "type": {entry.type.lower(): entry.type for entry in entries},
            "lifecycle": {entry.lifecycle.lower(): entry.lifecycle for entry in entries},
        }
        self._tags = [entry.tags or (NONE,) for entry in entries]
        self._sets: OrderedDict[Hashable, int] = OrderedDict()
        self._by_value: dict[str, Mapping[str, int] | None] = {}
        self._counts: OrderedDict[Hashable, Mapping[str, int]] = OrderedDict()
        self._orders: dict[tuple[str, bool], list[int]] = {}
        self._values: dict[str, list[str]] = {}
        self._ordered: OrderedDict[Hashable, list[int]] = OrderedDict()

    @property
    def everything(self) -> int:
        """The set of all entities."""
        return _set_of(b"\1" * len(self.refs))

    def having(self, facet: str, wanted: Collection[str]) -> int:
        """Return the set of the entities that have one of some values, which are lower case."""
        asked = frozenset(wanted)
        return _kept(self._sets, (facet, asked), lambda: self._having(facet, asked))

    def of_ids(self, ids: Iterable[int]) -> int:
        """Return the set of those of some entities, given by id, that are here."""
        marks = bytearray(len(self.refs))
        for number in map(self._numbers.get, ids):
            if number is not None:
                marks[number] = 1
        return _set_of(marks)

    def counts(self, facet: str, among: int) -> Mapping[str, int]:
        """Return how many entities of a set have each value."""
        return _kept(self._counts, (facet, among), lambda: self._counted(facet, among))

    def ordered(self, among: int, sort: str, *, descending: bool) -> list[int]:
        """Return the numbers of a set's entities in an order; those that lack what it goes by come last."""
        asked = (among, sort, descending)
        return _kept(self._ordered, asked, lambda: self._in_order(among, sort, descending), most=_MOST_ORDERED)

    def index(self, ordered: Sequence[int], place: Place, sort: str, *, descending: bool) -> int:
        """Return how many of some ordered entities come before a place, whether it is still taken or not.

        What the place is ordered by may be cut short as long as it is taken.
        """
        values = self._sorted_by(sort)
        number = bisect_left(self.refs, place.ref)
        if number < len(self.refs) and self.refs[number] == place.ref and values[number].startswith(place.value):
            place = self.place(number, sort)

        def is_not_before(number: int) -> bool:
            value = values[number]
            if value == place.value:
                return self.refs[number] >= place.ref
            if not (value and place.value):
                return not value
            return (value < place.value) if descending else (value > place.value)

        return bisect_left(ordered, x=True, key=is_not_before)

    def place(self, number: int, sort: str) -> Place:
        """Return the place of an entity in an order."""
        return Place(self._sorted_by(sort)[number], self.refs[number])

    def entry(self, ref: str) -> Entry | None:
        """Return an entity, None where it is not here."""
        number = bisect_left(self.refs, ref)
        return self.entries[number] if number < len(self.refs) and self.refs[number] == ref else None

    def name(self, facet: str, value: str) -> str:
        """Return a value as people know it: the title of what a reference leads to, else as it is written."""
        if facet in LEADING:
            entry = self.entry(value)
            return value if entry is None else entry.row.title
        return self._written.get(facet, {}).get(value, value)

    def patched(self, revision: int, entries: Sequence[Entry], *, gone: Collection[str]) -> Columns | None:
        """Return the columns of a later revision, until which these entities came or changed, others are `gone`.

        None where others may have become something else through one of them: as parts of a system, of a kind.
        """
        touched = {*gone, *(entry.row.ref for entry in entries)}
        parents = {parent for entry in self.entries for parent in (entry.row.system, entry.row.domain)}
        if not touched.isdisjoint(parents) or any(ref.startswith("kinddefinition:") for ref in touched):
            return None
        kept = [entry for entry in self.entries if entry.row.ref not in touched]
        return Columns(revision, sorted([*kept, *entries], key=lambda entry: entry.row.ref), self.kinds)

    def _having(self, facet: str, wanted: frozenset[str]) -> int:
        sets = self._sets_of(facet)
        if sets is not None:
            return reduce(or_, (sets[value] for value in wanted if value in sets), 0)
        if facet == "tag":
            return _set_of(bytes(not wanted.isdisjoint(tags) for tags in self._tags))
        return _set_of(bytes(map(wanted.__contains__, self._single[facet])))

    def _counted(self, facet: str, among: int) -> Mapping[str, int]:
        sets = self._sets_of(facet)
        if sets is not None:
            counts = ((value, (found & among).bit_count()) for value, found in sets.items())
            return {value: count for value, count in counts if count}
        chosen = self._marks(among)
        if facet == "tag":
            return Counter(chain.from_iterable(compress(self._tags, chosen)))
        return Counter(compress(self._single[facet], chosen))

    def _sets_of(self, facet: str) -> Mapping[str, int] | None:
        """Return the set of each value of a facet; None where there are so many that entities are counted instead."""
        if facet not in self._by_value:
            of_each = self._tags if facet == "tag" else [(value,) for value in self._single[facet]]
            every = set(chain.from_iterable(of_each))
            marks = {value: bytearray(len(of_each)) for value in every} if len(every) <= _FEW_VALUES else {}
            if marks:
                for number, values in enumerate(of_each):
                    for value in values:
                        marks[value][number] = 1
            self._by_value[facet] = {value: _set_of(found) for value, found in marks.items()} if marks else None
        return self._by_value[facet]

    def _in_order(self, among: int, sort: str, descending: bool) -> list[int]:  # noqa: FBT001  # as it is kept
        order = self._order(sort, descending=descending)
        return list(compress(order, map(self._marks(among).__getitem__, order)))

    def _order(self, sort: str, *, descending: bool) -> Sequence[int]:
        known = self._orders.get((sort, descending))
        if known is None:
            values = self._sorted_by(sort)
            told = values if descending else [value or _LAST for value in values]
            # What is equal stays in the order of references either way.
            known = sorted(range(len(values)), key=told.__getitem__, reverse=descending)
            self._orders[sort, descending] = known
        return known

    def _sorted_by(self, sort: str) -> list[str]:
        """Return what each entity is ordered by, empty for nothing."""
        known = self._values.get(sort)
        if known is None:
            if sort == "title":
                known = [entry.row.title.lower() for entry in self.entries]
            else:
                column = self._single[sort]
                names = {value: "" if value == NONE else self.name(sort, value).lower() for value in set(column)}
                known = [names[value] for value in column]
            self._values[sort] = known
        return known

    def _marks(self, among: int) -> bytes:
        return among.to_bytes(len(self.refs), "little")


def _set_of(marks: bytes | bytearray) -> int:
    return int.from_bytes(marks, "little")


def _kept(
    answers: OrderedDict[Hashable, Answer], asked: Hashable, find: Callable[[], Answer], *, most: int = _MOST_KEPT
) -> Answer:
    """Return an answer that is known, or what `find` gives; those found longest ago are forgotten.

    Two who ask at once may both find it: nothing but time is lost.
    """
    known = answers.get(asked)
    if known is None:
        known = answers[asked] = find()
        while len(answers) > most:
            try:
                answers.popitem(last=False)
            except KeyError:
                break
    return known
