"""Secrets: a Portal lives through all in which one passes; then all that it has left behind is searched for them."""

from __future__ import annotations

import base64
import json
import subprocess
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from catalogs import component, documents, entity, group, location
from collectors import Collector, collecting
from identity_providers import Provider, provider_for
from leaks import files_of, files_of_database, forms, found, parts_of, rows_of
from repositories import MakeRepository
from secret_lives import TASKS, Life, made_up, parrot, templates
from servers import free_port, run_portal, serving
from sqlalchemy import make_url, select
from waiting import eventually

from portal.services.vault import Vault
from portal.store.database import Database
from portal.store.tables import sessions, signing_keys

pytestmark = pytest.mark.slow


@pytest.fixture
def given() -> dict[str, str]:
    """The secrets of a life."""
    return made_up()


@pytest.fixture
def url(database_url: str, given: dict[str, str]) -> str:
    """The database, with a password in its url where that of the test has none and so asks for none."""
    parsed = make_url(database_url)
    if parsed.get_backend_name() == "sqlite" or parsed.password:
        return database_url
    return parsed.set(password=given["database"], drivername="postgresql").render_as_string(hide_password=False)


def settings(given: Mapping[str, str], *, url: str, catalog: str, host: str, provider: Provider, traces: str) -> str:
    """Return the settings of a Portal that knows all kinds of secrets, and tells all that it may."""
    providers = [provider.settings(scopes=["openid", "profile", "email", "offline_access"], prompt="consent")]
    programs = [
        {"type": "static", "options": {"token": given["program"], "subject": "all"}},
        {
            "type": "static",
            "options": {"token": given["other program"], "subject": "some"},
            "accessRestrictions": [{"plugin": "catalog"}],
        },
    ]
    values: dict[str, Any] = {
        "database": url,
        "catalog": [catalog],
        "log_level": "debug",
        "log_format": "json",
        "log_requests": True,
        "traces": traces,
        "admins": ["user:default/ann-a"],
        "refresh_seconds": 1,
    }
    tables: dict[str, Any] = {
        "integrations": [
            {"host": host, "type": "gitea", "token": given["integration"], "base_url": f"http://{host}"},
        ],
        "webhooks": [
            {"type": "github", "secret": given["webhook"]},
            {"type": "gitlab", "secret": given["plain webhook"]},
        ],
        "external_access": programs,
        "sign_in_providers": providers,
    }
    lines = [f"{name} = {json.dumps(value)}" for name, value in values.items()]
    return "\n".join([*lines, *(f"{name} = {_inline(value)}" for name, value in tables.items())])


def _inline(value: Any) -> str:
    """Return a value as TOML writes it on one line."""
    if isinstance(value, dict):
        return f"{{{', '.join(f'{name} = {_inline(item)}' for name, item in value.items())}}}"
    if isinstance(value, list):
        return f"[{', '.join(map(_inline, value))}]"
    return json.dumps(value)


def leftovers(life: Life, folder: Path, *, url: str, collector: Collector, when: str) -> dict[str, bytes]:
    """Return all that a Portal holds and tells now, by place."""
    commands = {
        "settings": ("settings", "--json"),
        "doctor": ("doctor", "--json"),
        "audit": ("audit", "export", "-"),
        "sources": ("ingest", life.logins()[0]),
        "backup": ("backup", str(folder / f"{when}.zip"), "--repositories"),
    }
    printed = {}
    for name, arguments in commands.items():
        done: subprocess.CompletedProcess[str] = run_portal(*arguments, folder=folder)
        printed[f"portal {name} {when}"] = f"{done.stdout}\n{done.stderr}".encode()
    assert b'"action":"sign-in"' in printed[f"portal audit {when}"], printed
    assert all(life.tasks[name].encode() in printed[f"portal audit {when}"] for name in life.tasks)
    return {
        **{f"row of {name} {when}": content for name, content in rows_of(url).items()},
        **{f"file {name} {when}": content for name, content in files_of(folder / "data", but="instance.key").items()},
        **{f"bytes of {name} {when}": content for name, content in files_of_database(url).items()},
        **parts_of(folder / f"{when}.zip"),
        **printed,
        "log": life.server.log.read_bytes(),
        "traces": collector.content,
    }


def unsealed(url: str, key: Path) -> dict[str, str]:
    """Return what Portal keeps as ciphertext and tells nobody: what it signs with, the provider's refresh tokens."""
    vault = Vault(key)
    with Database(url) as database, database.reading() as connection:
        keys = connection.execute(select(signing_keys.c.id, signing_keys.c.private_key)).all()
        kept = connection.execute(select(sessions.c.sealed)).scalars().all()
    found = {f"signing key {row.id}": json.loads(vault.open(row.private_key)["key"].reveal())["d"] for row in keys}
    found |= {f"refresh token {at}": vault.open(text)["refresh_token"].reveal() for at, text in enumerate(kept)}
    assert keys
    assert kept
    return found


def test_secrets_are_in_nothing_that_a_portal_keeps_or_tells(
    tmp_path: Path, url: str, given: dict[str, str], repo: MakeRepository
) -> None:
    port = free_port()
    with ExitStack() as opened:
        host = opened.enter_context(parrot())
        collector = opened.enter_context(collecting())
        provider = opened.enter_context(provider_for(f"http://127.0.0.1:{port}"))
        source = repo(
            {
                "catalog-info.yaml": documents(
                    group("team-a"),
                    entity("User", "ann-a", "memberOf: [team-a], profile: {email: ann@example.com}"),
                    component("a"),
                    location("closed", f"http://{host}/o/closed#main"),
                ),
                "skeleton/a": "a",
                **{f"{item['metadata']['name']}.yaml": json.dumps(item) for item in templates(host)},
            }
        )
        text = settings(
            given, url=url, catalog=f"{source.url}#main:*.yaml", host=host, provider=provider, traces=collector.url
        )
        (tmp_path / "portal.toml").write_text(text)
        with serving(tmp_path, port=port) as server:
            life = Life(server, given, provider)
            opened.callback(life.ann.http.close)
            opened.callback(life.programs.close)
            life.sign_in()
            life.use_tokens()
            life.hear()
            life.name_logins()
            life.run_tasks([item["metadata"]["name"] for item in templates(host)])
            life.fill_in_forms()
            life.read_all()
            places = leftovers(life, tmp_path, url=url, collector=collector, when="while it lives")
            life.keep("cancel", life.ask(f"{TASKS}/{life.tasks['waits']}/cancel", life.identity, method="POST"), 200)
            eventually(lambda: life.status(life.tasks["waits"]) == "failed", "the task to be cancelled")
        places |= leftovers(life, tmp_path, url=url, collector=collector, when="afterwards") | life.told
    given |= unsealed(url, tmp_path / "data" / "instance.key")
    given["instance key"] = (tmp_path / "data" / "instance.key").read_text().strip()
    given["client"] = provider.settings()["client_secret"]

    assert not found(given, places)
    # That nothing was found means something only where all was looked at.
    assert b"a request was answered" in places["log"]
    assert b"failed for no known reason" in places["log"]
    assert life.tasks["lives"].encode() in places["traces"]
    if url.startswith("sqlite"):
        assert life.tasks["lives"].encode() in places["bytes of portal.db-wal while it lives"]
        assert life.tasks["lives"].encode() in places["bytes of portal-jobs.db-wal while it lives"]
    assert b"***" in places["answer events of lives"]
    assert all(b"***" in places[f"answer events of {name}"] for name in ("misses", "breaks", "breaks-derived"))
    assert b"source-unreachable" in places["answer /api/ownership/problems"]


def test_what_searches_for_secrets_finds_them_in_every_form() -> None:
    for name, secret in made_up().items():
        for text in (
            secret,
            secret.upper(),
            json.dumps({"a": f"x{secret}y"}),
            repr([secret]),
            f"http://u:{quote(secret, safe='')}@h/",
            *(base64.b64encode(f"{'x' * shift}{secret}yz".encode()).decode() for shift in range(3)),
            *(base64.urlsafe_b64encode(f"{'x' * shift}{secret}".encode()).decode() for shift in range(3)),
        ):
            assert found({name: secret}, {"there": text.encode()}), (name, text)
    assert not found({"a": "plain0123456789"}, {"there": b"plain0123456788"})
    assert "plain0123456789" in forms("plain0123456789")
