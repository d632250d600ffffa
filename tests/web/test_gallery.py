"""The gallery of templates, and the form that needs no script."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import unescape
from pathlib import Path

import pytest
from catalogs import documents, entity
from flask.testing import FlaskClient
from servers import ROOT
from sqlalchemy import event
from worlds import PORTAL_VERSION, World, world

from portal.web.wizard_words import MESSAGES

TEMPLATE = """
apiVersion: scaffolder.backstage.io/v1beta3
kind: Template
metadata: {{name: {name}, title: {title}, description: "{description}", tags: [{tags}]}}
spec:
  type: thing
  owner: team
  creates: {creates}
  parameters:
    - title: First
      required: [name, owner]
      properties:
        name: {{type: string, title: Name, minLength: 3}}
        owner: {{type: string, title: Owner, 'ui:field': OwnerPicker}}
        deep: {{type: boolean, title: Deeply}}
      dependencies:
        deep:
          oneOf:
            - {{properties: {{deep: {{enum: [false]}}}}}}
            - {{properties: {{deep: {{enum: [true]}}, depth: {{type: integer, title: Depth}}}}, required: [depth]}}
  steps: [{{id: say, action: debug:log, input: {{message: "hello ${{{{ parameters.name }}}}"}}}}]
"""


def template(name: str, *, title: str, creates: str = "[]", tags: str = "", description: str = "") -> str:
    return TEMPLATE.format(name=name, title=title, creates=creates, tags=tags, description=description)


EXTRA = documents(
    entity("Role", "maker", "layers: [workshop]", version=PORTAL_VERSION),
    entity("Layer", "workshop", "rank: 2, owner: platform, ownerRoles: [maker]", version=PORTAL_VERSION),
    entity("Policy", "roles", "owner: platform, rule: portal/owner-role, severity: enforce", version=PORTAL_VERSION),
    entity("Group", "makers", "type: team, children: [], roles: [maker]"),
    entity("User", "mia", "memberOf: [makers]"),
    template("bench", title="Work bench", creates="[{kind: Component, layer: workshop}]", tags="wood, craft"),
    template("net", title="'<b>Net</b>'", creates="[{kind: API, layer: backbone}]", tags="craft", description="<i>"),
    template("plain", title="Plain"),
)


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with world(tmp_path_factory.mktemp("gallery"), extra=EXTRA) as found:
        found.portal.jobs.start(worker=False)
        yield found


def titles(page: str) -> list[str]:
    return [unescape(title) for title in re.findall(r'stretched-link"[^>]*>([^<]*)</a>', page)]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", ["Work bench", "<b>Net</b>", "make", "Plain"]),
        ("?q=BENCH+wood", ["Work bench"]),
        ("?layer=layer:default/backbone", ["<b>Net</b>"]),
        ("?kind=component", ["Work bench", "make"]),
        ("?tag=craft&owner=group:default/team", ["Work bench", "<b>Net</b>"]),
        ("?usable=yes", ["Work bench", "make", "Plain"]),
        ("?layer=layer:default/%3Cx%3E", []),
    ],
)
def test_templates_are_narrowed_down_by_what_the_url_asks_for(query: str, found: list[str], opened: World) -> None:
    page = opened.client.get(f"/create{query}", headers=opened.as_user("mia")).text

    assert sorted(titles(page)) == sorted(found)
    assert "<script>" not in page.replace('<script type="module"', "")


def test_a_template_that_somebody_can_let_nobody_own_says_why(opened: World) -> None:
    mine, theirs = (opened.client.get("/create?q=bench", headers=opened.as_user(who)).text for who in ("mia", "member"))
    guest = opened.client.get("/create").text

    assert "You may create this for nobody" not in mine
    assert "none may own it in the layer workshop" in theirs
    assert "not use them" in guest
    assert "not use them" not in mine


def statements(opened: World) -> int:
    """Return how many statements the page takes when the catalog has been looked at before."""
    seen: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_more: object) -> None:
        seen.append(statement)

    headers = opened.as_user("mia")
    opened.client.get("/create", headers=headers)
    event.listen(opened.portal.database.engine, "before_cursor_execute", note)
    assert "templates" in opened.client.get("/create?q=e", headers=headers).text
    event.remove(opened.portal.database.engine, "before_cursor_execute", note)
    return len(seen)


def test_more_templates_cost_no_more_questions(opened: World, tmp_path: Path) -> None:
    more = [template(f"more-{number}", title="More", creates="[{kind: API, layer: workshop}]") for number in range(20)]
    with world(tmp_path, extra=documents(EXTRA, *more)) as larger:
        assert statements(larger) <= statements(opened)


def form(client: FlaskClient, path: str, **typed: str) -> dict[str, str]:
    """Return what a browser without scripts sends of a page's form."""
    page = client.get(path).text
    hidden = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', page))
    return {name: unescape(value) for name, value in hidden.items()} | typed


def test_without_scripts_the_form_begins_a_task(tmp_path: Path) -> None:
    with world(tmp_path, extra=EXTRA, guest_rights="everything") as found:
        found.portal.jobs.start(worker=True)
        path = "/create/templates/default/plain"
        typed = {"value/name": "abc", "value/owner": "group:default/makers"}

        refused = found.client.post(path, data=form(found.client, path, **typed | {"value/name": "a"}))
        forged = found.client.post(path, data=typed)
        asks = found.client.post(path, data=form(found.client, path, **typed, **{"value/deep": "on"}))
        begun = found.client.post(path, data=form(found.client, path, **typed))

        assert refused.status_code == 422
        assert "does not meet minimum length of 3" in refused.text
        assert 'value="group:default/makers"' in refused.text
        assert forged.status_code == 403
        assert asks.status_code == 422
        assert 'name="value/depth"' in asks.text
        assert begun.status_code == 303
        assert begun.location.startswith("/create/tasks/")
        task = found.portal.scaffolding.get_task(begun.location.rpartition("/")[2])
        assert task["spec"]["parameters"] == {"name": "abc", "owner": "group:default/makers", "deep": False}


def test_what_an_author_writes_ends_no_script(opened: World) -> None:
    page = opened.client.get("/create/templates/default/net", headers=opened.as_user("mia")).text
    (island,) = re.findall(r'<script type="application/json"[^>]*>(.*?)</script>', page, re.DOTALL)

    assert "<" not in island
    assert "\\u003cb\\u003eNet" in island or "\\u003ci" in island
    assert opened.client.get("/create/templates/default/gone").status_code == 404


def test_the_pages_words_are_those_that_the_script_says() -> None:
    said = set()
    for path in (ROOT / "frontend/web/wizard").glob("*.js"):
        text = path.read_text("utf-8")
        for double, single in re.findall(r"""\b(?:word|iconButton)\((?:"[^"\w\s]", )?(?:"([^"]*)"|'([^']*)')""", text):
            said.add(double or single)

    of_the_library = {"Option %1", "%1 option %2", "New Value"}
    assert said | of_the_library == set(MESSAGES)
