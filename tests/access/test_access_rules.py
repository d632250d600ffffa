"""Access rules that Policy documents declare, as a company bends the default policy."""

from __future__ import annotations

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from portals import Catalog
from worlds import OWNED, world

from portal.errors import InputError
from portal.model.access_rule import access_rule_of
from portal.model.entity import ref_of
from portal.model.expression import ACTOR_VARIABLES, Expression
from portal.model.permission import Conditional
from portal.model.permission_names import PERMISSIONS
from portal.model.permission_rules import entity_filter
from portal.model.query import EntityQuery
from portal.model.ref import EntityRef
from portal.services.identity import ANYBODY
from portal.services.permission import Question

KEPT = """
apiVersion: portal/v1alpha1
kind: Policy
metadata: {name: backbone-kept}
spec:
  owner: security
  rule: acme/backbone-kept
  effect: deny
  permissions: [catalog.entity.delete, catalog.entity.refresh]
  layers: [backbone]
  who: '!("role:default/security" in actor.roles)'
  explanation: The backbone is kept by security.
  fix: Ask group:default/security.
"""
HELD = """
apiVersion: portal/v1alpha1
kind: Policy
metadata: {name: stewards-refresh}
spec:
  owner: security
  rule: acme/stewards-refresh
  effect: allow
  permissions: [catalog.entity.refresh]
  kinds: [Component]
  conditions: {anyOf: [{rule: HAS_SPEC, params: {key: type, value: service}}]}
  who: actor.claims.exists(ref, ref == "group:default/checks")
  explanation: Who checks may read anew.
  fix: Join group:default/checks.
"""
HIDDEN = """
apiVersion: portal/v1alpha1
kind: Policy
metadata: {name: backbone-hidden}
spec:
  owner: security
  rule: acme/backbone-hidden
  effect: deny
  permissions: [catalog.entity.read]
  layers: [backbone]
  who: '!("group:default/team" in actor.claims)'
  explanation: The backbone is for the team.
  fix: Join group:default/team.
"""
CLOSED = """
apiVersion: portal/v1alpha1
kind: Policy
metadata: {name: registering-closed}
spec:
  owner: security
  rule: acme/registering-closed
  effect: deny
  permissions: ['catalog.location.*']
  explanation: Locations come by settings alone.
  fix: Ask group:default/platform.
"""


def _decide(opened, actor, name, resource=None):
    (answer,) = opened.portal.access.permission.authorize([Question("", PERMISSIONS[name], resource)], actor)
    return answer


def _allowed(opened, actor, name, resource=None):
    return _decide(opened, actor, name, resource).decision == "ALLOW"


@pytest.fixture
def bent(tmp_path, database_url):
    with world(tmp_path, database=database_url, extra=f"{KEPT}---{HELD}---{HIDDEN}---{CLOSED}") as opened:
        yield opened


def test_a_rule_takes_what_its_owner_had(bent):
    for name in ("owner", "admin"):
        assert not _allowed(bent, bent.actor(name), "catalog.entity.delete", OWNED)
        assert _allowed(bent, bent.actor(name), "catalog.entity.delete", "component:default/app")
    answer = _decide(bent, bent.actor("owner"), "catalog.entity.delete", OWNED)
    assert "policy:default/backbone-kept says: The backbone is kept by security." in answer.reason
    # Who is not meant by it has what they had: nothing.
    assert not _allowed(bent, bent.actor("approver"), "catalog.entity.delete", OWNED)


def test_a_rule_gives_what_nobody_had(bent):
    steward = bent.actor("steward")
    assert _allowed(bent, steward, "catalog.entity.refresh", "component:default/app")
    assert not _allowed(bent, steward, "catalog.entity.refresh", "system:default/net")
    assert not _allowed(bent, bent.actor("member"), "catalog.entity.refresh", "component:default/app")


def test_what_is_taken_counts_more_than_what_is_given(bent):
    assert not _allowed(bent, bent.actor("steward"), "catalog.entity.refresh", OWNED)


def test_a_rule_on_whole_permissions_binds_everybody(bent):
    for name in ("owner", "admin"):
        answer = _decide(bent, bent.actor(name), "catalog.location.create")
        assert (answer.decision, answer.reason) == (
            "DENY",
            "policy:default/registering-closed says: Locations come by settings alone. Ask group:default/platform.",
        )


def test_locations_that_may_not_be_read_stand_on_no_page(bent):
    bent.portal.locations.register("url", "https://git.example.com/not/there")
    answer = bent.client.get("/register", headers=bent.as_user("owner"))
    assert (answer.status_code, "not/there" in answer.text) == (200, False)


@pytest.mark.parametrize("name", ["member", "owner", None])
def test_what_may_be_read_is_the_same_one_by_one_and_as_a_set(bent, name):
    actor = ANYBODY if name is None else bent.actor(name)
    catalog = bent.portal.catalog
    refs = sorted(bent.portal.ownership.nodes([EntityRef(ref) for ref in _all_refs(bent)]))
    one_by_one = {ref for ref in refs if _allowed(bent, actor, "catalog.entity.read", ref)}
    decision = _decide(bent, actor, "catalog.entity.read").decision
    if isinstance(decision, Conditional):
        page = catalog.query(EntityQuery(entity_filter(decision.criteria)), limit=1000)
        as_a_set = set(_refs_of(page.bodies))
    else:
        as_a_set = set(refs) if decision == "ALLOW" else set()
    assert one_by_one == as_a_set
    hidden = {"system:default/net", OWNED}
    assert hidden.isdisjoint(as_a_set) is (name != "owner")
    assert "component:default/app" in as_a_set


def test_a_rule_means_whoever_has_signed_in(bent):
    path = "/api/catalog/entities/by-name/system/default/net"
    found = {name: bent.client.get(path, headers=bent.as_user(name)).status_code for name in ("owner", "member")}
    assert found == {"owner": 200, "member": 404}


def _all_refs(opened):
    return _refs_of(opened.portal.catalog.query(EntityQuery(), limit=1000).bodies)


def _refs_of(bodies):
    return [ref_of(orjson.loads(body)) for body in bodies]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"effect": "perhaps"}, "one of allow, deny"),
        ({"effect": None}, '"allow" or "deny"'),
        ({"permissions": "[catalog.entity.destroy]"}, "the name of a permission"),
        ({"permissions": None}, "a list of names of permissions"),
        ({"who": "1 + 1"}, "a condition in CEL on actor"),
        ({"who": "actor.claims.exists("}, "a condition in CEL on actor"),
        ({"who": "entity.kind == 'Component'"}, "a condition in CEL on actor"),
        ({"conditions": "{rule: HAS_NOTHING}"}, "conditions on entities"),
        ({"conditions": "{rule: HAS_LABEL, params: {}}"}, "conditions on entities"),
        ({"permissions": "['catalog.*']", "layers": "[low]"}, "permissions on entities alone beside it"),
        ({"expression": "'true'"}, "no expression beside an effect"),
        ({"explanation": None}, "a sentence that says why"),
        ({"rule": "portal/mine"}, "the id of a new rule"),
    ],
)
def test_a_malformed_rule_is_a_problem_at_its_line(catalog: Catalog, repo, change, told):
    spec = {
        "owner": "team",
        "rule": "acme/mine",
        "effect": "deny",
        "permissions": "[catalog.entity.delete]",
        "explanation": "Because.",
        "fix": "Ask.",
    } | change
    # Block style: some of the values hold what ends a flow mapping.
    lines = "\n".join(f"  {name}: {value}" for name, value in spec.items() if value is not None)
    text = f"apiVersion: portal/v1alpha1\nkind: Policy\nmetadata: {{name: mine}}\nspec:\n{lines}\n"
    source = repo({"catalog-info.yaml": text})
    report = catalog.ingest(f"{source.url}#main:catalog-info.yaml")
    assert any(told in str(problem) for problem in report.problems), report.problems
    assert "policy:default/mine" not in catalog.refs()


def test_a_rule_on_access_is_no_rule_for_assets(bent):
    assert [found for found in bent.portal.ownership.findings() if found.ref.kind == "policy"] == []


def test_what_cannot_be_told_is_decided_against_the_actor():
    seen = {"type": "user", "ref": "user:default/ann", "claims": [], "roles": []}
    for effect in ("allow", "deny"):
        rule = _rule(effect=effect, who="actor.nothing == 1")
        assert rule.holds_for(seen) is (effect == "deny")


@given(st.text(max_size=80))
def test_any_text_is_a_condition_or_an_input_error(text):
    try:
        found = Expression(text, variables=ACTOR_VARIABLES)
    except InputError:
        return
    assert found.text == text


def _rule(**spec):
    declared = {
        "kind": "Policy",
        "metadata": {"name": "p"},
        "spec": {"rule": "acme/p", "permissions": ["catalog.entity.delete"], "explanation": "e", "fix": "f"} | spec,
    }
    return access_rule_of(declared, EntityRef("policy:default/p"))


def test_names_are_patterns():
    rule = _rule(effect="deny", permissions=["catalog.entity.*"])
    spoken = {name for name, permission in PERMISSIONS.items() if rule.speaks_of(permission)}
    assert spoken == {name for name in PERMISSIONS if name.startswith("catalog.entity.")}
