"""A Portal with an organisation in which everybody has other rights, for tests on who may do what."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from catalogs import documents, entity
from flask import Flask
from flask.testing import FlaskClient
from repositories import Repository

from portal.app import Portal, build
from portal.app.wsgi import create_app
from portal.config import load_settings
from portal.model.ref import EntityRef
from portal.services.identity import Actor

#: The people, each with the groups that they are in.
PEOPLE = {
    "lone": [],
    "member": ["others"],
    "helper": ["helpers"],  # who act for the team
    "owner": ["team"],
    "deputy": ["squad"],  # a group below the team
    "steward": ["checks"],
    "approver": ["security"],
    "admin": ["platform"],
}
OWNED = "component:default/thing"
TEMPLATE = "template:default/make"
PORTAL_VERSION = "portal/v1alpha1"


def organisation() -> str:
    """Return the documents of the organisation."""
    groups = [
        entity("Group", "team", "type: team, children: []"),
        entity("Group", "squad", "type: team, parent: team, children: []"),
        entity("Group", "others", "type: team, children: []"),
        entity("Group", "helpers", "type: team, children: [], actsFor: [team]"),
        entity("Group", "checks", "type: team, children: []"),
        entity("Group", "security", "type: team, children: [], roles: [security]"),
        entity("Group", "platform", "type: team, children: []"),
    ]
    users = [entity("User", name, f"memberOf: [{', '.join(member_of)}]") for name, member_of in PEOPLE.items()]
    layers = [
        entity("Role", "security", "layers: [backbone]", version=PORTAL_VERSION),
        entity(
            "Layer",
            "backbone",
            "rank: 1, owner: platform, ownerRoles: [security], approvers: [security]",
            version=PORTAL_VERSION,
        ),
        entity("Layer", "project", "rank: 3, owner: platform, ownerRoles: [], approvers: []", version=PORTAL_VERSION),
    ]
    things = [
        entity("System", "net", "owner: team, layer: backbone"),
        entity(
            "Component",
            "thing",
            "type: service, lifecycle: production, owner: team, system: net, stewards: [{ref: checks, duty: checks}]",
        ),
        entity("Component", "app", "type: service, lifecycle: production, owner: team, layer: project"),
        """
apiVersion: scaffolder.backstage.io/v1beta3
kind: Template
metadata: {name: make}
spec:
  type: service
  owner: team
  creates: [{kind: Component}]
  parameters:
    - title: What
      properties: {owner: {type: string}}
    - title: For security
      properties: {depth: {type: number}}
      backstage:permissions: {tags: [role:default/security]}
  steps:
    - {id: say, action: debug:log, input: {message: hello}}
    - id: more
      action: debug:log
      input: {message: more}
      backstage:permissions: {tags: [role:default/security]}
""",
    ]
    return documents(*groups, *users, *layers, *things)


class World:
    """A Portal, its application, and who asks it."""

    def __init__(self, portal: Portal, home: Repository) -> None:
        self.portal = portal
        self.home = home
        self.app: Flask = create_app(portal)
        self.client: FlaskClient = self.app.test_client()

    def as_user(self, name: str) -> dict[str, str]:
        """Return the headers of a person's requests."""
        token = self.portal.access.identity.tokens.issue(EntityRef(f"user:default/{name}"))
        return {"authorization": f"Bearer {token.text}"}

    def actor(self, name: str, **more: Any) -> Actor:
        """Return a person as services know them."""
        return Actor("user", EntityRef(f"user:default/{name}"), **more)

    def branches(self) -> list[str]:
        """Return the branches of the repository that the organisation is read from."""
        return sorted(self.home.git("branch", "--format=%(refname:short)").splitlines())

    def entity(self, ref: str) -> Mapping[str, Any]:
        """Return an entity of the catalog."""
        kind, _, name = ref.partition(":")
        return self.client.get(f"/api/catalog/entities/by-name/{kind}/{name}", headers=self.as_user("admin")).json


@contextmanager
def world(folder: Path, *, extra: str = "", **overrides: Any) -> Iterator[World]:
    """Open a Portal with the organisation in it, and `extra` documents; guests may read alone unless overridden."""
    home = Repository(folder / "organisation")
    home.commit({"catalog-info.yaml": organisation() + (f"\n---\n{extra}" if extra else "")})
    options = {
        "data": str(folder / "data"),
        "admins": ["platform"],
        "guest_rights": "read",
        **overrides,
    }
    with build(load_settings(environment={}, overrides=options)) as portal:
        portal.migrate()
        report = portal.ingest([("url", home.url)])
        assert not report.problems, report.problems
        yield World(portal, home)
