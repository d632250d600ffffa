"""Providers as settings describe them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.model.sign_in import (
    MATCHES,
    is_loopback,
    parse_sign_in_provider,
    requested_scopes,
    sign_in_provider_json,
)

LEAST = {"id": "corp", "issuer": "https://login.example.com/realms/a", "client_id": "portal"}
TEXTS = st.text(min_size=1)
TABLES = st.fixed_dictionaries(
    {
        "id": st.from_regex(r"\Ap[a-z0-9]{0,20}\Z"),
        "issuer": st.sampled_from(["https://a.example", "https://a.example:8443/realms/x", "http://127.0.0.1:3000"]),
        "client_id": TEXTS,
    },
    optional={
        "client_secret": TEXTS,
        "title": TEXTS,
        "scopes": st.lists(st.sampled_from(["email", "groups"])).map(lambda scopes: ["openid", *scopes]),
        "match": st.lists(st.sampled_from(MATCHES), min_size=1, unique=True),
        "annotation": TEXTS,
        "annotation_claim": TEXTS,
        "name_claim": TEXTS,
        "trusts_email": st.booleans(),
        "unknown": st.sampled_from(["refuse", "create"]),
        "prompt": TEXTS,
    },
)


@given(TABLES)
def test_a_provider_is_read_as_it_is_written(table):
    found = parse_sign_in_provider(table)

    assert parse_sign_in_provider(sign_in_provider_json(found)) == found
    written = sign_in_provider_json(found)
    assert {key: written[key] for key in table} == table


def test_what_is_not_said_is_as_documented():
    found = parse_sign_in_provider(LEAST)

    assert (found.title, found.annotation, found.unknown, found.match) == (
        "corp",
        "portal/corp-subject",
        "refuse",
        MATCHES,
    )
    assert found.client_secret is None


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"id": "guest"}, "an id"),
        ({"id": "Corp"}, "an id"),
        ({"id": "a/b"}, "an id"),
        ({"id": ""}, "a text as id"),
        ({"issuer": "http://login.example.com"}, "an issuer"),
        ({"issuer": "https://a@login.example.com"}, "an issuer"),
        ({"issuer": "https://login.example.com?x=1"}, "an issuer"),
        ({"issuer": "https://[::1"}, "an issuer"),
        ({"issuer": "ftp://127.0.0.1"}, "an issuer"),
        ({"match": []}, "as match some of annotation, email, name"),
        ({"match": ["email", "email"]}, "as match"),
        ({"match": ["shoe size"]}, "as match"),
        ({"scopes": ["email"]}, '"openid" among them'),
        ({"scopes": ["openid", "a b"]}, "scopes"),
        ({"unknown": "perhaps"}, "refuse or create"),
        ({"trusts_email": "yes"}, "true or false"),
        ({"client_secret": 7}, "a text as client_secret"),
        ({"secret": "s3cret"}, '"secret" is not known'),
    ],
)
def test_a_faulty_provider_is_told_without_its_secret(change, told):
    with pytest.raises(ValueError) as error:
        parse_sign_in_provider(LEAST | {"client_secret": "s3cret"} | change)

    assert told in str(error.value)
    assert "s3cret" not in str(error.value)


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("127.0.0.1", True),
        ("127.8.9.10", True),
        ("localhost", True),
        ("::1", True),
        ("[::1]", True),
        ("0.0.0.0", False),
        ("::", False),
        ("10.0.0.1", False),
        ("localhost.evil.example", False),
        ("127.0.0.1.evil.example", False),
        ("", False),
        (None, False),
    ],
)
def test_this_machine_is_told_from_others(host, expected):
    assert is_loopback(host) is expected


@given(st.text())
def test_scopes_that_are_asked_for_hold_nothing_that_separates(text):
    assert all(
        scope and scope.isascii() and scope.isprintable() and " " not in scope for scope in requested_scopes(text)
    )
