from collections.abc import Sequence

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import event, select

from portal.ingest.payload import Payloads, pack
from portal.ingest.snapshot import Snapshot
from portal.model.leaves import Leaf
from portal.store.database import Database
from portal.store.dialect import CHUNK
from portal.store.tables import terms
from portal.store.terms import TermWriter

TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=3)
LEAVES = st.builds(lambda key, display: Leaf(key, display.lower(), display), TEXT, TEXT) | st.builds(
    lambda key: Leaf(key, "NULL", ""), TEXT
)


def told(*batches: Sequence[Leaf]) -> Snapshot:
    """Return a snapshot with the leaves of batches."""
    payloads = Payloads()
    for leaves in batches:
        payloads.add(pack([], [], [], leaves))
    return Snapshot(payloads=payloads)


def in_order(snapshot: Snapshot) -> dict[int, list[Leaf]]:
    """Return the leaves of each batch, division after division."""
    found: dict[int, list[Leaf]] = {batch: [] for batch in range(len(snapshot.payloads))}
    for division in snapshot.leaves(range(len(snapshot.payloads))):
        for batch, texts in division:
            found[batch].extend(map(Leaf.of, texts))
    return found


def number(writer: TermWriter, snapshot: Snapshot) -> dict[int, list[int]]:
    batches = range(len(snapshot.payloads))
    found = writer.number(snapshot.leaves(batches))
    return {batch: list(found[batch]) for batch in batches}


def stored(database: Database) -> dict[Leaf, int]:
    with database.reading() as connection:
        return {Leaf(*rest): number for number, *rest in connection.execute(select(terms))}


@given(leaf=LEAVES)
def test_a_leaf_is_what_its_text_says(leaf: Leaf) -> None:
    assert Leaf.of(leaf.text) == leaf


@given(leaves=st.sets(LEAVES, max_size=6))
def test_different_leaves_have_different_texts(leaves: set[Leaf]) -> None:
    assert len({leaf.text for leaf in leaves}) == len(leaves)


def test_leaves_that_batches_share_have_one_number_in_their_order_there(database: Database) -> None:
    a, b, c = Leaf("k", "a", "a"), Leaf("k", "a", "A"), Leaf("l", "NULL", "")
    snapshot = told([a, b, c], [b])
    with database.writing() as connection:
        found = number(TermWriter(connection), snapshot)

    numbers = stored(database)
    assert sorted(numbers) == sorted([a, b, c])
    assert found == {batch: [numbers[leaf] for leaf in leaves] for batch, leaves in in_order(snapshot).items()}


@given(
    batches=st.lists(st.lists(LEAVES, unique=True, max_size=80), min_size=1, max_size=4), at_once=st.integers(1, 900)
)
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_division_that_is_taken_in_ranges_is_numbered_as_one_that_is_not(
    database: Database, batches: list[list[Leaf]], at_once: int
) -> None:
    snapshot = told(*batches)
    with database.writing() as connection:
        in_ranges = number(TermWriter(connection, at_once_bytes=at_once), snapshot)
    with database.writing() as connection:
        whole = number(TermWriter(connection), snapshot)

    numbers = stored(database)
    assert in_ranges == whole
    assert whole == {batch: [numbers[leaf] for leaf in leaves] for batch, leaves in in_order(snapshot).items()}


def test_a_large_division_is_added_in_the_order_of_the_index(database: Database) -> None:
    batches = [[Leaf("k", f"{place * 7 + batch:05}", "x") for place in range(900)] for batch in range(7)]
    with database.writing() as connection:
        number(TermWriter(connection, at_once_bytes=20_000), told(*batches))

    added = sorted(stored(database).items(), key=lambda item: item[1])
    assert [leaf.value for leaf, _ in added] == sorted(leaf.value for leaves in batches for leaf in leaves)


def test_terms_that_are_there_are_found_and_others_added(database: Database) -> None:
    known, new = Leaf("k", "a", "A"), Leaf("k", "b", "b")
    with database.writing() as connection:
        (before,) = TermWriter(connection).ids([known])
    with database.writing() as connection:
        found = number(TermWriter(connection), told([known, new]))
        again = TermWriter(connection).ids([new, known])

    assert list(found[0]) == [before, before + 1] == again[::-1]
    assert stored(database) == {known: before, new: before + 1}


def test_more_terms_than_one_statement_holds_are_numbered(database: Database) -> None:
    leaves = [Leaf(f"k{number % 3}", f"{number:05}", f"{number:05}") for number in range(2 * CHUNK + 1)]
    snapshot = told(leaves)
    with database.writing() as connection:
        found = number(TermWriter(connection), snapshot)

    numbers = stored(database)
    assert found[0] == [numbers[leaf] for leaf in in_order(snapshot)[0]]
    assert len({*numbers.values()}) == len(leaves)


def test_few_leaves_of_many_keys_take_as_many_statements_as_of_one(database: Database) -> None:
    with database.writing() as connection:
        TermWriter(connection).ids([Leaf("k", "there", "there")])
    counts = []
    for keys in (1, 60):
        seen: list[str] = []

        def note(connection, cursor, statement, parameters, context, executemany, seen=seen) -> None:
            seen.append(statement)

        leaves = [Leaf(f"key{number:02}", f"of {keys}", f"of {keys}") for number in range(keys)]
        event.listen(database.engine, "before_cursor_execute", note)
        with database.writing() as connection:
            number(TermWriter(connection), told(leaves))
        event.remove(database.engine, "before_cursor_execute", note)
        counts.append(len(seen))

    assert counts[0] == counts[1]
