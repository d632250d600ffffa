"""What people are refused over HTTP, in which words; what templates give to whom."""

from __future__ import annotations

import orjson
import pytest
from click.testing import CliRunner
from repositories import Repository
from worlds import OWNED, TEMPLATE, world

from portal.cli.main import main
from portal.errors import NotAllowedError, NotFoundError
from portal.model.permission import Condition, EveryOf, NoneOf, SomeOf
from portal.model.permission_names import SCAFFOLDER_TASK
from portal.model.ref import EntityRef
from portal.model.resource_rules import resource_test
from portal.services.catalog import CatalogService
from portal.services.explanation import Sought
from portal.services.task_query import TaskQuery

HIDDEN = """
apiVersion: portal/v1alpha1
kind: Policy
metadata: {name: hidden}
spec:
  owner: security
  rule: acme/hidden
  effect: deny
  permissions: [catalog.entity.read]
  conditions: {rule: HAS_METADATA, params: {key: name, value: secret}}
  who: '!("group:default/platform" in actor.claims)'
  explanation: Secret.
  fix: Ask nobody.
---
apiVersion: backstage.io/v1alpha1
kind: Component
metadata: {name: secret}
spec: {type: service, lifecycle: production, owner: team}
"""
TEAM, OWNERS = "group:default/team", "its owners may, members of groups below them, and admins"
SHARED = """
apiVersion: backstage.io/v1alpha1
kind: Component
metadata: {name: ours}
spec: {type: service, lifecycle: production, owner: team}
---
apiVersion: backstage.io/v1alpha1
kind: Component
metadata: {name: theirs}
spec: {type: service, lifecycle: production, owner: others}
"""


@pytest.fixture(scope="module")
def opened(tmp_path_factory):
    with world(tmp_path_factory.mktemp("refusals"), extra=HIDDEN) as found:
        found.portal.jobs.start(worker=False)
        yield found


def _error(answer):
    return answer.status_code, answer.json["error"]["name"], answer.json["error"]["message"]


def _refresh(opened, who, ref):
    headers = opened.as_user(who) if who else {}
    return opened.client.post("/api/catalog/refresh", json={"entityRef": ref}, headers=headers)


def test_a_refusal_names_permission_resource_owner_and_reason(opened):
    assert _error(_refresh(opened, "member", OWNED)) == (
        403,
        "NotAllowedError",
        f"user:default/member may not use catalog.entity.refresh on {OWNED} (owned by {TEAM}): {OWNERS}",
    )
    status, name, message = _error(_refresh(opened, None, OWNED))
    assert (status, name) == (401, "AuthenticationError")
    assert "catalog.entity.refresh" in message
    assert "guests may only read here; sign in" in message


def test_what_may_not_be_read_is_answered_as_not_there(opened):
    hidden = _error(_refresh(opened, "owner", "component:default/secret"))
    missing = _error(_refresh(opened, "owner", "component:default/ghost"))
    assert hidden == (404, "NotFoundError", "Entity component:default/secret not found")
    assert missing == (404, "NotFoundError", "Entity component:default/ghost not found")
    secret = CatalogService(opened.portal.database.whole).body(EntityRef("component:default/secret"))
    uid = orjson.loads(secret)["metadata"]["uid"]
    answers = [
        opened.client.delete(f"/api/catalog/entities/by-uid/{one}", headers=opened.as_user("member"))
        for one in (uid, "ghost")
    ]
    assert [_error(answer) for answer in answers] == [
        (404, "NotFoundError", f"No entity with uid {uid}"),
        (404, "NotFoundError", "No entity with uid ghost"),
    ]
    found = opened.client.get(
        "/api/permission/explain?permission=catalog.entity.delete&resourceRef=component:default/secret",
        headers=opened.as_user("member"),
    )
    assert _error(found)[0] == 404


def test_a_token_for_refreshing_alone_refreshes(opened):
    require = opened.portal.access.explanation.require
    token = opened.actor("owner", scopes=frozenset({"catalog.entity.refresh"}))

    def about(ref):
        return lambda: Sought((ref,), f"Entity {ref} not found")

    require(token, "catalog.entity.refresh", about(OWNED))
    with pytest.raises(NotAllowedError, match=r"^user:default/owner may not use catalog.entity.delete: the token"):
        require(token, "catalog.entity.delete", about(OWNED))
    with pytest.raises(NotFoundError):
        require(token, "catalog.entity.refresh", about("component:default/secret"))


def test_a_location_is_removed_by_who_owns_all_that_it_brought(opened):
    source = Repository(opened.portal.settings.repositories / "shared")
    source.commit({"catalog-info.yaml": SHARED})
    place = opened.portal.locations.register("url", source.url).location
    path = f"/api/catalog/locations/{place.id}"
    status, _, message = _error(opened.client.delete(path, headers=opened.as_user("owner")))
    assert status == 403
    assert "catalog.entity.delete on component:default/theirs (owned by group:default/others)" in message
    assert "ours" not in message
    moved = {"type": "url", "target": f"{source.url}#main:other.yaml"}
    assert opened.client.put(path, json=moved, headers=opened.as_user("owner")).status_code == 403
    source.commit({"catalog-info.yaml": SHARED.partition("---")[0]})
    opened.portal.refresh.refresh()
    assert opened.client.delete(path, headers=opened.as_user("owner")).status_code == 204


def test_who_lacks_a_group_registers_nothing(opened):
    body = {"type": "url", "target": "https://example.com/x.yaml"}
    answer = opened.client.post("/api/catalog/locations?dryRun=true", json=body, headers=opened.as_user("lone"))
    status, _, message = _error(answer)
    assert (status, "members of a group may" in message) == (403, True)


def _form(opened, who):
    answer = opened.client.get(
        "/api/scaffolder/v2/templates/default/template/make/parameter-schema", headers=opened.as_user(who)
    )
    return [page["title"] for page in answer.json["steps"]]


def _begin(opened, who, owner):
    body = {"templateRef": TEMPLATE, "values": {"owner": owner}}
    return opened.client.post("/api/scaffolder/v2/tasks", json=body, headers=opened.as_user(who))


def test_parts_of_a_template_are_for_those_whom_their_tags_name(opened):
    assert _form(opened, "owner") == ["What"]
    assert _form(opened, "approver") == ["What", "For security"]
    for who, steps in (("owner", ["say"]), ("approver", ["say", "more"])):
        owner = {"owner": "group:default/team", "approver": "group:default/security"}[who]
        task = opened.portal.scaffolding.get_task(_begin(opened, who, owner).json["id"])
        assert [step["id"] for step in task["spec"]["steps"]] == steps
        assert "permittedActions" not in task["spec"]


@pytest.mark.parametrize(
    ("who", "owner", "status"),
    [
        ("owner", "group:default/team", 201),
        ("deputy", "group:default/team", 201),
        ("helper", "group:default/team", 201),
        ("helper", "group:default/squad", 403),
        ("admin", "group:default/team", 201),
        ("member", "group:default/team", 403),
        ("member", "user:default/member", 201),
        ("member", "user:default/owner", 403),
        ("lone", "user:default/lone", 403),
    ],
)
def test_people_create_for_their_groups_and_those_they_act_for(opened, who, owner, status):
    before = len(opened.portal.scaffolding.list_tasks(TaskQuery())[0])
    answer = _begin(opened, who, owner)
    assert answer.status_code == status, answer.text
    assert len(opened.portal.scaffolding.list_tasks(TaskQuery())[0]) == before + (status == 201)
    if status == 403 and who != "lone":
        assert f"portal.asset.create on {owner}" in answer.json["error"]["message"]


def test_tasks_are_listed_and_read_by_who_began_them(opened):
    mine = _begin(opened, "member", "group:default/others").json["id"]
    listed = {
        who: {
            task["id"]
            for task in opened.client.get("/api/scaffolder/v2/tasks", headers=opened.as_user(who)).json["tasks"]
        }
        for who in ("member", "owner", "admin")
    }
    assert mine in listed["member"]
    assert mine in listed["admin"]
    assert mine not in listed["owner"]
    path = f"/api/scaffolder/v2/tasks/{mine}"
    status, _, message = _error(opened.client.post(f"{path}/cancel", headers=opened.as_user("owner")))
    assert (status, f"scaffolder.task.cancel on {mine}" in message) == (403, True)
    ghost = opened.client.get("/api/scaffolder/v2/tasks/ghost", headers=opened.as_user("owner"))
    assert _error(ghost) == (404, "NotFoundError", "No task with id 'ghost' found")
    total = opened.client.get(
        "/api/scaffolder/v2/tasks?createdBy=user:default/member", headers=opened.as_user("owner")
    ).json
    assert (total["tasks"], total["totalTasks"]) == ([], 0)


def test_criteria_on_tasks_mean_the_same_in_the_database(opened):
    for who, owner in (("owner", "group:default/team"), ("member", "group:default/others")):
        _begin(opened, who, owner)
    opened.portal.scaffolding.create_task("make", {"owner": "group:default/team"})
    everything, _ = opened.portal.scaffolding.list_tasks(TaskQuery())
    of = {
        name: Condition("IS_TASK_OWNER", SCAFFOLDER_TASK, {"createdBy": [f"user:default/{name}"]})
        for name in ("owner", "member")
    }
    for criteria in (
        of["owner"],
        NoneOf(of["owner"]),
        SomeOf((of["owner"], of["member"])),
        EveryOf((of["owner"], NoneOf(of["owner"]))),
        NoneOf(SomeOf((of["owner"], of["member"]))),
        Condition("IS_TASK_OWNER", SCAFFOLDER_TASK, {"createdBy": []}),
    ):
        test = resource_test(criteria, SCAFFOLDER_TASK)
        found, total = opened.portal.scaffolding.list_tasks(TaskQuery(permitted=criteria))
        assert [task["id"] for task in found] == [task["id"] for task in everything if test(task)]
        assert total == len(found)


def test_people_are_told_of_themselves_and_admins_of_everybody(opened):
    path = "/api/permission/explain?permission=catalog.entity.delete&resourceRef=component:default/thing"
    about_me = opened.client.get(path, headers=opened.as_user("deputy")).json
    assert (about_me["result"], about_me["owners"]) == ("ALLOW", ["group:default/team"])
    other = f"{path}&actor=owner"
    assert _error(opened.client.get(other, headers=opened.as_user("deputy")))[0] == 403
    assert opened.client.get(other, headers=opened.as_user("admin")).json["actor"] == "user:default/owner"
    assert opened.client.get(f"{path}&actor=deputy", headers=opened.as_user("deputy")).status_code == 200
    odd = opened.client.get("/api/permission/explain?permission=odd", headers=opened.as_user("deputy"))
    assert _error(odd)[0] == 400


def test_the_command_line_explains(opened, monkeypatch):
    monkeypatch.setenv("PORTAL_ADMINS", "platform")
    data = ["--data", str(opened.portal.settings.data)]

    def run(*arguments):
        result = CliRunner().invoke(main, [*data, "policy", "explain", *arguments])
        assert result.exit_code == 0, result.output
        return result.output

    assert run("member", "catalog.entity.delete", OWNED).splitlines()[:2] == [
        f"user:default/member may not use catalog.entity.delete on component:default/thing: {OWNERS}",
        f"owners: {TEAM}",
    ]
    assert "owner may use catalog.entity.delete" in run("owner", "catalog.entity.delete", OWNED)
    assert '"result": "DENY"' in run("lone", "catalog.location.create", "--json")
    assert "a service may do what its token allows" in run("service:ci", "portal.reorg.write")


def test_a_token_of_somebody_whom_the_catalog_does_not_know_reads_alone(opened):
    token = opened.portal.access.identity.tokens.issue(EntityRef("user:default/stranger"))
    headers = {"authorization": f"Bearer {token.text}"}
    assert opened.client.get("/api/catalog/entities", headers=headers).status_code == 200
    for method, path in (("POST", "/api/catalog/locations"), ("POST", "/api/scaffolder/v2/tasks")):
        assert opened.client.open(path, method=method, json={}, headers=headers).status_code == 403
