"""Secrets are masked in whatever form they are written."""

from __future__ import annotations

import base64
import html
import json
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.model.login import holds_login
from portal.model.secret import Secret, forms_of, without_secrets

#: How a text may be written, each with what stands beside it.
WRITTEN = {
    "plain": lambda text: text,
    "json": lambda text: json.dumps({"a": [text]}),
    "json as it is read": lambda text: json.dumps({"a": [text]}, ensure_ascii=False),
    "python": lambda text: repr([text]),
    "python with quotes": lambda text: repr(f"'{text}\""),
    "url": lambda text: f"https://h/{quote(text)}",
    "part of a url": lambda text: f"https://u:{quote(text, safe='')}@h/",
    "form": lambda text: f"a={quote_plus(text)}&b=c",
    "page": lambda text: f"<p>{html.escape(text)}</p>",
    "yaml": lambda text: "a: '" + text.replace("'", "''") + "'",
    **{
        f"{name} behind {count}": lambda text, encode=encode, count=count: encode(
            ("x" * count + text + "yz").encode()
        ).decode()
        for name, encode in (("base64", base64.b64encode), ("base64 of urls", base64.urlsafe_b64encode))
        for count in range(4)
    },
}
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), min_size=8, max_size=40)


@pytest.mark.parametrize("form", WRITTEN)
@given(text=TEXTS)
def test_a_secret_is_masked_in_whatever_form_it_is_written(form, text):
    secret = Secret(text)
    written = WRITTEN[form](text)

    found = without_secrets(written)

    # Whatever is left of it is too little to guess from: its form is not there any more.
    assert found != written
    assert not [one for one in forms_of(secret.reveal()) if len(one) > 3 and one in found]


def test_each_line_of_a_secret_is_masked():
    key = Secret("-----BEGIN KEY-----\nabcdefgh\nij\n-----END KEY-----\n")
    assert without_secrets("line 2: abcdefgh, line 3: ij") == "line 2: ***, line 3: ij"
    assert key.reveal() not in without_secrets(json.dumps(key.reveal()))


def test_short_secrets_are_not_looked_for_in_pieces():
    held = [Secret("abc"), Secret("four")]
    assert without_secrets(f"abc four {base64.b64encode(b'four').decode()}") == "abc *** Zm91cg=="
    assert len(held) == 2


def test_a_secret_is_masked_as_long_as_it_is_held():
    held = Secret("as long as it lives")
    assert without_secrets("as long as it lives") == "***"
    del held
    assert without_secrets("as long as it lives") == "as long as it lives"


@pytest.mark.parametrize(
    ("url", "holds"),
    [
        ("https://ann:s3cret@host/a", True),
        ("https://s3cret@host/a", True),
        ("http://ann:s3/cr/et@host/a", True),
        ("ssh://git:s3cret@host/a", True),
        ("ann:s3cret@host:a", True),
        ("https://host/a", False),
        ("https://host:8443/@scope/a.yaml?x=a@b", False),
        ("ssh://git@host/a", False),
        ("git@host:o/r", False),
        ("file:///srv/a@b", False),
    ],
)
def test_logins_in_urls_are_found(url, holds):
    assert holds_login(url) is holds
