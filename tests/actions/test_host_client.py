"""The client of git hosts, against a real server that answers what each test has lined up."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from servers import free_port

from portal.actions.host_client import (
    HostAnswer,
    HostClient,
    HostFaultError,
    Patience,
    api_root,
    find_host,
    limited_seconds,
    reason_of,
    segment,
    token_for,
)
from portal.errors import InputError, TaskCancelledError
from portal.model.integration import Integration, Integrations
from portal.model.secret import Secret

TOKEN = "tok-0123456789abcdef"
#: Stands for a connection that is closed without an answer.
BROKEN = (0, {}, None)


@dataclass
class LinedUp:
    """A host that gives its answers (status, headers, JSON) one after the other, the last one for ever."""

    root: str = ""
    answers: list[tuple[int, dict[str, str], Any]] = field(default_factory=list)
    asked: list[tuple[str, str]] = field(default_factory=list)


@pytest.fixture
def lined_up() -> Iterator[LinedUp]:
    served = LinedUp()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self.rfile.read(int(self.headers.get("content-length") or 0))
            served.asked.append((f"{self.command} {self.path}", self.headers["authorization"]))
            status, headers, body = served.answers.pop(0) if len(served.answers) > 1 else served.answers[0]
            if not status:
                self.close_connection = True
                return
            content = body if isinstance(body, bytes) else json.dumps(body).encode()
            self.send_response_only(status)  # without a date of its own
            for name, value in {"content-length": str(len(content)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        do_POST = do_PUT = do_GET  # noqa: N815  # the names that the server looks for

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    served.root = f"http://127.0.0.1:{server.server_address[1]}/api"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield served
    server.shutdown()
    server.server_close()
    thread.join()


@contextmanager
def client(
    root: str, *, waits: list[float] | None = None, cancelled: bool = False, token: str = TOKEN, **more: Any
) -> Iterator[HostClient]:
    """A client whose pauses are noted, not waited."""
    noted = [] if waits is None else waits

    def wait(seconds: float) -> bool:
        noted.append(seconds)
        return cancelled

    with HostClient("host", root, token=Secret(token), cancelled=wait, log=lambda _: None, **more) as opened:
        yield opened


def test_faults_that_pass_are_waited_out_each_time_longer(lined_up: LinedUp) -> None:
    lined_up.answers = [(502, {}, None), BROKEN, (503, {}, None), (200, {}, {"id": 7})]
    waits: list[float] = []
    with client(lined_up.root, waits=waits) as opened:
        answer = opened.get("/repos/a")

    assert answer.body == {"id": 7}
    assert waits == [1, 2, 4]
    assert lined_up.asked == [("GET /api/repos/a", f"Bearer {TOKEN}")] * 4


def test_a_fault_that_stays_is_told(lined_up: LinedUp) -> None:
    lined_up.answers = [(500, {}, {"message": "broken"})]
    with client(lined_up.root) as opened, pytest.raises(HostFaultError, match=r"GET /a answers 500: broken") as told:
        opened.get("/a")

    assert told.value.status == 500
    assert len(lined_up.asked) == 5


@pytest.mark.parametrize("answer", [(503, {}, None), BROKEN])
def test_what_may_have_been_done_is_not_done_again(lined_up: LinedUp, answer: Any) -> None:
    lined_up.answers = [answer, (201, {}, {})]
    with client(lined_up.root) as opened:
        with pytest.raises(HostFaultError):
            opened.ask("POST", "/repos", body={})
        assert len(lined_up.asked) == 1
        assert opened.ask("POST", "/repos", body={}).status == 201


def test_a_post_that_never_arrived_is_sent_again() -> None:
    waits: list[float] = []
    with client(f"http://127.0.0.1:{free_port()}", waits=waits) as opened, pytest.raises(HostFaultError) as told:
        opened.ask("POST", "/repos", body={})

    assert waits == [1, 2, 4, 8]
    assert told.value.status is None


@pytest.mark.parametrize(
    ("status", "headers", "body", "seconds"),
    [
        (429, {"retry-after": "7"}, None, 7),
        (403, {"retry-after": "30"}, {"message": "You have exceeded a secondary rate limit"}, 30),
        (403, {}, {"message": "You have exceeded a secondary rate limit"}, 60),
        (429, {"retry-after": "0"}, None, 1),
        (
            403,
            {"x-ratelimit-remaining": "0", "x-ratelimit-reset": "1000000090", "date": "Sun, 09 Sep 2001 01:46:40 GMT"},
            None,
            91,
        ),
        (
            429,
            {"ratelimit-remaining": "0", "ratelimit-reset": "1000000020", "date": "Sun, 09 Sep 2001 01:46:40 GMT"},
            None,
            21,
        ),
        (429, {"retry-after": "Sun, 09 Sep 2001 01:47:00 GMT", "date": "Sun, 09 Sep 2001 01:46:40 GMT"}, None, 21),
    ],
)
def test_a_limit_of_requests_is_waited_out_whatever_is_asked(
    lined_up: LinedUp, status: int, headers: dict[str, str], body: Any, seconds: float
) -> None:
    lined_up.answers = [(status, headers, body), (201, {}, {"id": 1})]
    waits: list[float] = []
    with client(lined_up.root, waits=waits) as opened:
        assert opened.ask("POST", "/repos", body={}).body == {"id": 1}

    assert waits == [seconds]


def test_a_limit_longer_than_a_step_may_wait_fails_at_once(lined_up: LinedUp) -> None:
    lined_up.answers = [(429, {"retry-after": "3600"}, None)]
    waits: list[float] = []
    with client(lined_up.root, waits=waits) as opened, pytest.raises(HostFaultError, match="3600 seconds"):
        opened.get("/a")

    assert waits == []


def test_a_host_that_always_limits_is_not_asked_for_ever(lined_up: LinedUp) -> None:
    lined_up.answers = [(429, {"retry-after": "5"}, None)]
    waits: list[float] = []
    with client(lined_up.root, waits=waits, patience=Patience(longest=12)) as opened, pytest.raises(HostFaultError):
        opened.get("/a")

    assert waits == [5, 5]


def test_a_permission_that_is_missing_is_no_limit(lined_up: LinedUp) -> None:
    lined_up.answers = [(403, {"x-ratelimit-remaining": "4990"}, {"message": "Resource not accessible"})]
    with client(lined_up.root) as opened, pytest.raises(HostFaultError, match="Resource not accessible"):
        opened.get("/a")

    assert len(lined_up.asked) == 1


def test_a_cancelled_task_does_not_wait(lined_up: LinedUp) -> None:
    lined_up.answers = [(429, {"retry-after": "5"}, None)]
    with client(lined_up.root, cancelled=True) as opened, pytest.raises(TaskCancelledError):
        opened.get("/a")

    assert len(lined_up.asked) == 1


def test_no_redirect_is_followed_with_the_token(lined_up: LinedUp) -> None:
    lined_up.answers = [(301, {"location": f"{lined_up.root}/elsewhere"}, {"message": "Moved Permanently"})]
    with client(lined_up.root) as opened, pytest.raises(HostFaultError, match="It has moved"):
        opened.get("/a")

    assert len(lined_up.asked) == 1


def test_a_host_that_repeats_the_token_does_not_betray_it(lined_up: LinedUp) -> None:
    lined_up.answers = [(422, {}, {"message": f"bad {TOKEN}", "errors": [{"message": TOKEN, "field": "name"}]})]
    with client(lined_up.root) as opened, pytest.raises(HostFaultError) as told:
        opened.ask("POST", "/repos", body={})

    assert TOKEN not in str(told.value)
    assert "bad ***" in str(told.value)


def test_a_token_that_cannot_be_sent_is_refused_without_showing_it() -> None:
    with pytest.raises(InputError) as told, client("http://127.0.0.1:1", token="good\r\nx-evil: 1"):
        pass

    assert "evil" not in str(told.value)


def test_pages_are_followed_on_the_same_host_alone(lined_up: LinedUp) -> None:
    lined_up.answers = [
        (200, {"link": f'<{lined_up.root}/teams?page=2>; rel="next"'}, [1, 2]),
        (200, {"link": '<http://elsewhere.example/api/teams?page=3>; rel="next"'}, [3]),
    ]
    with client(lined_up.root) as opened:
        pages = opened.pages("/teams", per_page="100")
        assert [next(pages), next(pages), next(pages)] == [1, 2, 3]
        with pytest.raises(HostFaultError, match="a page elsewhere"):
            next(pages)
    assert [line for line, _ in lined_up.asked] == ["GET /api/teams?per_page=100", "GET /api/teams?page=2"]


def test_an_answer_that_is_too_large_is_not_read_to_its_end(lined_up: LinedUp) -> None:
    lined_up.answers = [(200, {}, ["x" * 5000])]
    with client(lined_up.root, size_limit_bytes=1000) as opened, pytest.raises(HostFaultError, match="1,000 bytes"):
        opened.get("/a")


def test_what_is_no_json_is_told(lined_up: LinedUp) -> None:
    lined_up.answers = [(200, {}, b"<html>")]
    with client(lined_up.root) as opened, pytest.raises(HostFaultError, match="something else than JSON"):
        opened.get("/a")


def test_faults_by_field_are_told(lined_up: LinedUp) -> None:
    lined_up.answers = [(400, {}, {"message": {"name": ["has already been taken"], "path": ["is too long"]}})]
    with client(lined_up.root) as opened, pytest.raises(HostFaultError) as told:
        opened.ask("POST", "/projects", body={})

    assert "name has already been taken, path is too long" in str(told.value)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["message", "errors", "error", "name"]), inner),
)


@given(body=JSON)
def test_whatever_a_host_says_of_a_refusal_is_told_in_short(body: Any) -> None:
    assert len(reason_of(HostAnswer(422, {}, body))) <= 500


def test_a_refusal_as_deep_as_json_may_be_is_told(lined_up: LinedUp) -> None:
    lined_up.answers = [(422, {}, b'{"message":' * 900 + b"1" + b"}" * 900)]
    with client(lined_up.root) as opened, pytest.raises(HostFaultError, match="answers 422: …"):
        opened.get("/a")


@given(
    status=st.sampled_from([403, 429]),
    headers=st.dictionaries(
        st.sampled_from(["retry-after", "date", "x-ratelimit-remaining", "x-ratelimit-reset", "ratelimit-reset"]),
        st.sampled_from(["0", "17", "99999999999999999999", "-1", "²", "", "soon", "Sun, 09 Sep 2001 01:46:40 GMT"])
        | st.text(max_size=20),
    ),
)
def test_whatever_a_host_says_of_its_limits_is_a_time(status: int, headers: dict[str, str]) -> None:
    found = limited_seconds(HostAnswer(status, headers, None))
    assert found is None or found >= 1


def test_only_hosts_that_settings_name_are_spoken_to() -> None:
    known = Integrations(
        [Integration("git.example.com", "github", Secret(TOKEN), base_url="http://git.example.com/x/")]
    )

    assert api_root(find_host(known, "git.example.com", kind="github")) == "http://git.example.com/x/api/v3"
    assert api_root(find_host(known, "github.com", kind="github")) == "https://api.github.com"
    assert api_root(Integration("acme.ghe.com", "github")) == "https://api.acme.ghe.com"
    assert api_root(find_host(known, "gitlab.com", kind="gitlab")) == "https://gitlab.com/api/v4"
    assert token_for(find_host(known, "git.example.com", kind="github"), None).reveal() == TOKEN
    for host in ("127.0.0.1", "gitlab.com", "github.com.evil.example"):
        with pytest.raises(InputError, match="setting integrations"):
            find_host(known, host, kind="github")
    with pytest.raises(InputError, match="No token"):
        token_for(find_host(known, "github.com", kind="github"), "")


@pytest.mark.parametrize("name", ["", ".", ".."])
def test_a_name_is_no_way_up(name: str) -> None:
    assert segment("a/../b c") == "a%2F..%2Fb%20c"
    with pytest.raises(InputError):
        segment(name)
