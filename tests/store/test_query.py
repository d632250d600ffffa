"""The answers of SQL are those of the filter itself and of sorting in Python, on both databases."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import pytest
from entity_rows import document, insert
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import event

from portal.model.entity import ref_of
from portal.model.filter import AllOf, AnyOf, EntityFilter, HasPrefix, Match, Not, parse_filter_params
from portal.model.leaves import NOTHING, Leaf, leaves
from portal.model.query import EntityQuery, Order, Place, TextSearch
from portal.store import catalog
from portal.store import query as query_module
from portal.store.database import Database
from portal.store.query import Slice

VALUES = ["a", "A", "ab", "aB_", "a%b", "100%", "under_score", "é", "Straße", "null", "", "z" * 201, None, 1, 1.5, True]
KEYS = [
    "kind",
    "metadata.name",
    "metadata.title",
    "metadata.uid",
    "spec.type",
    "spec.tags",
    "spec.nope",
    "relations.ownedby",
    "relations.dependson",
]
TOTALS = [0, 1_000_000]  # few matches, and many: the statements differ


def _documents(count: int) -> list[dict[str, Any]]:
    choose = random.Random(7)  # the same catalog each time
    return [
        document(
            choose.choice(["Component", "API", "Group"]),
            f"{choose.choice(['x', 'Y', 'y-'])}{number}",
            metadata={"title": choose.choice(VALUES)} if choose.random() < 0.6 else {},
            spec={
                "type": choose.choice(VALUES),
                "tags": choose.sample([value for value in VALUES if isinstance(value, str)], choose.randrange(4)),
            },
            relations=[{"type": "ownedBy", "targetRef": f"group:default/{choose.choice('abc')}"}]
            + [
                {"type": "dependsOn", "targetRef": f"resource:default/{name}"}
                for name in choose.sample("xyz", choose.randrange(3))
            ],
        )
        for number in range(count)
    ]


DOCUMENTS = _documents(40)
LEAVES: Mapping[str, list[Leaf]] = {ref_of(item): leaves(item) for item in DOCUMENTS}

texts = st.sampled_from([str(value) for value in VALUES] + ["\0", "%", "_", "\\", "/"])
keys = st.sampled_from(KEYS) | texts
filters = st.recursive(
    st.builds(Match.of, keys, st.none() | st.lists(texts, max_size=3))
    | st.builds(HasPrefix, keys, texts.map(str.lower)),
    lambda inner: (
        st.builds(lambda parts: AllOf(tuple(parts)), st.lists(inner, max_size=3))
        | st.builds(lambda parts: AnyOf(tuple(parts)), st.lists(inner, max_size=3))
        | st.builds(Not, inner)
    ),
    max_leaves=6,
)
queries = st.builds(
    EntityQuery,
    st.none() | filters,
    st.lists(st.builds(Order.of, keys.filter(bool), st.sampled_from(["asc", "desc"])), max_size=3).map(tuple),
    st.none() | st.builds(TextSearch, texts, st.lists(keys, max_size=3).map(tuple)),
)
on_one_database = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)


def _value(found: Sequence[Leaf], order: Order) -> str | None:
    values = [leaf.value for leaf in found if leaf.key == order.field and leaf.value != NOTHING]
    return (max(values) if order.descending else min(values)) if values else None


def _expected(query: EntityQuery) -> list[str]:
    """Return the references of the whole answer, by the filter itself and by sorting."""
    wanted = [
        ref
        for ref, found in sorted(LEAVES.items())
        if (query.filter is None or query.filter.matches(found)) and _has_text(found, query.text)
    ]
    for order in reversed(query.order):
        present = [ref for ref in wanted if _value(LEAVES[ref], order) is not None]
        present.sort(key=lambda ref, order=order: _value(LEAVES[ref], order) or "", reverse=order.descending)
        wanted = present + [ref for ref in wanted if _value(LEAVES[ref], order) is None]
    return wanted


def _has_text(found: Sequence[Leaf], text: TextSearch | None) -> bool:
    if text is None or not text.term:
        return True
    fields = {field.lower() for field in text.fields}
    return any(text.term.lower() in leaf.value for leaf in found if leaf.key in fields and leaf.value != NOTHING)


def _walk(database: Database, query: EntityQuery, *, total: int, is_backwards: bool) -> list[str]:
    """Return the references of the whole answer, page by page from one end."""
    found: list[Place] = []
    place = Place((None,) * len(query.order), "~") if is_backwards else None
    with database.reading() as connection:
        while True:
            part = Slice(limit=7, place=place, is_backwards=is_backwards)
            page = [item.place for item in catalog.page(connection, query, part, total=total)]
            if not page:
                return [place.ref for place in found]
            found = [*page, *found] if is_backwards else [*found, *page]
            place = page[0] if is_backwards else page[-1]


@pytest.fixture
def filled(database: Database) -> Database:
    insert(database, DOCUMENTS)
    return database


@pytest.mark.parametrize("walked_values", [1, 1_000])
def test_walks_in_either_direction_give_the_expected_answer(
    filled: Database, walked_values: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(query_module, "WALKED_VALUES", walked_values)

    @on_one_database
    @given(query=queries, total=st.sampled_from(TOTALS), is_backwards=st.booleans())
    def check(query: EntityQuery, total: int, is_backwards: bool) -> None:
        assert _walk(filled, query, total=total, is_backwards=is_backwards) == _expected(query)

    check()


@pytest.mark.parametrize("total", TOTALS)
@pytest.mark.parametrize("is_backwards", [False, True])
@pytest.mark.parametrize(
    "told",
    ["kind=component", "kind=api,kind=group", "kind=component,metadata.title=ab", "kind=a:b", "kind=API,spec.type"],
)
def test_a_walk_of_some_kinds_holds_all_of_them(filled: Database, told: str, is_backwards: bool, total: int) -> None:
    query = EntityQuery(parse_filter_params([told]))

    assert _walk(filled, query, total=total, is_backwards=is_backwards) == _expected(query)


def test_counts_bodies_and_facets_agree_with_the_filter(filled: Database) -> None:
    @on_one_database
    @given(wanted=filters)
    def check(wanted: EntityFilter) -> None:
        matching = {ref for ref, found in LEAVES.items() if wanted.matches(found)}
        with filled.reading() as connection:
            assert catalog.count(connection, EntityQuery(wanted)) == len(matching)
            assert set(catalog.bodies_by_ref(connection, list(LEAVES), wanted)) == matching
            found = catalog.facets(connection, KEYS, wanted)
        assert found == _counts(matching)

    check()


def test_facets_of_all_entities_count_each_value(filled: Database) -> None:
    with filled.reading() as connection:
        assert catalog.facets(connection, KEYS) == _counts(set(LEAVES))


def _counts(refs: Collection[str]) -> dict[str, list[tuple[str, int]]]:
    """Return how many of these entities have each value of each key."""
    found: dict[str, Counter[str]] = {key: Counter() for key in KEYS}
    for ref in refs:
        for leaf in LEAVES[ref]:
            if leaf.key in found and leaf.value != NOTHING:
                found[leaf.key][leaf.display] += 1
    return {key: sorted(counts.items()) for key, counts in found.items()}


@pytest.mark.parametrize("total", TOTALS)
def test_an_offset_begins_so_many_entities_in(filled: Database, total: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(query_module, "WALKED_VALUES", 1)
    query = EntityQuery(order=(Order.of("spec.type"),))
    with filled.reading() as connection:
        found = catalog.page(connection, query, Slice(limit=5, offset=8), total=total)

    assert [item.place.ref for item in found] == _expected(query)[8:13]


def _statements(database: Database, work: Any) -> int:
    count = 0

    def counted(*_: object) -> None:
        nonlocal count
        count += 1

    with database.reading() as connection:
        event.listen(database.engine, "before_cursor_execute", counted)
        try:
            work(connection)
        finally:
            event.remove(database.engine, "before_cursor_execute", counted)
    return count


ASKED = [
    EntityQuery(parse_filter_params(["kind=component,spec.type=ab,spec.tags=a"])),
    EntityQuery(parse_filter_params(["spec.type,metadata.title=ab"])),
    EntityQuery(Match.of("kind", ["component"]), text=TextSearch("a")),
    EntityQuery(HasPrefix("metadata.title", "a"), (Order("metadata.name"),)),
]


@pytest.mark.parametrize("query", ASKED)
@pytest.mark.parametrize("total", TOTALS)
def test_no_plan_goes_through_the_index_entry_by_entry(
    filled: Database, query: EntityQuery, total: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(query_module, "WALKED_VALUES", 1)
    is_sqlite = filled.engine.dialect.name == "sqlite"
    plans: list[str] = []

    def explain(_connection: Any, cursor: Any, statement: str, parameters: Any, *_: object) -> None:
        cursor.execute(f"EXPLAIN {'QUERY PLAN ' if is_sqlite else ''}{statement}", parameters)
        plans.extend(str(row[-1]) for row in cursor.fetchall())

    with filled.reading() as connection:
        event.listen(filled.engine, "before_cursor_execute", explain)
        try:
            catalog.count(connection, query)
            if is_sqlite:
                catalog.page(connection, query, Slice(5), total=total)
                catalog.facets(connection, ["spec.type"], query.filter)
        finally:
            event.remove(filled.engine, "before_cursor_execute", explain)

    # PostgreSQL goes through tables as small as these; what it must not do is to join them in an order of its own.
    faults = ("SCAN terms", "SCAN postings") if is_sqlite else ("Join", "Nested Loop")
    assert plans
    assert [line for line in plans if any(fault in line for fault in faults)] == []


BUDGETS: list[tuple[str, Any, int]] = [
    ("bodies", lambda connection: catalog.bodies_by_ref(connection, list(LEAVES)), 1),
    ("uids", lambda connection: catalog.bodies_by_uid(connection, ["a", "b"]), 1),
    ("count", lambda connection: catalog.count(connection, EntityQuery(parse_filter_params(["kind=api"]))), 1),
    (
        "page",
        lambda connection: catalog.page(
            connection, EntityQuery(None, (Order("kind"), Order("spec.type"))), Slice(100), total=40
        ),
        1,
    ),
    ("facets", lambda connection: catalog.facets(connection, KEYS, Match.of("kind", ["api"])), 1),
    ("origins", lambda connection: catalog.origins(connection, list(LEAVES)), 1),
    ("locations", lambda connection: catalog.location_entities(connection, ["s", "t"]), 1),
]


@pytest.mark.parametrize(("work", "budget"), [item[1:] for item in BUDGETS], ids=[item[0] for item in BUDGETS])
def test_twice_the_entities_take_no_more_statements(database: Database, work: Any, budget: int) -> None:
    insert(database, DOCUMENTS)
    before = _statements(database, work)
    insert(database, [document("API", f"more-{number}") for number in range(40)])

    assert (before, _statements(database, work)) == (budget, budget)
