"""The home page: layers, what is the reader's own, what changed lately."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from catalogs import component, documents, entity, group
from flask.testing import FlaskClient
from repositories import MakeRepository, Repository
from sqlalchemy import event

from portal.app import Portal, build
from portal.app.wsgi import create_app
from portal.config import load_settings
from portal.model.ref import EntityRef

PORTAL = "portal/v1alpha1"
HOSTILE = "<script>alert(1)</script>"
HOUSE = "owner: makers, lifecycle: x, goal: g, layer: roof, dependsOn: ['component:stone']"
FRAME = documents(
    group("makers", more="roles: [maker]"),
    group("club", more="parent: makers"),
    entity("User", "ann", "memberOf: [makers]"),
    entity("User", "stranger", "memberOf: []"),
    entity("Role", "maker", version=PORTAL),
    entity("Layer", "ground", "rank: 1, owner: makers, ownerRoles: [maker]", version=PORTAL),
    entity("Layer", "roof", "rank: 2, owner: makers, ownerRoles: [maker]", version=PORTAL),
    entity("Project", "house", HOUSE, version=PORTAL),
    component("stone", owner="makers", more="layer: ground"),
    component("sand", owner="gone", more="layer: ground"),
    component("window", owner="club", more="layer: roof"),
    f"apiVersion: backstage.io/v1alpha1\nkind: Component\nmetadata: {{name: bad, title: '{HOSTILE}'}}\n"
    "spec: {type: x, lifecycle: x, owner: makers, layer: roof}\n",
)


@pytest.fixture
def made(repo: MakeRepository) -> Repository:
    return repo({"catalog-info.yaml": FRAME, "broken.yaml": component("broken", owner="''")})


@pytest.fixture
def portal(tmp_path: Path, database_url: str, made: Repository) -> Iterator[Portal]:
    provider = {"id": "corp", "issuer": "http://127.0.0.1:9/", "client_id": "portal", "client_secret": "x"}
    overrides = {
        "data": str(tmp_path / "data"),
        "database": database_url,
        "sign_in_providers": [provider],
        "guests": True,
    }
    with build(load_settings(environment={}, overrides=overrides)) as opened:
        opened.migrate()
        opened.ingest([("url", f"{made.url}#main:*.yaml")])
        yield opened


@pytest.fixture
def client(portal: Portal) -> FlaskClient:
    return create_app(portal).test_client()


def text_of(client: FlaskClient, path: str = "/") -> str:
    """Return the text of a page, a space between all that has tags between it."""
    answer = client.get(path)
    assert answer.status_code == 200
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", answer.get_data(as_text=True)))


def sign_in(portal: Portal, client: FlaskClient, name: str) -> None:
    """Give the client's browser a session, as the end of a sign-in does."""
    user = EntityRef.of("user", "default", name)
    begun = portal.access.sign_in.sessions.begin(user, provider="corp", profile={}, tokens={})
    with client.session_transaction() as kept:
        kept["id"] = begun.id.reveal()


def test_each_layer_tells_kinds_owners_coverage_and_what_breaks_its_rules(client: FlaskClient) -> None:
    page = client.get("/").get_data(as_text=True)
    text = text_of(client)

    assert HOSTILE not in page
    roof, ground = text.index("roof"), text.index("ground")
    assert roof < ground
    assert "2 Component" in text[ground:]
    assert "50 % have an owner who is there" in text[ground:]
    assert "gone (not in the catalog)" in text[ground:]
    assert "stone by 1 project" in text[ground:]
    assert "Projects house" in text[roof:ground]
    assert "/problems?layer=layer:default/ground" in page.replace("%3A", ":").replace("%2F", "/")
    assert "problems in files" in text


def test_what_changed_lately_leads_to_its_history(client: FlaskClient, portal: Portal, made: Repository) -> None:
    made.commit({"new.yaml": component("new", owner="makers", more="layer: ground"), "broken.yaml": None})
    portal.refresh.refresh()

    page = client.get("/").get_data(as_text=True)
    text = text_of(client)

    newest = text[text.index("Changed lately") :]
    assert newest.index("added new") < newest.index("and 9 more")
    assert "Ann Author" in newest
    assert "generated-" not in newest
    assert "/catalog/default/component/new/history" in page


def test_what_is_the_readers_own_comes_first(client: FlaskClient, portal: Portal) -> None:
    assert "Yours" not in text_of(client)
    sign_in(portal, client, "ann")

    text = text_of(client)

    own = text[text.index("Yours") : text.index("Owned by")]
    assert "through makers" in own
    for name in ("stone", "house", "window"):
        assert name in own
    assert "sand" not in own


def test_whoever_owns_nothing_is_told_so(client: FlaskClient, portal: Portal) -> None:
    sign_in(portal, client, "stranger")

    assert "names neither you nor a group of yours" in text_of(client)


def test_an_empty_catalog_says_what_to_do(tmp_path: Path) -> None:
    with build(load_settings(environment={}, overrides={"data": str(tmp_path / "data")})) as opened:
        opened.migrate()
        text = text_of(create_app(opened).test_client())

    assert "The catalog is empty" in text
    assert "Nothing has changed yet" in text


def test_it_takes_as_many_statements_however_much_there_is(
    client: FlaskClient, portal: Portal, made: Repository
) -> None:
    def asked() -> int:
        count = 0

        def note(*_: object) -> None:
            nonlocal count
            count += 1

        event.listen(portal.database.engine, "before_cursor_execute", note)
        client.get("/")
        event.remove(portal.database.engine, "before_cursor_execute", note)
        return count

    portal.survey.take()
    client.get("/")
    few = asked()
    made.commit(
        {"more.yaml": documents(*(component(f"c-{n}", owner="makers", more="layer: ground") for n in range(300)))}
    )
    portal.refresh.refresh()
    portal.survey.take()

    assert "c-299" not in client.get("/").get_data(as_text=True)
    assert asked() == few <= 12
