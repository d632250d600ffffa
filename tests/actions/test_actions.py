"""What each action does to its workspace."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
import yaml
from acting import Registering, shipped, tree, write
from jsonschema_rs import validator_for

from portal.actions.catalog import CatalogRegister, CatalogWrite
from portal.actions.contract import Action, contents_url
from portal.actions.debug import DebugLog, DebugWait
from portal.actions.fetch import FetchPlain, FetchTemplate
from portal.actions.publish import PublishGit
from portal.actions.schema import json_schema, load_input, unknown_members
from portal.errors import ActionError, ConflictError, InputError, NotAllowedError, TaskCancelledError, TemplateError
from portal.ingest.yaml import parse
from portal.ingest.yaml_text import to_yaml
from portal.vcs.policy import RemotePolicy


def test_fetch_template_renders_names_and_bodies_beside_what_is_there(run, engine):
    write(run.template, {"skeleton/${{ values.n }}/a.txt": "x=${{ values.n }}", "skeleton/.keep": "new", "other": "no"})
    write(run.work, {"out/.keep": "old"})
    _, lines = run(FetchTemplate(engine), {"url": "./skeleton", "targetPath": "out", "values": {"n": 7}})
    assert tree(run.work) == {"out/.keep": "old", "out/7/a.txt": "x=7"}
    assert ".keep is there already and was kept" in lines


def test_fetch_template_stops_at_a_fault_and_leaves_what_came_before(run, engine):
    write(run.template, {"s/a": "fine", "s/b": "${{ values.n | nofilter }}", "s/c": "never"})
    with pytest.raises(TemplateError, match="b"):
        run(FetchTemplate(engine), {"url": "s", "values": {}})
    assert tree(run.work) == {"a": "fine"}


@pytest.mark.parametrize("url", ["../work", "/etc", "file:///etc"])
def test_nothing_outside_of_the_template_is_fetched(run, engine, url):
    for action in (FetchTemplate(engine), FetchPlain()):
        with pytest.raises(NotAllowedError):
            run(action, {"url": url})


def test_nothing_is_written_outside_of_the_workspace(run, engine):
    write(run.template, {"s/a": "x"})
    for action in (FetchTemplate(engine), FetchPlain()):
        with pytest.raises(NotAllowedError):
            run(action, {"url": "s", "targetPath": "../elsewhere"})


def test_fetch_plain_copies_folders_and_single_files(run):
    write(run.template, {"s/.a": "${{ kept }}", "s/d/b": "2", "one.txt": "1"})
    write(run.work, {"t/.a": "replaced"})
    run(FetchPlain(), {"url": "./s", "targetPath": "t"})
    run(FetchPlain(), {"url": "one.txt", "targetPath": "as/named.txt"})
    assert tree(run.work) == {"t/.a": "${{ kept }}", "t/d/b": "2", "as/named.txt": "1"}


def test_publish_git_makes_a_repository_and_does_so_once_for_a_task(run):
    write(run.work, {"README.md": "hello", "sub/x": "1"})
    action = PublishGit(
        repositories=run.folder / "repositories", policy=RemotePolicy(file_roots=(run.folder / "repositories",))
    )
    first, _ = run(action, {"name": "team/sensors", "description": "Readings"})
    again, _ = run(action, {"name": "team/sensors", "description": "Readings"})
    bare = run.folder / "repositories/team/sensors.git"
    assert first == again
    assert first["remoteUrl"] == bare.as_uri()
    assert first["repoContentsUrl"] == f"{bare.as_uri()}#main:"
    log = subprocess.run(["git", "log", "--format=%H", "main"], cwd=bare, check=True, capture_output=True, text=True)
    assert log.stdout.split() == [first["commitHash"]]
    with pytest.raises(ConflictError):
        run(action, {"name": "team/sensors", "description": "Readings"}, task_id="other")


def test_publish_git_pushes_to_a_remote_that_is_allowed_alone(run, tmp_path):
    write(run.work, {"a": "1"})
    remote = tmp_path / "remotes" / "x.git"
    subprocess.run(["git", "init", "--quiet", "--bare", str(remote)], check=True)
    allowed = PublishGit(repositories=tmp_path / "r", policy=RemotePolicy(file_roots=(tmp_path / "remotes",)))
    output, _ = run(allowed, {"name": "x", "remote": remote.as_uri(), "defaultBranch": "trunk"})
    assert output["repoContentsUrl"] == f"{remote.as_uri()}#trunk:"
    refused = PublishGit(repositories=tmp_path / "r", policy=RemotePolicy())
    for url in (remote.as_uri(), "ext::sh -c id", "/etc"):
        with pytest.raises((NotAllowedError, InputError)):
            run(refused, {"name": "x", "remote": url})


@pytest.mark.parametrize(
    "given", [{"name": "../x"}, {"name": "/x"}, {"name": "a/b/c"}, {"name": "x", "defaultBranch": "-f"}, {}]
)
def test_publish_git_refuses_names_that_are_none(run, given):
    write(run.work, {"a": "1"})
    with pytest.raises(InputError):
        run(PublishGit(repositories=run.folder / "r", policy=RemotePolicy()), given)


def test_publish_git_wants_files_of_the_workspace(run):
    action = PublishGit(repositories=run.folder / "r", policy=RemotePolicy(file_roots=(run.folder / "r",)))
    with pytest.raises(ActionError, match="holds no files"):
        run(action, {"name": "x"})
    with pytest.raises(NotAllowedError):
        run(action, {"name": "x", "sourcePath": "../template"})


def test_catalog_register_tells_the_component_first(run):
    catalog = Registering("location:default/generated-1", "api:default/a", "component:default/c")
    output, _ = run(CatalogRegister(), {"repoContentsUrl": "https://x/y.git#main:"}, catalog=catalog)
    assert output == {"catalogInfoUrl": "https://x/y.git#main:catalog-info.yaml", "entityRef": "component:default/c"}
    assert catalog.targets == ["https://x/y.git#main:catalog-info.yaml"]


def test_catalog_register_may_fail_where_the_step_allows_it(run):
    broken = Registering(fault=ActionError("nothing there"))
    with pytest.raises(ActionError):
        run(CatalogRegister(), {"catalogInfoUrl": "https://x/y"}, catalog=broken)
    output, lines = run(CatalogRegister(), {"catalogInfoUrl": "https://x/y", "optional": True}, catalog=broken)
    assert output == {"catalogInfoUrl": "https://x/y"}
    assert "nothing there" in lines[-1]
    with pytest.raises(ActionError, match="brought no entity"):
        run(CatalogRegister(), {"catalogInfoUrl": "https://x/y"})
    with pytest.raises(InputError, match="either"):
        run(CatalogRegister(), {})


@pytest.mark.parametrize(
    ("repository", "path", "target"),
    [
        ("file:///r/x.git#main:", "/catalog-info.yaml", "file:///r/x.git#main:catalog-info.yaml"),
        ("https://h/x.git#main:sub/", "a.yaml", "https://h/x.git#main:sub/a.yaml"),
        ("https://h/x/blob/main", "/a.yaml", "https://h/x/blob/main/a.yaml"),
    ],
)
def test_the_file_of_a_repository_is_named_as_its_url_is_written(repository, path, target):
    assert contents_url(repository, path) == target


def test_catalog_write_names_the_template_and_reads_back_as_it_was(run):
    entity = {
        "apiVersion": "backstage.io/v1alpha1",
        "kind": "Component",
        "metadata": {"name": "n", "annotations": {"k": "1e3"}, "tags": ["0o12", "yes", "012", "2020-01-01", "a: b"]},
        "spec": {"type": "service", "lifecycle": "yes", "text": "one\ntwo\n"},
    }
    run(CatalogWrite(), {"entity": entity})
    found = parse((run.work / "catalog-info.yaml").read_bytes())[0].value
    assert found["metadata"].pop("annotations") == {"k": "1e3", "backstage.io/source-template": "template:default/t"}
    entity["metadata"].pop("annotations")
    assert found == entity
    with pytest.raises(InputError, match="metadata"):
        run(CatalogWrite(), {"entity": {"kind": "X"}})


def test_yaml_means_the_same_to_old_and_new_readers():
    value = ["1e3", "0o7", "0x1f", ".5", "null", "~", "on", "1:30", "", "é", {"a": None, "b": True}]
    assert parse(to_yaml(value).encode())[0].value == value
    assert yaml.safe_load(to_yaml(value)) == value


def test_debug_log_shows_the_workspace(run):
    write(run.work, {"a/b": "text"})
    _, lines = run(DebugLog(), {"message": "hello", "listWorkspace": "with-contents"})
    assert lines[1] == "hello"
    assert lines[2] == "Workspace:\n  - a/b\n\n  text"


def test_debug_wait_ends_when_cancelled_and_refuses_long_waits(run):
    run(DebugWait(), {"milliseconds": 1})
    with pytest.raises(TaskCancelledError):
        run(DebugWait(), {"minutes": 9}, cancelled=True)
    for given in ({"minutes": 11}, {"seconds": -1}, {"seconds": float("nan")}):
        with pytest.raises(InputError, match="expected 0 to 600"):
            run(DebugWait(), given)


def test_inputs_are_strict_and_unknown_members_are_named(engine):
    action = FetchTemplate(engine)
    with pytest.raises(InputError, match=r"replace: found 'yes'; expected boolean; url: "):
        load_input(action.id, action.input_schema, {"replace": "yes"})
    with pytest.raises(InputError, match="expected a mapping"):
        load_input(action.id, action.input_schema, ["x"])
    assert unknown_members(action.input_schema, {"url": "x", "allowedHosts": []}) == ["allowedHosts"]


def test_every_action_is_described_and_its_examples_fit_its_schema(engine, tmp_path):
    for name, action in shipped(engine, tmp_path).items():
        assert isinstance(action, Action)
        assert action.id == name
        assert action.description.endswith(".")
        assert action.examples
        for example in action.examples:
            given = example.step["input"]
            load_input(action.id, action.input_schema, given)
            assert example.step["action"] == action.id
            assert not unknown_members(action.input_schema, given)
        for schema in filter(None, (action.input_schema, action.output_schema)):
            validator_for(json_schema(schema))


def test_every_action_is_in_the_docs(all_shipped):
    docs = (Path(__file__).parents[2] / "docs" / "templates.md").read_text("utf-8")
    # Those of one family follow the first by their endings.
    told = {name for name in all_shipped if f"`{name}`" in docs or f"`{name.removeprefix('roadiehq:utils')}`" in docs}
    assert told == set(all_shipped)
