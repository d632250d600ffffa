"""What a task publishes is owned as was asked for, or nothing is published."""

from __future__ import annotations

import pytest
from catalogs import component, documents, entity, group, location
from scaffolds import messages, scaffold, statuses, template

from portal.errors import InputError
from portal.ingest.yaml_text import to_yaml
from portal.services.dry_run import DryRun

ASKED = {"owner": "group:default/team-a"}
FORM = {"properties": {"owner": {"type": "string", "ui:field": "OwnerPicker"}}}


@pytest.fixture
def portal(tmp_path):
    database = f"sqlite:///{tmp_path / 'portal.db'}"
    with scaffold(database, tmp_path / "data", owners={"shared": ["group:default/team-a"]}) as opened:
        yield opened


@pytest.fixture
def publish(portal, repo):
    """Run a template that publishes files; return how its steps ended, and what was told."""

    def run(files, *, existing=(), creates=({"kind": "Component", "layer": "shared"},), given=None, more=()):
        steps = [
            {"id": "fetch", "action": "fetch:plain", "input": {"url": "./files"}},
            {"id": "publish", "action": "publish:git", "input": {"name": "made", **(given or {})}},
            *more,
        ]
        asked = template("make", steps, parameters=FORM, **({"creates": list(creates)} if creates else {}))
        texts = {f"files/{path}": text for path, text in files.items()}
        home = documents(group("team-a"), group("team-b"), *existing)
        source = repo({"catalog-info.yaml": documents(to_yaml(asked), home), **texts}, name="templates")
        portal.ingest(f"{source.url}#main:catalog-info.yaml")
        events = portal.run("make", ASKED)
        return statuses(events)["publish"], messages(events)

    return run


@pytest.mark.parametrize(
    ("files", "told"),
    [
        ({"catalog-info.yaml": component("one")}, None),
        ({"catalog-info.yaml": component("one").replace("owner: team-a", "owners: [team-a, team-b]")}, None),
        ({"README.md": "nothing to catalog"}, None),
        ({"catalog-info.yaml": component("one", owner="team-b")}, "catalog-info.yaml:4:46 spec.owner"),
        (
            {"catalog-info.yaml": component("one").replace("owner: team-a", "owners: [team-b, team-a]")},
            "catalog-info.yaml:4:55 spec.owners.0",
        ),
        (
            {"catalog-info.yaml": component("one").replace(", owner: team-a", "")},
            "catalog-info.yaml:4:1 spec.owner: A required field is missing: found no owner",
        ),
        (
            {"catalog-info.yaml": documents(component("one"), component("two", owner="user:default/eve"))},
            "catalog-info.yaml:9:46 spec.owner: A field has a value that is not accepted: found user:default/eve",
        ),
        # Whatever kind the template says it creates: what it makes beside that has an owner as well.
        (
            {"catalog-info.yaml": documents(component("one"), entity("System", "two", "owner: team-b"))},
            "catalog-info.yaml:9:8 spec.owner",
        ),
        (
            {
                "catalog-info.yaml": location("all", "./more.yaml"),
                "more.yaml": component("one", owner="team-b"),
            },
            "more.yaml:4:46 spec.owner",
        ),
        ({"services/a/catalog-info.yml": component("one", owner="team-b")}, "services/a/catalog-info.yml:4:46"),
        ({"catalog-info.yaml": "kind: Component"}, "catalog-info.yaml:1:1"),
    ],
)
def test_another_owner_than_was_asked_for_is_not_published(portal, publish, files, told):
    status, log = publish(files)

    assert status == ("failed" if told else "completed"), log
    assert (portal.repositories / "made.git").exists() is (told is None)
    if told:
        assert told in log
        assert "Nothing is published, as group:default/team-a was asked to own what is made" in log


def test_a_file_that_a_later_step_registers_is_read_as_well(publish):
    later = {
        "id": "register",
        "action": "catalog:register",
        "input": {"catalogInfoUrl": "x", "catalogInfoPath": "/it.yaml"},
    }
    status, log = publish({"it.yaml": component("one", owner="team-b")}, more=[later])
    assert (status, "it.yaml:4:46" in log) == ("failed", True)


def test_only_the_folder_that_is_published_counts(publish):
    files = {"a/catalog-info.yaml": component("one"), "b/catalog-info.yaml": component("two", owner="team-b")}
    assert publish(files, given={"sourcePath": "a"})[0] == "completed"


def test_what_the_catalog_has_just_so_is_published_again(publish):
    others = component("theirs", owner="team-b")
    status, log = publish({"catalog-info.yaml": documents(component("one"), others)}, existing=[others])
    assert status == "completed", log


def test_what_the_catalog_has_otherwise_is_not_published(publish):
    theirs = component("theirs", owner="team-b")
    changed = component("theirs", owner="team-b", more="dependsOn: ['component:one']")
    status, log = publish({"catalog-info.yaml": documents(component("one"), changed)}, existing=[theirs])
    assert (status, "who was asked to own component:default/theirs" in log) == ("failed", True)


def test_a_template_that_creates_nothing_publishes_what_it_likes(publish):
    assert publish({"catalog-info.yaml": component("one", owner="team-b")}, creates=())[0] == "completed"


def test_a_dry_run_tells_of_the_owner_too(portal, publish):
    steps = [
        {
            "id": "write",
            "action": "catalog:write",
            "input": {
                "filePath": "sub/it.yaml",
                "entity": {
                    "apiVersion": "backstage.io/v1alpha1",
                    "kind": "Component",
                    "metadata": {"name": "x"},
                    "spec": {"type": "a", "lifecycle": "b", "owner": "team-b"},
                },
            },
        },
        {"id": "publish", "action": "publish:git", "input": {"name": "made"}},
    ]
    publish({})
    asked = template("t", steps, parameters=FORM, creates=[{"kind": "Component", "layer": "shared"}])
    result = portal.dry_runs.run(DryRun(asked, ASKED))
    assert "sub/it.yaml:10:3 spec.owner" in result.error["message"]
    steps[0]["input"]["entity"]["spec"]["owner"] = "team-a"
    assert portal.dry_runs.run(DryRun(asked, ASKED)).error is None


def test_an_owner_is_asked_for_by_a_picker_of_the_persons_groups_too(portal, publish):
    publish({})
    form = {"properties": {"mine": {"type": "string", "ui:field": "MyGroupsPicker"}}}
    asked = template("t", [], parameters=form, creates=[{"kind": "Component", "layer": "shared"}])
    with pytest.raises(InputError, match='give one as "mine"'):
        portal.dry_runs.run(DryRun(asked, {}))
    with pytest.raises(InputError, match="mine: group:default/team-b may not own in the layer shared"):
        portal.dry_runs.run(DryRun(asked, {"mine": "team-b"}))
