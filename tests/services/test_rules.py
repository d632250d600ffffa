"""Which kinds come into the catalog from where."""

from pathlib import Path

import pytest
from catalogs import component, documents, entity, group, location
from portals import Catalog
from repositories import MakeRepository

from portal.model.rules import AllowedKind, Rule, RuleLocation
from portal.store.database import Database

COMPONENTS = Rule((AllowedKind("component"), AllowedKind("Location")))


def test_a_kind_that_no_rule_allows_is_refused_and_its_neighbours_come_in(
    database: Database, tmp_path: Path, repo: MakeRepository
) -> None:
    catalog = Catalog(database, tmp_path, catalog_rules=[COMPONENTS])
    made = repo({"catalog-info.yaml": documents(component("a"), group("team-a"))})

    (problem,) = catalog.ingest(made.url).problems

    assert (problem.code, problem.field, problem.ref) == ("kind-not-allowed", "kind", "group:default/team-a")
    assert problem.span is not None
    assert catalog.refs() == ["component:default/a"]


def test_a_rule_for_a_location_counts_for_all_that_it_leads_to_and_for_nothing_else(
    database: Database, tmp_path: Path, repo: MakeRepository
) -> None:
    people = repo({"catalog-info.yaml": location("l", "./g.yaml"), "g.yaml": group("team-a")}, name="people")
    others = repo({"catalog-info.yaml": location("m", "./g.yaml"), "g.yaml": group("team-b")}, name="others")
    rules = [COMPONENTS, Rule((AllowedKind("Group"),), (RuleLocation("url", exact=people.url),))]
    catalog = Catalog(database, tmp_path, catalog_rules=rules)

    problems = catalog.ingest(people.url, others.url).problems

    assert [(problem.code, problem.ref) for problem in problems] == [("kind-not-allowed", "group:default/team-b")]
    assert "group:default/team-a" in catalog.refs()


def test_new_rules_are_heeded_at_the_next_refresh(database: Database, tmp_path: Path, repo: MakeRepository) -> None:
    made = repo({"catalog-info.yaml": documents(component("a"), group("team-a"))})
    Catalog(database, tmp_path, catalog_rules=[COMPONENTS]).ingest(made.url)
    catalog = Catalog(database, tmp_path)

    assert catalog.service.refresh().problems == []

    assert catalog.refs() == ["component:default/a", "group:default/team-a"]


@pytest.mark.parametrize(
    ("rules", "comes_in"),
    [([], False), ([Rule((AllowedKind("Group"), AllowedKind("Component")))], True)],
    ids=["no rules", "rules that allow it"],
)
def test_what_people_register_cannot_say_who_belongs_where_unless_a_rule_lets_it(
    database: Database, tmp_path: Path, repo: MakeRepository, rules: list[Rule], comes_in: bool
) -> None:
    theirs = repo(
        {"catalog-info.yaml": documents(component("a"), group("intruders", more="parent: admins"))}, name="theirs"
    )
    own = repo({"catalog-info.yaml": group("admins")}, name="own")
    catalog = Catalog(database, tmp_path, catalog_rules=rules, is_guarded=True)
    told = catalog.service.dry_run("url", theirs.url)
    catalog.ingest(own.url)
    catalog.sources.add([("url", theirs.url)], registered=True)

    problems = catalog.service.refresh().problems

    assert {"component:default/a", "group:default/admins"} <= set(catalog.refs())
    assert ("group:default/intruders" in catalog.refs()) is comes_in
    refused = [] if comes_in else [("kind-not-allowed", "group:default/intruders")]
    assert [(problem.code, problem.ref) for problem in problems] == refused
    assert [(problem.code, problem.ref) for problem in told.problems] == refused


def test_a_rule_may_ask_for_a_type(database: Database, tmp_path: Path, repo: MakeRepository) -> None:
    rules = [Rule((AllowedKind("Resource", "database"),))]
    catalog = Catalog(database, tmp_path, catalog_rules=rules)
    texts = [entity("Resource", name, f"type: {name}, owner: team-a") for name in ("Database", "bucket")]

    (problem,) = catalog.ingest(repo({"catalog-info.yaml": documents(*texts)}).url).problems

    assert problem.ref == "resource:default/bucket"
    assert catalog.refs() == ["resource:default/database"]


@pytest.mark.parametrize(
    ("pattern", "target", "matches"),
    [
        ("https://github.com/o/*/blob/main/t.yaml", "https://github.com/o/r/blob/main/t.yaml", True),
        ("https://github.com/o/*/blob/main/t.yaml", "https://GITHUB.com/o/r/blob/main/t.yaml", True),
        ("https://github.com/o/*/blob/main/t.yaml", "https://github.com/o/r/x/blob/main/t.yaml", False),
        ("https://github.com/o/**", "https://github.com/o/r/blob/main/.a/t.yaml", True),
        ("https://github.com/o/**", "https://github.com/other/r/blob/main/t.yaml", False),
        ("https://github.com/{o,p}/**/*.y?ml", "https://github.com/p/r/blob/main/t.yaml", True),
    ],
)
def test_patterns_are_those_of_paths(pattern: str, target: str, matches: bool) -> None:
    assert RuleLocation("url", pattern=pattern).matches("url", target) is matches
    assert not RuleLocation("file", pattern=pattern).matches("url", target)
