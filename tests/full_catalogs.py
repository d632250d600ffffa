"""A catalog that has something in every table, and what Portal serves of it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import orjson
from catalogs import component, documents, entity, group
from repositories import Repository
from sqlalchemy import update

from portal.app import Portal, build
from portal.app.wsgi import create_app
from portal.config import load_settings
from portal.model.secret import Secret
from portal.services.vault import Vault
from portal.store import tasks
from portal.store.tables import sources

OURS = "portal/v1alpha1"
_ODD = r"tab\tquote\"back\\slash\nline, Zürich, 東京, \\N, \\."
_FRAME = documents(
    group("team-a"),
    group("team-b", more="parent: team-a, roles: [builder]"),
    entity("User", "guest", "memberOf: [team-b]", namespace="development"),
    entity("Role", "builder", "layers: [low]", version=OURS),
    entity("Layer", "low", "rank: 1, owner: team-b, ownerRoles: [builder]", version=OURS),
    entity("Layer", "high", "rank: 2, owner: team-b, ownerRoles: [builder]", version=OURS),
    entity("System", "shop", "owner: team-b, layer: low"),
    entity("API", "prices", "type: openapi, lifecycle: production, owner: team-b, system: shop, definition: '{}'"),
    entity("Dataset", "sales", "type: table, lifecycle: production, owner: team-b, layer: low", version=OURS),
    entity(
        "Model",
        "demand",
        "type: forecast, lifecycle: production, owner: team-b, layer: high, trainedOn: [sales]",
        version=OURS,
    ),
)
_DESCRIBED = f"""apiVersion: backstage.io/v1alpha1
kind: Component
metadata:
  name: described
  description: "{_ODD}"
  labels: {{tier: gold}}
spec: {{type: service, lifecycle: production, owner: team-b, system: shop, dependsOn: ["component:a"]}}
"""
_TARGET = "#main:**/*.yaml"


def opened(folder: Path, database_url: str) -> Portal:
    """Return a wired Portal on a database; it is to be closed."""
    overrides = {"data": str(folder), "database": database_url}
    return build(load_settings(environment={}, overrides=overrides))


def fill(portal: Portal, repo: Callable[..., Repository]) -> None:
    """Ingest three revisions of two sources, with problems, and record tasks, marks, a signing key."""
    first = repo(
        {"frame.yaml": _FRAME, "a.yaml": component("a", more="system: shop"), "gone.yaml": component("gone")},
        name="one",
    )
    second = repo({"described.yaml": _DESCRIBED, "b.yaml": component("b", owner="nobody")}, name="two")
    portal.ingest([("url", first.url + _TARGET), ("url", second.url + _TARGET)])
    first.commit(
        {"a.yaml": component("a", owner="team-b", more="layer: high, dependsOn: ['component:gone']"), "gone.yaml": None}
    )
    second.commit({"bad.yaml": component("bad", owner="''")})
    portal.refresh.refresh()
    portal.survey.take()
    portal.access.identity.sign_in_guest()
    with portal.database.writing() as connection:
        connection.execute(update(sources).where(sources.c.target.contains("two")).values(registered=True))
        for task_id in ("done", "live"):
            spec = {"parameters": {"name": _ODD}, "templateInfo": {"entityRef": "template:default/t"}}
            sealed = Vault(portal.settings.data / "instance.key").seal({"TOKEN": Secret("hunter2-in-a-task")})
            tasks.create_task(
                connection, task_id, spec=spec, secrets=sealed, created_by="user:default/a", now_ms=1_700_000_000_000
            )
            tasks.append_events(connection, task_id, [("log", {"message": _ODD})], now_ms=1_700_000_000_001)
        tasks.change_status(connection, "done", "completed", previous=("open",), now_ms=1_700_000_000_002)


#: What is asked of a catalog, over HTTP.
QUESTIONS = (
    "/api/catalog/entities",
    "/api/catalog/entities?filter=relations.ownedby=group:default/team-b,kind=component",
    "/api/catalog/entities/by-query?limit=5&orderField=spec.type,desc&orderField=metadata.name,asc",
    "/api/catalog/entities/by-query?fullTextFilterTerm=desc",
    "/api/catalog/entity-facets?facet=kind&facet=spec.type&facet=metadata.uid&facet=relations.dependson",
    "/api/catalog/entity-facets?facet=metadata.labels.tier&filter=kind=component",
    "/api/catalog/entities/by-name/component/default/described",
    "/api/catalog/entities/by-name/component/default/described/ancestry",
    "/api/catalog/entities/by-name/component/default/a/history",
    "/api/catalog/entities/by-name/component/default/gone/history",
    "/api/catalog/entities/by-name/component/default/a?at=revision:2",
    "/api/catalog/changes?since=0",
    "/api/catalog/kinds",
    "/api/catalog/locations",
    "/api/search/query?term=zürich",
    "/api/search/query?term=desc",
    "/api/ownership/entity/model/default/demand",
    "/api/ownership/portfolio/group/default/team-a",
    "/api/ownership/lineage/model/default/demand",
    "/api/ownership/impact/dataset/default/sales",
    "/api/ownership/graph?root=component:default/a&depth=3",
    "/api/ownership/history/component/default/a",
    "/api/ownership/layers",
    "/api/ownership/balance/group/default/team-b",
    "/api/auth/.well-known/jwks.json",
)
#: The same, but for what was not kept before schema 0010: since when there are problems.
PROBLEMS = ("/api/ownership/problems", "/api/ownership/problems?since=1")
TASKS = ("/api/scaffolder/v2/tasks", "/api/scaffolder/v2/tasks/done", "/api/scaffolder/v2/tasks/done/events")


def served(portal: Portal, questions: tuple[str, ...]) -> Mapping[str, Any]:
    """Return the answer to each question; all are found."""
    client = create_app(portal).test_client()
    answers = {}
    for question in questions:
        answer = client.get(question)
        assert answer.status_code == 200, (question, answer.text)
        # Each search marks what it found by words of its own.
        answers[question] = orjson.loads(re.sub(r"</?[0-9a-f-]{36}>", "|", answer.text))
    return answers
