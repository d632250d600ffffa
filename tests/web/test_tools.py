"""The pages of tools: what they tell, to whom, at what cost."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from catalogs import component, group
from flask.testing import FlaskClient
from repositories import MakeRepository, Repository
from sqlalchemy import event

from portal.app import Portal, build
from portal.app.wsgi import create_app
from portal.config import load_settings
from portal.services.status import StatusService


@pytest.fixture
def portal(tmp_path: Path) -> Iterator[Portal]:
    with build(load_settings(environment={}, overrides={"data": str(tmp_path / "data")})) as found:
        found.migrate()
        yield found


@pytest.fixture
def client(portal: Portal) -> FlaskClient:
    return create_app(portal).test_client()


def text(client: FlaskClient, path: str) -> str:
    answer = client.get(path)
    assert answer.status_code == 200
    return answer.get_data(as_text=True)


def test_sources_are_told_with_what_is_wrong_and_read_again_by_hand(
    portal: Portal, client: FlaskClient, repo: MakeRepository
) -> None:
    made = repo({"catalog-info.yaml": group("team-a")})
    portal.ingest([("url", made.url)])
    own = Repository(portal.settings.repositories / "own")
    own.commit({"catalog-info.yaml": component("not good")})
    portal.locations.register("url", own.url)
    portal.locations.register("url", "https://no-such-host.invalid/a")

    page = text(client, "/tools")
    assert [page.count(f">{state}</span>") for state in ("up to date", "with errors", "unreachable")] == [1, 1, 1]
    assert "no-such-host.invalid" in page
    assert "No worker is running" in page
    assert own.url not in text(client, "/tools?state=unreachable").split('id="source-list"')[1]
    assert own.url in text(client, "/tools?q=OWN").split('id="source-list"')[1]

    made.commit({"catalog-info.yaml": group("team-b")})
    row = next(row for row in page.split("<tr>") if made.url in row)
    ref, token = (re.search(pattern, row) for pattern in ('name="entityRef" value="([^"]+)', 'token" value="([^"]+)'))
    assert ref is not None
    assert token is not None
    answer = client.post("/tools/refresh", data={"entityRef": ref[1], "csrf_token": token[1]})
    assert answer.status_code == 303
    assert client.get("/catalog/default/group/team-b").status_code == 200


def test_a_source_that_no_one_has_read_and_a_worker_that_works_are_told(portal: Portal, client: FlaskClient) -> None:
    assert "There is no source yet." in text(client, "/tools")
    portal.sources.add([("url", "https://git.example.com/a")])
    assert "not read yet" in text(client, "/tools")

    assert portal.duty.hold()
    assert "No worker is running" not in text(client, "/tools")


def test_how_it_goes_is_one_look_however_many_sources_there_are(portal: Portal) -> None:
    portal.sources.add([("url", f"https://git.example.com/{number}") for number in range(200)])
    statements: list[str] = []
    event.listen(
        portal.database.engine, "before_cursor_execute", lambda *arguments: statements.append(str(arguments[2]))
    )
    status = StatusService(portal.database, portal.measures).status()

    assert len(status.sources) == 200
    assert len([item for item in statements if item.lstrip().upper().startswith("SELECT")]) <= 10


def test_the_reference_leads_to_every_route_of_the_description(portal: Portal, client: FlaskClient) -> None:
    first = text(client, "/tools/api")
    parts = dict.fromkeys(re.findall(r'href="/tools/api\?part=([^"]+)"', first))
    pages = {part: text(client, f"/tools/api?part={part}") for part in parts}

    described = client.get("/api/openapi.json").get_json()["paths"]
    told = "".join(pages.values())
    assert [path for path in described if f"<code>{path}</code>" not in told] == []
    anchors = set(re.findall(r'id="(type-\d+)"', pages["types"]))
    assert set(re.findall(r'href="/tools/api\?part=types#(type-\d+)"', told)) <= anchors
    assert client.get("/tools/api?part=nonsense").status_code == 404


def test_actions_and_filters_are_told_with_schemas_and_examples(client: FlaskClient) -> None:
    page = text(client, "/tools/actions")

    for told in ("<code>fetch:template</code>", "targetPath", "<code>parseRepoUrl</code>", "action: fetch:template"):
        assert told in page
    narrowed = text(client, "/tools/actions?q=FETCH:template")
    assert "<code>fetch:template</code>" in narrowed
    assert "<code>debug:log</code>" not in narrowed
    assert "No action is like this." in text(client, "/tools/actions?q=%3Cscript%3E")


@pytest.mark.parametrize("path", ["/tools/api?part=ownership", "/tools/actions"])
def test_what_is_remembered_of_a_reference_is_told_in_each_language(path: str, client: FlaskClient) -> None:
    english = text(client, path)

    chinese = client.get(path, headers={"Accept-Language": "zh-CN"}).get_data(as_text=True)

    assert ("必填" in chinese, "必填" in english) == (True, False)
    assert ("required</span>" in chinese, "required</span>" in english) == (False, True)
    assert text(client, path) == english
