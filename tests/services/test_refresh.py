from pathlib import Path

from catalogs import component, documents, entity, group, location
from portals import Catalog
from repositories import MakeRepository
from sqlalchemy import event

from portal.store.database import Database
from portal.store.tables import metadata


def codes(report) -> list[str]:
    return sorted(problem.code for problem in report.problems)


def test_entities_of_a_repository_are_in_the_catalog(catalog: Catalog, repo: MakeRepository) -> None:
    made = repo({"catalog-info.yaml": documents(component("billing"), group("team-a"))})

    report = catalog.ingest(made.url)

    assert report.problems == []
    assert catalog.refs() == ["component:default/billing", "group:default/team-a"]
    body = catalog.body("component:default/billing")
    assert body["relations"] == [{"type": "ownedBy", "targetRef": "group:default/team-a"}]
    assert body["metadata"]["annotations"]["backstage.io/managed-by-location"].endswith("catalog-info.yaml")
    assert catalog.body("group:default/team-a")["relations"] == [
        {"type": "ownerOf", "targetRef": "component:default/billing"}
    ]


def test_locations_are_followed_through_relative_targets_and_globs(catalog: Catalog, repo: MakeRepository) -> None:
    made = repo(
        {
            "catalog-info.yaml": location("root", "./teams/*.yaml", "services/all.yaml"),
            "teams/a.yaml": group("team-a"),
            "teams/b.yaml": group("team-b"),
            "teams/deep/c.yaml": group("team-c"),
            "services/all.yaml": location("services", "./**/service.yaml"),
            "services/x/service.yaml": component("x"),
            "services/y/z/service.yaml": component("z"),
        }
    )

    report = catalog.ingest(made.url)

    assert report.problems == []
    assert catalog.refs() == [
        "component:default/x",
        "component:default/z",
        "group:default/team-a",
        "group:default/team-b",
        "location:default/root",
        "location:default/services",
    ]


def test_a_branch_and_a_pattern_can_be_named(catalog: Catalog, repo: MakeRepository) -> None:
    made = repo({"x.yaml": component("on-main")})
    made.git("checkout", "--quiet", "-b", "feature/one")
    made.commit({"deep/y.yml": component("on-branch")})
    made.git("checkout", "--quiet", "main")

    catalog.ingest(f"{made.url}#feature/one:**/*.{{yaml,yml}}")

    assert catalog.refs() == ["component:default/on-branch", "component:default/on-main"]


def test_a_refresh_without_a_new_commit_writes_nothing(catalog: Catalog, repo: MakeRepository) -> None:
    made = repo({"catalog-info.yaml": component("billing")})
    catalog.ingest(made.url)
    written: list[str] = []

    @event.listens_for(catalog.database.engine, "before_cursor_execute")
    def note(connection, cursor, statement, parameters, context, executemany) -> None:
        if statement.lstrip().upper().startswith(("INSERT", "UPDATE", "DELETE")):
            written.append(statement)

    report = catalog.service.refresh()
    read_again = catalog.service.refresh(anew=True)

    assert len(report.unchanged) == 1
    assert [changes.revision for changes in read_again.changes.values()] == [None]
    assert written == []


def test_a_changed_document_appends_a_version_with_its_commit_and_author(
    catalog: Catalog, repo: MakeRepository
) -> None:
    made = repo({"catalog-info.yaml": component("billing"), "other.txt": "x"})
    catalog.ingest(made.url)
    made.commit({"other.txt": "y"})
    second = made.commit({"catalog-info.yaml": component("billing", owner="team-b")})
    made.commit({"other.txt": "z"})

    catalog.service.refresh()

    history = catalog.history("component:default/billing")
    assert [version.change for version in history] == ["added", "changed"]
    assert history[1].commit == second
    assert history[1].author == "Ann Author <ann@example.com>"
    assert catalog.body("component:default/billing")["spec"]["owner"] == "team-b"


def test_only_touched_entities_are_stitched_and_the_rest_equals_a_full_ingest(
    catalog: Catalog, repo: MakeRepository
) -> None:
    made = repo(
        {
            "catalog-info.yaml": documents(
                component("a", more="dependsOn: ['component:b', 'component:c']"),
                component("b"),
                component("c"),
                group("team-a"),
            )
        }
    )
    catalog.ingest(made.url)
    made.commit({"catalog-info.yaml": documents(component("a", more="dependsOn: ['component:b']"), component("b"))})
    catalog.service.refresh()
    assert catalog.refs() == ["component:default/a", "component:default/b"]
    assert catalog.body("component:default/b")["relations"] == [
        {"type": "dependencyOf", "targetRef": "component:default/a"},
        {"type": "ownedBy", "targetRef": "group:default/team-a"},
    ]
    assert catalog.terms_of_entities() == catalog.terms_of_postings()
    incremental = _comparable(catalog)

    metadata.drop_all(catalog.database.engine)
    metadata.create_all(catalog.database.engine)
    catalog.ingest(made.url)

    assert _comparable(catalog) == incremental
    assert catalog.terms_of_entities() == catalog.terms_of_postings()


def _comparable(catalog: Catalog) -> list[object]:
    found = []
    for ref in catalog.refs():
        body = catalog.body(ref)
        del body["metadata"]["uid"], body["metadata"]["etag"]
        found.append(body)
    return found


def test_removing_a_document_removes_its_entity_and_says_so_in_the_history(
    catalog: Catalog, repo: MakeRepository
) -> None:
    made = repo({"catalog-info.yaml": documents(component("a"), component("b"))})
    catalog.ingest(made.url)
    made.commit({"catalog-info.yaml": component("b")})

    catalog.service.refresh()

    assert catalog.refs() == ["component:default/b"]
    assert [version.change for version in catalog.history("component:default/a")] == ["added", "removed"]


def test_a_faulty_document_keeps_the_last_good_entity_and_a_good_one_heals_it(
    catalog: Catalog, repo: MakeRepository
) -> None:
    made = repo({"catalog-info.yaml": documents(component("a"), component("b"))})
    catalog.ingest(made.url)
    faulty = entity("Component", "a", "type: service, lifecycle: production")
    made.commit({"catalog-info.yaml": documents(faulty, component("b", owner="team-b"))})

    report = catalog.service.refresh()

    assert [(problem.code, problem.field, problem.ref) for problem in report.problems] == [
        ("field-missing", "spec.owner", "component:default/a")
    ]
    assert catalog.body("component:default/a")["spec"]["owner"] == "team-a"
    status = catalog.body("component:default/a")["status"]["items"][0]
    assert status["type"] == "backstage.io/catalog-processing"
    assert status["level"] == "error"
    assert status["line"] == 4
    assert catalog.body("component:default/b")["spec"]["owner"] == "team-b"

    made.commit({"catalog-info.yaml": documents(component("a", owner="team-c"), component("b"))})
    assert catalog.service.refresh().problems == []
    assert catalog.body("component:default/a")["spec"]["owner"] == "team-c"
    assert "status" not in catalog.body("component:default/a")


def test_a_placeholder_takes_in_a_file_and_follows_its_changes(catalog: Catalog, repo: MakeRepository) -> None:
    api = entity("API", "pay", "type: openapi, lifecycle: production, owner: team-a, definition: {$text: ./pay.yaml}")
    made = repo({"apis/catalog-info.yaml": api, "apis/pay.yaml": "openapi: 3.1.0\n"})
    target = f"{made.url}#main:apis/catalog-info.yaml"
    assert catalog.ingest(target).problems == []
    assert catalog.body("api:default/pay")["spec"]["definition"] == "openapi: 3.1.0\n"

    made.commit({"apis/pay.yaml": "openapi: 3.2.0\n"})
    catalog.service.refresh()
    assert catalog.body("api:default/pay")["spec"]["definition"] == "openapi: 3.2.0\n"

    made.commit({"apis/pay.yaml": None})
    report = catalog.service.refresh()
    assert codes(report) == ["placeholder-invalid"]
    assert catalog.body("api:default/pay")["spec"]["definition"] == "openapi: 3.2.0\n"


def test_the_number_of_statements_does_not_grow_with_the_catalog(catalog: Catalog, repo: MakeRepository) -> None:
    counts = []
    for size in (5, 20, 40):
        name = f"r{size}"
        made = repo({"catalog-info.yaml": documents(*(component(f"{name}-{n}") for n in range(size)))}, name=name)
        seen: list[str] = []

        def note(connection, cursor, statement, parameters, context, executemany, seen=seen) -> None:
            seen.append(statement)

        event.listen(catalog.database.engine, "before_cursor_execute", note)
        catalog.ingest(made.url)
        event.remove(catalog.database.engine, "before_cursor_execute", note)
        counts.append(len(seen))

    # The first one finds an empty index, where no names, numbers and relations have to be looked up.
    assert counts[1] == counts[2] <= counts[0] + 5


def test_a_refresh_that_slept_meanwhile_overwrites_nothing(
    catalog: Catalog, database: Database, repo: MakeRepository, tmp_path: Path
) -> None:
    """It was stopped between reading and writing; the catalog says again what it said before, of a later commit."""
    made = repo({"a.yaml": component("a")})
    catalog.ingest(f"{made.url}#main:*.yaml")
    other = Catalog(database, tmp_path / "other")
    made.commit({"a.yaml": component("b")})
    slept: list[str] = []

    def sleep(stage: str, done: int, total: int) -> None:
        if stage.startswith("writing") and not slept:
            slept.append(stage)
            made.commit({"a.yaml": component("a")})
            other.service.refresh()

    catalog.service.refresh(progress=sleep)

    assert slept
    assert catalog.refs() == ["component:default/a"]
    assert catalog.history("component:default/b") == []
