"""The pages of registrations, over real repositories."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from catalogs import component, group
from flask.testing import FlaskClient
from repositories import Repository
from waiting import eventually

from portal.app import Portal, build
from portal.app.wsgi import create_app
from portal.config import load_settings
from portal.model.audit import AuditQuery

HOSTILE = component("good", owner="team-a") + (
    "---\napiVersion: backstage.io/v1alpha1\nkind: Component\n"
    "metadata: {name: hostile, title: '<script>alert(1)</script>'}\n"
    "spec: {type: service, lifecycle: x, owner: nobody-here}\n"
    "---\napiVersion: backstage.io/v1alpha1\nkind: Component\nmetadata: {name: not good}\n"
    "spec: {type: service, lifecycle: x, owner: team-a}\n"
    "---\n" + group("team-a")
)


class Site:
    """A Portal with a client that behaves as a browser does with forms."""

    def __init__(self, portal: Portal) -> None:
        self.portal = portal
        self.client: FlaskClient = create_app(portal).test_client()

    def repository(self, name: str, files: dict[str, str]) -> Repository:
        """Make a repository where Portal may read it."""
        made = Repository(self.portal.settings.repositories / name)
        made.commit(files)
        return made

    def send(self, path: str, form: dict[str, str], *, page: str = "/register") -> tuple[int, str, str]:
        """Send a form of a page; return status, text, address of what comes next."""
        token = re.search(r'name="csrf_token" value="([^"]+)"', self.client.get(page).get_data(as_text=True))
        assert token is not None
        answer = self.client.post(path, data={**form, "csrf_token": token[1]})
        return answer.status_code, answer.get_data(as_text=True), answer.headers.get("location", "")

    def look(self, target: str) -> str:
        """Return the page that shows what a target would bring."""
        status, text, _ = self.send("/register", {"target": target})
        assert status == 200, text
        return text


@contextmanager
def opened(folder: Path, **settings: object) -> Iterator[Site]:
    with build(load_settings(environment={}, overrides={"data": str(folder / "data"), **settings})) as portal:
        portal.migrate()
        yield Site(portal)


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with opened(tmp_path) as found:
        found.portal.ingest([("url", found.repository("known", {"catalog-info.yaml": group("team-a")}).url)])
        yield found


def test_a_look_tells_what_would_come_and_what_is_wrong_with_it(site: Site) -> None:
    page = site.look(site.repository("new", {"catalog-info.yaml": HOSTILE}).url)

    assert "It would bring 3 entities" in page
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert(1)" in page
    assert "catalog-info.yaml:13" in page  # the name that is not accepted
    assert "nobody-here" in page
    assert "Another source already holds this entity" in page
    assert "Register anyway" in page
    assert site.portal.locations.list() == []
    assert site.client.get("/catalog/default/component/good").status_code == 404


def test_a_repository_without_a_catalog_file_gets_one_proposed(site: Site) -> None:
    made = site.repository("bare", {"README.md": "x"})

    page = site.look(made.url)
    assert "There is no catalog file yet" in page
    assert "name: bare" in page

    made.commit({"deep/er/catalog-info.yaml": component("billing")})
    page = site.look(made.url)
    assert "deep/er/catalog-info.yaml" in page
    target = re.search(r'name="target" value="([^"]+deep/er[^"]+)"', page)
    assert target is not None
    assert "It would bring 1 entity" in site.look(target[1])


@pytest.mark.parametrize(
    ("target", "told"),
    [
        ("", "must not be empty"),
        ("nonsense", "is not a url"),
        ("https://ann:secret-word@git.example.com/a", "holds a login"),
        ("<script>alert(1)</script>", "is not a url"),
        ("x" * 100_000, "is not a url"),
    ],
)
def test_what_is_no_address_comes_back_with_the_reason(site: Site, target: str, told: str) -> None:
    for path in ("/register", "/register/locations"):
        status, page, _ = site.send(path, {"target": target})

        assert (status, told in page) == (422, True)
        assert "<script>alert" not in page


@pytest.mark.parametrize("target", ["file:///etc", "javascript:alert(1)", "ext::sh -c id://x"])
def test_what_may_not_be_read_is_not_read(site: Site, target: str) -> None:
    page = site.look(target)

    assert "It could not be read" in page
    assert 'action="/register"' in page
    assert ">Register<" not in page.split('id="preview"')[1].split("Registered here")[0]


def test_a_registration_is_read_shown_and_removed_again(site: Site) -> None:
    made = site.repository("new", {"catalog-info.yaml": component("billing")})

    status, _, address = site.send("/register/locations", {"target": made.url})
    assert status == 303
    page = site.client.get(address).get_data(as_text=True)
    assert "1 entity in the catalog" in page
    assert 'href="/catalog/default/component/billing"' in page
    assert "It is registered already" in site.look(made.url)
    assert site.send("/register/locations", {"target": made.url})[2] == address

    assert site.send(f"{address}/delete", {}, page=address)[0] == 303
    assert site.client.get(address).status_code == 404
    assert site.client.get("/catalog/default/component/billing").status_code == 404
    written = [(item.action, item.target) for item in site.portal.audit.find(AuditQuery()).records]
    assert written[0] == ("location.delete", f"url:{made.url}")
    assert ("location.create", f"url:{made.url}") in written


def test_a_worker_reads_what_is_registered_and_the_page_waits_for_it(tmp_path: Path) -> None:
    with opened(tmp_path, worker=False) as site:
        made = site.repository("new", {"catalog-info.yaml": component("billing")})
        address = site.send("/register/locations", {"target": made.url})[2]
        waiting = site.client.get(address).get_data(as_text=True)
        assert "about to be read" in waiting
        assert 'hx-trigger="every 1s"' in waiting
        assert 'http-equiv="refresh"' in waiting

        with build(load_settings(environment={}, overrides={"data": str(tmp_path / "data")})) as worker:
            worker.start()
            eventually(
                lambda: "1 entity in the catalog" in site.client.get(address).get_data(as_text=True), "its entity"
            )
        assert 'http-equiv="refresh"' not in site.client.get(address).get_data(as_text=True)
