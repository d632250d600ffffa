"""Refreshing one entity, and how the Location entities tell what cannot be read."""

import os
from pathlib import Path
from typing import Any

from catalogs import component, documents, location
from portals import Catalog
from repositories import MakeRepository

from portal.model.ref import EntityRef
from portal.services.locations import LocationsService

A = EntityRef("component:default/a")


def _status(catalog: Catalog, ref: str) -> list[Any]:
    items: list[Any] = catalog.body(ref).get("status", {}).get("items", [])
    return items


def _generated(catalog: Catalog) -> str:
    (found,) = LocationsService(catalog.database, catalog.sources, catalog.service).list()
    return str(found.entity_ref)


def test_the_refresh_of_an_entity_reads_its_chain_again_and_sees_what_has_changed(
    catalog: Catalog, repo: MakeRepository
) -> None:
    files = {"catalog-info.yaml": location("l", "./a.yaml", "./b.yaml"), "a.yaml": component("a")}
    made = repo(files | {"b.yaml": component("b")})
    service = LocationsService(catalog.database, catalog.sources, catalog.service)
    catalog.ingest(made.url)
    before = catalog.everything()

    service.refresh(A)
    assert catalog.everything() == before

    made.commit({"a.yaml": component("a", owner="team-b"), "b.yaml": component("b", owner="team-c")})
    service.refresh(A)
    assert catalog.body(A)["spec"]["owner"] == "team-b"
    assert catalog.body("component:default/b")["spec"]["owner"] == "team-c"


def test_the_refresh_of_an_entity_reads_what_seems_unchanged_of_its_chain_alone(
    catalog: Catalog, tmp_path: Path
) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "catalog-info.yaml").write_text(location("l", "./a.yaml", "./b.yaml"))
    for name in ("a", "b"):
        (folder / f"{name}.yaml").write_text(component(name))
    catalog.sources.add([("file", str(folder))])
    catalog.service.refresh()
    for name in ("a", "b"):
        # Same size, same time: what tells a folder's files apart does not tell that these have changed.
        file = folder / f"{name}.yaml"
        times = (file.stat().st_atime_ns, file.stat().st_mtime_ns)
        file.write_text(component(name, owner="team-x"))
        os.utime(file, ns=times)

    LocationsService(catalog.database, catalog.sources, catalog.service).refresh(A)

    assert catalog.body(A)["spec"]["owner"] == "team-x"
    assert catalog.body("component:default/b")["spec"]["owner"] == "team-a"


def test_a_target_that_vanishes_shows_on_its_location_and_takes_nothing_away(
    catalog: Catalog, repo: MakeRepository
) -> None:
    made = repo({"catalog-info.yaml": location("l", "./a.yaml"), "a.yaml": component("a")})
    catalog.ingest(made.url)
    made.commit({"a.yaml": None})

    catalog.service.refresh()

    (item,) = _status(catalog, "location:default/l")
    assert (item["type"], item["level"]) == ("backstage.io/catalog-processing", "error")
    assert item["error"]["name"] == "NotFoundError"
    assert item["line"]
    assert A in catalog.refs()
    assert "backstage.io/orphan" not in catalog.body(A)["metadata"]["annotations"]


def test_a_root_that_cannot_be_read_shows_on_the_location_that_stands_for_it(
    catalog: Catalog, repo: MakeRepository
) -> None:
    made = repo({"README.md": ""})
    catalog.sources.add([("url", made.url)], registered=True)

    catalog.service.refresh()
    (item,) = _status(catalog, _generated(catalog))
    assert item["error"]["code"] == "target-missing"

    made.commit({"catalog-info.yaml": component("a")})
    catalog.service.refresh()
    assert _status(catalog, _generated(catalog)) == []


def test_an_optional_target_may_be_missing(catalog: Catalog, repo: MakeRepository) -> None:
    text = location("l", "./gone.yaml", "./x/*.yaml").replace("spec: {", "spec: {presence: optional, ")

    assert catalog.ingest(repo({"catalog-info.yaml": documents(text, component("a"))}).url).problems == []

    assert A in catalog.refs()


def test_a_location_of_a_type_that_nothing_reads_is_told(catalog: Catalog, repo: MakeRepository) -> None:
    text = location("l", "./a.yaml").replace("spec: {", "spec: {type: carrier-pigeon, ")

    (problem,) = catalog.ingest(repo({"catalog-info.yaml": text, "a.yaml": component("a")}).url).problems

    assert (problem.code, problem.ref) == ("target-invalid", "location:default/l")
    assert "carrier-pigeon" in problem.hint
    assert catalog.refs() == ["location:default/l"]
