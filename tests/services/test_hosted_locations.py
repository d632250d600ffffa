"""Locations that are urls of git hosts and web servers, read from real ones on loopback."""

from collections.abc import Callable
from pathlib import Path

import pytest
from catalogs import component, location
from portals import Catalog
from repositories import MakeRepository
from webservers import GitHost, WebServer

from portal.model.integration import Integration, Integrations
from portal.model.reading import ReadingRules
from portal.model.ref import EntityRef
from portal.model.secret import Secret
from portal.services.catalog import CatalogService
from portal.services.templates import Templates
from portal.store.database import Database
from portal.vcs.mirror import Mirrors
from portal.vcs.policy import RemotePolicy

Make = Callable[..., Catalog]


@pytest.fixture
def made(database: Database, tmp_path: Path, git_host: GitHost) -> Make:
    """Make a catalog that knows the git host by a type, with a token or without."""

    def make(kind: str, *, token: str = "", hosts: tuple[str, ...] = (), base_url: str = "") -> Catalog:
        secret = Secret(token) if token else None
        host = Integration(git_host.host, kind, secret, base_url=base_url or f"http://{git_host.host}")
        return Catalog(
            database, tmp_path, integrations=Integrations([host]), reading_hosts=hosts, schemes=("http", "https")
        )

    return make


SHAPES = [
    ("github", "/o/r/blob/{}/a/catalog-info.yaml", "/o/r/edit/{}/a/catalog-info.yaml", "/o/r/tree/{}/a/"),
    ("gitlab", "/o/r/-/blob/{}/a/catalog-info.yaml", "/o/r/-/edit/{}/a/catalog-info.yaml", "/o/r/-/blob/{}/a/"),
    ("gitea", "/o/r/src/branch/{}/a/catalog-info.yaml", "/o/r/_edit/{}/a/catalog-info.yaml", "/o/r/src/branch/{}/a/"),
]


@pytest.mark.parametrize("branch", ["main", "feature/x/y"])
@pytest.mark.parametrize(("kind", "shape", "edit", "folder"), SHAPES, ids=[shape[0] for shape in SHAPES])
def test_a_url_of_a_host_is_read_through_git_and_its_entities_say_where_they_are(
    kind: str, shape: str, edit: str, folder: str, branch: str, made: Make, git_host: GitHost, repo: MakeRepository
) -> None:
    repository = repo({"README.md": ""}, name="o/r")
    if branch != "main":
        repository.git("checkout", "--quiet", "-b", branch)
    files = {"a/catalog-info.yaml": location("l", "../b/*.yaml"), "b/c.yaml": component("c")}
    repository.commit(files)
    catalog = made(kind)
    url = git_host.url(shape.format(branch))

    assert catalog.ingest(url).problems == []

    assert catalog.refs() == ["component:default/c", "location:default/l"]
    annotations = catalog.body("location:default/l")["metadata"]["annotations"]
    assert annotations == {
        "backstage.io/managed-by-location": f"url:{url}",
        "backstage.io/managed-by-origin-location": f"url:{url}",
        "backstage.io/view-url": url,
        "backstage.io/edit-url": git_host.url(edit.format(branch)),
        "backstage.io/source-location": f"url:{git_host.url(folder.format(branch))}",
    }
    view = catalog.body("component:default/c")["metadata"]["annotations"]["backstage.io/view-url"]
    assert view == git_host.url(shape.format(branch)).replace("a/catalog-info.yaml", "b/c.yaml")

    git_host.asked.clear()
    assert len(catalog.service.refresh().unchanged) == 1
    assert len([line for line in git_host.asked if "info/refs" in line]) == 1
    repository.commit({"b/d.yaml": component("d")})
    catalog.service.refresh()
    assert "component:default/d" in catalog.refs()


def test_a_branch_that_is_not_there_is_told(made: Make, git_host: GitHost, repo: MakeRepository) -> None:
    repo({"catalog-info.yaml": component("a")}, name="o/r")

    (problem,) = made("github").ingest(git_host.url("/o/r/blob/gone/x/catalog-info.yaml")).problems

    assert problem.code == "revision-missing"
    assert "main" in problem.hint


def test_a_folder_stands_for_its_catalog_file_and_patterns_for_files(
    made: Make, git_host: GitHost, repo: MakeRepository
) -> None:
    files = {"x/catalog-info.yaml": component("a"), "y/1/c.yaml": component("b"), "y/2/c.yaml": component("c")}
    repo(files, name="o/r")
    catalog = made("github")

    assert catalog.ingest(git_host.url("/o/r/tree/main/x"), git_host.url("/o/r/blob/main/y/**/c.yaml")).problems == []

    assert catalog.refs() == ["component:default/a", "component:default/b", "component:default/c"]


@pytest.mark.parametrize("target", ["/o/r/blob/feature/x/a/catalog-info.yaml", "/o/r/tree/feature/x/a"])
def test_the_ancestors_of_an_entity_are_found_whatever_the_url_of_its_root(
    target: str, made: Make, git_host: GitHost, repo: MakeRepository
) -> None:
    repository = repo({"README.md": ""}, name="o/r")
    repository.git("checkout", "--quiet", "-b", "feature/x")
    files = {"a/catalog-info.yaml": location("l", "/b/m.yaml"), "b/m.yaml": location("m", "./c.yaml")}
    repository.commit(files | {"b/c.yaml": component("c")})
    catalog = made("github")
    catalog.ingest(git_host.url(target))
    service = CatalogService(catalog.database, integrations=catalog.sources.integrations)

    found = [item.ref for item in service.ancestry(EntityRef("component:default/c"))]

    assert found[:3] == ["component:default/c", "location:default/m", "location:default/l"]
    assert found[3].startswith("location:default/generated-")


def test_a_template_on_a_branch_with_slashes_reads_what_stands_beside_it(
    git_host: GitHost, repo: MakeRepository, tmp_path: Path
) -> None:
    repository = repo({"README.md": ""}, name="o/r")
    repository.git("checkout", "--quiet", "-b", "feature/x")
    head = repository.commit({"t/template.yaml": "x: 1\n", "t/skeleton/a.txt": "a\n"})
    policy = RemotePolicy(allowed_schemes=frozenset({"http"}), addresses=ReadingRules([git_host.host]))
    templates = Templates(Mirrors(tmp_path / "mirrors", policy))
    place = f"url:{git_host.url('/o/r/blob/feature/x/t/template.yaml')}"

    commit = templates.commit(place)

    assert commit == head
    for reader in (templates.reader(place, commit=commit), templates.reader(place, commit=commit)):
        assert [entry.path for entry in reader.read("./skeleton").entries] == ["a.txt"]
    whole = templates.reader(place, commit=commit).read(git_host.url("/o/r/tree/feature/x"))
    assert "README.md" in [entry.path for entry in whole.entries]


def test_a_private_host_is_read_with_its_token_which_shows_nowhere(
    made: Make, git_host: GitHost, repo: MakeRepository, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    repo({"catalog-info.yaml": component("a")}, name="o/r")
    git_host.token = "s3cret-token"
    url = git_host.url("/o/r/blob/main/catalog-info.yaml")

    (problem,) = made("github", token="s3cret-wrong").ingest(url).problems
    assert problem.code == "source-unreachable"
    assert "s3cret" not in str(problem)

    catalog = made("github", token="s3cret-token")
    assert catalog.service.refresh().problems == []
    assert catalog.refs() == ["component:default/a"]
    assert "s3cret" not in str(catalog.everything())
    assert "s3cret" not in "".join(capfd.readouterr())
    kept = [path for path in (tmp_path / "mirrors").rglob("*") if path.is_file() and b"s3cret" in path.read_bytes()]
    assert kept == []


def test_a_token_does_not_leave_over_http_unless_settings_say_so(
    made: Make, git_host: GitHost, repo: MakeRepository
) -> None:
    repo({"catalog-info.yaml": component("a")}, name="o/r")
    catalog = made("github", token="s3cret", base_url=f"https://{git_host.host}")

    assert catalog.ingest(git_host.url("/o/r/blob/main/catalog-info.yaml")).problems == []

    assert git_host.asked
    assert not [line for line in git_host.asked if "with login" in line]


def test_a_file_of_a_web_server_is_a_location_where_its_host_is_named(made: Make, web: WebServer) -> None:
    web.pages = {"/c/catalog.yaml": location("l", "./more.yaml").encode(), "/c/more.yaml": component("a").encode()}
    url = web.url("/c/catalog.yaml")

    (problem,) = made("github").ingest(url).problems
    assert problem.code == "target-not-allowed"
    assert web.asked == []

    catalog = made("github", hosts=(web.host,))
    assert catalog.service.refresh().problems == []
    assert catalog.refs() == ["component:default/a", "location:default/l"]
    annotations = catalog.body("component:default/a")["metadata"]["annotations"]
    assert annotations["backstage.io/managed-by-location"] == f"url:{web.url('/c/more.yaml')}"
    assert annotations["backstage.io/view-url"] == web.url("/c/more.yaml")
    assert "backstage.io/source-location" not in annotations

    assert len(catalog.service.refresh().unchanged) == 1
    web.pages["/c/more.yaml"] = component("a", owner="team-b").encode()
    catalog.service.refresh()
    assert catalog.body("component:default/a")["spec"]["owner"] == "team-b"

    del web.pages["/c/more.yaml"]
    assert [problem.code for problem in catalog.service.refresh().problems] == ["target-missing"]
    assert "component:default/a" in catalog.refs()
