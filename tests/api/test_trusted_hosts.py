"""Which hosts Portal answers for."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from werkzeug.test import Client

from portal.api.trusted_hosts import TrustedHosts, trusted_hosts


def application(_environ, start_response):
    start_response("200 OK", [])
    return [b"answered"]


def ask(host, *, base_url="https://portal.example.com", listens_on="10.0.0.5", more=(), path="/"):
    hosts = trusted_hosts(base_url, listens_on=listens_on, more=more)
    return Client(TrustedHosts(application, hosts)).get(path, headers={"host": host}).status_code


@pytest.mark.parametrize(
    ("host", "settings", "status"),
    [
        ("portal.example.com", {}, 200),
        ("PORTAL.example.com:443", {}, 200),
        ("10.0.0.5:7007", {}, 200),
        ("evil.example", {}, 400),
        ("portal.example.com.evil.example", {}, 400),
        ("evil-portal.example.com", {}, 400),
        ("localhost", {}, 400),
        # A proxy on this machine that names what it asks.
        ("127.0.0.1:7007", {"listens_on": "127.0.0.1"}, 200),
        ("localhost:7007", {"base_url": "http://127.0.0.1:7007", "listens_on": "127.0.0.1"}, 200),
        ("[::1]:7007", {"base_url": "http://[::1]:7007", "listens_on": "::1"}, 200),
        ("portal.internal", {"more": ["portal.internal"]}, 200),
        ("a.b.example.org", {"more": ["*.example.org"]}, 200),
        ("example.org", {"more": ["*.example.org"]}, 400),
        ("badexample.org", {"more": ["*.example.org"]}, 400),
        # What others call it is not known.
        ("anything.example", {"base_url": "http://0.0.0.0:7007", "listens_on": "0.0.0.0"}, 200),
        ("anything.example", {"base_url": "http://0.0.0.0:7007", "listens_on": "0.0.0.0", "more": ["a.b"]}, 400),
        ("evil.example", {"path": "/.backstage/health/v1/liveness"}, 200),
        ("evil.example", {"path": "/metrics"}, 200),
    ],
)
def test_requests_are_answered_for_hosts_of_settings(host, settings, status):
    assert ask(host, **settings) == status


@given(st.text(st.characters(min_codepoint=33, max_codepoint=255)))
@example("portal.example.com/evil")
@example("portal.example.com@evil")
@example("portal.example.com:port")
@example("x" * 100_000)
def test_whatever_host_is_named_is_answered_or_refused(host):
    is_own = host.lower().partition(":")[0] in {"portal.example.com", "10.0.0.5"}

    assert ask(host) in ({200, 400} if is_own else {400})


def test_a_host_that_is_no_host_is_refused_where_any_is_answered():
    open_ = {"base_url": "http://0.0.0.0:7007", "listens_on": "0.0.0.0"}
    assert [ask(host, **open_) for host in ("a b", "a/b", "a@b", "<script>")] == [400] * 4


def test_hosts_that_are_seen_are_remembered_up_to_a_number():
    served = TrustedHosts(application, frozenset({"*.example.org"}))
    client = Client(served)
    for number in range(300):
        assert client.get("/", headers={"host": f"h{number}.example.org"}).status_code == 200
    assert len(served._seen) == 100
