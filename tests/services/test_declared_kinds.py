"""Kinds that are declared in YAML, from the commit that brings them to the one that takes them away."""

from pathlib import Path
from typing import Any

import pytest
from catalogs import component, documents, entity, group
from portals import Catalog
from repositories import MakeRepository
from sqlalchemy import event

from portal.defaults.kinds import all_kinds
from portal.model.filter import parse_filter_params
from portal.model.query import EntityQuery
from portal.model.ref import EntityRef
from portal.model.rules import AllowedKind, Rule, RuleLocation
from portal.services.catalog import CatalogService
from portal.services.kinds import KindsService
from portal.services.ownership import OwnershipService
from portal.services.refresh import RefreshReport
from portal.services.subgraph import SubGraphService
from portal.store import sources
from portal.store.database import Database

STORE = "featurestore:default/online"
DEFINITION = "kinddefinition:default/feature-store"
VERSION = "ml.example.com/v1"


def definition(
    name: str = "feature-store",
    *,
    kind: str = "FeatureStore",
    layer: str | None = "shared",
    relation: str = "servedBy",
    inverse: str = "serves",
    schema: str = "{type: object, required: [engine], properties: {engine: {enum: [redis, feast]}}}",
) -> str:
    """Return a KindDefinition whose entities are served by components."""
    spec = (
        f"owner: platform, group: ml.example.com, version: v1, names: {{kind: {kind}}}, schema: {schema}, "
        f"relations: [{{field: servedBy, kind: Component, type: {relation}, inverse: {inverse}}}]"
    )
    return entity("KindDefinition", name, f"{spec}, layer: {layer}" if layer else spec, version="portal/v1alpha1")


def store(name: str = "online", *, engine: str = "redis", more: str = "", kind: str = "FeatureStore") -> str:
    """Return an entity of the declared kind."""
    return entity(kind, name, f"owner: team-a, engine: {engine}, servedBy: [api]{more}", version=VERSION)


def codes(report: RefreshReport) -> list[str]:
    """Return the codes of a report's problems."""
    return sorted(problem.code for problem in report.problems)


def relations(catalog: Catalog, ref: str) -> set[tuple[str, str]]:
    """Return the relations of an entity."""
    return {(found["type"], found["targetRef"]) for found in catalog.body(ref)["relations"]}


def test_a_kind_and_its_entities_of_one_commit_come_in_at_once(catalog: Catalog, repo: MakeRepository) -> None:
    made = repo({"catalog-info.yaml": documents(store(), component("api"), definition())})

    report = catalog.ingest(made.url)

    assert report.problems == []
    assert {("servedBy", "component:default/api"), ("ownedBy", "group:default/team-a")} == relations(catalog, STORE)
    assert ("serves", STORE) in relations(catalog, "component:default/api")
    (changes,) = report.changes.values()
    with catalog.database.reading() as connection:
        assert changes.revision == sources.current_revision(connection) == 1
    service = CatalogService(catalog.database)
    assert len(service.query(EntityQuery(parse_filter_params(["kind=featurestore,spec.engine=redis"]))).bodies) == 1
    kind = KindsService(catalog.database, all_kinds()).current().named("featurestore")
    assert kind is not None
    assert kind.declared_by == DEFINITION


@pytest.mark.parametrize("order", [("definition", "entities"), ("entities", "definition")])
def test_sources_may_be_read_in_any_order_alone_or_together(
    catalog: Catalog, repo: MakeRepository, order: tuple[str, str]
) -> None:
    made = {
        "definition": repo({"catalog-info.yaml": definition()}, name="definition"),
        "entities": repo({"catalog-info.yaml": documents(store(), component("api"))}, name="entities"),
    }
    first, second = (catalog.sources.add([("url", made[name].url)])[0].id for name in order)

    early = catalog.service.refresh([first])
    if order[0] == "entities":
        assert codes(early) == ["kind-unknown"]
        assert STORE not in catalog.refs()
    catalog.service.refresh([second])

    assert catalog.refs() == ["component:default/api", STORE, DEFINITION]
    assert ("serves", STORE) in relations(catalog, "component:default/api")
    again = catalog.service.refresh()
    assert again.problems == []
    assert len(again.unchanged) == 2


def test_a_faulty_entity_is_told_field_by_field_and_keeps_its_last_good_form(
    catalog: Catalog, repo: MakeRepository
) -> None:
    made = repo({"catalog-info.yaml": documents(definition(), component("api")), "a/catalog-info.yaml": store()})
    catalog.ingest(made.url, f"{made.url}#main:a/catalog-info.yaml")

    made.commit(
        {"a/catalog-info.yaml": entity("FeatureStore", "online", "engine: mysql, servedBy: [a b, 3]", version=VERSION)}
    )
    report = catalog.service.refresh()

    assert sorted((item.field, item.found, item.expected) for item in report.problems) == [
        ("spec.engine", '"mysql"', "one of redis, feast"),
        ("spec.owner", "", "a text"),
        ("spec.servedBy.1", "3", "a text"),
    ]
    assert all(item.span is not None and item.ref == STORE for item in report.problems)
    body = catalog.body(STORE)
    assert body["spec"]["engine"] == "redis"
    assert len(body["status"]["items"]) == 3


def test_a_reference_that_is_none_is_a_fault(catalog: Catalog, repo: MakeRepository) -> None:
    made = repo(
        {
            "catalog-info.yaml": documents(
                definition(),
                entity("FeatureStore", "x", "owner: team-a, engine: feast, servedBy: ['/x']", version=VERSION),
            )
        }
    )

    (problem,) = catalog.ingest(made.url).problems

    assert (problem.code, problem.field) == ("field-invalid", "spec.servedBy.0")


def test_a_changed_definition_reaches_entities_whose_files_have_not_changed(
    catalog: Catalog, repo: MakeRepository
) -> None:
    definitions = repo({"catalog-info.yaml": definition()}, name="definitions")
    made = repo({"catalog-info.yaml": documents(store(), store("offline", engine="feast"), component("api"))})
    catalog.ingest(definitions.url, made.url)
    uid = catalog.body(STORE)["metadata"]["uid"]

    narrower = "{type: object, properties: {engine: {enum: [redis]}}}"
    definitions.commit({"catalog-info.yaml": definition(relation="hostedBy", inverse="hosts", schema=narrower)})
    report = catalog.service.refresh()

    assert codes(report) == ["field-invalid"]
    assert ("hostedBy", "component:default/api") in relations(catalog, STORE)
    assert ("hosts", STORE) in relations(catalog, "component:default/api")
    assert ("serves", STORE) not in relations(catalog, "component:default/api")
    assert catalog.body(STORE)["metadata"]["uid"] == uid
    assert len(catalog.history(STORE)) == 1
    offline = catalog.body("featurestore:default/offline")
    assert offline["spec"]["engine"] == "feast"
    assert offline["status"]["items"][0]["field"] == "spec.engine"
    assert catalog.history(STORE)[0].commit

    before = catalog.everything()
    catalog.service.refresh(anew=True)
    assert catalog.everything() == before


@pytest.mark.parametrize("together", [True, False])
def test_without_its_definition_a_kind_keeps_its_entities_each_with_a_problem(
    catalog: Catalog, repo: MakeRepository, together: bool
) -> None:
    entities = documents(store(), component("api"))
    made = repo({"catalog-info.yaml": entities, "kinds.yaml": definition()})
    other = made if together else repo({"kinds.yaml": definition()}, name="other")
    catalog.ingest(made.url, f"{other.url}#main:kinds.yaml")
    whole = catalog.everything()

    other.commit({"kinds.yaml": component("instead")})
    report = catalog.service.refresh()

    (problem,) = report.problems
    assert (problem.code, problem.ref, problem.field) == ("kind-gone", STORE, "kind")
    body = catalog.body(STORE)
    assert body["spec"]["engine"] == "redis"
    assert "Nothing declares this kind any more" in body["status"]["items"][0]["message"]
    assert ("servedBy", "component:default/api") in relations(catalog, STORE)
    assert DEFINITION not in catalog.refs()
    gone = catalog.everything()
    assert len(catalog.service.refresh().unchanged) == 2
    catalog.service.refresh(anew=True)
    assert catalog.everything() == gone

    other.commit({"kinds.yaml": definition()})
    assert catalog.service.refresh().problems == []
    assert "status" not in catalog.body(STORE)
    now = catalog.everything()
    assert len(now["entities"]) == len(whole["entities"])
    assert now["relations"] == whole["relations"]


def test_what_else_a_file_holds_comes_and_goes_while_a_kind_is_gone(catalog: Catalog, repo: MakeRepository) -> None:
    made = repo({"catalog-info.yaml": documents(store(), component("api"), component("b")), "kinds.yaml": definition()})
    catalog.ingest(made.url, f"{made.url}#main:kinds.yaml")

    made.commit({"kinds.yaml": component("c")})
    catalog.service.refresh()
    made.commit({"catalog-info.yaml": documents(store(engine="feast"), component("api"))})
    catalog.service.refresh()

    assert catalog.refs() == ["component:default/api", "component:default/c", STORE]
    assert catalog.body(STORE)["spec"]["engine"] == "redis"

    made.commit({"catalog-info.yaml": component("api")})
    assert catalog.service.refresh().problems == []
    assert catalog.refs() == ["component:default/api", "component:default/c"]


def test_taking_a_source_away_or_deleting_a_definition_ends_its_kind(catalog: Catalog, repo: MakeRepository) -> None:
    made = repo({"catalog-info.yaml": documents(store(), component("api"))})
    other = repo({"catalog-info.yaml": definition()}, name="other")
    (source,) = catalog.sources.add([("url", other.url)])
    catalog.ingest(made.url)
    assert "status" not in catalog.body(STORE)

    catalog.service.remove([source.id])
    assert catalog.body(STORE)["status"]["items"][0]["error"]["code"] == "kind-gone"

    catalog.ingest(other.url)
    assert "status" not in catalog.body(STORE)
    catalog.service.forget([EntityRef(DEFINITION)])
    assert catalog.body(STORE)["status"]["items"][0]["error"]["code"] == "kind-gone"


def test_an_entity_of_a_kind_that_is_gone_may_pass_to_another_source(catalog: Catalog, repo: MakeRepository) -> None:
    first = repo({"catalog-info.yaml": store()}, name="first")
    second = repo({"catalog-info.yaml": store(engine="feast")}, name="second")
    kinds = repo({"catalog-info.yaml": definition()}, name="kinds")
    catalog.ingest(first.url, second.url, kinds.url)
    kinds.commit({"catalog-info.yaml": component("c")})
    catalog.service.refresh()

    first.commit({"catalog-info.yaml": component("d")})
    catalog.service.refresh()

    assert catalog.body(STORE)["spec"]["engine"] == "feast"
    assert ("ownedBy", "group:default/team-a") in relations(catalog, STORE)


def test_of_two_definitions_of_one_kind_the_older_counts_until_it_goes(catalog: Catalog, repo: MakeRepository) -> None:
    first = repo({"catalog-info.yaml": documents(definition(), store())}, name="first")
    second = repo({"catalog-info.yaml": definition("other", schema="{required: [more]}")}, name="second")
    catalog.ingest(first.url)

    (problem,) = catalog.ingest(second.url).problems
    assert (problem.field, problem.ref) == ("spec.names.kind", "kinddefinition:default/other")
    assert DEFINITION in problem.expected
    assert "kinddefinition:default/other" not in catalog.refs()

    first.commit({"catalog-info.yaml": store()})
    report = catalog.service.refresh()
    assert [(found.code, found.field) for found in report.problems] == [("field-missing", "spec.more")]
    assert "kinddefinition:default/other" in catalog.refs()


def test_of_two_definitions_that_come_together_one_counts(catalog: Catalog, repo: MakeRepository) -> None:
    made = repo({"catalog-info.yaml": documents(definition(), definition("other"), store())})

    report = catalog.ingest(made.url)

    assert [found.field for found in report.problems] == ["spec.names.kind"]
    assert STORE in catalog.refs()
    before = catalog.everything()
    catalog.service.refresh(anew=True)
    assert catalog.everything() == before


def test_definitions_may_not_turn_relations_round(catalog: Catalog, repo: MakeRepository) -> None:
    made = repo(
        {
            "catalog-info.yaml": documents(
                definition(),
                definition("other", kind="Other", inverse="brings"),
                definition("third", kind="Third", relation="ownedBy", inverse="serves"),
            )
        }
    )

    report = catalog.ingest(made.url)

    assert {(found.ref, found.field) for found in report.problems} == {
        ("kinddefinition:default/other", "spec.relations.0.inverse"),
        ("kinddefinition:default/third", "spec.relations.0.inverse"),
    }
    assert catalog.refs() == [DEFINITION]


def test_a_kind_of_the_other_kinds_may_not_be_declared_again(catalog: Catalog, repo: MakeRepository) -> None:
    made = repo({"catalog-info.yaml": documents(definition(kind="component"), component("api"))})

    (problem,) = catalog.ingest(made.url).problems

    assert problem.field == "spec.names.kind"
    assert "Component is there without it" in problem.expected


def test_a_faulty_definition_keeps_its_kind_as_it_last_was(catalog: Catalog, repo: MakeRepository) -> None:
    made = repo({"catalog-info.yaml": documents(definition(), store(), component("api"))})
    catalog.ingest(made.url)

    made.commit({"catalog-info.yaml": documents(definition(schema="{type: objekt}"), store("more"), component("api"))})
    report = catalog.service.refresh()

    assert [found.field for found in report.problems] == ["spec.schema.type"]
    assert "featurestore:default/more" in catalog.refs()


def test_owners_and_layers_hold_for_declared_kinds(catalog: Catalog, repo: MakeRepository) -> None:
    made = repo({"catalog-info.yaml": documents(definition(), store(), component("api"), group("team-a"))})
    catalog.ingest(made.url)
    ownership = OwnershipService(catalog.database, KindsService(catalog.database, all_kinds()))

    node = ownership.nodes([EntityRef(STORE)])[EntityRef(STORE)]
    assert (node.owner, node.layer) == ("group:default/team-a", "layer:default/shared")
    assert ownership.summary().counts["FeatureStore"] == {"": 1}
    graphs = SubGraphService(catalog.database, ownership, KindsService(catalog.database, all_kinds()))
    found = graphs.around(EntityRef(STORE), types=["servedBy"], direction="out")
    assert [(edge.type, edge.target) for edge in found.edges] == [("servedBy", "component:default/api")]
    assert {edge.type for edge in graphs.around(EntityRef("component:default/api")).edges} >= {"servedBy"}

    made.commit({"catalog-info.yaml": documents(definition(layer="project"), store(), component("api"))})
    catalog.service.refresh()
    assert ownership.nodes([EntityRef(STORE)])[EntityRef(STORE)].layer == "layer:default/project"


def test_the_rules_of_the_catalog_hold_for_declared_kinds(
    database: Database, tmp_path: Path, repo: MakeRepository
) -> None:
    made = repo({"catalog-info.yaml": definition(), "b/catalog-info.yaml": store()})
    target = f"{made.url}#main:b/catalog-info.yaml"
    kinds = (AllowedKind("KindDefinition"), AllowedKind("Location"))
    catalog = Catalog(
        database,
        tmp_path,
        catalog_rules=[
            Rule(kinds),
            Rule((AllowedKind("FeatureStore"),), (RuleLocation("url", pattern="**/nowhere/**"),)),
        ],
    )

    assert codes(catalog.ingest(made.url, target)) == ["kind-not-allowed"]


def test_an_unreachable_part_writes_nothing_again_and_again(catalog: Catalog, repo: MakeRepository) -> None:
    missing = f"file://{repo({'x': ''}, name='missing').path}-gone"
    broken = entity("Location", "l", f"target: '{missing}'")
    made = repo({"catalog-info.yaml": documents(definition(), store(), broken)})
    catalog.ingest(made.url)
    with catalog.database.reading() as connection:
        before = sources.current_revision(connection)

    catalog.service.refresh()

    with catalog.database.reading() as connection:
        assert sources.current_revision(connection) == before


def test_the_number_of_statements_does_not_grow_with_the_entities_of_a_kind(
    catalog: Catalog, repo: MakeRepository
) -> None:
    definitions = repo({"catalog-info.yaml": definition()}, name="definitions")
    made = repo({"catalog-info.yaml": component("api")})
    catalog.ingest(definitions.url, made.url)
    counts = []
    for number, relation in ((20, "hostedBy"), (40, "keptBy")):
        made.commit(
            {"catalog-info.yaml": documents(component("api"), *(store(f"s{place}") for place in range(number)))}
        )
        catalog.service.refresh()
        definitions.commit({"catalog-info.yaml": definition(relation=relation, inverse=f"{relation}Of")})
        statements: list[str] = []

        def count(*arguments: Any, found: list[str] = statements) -> None:
            found.append(arguments[2])

        event.listen(catalog.database.engine, "before_cursor_execute", count)
        catalog.service.refresh()
        event.remove(catalog.database.engine, "before_cursor_execute", count)
        assert (relation, "component:default/api") in relations(catalog, "featurestore:default/s7")
        counts.append(len(statements))

    assert counts[0] == counts[1]


def test_a_dry_run_knows_the_kinds_that_it_would_bring(catalog: Catalog, repo: MakeRepository) -> None:
    made = repo({"catalog-info.yaml": documents(definition(), store())})

    found = catalog.service.dry_run("url", made.url, registered=False)

    assert found.problems == []
    assert STORE in found.bodies
    assert catalog.refs() == []


def test_the_worked_example_of_the_documentation_works(catalog: Catalog, repo: MakeRepository) -> None:
    page = (Path(__file__).parents[2] / "docs" / "kinds.md").read_text(encoding="utf-8")
    found = page.split("```yaml\n")[1].split("```")[0]
    made = repo({"catalog-info.yaml": found})

    assert catalog.ingest(made.url).problems == []

    assert relations(catalog, "promptlibrary:default/support-prompts") == {
        ("ownedBy", "group:default/support"),
        ("measuredBy", "experiment:default/tone-of-voice"),
        ("dependsOn", "model:default/support-assistant"),
    }


def test_a_refresh_that_is_stopped_before_it_has_followed_a_definition_is_made_good_by_the_next(
    catalog: Catalog, repo: MakeRepository
) -> None:
    made = repo({"catalog-info.yaml": documents(store(), component("api"))})
    assert codes(catalog.ingest(made.url)) == ["kind-unknown"]
    other = repo({"catalog-info.yaml": definition()}, name="other")
    (source,) = catalog.sources.add([("url", other.url)])

    def stop(stage: str, done: int, total: int) -> None:
        if stage == f"writing url:{made.url}":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        catalog.service.refresh([source.id], progress=stop)
    assert DEFINITION in catalog.refs()
    assert STORE not in catalog.refs()

    assert catalog.service.refresh().problems == []
    assert STORE in catalog.refs()
