"""People of the shipped organisation, signed in at a real provider, do what its layers say and no more."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest
import yaml
from catalogs import component, documents, group
from identity_providers import Provider, Visitor, portal_at
from repositories import Repository
from waiting import eventually

from portal.app import Portal

#: A data scientist of a project, an ML engineer, somebody of Cloud & Security.
SCIENTIST, ENGINEER, SECURITY = PEOPLE = ("elena.rossi", "chen.yu", "amara.okafor")
VALUES = yaml.safe_load(Path("scaffolder_templates/shared-dataset/tests/values.yaml").read_text())
EXPLAIN = "/api/permission/explain?permission={}&actor=user:default/{}&resourceRef={}"


@dataclass(frozen=True)
class Organisation:
    """The Portal that serves the shipped catalog, and the people who have signed in to it."""

    portal: Portal
    people: dict[str, Visitor]

    def ask(self, person: str, method: str, path: str, body: Any = None) -> httpx.Response:
        """Send a request with the token that a person's sign-in gave."""
        visitor = self.people[person]
        token = visitor.refresh().json()["backstageIdentity"]["token"]
        headers = {"authorization": f"Bearer {token}"}
        return visitor.http.request(method, f"{visitor.portal_url}{path}", json=body, headers=headers)

    def statuses(self, method: str, path: str, body: Any = None) -> list[int]:
        """Return what each of the three is answered."""
        return [self.ask(person, method, path, body).status_code for person in PEOPLE]


@pytest.fixture(scope="module")
def organisation(provider: Provider, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Organisation]:
    folder = tmp_path_factory.mktemp("shipped")
    port = int(provider.portal_url.rpartition(":")[2])
    admins = ["user:default/tomas.novak"]
    with ExitStack() as opened:
        portal = opened.enter_context(
            portal_at(
                port,
                folder=folder,
                database=f"sqlite:///{folder / 'portal.db'}",
                providers=[provider.settings()],
                admins=admins,
            )
        )
        portal.ingest(portal.default_targets())
        portal.jobs.start(worker=True)
        people = {person: Visitor(provider.portal_url) for person in PEOPLE}
        for person, visitor in people.items():
            opened.callback(visitor.http.close)
            assert visitor.sign_in(person).status_code == 200
            assert visitor.who() == f"user:default/{person}"
        yield Organisation(portal, people)


@pytest.mark.parametrize(
    ("ref", "statuses"),
    [
        ("model:default/forecast", [200, 403, 403]),
        ("dataset:default/calendar", [403, 200, 403]),
        ("component:default/identity", [403, 403, 200]),
        ("dataset:default/sales-daily", [403, 403, 403]),
    ],
)
def test_each_refreshes_what_their_team_owns_in_whatever_layer(
    organisation: Organisation, ref: str, statuses: list[int]
) -> None:
    assert organisation.statuses("POST", "/api/catalog/refresh", {"entityRef": ref}) == statuses


def test_nobody_but_an_admin_reads_the_audit_or_moves_what_others_own(organisation: Organisation) -> None:
    assert organisation.statuses("GET", "/api/audit") == [403, 403, 403]
    assert organisation.statuses("POST", "/api/ownership/reorg/write", {"odd": 1}) == [403, 403, 403]
    # What would change may be asked: the plan is faulty, not forbidden.
    assert organisation.statuses("POST", "/api/ownership/reorg/plan", {"odd": 1}) == [400, 400, 400]


@pytest.mark.parametrize(
    ("ref", "results"),
    [
        ("component:default/identity", ["DENY", "DENY", "ALLOW"]),
        ("dataset:default/sales-daily", ["DENY", "ALLOW", "ALLOW"]),
        ("model:default/forecast", ["DENY", "DENY", "DENY"]),
    ],
)
def test_an_exemption_is_granted_by_the_approvers_of_its_layer(
    organisation: Organisation, ref: str, results: list[str]
) -> None:
    found = [
        organisation.ask(person, "GET", EXPLAIN.format("portal.exemption.grant", person, quote(ref))).json()
        for person in PEOPLE
    ]

    assert [item["result"] for item in found] == results, found
    assert all(item["reason"] for item in found)


def test_each_registers_assets_and_nobody_themselves_an_admins_group(organisation: Organisation) -> None:
    portal = organisation.portal
    for person in PEOPLE:
        name = f"of-{person.replace('.', '-')}"
        text = documents(component(name), group(f"{name}-intruders", more=f"parent: platform, members: [{person}]"))
        made = Repository(portal.settings.repositories / name)
        made.commit({"catalog-info.yaml": text})
        found = organisation.ask(person, "POST", "/api/catalog/locations", {"type": "url", "target": made.url})

        assert found.status_code == 201, found.text
        assert portal.catalog.body(f"component:default/{name}") is not None
        assert portal.catalog.body(f"group:default/{name}-intruders") is None
        told = organisation.ask(person, "GET", f"/api/ownership/problems?owner={quote('user:default/' + person)}")
        assert told.status_code == 200


@pytest.mark.parametrize(
    ("owner", "statuses"),
    [
        # In the shared layer ML engineers and MLOps own, nobody else; who asks must be one of the team.
        ("group:default/ml-engineering", [403, 201, 403]),
        ("group:default/mlops", [403, 403, 403]),
        ("group:default/demand-forecast", [400, 400, 400]),
        ("group:default/cloud-security", [400, 400, 400]),
    ],
)
def test_a_shared_dataset_is_made_for_ones_own_team_where_that_may_own_it(
    organisation: Organisation, owner: str, statuses: list[int]
) -> None:
    slug = owner.partition("/")[2]
    found = []
    for person in PEOPLE:
        values = VALUES | {"owner": owner, "name": f"{slug}-{person.replace('.', '-')}"}
        body = {"templateRef": "template:default/shared-dataset", "values": values}
        answer = organisation.ask(person, "POST", "/api/scaffolder/v2/tasks", body)
        found.append(answer.status_code)
        if answer.status_code == 201:
            _watch(organisation, person, answer.json()["id"], values["name"])

    assert found == statuses


def _watch(organisation: Organisation, person: str, task: str, name: str) -> None:
    """See a task to its end: its creator reads it, nobody else of the three does, the new entity has its owner."""
    path = f"/api/scaffolder/v2/tasks/{task}"
    eventually(
        lambda: organisation.ask(person, "GET", path).json()["status"] in {"completed", "failed"}, "the task's end"
    )
    told = organisation.ask(person, "GET", path).json()
    assert told["status"] == "completed", organisation.ask(person, "GET", f"{path}/events").text
    assert [organisation.ask(other, "GET", path).status_code for other in PEOPLE if other != person] == [403, 403]
    made = organisation.ask(person, "GET", f"/api/ownership/entity/dataset/default/{name}").json()
    assert made["owner"] == {"ref": "group:default/ml-engineering", "exists": True}
    assert {item["duty"] for item in made["stewards"]} == {"checks", "automation"}


def test_a_token_of_ones_own_does_no_more_than_oneself(organisation: Organisation) -> None:
    body = {"scopes": ["catalog:write", "audit:read"], "expires": "30d", "description": "a walk"}
    found = organisation.ask(SCIENTIST, "POST", "/api/auth/v1/tokens", body)
    assert found.status_code == 201, found.text
    headers = {"authorization": f"Bearer {found.json()['token']}"}
    url = organisation.people[SCIENTIST].portal_url

    def refreshed(ref: str) -> int:
        return httpx.post(f"{url}/api/catalog/refresh", json={"entityRef": ref}, headers=headers).status_code

    assert [refreshed(ref) for ref in ("model:default/forecast", "dataset:default/calendar")] == [200, 403]
    assert httpx.get(f"{url}/api/audit", headers=headers).status_code == 403


def test_whoever_has_signed_out_is_nobody(organisation: Organisation, provider: Provider) -> None:
    visitor = Visitor(provider.portal_url)
    visitor.sign_in(ENGINEER)
    visitor.post("/api/auth/corp/logout", headers={"x-requested-with": "XMLHttpRequest"})

    assert visitor.who() is None
    assert visitor.get("/api/catalog/entities/by-query").status_code == 401
    visitor.http.close()
