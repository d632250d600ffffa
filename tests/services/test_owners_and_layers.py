"""Who owns and in what layer: catalogs read from real files, against a naive reading of the rules."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from catalogs import component, documents, entity, group
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from portals import Catalog
from repositories import MakeRepository

from portal.defaults.kinds import all_kinds
from portal.model.ref import EntityRef
from portal.services.accountability import AccountabilityService
from portal.services.kinds import KindsService
from portal.services.ownership import OwnershipService
from portal.services.past import PastOrganisations
from portal.services.search import SearchQuery, SearchService
from portal.store import graph

KINDS = all_kinds()
PORTAL = "portal/v1alpha1"


def pairs(leading: Mapping[EntityRef, Sequence[EntityRef]]) -> list[tuple[EntityRef, EntityRef]]:
    return [(source, target) for source, targets in leading.items() for target in targets]


def answers(catalog: Catalog) -> AccountabilityService:
    service = ownership(catalog)
    past = PastOrganisations(KindsService(catalog.database, all_kinds()), service.facts_reader)
    return AccountabilityService(catalog.database, service, past)


def ownership(catalog: Catalog) -> OwnershipService:
    return OwnershipService(catalog.database, KindsService(catalog.database, all_kinds()))


ORGANISATION = documents(
    group("platform"),
    group("data", more="roles: [builder]"),
    group("company"),
    entity("Role", "builder", "layers: [low]", version=PORTAL),
    entity("Layer", "low", "rank: 1, owners: [company, data], ownerRoles: [builder]", version=PORTAL),
    entity("Component", "several", "type: a, lifecycle: b, owners: [platform, data, gone], layer: low"),
    component("both", owner="data", more="owners: [platform, data], layer: low"),
    component("one", owner="data"),
)


def test_co_owners_are_told_and_do_not_answer(catalog: Catalog, repo: MakeRepository) -> None:
    assert catalog.ingest(repo({"catalog-info.yaml": ORGANISATION}).url).problems == []

    several = answers(catalog).of_entity(EntityRef("component:default/several"))
    both = answers(catalog).of_entity(EntityRef("component:default/both"))
    one = answers(catalog).of_entity(EntityRef("component:default/one"))

    assert (several.owner, several.entity.owner) == ("group:default/platform", "group:default/platform")
    assert several.co_owners == [("group:default/data", True), ("group:default/gone", False)]
    assert several.to_json()["coOwners"][1] == {"ref": "group:default/gone", "exists": False}
    assert (both.owner, both.co_owners) == ("group:default/data", [("group:default/platform", True)])
    assert one.co_owners == []


def test_a_portfolio_and_findings_follow_the_accountable_owner(catalog: Catalog, repo: MakeRepository) -> None:
    catalog.ingest(repo({"catalog-info.yaml": ORGANISATION}).url)

    held = {
        name: [node.ref.name for node in answers(catalog).portfolio(EntityRef(f"group:default/{name}")).items]
        for name in ("platform", "data", "company")
    }

    assert held == {"platform": ["several"], "data": ["both", "one"], "company": ["low"]}
    # Who is accountable must hold a role of the layer, whatever the others hold.
    findings = ownership(catalog).findings()
    assert [found.ref.name for found in findings if found.rule == "portal/owner-role"] == ["several"]


def test_a_faulty_list_is_told_with_its_place(catalog: Catalog, repo: MakeRepository) -> None:
    text = "apiVersion: backstage.io/v1alpha1\nkind: Component\nmetadata: {name: a}\nspec:\n  type: a\n  lifecycle: b\n"
    made = repo({"catalog-info.yaml": f"{text}  owner: t\n  owners:\n    - t\n    - 'x:'\n"})

    (warning,) = catalog.ingest(made.url).problems
    made.commit({"catalog-info.yaml": f"{text}  owners: []\n"})
    (error,) = catalog.service.refresh().problems

    assert (warning.severity, warning.field, warning.found, warning.span and warning.span.line) == (
        "warning",
        "spec.owners.1",
        '"x:"',
        10,
    )
    assert (error.severity, error.field, error.found, error.span and error.span.line) == (
        "error",
        "spec.owners",
        "[]",
        7,
    )
    assert "expected a list of at least 1. List groups or users" in str(error)
    # The last good one stays.
    assert {(found["type"], found["targetRef"]) for found in catalog.body("component:default/a")["relations"]} == {
        ("ownedBy", "group:default/t")
    }


def test_owners_that_change_reach_who_is_accountable(catalog: Catalog, repo: MakeRepository) -> None:
    def told(owners: str) -> str:
        return documents(group("a"), group("b"), entity("Component", "x", f"type: a, lifecycle: b, owners: [{owners}]"))

    made = repo({"catalog-info.yaml": told("a, b")})
    catalog.ingest(made.url)
    made.commit({"catalog-info.yaml": told("b, a")})
    catalog.service.refresh()

    found = answers(catalog).of_entity(EntityRef("component:default/x"))

    assert (found.owner, found.co_owners) == ("group:default/b", [("group:default/a", True)])
    assert ("ownerOf", "component:default/x") in {
        (relation["type"], relation["targetRef"]) for relation in catalog.body("group:default/a")["relations"]
    }


@pytest.mark.parametrize("owner", ["platform", "data", "group:default/data"])
def test_a_search_by_owner_finds_what_is_owned_with_others(catalog: Catalog, repo: MakeRepository, owner: str) -> None:
    catalog.ingest(repo({"catalog-info.yaml": ORGANISATION}).url)
    service = SearchService(catalog.database)

    found = service.query(SearchQuery("several", filters={"owner": [owner]}))

    assert [result.document["owner"] for result in found.results] == ["platform"]


NAMES = ("a", "b")
LAYERS = st.sampled_from([None, None, "low", "shop/low", "layer:default/gone", "component:default/odd"])
SYSTEMS = st.sampled_from([None, "a", "b", "shop/a", "gone", "system:default/a", "component:default/a"])
DOMAINS = st.sampled_from([None, "a", "b", "shop/a", "gone"])
SHORT = st.sampled_from(["x", "y", "shop/x", "user:x", "group:default/y", "X"])
OWNERS = st.one_of(
    st.fixed_dictionaries({"owner": SHORT}),
    st.fixed_dictionaries({"owners": st.lists(SHORT, min_size=1, max_size=3)}),
    st.fixed_dictionaries({"owner": SHORT, "owners": st.lists(SHORT, min_size=1, max_size=3)}),
    # Malformed beside an owner: a warning, and nobody of the list owns.
    st.fixed_dictionaries({"owner": SHORT, "owners": st.sampled_from([[], "x", ["x", ""], ["x", 5], None])}),
)
PLACES = st.tuples(st.sampled_from(["default", "shop"]), st.sampled_from(NAMES))
SPECS: Mapping[str, Mapping[str, Any]] = {
    "Domain": {},
    "System": {},
    "Component": {"type": "a", "lifecycle": "b"},
    "Resource": {"type": "a"},
    "Template": {"type": "a", "steps": []},
    "AiResource": {"type": "skill", "lifecycle": "b"},
}
DOCUMENTS = st.one_of(
    st.tuples(st.just("Domain"), PLACES, OWNERS, st.fixed_dictionaries({"layer": LAYERS, "subdomainOf": DOMAINS})),
    st.tuples(st.just("System"), PLACES, OWNERS, st.fixed_dictionaries({"layer": LAYERS, "domain": DOMAINS})),
    st.tuples(
        st.sampled_from(["Component", "Resource", "AiResource"]),
        PLACES,
        OWNERS,
        st.fixed_dictionaries({"layer": LAYERS, "system": SYSTEMS}),
    ),
    st.tuples(
        st.just("Template"), PLACES, OWNERS | st.just({}), st.fixed_dictionaries({"layer": LAYERS})
    ),
)  # fmt: skip
DRAWN = st.lists(DOCUMENTS, min_size=1, max_size=10, unique_by=lambda made: (made[0], made[1]))


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], print_blob=True)
@given(drawn=DRAWN)
def test_layers_and_owners_equal_a_naive_reading_of_the_files(
    catalog: Catalog, tmp_path: Path, drawn: Sequence[tuple[str, tuple[str, str], dict[str, Any], dict[str, Any]]]
) -> None:
    """Own layer, else the system's, else that system's domain's, else the kind's; who owns, and who is accountable."""
    made: dict[EntityRef, Mapping[str, Any]] = {}
    texts = []
    for kind, (namespace, name), owners, more in drawn:
        spec = dict(SPECS[kind]) | owners | {field: value for field, value in more.items() if value is not None}
        known = KINDS.named(kind)
        assert known is not None
        head = {"apiVersion": min(known.api_versions), "kind": kind, "spec": spec}
        texts.append(json.dumps(head | {"metadata": {"name": name, "namespace": namespace}}))
        made[EntityRef.of(kind, namespace, name)] = spec
    folder = tmp_path / "files"
    folder.mkdir(exist_ok=True)
    (folder / "catalog-info.yaml").write_text("\n---\n".join(texts) + "\n")
    catalog.sources.add([("file", f"{folder}#:*.yaml")])

    report = catalog.service.refresh()

    assert {problem.severity for problem in report.problems} <= {"warning"}
    defaults = KINDS.default_layers
    with catalog.database.reading() as connection:
        found = graph.nodes(connection, default_layers=defaults)
        counted = graph.counts_by_layer(connection, default_layers=defaults)
        relations = graph.targets_by_source(connection, types=("ownedBy", "ownerOf"))
    told = {ref: node for ref, node in found.items() if ref.kind != "location"}
    assert {ref: node.layer for ref, node in told.items()} == {ref: layer(ref, made) for ref in made}
    assert {ref: node.owner for ref, node in told.items()} == {
        ref: next(iter(owned_by(ref, spec)), None) for ref, spec in made.items()
    }
    edges = {(ref, owner) for ref, spec in made.items() for owner in owned_by(ref, spec)}
    leading = {(name, *edge) for name, found in relations.items() for edge in pairs(found)}
    assert leading == {("ownedBy", ref, owner) for ref, owner in edges} | {
        ("ownerOf", owner, ref) for ref, owner in edges
    }
    for kind in {ref.kind for ref in made}:
        row: dict[str, int] = {}
        for ref in made:
            if ref.kind == kind:
                row[layer(ref, made) or ""] = row.get(layer(ref, made) or "", 0) + 1
        assert counted[kind] == row


def whole(name: str, kind: str, near: EntityRef) -> EntityRef:
    """Return the whole of a reference that is short or not."""
    head, colon, rest = name.partition(":")
    if colon:
        kind, name = head, rest
    return EntityRef(f"{kind}:{name if '/' in name else f'{near.namespace}/{name}'}".lower())


def layer(ref: EntityRef, made: Mapping[EntityRef, Mapping[str, Any]]) -> EntityRef | None:
    """Return the layer of an entity as the rule is told."""
    spec = made[ref]
    places = [ref]
    system = ref if ref.kind == "system" else None
    if "system" in spec:
        system = whole(spec["system"], "system", ref)
        places.append(system)
    if system in made and system.kind == "system" and "domain" in made[system]:
        places.append(whole(made[system]["domain"], "domain", system))
    for place in places:
        if place in made and "layer" in made[place]:
            return whole(made[place]["layer"], "layer", place)
    default = KINDS.default_layers.get(ref.kind)
    return EntityRef(f"layer:default/{default}") if default else None


def owned_by(ref: EntityRef, spec: Mapping[str, Any]) -> list[EntityRef]:
    """Return who owns, the accountable one first."""
    listed = spec.get("owners")
    is_sound = isinstance(listed, list) and all(isinstance(name, str) and name for name in listed)
    names = [*([spec["owner"]] if "owner" in spec else []), *(listed if is_sound and listed else [])]
    return list(dict.fromkeys(whole(name, "group", ref) for name in names))
