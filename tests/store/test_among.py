from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from portal.store.database import Database
from portal.store.dialect import WANTED, among, among_wanted
from portal.store.tables import refs

#: All that a column can hold, and often what means something in JSON, or in an array of PostgreSQL.
TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0") | st.sampled_from("\"\\{},'n \n"))


@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, print_blob=True)
@given(kept=st.sets(TEXTS | st.just("NULL"), max_size=6), others=st.lists(TEXTS, max_size=6))
def test_values_reach_the_database_as_they_are(kept: set[str], others: list[str], database: Database) -> None:
    rows = [{"id": number, "ref": ref} for number, ref in enumerate(sorted(kept))]
    asked = [*sorted(kept)[::2], *others]
    numbers = {row["id"]: row["ref"] for row in rows if row["ref"] in asked}
    with database.writing() as connection:
        connection.execute(refs.delete())
        if rows:
            connection.execute(refs.insert(), rows)
        columns = select(refs.c.id, refs.c.ref)
        by_ref = connection.execute(columns.where(among(refs.c.ref, asked))).all()
        by_kept_statement = connection.execute(columns.where(among_wanted(refs.c.ref)), {WANTED: asked}).all()
        by_number = connection.execute(columns.where(among(refs.c.id, list(numbers)))).all()

    assert {tuple(row) for row in by_ref} == set(numbers.items())
    assert {tuple(row) for row in by_kept_statement} == set(numbers.items())
    assert {tuple(row) for row in by_number} == set(numbers.items())
