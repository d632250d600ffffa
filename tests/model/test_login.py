"""Urls with logins in them."""

from __future__ import annotations

import time

import pytest

from portal.model.login import without_credentials


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://ann:word@host/a", "https://host/a"),
        ("https://token@host/a?x=1", "https://host/a"),
        ("ssh://git:word@host/a", "ssh://git@host/a"),
        ("url:https://ann:word@host/a", "url:https://host/a"),
        ("1+https://ann:word@host/a", "1+https://host/a"),
        ("ann:word@host:a", "***@host:a"),
        ("git@host:a", "git@host:a"),
        ("nothing of it", "nothing of it"),
    ],
)
def test_a_url_is_shown_without_its_login(url: str, shown: str) -> None:
    assert without_credentials(url) == shown


@pytest.mark.parametrize("part", ["x", "1", ":", "a:", "://", "@:"])
def test_a_long_text_is_gone_through_once(part: str) -> None:
    # Whoever may send a target sends any: each letter was once tried as the beginning of a scheme, to the text's end.
    text = part * 60_000
    begun = time.perf_counter()

    without_credentials(text)

    assert time.perf_counter() - begun < 5
