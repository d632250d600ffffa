"""The page on what templates have made, as those who ask may read and upgrade it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from catalogs import entity
from repositories import Repository
from worlds import World, world

from portal.services.generation import Generation

TEMPLATE = """
apiVersion: scaffolder.backstage.io/v1beta3
kind: Template
metadata: {{name: pin, title: <b>Pin</b>}}
spec:
  type: service
  owner: team
  parameters: {parameters}
  steps:
    - {{id: fetch, action: fetch:plain, input: {{url: ./skeleton}}}}
    - {{id: publish, action: publish:git, input: {{name: any}}}}
"""
MADE = """
apiVersion: backstage.io/v1alpha1
kind: Component
metadata:
  name: {name}
  annotations: {{backstage.io/source-template: "template:default/pin", portal/template-commit: {commit}}}
spec: {{type: service, lifecycle: experimental, owner: {owner}}}
"""


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("upgrades")
    source = Repository(folder / "template")
    first = source.commit({"template.yaml": TEMPLATE.format(parameters="[]"), "skeleton/text.txt": "one\n"})
    asks = "{required: [size], properties: {size: {type: string}}}"
    source.commit({"template.yaml": TEMPLATE.format(parameters=asks), "skeleton/text.txt": "two\n"})
    with world(folder, extra=entity("Domain", "any", "owner: team")) as made:
        made.portal.ingest([("url", f"{source.url}#main:template.yaml")])
        for name, owner in (("ours", "team"), ("theirs", "others")):
            repository = Repository(folder / name)
            record = Generation.parse(f"template: pin\ncommit: {first}\n".encode(), place="").to_text()
            catalog_file = MADE.format(name=name, commit=first, owner=owner)
            repository.commit({"catalog-info.yaml": catalog_file, "text.txt": "one\n", ".portal/answers.yaml": record})
            made.portal.ingest([("url", repository.url)])
        yield made


def send(opened: World, user: str, **form: str) -> tuple[int, str]:
    answer = opened.client.post("/create/upgrades", data=form, headers=opened.as_user(user))
    return answer.status_code, answer.get_data(as_text=True)


def test_who_may_upgrade_is_offered_it(opened: World) -> None:
    shown = {
        user: opened.client.get("/create/upgrades", headers=opened.as_user(user)).get_data(as_text=True)
        for user in ("owner", "lone", "admin")
    }

    assert [shown[user].count('value="upgrade"') for user in ("owner", "lone", "admin")] == [1, 0, 3]
    assert shown["owner"].count("its owners may") == 1
    assert shown["lone"].count("1 change behind") == 2
    assert "&lt;b&gt;Pin&lt;/b&gt;" in shown["lone"]
    assert "<b>Pin" not in shown["lone"]


def test_who_may_not_upgrade_is_refused(opened: World) -> None:
    status, page = send(opened, "owner", entityRef="component:default/theirs", do="upgrade")

    assert status == 403
    assert "portal.asset.upgrade on component:default/theirs" in page
    assert send(opened, "lone", entityRef="component:default/ours")[0] == 403
    assert send(opened, "owner", entityRef="nonsense of nobody")[0] == 400
    assert send(opened, "owner")[0] == 422


def test_values_of_new_parameters_are_asked_for(opened: World) -> None:
    status, page = send(opened, "owner", entityRef="component:default/ours", do="preview")
    assert status == 422
    assert "asks for more by now: size" in page
    assert 'name="value/size"' in page

    status, page = send(opened, "owner", entityRef="component:default/ours", do="preview", **{"value/size": "big"})
    assert status == 200
    assert "this would change" in page
    assert "+two" in page


def test_a_template_of_which_nothing_is_known_has_made_nothing(opened: World) -> None:
    answer = opened.client.get("/create/upgrades?template=ghost", headers=opened.as_user("lone"))

    assert answer.status_code == 200
    assert "Nothing here was made by a template." in answer.get_data(as_text=True)
