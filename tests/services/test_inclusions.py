"""What placeholders take in, from git hosts and web servers, and how changes there reach the entities."""

from collections.abc import Callable
from pathlib import Path

import pytest
from catalogs import documents, entity
from portals import Catalog
from repositories import MakeRepository
from sqlalchemy import event
from webservers import GitHost, WebServer

from portal.ingest import yaml
from portal.model.integration import Integration, Integrations
from portal.model.problem import Problem
from portal.store.database import Database

Make = Callable[..., Catalog]


@pytest.fixture
def made(database: Database, tmp_path: Path, git_host: GitHost, web: WebServer) -> Make:
    """Make a catalog that knows the git host as GitHub, and may read the hosts named."""

    def make(*reading_hosts: str, kind: str = "github") -> Catalog:
        hosts = Integrations([Integration(git_host.host, kind, base_url=f"http://{git_host.host}")])
        return Catalog(database, tmp_path, integrations=hosts, reading_hosts=reading_hosts, schemes=("http",))

    return make


def _api(name: str, definition: str, kind: str = "openapi") -> str:
    return entity("API", name, f"type: {kind}, lifecycle: production, owner: team-a, definition: {definition}")


def _definition(catalog: Catalog, name: str) -> str:
    text = catalog.body(f"api:default/{name}")["spec"]["definition"]
    assert isinstance(text, str)
    return text


def _found(problems: list[Problem]) -> list[tuple[str, str]]:
    return [(problem.code, problem.field) for problem in problems]


def test_a_definition_in_several_files_is_one_and_follows_changes_in_all_of_them(
    made: Make, git_host: GitHost, repo: MakeRepository
) -> None:
    catalog = made()
    files = {
        "a/catalog-info.yaml": _api("pets", "{$openapi: ./openapi.yaml}"),
        "a/openapi.yaml": "openapi: 3.1.0\ncomponents: {schemas: {Pet: {$ref: '../shared/pet.yaml#/Pet'}}}\n",
        "shared/pet.yaml": "Pet: {properties: {tag: {$ref: ./tag.json}, next: {$ref: '#/Pet'}}}\n",
        "shared/tag.json": '{"type": "string"}',
    }
    made_repository = repo(files, name="o/r")
    assert catalog.ingest(git_host.url("/o/r/blob/main/a/catalog-info.yaml")).problems == []

    pet = {"properties": {"tag": {"type": "string"}, "next": {"$ref": "#/components/schemas/Pet"}}}
    (document,) = yaml.parse(_definition(catalog, "pets").encode())
    assert document.value == {"openapi": "3.1.0", "components": {"schemas": {"Pet": pet}}}

    made_repository.commit({"shared/tag.json": '{"type": "integer"}'})
    catalog.service.refresh()
    assert "type: integer" in _definition(catalog, "pets")
    assert len(catalog.history("api:default/pets")) == 2

    made_repository.commit({"shared/tag.json": None})
    assert _found(catalog.service.refresh().problems) == [("placeholder-invalid", "spec.definition.$openapi")]
    assert "type: integer" in _definition(catalog, "pets")

    made_repository.commit({"shared/tag.json": '{"type": "integer"}'})
    assert catalog.service.refresh().problems == []


def test_asyncapi_and_graphql_are_made_one_too(catalog: Catalog, repo: MakeRepository) -> None:
    files = {
        "catalog-info.yaml": documents(
            _api("events", "{$asyncapi: e.yaml}", "asyncapi"), _api("graph", "{$graphql: g.graphql}", "graphql")
        ),
        "e.yaml": "asyncapi: 2.6.0\nchannels: {a: {$ref: './c.yaml'}}\n",
        "c.yaml": "publish: {}\n",
        "g.graphql": '# import User from "u.graphql"\ntype Query { me: User }\n',
        "u.graphql": "type User { id: ID! }\n",
    }
    assert catalog.ingest(repo(files).url).problems == []

    assert _definition(catalog, "events") == "asyncapi: 2.6.0\nchannels:\n  a:\n    publish: {}\n"
    assert _definition(catalog, "graph") == "type Query {\n  me: User\n}\n\ntype User {\n  id: ID!\n}\n"


def test_other_placeholders_give_text_or_values(catalog: Catalog, repo: MakeRepository) -> None:
    files = {
        "catalog-info.yaml": _api("a", "{$text: ./a.txt}, json: {$json: /x/j.json}, yaml: [{$yaml: x/y.yaml}]"),
        "a.txt": "text\n",
        "x/j.json": '{"a": [1, null]}',
        "x/y.yaml": "b: yes\n",
    }
    assert catalog.ingest(repo(files).url).problems == []

    spec = catalog.body("api:default/a")["spec"]
    assert (spec["definition"], spec["json"], spec["yaml"]) == ("text\n", {"a": [1, None]}, [{"b": "yes"}])


def test_the_url_of_the_entitys_own_repository_is_read_whatever_the_branch(
    made: Make, git_host: GitHost, repo: MakeRepository
) -> None:
    repository = repo({"catalog-info.yaml": "x: 1\n", "a.txt": "first\n"}, name="o/r")
    repository.git("branch", "feature/x")
    url = git_host.url("/o/r/raw/feature/x/a.txt")
    repository.commit({"catalog-info.yaml": _api("a", f"{{$text: {url!r}}}"), "a.txt": None})
    catalog = made()
    assert catalog.ingest(git_host.url("/o/r/tree/main")).problems == []
    assert _definition(catalog, "a") == "first\n"
    assert catalog.service.refresh().unchanged

    repository.git("checkout", "--quiet", "feature/x")
    repository.commit({"a.txt": "second\n"})
    assert not catalog.service.refresh().unchanged
    assert _definition(catalog, "a") == "second\n"


def test_another_repository_is_read_only_where_settings_name_it(
    made: Make, git_host: GitHost, repo: MakeRepository
) -> None:
    repo({"a.txt": "theirs\n"}, name="other/secret")
    url = git_host.url("/other/secret/blob/main/a.txt")
    repo({"catalog-info.yaml": _api("a", f"{{$text: {url!r}}}")}, name="o/r")

    (problem,) = made().ingest(git_host.url("/o/r/blob/main/catalog-info.yaml")).problems

    assert (problem.code, problem.field) == ("placeholder-invalid", "spec.definition.$text")
    assert "reading_hosts" in problem.expected
    catalog = made(f"{git_host.host}/other/")
    assert catalog.service.refresh().problems == []
    assert _definition(catalog, "a") == "theirs\n"


def test_a_file_of_a_web_server_is_read_where_settings_name_its_host(
    made: Make, web: WebServer, repo: MakeRepository
) -> None:
    web.pages = {"/a/api.yaml": b"openapi: 3.1.0\nx: {$ref: b.yaml}\n", "/a/b.yaml": b"y: 1\n"}
    repository = repo({"catalog-info.yaml": _api("a", f"{{$openapi: {web.url('/a/api.yaml')!r}}}")}, name="o/r")
    target = repository.url

    (problem,) = made().ingest(target).problems
    assert "reading_hosts" in problem.expected
    assert web.asked == []

    catalog = made(web.host)
    assert catalog.service.refresh().problems == []
    assert _definition(catalog, "a") == "openapi: 3.1.0\nx:\n  y: 1\n"

    web.pages["/a/b.yaml"] = b"y: 2\n"
    catalog.service.refresh()
    assert _definition(catalog, "a") == "openapi: 3.1.0\nx:\n  y: 2\n"


def test_what_has_not_changed_is_asked_for_once_and_writes_nothing(
    made: Make, web: WebServer, repo: MakeRepository
) -> None:
    web.pages = {"/api.yaml": b"openapi: 3.1.0\n"}
    repository = repo({"catalog-info.yaml": _api("a", f"{{$text: {web.url('/api.yaml')!r}}}")}, name="o/r")
    catalog = made(web.host)
    catalog.ingest(repository.url)
    statements: list[str] = []
    event.listen(catalog.database.engine, "before_cursor_execute", lambda *args: statements.append(args[2]))
    web.asked.clear()

    report = catalog.service.refresh()

    assert len(report.unchanged) == 1
    assert web.asked == [("/api.yaml", 304)]
    assert not [text for text in statements if text.split()[0] in {"INSERT", "UPDATE", "DELETE"}]


def test_a_server_that_fails_keeps_the_last_good_entity_until_it_is_back(
    made: Make, web: WebServer, repo: MakeRepository
) -> None:
    web.pages = {"/api.yaml": b"openapi: 3.1.0\n"}
    repository = repo({"catalog-info.yaml": _api("a", f"{{$text: {web.url('/api.yaml')!r}}}")}, name="o/r")
    catalog = made(web.host)
    catalog.ingest(repository.url)
    web.headers["/api.yaml"] = {"content-encoding": "gzip"}
    web.pages["/api.yaml"] = b"openapi: 3.2.0\n"

    assert _found(catalog.service.refresh().problems) == [("placeholder-invalid", "spec.definition.$text")]
    assert _definition(catalog, "a") == "openapi: 3.1.0\n"

    web.headers.clear()
    assert catalog.service.refresh().problems == []
    assert _definition(catalog, "a") == "openapi: 3.2.0\n"


def test_a_definition_that_leads_to_too_many_files_is_refused(catalog: Catalog, repo: MakeRepository) -> None:
    parts = {f"f{n}.yaml": "x: 1\n" for n in range(600)}
    root = "x:\n" + "".join(f"- $ref: {name}\n" for name in parts)
    files = {"catalog-info.yaml": _api("a", "{$openapi: root.yaml}"), "root.yaml": root, **parts}

    (problem,) = catalog.ingest(repo(files).url).problems

    assert problem.code == "placeholder-invalid"
    assert "more than Portal reads" in problem.expected


@pytest.mark.parametrize(
    ("definition", "told"),
    [
        ("{$text: ../../etc/passwd}", "leads out of the repository"),
        ("{$text: ./link.txt}", "symbolic link"),
        ("{$text: ./gone.txt}", "does not exist"),
        ("{$text: 'file:///etc/passwd'}", "another repository"),
        ("{$text: [a]}", "the path or url of a file"),
        ("{$json: ./bad}", "a file with json content"),
        ("{$yaml: ./two}", "expected one document, found 2"),
        ("{$openapi: ./bad}", "a file with openapi content"),
        ("{$openapi: ./refers.yaml}", "gone.yaml"),
        ("{$text: ./latin.txt}", "it is not UTF-8"),
    ],
)
def test_what_cannot_be_taken_in_refuses_the_entity_naming_the_key(
    definition: str, told: str, catalog: Catalog, repo: MakeRepository
) -> None:
    repository = repo(
        {
            "catalog-info.yaml": _api("a", definition),
            "bad": b"{a: b: c",
            "two": "a: 1\n---\nb: 1\n",
            "refers.yaml": "openapi: 3.1.0\nx: {$ref: gone.yaml}\n",
            "latin.txt": b"\xff",
        }
    )
    (repository.path / "link.txt").symlink_to("/etc/passwd")
    repository.commit({})

    (problem,) = catalog.ingest(repository.url).problems

    assert problem.code == "placeholder-invalid"
    assert problem.field.startswith("spec.definition.$")
    assert problem.span is not None
    assert told in problem.expected
    assert catalog.refs() == []
