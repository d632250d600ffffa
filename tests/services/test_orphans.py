"""What becomes of entities that nothing names any more."""

from pathlib import Path

import pytest
from catalogs import component, documents, location
from portals import Catalog
from repositories import MakeRepository

from portal.model.ref import EntityRef
from portal.store.database import Database

ORPHAN = "backstage.io/orphan"
A = "component:default/a"


@pytest.fixture
def keeping(database: Database, tmp_path: Path) -> Catalog:
    """A catalog that keeps orphans."""
    return Catalog(database, tmp_path, keeps_orphans=True)


def _is_orphan(catalog: Catalog, ref: str) -> bool:
    return catalog.body(ref)["metadata"]["annotations"].get(ORPHAN) == "true"


def test_what_no_location_names_any_more_stays_as_an_orphan_until_it_is_named_again(
    keeping: Catalog, repo: MakeRepository
) -> None:
    made = repo({"catalog-info.yaml": location("l", "./a.yaml"), "a.yaml": documents(component("a"), component("b"))})
    keeping.ingest(made.url)
    uid = keeping.body(A)["metadata"]["uid"]

    made.commit({"catalog-info.yaml": location("l", "./c.yaml"), "c.yaml": component("c")})
    assert keeping.service.refresh().problems == []

    assert keeping.refs() == [A, "component:default/b", "component:default/c", "location:default/l"]
    assert _is_orphan(keeping, A)
    assert not _is_orphan(keeping, "component:default/c")
    before = keeping.everything()
    keeping.service.refresh(anew=True)
    assert keeping.everything() == before

    made.commit({"catalog-info.yaml": location("l", "./a.yaml")})
    keeping.service.refresh()
    assert not _is_orphan(keeping, A)
    assert keeping.body(A)["metadata"]["uid"] == uid
    assert _is_orphan(keeping, "component:default/c")


def test_what_its_file_holds_no_longer_is_an_orphan_too_but_not_what_has_moved(
    keeping: Catalog, repo: MakeRepository
) -> None:
    made = repo({"x/a.yaml": documents(component("a"), component("b"))})
    keeping.ingest(f"{made.url}#main:**/*.yaml")

    made.commit({"x/a.yaml": component("c"), "y/b.yaml": component("b", owner="team-b")})
    keeping.service.refresh()

    assert _is_orphan(keeping, A)
    assert not _is_orphan(keeping, "component:default/b")
    assert keeping.body("component:default/b")["spec"]["owner"] == "team-b"
    assert [version.change for version in keeping.history(A)] == ["added"]


def test_another_source_takes_an_orphan_over(keeping: Catalog, repo: MakeRepository) -> None:
    first = repo({"catalog-info.yaml": documents(component("a"), component("b"))}, name="first")
    keeping.ingest(first.url)
    first.commit({"catalog-info.yaml": component("b")})
    keeping.service.refresh()
    second = repo({"catalog-info.yaml": component("a", owner="team-b")}, name="second")

    assert keeping.ingest(second.url).problems == []

    assert not _is_orphan(keeping, A)
    assert keeping.body(A)["spec"]["owner"] == "team-b"


def test_an_orphan_that_is_forgotten_is_gone_for_good(keeping: Catalog, repo: MakeRepository) -> None:
    made = repo({"catalog-info.yaml": documents(component("a"), component("b"))})
    keeping.ingest(made.url)
    made.commit({"catalog-info.yaml": component("b")})
    keeping.service.refresh()

    removed = keeping.service.forget([EntityRef(A), EntityRef("component:default/none")])
    keeping.service.refresh(anew=True)

    assert removed == [A]
    assert keeping.refs() == ["component:default/b"]
    assert [version.change for version in keeping.history(A)] == ["added", "removed"]


def test_orphans_go_with_their_source_and_with_the_setting(
    keeping: Catalog, database: Database, tmp_path: Path, repo: MakeRepository
) -> None:
    made = repo({"catalog-info.yaml": documents(component("a"), component("b"))})
    keeping.ingest(made.url)
    made.commit({"catalog-info.yaml": component("b")})
    keeping.service.refresh()
    assert A in keeping.refs()

    Catalog(database, tmp_path).service.refresh()
    assert keeping.refs() == ["component:default/b"]

    keeping.service.refresh()
    made.commit({"catalog-info.yaml": component("c")})
    keeping.service.refresh()
    keeping.service.remove([source.id for source in keeping.sources.list()])
    assert keeping.refs() == []


def test_orphans_are_removed_at_once_unless_settings_say_otherwise(catalog: Catalog, repo: MakeRepository) -> None:
    made = repo({"catalog-info.yaml": location("l", "./a.yaml"), "a.yaml": component("a")})
    catalog.ingest(made.url)

    made.commit({"catalog-info.yaml": component("b")})
    catalog.service.refresh()

    assert catalog.refs() == ["component:default/b"]
