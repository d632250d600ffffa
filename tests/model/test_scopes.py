"""What tokens can be made for, and until when."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.errors import InputError
from portal.model.expiry import parse_expiry, parse_since
from portal.model.permission import CATALOG_PERMISSIONS
from portal.model.scopes import BUNDLES, SCOPED_PERMISSIONS, parse_scopes, permissions_of

NOW_MS = 1_800_000_000_000
HOUR_MS = 3_600_000


def test_every_permission_of_the_catalog_is_in_one_bundle_and_who_writes_reads_too():
    for permission in CATALOG_PERMISSIONS:
        assert [name for name, names in BUNDLES.items() if permission.name in names], permission.name
    assert BUNDLES["catalog:read"] < BUNDLES["catalog:write"]
    apart = BUNDLES | {"catalog:write": BUNDLES["catalog:write"] - BUNDLES["catalog:read"]}
    assert sum(map(len, apart.values())) == len(SCOPED_PERMISSIONS)


def test_no_token_can_be_made_for_making_tokens():
    assert "portal.token.create" not in SCOPED_PERMISSIONS
    with pytest.raises(InputError, match=r"portal\.token\.create"):
        parse_scopes(["portal.token.create"])


def test_scopes_are_bundles_or_single_permissions():
    kept = parse_scopes(["catalog:read", "portal.audit.read", "catalog:read"])

    assert kept == ("catalog:read", "portal.audit.read")
    assert permissions_of(kept) == BUNDLES["catalog:read"] | {"portal.audit.read"}


@pytest.mark.parametrize("texts", [[], ["all"], ["*"], ["catalog:read "], ["Catalog:read"], [""], ["catalog"]])
def test_other_scopes_are_refused(texts):
    with pytest.raises(InputError):
        parse_scopes(texts)


def test_a_scope_that_is_not_known_any_more_allows_nothing():
    assert permissions_of(["catalog.entity.fly", "portal.token.create"]) == frozenset()


@given(st.lists(st.sampled_from([*BUNDLES, *sorted(SCOPED_PERMISSIONS)]), min_size=1))
def test_scopes_are_kept_as_they_are_parsed(texts):
    kept = parse_scopes(texts)

    assert parse_scopes(kept) == kept
    assert permissions_of(kept) == permissions_of(texts) <= SCOPED_PERMISSIONS


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("12h", NOW_MS + 12 * HOUR_MS),
        ("30d", NOW_MS + 30 * 24 * HOUR_MS),
        ("8w", NOW_MS + 8 * 7 * 24 * HOUR_MS),
        ("2027-01-31", int(datetime(2027, 1, 31, tzinfo=UTC).timestamp()) * 1000),
        ("2027-01-31T12:00:00+02:00", int(datetime(2027, 1, 31, 10, tzinfo=UTC).timestamp()) * 1000),
    ],
)
def test_an_expiry_is_a_span_a_day_or_a_time(text, expected):
    assert parse_expiry(text, now_ms=NOW_MS) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "0h",
        "30",
        "-1d",
        "1.5d",
        "30 d",
        "never",
        "2027-02-30",
        "2027-01-31T12:00",
        "revision:7",
        "2020-01-01",
        "1D",
    ],
)
def test_other_expiries_are_refused(text):
    with pytest.raises(InputError):
        parse_expiry(text, now_ms=NOW_MS)


@given(st.text())
def test_any_text_is_an_expiry_to_come_or_refused(text):
    try:
        found = parse_expiry(text, now_ms=NOW_MS)
    except InputError:
        return
    assert found > NOW_MS


@given(st.integers(1, 999_999), st.sampled_from("hdw"))
def test_a_span_leads_as_far_back_as_on(count, unit):
    text = f"{count}{unit}"

    assert parse_since(text, now_ms=NOW_MS) == max(0, 2 * NOW_MS - parse_expiry(text, now_ms=NOW_MS))
