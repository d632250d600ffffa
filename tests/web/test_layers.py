"""The pages of layers: rules, exemptions, what is reused and what is not."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from catalogs import component, documents, entity, group
from flask.testing import FlaskClient

from portal.app import build
from portal.app.wsgi import create_app
from portal.config import load_settings

PORTAL = "portal/v1alpha1"
POLICY = (
    "owner: makers, rule: portal/owner-role, layers: [ground], severity: enforce, reason: r, exemptions: ["
    "{entity: 'component:default/stone', reason: '<i>until the move</i>', approver: makers, expires: '2999-01-01'},"
    "{entity: 'component:default/nothing', reason: old, approver: others, expires: '2020-01-01'}]"
)
FILES = documents(
    group("makers", more="roles: [maker]"),
    group("others"),
    entity("Role", "maker", version=PORTAL),
    entity(
        "Layer",
        "ground",
        "rank: 1, owner: makers, ownerRoles: [maker, missing], approvers: [maker], "
        "stewards: [{duty: checks, role: maker}]",
        version=PORTAL,
    ),
    entity("Layer", "roof", "rank: 2, owner: makers, ownerRoles: [maker], mayDependOn: [ground]", version=PORTAL),
    entity("Policy", "p", POLICY, version=PORTAL),
    entity("Project", "house", "owner: makers, lifecycle: x, goal: g, dependsOn: ['component:stone']", version=PORTAL),
    component("stone", owner="others", more="layer: ground"),
    *(component(f"sand-{number:03}", owner="others", more="layer: ground") for number in range(60)),
    component("stray", owner="others"),
)


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FlaskClient]:
    folder = tmp_path_factory.mktemp("layers")
    (folder / "catalog-info.yaml").write_text(FILES)
    with build(load_settings(environment={}, overrides={"data": str(folder / "data")})) as portal:
        portal.migrate()
        portal.ingest([("file", str(folder / "catalog-info.yaml"))])
        yield create_app(portal).test_client()


def text_of(client: FlaskClient, path: str) -> str:
    answer = client.get(path)
    assert answer.status_code == 200
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", answer.get_data(as_text=True)))


def test_all_layers_tell_their_rules_and_how_well_they_are_kept(client: FlaskClient) -> None:
    text = text_of(client, "/layers")
    page = client.get("/layers").get_data(as_text=True)

    roof, ground, rules = text.index("roof rank 2"), text.index("ground rank 1"), text.index("Rules in words")
    assert roof < ground < rules
    assert "May depend on ground" in text[roof:ground]
    assert "checks: maker" in text[ground:rules]
    assert "portal/owner-role 60 enforced" in text[ground:rules]
    assert "60 unused" in text[ground:rules]
    assert "2 entities stand in no layer" in text
    assert "/problems?layer=layer:default/ground&amp;rule=portal/owner-role&amp;severity=enforce" in page
    assert "<i>" not in page
    exemptions = text[text.index("Exemptions") :]
    assert "stone portal/owner-role &lt;i&gt;until the move&lt;/i&gt; makers 2999-01-01 holds" in exemptions
    assert "its entity is not there" in exemptions


def test_a_layer_lists_all_that_is_in_it_page_by_page(client: FlaskClient) -> None:
    first = text_of(client, "/layers/default/ground")
    second = text_of(client, "/layers/default/ground?page=2")

    assert "stone component · by 1 project · needed by 1" in first
    assert "sand-049" in first
    assert "sand-050" not in first
    assert "Page 1 of 2" in first
    assert "sand-059" in second
    assert client.get("/layers/default/nowhere").status_code == 404
    assert client.get("/layers/default/ground?page=0").status_code == 404
