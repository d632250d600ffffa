"""Turns questions about entities into SQL over the index of leaves."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    ColumnElement,
    FromClause,
    Select,
    Subquery,
    and_,
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
from portal.model.filter import AllOf, AnyOf, EntityFilter, HasPrefix, Match, Not
from portal.model.leaves import LONGEST, NOTHING
from portal.model.query import EntityQuery, Order, Place, TextSearch
from portal.store.dialect import apart, by_database, each_number, is_listed
from portal.store.tables import entities, postings, refs, relation_types, relations, terms

#: Up to so many matches are sorted by reference; of more, references are walked until a page is full.
SORTED_MATCHES = 1_000
#: An order is walked only where its field has so many values, which leaves few entities to each, and not from far in.
WALKED_VALUES = 1_000
_WALKED_OFFSET = 1_000
_LARGEST = 2**31 - 1
#: Keys whose values do not stand in the index: those of relations begin so.
_RELATION, _UID = "relations.", "metadata.uid"


@dataclass(frozen=True, slots=True)
class Slice:
    """Which part of an ordered answer: from after (or back from before) a place, or `offset` entities in."""

    limit: int
    offset: int = 0
    place: Place | None = None
    is_backwards: bool = False


def matching(query: EntityQuery, *, few: bool = True) -> ColumnElement[bool]:
    """Return the condition on `entities` that a query's filter and text make.

    With `few`, sets of ids are gathered first, which is best where few entities match or all must be visited anyway;
    without, each entity is tried by itself, which is best where many match and a page of them is enough.
    """
    found: list[ColumnElement[bool]] = [true()]
    if query.filter is not None:
        found.append(_condition(query.filter, few=few))
    if query.text is not None and query.text.term:
        found.append(_text_condition(query.text, few=few))
    return and_(*found)


def count_statement(query: EntityQuery) -> Select[Any]:
    """Return the statement that counts the entities that match."""
    return select(func.count()).select_from(entities).where(matching(query))


def page_statement(query: EntityQuery, part: Slice, *, total: int) -> Select[Any]:
    """Return the statement for part of an answer of `total` entities: rows of body, ref, then each order value.

    A backward slice comes in reverse. Raises `InputError` when the slice's place does not fit the query's order.
    """
    if part.place is not None and len(part.place.values) != len(query.order):
        raise InputError("Malformed cursor; its place does not fit its order")
    is_small = total <= SORTED_MATCHES
    candidates = _candidates(query, few=is_small or bool(query.order), is_small=is_small)
    values = [candidates.c[f"value{number}"] for number in range(len(query.order))]
    found = (
        select(candidates.c.id, candidates.c.ref, *values)
        .order_by(*_ordering(query, values, candidates.c.ref, is_backwards=part.is_backwards))
        .limit(min(part.limit, _LARGEST))
        .offset(min(part.offset, _LARGEST))
    )
    if not is_small and query.filter is not None:
        found = found.where(*_bounds(query.filter, candidates.c.ref))
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
    some = select(terms.c.id).where(terms.c.key.in_(_possible([field]))).limit(WALKED_VALUES).subquery()
    return select(func.count()).select_from(some)


def may_walk(query: EntityQuery, part: Slice, *, total: int) -> bool:
    """Return whether `walk_statement` may answer, if the field that orders has enough values."""
    if len(query.order) != 1 or total <= SORTED_MATCHES or part.offset > _WALKED_OFFSET:
        return False
    if _is_beside(query.order[0].field):
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


def facet_statement(keys: Sequence[str], entity_filter: EntityFilter | None) -> Select[Any]:
    """Return the statement that counts the leaves of some keys (lower case): rows of key, display, count."""
    matched = None if entity_filter is None else select(entities.c.id).where(_condition(entity_filter, few=True))
    parts: list[Select[Any]] = []
    plain = [key for key in _possible(keys) if not _is_beside(key)]
    if plain:
        parts.append(_plain_facets(plain, matched))
    for key in keys:
        if key.startswith(_RELATION):
            counted = select(relations.c.target_id, func.count().label("count"))
            counted = counted.join(entities, entities.c.id == relations.c.source_id)
            counted = counted.where(_is_of_type(key), _is_told_once()).group_by(relations.c.target_id)
            if matched is not None:
                counted = counted.where(entities.c.id.in_(matched))
            each = counted.subquery()
            found = select(literal(key).label("key"), refs.c.ref.label("display"), each.c.count)
            parts.append(found.join(each, each.c.target_id == refs.c.id))
        elif key == _UID:
            found = select(literal(key).label("key"), entities.c.uid.label("display"), literal(1).label("count"))
            parts.append(found if matched is None else found.where(entities.c.id.in_(matched)))
    if not parts:
        return _plain_facets([], None)
    return select(union_all(*parts).subquery())


def _plain_facets(keys: Sequence[str], matched: Select[Any] | None) -> Select[Any]:
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


def _condition(wanted: EntityFilter, *, few: bool) -> ColumnElement[bool]:
    match wanted:
        case AllOf():
            return and_(true(), *(_condition(part, few=few) for part in wanted.parts))
        case AnyOf():
            return or_(false(), *(_condition(part, few=few) for part in wanted.parts))
        case Not():
            return ~_condition(wanted.part, few=few)
        case Match():
            return _match_condition(wanted, few=few)
        case HasPrefix():
            return _prefix_condition(wanted, few=few)
        case _:
            raise TypeError(f"{type(wanted).__name__} has no SQL")


def _match_condition(wanted: Match, *, few: bool) -> ColumnElement[bool]:
    if not _possible([wanted.key]):
        return false()
    if wanted.values is None:
        return _has_value([wanted.key], None, few=few)
    values = _possible(wanted.values)
    if not values:
        return false()
    found = _has_value([wanted.key], lambda value: value.in_(values), few=few, is_exact=True)
    if few and wanted.key == "kind":
        # PostgreSQL's index of kinds does not hold the ids: it would read all rows.
        return by_database(sqlite=entities.c.kind.in_(values), postgresql=found)
    return found


def _prefix_condition(wanted: HasPrefix, *, few: bool) -> ColumnElement[bool]:
    if not _possible([wanted.key]) or not _possible([wanted.prefix]):
        return false()
    return _has_value(
        [wanted.key],
        lambda value: and_(value.startswith(wanted.prefix, autoescape=True), value != NOTHING),
        few=few,
    )


def _text_condition(text: TextSearch, *, few: bool) -> ColumnElement[bool]:
    term = text.term.lower()
    keys = _possible([field.lower() for field in text.fields])
    if not keys or not _possible([term]):
        return false()
    return _has_value(keys, lambda value: and_(value.contains(term, autoescape=True), value != NOTHING), few=few)


def _has_value(
    keys: Sequence[str],
    wanted: Callable[[ColumnElement[str]], ColumnElement[bool]] | None,
    *,
    few: bool,
    is_exact: bool = False,
) -> ColumnElement[bool]:
    """Return the condition that an entity has a value of one of some keys of which something is true.

    `is_exact` says that few values are meant.
    """
    ways: list[ColumnElement[bool]] = []
    plain = [key for key in keys if not _is_beside(key)]
    if plain:
        told = (terms.c.key.in_(plain), *(() if wanted is None else (wanted(terms.c.value),)))
        held = is_listed(postings.c.term_id, select(terms.c.id).where(*told).correlate(None))
        if few:
            ways.append(apart(entities.c.id.in_(select(postings.c.entity_id).where(held).correlate(None))))
        elif is_exact:
            entry = select(postings.c.term_id).where(held, postings.c.entity_id == entities.c.id).correlate(entities)
            # An EXISTS is what PostgreSQL makes a set of, however many are in it.
            ways.append(entry.limit(1).scalar_subquery().is_not(None))
        else:
            ways.append(_holds(plain, wanted))
    for key in keys:
        if key.startswith(_RELATION):
            leaving = select(relations.c.source_id).where(_is_of_type(key))
            if wanted is not None:
                leaving = leaving.join(refs, refs.c.id == relations.c.target_id).where(wanted(refs.c.ref))
            if few:
                ways.append(entities.c.id.in_(leaving))
            else:
                its = leaving.where(relations.c.source_id == entities.c.id)
                ways.append(apart(its.correlate(entities).exists()))
        elif key == _UID:
            ways.append(true() if wanted is None else wanted(entities.c.uid))
    return or_(*ways)


def _holds(
    keys: Sequence[str], wanted: Callable[[ColumnElement[str]], ColumnElement[bool]] | None
) -> ColumnElement[bool]:
    """Return the condition that one of an entity's own terms, read one by one, is meant.

    Where a text is part of many values, trying all these with each entity takes seconds.
    """
    its = terms.alias("its")
    listed, term_id = each_number(entities.c.term_ids)
    # "|| ''" keeps databases from going through all terms of a key for each entity.
    told = ((its.c.key + "").in_(keys), *(() if wanted is None else (wanted(its.c.value + ""),)))
    found = select(its.c.id).select_from(listed.join(its, its.c.id == term_id)).where(*told)
    return apart(found.correlate(entities).exists())


def _bounds(wanted: EntityFilter, ref: ColumnElement[str]) -> list[ColumnElement[bool]]:
    """Return between which references all matches stand, as these begin with the kind.

    References are walked from the first of those, not past all entities of other kinds.
    """
    match wanted:
        case AllOf():
            return [bound for part in wanted.parts for bound in _bounds(part, ref)]
        case Match(key="kind", values=values) if values and (kinds := _possible(values)):
            # ";" comes next to ":".
            return [ref >= min(f"{kind}:" for kind in kinds), ref < max(f"{kind};" for kind in kinds)]
        case _:
            return []


def _is_beside(key: str) -> bool:
    """Return whether the values of a key stand beside the index: in relations, in the entity's row."""
    return key.startswith(_RELATION) or key == _UID


def _is_of_type(key: str) -> ColumnElement[bool]:
    """Return the condition that a relation is of the type that a key, lower case, names."""
    name = key.removeprefix(_RELATION)
    return relations.c.type_id.in_(select(relation_types.c.id).where(func.lower(relation_types.c.name) == name))


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


def _possible(texts: Sequence[str]) -> list[str]:
    """Return the texts that a leaf can hold; others would only make the statement larger, or one that fails."""
    return [text for text in texts if len(text) <= LONGEST and "\0" not in text]


def _candidates(query: EntityQuery, *, few: bool, is_small: bool) -> Subquery:
    """Return id, ref, order values of the entities that match.

    An entity with several values of a key stands where the first of them in the order would. Values are gathered for
    all entities at once, or all that match where these are few: looking them up entity by entity took 0.2 ms each on
    SQLite, all of 10,000 take 10 ms.
    """
    matches = matching(query, few=few)
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
    if order.field == _UID:
        found = select(identity, entities.c.uid.label("value"))
        return found if among is None else found.where(among)
    first = func.max if order.descending else func.min
    if order.field.startswith(_RELATION):
        found = select(identity, first(refs.c.ref).label("value"))
        found = found.join(relations, relations.c.source_id == entities.c.id)
        found = found.join(refs, refs.c.id == relations.c.target_id).where(_is_of_type(order.field))
    elif among is None:
        found = select(postings.c.entity_id, first(terms.c.value).label("value"))
        found = found.join(terms, terms.c.id == postings.c.term_id)
    else:
        listed, term_id = each_number(entities.c.term_ids)
        found = select(identity, first(terms.c.value).label("value"))
        found = found.select_from(entities.join(listed, true()).join(terms, terms.c.id == term_id))
    if not order.field.startswith(_RELATION):
        found = found.where(terms.c.key.in_(_possible([order.field])), terms.c.value != NOTHING)
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
