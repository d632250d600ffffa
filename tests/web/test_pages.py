from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from catalogs import component, documents, entity, group
from flask.testing import FlaskClient
from outlines import outline
from repositories import MakeRepository

from portal.api.rights import OPEN, RIGHTS
from portal.app import build
from portal.app.wsgi import create_app
from portal.config import load_settings

HOSTILE = (
    "apiVersion: backstage.io/v1alpha1\nkind: Component\nmetadata:\n  name: hostile\n"
    "  title: '<script>alert(1)</script>'\n  description: '<img src=x onerror=alert(1)>'\n"
    "  links: [{url: 'javascript:alert(1)', title: bad}, {url: 'https://example.com/ok', title: good}]\n"
    "spec: {type: service, lifecycle: x, owner: team-b, stewards: [1, {ref: x}]}\n"
)


@contextmanager
def serving(folder: Path, *targets: str) -> Iterator[FlaskClient]:
    with build(load_settings(environment={}, overrides={"data": str(folder / "data")})) as portal:
        portal.migrate()
        portal.ingest([("url", target) for target in targets])
        yield create_app(portal).test_client()


@pytest.fixture
def client(tmp_path: Path, repo: MakeRepository) -> Iterator[FlaskClient]:
    made = repo({"catalog-info.yaml": documents(HOSTILE, component("broken", owner="''"), group("team-a"))})
    with serving(tmp_path, made.url) as opened:
        yield opened


def test_what_a_catalog_says_is_shown_as_text(client: FlaskClient) -> None:
    page = client.get("/catalog/default/component/hostile").get_data(as_text=True)

    assert "<script>" not in page
    assert "<img" not in page
    assert "javascript:" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert 'href="https://example.com/ok"' in page


@pytest.mark.parametrize("path", ["/", "/catalog/default/component/hostile", "/nowhere"])
def test_every_page_runs_portals_own_scripts_alone(path: str, client: FlaskClient) -> None:
    response = client.get(path)

    policy = response.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    tags = outline(response.get_data(as_text=True))
    assert not {"style", "iframe", "object"} & {tag for tag, _ in tags}
    scripts = [attributes["src"] for tag, attributes in tags if tag == "script"]
    assert scripts[0].startswith("/static/base-")
    assert all(script.startswith("/static/") for script in scripts)


@pytest.mark.parametrize("path", ["/", "/catalog/default/component/hostile", "/catalog/default/group/team-a", "/no"])
def test_every_page_has_landmarks_one_first_heading_and_ids_that_are_its_own(path: str, client: FlaskClient) -> None:
    tags = outline(client.get(path).get_data(as_text=True))

    names = [tag for tag, _ in tags]
    assert [names.count(name) for name in ("main", "h1", "title", "footer")] == [1, 1, 1, 1]
    ids = [attributes["id"] for _, attributes in tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    labels = {attributes["aria-labelledby"] for _, attributes in tags if "aria-labelledby" in attributes}
    assert labels <= set(ids)
    assert dict(tags)["html"] == {"lang": "en"}


@pytest.mark.parametrize(
    "path", ["/catalog/default/component/nothing", "/nowhere", "/catalog/a%00/b/c", "/static/portal-0.css", "/api"]
)
def test_what_is_not_there_is_a_page_that_says_so(path: str, client: FlaskClient) -> None:
    response = client.get(path)

    assert response.status_code == 404
    assert response.mimetype == "text/html"
    assert '<a href="/catalog">Catalog</a>' in response.get_data(as_text=True).partition("<main")[2]


@pytest.mark.parametrize("path", ["/api/nowhere", "/api/catalog/nowhere", "/.backstage/nowhere", "/.well-known/x"])
def test_what_an_api_does_not_have_is_no_page(path: str, client: FlaskClient) -> None:
    response = client.get(path)

    assert response.status_code == 404
    assert response.json["error"]["name"] == "NotFoundError"


def test_a_wrong_method_on_an_api_is_still_told(client: FlaskClient) -> None:
    assert client.get("/api/catalog/entities/by-refs").status_code == 405


def test_an_owner_that_is_not_in_the_catalog_is_named_without_a_link(client: FlaskClient) -> None:
    page = client.get("/catalog/default/component/hostile").get_data(as_text=True)

    assert "group:default/team-b" in page
    assert "/group/team-b" not in page
    assert "(not in the catalog)" in page


def test_a_long_list_is_cut_and_the_rest_counted(tmp_path: Path, repo: MakeRepository) -> None:
    files = documents(
        component("hub"), *(component(f"n{number}", more="dependsOn: ['component:hub']") for number in range(60))
    )
    with serving(tmp_path, repo({"catalog-info.yaml": files}, name="many").url) as client:
        home = client.get("/").get_data(as_text=True)
        hub = client.get("/catalog/default/component/hub").get_data(as_text=True)

    assert "61 entities" in home
    assert "/n59" not in home
    assert "60 entities need this directly" in hub
    assert "and 54 more" in hub


def test_layers_have_their_own_colours_whatever_they_are_called(tmp_path: Path, repo: MakeRepository) -> None:
    files = documents(
        *(
            entity("Layer", name, f"rank: {rank}, owner: team-a, ownerRoles: [maker]", version="portal/v1alpha1")
            for rank, name in enumerate(("ground", "roof"), 1)
        ),
        component("lamp", more="layer: roof"),
        component("stone", more="layer: ground"),
        component("bird"),
        group("team-a", more="roles: [maker]"),
    )
    with serving(tmp_path, repo({"catalog-info.yaml": files}, name="house").url) as client:
        home = client.get("/").get_data(as_text=True)
        lamp = client.get("/catalog/default/component/lamp").get_data(as_text=True)

    bands = [attributes["class"] for tag, attributes in outline(home) if "band" in attributes.get("class", "").split()]
    assert bands == ["band tone-2", "band tone-1", "band tone-0"]
    assert "In no layer" in home
    assert [attributes["class"] for _, attributes in outline(lamp) if "tone-" in attributes.get("class", "")] == [
        "layer tone-2"
    ]


def test_the_style_is_cached_for_ever_under_its_content(client: FlaskClient) -> None:
    page = client.get("/").get_data(as_text=True)
    style = page.partition('rel="stylesheet" href="')[2].partition('"')[0]

    response = client.get(style)

    assert response.status_code == 200
    assert response.mimetype == "text/css"
    assert "immutable" in response.headers["Cache-Control"]


@pytest.mark.parametrize(("method", "path", "status"), [("POST", "/", 405), ("GET", "/broken", 500)])
def test_every_fault_that_people_meet_is_told_on_a_page_of_its_own(
    method: str, path: str, status: int, client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> None:
        raise KeyError("<b>the password is hunter2</b>")

    monkeypatch.setitem(RIGHTS, "fail", OPEN)
    client.application.add_url_rule("/broken", view_func=fail)
    response = client.open(path, method=method)

    page = response.get_data(as_text=True)
    assert (response.status_code, response.mimetype) == (status, "text/html")
    assert "default-src 'none'" in response.headers["Content-Security-Policy"]
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert "hunter2" not in page
    (style,) = [attributes["href"] for tag, attributes in outline(page) if tag == "link"]
    assert client.get(style).status_code == 200


API_PATHS = [
    "/api/none",
    "/api/catalog/none",
    "/api/none/entities",
    "/.backstage/none",
    "/api/scaffolder/v2/none",
]


@pytest.mark.parametrize("path", API_PATHS)
@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE"])
def test_programs_are_told_as_backstage_tells_them(method: str, path: str, client: FlaskClient) -> None:
    response = client.open(path, method=method, headers={"Accept": "text/html"})

    assert response.status_code == 404
    assert response.json == {
        "error": {"name": "NotFoundError", "message": response.json and response.json["error"]["message"]},
        "request": {"method": method, "url": path},
        "response": {"statusCode": 404},
    }
