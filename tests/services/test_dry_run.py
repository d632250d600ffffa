"""Templates that are tried: what they would make, and that nothing is left of it."""

from __future__ import annotations

import json
import threading

import pytest
from catalogs import documents, group
from hypothesis import given
from hypothesis import strategies as st
from scaffolds import scaffold, template
from waiting import eventually

from portal.errors import InputError, NotAllowedError, ServiceUnavailableError, ValuesError
from portal.model.permission import Condition
from portal.model.permission_names import SCAFFOLDER_ACTION
from portal.model.secret import Secret
from portal.scaffolder.skeleton import SkeletonEntry
from portal.services.dry_run import DryRun, example_output
from portal.services.task_query import TaskQuery

FORM = {
    "required": ["name", "owner"],
    "properties": {
        "name": {"type": "string", "pattern": "^[a-z-]+$"},
        "owner": {"type": "string", "ui:field": "OwnerPicker"},
    },
}
JOURNEY = template(
    "journey",
    [
        {
            "id": "fetch",
            "action": "fetch:template",
            "input": {"url": "./skeleton", "values": {"name": "${{ parameters.name }}"}},
        },
        {"id": "publish", "action": "publish:git", "input": {"name": "${{ parameters.name }}"}},
        {
            "id": "register",
            "action": "catalog:register",
            "input": {"repoContentsUrl": "${{ steps.publish.output.repoContentsUrl }}"},
        },
    ],
    parameters=FORM,
    creates=[{"kind": "Component", "layer": "shared"}],
    output={"links": [{"title": "Entity", "entityRef": "${{ steps.register.output.entityRef }}"}]},
)
VALUES = {"name": "sensors", "owner": "group:default/team-a"}


@pytest.fixture
def portal(tmp_path, repo):
    with scaffold(
        f"sqlite:///{tmp_path / 'portal.db'}",
        tmp_path / "data",
        worker=False,
        owners={"shared": ["group:default/team-a"]},
    ) as opened:
        source = repo({"catalog-info.yaml": documents(group("team-a"), group("team-b"))})
        opened.ingest(f"{source.url}#main:catalog-info.yaml")
        yield opened


def file(path, content=b"", mode=0o644):
    return SkeletonEntry(path, mode=mode, content=content)


def attempt(portal, steps, *, values=None, files=(), output=None, **more):
    tried = template("t", steps, output=output or {})
    return portal.dry_runs.run(DryRun(tried, values or {}, files=files, **more))


def told(result):
    return "\n".join(str(line["message"]) for line in result.log)


def ends(result):
    return {line["stepId"]: line["status"] for line in result.log if line.get("status") not in (None, "processing")}


def left(portal):
    found = sorted(path.relative_to(portal.folder).as_posix() for path in portal.folder.rglob("*"))
    return [path for path in found if not path.startswith("mirrors")]


def test_a_dry_run_shows_what_would_be_made_and_leaves_nothing(portal):
    before = left(portal)
    files = [
        file("skeleton/${{ values.name }}.txt", b"for ${{ values.name }}\n"),
        file("skeleton/run.sh", b"#!/bin/sh\n", mode=0o755),
        file("skeleton/raw.bin", b"\0\1\2"),
        file("skeleton/.git/config", b"never"),
        file("beside.txt", b"not fetched"),
    ]

    result = portal.dry_runs.run(DryRun(JOURNEY, VALUES, files=files, actor_ref="user:default/ann"))

    assert result.error is None
    assert {entry.path: (entry.content, bool(entry.mode & 0o100)) for entry in result.files} == {
        "sensors.txt": (b"for sensors\n", False),
        "run.sh": (b"#!/bin/sh\n", True),
        "raw.bin": (b"\0\1\2", False),
    }
    assert ends(result) == {"fetch": "completed", "publish": "skipped", "register": "skipped"}
    assert "Skipping because publish:git does not support dry-run" in told(result)
    assert result.output == {"links": [{"title": "Entity", "entityRef": "<example>"}]}
    assert [step["id"] for step in result.steps] == ["fetch", "publish", "register"]
    assert result.steps[1]["input"] == {"name": "${{ parameters.name }}"}
    assert set(left(portal)) - {"workspaces"} == set(before)
    assert not list((portal.folder / "workspaces").iterdir())
    assert portal.service.list_tasks(TaskQuery())[1] == 0


def test_an_action_is_told_that_it_is_a_dry_run(portal):
    result = attempt(portal, [{"id": "a", "action": "test:told"}], output={"is": "${{ steps.a.output.is }}"})
    assert result.output == {"is": True}


def test_a_failure_tells_what_was_done_until_then(portal):
    result = attempt(portal, [{"id": "a", "action": "test:fail"}, {"id": "b", "action": "test:echo"}])
    assert result.error == {"name": "Error", "message": "boom"}
    assert ends(result) == {"a": "failed", "b": "skipped"}
    assert not list((portal.folder / "workspaces").iterdir())


@pytest.mark.parametrize("secret", ["plain-secret", "ümläut"])
def test_secrets_reach_actions_and_are_seen_nowhere(portal, secret):
    result = attempt(
        portal,
        [
            {"id": "a", "action": "debug:log", "input": {"message": "k=${{ secrets.K }}"}},
            {"id": "b", "action": "test:echo", "input": {"x": "${{ secrets.K }}"}},
            {"id": "c", "if": "${{ steps.b.output.x | length == parameters.n }}", "action": "test:echo"},
            {"id": "d", "action": "publish:git", "input": {"name": "${{ secrets.K }}"}},
            {"id": "e", "action": "test:fail", "input": {"message": "no ${{ secrets.K }}"}},
        ],
        values={"n": len(secret)},
        secrets={"K": Secret(secret)},
        output={"leak": "${{ steps.b.output.x }}"},
    )
    assert ends(result)["c"] == "completed"
    shown = json.dumps([result.log, result.steps, result.output, result.error], ensure_ascii=False)
    assert secret not in shown
    assert result.error == {"name": "Error", "message": "***"}


def test_a_secret_in_the_output_is_masked(portal):
    result = attempt(
        portal,
        [{"id": "b", "action": "test:echo", "input": {"x": "${{ secrets.K }}"}}],
        secrets={"K": Secret("plain-secret")},
        output={"leak": "${{ steps.b.output.x }}", "direct": "${{ secrets.K }}"},
    )
    assert result.output == {"leak": "***"}


@pytest.mark.parametrize("path", ["../evil", "/etc/evil", "a/../../evil", "a/../../../../../../tmp/evil"])
def test_an_uploaded_file_that_leads_out_is_refused(portal, path):
    with pytest.raises(NotAllowedError):
        attempt(portal, [], files=[file("fine"), file(path, b"x")])
    assert not list((portal.folder / "workspaces").iterdir())


@pytest.mark.parametrize("path", ["a" * 300, "a/" * 3000 + "b"])
def test_an_uploaded_file_that_no_file_system_takes_is_refused(portal, path):
    with pytest.raises(InputError, match="directoryContents cannot be written"):
        attempt(portal, [], files=[file(path, b"x")])


@pytest.mark.parametrize("url", ["../", "/etc", "file:///etc/passwd", "./../workspace"])
def test_a_step_reads_nothing_but_what_came_with_the_template(portal, url):
    (portal.folder / "secret.txt").write_text("of the server")
    tried = template("t", [{"id": "a", "action": "fetch:plain", "input": {"url": url}}])
    tried["metadata"]["annotations"] = {
        "backstage.io/managed-by-location": f"file:{portal.folder}/template.yaml",
        "backstage.io/source-location": f"file:{portal.folder}/",
    }
    result = portal.dry_runs.run(DryRun(tried, {}, files=[file("mine.txt", b"mine")]))
    assert result.error["name"] == "NotAllowedError"
    assert result.files == []
    assert str(portal.folder) not in result.error["message"]


def test_relative_urls_are_of_the_uploaded_files_whatever_the_template_says_of_its_location(portal):
    (portal.folder / "secret.txt").write_text("of the server")
    tried = template("t", [{"id": "a", "action": "fetch:plain", "input": {"url": "."}}])
    tried["metadata"]["annotations"] = {"backstage.io/managed-by-location": f"file:{portal.folder}/template.yaml"}
    result = portal.dry_runs.run(DryRun(tried, {}, files=[file("mine.txt", b"mine")]))
    assert [entry.path for entry in result.files] == ["mine.txt"]


def test_a_dry_run_ends_in_time(tmp_path):
    with scaffold(
        f"sqlite:///{tmp_path / 'portal.db'}", tmp_path / "data", worker=False, dry_run_seconds=0.5
    ) as portal:
        result = attempt(
            portal,
            [
                {"id": "a", "action": "test:gate", "input": {"name": "never"}},
                {"id": "b", "if": "${{ always() }}", "action": "test:echo"},
            ],
        )
    assert result.error == {"name": "InputError", "message": "The dry run takes longer than 0.5 s"}
    assert ends(result) == {"a": "failed", "b": "failed"}


def test_what_a_dry_run_makes_has_limits(portal):
    fetch = [{"id": "a", "action": "fetch:plain", "input": {"url": "."}}]
    with pytest.raises(InputError, match="101 files"):
        attempt(portal, fetch, files=[file(f"f{number}") for number in range(101)])
    with pytest.raises(InputError, match="bytes"):
        attempt(portal, fetch, files=[file("f", b"x" * 100_001)])
    rounds = [{"id": "a", "each": "${{ range(200) }}", "action": "test:echo", "input": {"x": "${{ each.value }}"}}]
    with pytest.raises(InputError, match="more than 500 lines"):
        attempt(portal, rounds * 2)
    many = [{"id": "a", "each": "${{ range(10001) }}", "action": "test:echo"}]
    assert "expected at most 10000" in attempt(portal, many).error["message"]


def test_no_more_dry_runs_than_fit_run_at_once(portal):
    gate = [{"id": "a", "action": "test:gate", "input": {"name": "g"}}]
    results = []
    threads = [threading.Thread(target=lambda: results.append(attempt(portal, gate))) for _ in range(2)]
    for thread in threads:
        thread.start()
    notes = portal.folder / "notes"
    eventually(lambda: notes.exists() and notes.read_text().count("begin") == 2, "both runs")
    with pytest.raises(ServiceUnavailableError, match="2 dry runs are under way"):
        attempt(portal, [])
    (portal.folder / "open-g").touch()
    for thread in threads:
        thread.join()
    assert [result.error for result in results] == [None, None]
    assert attempt(portal, []).error is None


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"apiVersion": "backstage.io/v1beta2"}, "expected Template of scaffolder.backstage.io/v1beta3"),
        ({"kind": "Component"}, "expected Template"),
        ({"metadata": {}}, "metadata.name"),
        ({"spec": {"type": "t"}}, "spec.steps"),
        ({"spec": {"type": "t", "steps": [{"id": "a"}]}}, "spec.steps.0.action"),
        ({"spec": {"type": "t", "steps": [{"action": "a", "if": 5}]}}, "spec.steps.0.if"),
    ],
)
def test_what_is_no_template_is_refused(portal, change, match):
    with pytest.raises(InputError, match=match):
        portal.dry_runs.run(DryRun({**template("t", []), **change}, {}))


def test_values_secrets_and_owners_are_checked_as_for_a_task(portal):
    with pytest.raises(ValuesError):
        portal.dry_runs.run(DryRun(JOURNEY, {**VALUES, "name": "Bad Name"}))
    with pytest.raises(InputError, match="rule owner-role"):
        portal.dry_runs.run(DryRun(JOURNEY, {**VALUES, "owner": "group:default/team-b"}))
    needs = template("t", [], secrets={"schema": {"required": ["K"]}})
    with pytest.raises(ValuesError) as refused:
        portal.dry_runs.run(DryRun(needs, {}))
    assert 'requires secret "secrets.K"' in refused.value.errors[0]["message"]


class FewRights:
    """May run `debug:log` alone, and gets no step with tags."""

    def permitted(self, asked):
        steps = [step for step in asked["spec"]["steps"] if "backstage:permissions" not in step]
        return {**asked, "spec": {**asked["spec"], "steps": steps}}

    def actions(self, _template):
        return Condition("HAS_ACTION_ID", SCAFFOLDER_ACTION, {"actionId": "debug:log"})

    def scopes(self):
        return None

    def require_owners(self, owners):
        raise AssertionError("nothing is created")


def test_a_dry_run_does_no_more_than_the_person_may(portal):
    steps = [
        {"id": "hidden", "action": "test:fail", "backstage:permissions": {"tags": ["x"]}},
        {"id": "may", "action": "debug:log", "input": {"message": "hello"}},
        {"id": "not", "action": "test:echo", "input": {"x": 1}},
    ]
    result = attempt(portal, steps, rights=FewRights(), actor_ref="user:default/ann")
    assert ends(result) == {"may": "completed", "not": "failed"}
    assert result.error["name"] == "NotAllowedError"


SCHEMAS = st.recursive(
    st.fixed_dictionaries(
        {},
        optional={
            "type": st.sampled_from(["string", "number", "boolean", "integer", "null", ["string", "null"], 5]),
            "examples": st.lists(st.integers(), max_size=2) | st.sampled_from([None, "", "x"]),
        },
    ),
    lambda inner: (
        st.fixed_dictionaries({"type": st.just("array")}, optional={"items": inner})
        | st.fixed_dictionaries(
            {"type": st.just("object")},
            optional={"properties": st.dictionaries(st.sampled_from("abc"), inner, max_size=3)},
        )
    ),
    max_leaves=10,
)


@given(SCHEMAS)
def test_every_schema_has_an_example_that_is_json(schema):
    json.dumps(example_output(schema))
