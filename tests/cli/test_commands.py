import json
from pathlib import Path

import pytest
from catalogs import component, documents, entity, group
from repositories import MakeRepository
from servers import ROOT, run_portal

LAYERS = documents(
    entity("Layer", "low", "rank: 1, owner: team-a, ownerRoles: [builder], enforcement: {portal/owner-role: enforce}",
           version="portal/v1alpha1"),
    entity("Role", "builder", "layers: [low]", version="portal/v1alpha1"),
)  # fmt: skip


def test_ingest_prints_what_the_catalog_holds(tmp_path: Path, repo: MakeRepository) -> None:
    made = repo({"catalog-info.yaml": documents(component("a"), group("team-a")), "b.yaml": component("b")})

    first = run_portal("ingest", f"{made.url}#main:*.yaml", folder=tmp_path)
    again = run_portal("ingest", f"{made.url}#main:*.yaml", "--json", folder=tmp_path)

    assert first.returncode == 0, first.stderr
    assert "Component" in first.stdout
    assert "1 owner: team-a 2" in first.stdout
    assert "0 problems" in first.stdout
    summary = json.loads(again.stdout)
    assert summary["counts"]["Component"] == {"": 2}
    assert summary["owners"] == {"group:default/team-a": 2}
    assert summary["changes"] == []


def test_ingest_takes_a_folder_and_a_bare_repository(tmp_path: Path, repo: MakeRepository) -> None:
    made = repo({"catalog-info.yaml": component("a")})
    made.git("clone", "--quiet", "--bare", ".", str(tmp_path / "bare.git"))
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "catalog-info.yaml").write_text(component("b"))

    done = run_portal("ingest", str(tmp_path / "bare.git"), str(folder), "--json", folder=tmp_path)

    assert json.loads(done.stdout)["counts"]["Component"] == {"": 2}


def test_ingest_works_on_both_databases(tmp_path: Path, database_url: str, repo: MakeRepository) -> None:
    made = repo({"catalog-info.yaml": component("a")})

    done = run_portal("ingest", made.url, "--database", database_url, "--json", folder=tmp_path)

    assert json.loads(done.stdout)["counts"]["Component"] == {"": 1}


def test_validate_names_file_line_column_and_field(tmp_path: Path) -> None:
    (tmp_path / "catalog-info.yaml").write_text(documents(component("a"), component("b", owner="''")))

    done = run_portal("validate", "catalog-info.yaml", folder=tmp_path)
    as_json = json.loads(run_portal("validate", "catalog-info.yaml", "--json", folder=tmp_path).stdout)

    assert done.returncode == 1
    assert "error: catalog-info.yaml:9:46 spec.owner: " in done.stdout
    assert 'found ""; expected a text that is not empty' in done.stdout
    assert "1 entities, 1 error" in done.stdout
    (problem,) = as_json["problems"]
    assert (problem["line"], problem["column"], problem["field"]) == (9, 46, "spec.owner")


def test_validate_passes_what_is_good(tmp_path: Path) -> None:
    (tmp_path / "one.yaml").write_text(component("a"))
    (tmp_path / "two.yml").write_text(group("team-a"))

    done = run_portal("validate", ".", folder=tmp_path)

    assert done.returncode == 0, done.stdout
    assert "2 entities, 0 errors" in done.stdout


def test_validate_refuses_what_a_layer_enforces(tmp_path: Path) -> None:
    (tmp_path / "catalog-info.yaml").write_text(documents(LAYERS, group("team-a"), component("a", more="layer: low")))

    done = run_portal("validate", ".", folder=tmp_path)

    assert done.returncode == 1
    assert (
        "enforce: catalog-info.yaml:16 component:default/a: Its owner group:default/team-a holds no role" in done.stdout
    )


def test_validate_of_what_is_no_catalog_file_is_a_mistake(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("x")

    done = run_portal("validate", "notes.txt", folder=tmp_path)

    assert done.returncode == 2
    assert "expected .yaml" in done.stderr


@pytest.mark.parametrize("kind", ["Component", "dataset"])
def test_schema_prints_the_json_schema_of_a_kind(kind: str, tmp_path: Path) -> None:
    schema = json.loads(run_portal("schema", kind, folder=tmp_path).stdout)

    assert schema["title"].lower() == kind.lower()
    assert schema["properties"]["spec"]["anyOf"] == [{"required": ["owner"]}, {"required": ["owners"]}]


def test_schema_all_writes_a_file_for_each_kind_and_one_for_all(tmp_path: Path) -> None:
    done = run_portal("schema", "--all", "--output", "schemas", folder=tmp_path)

    assert done.returncode == 0
    written = {path.name for path in (tmp_path / "schemas").iterdir()}
    assert {"catalog.json", "component.json", "dataset.json"} <= written
    assert len(done.stdout.split()) == len(written)
    together = json.loads((tmp_path / "schemas" / "catalog.json").read_bytes())
    assert {f"{kind.lower()}.json" for kind in together["properties"]["kind"]["enum"]} == written - {"catalog.json"}


@pytest.mark.parametrize("arguments", [[], ["Component", "--all"], ["Component", "--output", "x"]])
def test_schema_wants_one_kind_or_all(arguments: list[str], tmp_path: Path) -> None:
    assert run_portal("schema", *arguments, folder=tmp_path).returncode == 2


def test_schema_of_an_unknown_kind_names_those_that_are_known(tmp_path: Path) -> None:
    done = run_portal("schema", "Unicorn", folder=tmp_path)

    assert done.returncode == 2
    assert "Dataset" in done.stderr


def test_db_upgrade_brings_an_empty_database_to_the_newest_schema(tmp_path: Path, database_url: str) -> None:
    first = json.loads(run_portal("db", "upgrade", "--database", database_url, "--json", folder=tmp_path).stdout)
    second = run_portal("db", "upgrade", "--database", database_url, folder=tmp_path)

    assert first["before"] == ""
    assert first["after"]
    assert "up to date" in second.stdout


def test_settings_are_printed_with_secrets_masked(tmp_path: Path) -> None:
    (tmp_path / "portal.toml").write_text('database = "postgresql://portal:hidden@db/portal"\nport = 8008\n')

    text = run_portal("settings", folder=tmp_path).stdout
    shown = json.loads(run_portal("settings", "--json", folder=tmp_path).stdout)

    assert "hidden" not in text + json.dumps(shown)
    assert shown["database"] == "postgresql://portal:***@db/portal"
    assert shown["port"] == 8008


def test_a_source_that_cannot_be_read_is_a_problem_not_a_crash(tmp_path: Path) -> None:
    done = run_portal("ingest", "https://127.0.0.1:1/nothing", folder=tmp_path)

    assert done.returncode == 0
    assert "The source does not answer" in done.stdout


def test_the_reference_catalog_is_this_repository(tmp_path: Path) -> None:
    done = run_portal("validate", str(ROOT), folder=tmp_path)

    assert done.returncode == 0, done.stdout
    assert "0 errors" in done.stdout


def test_settings_that_are_tables_are_printed_too(tmp_path: Path) -> None:
    (tmp_path / "portal.toml").write_text(
        '[[catalog_rules]]\nallow = ["Component"]\n'
        '[[integrations]]\nhost = "ghe.corp"\ntype = "github"\ntoken = "s3cret"\n'
    )

    text = run_portal("settings", folder=tmp_path).stdout

    assert 'catalog_rules = {"allow": ["Component"]}' in text
    assert "integrations = ghe.corp (github, token ***)" in text
    assert "s3cret" not in text


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--host", "0.0.0.0"], "nobody could sign in"),
        (["--host", "192.0.2.1"], "sign_in_providers"),
    ],
)
def test_serve_does_not_start_where_others_come_and_nobody_could_sign_in(
    tmp_path: Path, words: list[str], told: str
) -> None:
    done = run_portal("serve", *words, folder=tmp_path)

    assert done.returncode == 2
    assert told in done.stderr
    assert not (tmp_path / "data").exists()


def test_serve_with_a_provider_must_know_its_own_url(tmp_path: Path) -> None:
    (tmp_path / "portal.toml").write_text(
        '[[sign_in_providers]]\nid = "corp"\nissuer = "https://login.example.com"\nclient_id = "portal"\n'
    )
    done = run_portal("serve", "--host", "0.0.0.0", folder=tmp_path)

    assert (done.returncode, "base_url" in done.stderr) == (2, True)
