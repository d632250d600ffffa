"""`portal audit`: what commands did, by whom, as a table and as JSON lines."""

from __future__ import annotations

import json
import os
import pwd

import pytest
from catalogs import component
from repositories import MakeRepository
from servers import run_portal

from portal.cli import main
from portal.cli.operator import ACTIONS

OPERATOR = f"operator:{pwd.getpwuid(os.getuid()).pw_name}"
#: All commands that change nothing that others see.
_READING = {
    "portal audit export",
    "portal backup",
    "portal changes",
    "portal doctor",
    "portal history",
    "portal owners balance",
    "portal owners drift",
    "portal owners entity",
    "portal owners graph",
    "portal owners handovers",
    "portal owners history",
    "portal owners impact",
    "portal owners layers",
    "portal owners lineage",
    "portal owners portfolio",
    "portal owners problems",
    "portal owners rules",
    "portal policy explain",
    "portal schema",
    "portal settings",
    "portal template generated",
    "portal template lint",
    "portal template preview",
    "portal template test",
    "portal token list",
    "portal validate",
    "portal worker",
}


def test_every_command_writes_under_a_name_or_reads():
    """Whoever adds a command says in `ACTIONS` what its records are called, or here that it only reads."""
    from test_house import _commands  # noqa: PLC0415

    assert set(_commands(main, "portal")) == _READING | set(ACTIONS)


@pytest.fixture
def run(tmp_path, database_url):
    def command(*arguments):
        return run_portal(*arguments, "--database", database_url, folder=tmp_path)

    return command


def test_what_commands_do_is_told_with_who_did(run, tmp_path, repo: MakeRepository):
    made = repo({"catalog-info.yaml": component("a")})
    run("db", "upgrade")
    run("ingest", made.url)
    token = json.loads(
        run("token", "create", "--service", "ci", "--scope", "catalog:read", "--expires", "1d", "--json").stdout
    )
    run("token", "revoke", token["id"])
    run("token", "revoke", "0" * 16)
    run("template", "run", "none", "--values", _values(tmp_path))

    told = json.loads(run("audit", "--json").stdout)["items"]

    assert {item["actor"] for item in told} == {OPERATOR}
    assert [(item["action"], item["on"], item["result"]) for item in reversed(told)] == [
        ("database.upgrade", told[-1]["on"], "success"),
        ("catalog.ingest", made.url, "success"),
        ("token.create", f"token {token['id']}", "success"),
        ("token.revoke", f"token {token['id']}", "success"),
        ("token.revoke", f"token {'0' * 16}", "failed"),
        ("task.create", "none", "failed"),
    ]
    assert told[-1]["on"].startswith("empty -> ")
    assert token["token"] not in str(told)


def _values(folder):
    path = folder / "values.yaml"
    path.write_text("{}")
    return str(path)


def test_records_are_chosen_paged_and_exported(run, tmp_path):
    run("token", "create", "--service", "ci", "--scope", "catalog:read", "--expires", "1d")
    run("token", "revoke", "0" * 16)

    page = json.loads(run("audit", "--limit", "1", "--json").stdout)
    rest = json.loads(run("audit", "--before", page["pageInfo"]["nextCursor"], "--json").stdout)
    failed = run("audit", "--result", "failed", "--since", "1h", "--action", "token.revoke")
    exported = run("audit", "export", str(tmp_path / "audit.jsonl"), "--on", "token")

    assert [item["action"] for item in page["items"] + rest["items"]] == ["token.revoke", "token.create"]
    assert "token.revoke" in failed.stdout
    assert "token.create" not in failed.stdout
    lines = [json.loads(line) for line in (tmp_path / "audit.jsonl").read_text().splitlines()]
    assert [item["action"] for item in lines] == ["token.create", "token.revoke"]
    assert exported.stderr.strip().endswith("2 records")


@pytest.mark.parametrize(
    "arguments", [["--since", "soon"], ["--before", "x"], ["--result", "odd"], ["--since", "7d", "export", "x"]]
)
def test_a_mistake_ends_with_2(tmp_path, arguments):
    assert run_portal("audit", *arguments, folder=tmp_path).returncode == 2
