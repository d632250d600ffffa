"""`portal backup`, `portal restore`, `portal doctor` as an operator runs them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from catalogs import component, documents
from full_catalogs import opened, served
from repositories import MakeRepository
from servers import ROOT, run_portal, serving

pytestmark = pytest.mark.slow


def printed(*arguments: str, folder: Path) -> Any:
    done = run_portal(*arguments, "--json", folder=folder)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_a_server_goes_on_reading_and_writing_while_it_is_backed_up(
    tmp_path: Path, repo: MakeRepository, database_url: str
) -> None:
    """No request fails meanwhile, and what is restored is the catalog of one moment: both entities of one commit."""
    made = repo({"a.yaml": component("a"), "b.yaml": component("b")})
    asked = "/api/catalog/entities?filter=kind=component&fields=metadata.name,metadata.labels"

    def commit(number: int) -> None:
        label = f"  labels: {{number: n{number}}}\n"
        texts = {f"{name}.yaml": component(name).replace("spec:", f"  {label.strip()}\nspec:") for name in "ab"}
        made.commit({name: text.replace(f"metadata: {{name: {name[0]}}}", f"metadata:\n  name: {name[0]}")
                     for name, text in texts.items()})  # fmt: skip

    database = ["--database", database_url]
    with serving(tmp_path, *database, "--catalog", f"{made.url}#main:*.yaml") as server:
        number = 0
        file = tmp_path / "one.zip"
        command = [sys.executable, "-m", "portal", "--data", str(tmp_path / "data"), "backup", str(file), *database]
        with (tmp_path / "backup.log").open("wb") as log:
            running = subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=log)
            while running.poll() is None:
                number += 1
                commit(number)
                status, _ = server.ask("/api/catalog/refresh", method="POST", body={"entityRef": "component:default/a"})
                assert status == 200
                status, found = server.ask(asked)
                assert status == 200
                assert {item["metadata"]["labels"]["number"] for item in found} == {f"n{number}"}
        assert running.returncode == 0, (tmp_path / "backup.log").read_text()
        assert number > 1

    folder = tmp_path / "restored"
    folder.mkdir()
    printed("restore", str(file), folder=folder)
    with opened(folder, f"sqlite:///{folder / 'data' / 'portal.db'}") as portal:
        found = served(portal, (asked,))[asked]
    assert len(found) == 2
    assert len({item["metadata"].get("labels", {}).get("number", "") for item in found}) == 1


def test_a_backup_is_restored_by_command(tmp_path: Path, repo: MakeRepository) -> None:
    made = repo({"catalog-info.yaml": documents(component("a"), component("b"))})
    printed("ingest", made.url, folder=tmp_path)
    file = str(tmp_path / "one.zip")

    told = printed("backup", file, folder=tmp_path)
    other = tmp_path / "other"
    other.mkdir()
    done = printed("restore", file, folder=other)

    assert told["revision"] == done["revision"] == 1
    assert told["rows"] == done["rows"]
    assert told["key"] is False
    again = run_portal("restore", file, folder=other)
    assert (again.returncode, "is not empty" in again.stderr) == (2, True)
    assert printed("restore", file, "--force", folder=other)["rows"] == told["rows"]
    shown = run_portal("backup", str(tmp_path / "two.zip"), folder=other)
    assert "without the instance key" in shown.stdout


def test_the_key_needs_a_passphrase(tmp_path: Path, repo: MakeRepository, monkeypatch: pytest.MonkeyPatch) -> None:
    made = repo({"catalog-info.yaml": component("a")})
    printed("ingest", made.url, folder=tmp_path)
    key = tmp_path / "data" / "instance.key"
    assert run_portal("backup", "x.zip", "--with-key", folder=tmp_path).returncode != 0

    monkeypatch.setenv("PORTAL_BACKUP_PASSPHRASE", "a long enough passphrase")
    refused = run_portal("backup", "x.zip", "--with-key", folder=tmp_path)
    assert (refused.returncode, "cannot be read" in refused.stderr) == (2, True)
    key.write_bytes(b"a key of 32 bytes, or so it seems")
    assert printed("backup", "x.zip", "--with-key", folder=tmp_path)["key"]
    other = tmp_path / "other"
    other.mkdir()
    assert printed("restore", str(tmp_path / "x.zip"), "--with-key", folder=other)["key"]
    assert (other / "data" / "instance.key").read_bytes() == key.read_bytes()


def test_the_doctor_tells_what_is_wrong_and_how_to_mend_it(tmp_path: Path, repo: MakeRepository) -> None:
    made = repo({"catalog-info.yaml": component("a")})
    printed("ingest", made.url, folder=tmp_path)

    well = run_portal("doctor", folder=tmp_path)
    assert well.returncode == 0, well.stdout
    assert "→" not in well.stdout

    made.path.rename(tmp_path / "gone")
    ill = run_portal("doctor", folder=tmp_path)
    assert ill.returncode == 1
    assert "✗ sources: 1 of 1 not reachable" in ill.stdout
    assert "→ Mend the location" in ill.stdout
    as_json = run_portal("doctor", "--json", folder=tmp_path)
    told = json.loads(as_json.stdout)
    assert (as_json.returncode, told["healthy"]) == (1, False)
    assert {check["name"]: check["status"] for check in told["checks"]}["sources"] == "failed"


def test_the_doctor_tells_of_settings_that_cannot_be_used(tmp_path: Path) -> None:
    (tmp_path / "portal.toml").write_text("port = 'x'\nunknown = 1\n")
    found = run_portal("doctor", folder=tmp_path)
    assert found.returncode == 1
    assert "✗ settings" in found.stdout
    assert '"unknown" in the settings file' in found.stdout
