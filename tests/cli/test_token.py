"""`portal token`, as an operator uses it."""

from __future__ import annotations

import json

import pytest
from servers import run_portal


@pytest.fixture
def run(tmp_path, database_url):
    def command(*arguments):
        return run_portal("token", *arguments, "--database", database_url, folder=tmp_path)

    return command


def test_a_token_is_shown_once_listed_and_revoked(run):
    made = run("create", "--for", "ann", "--scope", "catalog:read", "--scope", "audit:read", "--expires", "30d")
    assert made.returncode == 0, made.stderr
    text = made.stdout.strip()
    assert text.startswith("portal_")
    assert "is shown this once" in made.stderr

    shown = run("list", "--json")
    (token,) = json.loads(shown.stdout)
    assert text not in shown.stdout
    assert (token["owner"], token["scopes"]) == ("user:default/ann", ["audit:read", "catalog:read"])
    assert token["createdBy"].startswith("operator:")
    assert token["id"] in run("list").stdout

    assert json.loads(run("revoke", token["id"], "--json").stdout)["status"] == "revoked"
    assert json.loads(run("list", "--json").stdout) == []
    assert json.loads(run("list", "--all", "--json").stdout)[0]["status"] == "revoked"


def test_a_program_has_tokens_too(run):
    made = run("create", "--service", "ci", "--scope", "catalog:read", "--expires", "12h", "--json")

    token = json.loads(made.stdout)
    assert (token["kind"], token["owner"]) == ("service", "ci")
    assert [item["id"] for item in json.loads(run("list", "--service", "ci", "--json").stdout)] == [token["id"]]
    assert json.loads(run("list", "--for", "ci", "--json").stdout) == []


@pytest.mark.parametrize(
    "arguments",
    [
        ["create", "--scope", "catalog:read", "--expires", "1d"],
        ["create", "--for", "ann", "--service", "ci", "--scope", "catalog:read", "--expires", "1d"],
        ["create", "--for", "group:default/team", "--scope", "catalog:read", "--expires", "1d"],
        ["create", "--for", "ann", "--scope", "everything", "--expires", "1d"],
        ["create", "--for", "ann", "--scope", "catalog:read", "--expires", "never"],
        ["revoke", "0000000000000000"],
        ["list", "--for", "ann", "--service", "ci"],
    ],
)
def test_a_mistake_ends_with_2(tmp_path, arguments):
    done = run_portal("token", *arguments, folder=tmp_path)

    assert done.returncode == 2
    assert done.stderr
