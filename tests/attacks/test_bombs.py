"""Bombs: small things that would grow large, large things, deep things, over HTTP."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
from flask import Flask
from repositories import MakeRepository
from servers import serving
from waiting import eventually
from werkzeug.routing import Rule

from portal.api.openapi import operation_of
from portal.app import Portal, build
from portal.app.wsgi import create_app
from portal.config import load_settings

pytestmark = pytest.mark.slow

#: Far above what any of these may take, for machines that are busy.
_LONG_SECONDS = 120.0


@pytest.fixture
def portal(tmp_path: Path, git_host: Any) -> Iterator[Portal]:
    hosts = [{"host": git_host.host, "type": "github", "base_url": f"http://{git_host.host}"}]
    overrides = {"data": str(tmp_path / "data"), "integrations": hosts}
    with build(load_settings(environment={}, overrides=overrides)) as opened:
        opened.migrate()
        yield opened


@pytest.fixture
def app(portal: Portal) -> Flask:
    return create_app(portal)


def _routes(app: Flask) -> list[tuple[str, Rule]]:
    """Return (path, rule) of all routes that take a body; arguments are filled with a name."""
    found = []
    for rule in app.url_map.iter_rules():
        if operation_of(rule.endpoint) is None or not (rule.methods or set()) & {"POST", "PUT"}:
            continue
        with app.test_request_context():
            path = rule.build(dict.fromkeys(rule.arguments, "github"))
        assert path is not None
        found.append((path[1], rule))
    return sorted(found, key=lambda pair: pair[0])


def _method(rule: Rule) -> str:
    return "PUT" if "PUT" in (rule.methods or set()) else "POST"


_DEEP = 100_000
BODIES = {
    "deep lists": b"[" * _DEEP + b"]" * _DEEP,
    "deep objects": b'{"a":' * _DEEP + b"1" + b"}" * _DEEP,
    "open lists": b"[" * _DEEP,
    "digits": b'{"a": ' + b"9" * _DEEP + b"}",
    "exponent": b'{"limit": 1e999999}',
    "no number": b'{"limit": NaN}',
    "many keys": orjson.dumps({f"k{number}": number for number in range(20_000)}),
    "same keys": b"{" + b'"a": 1,' * 50_000 + b'"a": 2}',
    "half characters": b'{"a": "\\ud800"}',
    "a nul": b'{"type": "url\\u0000", "target": "\\u0000", "entityRef": "\\u0000"}',
    "not utf-8": b'{"a": "\xff\xfe"}',
    "a byte order mark": b"\xef\xbb\xbf{}",
    "no object": b"7",
    "nothing": b"",
}


@pytest.mark.parametrize("name", BODIES)
def test_no_body_brings_a_route_down(name: str, app: Flask) -> None:
    client = app.test_client()
    begin = time.monotonic()
    for path, rule in _routes(app):
        answer = client.open(path, method=_method(rule), data=BODIES[name], content_type="application/json")
        assert answer.status_code < 500 or answer.status_code == 501, (path, answer.status_code, answer.text)
    assert time.monotonic() - begin < _LONG_SECONDS


def _nested(levels: int, key: str) -> str:
    before, behind = ('{"$not": ', "}") if key == "$not" else (f'{{"{key}": [', "]}")
    return f'{before * levels}{{"kind": "component"}}{behind * levels}'


@pytest.mark.parametrize("key", ["$not", "$all", "$any"])
@pytest.mark.parametrize("levels", [10, 50, 900])
@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/api/catalog/entities/by-query", {}),
        ("/api/catalog/entities/by-refs", {"entityRefs": ["component:default/a"]}),
        ("/api/catalog/entity-facets", {"facets": ["kind"]}),
        ("/api/catalog/locations/by-query", {}),
    ],
)
def test_a_deep_predicate_is_answered_or_told(key: str, levels: int, path: str, body: Any, app: Flask) -> None:
    nested = _nested(levels, key)
    if "locations" in path:
        nested = nested.replace("kind", "type")
    text = f'{{"query": {nested}, {orjson.dumps(body).decode()[1:]}'.replace(", }", "}")
    answer = app.test_client().post(path, data=text, content_type="application/json")

    assert answer.status_code == (200 if levels < 20 else 400), answer.text


@pytest.mark.parametrize("parts", [100, 3_000])
def test_a_wide_predicate_is_answered_or_told(parts: int, app: Flask) -> None:
    client = app.test_client()
    for query in (
        {"$any": [{"kind": f"k{number}"} for number in range(parts)]},
        {"$all": [{f"metadata.labels.k{number}": "x"} for number in range(parts)]},
        {"kind": {"$in": [f"k{number}" for number in range(parts)]}},
    ):
        for path, body in (
            ("entities/by-query", {}),
            ("entity-facets", {"facets": ["kind"]}),
            ("locations/by-query", {}),
        ):
            answer = client.post(f"/api/catalog/{path}", json=body | {"query": query})
            assert answer.status_code in {200, 400}, answer.text
    wide = "&".join(f"filter=kind=k{number},metadata.name=n" for number in range(parts))
    assert client.get(f"/api/catalog/entities/by-query?{wide}").status_code in {200, 400, 414}
    many = ",".join(f"metadata.labels.k{number}=x" for number in range(parts))
    assert client.get(f"/api/catalog/entities?filter={many}").status_code in {200, 400, 414}


def test_a_deep_entity_is_told(app: Flask) -> None:
    deep: Any = 1
    for _ in range(900):
        deep = {"a": deep}
    base = {"apiVersion": "backstage.io/v1alpha1", "kind": "Component", "metadata": {"name": "a"}}
    for entity in (base | {"spec": deep}, base | {"metadata": {"name": "a", "annotations": deep}}, deep):
        answer = app.test_client().post(
            "/api/catalog/validate-entity", json={"entity": entity, "location": "url:https://h/o/r"}
        )
        assert answer.status_code in {200, 400}, answer.text


def test_a_body_above_the_limit_is_refused_by_every_route(app: Flask) -> None:
    client = app.test_client()
    large = b'{"a": "' + b"x" * (10 * 1024 * 1024) + b'"}'
    told = {}
    for path, rule in _routes(app):
        answer = client.open(path, method=_method(rule), data=large, content_type="application/json")
        told[path] = answer.status_code
    # These read no body.
    open_routes = {path for path in told if path.startswith(("/api/auth/", "/sign-out")) and "tokens" not in path}
    assert {status for path, status in told.items() if path not in open_routes} <= {404, 413}, told
    assert told["/api/catalog/locations"] == told["/api/events/http/github"] == 413


def test_a_body_of_unknown_length_is_read_to_the_limit_alone(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with serving(tmp_path, "--catalog", str(tmp_path / "empty")) as server:
        host, port = server.url.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port)), timeout=60) as connection:
            connection.sendall(
                b"POST /api/catalog/locations HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"
                b"transfer-encoding: chunked\r\nconnection: close\r\n\r\n"
            )
            chunk = b"100000\r\n" + b"x" * 0x100000 + b"\r\n"
            answer = b""
            try:
                for _ in range(64):
                    connection.sendall(chunk)
                connection.sendall(b"0\r\n\r\n")
                answer = connection.recv(4096)
            except (BrokenPipeError, ConnectionResetError):
                answer = b"HTTP/1.1 413 cut off"
        assert b" 413 " in answer.split(b"\r\n")[0] + b" ", answer
        assert server.ask("/.backstage/health/v1/readiness")[0] == 200


LAUGHS = "\n".join(
    ["a0: &a0 [lol, lol, lol, lol, lol, lol, lol, lol, lol]"]
    + [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 12)]
)
FILES = {
    "laughs": "apiVersion: backstage.io/v1alpha1\nkind: Component\nmetadata: {name: a}\nspec:\n"
    + "".join(f"  {line}\n" for line in LAUGHS.split("\n")),
    "deep flow": "a: " + "[" * 50_000,
    "deep flow maps": "a: " + "{a: " * 50_000,
    "deep block": "".join(f"{' ' * level}a:\n" for level in range(3_000)),
    "many documents": "---\na: 1\n" * 100_000,
    "a long number": "a: " + "9" * 1_000_000,
    "many anchors": "".join(f"a{n}: &x{n} {n}\n" for n in range(10_000)),
    "a recursive alias": "a: &a [*a]\n",
    "tags": 'a: !!python/object/apply:os.system ["touch {}"]\nb: !<tag:yaml.org,2002:python/name:os.system> x\n',
    "a long key": "? " + "k" * 200_000 + "\n: 1\n",
    "keys of keys": "? " * 20_000 + "a",
    "quotes": 'a: "' + "\\" * 1_000_000,
    "dashes": "- " * 200_000 + "a",
    "indents": "\n".join(" " * (n % 2_000) + "- a" for n in range(4_000)),
    "percent": "%" * 1_000_000,
    "a comment": "a: b" + " #" * 500_000,
    "blanks": "a:" + " \t" * 500_000 + "\n" + "\n" * 500_000,
    "placeholders": "a: " + "${{ " * 200_000,
}


@pytest.mark.parametrize("name", FILES)
def test_a_catalog_file_that_is_a_bomb_is_told_in_time(
    name: str, app: Flask, git_host: Any, repo: MakeRepository, tmp_path: Path
) -> None:
    mark = tmp_path / "executed"
    repo({"catalog-info.yaml": FILES[name].replace("{}", str(mark)) if name == "tags" else FILES[name]}, name="o/r")
    client = app.test_client()
    begin = time.monotonic()

    answer = client.post(
        "/api/catalog/locations?dryRun=true", json={"type": "url", "target": git_host.url("/o/r#main")}
    )

    assert time.monotonic() - begin < _LONG_SECONDS
    # What is no document at all brings nothing.
    assert answer.status_code == 400 or not answer.get_json()["entities"], answer.text[:2000]
    assert len(answer.data) < 200_000  # nor is what is told a bomb
    assert not mark.exists()


def test_slow_senders_do_not_hold_up_others(tmp_path: Path) -> None:
    """More of them than there are threads, each with a body that never ends."""
    (tmp_path / "empty").mkdir()
    with serving(tmp_path, "--catalog", str(tmp_path / "empty")) as server:
        host, port = server.url.removeprefix("http://").split(":")
        slow = [socket.create_connection((host, int(port)), timeout=60) for _ in range(60)]
        try:
            for number, connection in enumerate(slow):
                if number % 2:
                    connection.sendall(b"GET / HTTP/1.1\r\nhost: x\r\nx-slow: ")
                else:
                    connection.sendall(
                        b"POST /api/catalog/locations HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"
                        b'content-length: 1000\r\n\r\n{"type": '
                    )
            begin = time.monotonic()
            eventually(lambda: server.ask("/.backstage/health/v1/readiness")[0] == 200, "an answer beside slow senders")
            assert time.monotonic() - begin < _LONG_SECONDS
        finally:
            for connection in slow:
                connection.close()
