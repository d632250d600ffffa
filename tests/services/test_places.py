"""Lines of files at the hosts that show them."""

from __future__ import annotations

import pytest
from catalogs import component, documents
from portals import Catalog
from repositories import MakeRepository

from portal.model.integration import NO_INTEGRATIONS
from portal.model.ref import EntityRef
from portal.services.places import PlacesService


@pytest.mark.parametrize(
    ("location", "url"),
    [
        ("url:https://github.com/a/b/blob/main/x.yaml", "https://github.com/a/b/blob/main/x.yaml#L7"),
        ("url:https://gitlab.com/a/b/-/blob/main/x.yaml", "https://gitlab.com/a/b/-/blob/main/x.yaml#L7"),
        ("url:https://github.com/a/b.git#main:x.yaml", "https://github.com/a/b/blob/main/x.yaml#L7"),
        ("url:https://example.com/x.yaml", "https://example.com/x.yaml"),
        ("url:javascript:alert(1)", ""),
        ("file:/srv/x.yaml", ""),
    ],
)
def test_a_line_is_named_as_its_host_names_lines(catalog: Catalog, location: str, url: str) -> None:
    place = PlacesService(catalog.database, NO_INTEGRATIONS).of(location, 7)

    assert (place.url, str(place)) == (url, f"{location}:7")


def test_entities_stand_where_their_documents_begin(catalog: Catalog, repo: MakeRepository) -> None:
    made = repo({"catalog-info.yaml": documents(component("a"), component("b"))})
    catalog.ingest(made.url)
    places = PlacesService(catalog.database, NO_INTEGRATIONS)

    found = places.of_entities([EntityRef("component:default/b"), EntityRef("component:default/gone")])

    assert [(ref, place.line) for ref, place in found.items()] == [("component:default/b", 6)]
    assert found[EntityRef("component:default/b")].location.endswith("catalog-info.yaml")
