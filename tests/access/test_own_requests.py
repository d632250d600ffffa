"""A step that asks Portal itself may do what whoever runs the template may, and nothing more."""

from __future__ import annotations

import json

import pytest
from acting import Runner
from catalogs import documents
from waiting import eventually
from worlds import OWNED, world

from portal.actions.request import BackstageRequest
from portal.api.edge import ACTOR
from portal.errors import ActionError, InputError, NotAllowedError
from portal.model.secret import Secret

STEP = """
apiVersion: scaffolder.backstage.io/v1beta3
kind: Template
metadata: {{name: {name}}}
spec:
  type: service
  owner: team
  steps:
    - {{id: ask, action: http:backstage:request, input: {input}}}
  output: {{code: "${{{{ steps.ask.output.code }}}}", body: "${{{{ steps.ask.output.body }}}}"}}
"""
ASKING = STEP.format(name="asking", input="{method: GET, path: catalog/entities/by-name/component/default/thing}")
WRITING = STEP.format(
    name="writing",
    input='{method: POST, path: catalog/refresh, body: {entityRef: "component:thing"}, continueOnBadResponse: true}',
)
TOKENS = STEP.format(name="tokens", input="{method: POST, path: auth/v1/tokens, body: {scopes: [catalog:read]}}")


@pytest.fixture(scope="module")
def organisation(tmp_path_factory):
    extra = documents(ASKING, WRITING, TOKENS)
    with world(tmp_path_factory.mktemp("world"), extra=extra) as opened:
        opened.portal.start()
        yield opened


@pytest.fixture
def ask(organisation, tmp_path):
    """Run the action as a person, in no task."""
    action = organisation.portal.tasks.scaffolding._actions[BackstageRequest.id]
    run = Runner(tmp_path)

    def do(given, *, name="owner", **more):
        return run(action, given, user={"ref": f"user:default/{name}"} if name else {}, **more)

    return do


def run_task(organisation, template, headers):
    answer = organisation.client.post(
        "/api/scaffolder/v2/tasks", json={"templateRef": f"template:{template}", "values": {}}, headers=headers
    )
    assert answer.status_code == 201, answer.text
    events = list(organisation.portal.serving_tasks.event_stream(answer.json["id"]))
    return events[-1]["body"], "\n".join(str(event["body"].get("message")) for event in events)


def test_a_task_reads_the_catalog_as_its_creator(organisation):
    done, told = run_task(organisation, "asking", organisation.as_user("member"))
    assert done["output"]["code"] == 200
    assert done["output"]["body"]["metadata"]["name"] == "thing"
    assert "against catalog/entities/by-name/component/default/thing" in told


@pytest.mark.parametrize(("name", "code"), [("owner", 200), ("member", 403), ("admin", 200)])
def test_a_task_writes_what_its_creator_may_write(organisation, name, code):
    done, _ = run_task(organisation, "writing", organisation.as_user(name))
    assert done["output"]["code"] == code
    if code == 403:
        assert "catalog.entity.refresh" in done["output"]["body"]["error"]["message"]


def test_what_a_task_does_is_remembered_as_its_creators(organisation):
    run_task(organisation, "writing", organisation.as_user("member"))
    query = "/api/audit?actor=user:default/member&action=entity.refresh"
    admin = organisation.as_user("admin")
    found = eventually(lambda: organisation.client.get(query, headers=admin).json["items"], "a record")
    assert found[0]["result"] == "refused"


def test_a_token_limits_the_tasks_that_it_begins(organisation):
    made = organisation.client.post(
        "/api/auth/v1/tokens",
        json={"scopes": ["templates:run", "templates:read", "catalog:read"]},
        headers=organisation.as_user("owner"),
    )
    assert made.status_code in {200, 201}, made.text
    done, _ = run_task(organisation, "writing", {"authorization": f"Bearer {made.json['token']}"})
    assert done["output"]["code"] == 403


def test_a_task_gets_no_tokens(organisation):
    done, _ = run_task(organisation, "tokens", organisation.as_user("owner"))
    assert done["error"]["name"] == "NotAllowedError"
    assert "templates get no tokens" in done["error"]["message"]


def test_the_answer_is_told_with_code_headers_and_body(ask):
    output, lines = ask(
        {"method": "GET", "path": "/api/catalog/entities", "params": {"filter": "kind=system", "limit": 1}}
    )
    assert lines == ["Creating GET request with http:backstage:request scaffolder action against /api/catalog/entities"]
    assert output["code"] == 200
    assert [entity["metadata"]["name"] for entity in output["body"]] == ["net"]
    assert output["headers"]["content-type"].startswith("application/json")
    output, lines = ask({"method": "GET", "path": "catalog/entity-facets?facet=kind", "logRequestPath": False})
    assert "facets" in output["body"]
    assert "facet" not in lines[0]
    output, _ = ask({"method": "HEAD", "path": "catalog/entities"})
    assert output["body"] == {"message": ""}


def test_an_answer_of_400_and_above_fails_the_step_unless_it_goes_on(ask):
    missing = {"method": "GET", "path": "catalog/entities/by-name/component/default/absent"}
    with pytest.raises(ActionError, match="Unable to complete request: 404 "):
        ask(missing)
    assert ask(missing | {"continueOnBadResponse": True})[0]["code"] == 404


def test_bodies_are_sent_as_json_or_as_they_are(ask):
    body = {"entityRefs": [OWNED]}
    for sent in (body, json.dumps(body)):
        output, _ = ask(
            {
                "method": "POST",
                "path": "catalog/entities/by-refs",
                "body": sent,
                "headers": {"Content-Type": "application/json"},
            }
        )
        assert output["body"]["items"][0]["metadata"]["name"] == "thing"


def test_nobody_is_asked_for_by_headers_of_a_step(ask):
    # Nor does what a client could send name anybody: only this process can hand an actor over.
    for headers in (
        {"Host": "evil.example"},
        {"Cookie": "x=y", "X-Forwarded-Host": "evil"},
        {"Origin": "https://evil"},
    ):
        assert ask({"method": "GET", "path": "catalog/entities", "headers": headers})[0]["code"] == 200
    refused, _ = ask(
        {
            "method": "POST",
            "path": "catalog/refresh",
            "body": {"entityRef": OWNED},
            "headers": {ACTOR: "user:default/owner", "portal_actor": "x"},
            "continueOnBadResponse": True,
        },
        name="member",
    )
    assert refused["code"] == 403
    with pytest.raises(InputError, match="cannot be sent"):
        ask({"method": "GET", "path": "catalog/entities", "headers": {"a": "b\r\nAuthorization: c"}})


def test_a_token_of_the_step_goes_before_the_person(organisation, ask):
    token = organisation.as_user("owner")["authorization"]
    refresh = {"method": "POST", "path": "catalog/refresh", "body": {"entityRef": OWNED}}
    assert ask(refresh | {"headers": {"Authorization": token}}, name="member")[0]["code"] == 200
    secrets = {"backstageToken": Secret(token.removeprefix("Bearer "))}
    assert ask(refresh | {"useBackstageToken": True}, name="member", secrets=secrets)[0]["code"] == 200
    with pytest.raises(ActionError, match="401"):
        ask(refresh | {"headers": {"Authorization": "Bearer nonsense"}}, name="owner")


def test_who_is_nobody_asks_as_nobody(ask):
    with pytest.raises(ActionError, match="401"):
        ask({"method": "POST", "path": "catalog/refresh", "body": {"entityRef": OWNED}}, name="")


def test_in_a_dry_run_nothing_is_written(ask):
    write = {"method": "POST", "path": "catalog/refresh", "body": {"entityRef": OWNED}}
    output, lines = ask(write, is_dry_run=True)
    assert output == {}
    assert lines[-1] == "Dry run mode. Skipping non dry-run safe method 'POST' request"
    assert ask({"method": "GET", "path": "catalog/entities"}, is_dry_run=True)[0]["code"] == 200


@pytest.mark.parametrize(
    ("path", "error"),
    [
        ("https://evil.example/x", NotAllowedError),
        ("//evil.example/x", NotAllowedError),
        ("%2f%2fevil.example/x", NotAllowedError),
        ("catalog\\entities", NotAllowedError),
        ("catalog/entities\r\nX: y", NotAllowedError),
        ("auth/v1/tokens", NotAllowedError),
        ("/api/auth/v1/tokens", NotAllowedError),
        ("%61uth/v1/tokens", NotAllowedError),
        ("catalog/../auth/v1/tokens", InputError),
        ("catalog/%2e%2e/auth/v1/tokens", InputError),
        ("api/api/auth/v1/tokens", ActionError),
        ("catalog//entities", InputError),
        ("", InputError),
        ("no-such-plugin/x", ActionError),
    ],
)
def test_nothing_but_portals_own_api_is_asked(ask, path, error):
    with pytest.raises(error):
        ask({"method": "GET", "path": path})


def test_what_never_ends_is_not_waited_for(ask):
    with pytest.raises(ActionError, match="a stream, which does not end"):
        ask({"method": "GET", "path": "catalog/changes/events"})
    for timeout in (0, -1, 600_001):
        with pytest.raises(InputError, match="timeout"):
            ask({"method": "GET", "path": "catalog/entities", "timeout": timeout})
