"""Turns questions about entities into SQL over the index of leaves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    ColumnElement,
    CompoundSelect,
    FromClause,
    Select,
    Subquery,
    and_,
    distinct,
    exists,
    false,
    func,
    literal,
    or_,
    select,
    true,
    union_all,
)

from portal.errors import InputError
from portal.model.filter import EntityFilter
from portal.model.leaves import NOTHING
from portal.model.query import EntityQuery, Order, Place
from portal.store.conditions import RELATION, UID, bounds, is_beside, is_of_type, matching, matching_ids, possible
from portal.store.dialect import apart, each_number, is_listed
from portal.store.tables import entities, postings, refs, relations, terms

#: Up to so many matches are sorted by reference; of more, references are walked until a page is full.
SORTED_MATCHES = 1_000
#: An order is walked only where its field has so many values, which leaves few entities to each, and not from far in.
WALKED_VALUES = 1_000
_WALKED_OFFSET = 1_000
_LARGEST = 2**31 - 1


@dataclass(frozen=True, slots=True)
class Slice:
    """Which part of an ordered answer: from after (or back from before) a place, or `offset` entities in."""

    limit: int
    offset: int = 0
    place: Place | None = None
    is_backwards: bool = False


def count_statement(query: EntityQuery, *, in_sets: bool) -> Select[Any]:
    """Return the statement that counts the entities that match; `in_sets` as of `matching_ids`."""
    if in_sets:
        return select(func.count(distinct(matching_ids(query).subquery().c[0])))
    return select(func.count()).select_from(entities).where(matching(query))


def page_statement(query: EntityQuery, part: Slice, *, total: int, in_sets: bool) -> Select[Any]:
    """Return the statement for part of an answer of `total` entities: rows of body, ref, then each order value.

    A backward slice comes in reverse; `in_sets` as of `matching_ids`. Raises `InputError` when the slice's place does
    not fit the query's order.
    """
    if part.place is not None and len(part.place.values) != len(query.order):
        raise InputError("Malformed cursor; its place does not fit its order")
    is_small = total <= SORTED_MATCHES
    matches = matching(query, few=is_small or bool(query.order))
    if is_small and in_sets:
        # Found first: for a page PostgreSQL walks all entities until it has met enough, which few never are.
        matches = is_listed(entities.c.id, matching_ids(query))
    candidates = _candidates(query, matches, is_small=is_small)
    values = [candidates.c[f"value{number}"] for number in range(len(query.order))]
    found = (
        select(candidates.c.id, candidates.c.ref, *values)
        .order_by(*_ordering(query, values, candidates.c.ref, is_backwards=part.is_backwards))
        .limit(min(part.limit, _LARGEST))
        .offset(min(part.offset, _LARGEST))
    )
    if not is_small and query.filter is not None:
        found = found.where(*bounds(query.filter, candidates.c.ref))
    if part.place is not None:
        found = found.where(_beyond(query, values, candidates.c.ref, place=part.place, is_backwards=part.is_backwards))
    # Bodies join last: what is sorted stays small.
    chosen = found.subquery("chosen")
    chosen_values = [chosen.c[f"value{number}"] for number in range(len(query.order))]
    return (
        select(entities.c.body, chosen.c.ref, *chosen_values)
        .join(chosen, chosen.c.id == entities.c.id)
        .order_by(*_ordering(query, chosen_values, chosen.c.ref, is_backwards=part.is_backwards))
    )


def values_statement(field: str) -> Select[Any]:
    """Return the statement that counts the values of a field, up to as many as make `may_walk` true."""
    some = select(terms.c.id).where(terms.c.key.in_(possible([field]))).limit(WALKED_VALUES).subquery()
    return select(func.count()).select_from(some)


def may_walk(query: EntityQuery, part: Slice, *, total: int) -> bool:
    """Return whether `walk_statement` may answer, if the field that orders has enough values."""
    if len(query.order) != 1 or total <= SORTED_MATCHES or part.offset > _WALKED_OFFSET:
        return False
    if is_beside(query.order[0].field):
        return False
    return part.place is None or part.place.values[0] is not None


def has_many_values(count: int) -> bool:
    """Return whether what `values_statement` has counted makes a walk worth while."""
    return count >= WALKED_VALUES


def walk_statement(query: EntityQuery, part: Slice) -> Select[Any]:
    """Return the statement for part of an answer ordered by one field, along the index of its values.

    Rows as of `page_statement`. Entities that lack the field are not among them: fewer rows than the part may hold say
    that the walk has come to its end, and that `page_statement` is to be asked.
    """
    (order,) = query.order
    is_down = order.descending != part.is_backwards
    walked, held = terms.alias("walked"), postings.alias("held")
    its = terms.alias("its")
    listed, term_id = each_number(entities.c.term_ids)
    # "|| ''" keeps databases from walking all smaller values for each entity instead of its own few.
    value = its.c.value + ""
    comes_before = value > walked.c.value if order.descending else value < walked.c.value
    has_earlier = (
        select(its.c.id)
        .select_from(listed.join(its, its.c.id == term_id))
        .where(its.c.key + "" == order.field, comes_before, value != NOTHING)
        .correlate(entities, walked)
        .exists()
    )
    found = (
        select(entities.c.id, entities.c.ref, walked.c.value.label("value"))
        .select_from(walked)
        .join(held, held.c.term_id == walked.c.id)
        .join(entities, entities.c.id == held.c.entity_id)
        .where(walked.c.key == order.field, walked.c.value != NOTHING, matching(query, few=False), ~has_earlier)
        .order_by(
            walked.c.value.desc() if is_down else walked.c.value.asc(),
            entities.c.ref.desc() if part.is_backwards else entities.c.ref.asc(),
        )
        .limit(min(part.limit, _LARGEST))
        .offset(part.offset)
    )
    if part.place is not None:
        at = part.place.values[0]
        further = walked.c.value < at if is_down else walked.c.value > at
        beyond = entities.c.ref < part.place.ref if part.is_backwards else entities.c.ref > part.place.ref
        # Said twice, so that the first half finds its place in the index.
        found = found.where(walked.c.value <= at if is_down else walked.c.value >= at, or_(further, beyond))
    chosen = found.subquery("chosen")
    return (
        select(entities.c.body, chosen.c.ref, chosen.c.value)
        .join(chosen, chosen.c.id == entities.c.id)
        .order_by(
            chosen.c.value.desc() if is_down else chosen.c.value.asc(),
            chosen.c.ref.desc() if part.is_backwards else chosen.c.ref.asc(),
        )
    )


def facet_statement(keys: Sequence[str], entity_filter: EntityFilter | None, *, in_sets: bool) -> Select[Any]:
    """Return the statement that counts the leaves of some keys (lower case): rows of key, display, count.

    `in_sets` as of `matching_ids`.
    """
    matched: Select[Any] | CompoundSelect[Any] | None = None
    if entity_filter is not None:
        query = EntityQuery(entity_filter)
        matched = matching_ids(query) if in_sets else select(entities.c.id).where(matching(query))
    parts: list[Select[Any]] = []
    plain = [key for key in possible(keys) if not is_beside(key)]
    if plain:
        parts.append(_plain_facets(plain, matched))
    for key in keys:
        if key.startswith(RELATION):
            counted = select(relations.c.target_id, func.count().label("count"))
            counted = counted.join(entities, entities.c.id == relations.c.source_id)
            counted = counted.where(is_of_type(key), _is_told_once()).group_by(relations.c.target_id)
            if matched is not None:
                counted = counted.where(entities.c.id.in_(matched))
            each = counted.subquery()
            found = select(literal(key).label("key"), refs.c.ref.label("display"), each.c.count)
            parts.append(found.join(each, each.c.target_id == refs.c.id))
        elif key == UID:
            found = select(literal(key).label("key"), entities.c.uid.label("display"), literal(1).label("count"))
            parts.append(found if matched is None else found.where(entities.c.id.in_(matched)))
    if not parts:
        return _plain_facets([], None)
    return select(union_all(*parts).subquery())


def _plain_facets(keys: Sequence[str], matched: Select[Any] | CompoundSelect[Any] | None) -> Select[Any]:
    # Term by term: grouping all entries by their texts takes five times as long.
    count = select(func.count()).where(postings.c.term_id == terms.c.id)
    if matched is not None:
        # "+ 0" keeps SQLite from trying each matching entity with each term (measured: 53 ms instead of 4).
        count = count.where(apart((postings.c.entity_id + 0).in_(matched)))
    counted = count.correlate(terms).scalar_subquery().label("count")
    wanted = (terms.c.key.in_(keys), terms.c.value != NOTHING)
    # Without an offset both databases put the statements together, and count twice.
    every = select(terms.c.key, terms.c.display, counted).where(*wanted).offset(0).subquery()
    return select(every).where(every.c.count > 0)


def _is_told_once() -> ColumnElement[bool]:
    """Return the condition that leaves one of two relations that are the same but for who declares them."""
    same = relations.alias("same")
    twin = exists().where(
        same.c.source_id == relations.c.source_id,
        same.c.type_id == relations.c.type_id,
        same.c.target_id == relations.c.target_id,
        ~same.c.is_inverse,
    )
    return or_(~relations.c.is_inverse, ~twin)


def _candidates(query: EntityQuery, matches: ColumnElement[bool], *, is_small: bool) -> Subquery:
    """Return id, ref, order values of the entities that match.

    An entity with several values of a key stands where the first of them in the order would. Values are gathered for
    all entities at once, or all that match where these are few: looking them up entity by entity took 0.2 ms each on
    SQLite, all of 10,000 take 10 ms.
    """
    columns: list[ColumnElement[Any]] = []
    source: FromClause = entities
    for number, order in enumerate(query.order):
        gathered = _first_values(order, matches if is_small else None).subquery(f"order{number}")
        source = source.outerjoin(gathered, gathered.c.entity_id == entities.c.id)
        columns.append(gathered.c.value.label(f"value{number}"))
    found = select(entities.c.id, entities.c.ref, *columns).select_from(source).where(matches)
    return found.subquery("candidates")


def _first_values(order: Order, among: ColumnElement[bool] | None) -> Select[Any]:
    """Return (entity_id, value) of the value that comes first in an order, of all entities or those among some."""
    identity = entities.c.id.label("entity_id")
    if order.field == UID:
        found = select(identity, entities.c.uid.label("value"))
        return found if among is None else found.where(among)
    first = func.max if order.descending else func.min
    if order.field.startswith(RELATION):
        found = select(identity, first(refs.c.ref).label("value"))
        found = found.join(relations, relations.c.source_id == entities.c.id)
        found = found.join(refs, refs.c.id == relations.c.target_id).where(is_of_type(order.field))
    elif among is None:
        found = select(postings.c.entity_id, first(terms.c.value).label("value"))
        found = found.join(terms, terms.c.id == postings.c.term_id)
    else:
        listed, term_id = each_number(entities.c.term_ids)
        found = select(identity, first(terms.c.value).label("value"))
        found = found.select_from(entities.join(listed, true()).join(terms, terms.c.id == term_id))
    if not order.field.startswith(RELATION):
        found = found.where(terms.c.key.in_(possible([order.field])), terms.c.value != NOTHING)
    if among is not None:
        found = found.where(among)
    return found.group_by(found.selected_columns.entity_id)


def _ordering(
    query: EntityQuery, values: Sequence[ColumnElement[Any]], ref: ColumnElement[Any], *, is_backwards: bool
) -> list[ColumnElement[Any]]:
    found: list[ColumnElement[Any]] = []
    for order, value in zip(query.order, values, strict=True):
        is_missing = value.is_(None)
        found.append(is_missing.desc() if is_backwards else is_missing.asc())
        found.append(value.desc() if order.descending != is_backwards else value.asc())
    return [*found, ref.desc() if is_backwards else ref.asc()]


def _beyond(
    query: EntityQuery,
    values: Sequence[ColumnElement[Any]],
    ref: ColumnElement[Any],
    *,
    place: Place,
    is_backwards: bool,
) -> ColumnElement[bool]:
    """Return the condition that an entity comes after a place; before it when the walk goes backwards."""
    ways: list[ColumnElement[bool]] = []
    equal: list[ColumnElement[bool]] = []
    for order, value, at in zip(query.order, values, place.values, strict=True):
        further: ColumnElement[bool]
        if at is None:
            further = value.is_not(None) if is_backwards else false()
        else:
            further = value < at if order.descending != is_backwards else value > at
            if not is_backwards:
                further = or_(further, value.is_(None))
        ways.append(and_(*equal, further))
        equal.append(value.is_(None) if at is None else value == at)
    ways.append(and_(*equal, ref < place.ref if is_backwards else ref > place.ref))
    return or_(*ways)
