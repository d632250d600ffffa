"""Owners are narrowed by the database: whom a policy's conditions mean, of those who may own."""

from __future__ import annotations

import pytest
from catalogs import documents, entity, group
from portals import Catalog
from repositories import MakeRepository
from scaffolds import template

from portal.defaults.kinds import all_kinds
from portal.model.filter import AnyOf, EntityFilter, Match
from portal.scaffolder.parameters import parameter_schema
from portal.services.catalog import CatalogService
from portal.services.kinds import KindsService
from portal.services.owner_choice import OwnerChoice
from portal.services.ownership import OwnershipService
from portal.services.task_rights import Creatable

PORTAL = "portal/v1alpha1"
ORGANISATION = documents(
    group("makers", more="roles: [maker]"),
    group("juniors", more="parent: makers"),
    group("others"),
    entity("User", "jo", "memberOf: [juniors]"),
    entity("Role", "maker", "layers: []", version=PORTAL),
    entity(
        "Layer",
        "low",
        "rank: 1, owner: makers, ownerRoles: [maker], enforcement: {portal/owner-role: enforce}",
        version=PORTAL,
    ),
)
MAKE = template(
    "make",
    [],
    creates=[{"kind": "Component", "layer": "low"}],
    parameters={"properties": {"owner": {"type": "string", "ui:field": "OwnerPicker"}}},
)


class Rights:
    def __init__(self, wanted: EntityFilter | None) -> None:
        self._wanted = wanted

    def creatable(self) -> Creatable:
        return Creatable(self._wanted, "the policy says so")


@pytest.mark.parametrize(
    ("wanted", "offered"),
    [
        (None, {"Group": ["juniors", "makers"], "User": ["jo"]}),
        (Match.of("kind", ["group"]), {"Group": ["juniors", "makers"]}),
        (Match.of("metadata.name", ["jo", "others"]), {"User": ["jo"]}),
        (Match.of("metadata.name", ["others"]), {"Group": "-"}),
        (AnyOf(), {"Group": "-"}),
    ],
)
def test_a_form_offers_who_may_own_of_those_whom_a_condition_means(
    catalog: Catalog, repo: MakeRepository, wanted: EntityFilter | None, offered: dict[str, object]
) -> None:
    assert catalog.ingest(repo({"catalog-info.yaml": ORGANISATION}).url).problems == []
    ownership = OwnershipService(catalog.database, KindsService(catalog.database, all_kinds()))
    choice = OwnerChoice(CatalogService(catalog.database), ownership)

    form = choice.narrowed(MAKE, parameter_schema(MAKE), Rights(wanted), user=None)

    found = form["steps"][0]["schema"]["properties"]["owner"]["ui:options"]["catalogFilter"]
    assert {item["kind"]: item["metadata.name"] for item in found} == offered
