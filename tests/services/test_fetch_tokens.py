"""Fetching from a repository that only those read who bring a token."""

from __future__ import annotations

import json

import pytest
from scaffolds import template

from portal.app.dry_runs import dry_runs_alone
from portal.config import load_settings
from portal.errors import InputError
from portal.model.secret import Secret
from portal.services.dry_run import DryRun
from portal.vcs.policy import RemotePolicy

TOKEN = "a-token-that-nobody-sees"
FILES = {
    "files/a.txt": "${{ values.n }}",
    "cookies/cookiecutter.json": "{}",
    "cookies/b.txt": "",
    "project/copier.yml": "",
    "project/c.txt": "",
}
FOLDERS = {"fetch:plain:file": "files/a.txt", "fetch:template:file": "files/a.txt"} | {
    "fetch:cookiecutter": "cookies",
    "fetch:copier": "project",
}
ACTIONS = {
    "fetch:plain": {"targetPath": "plain"},
    "fetch:plain:file": {"targetPath": "file.txt"},
    "fetch:template": {"targetPath": "rendered", "values": {"n": 7}},
    "fetch:template:file": {"targetPath": "rendered.txt", "values": {"n": 7}},
    "fetch:cookiecutter": {"targetPath": "cookies", "values": {"n": 7}},
    "fetch:copier": {"targetPath": "copies"},
}


@pytest.fixture
def runs(git_host, repo, tmp_path):
    git_host.token = TOKEN
    repo(FILES, name="o/r")
    host = {"host": git_host.host, "type": "gitea", "base_url": f"http://{git_host.host}"}
    settings = load_settings(environment={}, overrides={"data": str(tmp_path / "data"), "integrations": [host]})
    with dry_runs_alone(settings) as opened:
        yield opened


def fetched(runs, git_host, actions, **more):
    steps = [
        {
            "id": action.replace(":", "-"),
            "action": action,
            "input": {
                "url": git_host.url(f"/o/r#main:{FOLDERS.get(action, 'files')}"),
                **ACTIONS[action],
                **more,
            },
        }
        for action in actions
    ]
    return runs.run(DryRun(template("t", steps), {}, secrets={"T": Secret(TOKEN)}))


def test_every_fetching_action_takes_a_token_that_nobody_sees(runs, git_host):
    result = fetched(runs, git_host, ACTIONS, token="${{ secrets.T }}")
    assert result.error is None, result.log
    texts = {entry.path: entry.content.decode() for entry in result.files}
    assert (texts["plain/a.txt"], texts["file.txt"]) == ("${{ values.n }}", "${{ values.n }}")
    assert (texts["rendered/a.txt"], texts["rendered.txt"]) == ("7", "7")
    assert {"cookies/b.txt", "copies/c.txt"} <= texts.keys()
    assert TOKEN not in json.dumps(list(result.log))
    # What was read with a token is for those who have one.
    refused = fetched(runs, git_host, ["fetch:plain"])
    assert "it wants a login" in refused.error["message"]
    wrong = fetched(runs, git_host, ["fetch:plain"], token="another-token")
    assert "ls-remote failed" in wrong.error["message"]
    assert "another-token" not in wrong.error["message"]


def test_a_token_is_for_one_host_and_opens_no_address():
    policy = RemotePolicy().lending("https://git.example.com/o/r", Secret(TOKEN))
    assert policy.login("https://git.example.com/o/other") == ("x-access-token", TOKEN)
    assert policy.login("https://example.com/o/r") is None
    assert policy.login("https://git.example.com:8443/o/r") is None
    assert policy.login("ssh://git@git.example.com/o/r") is None
    assert policy.addresses_of("https://git.example.com/o/r", trusted=False) is not None
    assert RemotePolicy().lending("git@git.example.com:o/r", Secret(TOKEN)).lent is None
    with pytest.raises(InputError):
        RemotePolicy().lending("not a remote", Secret(TOKEN))
