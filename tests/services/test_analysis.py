"""Repositories of git hosts, looked at before they are registered."""

from pathlib import Path

import pytest
from catalogs import component
from portals import Catalog
from repositories import MakeRepository
from webservers import GitHost

from portal.model.integration import Integration, Integrations
from portal.services.locations import LocationsService
from portal.store.database import Database


@pytest.fixture
def catalog(database: Database, tmp_path: Path, git_host: GitHost) -> Catalog:
    host = Integration(git_host.host, "github", base_url=f"http://{git_host.host}")
    return Catalog(database, tmp_path, integrations=Integrations([host]), schemes=("http", "https"))


def test_a_repository_of_a_known_host_begins_with_the_name_that_tools_know(
    catalog: Catalog, git_host: GitHost, repo: MakeRepository
) -> None:
    repo({"README.md": "hello"}, name="o/r")
    locations = LocationsService(catalog.database, catalog.sources, catalog.service)

    for path in ("/o/r", "/o/r/blob/main/README.md", "/o/r/tree/main/"):
        suggested = locations.analyze("url", git_host.url(path)).suggested
        assert suggested is not None
        assert suggested["metadata"] == {"name": "r", "annotations": {"github.com/project-slug": "o/r"}}


def test_a_file_is_registered_however_its_url_is_written(
    catalog: Catalog, git_host: GitHost, repo: MakeRepository
) -> None:
    repo({"a b/catalog-info.yaml": component("c")}, name="o/r")
    catalog.ingest(git_host.url("/o/r/blob/main/a%20b/catalog-info.yaml"))
    locations = LocationsService(catalog.database, catalog.sources, catalog.service)

    (plain,) = locations.analyze("url", git_host.url("/o/r")).existing
    (shown,) = locations.analyze("url", git_host.url("/o/r/tree/main/")).existing

    # As the host shows it, which people can follow: the stock import page links to it, and registers it so.
    assert (plain.target, plain.is_registered) == (git_host.url("/o/r/blob/HEAD/a%20b/catalog-info.yaml"), True)
    assert (shown.target, shown.is_registered) == (git_host.url("/o/r/blob/main/a%20b/catalog-info.yaml"), True)


def test_what_a_repository_declares_is_registered_by_the_url_that_its_host_shows(
    catalog: Catalog, git_host: GitHost, repo: MakeRepository
) -> None:
    repo({"more/catalog-info.yaml": component("new")}, name="o/new")
    locations = LocationsService(catalog.database, catalog.sources, catalog.service)

    (found,) = locations.analyze("url", git_host.url("/o/new")).existing

    assert found.target == git_host.url("/o/new/blob/HEAD/more/catalog-info.yaml")
    assert locations.register("url", found.target).location.target == found.target
    assert [item.is_registered for item in locations.analyze("url", git_host.url("/o/new")).existing] == [True]
