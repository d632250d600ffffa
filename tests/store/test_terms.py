from itertools import groupby

from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import event, select

from portal.model.leaves import Leaf
from portal.store.database import Database
from portal.store.dialect import CHUNK
from portal.store.tables import terms
from portal.store.terms import TermWriter

TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=3)
LEAVES = st.builds(lambda key, display: Leaf(key, display.lower(), display), TEXT, TEXT) | st.builds(
    lambda key: Leaf(key, "NULL", ""), TEXT
)


def divisions(batches):
    """Return the leaves of batches as `number` takes them, a key a division."""
    keys = sorted({leaf.key for leaves in batches.values() for leaf in leaves})
    return [
        [(number, [leaf.text for leaf in leaves if leaf.key == key]) for number, leaves in batches.items()]
        for key in keys
    ]


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
    batches = {7: [a, b, c], 9: [b]}
    with database.writing() as connection:
        found = TermWriter(connection).number(divisions(batches))

    numbers = stored(database)
    assert sorted(numbers) == sorted([a, b, c])
    assert {batch: list(ids) for batch, ids in found.items()} == {
        batch: [numbers[leaf] for leaf in leaves] for batch, leaves in batches.items()
    }


def test_terms_that_are_there_are_found_and_others_added(database: Database) -> None:
    known, new = Leaf("k", "a", "A"), Leaf("k", "b", "b")
    with database.writing() as connection:
        (before,) = TermWriter(connection).ids([known])
    with database.writing() as connection:
        found = TermWriter(connection).number(divisions({0: [known, new]}))
        again = TermWriter(connection).ids([new, known])

    assert list(found[0]) == [before, before + 1] == again[::-1]
    assert stored(database) == {known: before, new: before + 1}


def test_more_terms_than_one_statement_holds_are_numbered(database: Database) -> None:
    leaves = [Leaf(f"k{number % 3}", f"{number:05}", f"{number:05}") for number in range(2 * CHUNK + 1)]
    leaves = [leaf for _, same in groupby(sorted(leaves), key=lambda leaf: leaf.key) for leaf in same]
    with database.writing() as connection:
        found = TermWriter(connection).number(divisions({0: leaves}))

    numbers = stored(database)
    assert list(found[0]) == [numbers[leaf] for leaf in leaves]
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
            TermWriter(connection).number(divisions({0: leaves}))
        event.remove(database.engine, "before_cursor_execute", note)
        counts.append(len(seen))

    assert counts[0] == counts[1]
