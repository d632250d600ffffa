"""Generated repositories: which there are, how far behind they are, how they are brought up to date."""

from __future__ import annotations

import json
import subprocess
import threading
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml
from catalogs import documents, group
from repositories import Repository
from scaffolds import EchoAction, messages, scaffold, statuses, template
from sqlalchemy import event

from portal.errors import ConflictError, InputError, NotFoundError, ValuesError
from portal.model.ref import EntityRef
from portal.services.upgrades import Asking, Author, UpgradeOptions

FORM = {
    "required": ["name", "owner"],
    "properties": {"name": {"type": "string"}, "owner": {"type": "string", "ui:field": "OwnerPicker"}},
}
STEPS = [
    {
        "id": "fetch",
        "action": "fetch:template",
        "input": {
            "url": "./skeleton",
            "values": {
                "name": "${{ parameters.name }}",
                "owner": "${{ parameters.owner }}",
                "user": "${{ user.ref }}",
                "level": "${{ parameters.level }}",
                "colour": "${{ parameters.colour }}",
            },
        },
    },
    {"id": "publish", "action": "publish:git", "input": {"name": "${{ parameters.name }}"}},
    {
        "id": "register",
        "action": "catalog:register",
        "input": {"repoContentsUrl": "${{ steps.publish.output.repoContentsUrl }}"},
    },
]
CATALOG = """\
# what this is
apiVersion: backstage.io/v1alpha1
kind: Component
metadata:
  name: ${{ values.name }}
  annotations:
    example.com/kept: "yes"
spec: {type: service, lifecycle: experimental, owner: "${{ values.owner }}"}
"""
README = "# ${{ values.name }}\n\nby ${{ values.user }}\n\n" + "".join(f"line {number}\n\n" for number in range(20))
SKELETON = {
    "README.md": README,
    "catalog-info.yaml": CATALOG,
    "moved.txt": "".join(f"text {number}\n" for number in range(30)),
    "run.sh": "echo ${{ values.name }}\n",
    "logo.bin": b"\0first",
    "leaves.txt": "it leaves\n",
    ".gitignore": "ignored.txt\n",
    "ignored.txt": "never published\n",
}
REF = EntityRef("template:default/made")
VALUES = {"name": "sensors", "owner": "group:default/team-a"}
HERE = "templates/made"


class World:
    """A scaffolding with one template, of which there are several versions."""

    def __init__(self, portal, source: Repository) -> None:
        self.portal = portal
        self.source = source
        self.first = self.change(SKELETON, message="first")
        self.portal.ingest(f"{source.url}#main:**/template.yaml")

    def change(self, skeleton, *, form=None, steps=STEPS, message="change") -> str:
        """Commit a version of the template."""
        document = json.dumps(template("made", steps, parameters=form or FORM))
        files = {f"{HERE}/skeleton/{path}": content for path, content in skeleton.items()}
        self.source.write({f"{HERE}/template.yaml": document, **files})
        for script in (self.source.path / HERE / "skeleton").glob("*.sh"):
            script.chmod(0o755)
        return self.source.commit({}, message=message)

    def generate(self, name="sensors") -> None:
        events = self.portal.run("made", VALUES | {"name": name}, actor_ref="user:default/ann")
        assert set(statuses(events).values()) == {"completed"}, messages(events)

    def bare(self, name="sensors") -> Path:
        return self.portal.repositories / f"{name}.git"

    def git(self, *arguments: str, name="sensors") -> str:
        return subprocess.run(
            ["git", *arguments], cwd=self.bare(name), check=True, capture_output=True, text=True
        ).stdout

    def branches(self, name="sensors") -> list[str]:
        return self.git("branch", "--format=%(refname:short)", name=name).split()

    def edit(self, files, *, name="sensors", modes=()) -> None:
        """Commit changes to the default branch of a generated repository, as its owners do."""
        clone = self.portal.folder / f"clone-{name}"
        if not clone.exists():
            subprocess.run(["git", "clone", "--quiet", str(self.bare(name)), str(clone)], check=True)
        for path, content in files.items():
            if content is None:
                (clone / path).unlink()
            else:
                (clone / path).parent.mkdir(exist_ok=True, parents=True)
                (clone / path).write_bytes(content.encode() if isinstance(content, str) else content)
        for path, mode in modes:
            (clone / path).chmod(mode)
        for command in (["add", "--all"], ["commit", "--quiet", "--message", "own work"], ["push", "--quiet"]):
            subprocess.run(["git", *command], cwd=clone, check=True)

    def upgrade(self, values=None, *, name="sensors", is_dry=False):
        options = UpgradeOptions(values or {}, is_dry=is_dry, author=Author("Ann", "ann@example.com"))
        return self.portal.upgrades.upgrade_entity(EntityRef(f"component:default/{name}"), options, asking=Asking())

    def statements(self) -> int:
        """Return how many statements a listing takes."""
        seen = []
        here = threading.get_ident()

        def note(_connection, _cursor, statement, *_more) -> None:
            # The worker of tasks asks too.
            if threading.get_ident() == here:
                seen.append(statement)

        event.listen(self.portal.database.engine, "before_cursor_execute", note)
        self.listed()
        event.remove(self.portal.database.engine, "before_cursor_execute", note)
        return len(seen)

    def listed(self, template=REF):
        return self.portal.generated.listing(template)


@contextmanager
def opened(url, folder, repo):
    with scaffold(url, folder, owners={}) as portal:
        source = repo({"catalog-info.yaml": documents(group("team-a"))})
        portal.ingest(f"{source.url}#main:catalog-info.yaml")
        yield World(portal, source)


@pytest.fixture
def world(tmp_path, repo):
    """A world on SQLite: what is merged has nothing to do with the database."""
    with opened(f"sqlite:///{tmp_path / 'portal.db'}", tmp_path / "data", repo) as made:
        yield made


@pytest.fixture
def either_world(database_url, tmp_path, repo):
    """A world on each database."""
    with opened(database_url, tmp_path / "data", repo) as made:
        yield made


def test_a_repository_says_what_it_was_generated_from(either_world):
    world = either_world
    world.generate()
    record = yaml.safe_load(world.git("show", "main:.portal/answers.yaml"))
    assert {name: record[name] for name in ("template", "commit", "step", "user", "parameters")} == {
        "template": REF,
        "commit": world.first,
        "step": "publish",
        "user": "user:default/ann",
        "parameters": VALUES,
    }
    assert record["location"] == f"url:{world.source.url}#main:{HERE}/template.yaml"
    task = world.portal.service.get_task(record["task"])
    assert (task["status"], task["spec"]["templateInfo"]["commit"]) == ("completed", world.first)
    lines = world.git("show", "main:catalog-info.yaml").splitlines()
    assert lines[0] == "# what this is"
    assert lines[5:9] == [
        "  annotations:",
        f"    backstage.io/source-template: {REF}",
        f"    portal/template-commit: {world.first}",
        '    example.com/kept: "yes"',
    ]


def test_what_was_generated_is_listed_with_how_far_it_is_behind(either_world):
    world = either_world
    world.generate("one")
    budget = world.statements()
    world.change({"README.md": "changed\n"})
    world.generate("two")
    assert world.statements() == budget
    world.source.commit({"elsewhere.txt": "no file of the template"})
    last = world.change({"README.md": "changed again\n"})
    found = world.listed()
    assert [(item.entities, item.behind, item.note) for item in found.items] == [
        (("component:default/one",), 2, ""),
        (("component:default/two",), 1, ""),
    ]
    assert found.items[0].repository == world.bare("one").as_uri()
    (state,) = found.templates
    assert (state.commit, state.changed) == (last, last)
    assert [item.to_json() for item in world.listed(None).items] == [item.to_json() for item in found.items]
    with pytest.raises(NotFoundError):
        world.listed(EntityRef("template:default/none"))


def test_what_the_template_changed_is_merged_into_own_work(world):
    world.generate()
    world.edit(
        {
            "README.md": world.git("show", "main:README.md").replace("line 15\n", "our line 15\n"),
            "src/own.py": "own = 1\n",
            "moved.txt": world.git("show", "main:moved.txt").replace("text 3\n", "our text 3\n"),
            "catalog-info.yaml": world.git("show", "main:catalog-info.yaml").replace(
                "    example.com/kept", "    example.com/ours: theirs\n    example.com/kept"
            ),
        },
        modes=[("README.md", 0o755)],
    )
    tip = world.git("rev-parse", "main").strip()
    (world.source.path / HERE / "skeleton" / "leaves.txt").unlink()
    (world.source.path / HERE / "skeleton" / "moved.txt").rename(world.source.path / HERE / "skeleton" / "there.txt")
    now = world.change(
        {
            "README.md": README.replace("line 2\n", "better line 2\n"),
            "logo.bin": b"\0second",
            "new.sh": "echo new ${{ values.name }}\n",
        },
        message="Make it better",
    )
    preview = world.upgrade(is_dry=True)
    assert (preview.status, world.branches()) == ("previewed", ["main"])
    assert "+better line 2\n" in preview.diff
    assert "rename from moved.txt\nrename to there.txt\n" in preview.diff

    result = world.upgrade()
    branch = f"portal/upgrade-made-{now[:12]}"
    assert (result.status, result.branch, result.conflicts) == ("pushed", branch, ())
    assert world.branches() == ["main", branch]
    assert world.git("rev-parse", "main").strip() == tip
    assert world.git("rev-parse", f"{branch}~1").strip() == tip
    readme = world.git("show", f"{branch}:README.md")
    assert "better line 2\n" in readme
    assert "our line 15\n" in readme
    assert "by user:default/ann\n" in readme
    assert "our text 3\n" in world.git("show", f"{branch}:there.txt")
    tree = {line.split("\t")[1]: line[:6] for line in world.git("ls-tree", "-r", branch).splitlines()}
    assert {"README.md", "new.sh", "run.sh"} == {path for path, mode in tree.items() if mode == "100755"}
    assert tree.keys() == {
        ".gitignore",
        ".portal/answers.yaml",
        "README.md",
        "catalog-info.yaml",
        "logo.bin",
        "new.sh",
        "run.sh",
        "src/own.py",
        "there.txt",
    }
    assert world.git("show", f"{branch}:logo.bin") == "\0second"
    assert yaml.safe_load(world.git("show", f"{branch}:.portal/answers.yaml"))["commit"] == now
    annotations = yaml.safe_load(world.git("show", f"{branch}:catalog-info.yaml"))["metadata"]["annotations"]
    assert annotations == {
        "backstage.io/source-template": REF,
        "portal/template-commit": now,
        "example.com/ours": "theirs",
        "example.com/kept": "yes",
    }
    assert world.git("log", "-1", "--format=%an <%ae>%n%B", branch) == (
        "Ann <ann@example.com>\n"
        f"upgrade: made from {world.first[:12]} to {now[:12]}\n\n"
        f"What {REF} makes now is merged into what has become of what it made.\n\n"
        f"The template's changes:\n- {now[:12]} Make it better\n\n"
    )

    with pytest.raises(ConflictError, match="already has a branch"):
        world.upgrade()
    world.git("update-ref", "refs/heads/main", branch)
    world.portal.refresh.refresh()
    assert [(item.commit, item.behind) for item in world.listed().items] == [(now, 0)]
    assert world.upgrade().status == "current"


def test_what_cannot_be_decided_is_marked_and_told(world):
    world.generate()
    published = world.git("show", "main:README.md")
    world.edit(
        {
            "README.md": published.replace("line 7\n", "our line 7\n"),
            "logo.bin": b"\0ours",
            "leaves.txt": "it stays, with our words\n",
            "run.sh": None,
        }
    )
    (world.source.path / HERE / "skeleton" / "leaves.txt").unlink()
    world.change(
        {"README.md": README.replace("line 7\n", "their line 7\n"), "logo.bin": b"\0theirs", "run.sh": "echo other\n"}
    )
    result = world.upgrade()
    assert "<<<<<<< repository\nour line 7\n=======\ntheir line 7\n>>>>>>> template\n" in world.git(
        "show", f"{result.branch}:README.md"
    )
    told = "\n".join(result.conflicts)
    assert {"README.md", "logo.bin", "leaves.txt", "run.sh"} == {
        name for name in ("README.md", "logo.bin", "leaves.txt", "run.sh", "moved.txt", "answers") if name in told
    }
    assert world.git("show", f"{result.branch}:logo.bin") == "\0ours"
    assert world.git("show", f"{result.branch}:leaves.txt") == "it stays, with our words\n"
    message = world.git("log", "-1", "--format=%B", result.branch)
    assert all(f"- {sentence}\n" in message for sentence in result.conflicts)


def test_parameters_that_are_new_are_asked_for_and_recorded(world):
    world.generate()
    form = {
        "required": ["name", "owner", "level"],
        "properties": FORM["properties"]
        | {"level": {"type": "integer"}, "colour": {"type": "string", "default": "green"}},
    }
    world.change({"level.txt": "${{ values.level }} ${{ values.colour }}\n"}, form=form)
    with pytest.raises(ValuesError, match="asks for more by now: level; give each a value"):
        world.upgrade()
    with pytest.raises(ValuesError, match="level is not of a type"):
        world.upgrade({"level": "high"})
    with pytest.raises(InputError, match="has no parameter leve"):
        world.upgrade({"leve": 3})
    assert world.branches() == ["main"]
    result = world.upgrade({"level": 3})
    assert world.git("show", f"{result.branch}:level.txt") == "3 green\n"
    record = yaml.safe_load(world.git("show", f"{result.branch}:.portal/answers.yaml"))
    assert record["parameters"] == VALUES | {"level": 3, "colour": "green"}


def test_all_repositories_of_a_template_are_upgraded_at_once(either_world):
    world = either_world
    for name in ("one", "two", "three"):
        world.generate(name)
    world.edit({".portal/answers.yaml": None}, name="two")
    world.edit({".portal/answers.yaml": "template: made\ncommit: ../..\n"}, name="three")
    world.change({"README.md": "changed\n"})
    found = world.portal.upgrades.upgrade_all(REF, UpgradeOptions({}), asking=Asking())
    assert [(item.repository.rpartition("/")[2], item.status) for item in found] == [
        ("one.git", "pushed"),
        ("three.git", "failed"),
        ("two.git", "failed"),
    ]
    assert 'found commit "../.."' in found[1].reason
    assert "found no .portal/answers.yaml" in found[2].reason
    assert [len(world.branches(name)) for name in ("one", "two", "three")] == [2, 1, 1]


def test_a_template_that_has_moved_is_found_where_it_was(world):
    world.generate()
    world.source.git("mv", "templates", "moved")
    world.source.commit({"moved/made/skeleton/README.md": "moved\n"})
    world.portal.refresh.refresh()
    body = json.loads(world.portal.catalog.by_refs([REF])[REF])
    assert "moved/made" in body["metadata"]["annotations"]["backstage.io/managed-by-location"]
    result = world.upgrade()
    assert (result.status, result.conflicts) == ("pushed", ())
    assert world.git("show", f"{result.branch}:README.md") == "moved\n"


def test_rendering_once_more_does_nothing_else(world):
    world.generate()
    world.change({"README.md": "changed\n"})
    before = sorted(path.name for path in world.portal.repositories.iterdir()), len(world.portal.sources.list())
    world.upgrade(is_dry=True)
    assert (
        sorted(path.name for path in world.portal.repositories.iterdir()),
        len(world.portal.sources.list()),
    ) == before
    assert not list((world.portal.folder / "workspaces").glob("dry-run-*"))


class Asks(EchoAction):
    """Asks in somebody's name."""

    id = "http:backstage:request"

    def __init__(self):
        self.names = []

    def run(self, context):
        self.names.append(context.user_ref)


def test_a_record_asks_in_nobodys_name_and_leads_nowhere_else(world):
    asks = world.portal.actions[Asks.id] = Asks()
    world.change({"README.md": "one\n"}, steps=[{"id": "ask", "action": asks.id}, *STEPS])
    world.portal.refresh.refresh()
    world.generate()
    assert asks.names == ["user:default/ann"]
    record = yaml.safe_load(world.git("show", "main:.portal/answers.yaml"))
    record |= {
        "user": "user:default/admin",
        "task": "../../x~1",
        "location": f"{record['location'].partition('#')[0]}#main:../../etc/passwd",
    }
    world.edit({".portal/answers.yaml": yaml.safe_dump(record)})
    world.change({"README.md": "two\n"}, steps=[{"id": "ask", "action": asks.id}, *STEPS])
    result = world.upgrade()
    assert (result.status, result.conflicts) == ("pushed", ())
    assert asks.names == ["user:default/ann"]
    assert "task" not in yaml.safe_load(world.git("show", f"{result.branch}:.portal/answers.yaml"))


def test_what_a_template_cannot_make_any_more_is_told(world):
    world.generate()
    world.change({"README.md": "${{ values.name | nothing }}\n"})
    with pytest.raises(InputError, match="cannot be rendered with the recorded values: "):
        world.upgrade()
    assert world.branches() == ["main"]
