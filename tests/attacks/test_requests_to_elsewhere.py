"""Server-side request forgery: no catalog, template, request or webhook makes Portal speak to what is private."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from catalogs import component, documents, entity, group, location
from flask.testing import FlaskClient
from repositories import MakeRepository
from scaffolds import scaffold, template
from webservers import GitHost, WebServer

from portal.app import Portal, build
from portal.app.wsgi import create_app
from portal.config import load_settings
from portal.errors import InputError, NotAllowedError, SourceUnreachableError
from portal.model.reading import ReadingRules
from portal.vcs.addresses import pinned
from portal.vcs.command import Remote, run

pytestmark = pytest.mark.slow

#: Names of this very machine; {} is a port.
HOSTS = [
    "127.0.0.1:{}",
    "localhost:{}",
    "LOCALHOST:{}",
    "localhost.:{}",
    "127.1:{}",
    "2130706433:{}",
    "0x7f000001:{}",
    "0x7f.1:{}",
    "0177.0.0.1:{}",
    "017700000001:{}",
    "0.0.0.0:{}",
    "0:{}",
    "[::1]:{}",
    "[0:0:0:0:0:0:0:1]:{}",
    "[::ffff:127.0.0.1]:{}",
    "[::ffff:7f00:1]:{}",
    "[::]:{}",
    "[::1%25lo]:{}",
    "github.com@127.0.0.1:{}",
    "github.com:x@127.0.0.1:{}",
    "127。0。0。1:{}",
    "①②⑦.⓪.⓪.①:{}",
    "127.0.0.1:{}\\@github.com",
    "github.com\\@127.0.0.1:{}",
]


class Canary:
    """Listens on every address of this machine, and counts who comes."""

    def __init__(self) -> None:
        self._server = socket.create_server(("::", 0), family=socket.AF_INET6, dualstack_ipv6=True)
        self.port = self._server.getsockname()[1]
        self.visits = 0
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            visitor, _ = self._server.accept()
            with visitor:
                if visitor.recv(5) == b"close":
                    return
                self.visits += 1

    def close(self) -> None:
        with socket.create_connection(("127.0.0.1", self.port)) as last:
            last.sendall(b"close")
        self._thread.join()
        self._server.close()


@pytest.fixture
def canary() -> Iterator[Canary]:
    made = Canary()
    yield made
    made.close()


@pytest.fixture
def portal(tmp_path: Path) -> Iterator[Portal]:
    with build(load_settings(environment={}, overrides={"data": str(tmp_path / "data")})) as opened:
        opened.migrate()
        yield opened


@pytest.fixture
def client(portal: Portal) -> FlaskClient:
    return create_app(portal).test_client()


def test_the_canary_sees_whoever_comes(canary: Canary) -> None:
    for host in ("127.0.0.1", "127.1", "2130706433", "::1", "::ffff:127.0.0.1", "0.0.0.0", "localhost"):
        before = canary.visits
        with socket.create_connection((host, canary.port)) as visitor:
            visitor.sendall(b"hello")
            visitor.recv(1)
        assert canary.visits == before + 1, host


@pytest.mark.parametrize("host", HOSTS)
@pytest.mark.parametrize("scheme", ["http", "https", "git", "ssh"])
def test_a_location_leads_to_no_private_address(scheme: str, host: str, client: FlaskClient, canary: Canary) -> None:
    target = f"{scheme}://{host.format(canary.port)}/o/r"
    suffixes = ["", "#main:catalog-info.yaml"] + (
        ["/blob/main/catalog-info.yaml", "/x.yaml"] if "http" in scheme else []
    )
    for suffix in suffixes:
        body = {"type": "url", "target": target + suffix}
        for path in ("locations?dryRun=true", "locations", "locations?onConflict=refresh"):
            answer = client.post(f"/api/catalog/{path}", json=body)
            assert answer.status_code < 500 or answer.status_code == 503, (path, suffix, answer.text)
        answer = client.post("/api/catalog/analyze-location", json={"location": body})
        assert answer.status_code in {400, 403, 404, 503}, answer.text
        if host.lower().startswith("localhost:"):
            assert "127.0.0.1" not in answer.text  # whose name it is stays untold
            assert "::1" not in answer.text
    assert canary.visits == 0


def test_a_remote_as_ssh_writes_it_leads_to_no_private_address(client: FlaskClient, canary: Canary) -> None:
    for host in ("127.0.0.1", "localhost", "[::1]", "2130706433"):
        answer = client.post(
            "/api/catalog/locations?dryRun=true", json={"type": "url", "target": f"git@{host}:o/r.git"}
        )
        assert answer.status_code == 400, answer.text
        assert "private address" in answer.text or "not a url" in answer.text or "not a git url" in answer.text
    assert canary.visits == 0


def test_what_a_catalog_file_names_leads_to_no_private_address(
    portal: Portal, client: FlaskClient, canary: Canary, repo: MakeRepository
) -> None:
    hosts = [host.format(canary.port) for host in HOSTS]
    urls = [f"http://{host}/{name}" for host in hosts for name in ("o/r", "x.yaml", "o/r/blob/main/x.yaml")]
    texts = [location(f"l{number}", url) for number, url in enumerate(urls)]
    for number, url in enumerate(urls):
        for placeholder in ("$text", "$json", "$yaml", "$openapi"):
            definition = json.dumps({placeholder: url})
            more = f"type: openapi, lifecycle: production, owner: g, definition: {definition}"
            texts.append(entity("API", f"a{number}{placeholder[1:]}", more))
    for number, url in enumerate(urls):
        inner = json.dumps({"openapi": "3.1.0", "components": {"schemas": {"A": {"$ref": f"{url}#/A"}}}})
        texts.append(
            entity("API", f"ref{number}", "type: openapi, lifecycle: x, owner: g, definition: {$openapi: ./o.json}")
        )
        repo({"o.json": inner, "catalog-info.yaml": texts[-1]}, name=f"ref{number}")
    source = repo({"catalog-info.yaml": documents(*texts[: len(urls) * 5]), "o.json": "{}"}, name="all")
    portal.ingest([("url", source.url)])
    portal.ingest([("url", (source.path.parent / f"ref{number}").as_uri()) for number in range(len(urls))])

    assert canary.visits == 0
    assert client.get("/api/ownership/problems?limit=0").get_json()["total"] > len(urls) * 4


@pytest.mark.parametrize("action", ["fetch:plain", "fetch:template", "publish:git"])
def test_an_action_leads_to_no_private_address(
    action: str, tmp_path: Path, canary: Canary, repo: MakeRepository
) -> None:
    with scaffold(f"sqlite:///{tmp_path / 'portal.db'}", tmp_path / "data") as opened:
        for number, host in enumerate([HOSTS[0], HOSTS[1], HOSTS[5], HOSTS[12], HOSTS[14]]):
            url = f"https://{host.format(canary.port)}/o/r"
            given = {"name": "a", "remote": url} if action == "publish:git" else {"url": url}
            steps = [
                {"id": "w", "action": "catalog:write", "input": {"entity": {"kind": "x", "metadata": {"name": "x"}}}},
                {"id": "s", "action": action, "input": given},
            ]
            source = repo({"catalog-info.yaml": json.dumps(template(f"t{number}", steps))}, name=f"t{number}")
            opened.ingest(f"{source.url}#main:catalog-info.yaml")
            events = opened.run(f"template:default/t{number}")
            told = events[-1]["body"]["error"]["message"]
            assert "catalog:write" not in told, events
            assert number or "private address" in told, events
    assert canary.visits == 0


def test_git_follows_no_redirect(canary: Canary, web: WebServer, tmp_path: Path, repo: MakeRepository) -> None:
    hosts = [{"host": web.host, "type": "github", "base_url": f"http://{web.host}"}]
    refs = "/o/r/info/refs?service=git-upload-pack"
    web.pages = {refs: f"http://127.0.0.1:{canary.port}{refs}"}
    settings = load_settings(environment={}, overrides={"data": str(tmp_path / "data"), "integrations": hosts})
    with build(settings) as opened:
        opened.migrate()
        answer = (
            create_app(opened)
            .test_client()
            .post("/api/catalog/locations?dryRun=true", json={"type": "url", "target": web.url("/o/r#main")})
        )
    assert answer.status_code == 400
    assert web.asked == [(refs, 302)]
    assert canary.visits == 0


@pytest.mark.parametrize("there", ["http://{}/x", "//{}/x", "http://localhost:{port}/x", "http://[::1]:{port}/x"])
def test_a_file_of_a_web_server_redirects_to_no_private_address(
    there: str, canary: Canary, web: WebServer, tmp_path: Path
) -> None:
    web.pages = {"/a.yaml": there.format(f"127.0.0.1:{canary.port}", port=canary.port)}
    overrides = {"data": str(tmp_path / "data"), "reading_hosts": [web.host, "localhost", f"localhost:{canary.port}"]}
    # The host is opened with its address; the name "localhost" alone opens no address but that.
    with build(load_settings(environment={}, overrides=overrides)) as opened:
        opened.migrate()
        answer = (
            create_app(opened)
            .test_client()
            .post("/api/catalog/locations?dryRun=true", json={"type": "url", "target": web.url("/a.yaml")})
        )
    assert answer.status_code == 400
    assert web.asked == [("/a.yaml", 302)]
    if "localhost" not in there:
        assert canary.visits == 0


def test_a_name_that_comes_to_mean_another_address_is_not_asked_for_again(
    git_host: GitHost, repo: MakeRepository, tmp_path: Path
) -> None:
    """git reaches a name that nobody knows only because it goes to the address that was looked at."""
    repo({"a": "1"}, name="o/r")
    name = f"rebound.invalid:{git_host.port}"
    remote = Remote(f"http://{name}/o/r", frozenset({"http"}))
    pins = [("http.curloptResolve", f"{name}:127.0.0.1")]

    assert b"refs/heads/main" in run(["ls-remote", "origin"], place=tmp_path, remote=remote, config=pins)
    local = ReadingRules(["127.0.0.0/8", "::1/128"])
    ((key, value),) = pinned(f"http://localhost:{git_host.port}/o/r", local)
    assert key == "http.curloptResolve"
    assert value.startswith(f"localhost:{git_host.port}:")
    assert "127.0.0.1" in value
    only_v4 = ReadingRules(["127.0.0.0/8"])
    assert "::1" not in pinned("http://localhost/o/r", only_v4)[0][1]
    assert pinned("https://127.0.0.1/o/r", only_v4) == ()
    with pytest.raises(NotAllowedError):
        pinned("http://localhost/o/r", ReadingRules(["localhost"]))


def test_what_cannot_be_looked_up_is_not_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    for url in (
        "https://no-such-host.invalid/o/r",
        "ssh://git@no-such-host.invalid/o/r",
        "git@no-such-host.invalid:o/r",
    ):
        with pytest.raises(SourceUnreachableError):
            pinned(url, ReadingRules())
    monkeypatch.setenv("https_proxy", "http://proxy.invalid:3128")
    # The operator's proxy looks it up, and says who may be spoken to.
    assert pinned("https://no-such-host.invalid/o/r", ReadingRules()) == ()
    for host in ("ⓛocalhost", "localhost."):
        with pytest.raises(InputError):
            pinned(f"https://{host}/o/r", ReadingRules())


@pytest.mark.parametrize(
    "address",
    [
        *(
            "127.0.0.1",
            "10.1.2.3",
            "172.16.0.1",
            "192.168.1.1",
            "169.254.169.254",
            "100.64.0.1",
            "0.0.0.0",
            "224.0.0.1",
        ),
        *("255.255.255.255", "198.18.0.1", "192.0.2.1", "::1", "::", "fe80::1", "fe80::1%eth0", "fc00::1", "ff02::1"),
        *("::ffff:10.0.0.1", "64:ff9b::a00:1", "2002:a00:1::", "2002:7f00:1::", "2001:0:0:0:0:0:f5ff:fffe", "fec0::1"),
        *("::127.0.0.1", "::ffff:0:127.0.0.1", "64:ff9b:1::7f00:1", "2001:db8::1", "not an address", ""),
    ],
)
def test_no_form_of_a_private_address_is_public(address: str) -> None:
    assert not ReadingRules().allows_address(address)


@pytest.mark.parametrize("address", ["140.82.121.4", "2606:50c0:8000::153", "::ffff:140.82.121.4", "1.1.1.1"])
def test_public_addresses_are_allowed(address: str) -> None:
    assert ReadingRules().allows_address(address)


def test_the_operators_own_hosts_are_open_to_what_they_name(
    git_host: GitHost, repo: MakeRepository, tmp_path: Path
) -> None:
    inner = repo({"catalog-info.yaml": documents(component("a"), group("team-a"))}, name="o/r")
    repo({"catalog-info.yaml": location("all", git_host.url("/o/r#main"))}, name="o/root")
    assert inner.path.exists()
    for overrides in (
        {"catalog": [git_host.url("/o/root")]},
        {"reading_hosts": ["127.0.0.0/8"]},
        {"integrations": [{"host": git_host.host, "type": "gitea", "base_url": f"http://{git_host.host}"}]},
        {},
    ):
        data = tmp_path / str(len(list(tmp_path.iterdir())))
        with build(load_settings(environment={}, overrides={"data": str(data)} | overrides)) as opened:
            opened.migrate()
            opened.ingest([("url", git_host.url("/o/root"))])
            answer: Any = create_app(opened).test_client().get("/api/catalog/entities/by-name/component/default/a")
            assert answer.status_code == (200 if overrides else 404), overrides
            if not overrides:
                told = create_app(opened).test_client().get("/api/ownership/problems").text
                assert "reading_hosts" in told
