"""Running templates: from the request to the repository, the catalog and the events."""

from __future__ import annotations

import json
import re
import subprocess
import threading

import pytest
import yaml
from catalogs import component, documents, group
from leaks import found, rows_of
from repositories import Repository
from scaffolds import Recorded, messages, scaffold, statuses, template
from waiting import eventually

from portal.errors import InputError, JobStoppedError, NotFoundError, SettingsError, ValuesError
from portal.model.secret import Secret
from portal.services.task_query import TaskQuery
from portal.services.vault import Vault

SKELETON = {
    "catalog-info.yaml": (
        "apiVersion: backstage.io/v1alpha1\nkind: Component\nmetadata:\n  name: ${{ values.name }}\n"
        "spec:\n  type: service\n  lifecycle: experimental\n  owner: ${{ values.owner }}\n"
    ),
    "README.md": "# ${{ values.name }}\n",
    "${{ values.name }}.txt": "made by ${{ values.commit }}\n",
}
JOURNEY = template(
    "journey",
    [
        {
            "id": "fetch",
            "action": "fetch:template",
            "input": {
                "url": "./skeleton",
                "values": {
                    "name": "${{ parameters.name }}",
                    "owner": "${{ parameters.written or parameters.owner }}",
                    "commit": "${{ context.template.commit }}",
                },
            },
        },
        {"id": "publish", "action": "publish:git", "input": {"name": "${{ parameters.name }}"}},
        {
            "id": "register",
            "action": "catalog:register",
            "input": {"repoContentsUrl": "${{ steps.publish.output.repoContentsUrl }}"},
        },
    ],
    parameters={
        "required": ["name", "owner"],
        "properties": {
            "name": {"type": "string", "pattern": "^[a-z0-9-]+$"},
            "owner": {"type": "string", "ui:field": "OwnerPicker"},
        },
    },
    creates=[{"kind": "Component", "layer": "shared"}],
    output={"links": [{"title": "Entity", "entityRef": "${{ steps.register.output.entityRef }}"}]},
)


@pytest.fixture
def portal(database_url, tmp_path):
    with scaffold(database_url, tmp_path / "data", owners={"shared": ["group:default/team-a"]}) as opened:
        yield opened


@pytest.fixture
def offer(portal, repo):
    """Offer templates in a git repository; return its url and the commit."""

    def make(*templates, files=None):
        texts = documents(*(json.dumps(item) + "\n" for item in templates), group("team-a"), group("team-b"))
        source = repo({"catalog-info.yaml": texts, **(files or {})}, name="templates")
        portal.ingest(f"{source.url}#main:catalog-info.yaml")
        return source

    return make


def skeleton():
    return {f"skeleton/{path}": text for path, text in SKELETON.items()}


def rows(portal):
    return portal.service.list_tasks(TaskQuery())[1]


def test_a_template_becomes_a_repository_and_an_owned_entity(portal, offer):
    source = offer(JOURNEY, files=skeleton())
    events = portal.run("journey", {"name": "sensors", "owner": "group:default/team-a"})
    assert statuses(events) == {"fetch": "completed", "publish": "completed", "register": "completed"}, messages(events)
    assert events[-1]["body"] == {
        "message": "Run completed with status: completed",
        "output": {"links": [{"title": "Entity", "entityRef": "component:default/sensors"}]},
    }
    entity = json.loads(portal.catalog.by_refs(["component:default/sensors"])["component:default/sensors"])
    assert {"type": "ownedBy", "targetRef": "group:default/team-a"} in entity["relations"]
    bare = portal.repositories / "sensors.git"
    commit = source.git("rev-parse", "HEAD")

    def published(path):
        return subprocess.run(
            ["git", "show", f"main:{path}"], cwd=bare, check=True, capture_output=True
        ).stdout.decode()

    assert published("sensors.txt") == f"made by {commit}\n"
    record = yaml.safe_load(published(".portal/answers.yaml"))
    assert {name: record[name] for name in ("template", "commit", "parameters")} == {
        "template": "template:default/journey",
        "commit": commit,
        "parameters": {"name": "sensors", "owner": "group:default/team-a"},
    }
    assert not list((portal.folder / "workspaces").iterdir())


def test_a_task_has_the_shape_that_clients_read(portal, offer):
    source = offer(template("t", [{"action": "test:echo", "input": {"x": "${{ parameters.n }}"}}]))
    task_id = portal.service.create_task("t", {"n": 1}, actor_ref="user:default/ann")
    events = list(portal.service.event_stream(task_id))
    task = portal.service.get_task(task_id)
    spec = task.pop("spec")
    assert task.keys() == {"id", "status", "createdAt", "lastHeartbeatAt", "createdBy"}
    assert (task["status"], task["createdBy"]) == ("completed", "user:default/ann")
    assert spec["steps"] == [
        {"action": "test:echo", "input": {"x": "${{ parameters.n }}"}, "id": "step-1", "name": "test:echo"}
    ]
    assert spec["user"] == {"ref": "user:default/ann"}
    assert spec["templateInfo"]["baseUrl"] == f"{source.url}#main:catalog-info.yaml"
    assert [event["body"].get("status") for event in events] == [None, "processing", "completed", None]
    assert events[0].keys() == {"id", "isTaskRecoverable", "taskId", "body", "type", "createdAt"}
    assert events[0]["body"] == {"message": "Starting up task with 1 step"}
    assert [event["type"] for event in events] == ["log", "log", "log", "completion"]


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"name": "x", "owner": "group:default/ghosts"}, "group:default/ghosts, which is not in the catalog"),
        ({"name": "x", "owner": "template:default/journey"}, "expected a Group or User"),
        (
            {"name": "x", "owner": "group:default/team-b"},
            "rule owner-role.*Owners of the layer are group:default/team-a",
        ),
        ({"name": "x", "owner": ""}, 'needs an owner; give one as "owner"'),
    ],
)
def test_an_owner_that_may_not_own_is_refused_before_any_task_exists(portal, offer, values, told):
    offer(JOURNEY, files=skeleton())
    with pytest.raises(InputError, match=told):
        portal.service.create_task("journey", values)
    assert rows(portal) == 0


def test_requests_that_cannot_be_carried_out_start_no_task(portal, offer):
    offer(JOURNEY)
    with pytest.raises(NotFoundError, match="Template template:default/ghost not found"):
        portal.service.create_task("ghost", {})
    with pytest.raises(InputError, match="Only templates"):
        portal.service.create_task("group:default/team-a", {})
    with pytest.raises(ValuesError) as refused:
        portal.service.create_task("journey", {"name": "Bad Name", "owner": "group:default/team-a"})
    assert [(error["property"], error["name"]) for error in refused.value.errors] == [("instance.name", "pattern")]
    assert rows(portal) == 0


def test_an_entity_that_is_not_owned_as_asked_fails_its_registration(portal, offer):
    steps = [{"id": "register", "action": "catalog:register", "input": {"catalogInfoUrl": "${{ parameters.url }}"}}]
    asked = template(
        "t", steps, creates=[{"kind": "Component", "layer": "shared"}], parameters=JOURNEY["spec"]["parameters"]
    )
    offer(asked)
    made = Repository(portal.repositories / "made")
    made.commit({"catalog-info.yaml": component("sensors", owner="team-b")})
    events = portal.run("t", {"name": "sensors", "owner": "group:default/team-a", "url": made.url})
    assert statuses(events) == {"register": "failed"}
    assert "is owned by group:default/team-b; expected group:default/team-a" in events[-1]["body"]["error"]["message"]


@pytest.mark.parametrize(
    ("owners", "told"),
    [
        ("owners: [team-a, team-b]", None),
        ("owner: team-a\n  owners: [team-b]", None),
        ("owners: [team-b, team-a]", "spec.owners.0: .* found group:default/team-b; expected group:default/team-a"),
        (
            "owner: team-b\n  owners: [team-a]",
            "spec.owner: .* found group:default/team-b; expected group:default/team-a",
        ),
    ],
)
def test_of_several_owners_the_accountable_one_is_who_was_asked_for(portal, offer, owners, told):
    files = skeleton()
    entity = files["skeleton/catalog-info.yaml"].replace("owner: ${{ values.owner }}", owners)
    offer(JOURNEY, files=files | {"skeleton/catalog-info.yaml": entity})

    events = portal.run("journey", {"name": "sensors", "owner": "group:default/team-a"})

    assert statuses(events)["publish"] == ("failed" if told else "completed"), messages(events)
    if told:
        assert re.search(told, events[-1]["body"]["error"]["message"])


def test_a_template_may_have_several_owners(portal, offer):
    journey = JOURNEY | {"spec": JOURNEY["spec"] | {"owners": ["team-b", "team-a"]}}
    offer(
        {**journey, "spec": {name: value for name, value in journey["spec"].items() if name != "owner"}},
        files=skeleton(),
    )

    events = portal.run("journey", {"name": "sensors", "owner": "group:default/team-a"})

    assert statuses(events)["register"] == "completed", messages(events)


def test_a_name_that_is_taken_fails_publishing_and_leaves_the_other_alone(portal, offer):
    offer(JOURNEY, files=skeleton())
    values = {"name": "sensors", "owner": "group:default/team-a"}
    portal.run("journey", values)
    events = portal.run("journey", values)
    assert statuses(events) == {"fetch": "completed", "publish": "failed", "register": "skipped"}
    assert events[-1]["body"]["error"]["name"] == "ConflictError"


def test_a_failure_skips_later_steps_but_those_that_ask_for_it(portal, offer):
    steps = [
        {"id": "a", "action": "test:fail"},
        {"id": "b", "action": "test:echo"},
        {"id": "c", "if": "${{ always() }}", "action": "test:echo"},
        {"id": "d", "if": "${{ failure() }}", "action": "test:echo"},
        {"id": "e", "if": True, "action": "test:echo"},
        {"id": "f", "if": "${{ failure() and parameters.zz }}", "action": "test:echo"},
        {"id": "g", "if": '${{ "x" }}', "action": "test:echo"},
    ]
    offer(template("t", steps))
    events = portal.run("t")
    done = ["failed", "skipped", "completed", "completed", "skipped", "skipped", "skipped"]
    assert statuses(events) == dict(zip("abcdefg", done, strict=True))
    assert events[-1]["body"]["error"] == {"name": "Error", "message": "boom"}


def test_steps_see_outputs_of_earlier_ones_and_of_each_round(portal, offer):
    steps = [
        {"id": "a", "action": "test:echo", "each": "${{ parameters.l }}", "input": {"x": "${{ each.value }}"}},
        {"id": "b", "action": "test:echo", "if": "${{ steps.a.output.x.length > 5 }}"},
        {"id": "c", "action": "test:echo", "input": {"x": "${{ steps.a.output.x }}", "why": "unknown"}},
    ]
    offer(template("t", steps, output={"all": "${{ steps.c.output.x }}"}))
    events = portal.run("t", {"l": [1, 2]})
    assert statuses(events) == {"a": "completed", "b": "skipped", "c": "completed"}
    assert events[-1]["body"]["output"] == {"all": [1, 2]}
    assert 'knows no input "why"' in messages(events)
    assert 'Running step each: {"key":"0","value":1}' in messages(events)


@pytest.mark.parametrize(
    ("step", "name", "told"),
    [
        ({"action": "no:such"}, "NotFoundError", "Template action with ID 'no:such' is not registered"),
        ({"action": "debug:log", "input": {"message": 5}}, "InputError", "message: found 5; expected string"),
        ({"action": "test:echo", "each": 3}, "InputError", "expected a list or a mapping"),
        ({"action": "fetch:plain", "input": {"url": "../../x"}}, "NotAllowedError", "leads out of"),
        ({"action": "fetch:plain", "input": {"url": "file:///etc"}}, "NotAllowedError", "may not be read"),
        ({"action": "fetch:plain", "input": {"url": "./absent"}}, "NotFoundError", "absent"),
    ],
)
def test_a_step_that_cannot_be_done_says_why(portal, offer, step, name, told):
    offer(template("t", [{"id": "a", **step}]))
    events = portal.run("t")
    error = events[-1]["body"]["error"]
    assert error["name"] == name
    assert told in error["message"]
    assert statuses(events) == {"a": "failed"}


def test_secrets_are_in_no_event_nor_spec_and_forgotten_at_the_end(portal, offer):
    steps = [
        {"id": "l", "action": "debug:log", "input": {"message": "k=${{ secrets.K }} up=${{ secrets.K | upper }}"}},
        {"id": "g", "action": "test:gate", "input": {"name": "g"}},
        {"id": "o", "action": "test:echo", "input": {"x": "${{ secrets.K }}"}},
        {"id": "f", "action": "test:fail", "input": {"message": "no ${{ secrets.K }} here"}},
    ]
    offer(template("t", steps, output={"x": "${{ steps.o.output.x }}"}))
    task_id = portal.service.create_task("t", {}, secrets={"K": Secret("s3cr3t-value")})
    eventually(lambda: statuses(portal.service.events(task_id)).get("g") == "processing", "the gate")
    sealed = portal.database.lookup.secrets_of(task_id)
    assert sealed is not None
    assert "s3cr3t" not in sealed
    (portal.folder / "open-g").touch()
    events = list(portal.service.event_stream(task_id))
    everything = json.dumps([events, portal.service.get_task(task_id)]).lower()
    assert "s3cr3t" not in everything
    assert "***" in everything
    assert portal.database.lookup.secrets_of(task_id) is None
    assert (portal.folder / "instance.key").stat().st_mode & 0o777 == 0o600


def test_what_steps_make_of_secrets_goes_on_to_the_next_and_stands_in_no_row(portal, offer):
    steps = [
        {"id": "one", "action": "test:echo", "input": {"x": "${{ secrets.K | upper }}"}},
        {"id": "two", "action": "test:echo", "input": {"x": "${{ steps.one.output.x | length }}"}},
        {"id": "tell", "action": "debug:log", "input": {"message": "It was ${{ steps.one.output.x }}"}},
    ]
    offer(template("t", steps, output={"x": "${{ steps.one.output.x }}", "length": "${{ steps.two.output.x }}"}))
    events = portal.run("t", secrets={"K": Secret("s3cr3t-value")})

    assert events[-1]["body"]["output"] == {"x": "***", "length": 12}
    assert "It was ***" in messages(events)
    rows = rows_of(portal.database.url)
    (recorded,) = [content for name, content in rows.items() if name.endswith("operation_outputs")]
    assert b'"sealed"' in recorded
    assert not found({"K": "s3cr3t-value"}, rows)


def test_outputs_of_a_task_that_is_over_are_closed_even_to_its_own_key(portal, offer):
    """Whoever runs such a task again, as after a crash at its very end, gets through it and changes nothing."""
    portal.jobs.hand_back()
    offer(template("t", [{"id": "one", "action": "test:echo", "input": {"x": "${{ secrets.K }}"}}]))
    task_id = portal.service.create_task("t", {}, secrets={"K": Secret("s3cr3t-value")})
    run = Recorded()
    portal.service._runner.run(task_id, run)
    events = portal.service.events(task_id)
    assert events[-1]["type"] == "completion"
    assert "s3cr3t" not in str(run.results)
    for purpose in ("", f"steps of {task_id} None"):
        with pytest.raises(SettingsError):
            Vault(portal.folder / "instance.key").open(run.results["1 one"]["sealed"], purpose=purpose)

    portal.service._runner.run(task_id, run)
    assert portal.service.events(task_id) == events


def test_a_task_with_secrets_that_was_broken_off_goes_on_with_what_its_steps_gave(portal, offer):
    portal.jobs.hand_back()
    steps = [
        {"id": "one", "action": "test:echo", "input": {"x": "${{ secrets.K | upper }}"}},
        {"id": "two", "action": "debug:log", "input": {"message": "${{ steps.one.output.x | length }} of it"}},
        {"id": "three", "action": "debug:log", "input": {"message": "It was ${{ steps.one.output.x }}"}},
    ]
    offer(template("t", steps))
    task_id = portal.service.create_task("t", {}, secrets={"K": Secret("s3cr3t-value")})
    run = Recorded(breaks_off="2 two")
    with pytest.raises(JobStoppedError):
        portal.service._runner.run(task_id, run)
    run.breaks_off = ""
    portal.service._runner.run(task_id, run)

    told = messages(portal.service.events(task_id))
    assert "12 of it" in told
    assert "It was ***" in told


@pytest.mark.parametrize("expression", ["${{ secrets.K }}", "${{ secrets.K | upper }}"])
def test_no_location_is_registered_whose_url_holds_a_secret(portal, offer, expression):
    url = f"https://git.example.com/{expression}/a.yaml"
    steps = [{"id": "r", "action": "catalog:register", "input": {"catalogInfoUrl": url}}]
    offer(template("t", steps))
    before = portal.sources.list()
    error = portal.run("t", secrets={"K": Secret("s3cr3t-value")})[-1]["body"]["error"]

    assert error["name"] == "InputError"
    assert "was made with a secret" in error["message"]
    assert portal.sources.list() == before


def test_a_cancelled_task_ends_as_failed(portal, offer):
    steps = [
        {"id": "g", "action": "debug:wait", "input": {"minutes": 5}},
        {"id": "e", "if": "${{ always() }}", "action": "test:echo"},
    ]
    offer(template("t", steps))
    task_id = portal.service.create_task("t", {})
    eventually(lambda: statuses(portal.service.events(task_id)).get("g") == "processing", "the wait")
    portal.service.cancel(task_id)
    events = list(portal.service.event_stream(task_id))
    told = next(event for event in events if event["type"] == "cancelled")
    assert told["body"] == {"message": "Step g has been cancelled.", "stepId": "g", "status": "cancelled"}
    assert statuses(events) == {"g": "failed", "e": "skipped"}
    assert portal.service.get_task(task_id)["status"] == "failed"
    portal.service.cancel(task_id)
    assert portal.service.get_task(task_id)["status"] == "failed"


def test_a_task_that_is_cancelled_while_open_does_nothing(database_url, tmp_path, repo):
    with scaffold(database_url, tmp_path / "data", worker=False) as waiting:
        texts = json.dumps(template("t", [{"id": "a", "action": "test:echo"}]))
        source = repo({"catalog-info.yaml": texts})
        waiting.ingest(f"{source.url}#main:catalog-info.yaml")
        task_id = waiting.service.create_task("t", {})
        waiting.service.cancel(task_id)
        assert waiting.service.get_task(task_id)["status"] == "open"
    with scaffold(database_url, tmp_path / "data") as working:
        events = list(working.service.event_stream(task_id))
        assert statuses(events) == {"a": "failed"}
        assert events[-1]["body"]["error"]["message"] == "Step a has been cancelled."
        assert (events[0]["type"], events[0]["body"]["stepId"]) == ("cancelled", 0)


def test_events_come_while_the_task_runs_and_only_those_asked_for(portal, offer):
    offer(template("t", [{"id": "g", "action": "test:gate", "input": {"name": "g"}}]))
    task_id = portal.service.create_task("t", {})
    stream = portal.service.event_stream(task_id)
    first = [next(stream), next(stream)]
    assert first[1]["body"]["status"] == "processing"
    assert portal.service.events(task_id, after=first[1]["id"]) == []
    waiting = threading.Thread(target=(portal.folder / "open-g").touch)
    waiting.start()
    rest = list(stream)
    waiting.join()
    assert [event["type"] for event in rest] == ["log", "completion"]
    assert portal.service.events(task_id, after=rest[-1]["id"]) == [rest[-1]]
    with pytest.raises(NotFoundError):
        portal.service.event_stream("absent")


def test_tasks_are_listed_newest_first_by_creator_and_state(portal, offer):
    offer(template("t", [{"action": "test:echo"}]), template("f", [{"action": "test:fail"}]))
    for name, actor in (("t", "user:default/ann"), ("f", "user:default/ann"), ("t", None)):
        portal.run(name, actor_ref=actor)
    found, total = portal.service.list_tasks(TaskQuery(created_by=["user:default/ann"], limit=1))
    assert (total, [task["status"] for task in found]) == (2, ["failed"])
    assert portal.service.list_tasks(TaskQuery(limit=0)) == ([], 3)
    assert portal.service.list_tasks(TaskQuery(statuses=["open"])) == ([], 0)
    ordered, _ = portal.service.list_tasks(TaskQuery(order=["asc:status"]))
    assert [task["status"] for task in ordered] == ["completed", "completed", "failed"]
    with pytest.raises(InputError, match="Invalid order parameter"):
        portal.service.list_tasks(TaskQuery(order=["asc:id"]))


def test_a_template_in_a_folder_runs_too(portal, tmp_path):
    folder = tmp_path / "templates"
    (folder / "skeleton").mkdir(parents=True)
    (folder / "skeleton" / "a.txt").write_text("${{ values.n }}")
    (folder / "outside").symlink_to("/etc")
    steps = [
        {"action": "fetch:template", "input": {"url": "./skeleton", "values": {"n": "${{ parameters.n }}"}}},
        {"action": "debug:log", "input": {"listWorkspace": "with-contents"}},
        {"id": "out", "action": "fetch:plain", "input": {"url": "./outside"}},
    ]
    (folder / "catalog-info.yaml").write_text(json.dumps(template("t", steps)))
    portal.ingest(str(folder))
    events = portal.run("t", {"n": "7"})
    assert "a.txt\n\n  7" in messages(events)
    assert events[-1]["body"]["error"]["name"] == "NotAllowedError"
