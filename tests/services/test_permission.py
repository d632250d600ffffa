"""What policies decide, on real entities in both databases."""

from __future__ import annotations

import pytest
from sqlalchemy import event

from portal.errors import InputError, PluginError
from portal.model.permission import CATALOG_ENTITY, Condition, Conditional, EveryOf, NoneOf, Permission, SomeOf
from portal.model.permission_rules import entity_filter
from portal.model.ref import EntityRef
from portal.services.catalog import CatalogService
from portal.services.identity import ANYBODY, Actor, IdentityService
from portal.services.permission import Answer, Application, PermissionService, Question
from portal.services.tokens import Tokens
from portal.services.vault import Vault

READ = Permission("catalog.entity.read", "read", CATALOG_ENTITY)
CREATE = Permission("catalog.entity.create", "create")
CATALOG = """
apiVersion: backstage.io/v1alpha1
kind: Component
metadata: {name: mine, labels: {tier: Gold}, annotations: {example.com/a: B c}}
spec: {type: service, lifecycle: production, owner: team}
---
apiVersion: backstage.io/v1alpha1
kind: Component
metadata: {name: theirs}
spec: {type: website, lifecycle: production, owner: others}
---
apiVersion: backstage.io/v1alpha1
kind: Group
metadata: {name: team}
spec: {type: team, parent: all, children: []}
---
apiVersion: backstage.io/v1alpha1
kind: Group
metadata: {name: all}
spec: {type: company, children: []}
---
apiVersion: backstage.io/v1alpha1
kind: User
metadata: {name: ann}
spec: {memberOf: [team]}
"""


class AllowAll:
    def decide(self, permissions, actor, claims):
        return ["ALLOW"] * len(permissions)


class OwnersOnly:
    """Lets people read what they own, nobody else anything."""

    def decide(self, permissions, actor, claims):
        owners = Conditional(Condition("IS_ENTITY_OWNER", CATALOG_ENTITY, {"claims": [str(ref) for ref in claims()]}))
        return [owners if permission.resource_type else "DENY" for permission in permissions]


class Always:
    """Decides one thing."""

    def __init__(self, *decisions):
        self.decisions = decisions

    def decide(self, permissions, actor, claims):
        return list(self.decisions)


@pytest.fixture
def portal(catalog, repo, database, tmp_path):
    source = repo({"catalog-info.yaml": CATALOG})
    catalog.ingest(f"{source.url}#main:catalog-info.yaml")
    identity = IdentityService(
        database,
        Tokens(database, Vault(tmp_path / "instance.key"), issuer="http://localhost/api/auth"),
        guest=EntityRef("user:default/ann"),
    )
    return lambda policy: PermissionService(CatalogService(database), identity, policy)


ANN = Actor("user", "user:default/ann")


def test_everything_is_allowed_by_default(portal):
    questions = [Question("1", CREATE), Question("2", READ), Question("3", READ, "component:default/mine")]
    assert portal(AllowAll()).authorize(questions, ANYBODY) == [Answer(str(number), "ALLOW") for number in (1, 2, 3)]


def test_a_condition_on_named_resources_is_answered(portal, database):
    service = portal(OwnersOnly())
    refs = ("component:default/mine", "component:default/theirs", "Component:Default/Mine", "component:default/ghost")
    statements = []
    event.listen(database.engine, "before_cursor_execute", lambda _c, _k, text, *_: statements.append(text))
    answers = service.authorize(
        [
            Question("a", READ, "component:default/mine"),
            Question("b", CREATE),
            Question("c", READ, refs),
            Question("d", READ),
            Question("e", READ, ":::"),
        ],
        ANN,
    )

    assert [answer.id for answer in answers] == ["a", "b", "c", "d", "e"]
    assert answers[0].decision == "ALLOW"
    assert answers[1].decision == "DENY"
    assert answers[2].decision == ("ALLOW", "DENY", "ALLOW", "DENY")
    assert isinstance(answers[3].decision, Conditional)
    assert answers[3].decision.criteria.to_json()["params"] == {
        "claims": ["user:default/ann", "group:default/all", "group:default/team"]
    }
    assert answers[4].decision == "DENY"
    assert len([text for text in statements if "entities.body" in text]) == 1


def test_nobody_owns_anything(portal):
    (answer,) = portal(OwnersOnly()).authorize([Question("a", READ, "component:default/mine")], ANYBODY)
    assert answer.decision == "DENY"


@pytest.mark.parametrize(
    ("policy", "permission", "told"),
    [
        (Always(Conditional(Condition("HAS_SPEC", CATALOG_ENTITY, {"key": "a"}))), CREATE, "non-resource permission"),
        (Always(Conditional(Condition("X", "task"), "task")), READ, "Invalid resource conditions"),
        (Always(), READ, "0 decisions on 1 permissions"),
    ],
)
def test_a_policy_that_decides_on_something_else_is_told(portal, policy, permission, told):
    with pytest.raises(PluginError, match=told):
        portal(policy).authorize([Question("a", permission)], ANYBODY)


CRITERIA = [
    Condition("IS_ENTITY_OWNER", CATALOG_ENTITY, {"claims": ["group:default/team"]}),
    Condition("IS_ENTITY_OWNER", CATALOG_ENTITY, {"claims": []}),
    Condition("IS_ENTITY_KIND", CATALOG_ENTITY, {"kinds": ["Component", "user"]}),
    Condition("HAS_LABEL", CATALOG_ENTITY, {"label": "TIER"}),
    Condition("HAS_LABEL", CATALOG_ENTITY, {"label": "tier", "value": "gold"}),
    Condition("HAS_ANNOTATION", CATALOG_ENTITY, {"annotation": "example.com/a", "value": "b C"}),
    Condition("HAS_METADATA", CATALOG_ENTITY, {"key": "name", "value": "team"}),
    Condition("HAS_SPEC", CATALOG_ENTITY, {"key": "type", "value": "Service"}),
    Condition("HAS_SPEC", CATALOG_ENTITY, {"key": "lifecycle"}),
]
CRITERIA += [
    NoneOf(CRITERIA[0]),
    SomeOf((CRITERIA[0], CRITERIA[6])),
    EveryOf((CRITERIA[2], NoneOf(CRITERIA[4]))),
]


@pytest.mark.parametrize("criteria", CRITERIA, ids=str)
def test_a_condition_means_the_same_entities_in_sql_as_one_by_one(portal, database, catalog, criteria):
    refs = catalog.refs()
    found = CatalogService(database).by_refs([EntityRef(ref) for ref in refs], entity_filter(criteria))
    (answer,) = portal(AllowAll()).apply([Application("a", tuple(refs), CATALOG_ENTITY, criteria)])

    assert {ref for ref, result in zip(refs, answer.decision, strict=True) if result == "ALLOW"} == set(found)


def test_conditions_on_other_resources_are_refused(portal):
    applications = [Application("a", "x", "task", Condition("A", "task")), Application("b", "x", "job", CRITERIA[0])]
    with pytest.raises(InputError, match=r"Unexpected resource types: task, job\."):
        portal(AllowAll()).apply(applications)
