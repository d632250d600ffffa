"""API tokens: made once, kept as digests, revoked at once, their use known."""

from __future__ import annotations

import pytest
from catalogs import entity
from clocks import Clock
from repositories import MakeRepository
from sqlalchemy import event, select
from waiting import eventually

from portal.errors import AuthenticationError, ConflictError, InputError, NotFoundError
from portal.model.ref import EntityRef
from portal.services.api_tokens import MOST_TOKENS, ApiTokens
from portal.services.last_uses import LastUses
from portal.store.tables import api_tokens

ANN = EntityRef("user:default/ann")
BOB = EntityRef("user:default/bob")
READ = ["catalog:read"]
DAY_MS = 86_400_000


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def tokens(database, clock):
    made = ApiTokens(database, longest_days=30, clock=clock)
    yield made
    made.close()


def create(tokens, user=ANN, scopes=READ, days=1, **more):
    return tokens.create_personal(
        user, scopes, expires_at_ms=tokens.now_ms + days * DAY_MS, created_by="operator:root", **more
    )


def rows(database):
    with database.reading() as connection:
        return connection.execute(select(api_tokens)).all()


def test_a_token_tells_whose_it_is_and_what_for(tokens):
    made = create(tokens, description="nightly export")

    found = tokens.verify(made.text.reveal())

    assert found == made.token
    assert (found.owner, found.kind, found.scopes) == (ANN, "personal", ("catalog:read",))
    assert found.permissions == {"catalog.entity.read", "catalog.location.read", "catalog.ingestion.read"}
    assert "portal_" not in repr(made)


def test_a_service_has_a_name_of_its_own(tokens):
    made = tokens.create_service(
        "ci.main", ["catalog:write"], expires_at_ms=tokens.now_ms + 1, created_by="operator:root"
    )

    assert tokens.verify(made.text.reveal()).owner == "ci.main"
    for name in ("", "-ci", "user:default/ann", "a b", "ä", "x" * 64, "ci\n"):
        with pytest.raises(InputError):
            tokens.create_service(name, READ, expires_at_ms=tokens.now_ms + 1, created_by="operator:root")


def test_the_database_does_not_hold_tokens(tokens, database):
    made = create(tokens)

    (row,) = rows(database)
    secret = made.text.reveal().rpartition("_")[2]
    assert all(secret not in str(value) for value in row)


def test_a_token_ends(tokens, clock):
    text = create(tokens).text.reveal()
    clock.now += 86_399
    assert tokens.verify(text) is not None
    clock.now += 1
    with pytest.raises(AuthenticationError, match="has expired"):
        tokens.verify(text)


def test_a_revoked_token_is_refused_at_once_by_every_server(tokens, database, clock):
    made = create(tokens)
    other = ApiTokens(database, longest_days=30, clock=clock)
    assert other.verify(made.text.reveal()) is not None

    revoked = tokens.revoke(made.token.id)
    clock.now += 60
    again = tokens.revoke(made.token.id)

    assert revoked.status == "revoked"
    assert again.revoked_at_ms == revoked.revoked_at_ms
    for server in (tokens, other):
        with pytest.raises(AuthenticationError, match="was revoked"):
            server.verify(made.text.reveal())


def test_people_revoke_their_own_tokens_alone(tokens):
    made = create(tokens)
    service = tokens.create_service(
        "user:default/bob".rpartition("/")[2], READ, expires_at_ms=tokens.now_ms + 1, created_by="operator:root"
    )

    for token_id in (made.token.id, service.token.id, "0" * 16, "", "\0", "x" * 900):
        with pytest.raises(NotFoundError):
            tokens.revoke(token_id, user=BOB)
    assert tokens.verify(made.text.reveal()) is not None
    tokens.revoke(made.token.id, user=ANN)


def test_a_token_that_was_changed_is_none(tokens):
    text = create(tokens).text.reveal()
    other = create(tokens).text.reveal()
    head, _, secret = text.rpartition("_")
    changed = [
        text[:-1],
        text[1:],
        f"{text} ",
        f"{text}\n",
        f"{text}A",
        text.upper(),
        f"{head}_{secret[1:]}{secret[0]}",
        f"{head}_{other.rpartition('_')[2]}",
        f"{head}_",
        "portal_" + "0" * 16 + "_" + secret,
        "",
        "é",
    ]

    assert [tokens.verify(item) for item in changed if item != text] == [None] * len(changed)


def test_a_token_ends_with_the_entity_of_its_user(catalog, repo: MakeRepository, clock):
    made = repo({"catalog-info.yaml": entity("User", "ann", "memberOf: []")})
    catalog.ingest(made.url)
    tokens = ApiTokens(catalog.database, longest_days=30, clock=clock)
    ann, bob = create(tokens).text.reveal(), create(tokens, BOB).text.reveal()
    assert tokens.verify(ann) is not None

    made.commit({"catalog-info.yaml": entity("User", "cleo", "memberOf: []")})
    catalog.service.refresh()

    with pytest.raises(AuthenticationError, match="not in the catalog any more"):
        tokens.verify(ann)
    # Bob was never in it: nobody has taken him out.
    assert tokens.verify(bob) is not None
    tokens.close()


def test_what_cannot_be_kept_is_refused(tokens):
    with pytest.raises(InputError, match="token_days"):
        create(tokens, days=31)
    with pytest.raises(InputError, match="to come"):
        create(tokens, days=0)
    with pytest.raises(InputError, match="is no user"):
        create(tokens, EntityRef("group:default/team"))
    with pytest.raises(InputError, match="description"):
        create(tokens, description="two\nlines")
    with pytest.raises(InputError, match="description"):
        create(tokens, description="x" * 201)
    with pytest.raises(InputError, match="scope"):
        create(tokens, scopes=[])


def test_nobody_has_more_tokens_than_can_be_looked_after(tokens):
    made = [create(tokens) for _ in range(MOST_TOKENS)]
    with pytest.raises(ConflictError):
        create(tokens)

    tokens.revoke(made[0].token.id)

    create(tokens)
    create(tokens, BOB)


def test_owners_see_their_own_the_newest_first(tokens, clock):
    first = create(tokens)
    clock.now += 1
    second = create(tokens)
    create(tokens, BOB)
    tokens.revoke(first.token.id)

    found = tokens.tokens(kind="personal", owner=ANN)

    assert [(item.id, item.status) for item in found] == [
        (second.token.id, "active"),
        (first.token.id, "revoked"),
    ]
    assert len(tokens.tokens()) == 3
    assert tokens.tokens(kind="service") == []


def test_uses_are_written_together(tokens, database, clock):
    texts = [create(tokens).text.reveal() for _ in range(3)]
    statements = []
    event.listen(
        database.engine, "before_cursor_execute", lambda *arguments: statements.append((arguments[2], arguments[5]))
    )

    for _ in range(20):
        clock.now += 1
        for text in texts:
            tokens.verify(text)
    tokens.close()

    updates = [is_many for statement, is_many in statements if statement.startswith("UPDATE")]
    assert updates == [True]
    assert {row.last_used_at_ms for row in rows(database)} == {int(clock.now * 1000)}


def test_a_later_use_that_another_server_noted_stands(tokens, database, clock):
    other = ApiTokens(database, longest_days=30, clock=clock)
    text = create(tokens).text.reveal()
    tokens.verify(text)
    clock.now += 5
    other.verify(text)
    other.close()

    tokens.close()

    (row,) = rows(database)
    assert row.last_used_at_ms == int(clock.now * 1000)


def test_uses_are_written_in_time_without_anybody_asking():
    written: list = []
    uses = LastUses(written.append, seconds=0.01)
    uses.note("a", 1)

    assert eventually(lambda: written, "the uses") == [{"a": 1}]


def test_uses_that_cannot_be_written_are_logged(caplog):
    def fail(_):
        raise OSError("no disk")

    uses = LastUses(fail, seconds=60)
    uses.note("a", 1)

    uses.flush()

    assert "the last uses of tokens were not written" in caplog.text


def test_a_token_costs_one_statement_however_many_there_are(tokens, database):
    def cost(text):
        seen = []

        def note(*arguments):
            seen.append(arguments[2])

        event.listen(database.engine, "before_cursor_execute", note)
        assert tokens.verify(text) is not None
        event.remove(database.engine, "before_cursor_execute", note)
        return len([statement for statement in seen if "api_tokens" in statement])

    first = create(tokens).text.reveal()
    alone = cost(first)
    for _ in range(20):
        create(tokens, BOB)

    assert cost(first) == alone == 1
