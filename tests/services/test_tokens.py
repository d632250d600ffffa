"""Tokens, as Backstage's backends and front ends read them."""

from __future__ import annotations

import base64

import orjson
import pytest
from clocks import Clock
from joserfc import jws
from joserfc.jwk import ECKey, KeySet
from sqlalchemy import select

from portal.errors import AuthenticationError
from portal.model.ref import EntityRef
from portal.services.tokens import TOKEN_SECONDS, Tokens
from portal.services.vault import Vault
from portal.store.tables import signing_keys

GUEST = EntityRef("user:development/guest")


@pytest.fixture
def clock():
    return Clock(1_800_000_000.5)


@pytest.fixture
def make(database, tmp_path, clock):
    """Make a server's tokens; servers of one `key` share the instance key."""

    def build(key="instance", url="http://portal.example.com/api/auth"):
        return Tokens(database, Vault(tmp_path / f"{key}.key"), issuer=url, clock=clock)

    return build


def decoded(part):
    return orjson.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))


def encoded(value):
    return base64.urlsafe_b64encode(orjson.dumps(value)).rstrip(b"=").decode()


def stored(database):
    with database.reading() as connection:
        return connection.execute(select(signing_keys)).all()


def test_a_token_has_the_header_and_claims_that_clients_read(make):
    tokens = make()
    header, claims, _ = tokens.issue(GUEST).text.split(".")
    (key,) = tokens.public_keys()

    assert decoded(header) == {"typ": "vnd.backstage.user", "alg": "ES256", "kid": key["kid"]}
    told = decoded(claims)
    assert told | {"uip": ""} == {
        "iss": "http://portal.example.com/api/auth",
        "sub": "user:development/guest",
        "aud": "backstage",
        "iat": 1_800_000_000,
        "exp": 1_800_000_000 + TOKEN_SECONDS,
        "uip": "",
    }
    assert key.keys() == {"kty", "crv", "x", "y", "kid", "alg"}


def test_a_token_is_good_by_the_published_keys_alone(make):
    tokens = make()
    text = tokens.issue(GUEST).text
    published = KeySet.import_key_set({"keys": tokens.public_keys()})

    assert orjson.loads(jws.deserialize_compact(text, published, algorithms=["ES256"]).payload)["sub"] == GUEST


def test_the_identity_proof_signs_the_limited_token_that_others_build(make):
    tokens = make()
    issued = tokens.issue(GUEST)
    header, claims, _ = issued.text.split(".")
    # As backend-defaults 0.18 `createLimitedUserToken` does.
    limited = ".".join(
        [
            encoded(
                {"typ": "vnd.backstage.limited-user", "alg": decoded(header)["alg"], "kid": decoded(header)["kid"]}
            ),
            encoded({name: decoded(claims)[name] for name in ("sub", "iat", "exp")}),
            decoded(claims)["uip"],
        ]
    )

    found = tokens.verify(limited)
    assert found is not None
    assert (found.is_limited, found.user_ref, found.expires_at) == (True, GUEST, issued.expires_at)
    verified = tokens.verify(issued.text)
    assert verified is not None
    assert tokens.limited(verified).text == limited
    assert tokens.limited(found) is found


def test_servers_of_one_database_believe_each_other(make, database):
    one, two, foreign = make(), make(url="http://other.example.com/api/auth"), make(key="foreign")
    texts = [tokens.issue(GUEST).text for tokens in (one, two, foreign)]

    for tokens in (one, two, foreign):
        assert [tokens.verify(text).user_ref for text in texts] == [GUEST] * 3
    # The two that share an instance key share the signing key as well; the third cannot open it.
    assert len(stored(database)) == 2
    kids = [decoded(text.split(".")[0])["kid"] for text in texts]
    assert kids[0] == kids[1] != kids[2]


def test_private_keys_cannot_be_read_in_the_database(make, database):
    make().issue(GUEST)
    (row,) = stored(database)

    assert '"d"' not in row.public_key
    assert "crv" not in row.private_key


def test_a_token_ends(make, clock):
    tokens = make()
    text = tokens.issue(GUEST).text
    assert tokens.verify(text) is not None
    clock.now += TOKEN_SECONDS - 1
    assert tokens.verify(text) is not None
    clock.now += 1
    for server in (tokens, make()):
        with pytest.raises(AuthenticationError, match="Failed user token verification"):
            server.verify(text)


def test_keys_change_while_their_tokens_live_on(make, clock, database):
    tokens = make()
    first = tokens.issue(GUEST).text
    clock.now += TOKEN_SECONDS - 1
    late = tokens.issue(GUEST).text
    clock.now += 1
    second = tokens.issue(GUEST).text

    kids = [decoded(text.split(".")[0])["kid"] for text in (first, late, second)]
    assert kids[0] == kids[1] != kids[2]
    assert [key["kid"] for key in tokens.public_keys()] == [kids[2], kids[0]]
    assert tokens.verify(late) is not None
    clock.now += 3 * TOKEN_SECONDS
    assert tokens.public_keys() == []
    tokens.issue(GUEST)
    assert len(stored(database)) == 1


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a",
        "a.b.c",
        "é.é.é",
        "x" * 40_000,
        "e30.e30.e30",
        "\ud800",
        "..",
        "W10.W10.W10",
        f"{encoded({'typ': ['x'], 'alg': 'ES256'})}.e30.e30",
    ],
)
def test_other_texts_are_no_tokens_of_users(make, text):
    assert make().verify(text) is None


def test_tokens_that_were_tampered_with_are_refused(make):
    tokens = make()
    header, claims, signature = tokens.issue(GUEST).text.split(".")
    kid = decoded(header)["kid"]
    other = ECKey.generate_key("P-256", private=True)
    theirs = jws.serialize_compact(decoded(header), orjson.dumps(decoded(claims)), other, algorithms=["ES256"])
    texts = [
        f"{header}.{encoded(decoded(claims) | {'sub': 'user:default/admin'})}.{signature}",
        f"{encoded({'typ': 'vnd.backstage.user', 'alg': 'none', 'kid': kid})}.{claims}.",
        f"{encoded({'typ': 'vnd.backstage.user', 'alg': 'HS256', 'kid': kid})}.{claims}.{signature}",
        f"{encoded({'typ': 'vnd.backstage.user', 'alg': 'ES256', 'kid': 'other'})}.{claims}.{signature}",
        f"{encoded({'typ': 'vnd.backstage.user', 'alg': 'ES256', 'kid': 5})}.{claims}.{signature}",
        f"{encoded({'typ': 'vnd.backstage.user', 'alg': 'ES256'})}.{claims}.{signature}",
        # A full token is not a limited one, nor is a limited one full.
        f"{encoded({'typ': 'vnd.backstage.limited-user', 'alg': 'ES256', 'kid': kid})}.{claims}.{signature}",
        theirs,
        f"{header}.{claims}.",
    ]
    for text in texts:
        with pytest.raises(AuthenticationError, match="Failed user token verification"):
            tokens.verify(text)


def test_a_token_that_was_found_good_is_not_looked_into_again(make, database):
    tokens = make()
    text = tokens.issue(GUEST).text
    found = tokens.verify(text)
    assert tokens.verify(text) is found
