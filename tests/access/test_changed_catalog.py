"""Owners are asked about again when a task publishes and registers: the catalog may have changed since it began."""

from __future__ import annotations

import pytest
from catalogs import component, documents, entity
from repositories import Repository
from worlds import PORTAL_VERSION, organisation, world

from portal.app import build

RULES = documents(
    entity("Role", "maker", "layers: [workshop]", version=PORTAL_VERSION),
    entity("Layer", "workshop", "rank: 2, owner: platform, ownerRoles: [maker]", version=PORTAL_VERSION),
    entity("Policy", "roles", "owner: platform, rule: portal/owner-role, severity: enforce", version=PORTAL_VERSION),
    """
apiVersion: scaffolder.backstage.io/v1beta3
kind: Template
metadata: {name: publishing}
spec:
  type: service
  owner: team
  creates: [{kind: Component, layer: workshop}]
  parameters: {properties: {owner: {type: string}, layer: {type: string}}}
  steps:
    - id: write
      action: catalog:write
      input:
        entity:
          apiVersion: backstage.io/v1alpha1
          kind: Component
          metadata: {name: made}
          spec:
            type: a
            lifecycle: b
            owner: ${{ parameters.owner }}
            layer: ${{ parameters.layer or "workshop" }}
    - {id: publish, action: publish:git, input: {name: made}}
""",
    """
apiVersion: scaffolder.backstage.io/v1beta3
kind: Template
metadata: {name: registering}
spec:
  type: service
  owner: team
  creates: [{kind: Component, layer: workshop}]
  parameters: {properties: {owner: {type: string}, url: {type: string}}}
  steps:
    - {id: register, action: catalog:register, input: {catalogInfoUrl: "${{ parameters.url }}"}}
""",
)
MAKERS = entity("Group", "makers", "type: team, children: [], roles: [maker]")
JO = entity("User", "jo", "memberOf: [makers]")
OWNER = "group:default/makers"


@pytest.fixture
def opened(tmp_path):
    with world(tmp_path, extra=documents(RULES, MAKERS, JO)) as found:
        found.portal.jobs.start(worker=False)
        yield found


def begin(opened, template, values):
    body = {"templateRef": f"template:{template}", "values": {"owner": OWNER, **values}}
    answer = opened.client.post("/api/scaffolder/v2/tasks", json=body, headers=opened.as_user("jo"))
    assert answer.status_code == 201, answer.text
    return answer.json["id"]


def change(opened, *texts):
    opened.home.commit({"catalog-info.yaml": documents(organisation(), RULES, *texts)})
    opened.portal.refresh.refresh()


def finish(opened, task):
    """Let a worker carry the task out."""
    with build(opened.portal.settings) as worker:
        worker.start()
        return list(worker.scaffolding.event_stream(task))[-1]["body"]


STRIPPED = MAKERS.replace(", roles: [maker]", "")
MOVED = JO.replace("[makers]", "[others]")


@pytest.mark.parametrize(
    ("template", "texts", "told"),
    [
        ("publishing", [MAKERS, JO], ""),
        ("publishing", [STRIPPED, JO], "holds no role that may own in the layer workshop"),
        ("registering", [MAKERS, JO], ""),
        ("registering", [STRIPPED, JO], "holds no role that may own in the layer workshop"),
        ("registering", [JO], "found group:default/makers, which is not in the catalog"),
        ("registering", [MAKERS, MOVED], "may not use portal.asset.create on group:default/makers"),
    ],
)
def test_an_owner_who_may_not_own_any_more_is_refused(opened, template, texts, told):
    made = Repository(opened.portal.settings.repositories / "existing")
    made.commit({"catalog-info.yaml": component("made", owner="makers", more="layer: workshop")})
    task = begin(opened, template, {"url": made.url} if template == "registering" else {})
    change(opened, *texts)

    end = finish(opened, task)

    if not told:
        assert "error" not in end, end
        return
    assert told in end["error"]["message"]
    assert not (opened.portal.settings.repositories / "made.git").exists()
    assert made.url not in str(opened.portal.locations.list())


def test_a_layer_that_the_owner_may_not_own_in_is_refused_with_its_line(opened):
    end = finish(opened, begin(opened, "publishing", {"layer": "backbone"}))
    message = end["error"]["message"]
    assert "catalog-info.yaml:11:3 spec.layer" in message
    assert "found layer:default/backbone; expected a layer that group:default/makers may own in" in message
    assert not (opened.portal.settings.repositories / "made.git").exists()


def test_an_entity_that_comes_to_stand_in_another_layer_fails_its_registration(opened):
    made = Repository(opened.portal.settings.repositories / "existing")
    made.commit({"catalog-info.yaml": component("made", owner="makers", more="system: net")})
    end = finish(opened, begin(opened, "registering", {"url": made.url}))
    assert "brought component:default/made in layer:default/backbone" in end["error"]["message"]
    assert "holds no role that may own in the layer backbone" in end["error"]["message"]
