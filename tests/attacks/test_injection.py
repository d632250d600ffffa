"""Injection: what people send stays a value to databases, full-text search, git, file systems."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from catalogs import component, documents, group
from flask import Flask
from repositories import Repository
from sqlalchemy import func, select

from portal.api.openapi import operation_of
from portal.api.openapi.operations import OPERATIONS, PARAMETERS
from portal.app import Portal, build
from portal.app.wsgi import create_app
from portal.config import load_settings
from portal.store.tables import metadata

SQL = [
    "'",
    "''",
    "' OR '1'='1",
    "x' OR 1=1 --",
    "'; DROP TABLE entities; --",
    "1; DELETE FROM sources",
    "') UNION SELECT id, private_key, 1 FROM signing_keys --",
    "\\'; SELECT pg_sleep(60); --",
    "1 AND randomblob(1000000000)",
    '" OR ""="',
    "$$; DROP TABLE entities; $$",
    "/* x */",
    "%",
    "_",
    "\\",
    ":name %(name)s ? {0} %s",
    "\u02bc OR 1=1",
]
FTS = [
    '"',
    '""',
    '"a',
    "a AND b",
    "a OR",
    "NOT a",
    "NEAR(a b, 5)",
    "names: a",
    "{names text}: a",
    "^a",
    "a*",
    "*",
    "-a",
    "a + b",
    "(a",
    "a)",
    "a & b | !c",
    "a <-> b",
    "a:*",
    "a:ABCD",
    "'a' & '",
    "\\",
    "a\\",
    "' || (SELECT 1) || '",
]
LIKE_TRICKS = ["%", "_", "t__m-a", "te%", "\\%", "team-_"]


@pytest.fixture
def portal(tmp_path: Path, database_url: str) -> Iterator[Portal]:
    made = Repository(tmp_path / "repositories" / "a")
    made.commit({"catalog-info.yaml": documents(component("a"), component("b"), group("team-a"))})
    settings = load_settings(environment={}, overrides={"data": str(tmp_path / "data"), "database": database_url})
    with build(settings) as opened:
        opened.migrate()
        opened.ingest([("url", made.url)])
        yield opened


@pytest.fixture
def app(portal: Portal) -> Flask:
    return create_app(portal)


def _counts(portal: Portal) -> dict[str, int]:
    with portal.database.reading() as connection:
        return {
            table.name: connection.execute(select(func.count()).select_from(table)).scalar_one()
            for table in metadata.sorted_tables
            if table.name not in {"signing_keys", "findings", "surveys", "audit_records"}
        }


def _urls(app: Flask, value: str) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Yield (method, path, query) that put a value into each place of each route in turn."""
    for rule in app.url_map.iter_rules():
        operation = operation_of(rule.endpoint)
        # A stream that begins never ends; its parameters are numbers.
        if operation is None or rule.endpoint in {"history.change_events", "scaffolder.stream_events"}:
            continue
        methods = (rule.methods or set()) & {"GET", "DELETE"}
        names = sorted(rule.arguments)
        with app.test_request_context():
            for method in sorted(methods):
                for name in names:
                    built = rule.build({other: value if other == name else "component" for other in names})
                    yield method, built[1] if built else "/", {}
                path = rule.build(dict.fromkeys(names, "component"))
                for parameter in operation.parameters:
                    found = PARAMETERS[parameter]
                    if found["in"] == "query" and path is not None:
                        key = "filters[kind]" if found["name"] == "filters" else found["name"]
                        required = {
                            PARAMETERS[other]["name"]: "component"
                            for other in operation.parameters
                            if PARAMETERS[other].get("required")
                        }
                        yield method, path[1], required | {key: value}


def test_no_parameter_of_any_route_reaches_the_database_as_sql(portal: Portal, app: Flask) -> None:
    before = _counts(portal)
    client = app.test_client()
    for value in ("'", "''", SQL[4], SQL[6], SQL[7], "%", "\\", '"'):
        asked = 0
        for method, path, query in _urls(app, value):
            answer = client.open(path, method=method, query_string=query)
            assert answer.status_code < 500 or answer.status_code in {501, 503}, (method, path, query, answer.text)
            asked += 1
            for sign in ("syntax error", "sqlite3", "psycopg", "OperationalError", "no such column", "fts5"):
                assert sign not in answer.text, (path, query, answer.text)
        assert asked > len(OPERATIONS)
        assert _counts(portal) == before, value


def _bodies(value: str) -> list[tuple[str, dict[str, Any]]]:
    """Return bodies that hold a value in each place of the routes that take one, with the path of each."""
    return [
        ("/api/catalog/entities/by-refs", {"entityRefs": [value], "fields": [value]}),
        ("/api/catalog/entities/by-query", {"query": {value: value}}),
        ("/api/catalog/entities/by-query", {"query": {"metadata.name": {"$in": [value]}}}),
        ("/api/catalog/entities/by-query", {"query": {"metadata.name": {"$hasPrefix": value}}}),
        ("/api/catalog/entities/by-query", {"orderBy": [{"field": value, "order": "asc"}]}),
        ("/api/catalog/entities/by-query", {"fullTextFilter": {"term": value, "fields": [value]}}),
        ("/api/catalog/entities/by-query", {"cursor": value}),
        ("/api/catalog/entity-facets", {"facets": [value], "query": {"kind": value}}),
        ("/api/catalog/locations/by-query", {"query": {"target": value}}),
        ("/api/catalog/locations/by-query", {"query": {"target": {"$hasPrefix": value}}}),
        ("/api/catalog/refresh", {"entityRef": value}),
        ("/api/catalog/locations?dryRun=true", {"type": value, "target": value}),
        ("/api/catalog/analyze-location", {"location": {"type": "url", "target": value}, "catalogFilename": value}),
        ("/api/catalog/validate-entity", {"entity": {"kind": value, "metadata": {"name": value}}, "location": value}),
        ("/api/scaffolder/v2/tasks", {"templateRef": value, "values": {value: value}, "secrets": {value: value}}),
        ("/api/permission/authorize", {"items": [{"id": value, "permission": {"type": "basic", "name": value}}]}),
    ]


def test_no_member_of_a_body_reaches_the_database_as_sql(portal: Portal, app: Flask) -> None:
    before = _counts(portal)
    client = app.test_client()
    for value in SQL:
        for path, body in _bodies(value):
            answer = client.post(path, json=body)
            assert answer.status_code < 500 or answer.status_code == 503, (path, body, answer.text)
            assert "syntax error" not in answer.text
        assert _counts(portal) == before, value


def test_no_term_is_a_query_of_the_full_text_search(app: Flask) -> None:
    client = app.test_client()
    for term in (*FTS, *SQL):
        for query in ({"term": term}, {"term": term, "filters[kind]": term}, {"term": "team", "pageCursor": term}):
            answer = client.get("/api/search/query", query_string=query)
            assert answer.status_code in {200, 400}, (query, answer.text)
        # An operator is no operator: nothing is found but by the words themselves.
        found = client.get("/api/search/query", query_string={"term": f"nosuchword {term} nosuchword"}).get_json()
        assert found["results"] == [], term


def test_a_wildcard_of_sql_is_a_letter_like_others(app: Flask) -> None:
    client = app.test_client()
    for trick in LIKE_TRICKS:
        for query in ({"filter": f"metadata.name={trick}"}, {"filter": f"spec.owner={trick}"}):
            assert client.get("/api/catalog/entities/by-query", query_string=query).get_json()["totalItems"] == 0
        text = {"fullTextFilterTerm": trick, "fullTextFilterFields": "metadata.name"}
        assert client.get("/api/catalog/entities/by-query", query_string=text).get_json()["totalItems"] == 0
        for predicate in ({"metadata.name": {"$hasPrefix": trick}}, {"metadata.name": trick}):
            answer = client.post("/api/catalog/entities/by-query", json={"query": predicate})
            assert answer.status_code == 200, answer.text
            assert answer.get_json()["totalItems"] == 0


PATHS = [
    "..",
    "../..",
    "../../etc/passwd",
    "..\\..\\etc",
    "/etc/passwd",
    "%2e%2e",
    ".",
    "a/../b",
    "a\0b",
    "~",
    "x" * 5_000,
]


def test_a_path_in_a_reference_names_no_file(portal: Portal, app: Flask) -> None:
    client = app.test_client()
    client.get("/api/auth/guest/refresh")  # which makes the key
    secret = (portal.settings.data / "instance.key").read_text()
    for path in PATHS:
        for prefix in (
            "/api/catalog/entities/by-name/component/default/",
            "/api/catalog/entities/by-uid/",
            "/api/catalog/locations/",
            "/api/scaffolder/v2/tasks/",
            "/api/ownership/entity/component/default/",
            "/api/events/http/",
            "/static/",
            "/",
            "/entities/component/default/",
        ):
            for form in (path, path.replace("/", "%2f").replace(".", "%2e"), path.replace("/", "%252f")):
                answer = client.get(prefix + form.replace("\0", "%00"))
                assert answer.status_code < 500, (prefix, form, answer.status_code)
                assert "root:" not in answer.text
                assert secret not in answer.text


REMOTES = [
    "--upload-pack=touch {}",
    "-u touch {}",
    "-oProxyCommand=touch {}",
    "ext::sh -c touch% {}",
    "EXT::sh -c touch% {}",
    "ext::sh -c touch% {}://x",
    "fd::17/x",
    "file::/etc",
    "https::ext::sh -c touch% {}",
    "ssh://-oProxyCommand=touch%20{}/x",
    "ssh://-oProxyCommand=touch${{IFS}}{}@h/x",
    "ssh://h/-oProxyCommand=touch",
    "git@-oProxyCommand=touch:x",
    "-git@h:x",
    "https://h/o/r\n--upload-pack=touch {}",
    "https://h/o/r%0a--upload-pack=touch%20{}",
    "https://h/o/r\0x",
    "file:///etc",
    "file://localhost/etc/passwd",
    "/etc/passwd",
    "../../etc/passwd",
    "~/x",
    "C:\\x",
    "\\\\host\\share",
    "javascript:alert(1)",
    "data:text/yaml,a",
    "gopher://127.0.0.1:6379/_x",
    "dict://127.0.0.1:11211/x",
    "ftp://h/x.yaml",
    "https://h/../../etc/x.yaml#main:../../etc/passwd",
    "https://h/o/r#main:/../../etc/passwd",
    "https://h/o/r#main:..%2f..%2fetc%2fpasswd",
]


@pytest.mark.parametrize("target", REMOTES)
def test_a_target_is_no_argument_of_git_and_no_path(target: str, portal: Portal, app: Flask, tmp_path: Path) -> None:
    mark = tmp_path / "touched"
    client = app.test_client()
    for location_type in ("url", "file", "ext", ""):
        body = {"type": location_type, "target": target.format(mark)}
        for path in ("locations?dryRun=true", "locations"):
            answer = client.post(f"/api/catalog/{path}", json=body)
            # What cannot be read may be registered all the same: its problem is told then, and nothing comes of it.
            refused = {400, 403, 404, 503} if "dryRun" in path else {201, 400, 403, 404, 409, 503}
            assert answer.status_code in refused, (body, answer.text)
        assert client.post("/api/catalog/analyze-location", json={"location": body}).status_code in {400, 403, 404, 503}
    portal.refresh.refresh()
    assert not mark.exists()
    names = client.get("/api/catalog/entity-facets?facet=metadata.name&filter=kind=component").get_json()["facets"]
    assert {item["value"] for item in names["metadata.name"]} == {"a", "b"}


@pytest.mark.parametrize(
    "branch", ["-x", "--output={}", "--upload-pack=touch {}", "a..b", "@{{u}}", "refs/../x", "HEAD~1"]
)
def test_a_branch_is_no_argument_of_git(branch: str, portal: Portal, tmp_path: Path) -> None:
    mark = tmp_path / "touched"
    (source,) = portal.sources.list()

    report = portal.ingest([("url", f"{source.target}#{branch.format(mark)}:catalog-info.yaml")])

    assert report.problems
    assert not mark.exists()


def test_a_source_cannot_be_a_file_for_people_who_ask_over_http(app: Flask, tmp_path: Path) -> None:
    (tmp_path / "catalog-info.yaml").write_text(component("stolen"))
    for location_type, target in (
        ("file", str(tmp_path / "catalog-info.yaml")),
        ("file", f"{tmp_path}#:*.yaml"),
        ("url", (tmp_path / "catalog-info.yaml").as_uri()),
    ):
        answer = app.test_client().post(
            "/api/catalog/locations?dryRun=true", json={"type": location_type, "target": target}
        )
        assert answer.status_code in {400, 403}, answer.text
        assert "stolen" not in answer.text
