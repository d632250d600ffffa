"""The catalog that Portal ships: every entity validates, is owned as its layer allows, and no problem is left."""

from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest
from portals import Catalog
from sqlalchemy import select

from portal.defaults.kinds import all_kinds
from portal.graph.policies import RULES
from portal.model.ref import EntityRef
from portal.services.kinds import KindsService
from portal.services.ownership import OwnershipService
from portal.store import schema
from portal.store.database import Database
from portal.store.tables import entities, refs, relations

ROOT = Path(__file__).resolve().parents[2]
ROLES = {
    "cloud-security",
    "devops",
    "ml-engineer",
    "mlops-engineer",
    "data-scientist",
    "citizen-data-scientist",
    "fullstack-engineer",
    "project-manager",
}


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Catalog]:
    folder = tmp_path_factory.mktemp("reference")
    with Database(f"sqlite:///{folder / 'portal.db'}") as database:
        schema.upgrade(database)
        catalog = Catalog(database, folder)
        catalog.sources.add([("file", str(ROOT / "catalog-info.yaml"))])
        assert catalog.service.refresh().problems == []
        yield catalog


@pytest.fixture(scope="module")
def ownership(reference: Catalog) -> OwnershipService:
    return OwnershipService(reference.database, KindsService(reference.database, all_kinds()))


def test_no_rule_of_a_layer_is_broken(ownership: OwnershipService) -> None:
    assert ownership.findings() == []


def test_every_rule_is_on_by_a_policy(reference: Catalog) -> None:
    policies = [reference.body(ref) for ref in reference.refs() if ref.startswith("policy:")]

    assert {policy["spec"]["rule"] for policy in policies} == {rule.id for rule in RULES} | {"acme/dataset-classified"}
    assert all(policy["spec"]["reason"] for policy in policies)


def test_every_reference_leads_to_an_entity(reference: Catalog) -> None:
    with reference.database.reading() as connection:
        named = refs.c.id.in_(select(relations.c.target_id))
        dangling = connection.execute(select(refs.c.ref).where(named, refs.c.id.not_in(select(entities.c.id)))).all()

    assert dangling == []


def test_every_role_of_the_mission_is_held_by_somebody(reference: Catalog) -> None:
    roles = {ref for ref in reference.refs() if ref.startswith("role:")}

    assert {ref.partition("/")[2] for ref in roles} == ROLES
    for ref in roles:
        holders = [item["targetRef"] for item in reference.body(ref)["relations"] if item["type"] == "roleOf"]
        assert any(holder.startswith("user:") for holder in holders), ref


def test_each_layer_holds_what_the_mission_names(ownership: OwnershipService) -> None:
    kinds = {
        view.layer.ref.name: {node.kind for node in view.nodes} for view in ownership.layers() if view.layer is not None
    }

    assert list(kinds) == ["project", "shared", "backbone"]
    assert kinds["backbone"] >= {"system", "component", "resource"}
    assert kinds["shared"] >= {"notebook", "pipeline", "experiment", "dataset", "featureset", "model", "component"}
    assert kinds["project"] >= {"project", "notebook", "experiment", "pipeline", "model", "component"}


def test_the_workflow_leads_from_a_notebook_to_a_service(reference: Catalog, ownership: OwnershipService) -> None:
    chain = [
        "notebook:default/forecast-exploration",
        "experiment:default/forecast-study",
        "pipeline:default/train-forecast",
        "model:default/forecast",
        "component:default/forecast-service",
    ]

    reached = reference.impacts().of_entity(EntityRef.parse(chain[0])).reached

    assert [ref for ref in (item.ref for item, _ in reached.dependents) if ref in chain] == chain[1:]
    steps = [reference.body(ref)["metadata"]["annotations"]["portal/ci-step"] for ref in chain]
    assert [step.partition(":")[0] for step in steps] == ["1", "2", "3", "4", "5"]


def test_every_answer_is_json(reference: Catalog) -> None:
    for ref in reference.refs():
        assert orjson.dumps(reference.body(ref))
