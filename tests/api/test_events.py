"""Webhooks of git hosts: who is heard, what is looked at because of it."""

from __future__ import annotations

import logging
import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import orjson
import pytest
from catalogs import component, location
from flask.testing import FlaskClient
from repositories import MakeRepository, Repository
from sqlalchemy import select, text
from waiting import eventually
from webhooks import HOSTS, ID_HEADERS, SECRET, Sent, pushed, signed
from webservers import GitHost, WebServer

from portal.app import Portal, build
from portal.app.wsgi import create_app
from portal.config import load_settings
from portal.services.duty import Duty
from portal.services.events import EventsService
from portal.services.refresher import Refresher
from portal.store.tables import looks, metadata

Make = Callable[..., Portal]
API = "/api/events/http"


@pytest.fixture
def make(tmp_path: Path, database_url: str) -> Iterator[Make]:
    """Make a Portal that hears of all hosts; its worker does nothing unless told."""
    opened: list[Portal] = []

    def made(**overrides: Any) -> Portal:
        hooks = [{"type": host, "secret": SECRET} for host in HOSTS]
        found = build(
            load_settings(
                environment={},
                overrides={"data": str(tmp_path / "data"), "database": database_url, "webhooks": hooks} | overrides,
            )
        )
        found.migrate()
        opened.append(found)
        return found

    yield made
    for one in opened:
        one.close()


@pytest.fixture
def portal(make: Make) -> Portal:
    return make()


@pytest.fixture
def client(portal: Portal) -> FlaskClient:
    return create_app(portal).test_client()


def _send(client: FlaskClient, host: str, sent: Sent) -> Any:
    return client.post(f"{API}/{host}", data=sent.body, headers=sent.headers)


def _id(portal: Portal, target: str) -> str:
    (found,) = [source.id for source in portal.sources.list() if source.target == target]
    return found


def _wanted(portal: Portal) -> set[str]:
    """Return the ids of the sources that somebody wants a look at."""
    with portal.database.reading() as connection:
        return set(connection.execute(select(looks.c.source_id).where(looks.c.wanted_at_ms.is_not(None))).scalars())


def _look(portal: Portal, refresh: Any = None) -> set[str]:
    """Do what is wanted, as a worker does, and return the ids of the sources that this concerned."""
    if not _wanted(portal):
        return set()
    assert portal.duty.hold()
    worker = Refresher(refresh or portal.refresh.beside(), portal.schedule.wanted, portal.duty)
    found: set[str] = eventually(worker.look, "what was pushed to be due")
    return found


def _names(client: FlaskClient) -> set[str]:
    items = client.get("/api/catalog/entities/by-query?filter=kind=component").get_json()["items"]
    return {item["metadata"]["name"] for item in items}


def _repository(repo: MakeRepository, name: str, *components: str) -> Repository:
    return repo({"catalog-info.yaml": "---\n".join(map(component, components))}, name=name)


@pytest.mark.parametrize("host", HOSTS)
def test_a_push_has_just_the_sources_of_its_repository_and_branch_read(
    host: str, portal: Portal, client: FlaskClient, git_host: GitHost, repo: MakeRepository
) -> None:
    pushed_to, other = _repository(repo, "o/r", "a"), _repository(repo, "o/s", "b")
    pushed_to.git("branch", "release")
    targets = [
        git_host.url("/o/r"),
        git_host.url("/o/r.git") + "#main:catalog-info.yaml",
        git_host.url("/o/r") + "#release",
        git_host.url("/o/s"),
    ]
    # The host serves it under this name too.
    (pushed_to.path.parent / "r.git").symlink_to(pushed_to.path)
    portal.ingest([("url", target) for target in targets])
    pushed_to.commit({"catalog-info.yaml": component("a2")})
    other.commit({"catalog-info.yaml": component("b2")})
    git_host.asked.clear()

    response = _send(client, host, signed(host, *pushed(host, git_host.url("/o/r"))))

    assert (response.status_code, response.json) == (202, {"status": "accepted", "sources": 2})
    assert git_host.asked == []
    assert _look(portal) == {_id(portal, target) for target in targets[:2]}
    assert _names(client) == {"a", "a2", "b"}  # "a" by the other branch
    assert {path.split("/info")[0].split("/git-upload")[0] for path in git_host.asked} == {"/o/r", "/o/r.git"}
    assert _look(portal) == set()


@pytest.mark.parametrize("host", HOSTS)
def test_who_has_not_signed_is_refused(
    host: str, portal: Portal, client: FlaskClient, repo: MakeRepository, git_host: GitHost
) -> None:
    _repository(repo, "o/r", "a")
    portal.ingest([("url", git_host.url("/o/r"))])
    event, payload = pushed(host, git_host.url("/o/r"))
    good = signed(host, event, payload)
    proofs = {"X-Hub-Signature-256", "X-Hub-Signature", "X-Gitlab-Token", "X-Gitea-Signature"}
    bare = {name: value for name, value in good.headers.items() if name not in proofs}
    sent = [
        Sent(bare, good.body),
        Sent(bare | dict.fromkeys(proofs, ""), good.body),
        Sent(bare | dict.fromkeys(proofs, "sha256="), good.body),
        Sent(bare | dict.fromkeys(proofs, "é"), good.body),
        signed(host, event, payload, secret=SECRET + "!"),
        signed(host, event, payload, secret=SECRET[:-1]),
    ]
    if host != "gitlab":  # whose token does not look at the content
        sent.append(Sent(good.headers, good.body.replace(b"refs/", b"refs//") + b" "))

    for one in sent:
        response = _send(client, host, one)
        assert response.status_code == 403, one
        assert response.get_json()["error"]["name"] == "NotAllowedError"
        assert SECRET not in response.text
    assert _wanted(portal) == set()
    # What was refused does not count as heard.
    assert _send(client, host, good).status_code == 202


@pytest.mark.parametrize("host", HOSTS)
def test_a_delivery_is_heard_once(host: str, client: FlaskClient) -> None:
    event, payload = pushed(host, "https://h/o/r")
    first = signed(host, event, payload)
    assert _send(client, host, first).status_code == 202

    again = Sent(first.headers | {ID_HEADERS[host]: "another-id"}, first.body)
    same_id = signed(host, *pushed(host, "https://h/o/r"), delivery=first.headers[ID_HEADERS[host]])
    for replayed in (first, again, same_id):
        response = _send(client, host, replayed)
        assert (response.status_code, response.get_json()["error"]["name"]) == (409, "ConflictError")
    assert _send(client, host, signed(host, *pushed(host, "https://h/o/r"))).status_code == 202


def test_of_the_same_delivery_at_many_servers_at_once_one_is_heard(make: Make) -> None:
    clients = [create_app(make()).test_client() for _ in range(2)]
    sent = signed("github", *pushed("github", "https://h/o/r"))
    begin = threading.Barrier(4)

    def send(number: int) -> int:
        begin.wait()
        return _send(clients[number % 2], "github", sent).status_code

    with ThreadPoolExecutor(4) as pool:
        assert sorted(pool.map(send, range(4))) == [202, 409, 409, 409]


def test_deliveries_are_forgotten_after_a_week(portal: Portal) -> None:
    now = [1_000_000.0]
    events = EventsService(portal.database, portal.schedule, webhooks=portal.settings.webhooks, clock=lambda: now[0])
    sent = signed("github", *pushed("github", "https://h/o/r"))
    headers = {name.lower(): value for name, value in sent.headers.items()}

    events.hear("github", headers=headers, body=sent.body)
    now[0] += 8 * 24 * 3600
    assert events.hear("github", headers=headers, body=sent.body).is_push
    with portal.database.reading() as connection:
        assert connection.execute(text("SELECT count(*) FROM heard_deliveries")).scalar_one() == 2


def test_a_burst_is_one_refresh(portal: Portal, client: FlaskClient, git_host: GitHost, repo: MakeRepository) -> None:
    repository = _repository(repo, "o/r", "a")
    portal.ingest([("url", git_host.url("/o/r"))])
    before = portal.catalog.revision()
    asked = []
    for pushes in (1, 12):
        for number in range(pushes):
            repository.commit({"catalog-info.yaml": component(f"a{number}")})
            _send(client, "github", signed("github", *pushed("github", git_host.url("/o/r"))))
        git_host.asked.clear()

        assert len(_look(portal)) == 1
        assert _look(portal) == set()
        asked.append(len(git_host.asked))

    assert _names(client) == {"a11"}
    assert portal.catalog.revision() == before + 2
    assert asked[0] == asked[1]


def test_a_push_while_its_source_is_read_has_it_read_again(portal: Portal, client: FlaskClient) -> None:
    """The sources are those of a service that pushes once more while it refreshes."""
    portal.sources.add([("url", "https://h.invalid/o/r")])

    class Pushing:
        def __init__(self) -> None:
            self.pushes = 1

        def refresh(self, ids: Any, *, again: Any) -> None:
            if self.pushes:
                self.pushes -= 1
                assert _send(client, "github", signed("github", *pushed("github", "https://h.invalid/o/r"))).json == {
                    "status": "accepted",
                    "sources": 1,
                }

    _send(client, "github", signed("github", *pushed("github", "https://h.invalid/o/r")))

    service = Pushing()
    assert [len(_look(portal, service)) for _ in range(3)] == [1, 1, 0]


def test_what_a_dead_worker_had_taken_is_anothers(portal: Portal, client: FlaskClient) -> None:
    (source,) = portal.sources.add([("url", "https://h.invalid/o/r")])
    looked: list[str] = []

    class Dying:
        def refresh(self, ids: Any, *, again: Any) -> None:
            raise SystemExit

    class Living:
        def refresh(self, ids: Any, *, again: Any) -> None:
            looked.extend(ids)

    _send(client, "github", signed("github", *pushed("github", "https://h.invalid/o/r")))
    with pytest.raises(SystemExit):
        _look(portal, Dying())
    assert portal.schedule.wanted.take(portal.duty.number) == {}
    portal.duty.stop()

    other = Duty(portal.database)
    assert other.hold()
    worker = Refresher(Living(), portal.schedule.wanted, other)  # type: ignore[arg-type]
    assert worker.look() == {source.id}
    assert worker.look() == set()
    other.stop()
    assert looked == [source.id]


def test_a_host_that_does_not_answer_holds_up_no_push(
    portal: Portal, client: FlaskClient, git_host: GitHost, repo: MakeRepository
) -> None:
    repository = _repository(repo, "o/r", "a")
    portal.ingest([("url", git_host.url("/o/r"))])
    with socket.create_server(("127.0.0.1", 0)) as silent:
        portal.sources.add([("url", f"http://127.0.0.1:{silent.getsockname()[1]}/o/silent")])
        assert portal.duty.hold()
        regular = Refresher(portal.refresh, portal.schedule.regular, portal.duty)
        looking = threading.Thread(target=regular.look)
        looking.start()
        waiting, _ = silent.accept()  # the regular look at both has asked, and waits
        with waiting:
            repository.commit({"catalog-info.yaml": component("a2")})
            _send(client, "github", signed("github", *pushed("github", git_host.url("/o/r"))))
            assert len(_look(portal)) == 1
            assert _names(client) == {"a2"}
            by_hand = client.post("/api/catalog/refresh", json={"entityRef": "component:default/a2"})
            assert by_hand.status_code == 200, by_hand.text
            assert looking.is_alive()
    looking.join()


@pytest.mark.parametrize("is_whole", [True, False], ids=["all read", "not all read"])
def test_a_push_to_a_repository_that_a_location_names_is_heard(
    is_whole: bool, make: Make, git_host: GitHost, repo: MakeRepository
) -> None:
    # What a Location names on a private address is read where settings name the host.
    portal = make(reading_hosts=[f"127.0.0.1:{git_host.port}"])
    client = create_app(portal).test_client()
    named = [git_host.url("/o/r#main:catalog-info.yaml")]
    named += [] if is_whole else [git_host.url("/o/gone#main:catalog-info.yaml")]
    repo({"catalog-info.yaml": location("all", *named)}, name="o/root")
    inner = _repository(repo, "o/r", "a")
    portal.ingest([("url", git_host.url("/o/root"))])
    inner.commit({"catalog-info.yaml": component("a2")})

    url = git_host.url("/O/R")  # hosts take names in any case of letters
    assert _send(client, "github", signed("github", *pushed("github", url, branch="x"))).get_json()["sources"] == 0
    assert _send(client, "github", signed("github", *pushed("github", url))).get_json()["sources"] == 1

    assert len(_look(portal)) == 1
    assert _names(client) == {"a2"}


@pytest.mark.parametrize("host", HOSTS)
def test_a_branch_that_is_deleted_is_told_as_a_problem(
    host: str, portal: Portal, client: FlaskClient, git_host: GitHost, repo: MakeRepository
) -> None:
    repository = _repository(repo, "o/r", "a")
    repository.git("branch", "old")
    portal.ingest([("url", git_host.url("/o/r#old"))])
    repository.git("branch", "--delete", "--force", "old")

    assert _send(client, host, signed(host, *pushed(host, git_host.url("/o/r"), branch="old", gone=True))).json == {
        "status": "accepted",
        "sources": 1,
    }
    _look(portal)

    found = client.get("/api/ownership/problems").get_json()["problems"]
    assert [problem for problem in found if "old" in str(problem)]
    assert _names(client) == {"a"}  # the last good entities stay


@pytest.mark.parametrize(
    ("host", "event", "payload"),
    [
        ("github", "ping", {"zen": "Design for failure.", "hook_id": 1, "repository": {"full_name": "o/r"}}),
        ("github", "issues", {"action": "opened"}),
        ("github", "", {}),
        ("gitlab", "Merge Request Hook", {"object_kind": "merge_request"}),
        ("gitlab", "System Hook", {"event_name": "project_create"}),
        ("gitea", "pull_request", {}),
        ("bitbucketCloud", "repo:fork", {}),
        ("bitbucketCloud", "diagnostics:ping", b""),
    ],
)
def test_other_events_are_taken_and_left_alone(host: str, event: str, payload: Any, client: FlaskClient) -> None:
    for _ in range(2):
        response = _send(client, host, signed(host, event, payload))
        assert (response.status_code, response.json) == (202, {"status": "ignored", "sources": 0})


@pytest.mark.parametrize(
    ("host", "event", "payload"),
    [
        ("github", "push", b"{"),
        ("github", "push", b"[" * 100_000),
        ("github", "push", b'"x"'),
        ("github", "push", {}),
        ("github", "push", {"ref": "refs/heads/main", "repository": {}}),
        ("github", "push", {"ref": 7, "repository": {"clone_url": "https://h/o/r"}}),
        ("gitlab", "Push Hook", {"object_kind": "push", "ref": "refs/heads/main", "project": []}),
        ("gitea", "push", {"ref": "", "repository": {"clone_url": "https://h/o/r"}}),
        ("bitbucketCloud", "repo:push", {"repository": {"links": {"html": {"href": "https://h/o/r"}}}}),
        (
            "bitbucketCloud",
            "repo:push",
            {"repository": {"links": {"html": {"href": "https://h/o/r"}}}, "push": {"changes": [7, {"new": 8}]}},
        ),
    ],
)
def test_a_payload_that_is_none_of_the_hosts_is_told(host: str, event: str, payload: Any, client: FlaskClient) -> None:
    response = _send(client, host, signed(host, event, payload))

    assert (response.status_code, response.get_json()["error"]["name"]) == (400, "InputError")
    assert "ayload" in response.get_json()["error"]["message"]


def test_github_may_send_its_payload_as_a_form(client: FlaskClient) -> None:
    event, payload = pushed("github", "https://h/o/r")
    sent = signed("github", event, urlencode({"payload": orjson.dumps(payload).decode()}).encode())

    form = sent.headers | {"Content-Type": "application/x-www-form-urlencoded"}
    assert _send(client, "github", Sent(form, sent.body)).get_json()["status"] == "accepted"
    empty = signed("github", event, b"x=1")
    assert (
        _send(client, "github", Sent(empty.headers | {"Content-Type": form["Content-Type"]}, b"x=1")).status_code == 400
    )


def test_hosts_that_no_secret_is_set_up_for_are_told_so(make: Make) -> None:
    client = create_app(make(webhooks=[{"type": "github", "secret": SECRET}])).test_client()

    response = _send(client, "gitlab", signed("gitlab", *pushed("gitlab", "https://h/o/r"), secret=""))
    assert response.status_code == 404
    assert "setting webhooks" in response.get_json()["error"]["message"]
    for name in ("GitHub", "azure", "x%0d%0ay", "..%2f"):
        assert client.post(f"{API}/{name}", data=b"{}").status_code == 404


def test_a_secret_speaks_for_its_host_alone(make: Make, git_host: GitHost, repo: MakeRepository) -> None:
    _repository(repo, "o/r", "a")
    hooks = [
        {"type": "github", "secret": SECRET, "host": "127.0.0.1"},
        {"type": "github", "secret": "that of another host", "host": "github.com"},
    ]
    portal = make(webhooks=hooks)
    client = create_app(portal).test_client()
    portal.ingest([("url", git_host.url("/o/r"))])
    event, payload = pushed("github", git_host.url("/o/r"))

    other = _send(client, "github", signed("github", event, payload, secret="that of another host"))
    assert (other.status_code, other.get_json()["error"]["name"]) == (403, "NotAllowedError")
    payload["repository"]["html_url"] = "https://github.com/o/r"
    mixed = _send(client, "github", signed("github", event, payload, secret="that of another host"))
    assert mixed.get_json() == {"status": "accepted", "sources": 0}
    own = _send(client, "github", signed("github", *pushed("github", git_host.url("/o/r"))))
    assert own.get_json() == {"status": "accepted", "sources": 1}


def test_webhooks_need_no_token_where_guests_are_not_allowed(make: Make) -> None:
    client = create_app(make(guests=False)).test_client()

    assert client.get("/api/catalog/entities").status_code == 401
    assert _send(client, "github", signed("github", *pushed("github", "https://h/o/r"))).status_code == 202
    assert client.get(f"{API}/github").status_code == 405


def test_nothing_is_read_from_where_a_payload_says(
    portal: Portal, client: FlaskClient, git_host: GitHost, web: WebServer, repo: MakeRepository
) -> None:
    _repository(repo, "o/r", "a")
    _repository(repo, "o/secret", "s")
    portal.ingest([("url", git_host.url("/o/r"))])
    git_host.asked.clear()
    _, payload = pushed("github", git_host.url("/o/secret"))
    payload["repository"] |= {"ssh_url": git_host.url("/o/r"), "url": web.url("/x"), "hooks_url": web.url("/y")}
    payload |= {"compare": web.url("/z"), "after": "--upload-pack=touch /tmp/x"}

    assert _send(client, "github", signed("github", "push", payload)).get_json()["sources"] == 1
    _look(portal)

    assert web.asked == []
    assert git_host.asked
    assert all(path.startswith("/o/r/") for path in git_host.asked)
    assert len(portal.sources.list()) == 1


def test_secrets_are_in_no_row_no_log_and_no_shown_setting(
    portal: Portal, client: FlaskClient, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    for host in HOSTS:
        _send(client, host, signed(host, *pushed(host, "https://h/o/r")))
        _send(client, host, signed(host, *pushed(host, "https://h/o/r"), secret="another secret of ours"))

    with portal.database.reading() as connection:
        rows = [str(row) for table in metadata.sorted_tables for row in connection.execute(select(table))]
    told = [*rows, caplog.text, str(portal.settings.shown()), repr(portal.settings)]
    assert not [one for one in told if SECRET in one or "another secret of ours" in one]
    assert any("heard" in record.message for record in caplog.records)
