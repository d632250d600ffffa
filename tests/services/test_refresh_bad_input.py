"""Hostile or broken input: a clear problem, the last good catalog still served, a later good commit heals it."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from catalogs import component, documents, entity, group, location
from portals import Catalog
from repositories import MakeRepository

from portal.ingest.yaml import YamlLimits
from portal.services.claims import PORTION
from portal.store.database import Database

GOOD = documents(component("a"), group("team-a"))
GOOD_REFS = ["component:default/a", "group:default/team-a"]
BOMB = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{chr(98 + n)}: &{chr(98 + n)} [{', '.join([f'*{chr(97 + n)}'] * 9)}]\n" for n in range(9)
)

FAULTY_FILES = {
    "not YAML": ("a: [\n", "yaml-syntax"),
    "no mapping": ("- a\n- b\n", "not-a-mapping"),
    "an unknown kind": (component("a").replace("Component", "Componant"), "kind-unknown"),
    "a missing name": (component("a").replace("name: a", "title: a"), "field-missing"),
    "an alias bomb": (BOMB, "yaml-alias-limit"),
    "deep nesting": ("[" * 100_000, "yaml-depth"),
    "deep block nesting": ("".join(f"{' ' * n}a:\n" for n in range(1_000)), "yaml-depth"),
    "tabs": ("metadata:\n\tname: a\n", "yaml-syntax"),
    "no UTF-8": (b"metadata: {name: \xff\xfe}\n", "file-not-utf8"),
    "a NUL byte": (b"metadata: {name: a\x00b}\n", "yaml-syntax"),
    "a duplicate key": ("kind: Component\nkind: Component\n", "yaml-duplicate-key"),
}


@pytest.mark.parametrize("name", FAULTY_FILES)
def test_a_faulty_file_is_a_problem_and_the_last_good_catalog_stays(
    name: str, catalog: Catalog, repo: MakeRepository
) -> None:
    content, code = FAULTY_FILES[name]
    made = repo({"catalog-info.yaml": GOOD})
    catalog.ingest(made.url)
    before = catalog.refs()
    made.commit({"catalog-info.yaml": content})

    report = catalog.service.refresh()

    errors = [problem for problem in report.problems if problem.severity == "error"]
    assert code in {problem.code for problem in errors}
    for problem in errors:
        assert problem.location.endswith(":catalog-info.yaml")
        assert problem.span is not None
        assert problem.span.line >= 1
    assert catalog.refs() == before == GOOD_REFS

    made.commit({"catalog-info.yaml": GOOD})
    assert catalog.service.refresh().problems == []
    assert catalog.refs() == GOOD_REFS


def test_a_file_of_50_megabytes_is_refused_unread(catalog: Catalog, repo: MakeRepository) -> None:
    made = repo({"catalog-info.yaml": GOOD})
    catalog.ingest(made.url)
    made.commit({"catalog-info.yaml": GOOD + "# " + "x" * 50_000_000 + "\n"})

    report = catalog.service.refresh()

    assert [problem.code for problem in report.problems] == ["file-too-large"]
    assert "50,000," in report.problems[0].found
    assert catalog.refs() == GOOD_REFS
    made.commit({"catalog-info.yaml": GOOD})
    assert catalog.service.refresh().problems == []


def test_two_documents_of_one_file_cannot_be_the_same_entity(catalog: Catalog, repo: MakeRepository) -> None:
    made = repo({"catalog-info.yaml": documents(component("a"), component("a", owner="team-b"))})

    report = catalog.ingest(made.url)

    assert [(problem.code, problem.span.line) for problem in report.problems if problem.span] == [("ref-duplicate", 6)]
    assert catalog.body("component:default/a")["spec"]["owner"] == "team-a"
    made.commit({"catalog-info.yaml": component("a", owner="team-b")})
    assert catalog.service.refresh().problems == []
    assert catalog.body("component:default/a")["spec"]["owner"] == "team-b"


def test_two_files_cannot_claim_the_same_entity(catalog: Catalog, repo: MakeRepository) -> None:
    made = repo({"a.yaml": component("a"), "b.yaml": component("a", owner="team-b")})

    report = catalog.ingest(f"{made.url}#main:*.yaml")

    assert [problem.code for problem in report.problems] == ["ref-duplicate"]
    assert report.problems[0].location.endswith(":b.yaml")
    made.commit({"a.yaml": None})
    assert catalog.service.refresh().problems == []
    assert catalog.body("component:default/a")["spec"]["owner"] == "team-b"


def test_of_two_repositories_the_first_holds_an_entity_until_it_lets_go(catalog: Catalog, repo: MakeRepository) -> None:
    first = repo({"catalog-info.yaml": documents(component("a"), component("b"))}, name="first")
    second = repo({"catalog-info.yaml": component("a", owner="team-b")}, name="second")
    catalog.ingest(first.url)

    report = catalog.ingest(second.url)

    assert [problem.code for problem in report.problems] == ["ref-conflict"]
    assert "second" in report.problems[0].location
    assert "first" in report.problems[0].expected
    assert catalog.body("component:default/a")["spec"]["owner"] == "team-a"
    first.commit({"catalog-info.yaml": component("b")})
    assert catalog.service.refresh().problems == []
    assert catalog.body("component:default/a")["spec"]["owner"] == "team-b"


def test_a_cycle_of_locations_ends_and_is_told(catalog: Catalog, repo: MakeRepository) -> None:
    made = repo(
        {
            "catalog-info.yaml": documents(location("one", "./two.yaml"), component("a")),
            "two.yaml": documents(location("two", "./catalog-info.yaml"), component("b")),
        }
    )

    report = catalog.ingest(made.url)

    assert [(problem.code, problem.field) for problem in report.problems] == [("location-cycle", "spec.targets.0")]
    assert report.problems[0].location.endswith(":two.yaml")
    assert "component:default/b" in catalog.refs()
    made.commit({"two.yaml": component("b")})
    assert catalog.service.refresh().problems == []


@pytest.mark.parametrize("target", ["../../etc/passwd", "./../../../etc/passwd", "a/../../x.yaml"])
def test_a_target_outside_the_repository_is_refused(target: str, catalog: Catalog, repo: MakeRepository) -> None:
    made = repo({"catalog-info.yaml": GOOD})
    catalog.ingest(made.url)
    made.commit({"catalog-info.yaml": documents(location("root", target), GOOD)})

    report = catalog.service.refresh()

    assert [problem.code for problem in report.problems] == ["target-outside"]
    assert report.problems[0].span is not None
    assert catalog.refs() == [*GOOD_REFS, "location:default/root"]
    made.commit({"catalog-info.yaml": GOOD})
    assert catalog.service.refresh().problems == []


@pytest.mark.parametrize("pattern", ["./link.yaml", "./folder/passwd.yaml", "./l*.yaml"])
def test_a_symbolic_link_is_not_followed(pattern: str, catalog: Catalog, repo: MakeRepository) -> None:
    made = repo({"catalog-info.yaml": documents(location("root", pattern), GOOD)})
    (made.path / "link.yaml").symlink_to("/etc/passwd")
    (made.path / "folder").symlink_to("/etc")
    made.commit({})

    report = catalog.ingest(made.url)

    assert [problem.code for problem in report.problems] == ["file-symlink"]
    assert catalog.refs() == [*GOOD_REFS, "location:default/root"]


@pytest.mark.parametrize("remote", ["file:///etc", "ext::sh -c touch% /tmp/x", "/etc/passwd", "http://169.254.1.1/x"])
def test_a_catalog_cannot_name_what_only_the_operator_may(remote: str, catalog: Catalog, repo: MakeRepository) -> None:
    made = repo({"catalog-info.yaml": documents(location("root", f"{remote}#main:x.yaml"), GOOD)})

    report = catalog.ingest(made.url)

    assert {problem.code for problem in report.problems} <= {"target-not-allowed", "target-missing", "target-invalid"}
    assert len(report.problems) == 1
    assert catalog.refs() == [*GOOD_REFS, "location:default/root"]


def test_a_branch_that_does_not_exist_is_told_with_those_that_do(catalog: Catalog, repo: MakeRepository) -> None:
    made = repo({"catalog-info.yaml": GOOD})

    report = catalog.ingest(f"{made.url}#mian:catalog-info.yaml")

    assert [problem.code for problem in report.problems] == ["revision-missing"]
    assert "main" in report.problems[0].hint
    made.git("branch", "mian")
    assert catalog.service.refresh().problems == []
    assert catalog.refs() == GOOD_REFS


def test_a_remote_that_vanishes_keeps_its_entities_until_it_is_back(
    catalog: Catalog, repo: MakeRepository, tmp_path: Path
) -> None:
    made = repo({"catalog-info.yaml": documents(location("root", "./more.yaml"), GOOD), "more.yaml": component("b")})
    catalog.ingest(made.url)
    before = catalog.everything()
    shutil.move(made.path, tmp_path / "away")

    report = catalog.service.refresh()

    assert [problem.code for problem in report.problems] == ["source-unreachable"]
    # The Location that stands for the source says so; all else is as it was.
    now, then = (
        [item for item in seen["entities"] if "/generated-" not in item[0]] for seen in (catalog.everything(), before)
    )
    assert now == then
    shutil.move(tmp_path / "away", made.path)
    assert catalog.service.refresh().problems == []
    assert catalog.everything() == before


def test_a_force_pushed_branch_is_taken_as_it_is_now(catalog: Catalog, repo: MakeRepository) -> None:
    made = repo({"catalog-info.yaml": GOOD})
    made.commit({"catalog-info.yaml": component("b")})
    catalog.ingest(made.url)
    made.git("reset", "--quiet", "--hard", "HEAD~1")
    made.commit({"catalog-info.yaml": component("c")})

    report = catalog.service.refresh()

    assert report.problems == []
    assert catalog.refs() == ["component:default/c"]


def test_a_target_that_vanishes_keeps_its_entities(catalog: Catalog, repo: MakeRepository) -> None:
    made = repo({"catalog-info.yaml": location("root", "./a.yaml", "./x/*.yaml"), "a.yaml": component("a"),
                 "x/b.yaml": component("b")})  # fmt: skip
    catalog.ingest(made.url)
    made.commit({"a.yaml": None, "x/b.yaml": None})

    report = catalog.service.refresh()

    assert [problem.code for problem in report.problems] == ["target-missing"]
    assert catalog.refs() == ["component:default/a", "location:default/root"]
    made.commit({"catalog-info.yaml": location("root", "./x/*.yaml")})
    assert catalog.service.refresh().problems == []
    assert catalog.refs() == ["location:default/root"]


_KILLED_INGEST = """
import os, signal, sys
from pathlib import Path
sys.path[:0] = {paths!r}
from sqlalchemy import event
from portals import Catalog
from portal.store.database import Database
catalog = Catalog(Database({url!r}), Path({folder!r}))
@event.listens_for(catalog.database.engine, "before_cursor_execute")
def die(connection, cursor, statement, parameters, context, executemany):
    if "INTO revisions" in statement:
        os.kill(os.getpid(), signal.SIGKILL)
catalog.service.refresh()
"""


def test_a_killed_ingest_leaves_the_catalog_as_it_was(
    catalog: Catalog, database: Database, database_url: str, repo: MakeRepository, tmp_path: Path
) -> None:
    made = repo({"catalog-info.yaml": GOOD})
    catalog.ingest(made.url)
    before = catalog.everything()
    made.commit({"catalog-info.yaml": documents(*(component(f"c{n}") for n in range(50)))})
    script = _KILLED_INGEST.format(
        paths=[str(Path(__file__).parents[1]), str(Path(__file__).parents[2])], url=database_url, folder=str(tmp_path)
    )

    killed = subprocess.run([sys.executable, "-c", script], env=os.environ, capture_output=True, check=False)

    assert killed.returncode == -signal.SIGKILL, killed.stderr.decode()
    assert catalog.everything() == before
    assert catalog.service.refresh().problems == []
    assert len(catalog.refs()) == 50


def test_limits_are_the_operators_to_set(database: Database, repo: MakeRepository, tmp_path: Path) -> None:
    catalog = Catalog(database, tmp_path, limits=YamlLimits(size_bytes=100))
    made = repo({"catalog-info.yaml": GOOD})

    report = catalog.ingest(made.url)

    assert [problem.code for problem in report.problems] == ["file-too-large"]


def test_a_text_with_a_nul_is_a_problem_of_its_field(catalog: Catalog, repo: MakeRepository) -> None:
    """No column of PostgreSQL holds one: it must not take the refresh with it."""
    odd = entity("Component", "a", 'type: "s\\0t", lifecycle: x, owner: g, "k\\0": [{"deep": ["\\0"]}]')
    made = repo({"catalog-info.yaml": documents(odd, component("b"))})

    report = catalog.ingest(made.url)

    assert {
        (problem.code, problem.field, problem.ref) for problem in report.problems if problem.severity == "error"
    } == {
        ("field-invalid", "spec.type", "component:default/a"),
        ("field-invalid", "spec.k\\0", "component:default/a"),
    }
    assert catalog.refs() == ["component:default/b"]


def test_a_text_with_half_a_character_is_a_problem(catalog: Catalog, repo: MakeRepository) -> None:
    odd = entity("Component", "a", 'type: "\\ud800", lifecycle: x, owner: g')
    made = repo({"catalog-info.yaml": documents(odd, component("b"))})

    report = catalog.ingest(made.url)

    assert [problem.code for problem in report.problems] == ["yaml-syntax"]
    assert catalog.refs() == ["component:default/b"]


def test_claims_far_apart_in_a_large_catalog_are_decided_as_near_ones(catalog: Catalog, repo: MakeRepository) -> None:
    """Documents are decided on a portion at a time; the claims on an entity may come in different ones."""
    names = [f"service-{number:05}" for number in range(2 * PORTION + 500)]
    many = {
        f"{start:05}.yaml": documents(*(component(name) for name in names[start : start + 500]))
        for start in range(0, len(names), 500)
    }
    twice = documents(component(names[0], more="system: second"), component("new"))
    made = repo(many | {"99999.yaml": twice})

    first = catalog.ingest(f"{made.url}#main:*.yaml")
    problem, *others = first.problems
    body = catalog.body(f"component:default/{names[0]}")
    made.commit({"00000.yaml": None})
    after = catalog.service.refresh()

    assert (problem.code, problem.location.rpartition(":")[2], others) == ("ref-duplicate", "99999.yaml", [])
    assert "system" not in body["spec"]
    (changes,) = first.changes.values()
    assert (changes.added, changes.changed, changes.removed) == (len(names) + 2, 0, 0)
    assert after.problems == []
    assert catalog.body(f"component:default/{names[0]}")["spec"]["system"] == "second"
    (changes,) = after.changes.values()
    assert (changes.added, changes.changed, changes.removed) == (0, 1, 499)
