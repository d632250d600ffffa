"""The pages of owners and of the balance of projects, as a program reads them."""

from __future__ import annotations

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

PORTAL = "portal/v1alpha1"
ORGANISATION = documents(
    group("company"),
    group("team", more="parent: company, roles: [scientist]"),
    group("cell", more="parent: team"),
    group("watch", more="parent: company, roles: [guard]"),
    # Above each other, which no tree can show.
    group("ring-a", more="parent: ring-b"),
    group("ring-b", more="parent: ring-a"),
    "apiVersion: backstage.io/v1alpha1\nkind: Group\nmetadata:\n  name: hostile\n"
    "  title: '<script>alert(1)</script>'\n  description: '<img src=x onerror=alert(1)>'\n"
    "  links: [{url: 'javascript:alert(1)', title: bad}, {url: 'https://example.com/ok', title: good}]\n"
    "spec: {type: '<b>', children: [], profile: {email: '\"><script>', displayName: x}, members: [ghost]}\n",
    entity("User", "ada", "memberOf: [team], profile: {displayName: Ada L, email: ada@example.com}"),
    entity("User", "bob", "memberOf: [cell], roles: [manager]"),
    entity("User", "eve", "memberOf: [watch]"),
    entity("User", "zoe", "memberOf: [company, gone], roles: [builder]"),
    entity("User", "lone", "memberOf: []"),
    *(
        entity("Role", name, f"layers: [project], responsibilities: [does {name}]", version=PORTAL)
        for name in ("scientist", "manager", "builder", "guard")
    ),
    entity(
        "Layer",
        "project",
        "rank: 2, owner: company, ownerRoles: [scientist, manager], stewards: [{duty: checks, role: guard}]",
        version=PORTAL,
    ),
    entity(
        "Project",
        "apollo",
        "owner: team, lifecycle: production, goal: g, needs: [scientist, manager, builder], "
        "stewards: [{ref: watch, duty: checks}]",
        version=PORTAL,
    ),
    entity("Project", "orphan", "owner: vanished, lifecycle: production, goal: g", version=PORTAL),
    entity("Project", "idle", "owner: team, layer: nowhere, lifecycle: production, goal: g", version=PORTAL),
    *(component(f"c{number}", owner="team", more="layer: project") for number in range(7)),
    component("deep", owner="cell", more="layer: project"),
    component("lost", owner="gone"),
)


@pytest.fixture(scope="module")
def portal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Portal]:
    folder = tmp_path_factory.mktemp("owners")
    home = Repository(folder / "home")
    home.commit({"catalog-info.yaml": ORGANISATION})
    with build(load_settings(environment={}, overrides={"data": str(folder / "data")})) as opened:
        opened.migrate()
        opened.ingest([("url", home.url)])
        yield opened


@pytest.fixture(scope="module")
def client(portal: Portal) -> FlaskClient:
    return create_app(portal).test_client()


def text_of(client: FlaskClient, path: str, status: int = 200) -> str:
    response = client.get(path)
    assert response.status_code == status, path
    page = response.get_data(as_text=True)
    assert "<script>alert" not in page
    assert "javascript:" not in page
    return page


def test_all_groups_are_in_the_tree_those_above_each_other_once(client: FlaskClient) -> None:
    page = text_of(client, "/owners")

    for name in ("company", "team", "cell", "watch", "ring-a", "ring-b", "hostile"):
        assert page.count(f'href="/owners/group/default/{name}"') == 1, name
    assert page.index("/group/default/company") < page.index("/group/default/team") < page.index("/group/default/cell")
    assert 'class="depth-2"' in page


def test_a_part_of_the_tree_and_what_is_found_have_addresses(client: FlaskClient) -> None:
    part = text_of(client, "/owners?root=group:default/team")
    found = text_of(client, "/owners?q=CELL")
    people = text_of(client, "/owners?view=people&q=ada%40")

    assert "/group/default/watch" not in part
    assert "/group/default/cell" in part
    assert "company / team" in found
    assert "Ada L" in people
    assert "user/default/bob" not in people
    assert "No group is called so" in text_of(client, "/owners?q=nonsense")


@pytest.mark.parametrize(
    "query", ["page=x", "page=-1", "page=99999999999999999999", "q=%00", "q=%25_", "view=nothing", "_scheme=javascript"]
)
def test_whatever_the_address_says_there_is_a_page(client: FlaskClient, query: str) -> None:
    text_of(client, f"/owners?{query}")
    text_of(client, f"/projects?{query}")
    text_of(client, f"/owners?view=people&{query}")
    text_of(client, f"/owners/group/default/team?{query}")


def test_a_group_that_is_not_there_is_no_root(client: FlaskClient) -> None:
    assert "no group" in text_of(client, "/owners?root=group:default/nothing", 404)
    assert "no group" in text_of(client, "/owners?root=::", 404)


def test_a_group_shows_what_it_answers_for_with_and_without_those_below(client: FlaskClient) -> None:
    whole = text_of(client, "/owners/group/default/team")
    itself = text_of(client, "/owners/group/default/team?scope=itself")

    assert ">deep<" in whole
    assert ">deep<" not in itself
    assert "9 entities" in whole
    assert "8 entities" in itself
    portfolio = itself.partition('id="portfolio"')[2].partition("</section>")[0]
    # Five of each kind are named.
    assert ">c4<" in portfolio
    assert ">c5<" not in portfolio
    assert "and 2 more" in itself
    assert "Nothing is owned here yet" in text_of(client, "/owners/group/default/watch")


def test_people_are_told_with_their_roles_and_where_these_come_from(client: FlaskClient) -> None:
    page = text_of(client, "/owners/group/default/team")

    people = page.partition('id="people"')[2].partition("</section>")[0]
    assert people.count("<tr>") == 3
    assert "through team" in people
    assert 'href="/owners/group/default/cell"' in people
    ada = text_of(client, "/owners/user/default/ada")
    assert "Ada L" in ada
    assert "does scientist" in ada
    assert "mailto:ada@example.com" in ada
    assert "(not in the catalog)" in text_of(client, "/owners/user/default/zoe")
    assert "In no group" in text_of(client, "/owners/user/default/lone")
    assert "checks" in text_of(client, "/owners/group/default/watch")


def test_what_a_group_says_is_shown_as_text(client: FlaskClient) -> None:
    page = text_of(client, "/owners/group/default/hostile")

    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "<img" not in page
    assert 'href="https://example.com/ok"' in page


def test_an_owner_who_is_not_there_is_told_with_what_names_it(client: FlaskClient) -> None:
    assert "group:default/gone" in text_of(client, "/owners")
    page = text_of(client, "/owners/group/default/gone", 404)

    assert ">lost<" in page
    assert "name another owner" in page
    assert "nothing names it" in text_of(client, "/owners/group/default/never", 404)
    assert "neither a group nor a person" in text_of(client, "/owners/component/default/lost", 404)
    text_of(client, "/owners/group/default/a%00b", 404)


def test_work_and_moves_are_looked_up_when_they_are_asked_for(client: FlaskClient) -> None:
    plain = text_of(client, "/owners/group/default/team")
    asked = text_of(client, "/owners/group/default/team?moves=1&drift=1")

    assert "Compare</a>" in plain
    assert "Compare</a>" not in asked
    assert "Ann Author" in asked.partition('id="moves"')[2]
    assert "<meter" in asked


def test_the_balance_tells_what_is_missing_and_who_could_help(client: FlaskClient) -> None:
    all_projects = text_of(client, "/projects")
    missing = text_of(client, "/projects?state=missing")
    page = text_of(client, "/projects/default/apollo")

    assert all_projects.index("/projects/default/apollo") < all_projects.index("/projects/default/idle")
    assert "/projects/default/idle" not in missing
    todo = page.partition("What to do")[2].partition("</ul>")[0]
    assert "builder" in todo
    assert 'href="/owners/user/default/zoe"' in todo
    assert "The team is not balanced" in page
    assert "lent by others" in page.partition('class="table picture"')[2].partition("</thead>")[0]
    assert "Nothing asks" in text_of(client, "/projects/default/idle")
    assert "Nobody is on the team" in text_of(client, "/projects/default/orphan")
    text_of(client, "/projects/default/nothing", 404)


def test_an_empty_catalog_says_what_to_do(tmp_path: Path) -> None:
    with build(load_settings(environment={}, overrides={"data": str(tmp_path / "data")})) as portal:
        portal.migrate()
        client = create_app(portal).test_client()

        assert "Add Group entities" in text_of(client, "/owners")
        assert "Add User entities" in text_of(client, "/owners?view=people")
        assert "spec.needs" in text_of(client, "/projects")


def test_long_lists_are_cut_and_the_statements_do_not_grow(tmp_path: Path, repo: MakeRepository) -> None:
    def organisation(many: int) -> str:
        return documents(
            group("top"),
            *(group(f"g{number:03}", more="parent: top") for number in range(many)),
            *(entity("User", f"u{number:03}", "memberOf: [g000]") for number in range(many)),
            *(component(f"c{number:03}", owner=f"g{number:03}") for number in range(many)),
        )

    made = repo({"catalog-info.yaml": organisation(3)})
    counts = []
    with build(load_settings(environment={}, overrides={"data": str(tmp_path / "data")})) as portal:
        portal.migrate()
        portal.ingest([("url", made.url)])
        client = create_app(portal).test_client()
        paths = (
            "/owners",
            "/owners?view=people",
            "/owners/group/default/g000",
            "/owners/group/default/top",
            "/projects",
        )
        for many in (3, 130):
            made.commit({"catalog-info.yaml": organisation(many)})
            portal.refresh.refresh()
            seen: list[str] = []

            def note(connection, cursor, statement, parameters, context, executemany, seen=seen) -> None:
                seen.append(statement)

            event.listen(portal.database.engine, "before_cursor_execute", note)
            for path in paths:
                text_of(client, path)
            event.remove(portal.database.engine, "before_cursor_execute", note)
            counts.append(len(seen))
        tree = text_of(client, "/owners")
        below = text_of(client, "/owners?root=group:default/top&page=2")
        whole = text_of(client, "/owners/group/default/top")

    assert counts[0] == counts[1]
    assert tree.count("<tr>") == 27
    assert "105 more below" in tree
    assert "101\u2013130 of 130" in below
    assert "page=1" in below
    assert "and 105 more" in whole.partition('id="people"')[2].partition("</section>")[0]


def test_what_is_wrong_in_files_is_told_in_words(tmp_path: Path) -> None:
    home = Repository(tmp_path / "home")
    good = documents(group("team"), component("c", owner="team"))
    home.commit({"catalog-info.yaml": good})
    with build(load_settings(environment={}, overrides={"data": str(tmp_path / "data")})) as portal:
        portal.migrate()
        portal.ingest([("url", home.url)])
        home.commit({"catalog-info.yaml": good.replace("type: service", "type: ''")})
        portal.refresh.refresh()
        page = text_of(create_app(portal).test_client(), "/owners/group/default/team")
    assert "<code>spec.type</code>: A field has a value that is not accepted: found" in page
    assert "catalog-info.yaml:" in page
