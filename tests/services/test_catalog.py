from __future__ import annotations

import orjson
import pytest
from catalogs import component, documents, group, location
from portals import Catalog
from repositories import MakeRepository, Repository

from portal.errors import InputError, NotFoundError
from portal.model.filter import parse_filter_params
from portal.model.query import EntityQuery, Order
from portal.model.ref import EntityRef
from portal.services.catalog import CatalogService, Page

COMPONENTS = EntityQuery(parse_filter_params(["kind=component"]), (Order.of("metadata.name", "desc"),))
NAMES = ["a", "b", "c", "d", "e"]


@pytest.fixture
def source(catalog: Catalog, repo: MakeRepository) -> Repository:
    made = repo({"catalog-info.yaml": documents(*map(component, NAMES), group("team-a"))})
    catalog.ingest(made.url)
    return made


@pytest.fixture
def service(catalog: Catalog, source: Repository) -> CatalogService:
    return CatalogService(catalog.database)


def _names(page: Page) -> list[str]:
    return [orjson.loads(body)["metadata"]["name"] for body in page.bodies]


def test_a_walk_goes_to_the_end_then_back_to_its_beginning(service: CatalogService) -> None:
    first = service.query(COMPONENTS, limit=2)
    second = service.follow(str(first.next_cursor), limit=2)
    third = service.follow(str(second.next_cursor), limit=2)
    back = service.follow(str(third.prev_cursor), limit=2)
    start = service.follow(str(back.prev_cursor), limit=2)

    assert [_names(page) for page in (first, second, third)] == [["e", "d"], ["c", "b"], ["a"]]
    assert [_names(page) for page in (back, start)] == [["c", "b"], ["e", "d"]]
    assert first.prev_cursor is third.next_cursor is start.prev_cursor is None
    assert {page.total_items for page in (first, second, third, back, start)} == {5}


def test_a_walk_goes_on_where_it_was_when_entities_come_and_go(
    service: CatalogService, catalog: Catalog, source: Repository
) -> None:
    first = service.query(COMPONENTS, limit=2)
    source.commit({"catalog-info.yaml": documents(*map(component, ["z", "b", "a"]))})
    catalog.service.refresh()

    assert _names(service.follow(str(first.next_cursor), limit=2)) == ["b", "a"]


def test_a_cursor_shows_the_fields_of_its_walk_unless_others_are_asked_for(service: CatalogService) -> None:
    first = service.query(COMPONENTS, limit=1, fields=["kind"])

    assert first.fields == service.follow(str(first.next_cursor)).fields == ("kind",)
    assert service.follow(str(first.next_cursor), fields=["metadata"]).fields == ("metadata",)


def test_totals_follow_the_catalog(service: CatalogService, catalog: Catalog, source: Repository) -> None:
    assert service.query(COMPONENTS).total_items == 5
    source.commit({"catalog-info.yaml": component("a")})
    catalog.service.refresh()

    assert service.query(COMPONENTS).total_items == 1


def test_no_limit_shows_nothing_but_the_total(service: CatalogService) -> None:
    page = service.query(COMPONENTS, limit=0)

    assert (page.bodies, page.total_items, page.next_cursor) == ([], 5, None)


def test_a_walk_without_total_tells_none(service: CatalogService) -> None:
    first = service.query(COMPONENTS, limit=2, with_total=False)

    assert (first.total_items, service.follow(str(first.next_cursor)).total_items) == (0, 0)


def test_a_stream_tells_every_entity_once(service: CatalogService) -> None:
    found = [orjson.loads(body)["metadata"]["name"] for part in service.stream(COMPONENTS) for body in part]

    assert found == NAMES[::-1]


def test_entities_are_read_by_reference_and_by_uid_as_they_are_stored(service: CatalogService) -> None:
    ref = EntityRef("component:default/a")
    body = service.by_refs([ref, EntityRef("component:default/none"), EntityRef("component:default/\0")])[ref]
    uid = orjson.loads(body)["metadata"]["uid"]

    assert service.by_uids([uid, "none", "\0"]) == {uid: body}
    assert service.by_refs([ref], parse_filter_params(["kind=api"])) == {}


def test_facets_tell_the_keys_as_they_were_asked_for(service: CatalogService) -> None:
    found = service.facets(["Kind", "spec.nope"], parse_filter_params(["kind=component", "kind=group"]))

    assert found == {"Kind": [("Component", 5), ("Group", 1)], "spec.nope": []}


def test_ancestry_leads_from_an_entity_over_its_locations_to_the_root(catalog: Catalog, repo: MakeRepository) -> None:
    made = repo(
        {
            "catalog-info.yaml": location("all", "./teams/*.yaml", "./missing.yaml", "../outside.yaml"),
            "teams/red.yaml": location("red", "./red/catalog.yaml"),
            "teams/red/catalog.yaml": component("a"),
            "teams/blue.yaml": component("b"),
        }
    )
    catalog.ingest(made.url)

    found = CatalogService(catalog.database).ancestry(EntityRef("component:default/a"))

    root = found[-1].ref
    assert root.startswith("location:default/generated-")
    assert [(item.ref, item.parent_refs) for item in found] == [
        ("component:default/a", ("location:default/red",)),
        ("location:default/red", ("location:default/all",)),
        ("location:default/all", (root,)),
        (root, ()),
    ]


def test_ancestry_ends_where_locations_name_each_other(catalog: Catalog, repo: MakeRepository) -> None:
    made = repo(
        {
            "catalog-info.yaml": location("one", "./two.yaml"),
            "two.yaml": documents(location("two", "./catalog-info.yaml", "./**/*.yaml"), component("a")),
        }
    )
    catalog.ingest(made.url)

    found = CatalogService(catalog.database).ancestry(EntityRef("component:default/a"))

    assert [item.ref for item in found][:3] == ["component:default/a", "location:default/one", "location:default/two"]


def test_ancestry_of_an_entity_that_is_not_there_is_not_found(service: CatalogService) -> None:
    with pytest.raises(NotFoundError, match="No such entity component:default/none"):
        service.ancestry(EntityRef("component:default/none"))


def test_a_text_that_is_no_cursor_is_refused(service: CatalogService) -> None:
    with pytest.raises(InputError, match="Malformed cursor"):
        service.follow("xyz")
