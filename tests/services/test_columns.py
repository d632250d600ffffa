"""Sets, counts, orders of a table's columns, beside what plain lists say."""

from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from portal.services.columns import FACETS, NONE, Columns, Entry, Place
from portal.services.table import TableQuery, TableView
from portal.store.columns import Row

WORDS = st.sampled_from(["a", "b", "B", "c", "ä", "学", "a" * 120, ""])
OWNERS = st.sampled_from([None, "group:default/a", "group:default/b", "user:default/ann"])


@st.composite
def entries(draw: st.DrawFn) -> list[Entry]:
    names = sorted(draw(st.sets(st.text("abcdef", min_size=1, max_size=3), max_size=25)))
    return [
        Entry(
            Row(number * 3, f"component:default/{name}", "component", draw(WORDS), draw(OWNERS), None, None, None),
            type=draw(WORDS),
            tags=tuple(sorted(draw(st.sets(st.sampled_from("xyz"))))),
        )
        for number, name in enumerate(names)
    ]


def view(columns: Columns, among: int, *, sort: str, descending: bool) -> TableView:
    ordered = columns.ordered(among, sort, descending=descending)
    return TableView(columns, TableQuery(sort=sort, descending=descending), ordered, dict.fromkeys(FACETS, among))


@settings(deadline=None)
@given(entries(), st.sets(st.sampled_from(["a", "b", NONE])), st.sets(st.sampled_from(["x", "y", NONE])))
def test_sets_and_counts_are_those_of_plain_lists(found: list[Entry], types: set[str], tags: set[str]) -> None:
    columns = Columns(1, found, {})
    expected = [
        number
        for number, entry in enumerate(found)
        if (entry.type.lower() or NONE) in types and tags & set(entry.tags or (NONE,))
    ]

    among = columns.having("type", types) & columns.having("tag", tags)

    assert columns.ordered(among, "kind", descending=False) == expected
    assert among == columns.of_ids([number * 3 for number in expected] + [1, 10_000])
    for facet, value_of in (
        ("owner", lambda entry: [entry.row.owner or NONE]),
        ("tag", lambda entry: entry.tags or (NONE,)),
    ):
        assert dict(columns.counts(facet, among)) == Counter(
            value for number in expected for value in value_of(found[number])
        )


@settings(deadline=None)
@given(entries(), st.sampled_from(["title", "type", "owner"]), st.booleans(), st.integers(1, 6))
def test_pages_lead_through_all_and_back(found: list[Entry], sort: str, descending: bool, limit: int) -> None:
    columns = Columns(1, found, {})
    shown = view(columns, columns.everything, sort=sort, descending=descending)
    firsts = [0]

    while firsts[-1] + limit < shown.total:
        place = shown.place(firsts[-1] + limit - 1)
        place = Place(place.value[:100], place.ref)
        firsts.append(shown.first(place, direction="after", limit=limit))
        assert shown.first(shown.place(firsts[-1]), direction="before", limit=limit) == firsts[-2]

    assert firsts == list(range(0, max(shown.total, 1), limit))
    values = [shown.place(number).value for number in range(shown.total)]
    told = [value for value in values if value]
    assert told == sorted(told, reverse=descending)
    assert not any(values[len(told) :])


@settings(deadline=None)
@given(entries().filter(bool), st.sampled_from(["title", "type", "owner"]), st.booleans(), st.data())
def test_a_place_stays_where_it_was_when_its_entity_is_gone(
    found: list[Entry], sort: str, descending: bool, data: st.DataObject
) -> None:
    columns = Columns(1, found, {})
    shown = view(columns, columns.everything, sort=sort, descending=descending)
    gone = data.draw(st.integers(0, shown.total - 1))
    place = shown.place(gone)

    fewer = Columns(2, [entry for entry in found if entry.row.ref != place.ref], {})
    left = view(fewer, fewer.everything, sort=sort, descending=descending)

    assert left.first(place, direction="after", limit=5) == gone
