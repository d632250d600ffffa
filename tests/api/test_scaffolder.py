"""The scaffolder over HTTP, as Backstage's clients use it."""

from __future__ import annotations

import base64
import json

import pytest
from flask import Flask
from scaffolds import Asker, scaffold, template
from waiting import eventually

from portal.api.errors import register_error_handlers
from portal.api.scaffolder import scaffolder_blueprint

FORM = {"title": "One", "required": ["n"], "properties": {"n": {"type": "string", "minLength": 2}}}


@pytest.fixture
def portal(tmp_path, repo):
    with scaffold(f"sqlite:///{tmp_path / 'portal.db'}", tmp_path / "data") as opened:
        entity = template("known", [{"id": "e", "action": "test:echo", "input": {"x": 1}}], parameters=FORM)
        breaks = template(
            "breaks",
            [{"action": "fetch:plain", "input": {"url": "./skel"}}, {"action": "test:fail"}],
            parameters=FORM,
        )
        gated = template("gated", [{"id": "g", "action": "test:gate", "input": {"name": "g"}}])
        documents = "\n---\n".join(map(json.dumps, (entity, breaks, gated)))
        source = repo({"catalog-info.yaml": documents, "skel/a.txt": "text"})
        opened.ingest(f"{source.url}#main:catalog-info.yaml")
        yield opened


@pytest.fixture
def client(portal):
    app = Flask("test")
    blueprint = scaffolder_blueprint(portal.service, access=Asker("ann"), dry_runs=portal.dry_runs)
    app.register_blueprint(blueprint)
    register_error_handlers(app)
    return app.test_client()


def post(client, body):
    return client.post("/api/scaffolder/v2/tasks", json=body)


def create(client, name="known", **values):
    answer = post(client, {"templateRef": name, "values": values})
    assert answer.status_code == 201, answer.text
    return answer.json["id"]


def frames(answer):
    found = []
    for frame in answer.text.split("\n\n")[:-1]:
        number, event, data = frame.split("\n")
        found.append((event.removeprefix("event: "), json.loads(data.removeprefix("data: "))))
        assert number == f"id: {found[-1][1]['id']}"
    return found


def test_a_task_is_made_followed_and_read(client):
    task_id = create(client, n="ab")
    answer = client.get(f"/api/scaffolder/v2/tasks/{task_id}/eventstream")
    assert answer.headers["Content-Type"].startswith("text/event-stream")
    assert answer.headers["Cache-Control"] == "no-cache"
    told = frames(answer)
    assert [name for name, _ in told] == ["log", "log", "log", "completion"]
    assert [name for name, _ in frames(client.get(f"/api/scaffolder/v2/tasks/{task_id}/eventstream?after=999999"))] == [
        "completion"
    ]
    assert client.get(f"/api/scaffolder/v2/tasks/{task_id}/events").json == [event for _, event in told]
    task = client.get(f"/api/scaffolder/v2/tasks/{task_id}").json
    assert (task["status"], task["createdBy"], task["spec"]["parameters"]) == (
        "completed",
        "user:default/ann",
        {"n": "ab"},
    )
    listed = client.get("/api/scaffolder/v2/tasks?createdBy=user:default/ann&limit=5&offset=0").json
    assert (listed["totalTasks"], [item["id"] for item in listed["tasks"]]) == (1, [task_id])


def test_values_that_do_not_fit_are_told_as_clients_read_them(client):
    answer = post(client, {"templateRef": "known", "values": {"n": "a"}})
    assert answer.status_code == 400
    assert [(error["property"], error["message"]) for error in answer.json["errors"]] == [
        ("instance.n", "does not meet minimum length of 2")
    ]


@pytest.mark.parametrize(
    ("body", "status", "name"),
    [
        ({"values": {}}, 400, "InputError"),
        ({"templateRef": "known"}, 400, "InputError"),
        ({"templateRef": "known", "values": []}, 400, "InputError"),
        ({"templateRef": "template:default/any", "values": {}, "secrets": {"a": 1}}, 400, "InputError"),
        ({"templateRef": "component:default/known", "values": {}}, 400, "InputError"),
        ({"templateRef": ":::", "values": {}}, 400, "InputError"),
        ({"templateRef": "template:default/ghost", "values": {}}, 404, "NotFoundError"),
    ],
)
def test_requests_that_cannot_be_understood_are_refused(client, body, status, name):
    answer = post(client, body)
    assert (answer.status_code, answer.json["error"]["name"]) == (status, name)
    assert client.get("/api/scaffolder/v2/tasks").json["totalTasks"] == 0


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("tasks?bogus=1", 400),
        ("tasks?order=created_at", 400),
        ("tasks?order=asc:id", 400),
        ("tasks?limit=-1", 400),
        ("tasks?limit=x", 400),
        ("tasks?limit=0", 200),
        ("tasks?status=odd", 200),
        ("tasks/absent", 404),
        ("tasks/absent/events", 404),
        ("tasks/absent/eventstream", 404),
        ("tasks/absent/events?after=x", 400),
    ],
)
def test_queries_are_checked(client, path, status):
    assert client.get(f"/api/scaffolder/v2/{path}").status_code == status


def test_a_running_task_is_cancelled_and_fails(client, portal):
    task_id = create(client, "gated")
    eventually((portal.folder / "notes").exists, "the gate")
    answer = client.post(f"/api/scaffolder/v2/tasks/{task_id}/cancel")
    assert (answer.status_code, answer.json) == (200, {"status": "cancelled"})
    told = frames(client.get(f"/api/scaffolder/v2/tasks/{task_id}/eventstream"))
    assert {"cancelled", "completion"} <= {name for name, _ in told}
    assert client.get(f"/api/scaffolder/v2/tasks/{task_id}").json["status"] == "failed"
    assert client.post(f"/api/scaffolder/v2/tasks/{task_id}/cancel").status_code == 200
    assert client.post("/api/scaffolder/v2/tasks/absent/cancel").status_code == 404


def test_the_form_of_a_template_is_served(client):
    answer = client.get("/api/scaffolder/v2/templates/default/Template/known/parameter-schema")
    assert answer.json == {"title": "known", "steps": [{"title": "One", "schema": FORM}]}
    assert client.get("/api/scaffolder/v2/templates/default/component/known/parameter-schema").status_code == 400
    assert client.get("/api/scaffolder/v2/templates/default/template/ghost/parameter-schema").status_code == 404


def test_the_actions_are_listed_with_schemas_and_examples(client):
    actions = {action["id"]: action for action in client.get("/api/scaffolder/v2/actions").json}
    assert list(actions) == sorted(actions)
    assert actions["fetch:template"]["schema"]["input"]["required"] == ["url"]
    assert actions["publish:git"]["schema"]["output"]["properties"].keys() == {
        "remoteUrl",
        "repoContentsUrl",
        "commitHash",
    }
    assert "action: debug:log" in actions["debug:log"]["examples"][0]["example"]


def test_a_stream_goes_on_after_the_last_event_that_the_client_was_told(client):
    task_id = create(client, n="ab")
    path = f"/api/scaffolder/v2/tasks/{task_id}/eventstream"
    told = [event for _, event in frames(client.get(path))]
    second = str(told[1]["id"])
    for query, header, expected in (
        ("", second, told[2:]),
        (f"?after={second}", "", told[2:]),
        (f"?after={told[0]['id']}", second, told[2:]),
        (f"?after={second}", str(told[0]["id"]), told[2:]),
        ("", str(told[-1]["id"]), told[-1:]),
    ):
        answer = client.get(path + query, headers={"Last-Event-ID": header})
        assert [event for _, event in frames(answer)] == expected
    assert client.get(path, headers={"Last-Event-ID": "x"}).status_code == 400


def test_a_task_that_is_over_is_retried(client, portal):
    task_id = create(client, "gated")
    eventually((portal.folder / "notes").exists, "the gate")
    path = f"/api/scaffolder/v2/tasks/{task_id}"
    refused = client.post(f"{path}/retry", json={})
    assert (refused.status_code, refused.json["error"]["name"]) == (409, "ConflictError")
    client.post(f"{path}/cancel")
    frames(client.get(f"{path}/eventstream"))
    (portal.folder / "open-g").touch()
    answer = client.post(f"{path}/retry", json={"secrets": {"a": "b"}})
    assert (answer.status_code, answer.json) == (201, {"id": task_id})
    assert [name for name, _ in frames(client.get(f"{path}/eventstream"))].count("completion") == 1
    assert client.get(path).json["status"] == "completed"
    assert client.post(f"{path}/retry").status_code == 201  # the body may be missing
    assert client.post("/api/scaffolder/v2/tasks/absent/retry", json={}).status_code == 404
    assert client.post(f"{path}/retry", json={"secrets": {"a": 1}}).status_code == 400
    assert client.post(f"{path}/retry", json=[]).status_code == 400


def try_out(client, steps, files=None, **body):
    asked = {
        "template": template("t", steps, output={"x": "${{ steps.e.output.x }}"}),
        "values": {},
        "directoryContents": [
            {"path": path, "base64Content": base64.b64encode(content).decode()}
            for path, content in (files or {}).items()
        ],
    }
    return client.post("/api/scaffolder/v2/dry-run", json=asked | body)


def test_a_dry_run_answers_as_the_template_editor_reads_it(client):
    steps = [
        {"action": "fetch:plain", "input": {"url": "./skel"}},
        {"id": "e", "action": "test:echo", "input": {"x": 5}},
    ]
    answer = try_out(client, steps, {"skel/a.txt": b"text", "skel/b.bin": b"\0\xff"})
    assert answer.status_code == 200, answer.text
    assert answer.json.keys() == {"log", "directoryContents", "output", "steps"}
    assert answer.json["directoryContents"] == [
        {"path": "a.txt", "base64Content": base64.b64encode(b"text").decode(), "executable": False},
        {"path": "b.bin", "base64Content": base64.b64encode(b"\0\xff").decode(), "executable": False},
    ]
    assert answer.json["output"] == {"x": 5}
    assert [(step["id"], step["name"]) for step in answer.json["steps"]] == [
        ("step-1", "fetch:plain"),
        ("e", "test:echo"),
    ]
    assert answer.json["log"][0] == {"body": {"message": "Starting up task with 2 steps"}}
    assert {"body": {"message": "Beginning step test:echo", "stepId": "e", "status": "processing"}} in answer.json[
        "log"
    ]
    assert client.get("/api/scaffolder/v2/tasks").json["totalTasks"] == 0


def test_a_dry_run_of_a_template_of_the_catalog_shows_how_far_it_came(client):
    def ask(name, **values):
        return client.post("/api/scaffolder/v2/dry-run", json={"templateRef": name, "values": values})

    good, bad = ask("known", n="ab"), ask("template:default/breaks", n="ab")

    assert (good.status_code, "error" in good.json) == (200, False)
    assert bad.status_code == 200
    assert [file["path"] for file in bad.json["directoryContents"]] == ["a.txt"]
    assert bad.json["error"].keys() == {"name", "message"}
    assert ask("known", n="a").json["errors"][0]["property"] == "instance.n"
    assert (ask("ghost").status_code, ask("component:default/known").status_code) == (404, 400)
    assert client.get("/api/scaffolder/v2/tasks").json["totalTasks"] == 0


def test_executable_files_stay_so(client):
    steps = [{"action": "fetch:plain", "input": {"url": "."}}]
    contents = [{"path": "run", "base64Content": "", "executable": True}, {"path": "read", "base64Content": ""}]
    answer = try_out(client, steps, directoryContents=contents)
    assert {item["path"]: item["executable"] for item in answer.json["directoryContents"]} == {
        "run": True,
        "read": False,
    }


@pytest.mark.parametrize(
    ("change", "status", "name"),
    [
        ({"template": None}, 400, "InputError"),
        ({"template": {}}, 400, "InputError"),
        ({"values": None}, 400, "InputError"),
        ({"directoryContents": None}, 400, "InputError"),
        ({"directoryContents": [{"path": "a"}]}, 400, "InputError"),
        ({"directoryContents": [{"path": "a", "base64Content": "%"}]}, 400, "InputError"),
        ({"directoryContents": [{"path": "", "base64Content": ""}]}, 400, "InputError"),
        ({"directoryContents": [{"path": ".", "base64Content": ""}]}, 400, "InputError"),
        ({"directoryContents": [{"path": "a\0b", "base64Content": ""}]}, 403, "NotAllowedError"),
        ({"directoryContents": [{"path": "../a", "base64Content": ""}]}, 403, "NotAllowedError"),
        ({"secrets": {"a": 5}}, 400, "InputError"),
        ({"template": template("t", [{"action": "test:fail"}])}, 500, "Error"),
        ({"template": template("t", [{"action": "no:such"}])}, 404, "NotFoundError"),
        ({"template": template("t", [{"action": "debug:log", "input": {"message": 5}}])}, 400, "InputError"),
    ],
)
def test_dry_runs_that_cannot_be_made_tell_why(client, change, status, name):
    answer = try_out(client, [], **change)
    assert (answer.status_code, answer.json["error"]["name"]) == (status, name)
    assert answer.json["response"] == {"statusCode": status}


def test_values_of_a_dry_run_are_told_as_clients_read_them(client):
    answer = try_out(client, [], template=template("t", [], parameters=FORM), values={"n": "a"})
    assert answer.status_code == 400
    assert answer.json["errors"][0]["property"] == "instance.n"


def test_tasks_are_listed_as_asked(client):
    ids = [create(client, n=name) for name in ("aa", "bb", "cc")]
    for task_id in ids:
        frames(client.get(f"/api/scaffolder/v2/tasks/{task_id}/eventstream"))

    def listed(query):
        answer = client.get(f"/api/scaffolder/v2/tasks?{query}").json
        return [ids.index(task["id"]) for task in answer["tasks"]], answer["totalTasks"]

    assert listed("order=asc:created_at&order=asc:status")[1] == 3
    everything = listed("order=desc:created_at")[0]
    assert sorted(everything) == [0, 1, 2]
    assert listed("order=desc:created_at&limit=2") == (everything[:2], 3)
    assert listed("order=desc:created_at&limit=2&offset=2") == (everything[2:], 3)
    assert listed("offset=9") == ([], 3)
    assert listed("limit=0") == ([], 3)
    assert listed("status=completed&status=failed")[1] == 3
    assert listed("status=failed") == ([], 0)
    assert listed("createdBy=user:default/ann&createdBy=user:default/bob")[1] == 3
    assert listed("createdBy=user:default/bob") == ([], 0)


def test_filters_and_functions_are_listed(client):
    answer = client.get("/api/scaffolder/v2/templating-extensions").json
    assert sorted(answer["filters"]) == ["parseEntityRef", "parseRepoUrl", "pick", "projectSlug"]
    assert sorted(answer["globals"]["functions"]) == ["always", "failure"]
    assert answer["globals"]["values"] == {}
