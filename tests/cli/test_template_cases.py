"""`portal template test`: templates tried with the cases beside them."""

from __future__ import annotations

import json
import textwrap

import pytest
from servers import run_portal

from portal.app.dry_runs import dry_runs_alone
from portal.config import load_settings
from portal.errors import InputError
from portal.services.template_cases import read_cases, read_template, try_case, values_of

TEMPLATE = """
apiVersion: scaffolder.backstage.io/v1beta3
kind: Template
metadata: {name: made}
spec:
  type: service
  owner: team
  creates: [{kind: Component, layer: shared}]
  parameters:
    required: [name]
    properties: {name: {type: string, pattern: "^[a-z]+$"}}
  secrets: {schema: {properties: {K: {type: string}}}}
  steps:
    - {id: fetch, action: fetch:template, input: {url: ./skeleton, values: {name: "${{ parameters.name }}"}}}
    - {id: user, if: "${{ user.ref }}", action: debug:log, input: {message: "for ${{ user.ref }}"}}
    - {id: publish, action: publish:git, input: {name: "${{ parameters.name }}"}}
  output: {links: [{title: Made, url: "${{ steps.publish.output.remoteUrl }}"}]}
"""
CASE = """
values: {name: thing}
secrets: {K: text}
expect:
  files: [README.md, thing.sh, picture.bin]
  contents: {README.md: "# thing\\n"}
  contains: {thing.sh: [echo, thing]}
  output: {links: [{title: Made, url: <example>}]}
  steps: {fetch: completed, user: skipped, publish: skipped}
"""
REFUSED = """
values: {name: Bad Name}
expect: {error: "instance.name does not match pattern"}
"""


@pytest.fixture
def folder(tmp_path):
    made = tmp_path / "made"
    (made / "skeleton").mkdir(parents=True)
    (made / "tests").mkdir()
    (made / "template.yaml").write_text(TEMPLATE)
    (made / "skeleton" / "README.md").write_text("# ${{ values.name }}\n")
    script = made / "skeleton" / "${{ values.name }}.sh"
    script.write_text("echo ${{ values.name }}\n")
    script.chmod(0o755)
    (made / "skeleton" / "picture.bin").write_bytes(b"\0\1")
    return made


def case(folder, text, name="one"):
    (folder / "tests" / f"{name}.yaml").write_text(textwrap.dedent(text))


def attempt(folder, *options, where=None):
    return run_portal("template", "test", str(where or folder), *options, folder=folder.parent)


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    data = tmp_path_factory.mktemp("cases") / "data"
    with dry_runs_alone(load_settings(environment={}, overrides={"data": str(data)})) as found:
        yield found


def faults(runs, folder, *, update=False):
    """Return what does not hold of the one case."""
    file = folder / "template.yaml"
    (one,) = read_cases(folder)
    return "\n".join(try_case(runs, read_template(file), one, file=file, update=update).faults)


def test_cases_that_hold_pass(folder):
    case(folder, CASE)
    case(folder, REFUSED, "refused")
    case(folder, "name: plain\n", "values")
    result = attempt(folder)
    assert result.returncode == 0, result.stdout + result.stderr
    assert "3 passed, 0 failed" in result.stdout
    assert not (folder.parent / "repositories").exists()


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("values: {name: Bad}", "it fails: instance.name"),
        ("values: {name: a}\nexpect: {error: nothing}", "found that it completes"),
        ("values: {name: Bad}\nexpect: {error: nothing}", "expected an error with: nothing"),
        ("values: {name: a}\nexpect: {files: [README.md, other]}", "the file other is missing"),
        ("values: {name: a}\nexpect: {files: [README.md, a.sh]}", "the file picture.bin is not expected"),
        ("values: {name: a}\nexpect: {contents: {README.md: x}}", "README.md (expected)"),
        ("values: {name: a}\nexpect: {contents: {none: x}}", "none is missing"),
        ("values: {name: a}\nexpect: {contents: {picture.bin: x}}", "picture.bin is missing, or no text"),
        ("values: {name: a}\nexpect: {contains: {a.sh: [never]}}", "a.sh does not contain: never"),
        ("values: {name: a}\nexpect: {output: {}}", "output: expected {}"),
        ("values: {name: a}\nexpect: {steps: {publish: completed}}", "step publish: expected completed, found skipped"),
        ("values: {name: a}\nexpect: {steps: {none: completed}}", "found no such step"),
        ("values: {name: a}\nuser: ann\nexpect: {steps: {user: skipped}}", "step user: expected skipped"),
    ],
)
def test_what_does_not_hold_is_told(runs, folder, text, told):
    case(folder, text)
    assert told in faults(runs, folder)


def test_a_snapshot_is_written_and_held_to(runs, folder):
    case(folder, "values: {name: thing}")
    assert "snapshot written" in attempt(folder, "--update").stdout
    kept = folder / "tests" / "one.snapshot"
    assert {path.name for path in kept.iterdir()} == {"README.md", "thing.sh", "picture.bin"}
    assert (kept / "thing.sh").stat().st_mode & 0o100
    assert faults(runs, folder) == ""

    (folder / "skeleton" / "README.md").write_text("# other ${{ values.name }}\n")
    (folder / "skeleton" / "picture.bin").write_bytes(b"\0\2")
    (folder / "skeleton" / "${{ values.name }}.sh").chmod(0o644)
    (folder / "skeleton" / "new").touch()
    told = faults(runs, folder)
    assert "-# thing\n+# other thing" in told
    assert "picture.bin is another than in the snapshot" in told
    assert "thing.sh: whether it is executable differs" in told
    assert "the file new is not in the snapshot" in told

    (folder / "skeleton" / "picture.bin").unlink()
    assert "the file picture.bin of the snapshot is missing" in faults(runs, folder)
    assert faults(runs, folder, update=True) == ""
    assert faults(runs, folder) == ""
    assert not (kept / "picture.bin").exists()


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("values: {}\nexpects: {}", "found expects; expected"),
        ("values: {}\nexpect: {file: []}", "found expect.file; expected"),
        ("values: {}\nexpect: {files: x}", "expect.files must be a list"),
        ("values: {}\nexpect: x", "expected mappings"),
        ("[1]", "expected one mapping"),
        ("a: [", "one.yaml"),
    ],
)
def test_what_is_no_case_is_refused(folder, text, told):
    case(folder, text)
    with pytest.raises(InputError, match=told):
        read_cases(folder)


def test_a_folder_without_a_template_or_cases_is_refused(folder):
    assert "found no cases" in attempt(folder).stderr
    (folder / "template.yaml").write_text("kind: Component\n")
    with pytest.raises(InputError, match="found 0 templates"):
        read_template(folder / "template.yaml")
    (folder / "template.yaml").unlink()
    assert "found no template.yaml" in attempt(folder).stderr


def test_all_templates_below_a_folder_are_tried(folder):
    case(folder, CASE)
    case(folder, "values: {name: Bad}", "two")
    result = attempt(folder, "--json", where=folder.parent)
    assert result.returncode == 1
    told = json.loads(result.stdout)
    assert [(item["passed"], item["updated"]) for item in told] == [(True, False), (False, False)]
    assert "instance.name" in told[1]["faults"][0]


@pytest.mark.parametrize(
    ("given", "values"),
    [
        ({"values": {"n": 1}, "expect": {"files": []}, "secrets": {"K": "k"}}, {"n": 1}),
        ({"values": {"n": 1}}, {"n": 1}),
        ({"n": 1}, {"n": 1}),
        ({"values": [1]}, {"values": [1]}),
        ({"values": {"n": 1}, "other": 2}, {"values": {"n": 1}, "other": 2}),
    ],
)
def test_the_values_of_a_case_are_those_of_a_run(given, values) -> None:
    assert values_of(given) == values


@pytest.mark.slow
def test_a_run_takes_the_file_of_a_case(tmp_path, repo) -> None:
    steps = [{"id": "say", "action": "debug:log", "input": {"message": "n is ${{ parameters.n }}"}}]
    made = {
        "apiVersion": "scaffolder.backstage.io/v1beta3",
        "kind": "Template",
        "metadata": {"name": "says"},
        "spec": {"type": "service", "steps": steps, "output": {"n": "${{ parameters.n }}"}},
    }
    (tmp_path / "case.yaml").write_text("values: {n: seven}\nexpect: {output: {n: seven}}\n")
    run_portal("ingest", repo({"catalog-info.yaml": json.dumps(made)}).url, folder=tmp_path)

    done = run_portal("template", "run", "says", "--values", "case.yaml", "--json", folder=tmp_path)

    assert json.loads(done.stdout)["output"] == {"n": "seven"}, done.stderr
