"""`portal template lint`: each rule finds what it is for, at its place, and nothing in a template that is good."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from portal.app.dry_runs import bench_alone
from portal.config import load_settings
from portal.errors import InputError
from portal.services.template_lint import LINT_RULES

ROOT = Path(__file__).resolve().parents[2]

GOOD = """\
apiVersion: scaffolder.backstage.io/v1beta3
kind: Template
metadata: {name: made}
spec:
  type: service
  owner: team
  creates: [{kind: Component, layer: "${{ parameters.layer }}"}]
  secrets: {schema: {properties: {NPM: {type: string}}}}
  parameters:
    - title: What
      required: [name, owner]
      properties:
        name: {type: string}
        owner: {type: string, ui:field: OwnerPicker}
        layer: {type: string, enum: [shared, project]}
        hasDatabase: {type: boolean}
        repoUrl: {type: string, ui:field: RepoUrlPicker}
        branch: {type: string, ui:field: RepoBranchPicker}
        deployKey: {type: string, ui:field: Secret}
      if: {properties: {layer: {const: shared}}}
      then: {properties: {audience: {type: string}}}
      dependencies:
        hasDatabase:
          oneOf:
            - properties: {hasDatabase: {enum: [true]}, engine: {type: string, enum: [pg, my]}}
            - properties: {hasDatabase: {enum: [false]}}
  steps:
    - id: fetch-base
      action: fetch:template
      input:
        url: ./skeleton
        values:
          name: ${{ parameters.name | lower | trim }}
          audience: ${{ parameters.audience or "all" }}
          notes: |
            # Notes
            {% set engine = parameters.engine %}
            {% for item in [1, 2] %}${{ loop.index }} ${{ item }} of ${{ engine }}{% endfor %}
          extra: ${{ undefined if parameters.hasDatabase is defined else user.entity.metadata.name }}
    - id: list
      action: fs:readdir
      each: ["a", "b"]
      input: {paths: ["${{ each.value }}"]}
    - id: call
      if: ${{ parameters.engine === "pg" and parameters.hasDatabase }}
      action: http:backstage:request
      input: {method: GET, path: "catalog/entities", headers: {x-key: "${{ secrets.NPM }}${{ secrets.deployKey }}"}}
    - id: publish
      action: publish:git
      input: {name: "${{ parameters.name }}", remote: "${{ parameters.repoUrl }}#${{ parameters.branch }}"}
    - id: tell
      if: ${{ failure() }}
      action: debug:log
      input: {message: "${{ steps.call.output.body }} ${{ steps['list'].output.files }} ${{ parameters.owner }}"}
  output:
    remoteUrl: ${{ steps.publish.output.remoteUrl }}
"""

#: By rule: what is put in the place of a text of the good template, where the fault is found, what is told of it.
CASES = [
    ("action-unknown", "action: publish:git", "action: publish:gti", "action: publish:gti", "publish:gti"),
    ("input-unknown", "url: ./skeleton", "url: ./skeleton\n        targetpath: x", "targetpath", '"targetPath"?'),
    ("input-missing", "url: ./skeleton", "targetPath: x", "input:\n        targetPath", "no url for fetch:template"),
    ("input-refused", "url: ./skeleton", "url: ./skeleton\n        trimBlocks: sure", "trimBlocks", "expected boolean"),
    ("parameter-unused", "name: {type: string}", "name: {type: string}\n        nmae: {}", "nmae", "nmae"),
    ("parameter-undefined", "parameters.name | lower", "parameters.nmae | lower", "parameters.nmae", '"name"?'),
    ("parameter-undefined", "= parameters.engine", "= parameters.motor", "parameters.motor", "parameters.motor"),
    ("page-unreachable", "layer: {const: shared}", "layer: {const: global}", "then:", 'It offers "shared"'),
    ("page-unreachable", "        hasDatabase:\n", "        hasStore:\n", "hasStore", "which no page asks for"),
    ("step-undefined", "steps.call.", "steps.cal.", "steps.cal.", 'Did you mean "call"?'),
    (
        "step-undefined",
        "steps.call.output.body",
        "steps.fetch-base.output.x",
        "steps.fetch-base",
        "steps['fetch-base']",
    ),
    ("step-later", "parameters.audience or", "steps.publish.output.remoteUrl or", "steps.publish", "which comes later"),
    ("step-later", "${{ each.value }}", "${{ steps.list.output.files }}", "steps.list", "the step itself"),
    ("output-undefined", "steps.publish.output.remoteUrl", "steps.publish.output.url", "steps.publish", "remoteUrl"),
    (
        "output-undefined",
        "steps.publish.output.remoteUrl",
        "steps.publish.remoteUrl",
        "steps.publish",
        "Expected .output",
    ),
    (
        "output-undefined",
        "steps.publish.output.remoteUrl",
        "steps.tell.output.x",
        "steps.tell",
        "debug:log gives nothing",
    ),
    ("id-repeated", "id: call", "id: list", "id: list\n      if", "step 2"),
    ("if-decided", "if: ${{ failure() }}", "if: false", "if: false", "never runs"),
    ("if-decided", "if: ${{ failure() }}", 'if: "failure()"', 'if: "failure', "always runs"),
    ("if-decided", "if: ${{ failure() }}", "if: ${{ 1 == 2 }}", "if: ${{ 1", "always the same"),
    ("if-decided", 'engine === "pg"', 'engine === "ora"', "parameters.engine ===", 'It offers "pg", "my"'),
    (
        "if-decided",
        "and parameters.hasDatabase }}",
        "}} && ${{ 1 }}",
        "if: ${{ parameters.engine",
        "has text in any case",
    ),
    (
        "if-decided",
        "and parameters.hasDatabase",
        "and parameters.hasDatabase == 'true'",
        "parameters.hasDatabase == ",
        "true, false",
    ),
    ("expression-invalid", "parameters.name | lower", "parameters.name && 1", "&&", "&"),
    ("name-undefined", "parameters.name | lower", "values.name | lower", "values.name", "values"),
    ("name-undefined", "${{ failure() }}", "${{ secrets.NPM == '1' }}", "secrets.NPM ==", "An if sees no secrets"),
    ("name-undefined", "steps.call.output.body", "each.value", "each.value }} $", "The step has no each"),
    ("filter-unknown", "lower | trim", "lower | slugify", "slugify", "slugify"),
    ("filter-unknown", "hasDatabase is defined", "hasDatabase is here", "here", "here"),
    ("owner-missing", "  owner: team\n", "", "spec:", "no owner"),
    ("creates-without-owner", "owner: {type: string, ui:field: OwnerPicker}", "boss: {}", "creates:", "no parameter"),
    ("creates-without-owner", "required: [name, owner]", "required: [name]", "owner: {type", "may be left empty"),
    (
        "secret-plain",
        "name: {type: string}",
        "name: {type: string}\n        apiKey: {type: string}",
        "apiKey",
        "apiKey",
    ),
    ("secret-written", "parameters.name | lower", "secrets.NPM | lower", "secrets.NPM | lower", "in fetch:template"),
    ("secret-written", "url: ./skeleton", "url: ./skeleton\n        token: ghp_1234", "token", "a text as token"),
]
#: Changes of the good template that are good too.
HARMLESS = [
    ("${{ parameters.name | lower | trim }}", "${{ parameters }}"),
    (
        "name: {type: string}",
        "name: {type: string}\n        secretName: {type: string, ui:help: x}\n        why: {type: 'null'}",
    ),
    ("parameters.audience or", "parameters[user.ref] or"),
    ("    - title: What\n", "    - $yaml: ./page.yaml\n    - title: What\n"),
    (
        "parameters.audience or",
        "parameters.audience ~ parameters.region or",
        "name: {type: string}",
        "name: {type: string, ui:field: OurPicker, ui:options: {regionField: region.name}}",
    ),
    (
        "name: {type: string}",
        "name: {type: string, ui:field: OurPicker, ui:options: {chartField: chart}}\n        chart: {type: string}",
    ),
    ('=== "pg"', "in ['pg', 'ora']"),
]


@pytest.fixture(scope="module")
def lint(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    with bench_alone(load_settings(environment={}, overrides={"data": str(folder)})) as bench:
        yield bench.lint


@pytest.fixture
def skeleton(tmp_path):
    made = tmp_path / "skeleton"
    made.mkdir()
    (made / "${{ values.name }}.md").write_text(
        "${{ values.notes }}\n{% if values.kind %}${{ values.sort }}{% endif %}\n"
    )
    (made / "settings.yaml").write_text("for: ${{ values.audience }}\nextra: ${{ values.extra | default('no') }}\n")
    (made / "picture.bin").write_bytes(b"\0${{ values.nothing }}")
    return made


@pytest.fixture
def found_in(lint, tmp_path, skeleton):
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "simple.yaml").write_text("name: thing\n")

    def found(text):
        file = tmp_path / "template.yaml"
        file.write_text(text)
        linted = lint.lint([file])
        assert [str(problem) for problem in linted.problems] == []
        return linted.faults

    return found


def test_a_good_template_has_no_fault(found_in):
    assert [fault.to_json() for fault in found_in(GOOD)] == []


@pytest.mark.parametrize("changes", HARMLESS)
def test_what_may_be_meant_is_no_fault(found_in, changes):
    text = GOOD
    for before, after in zip(changes[::2], changes[1::2], strict=True):
        assert before in text
        text = text.replace(before, after, 1)
    faults = [fault.to_json() for fault in found_in(text)]

    assert [fault for fault in faults if fault["rule"] != "parameter-unused" or fault["found"] != "secretName"] == []


@pytest.mark.parametrize(("rule", "before", "after", "place", "words"), CASES)
def test_each_rule_finds_its_fault_at_its_place(found_in, rule, before, after, place, words):
    assert before in GOOD
    text = GOOD.replace(before, after, 1)
    faults = [fault for fault in found_in(text) if fault.rule.id == rule]

    start = text.index(place)
    line, column = text.count("\n", 0, start) + 1, start - text.rfind("\n", 0, start)
    assert [(fault.span.line, fault.span.column) for fault in faults] == [(line, column)]
    assert words in faults[0].message


@pytest.mark.parametrize(
    ("faulty", "unused"),
    [("parameters.name && parameters.audience", ["nmae"]), ("parameters[user] && 1", []), ("parameters && 1", [])],
)
def test_a_text_that_cannot_be_parsed_silences_no_more_than_it_must(found_in, faulty, unused):
    text = GOOD.replace("name: {type: string}", "name: {type: string}\n        nmae: {type: string}", 1)
    text = text.replace("parameters.name | lower | trim", faulty, 1)
    faults = found_in(text)

    assert [fault.found for fault in faults if fault.rule.id == "parameter-unused"] == unused
    assert [fault.rule.id for fault in faults if fault.rule.id == "expression-invalid"] == ["expression-invalid"]


SKELETON_CASES = [
    ("value-undefined", "on: ${{ github.ref }}", 1, 9, "Files are given values alone"),
    ("value-undefined", "\n  a: ${{ values.nmae }}", 2, 10, 'Did you mean "name"?'),
    ("skeleton-invalid", "a: ${{ values.name && 1 }}", 1, 20, "Unexpected character"),
    ("skeleton-invalid", "{% include 'x' %}", 1, 1, "include"),
]


@pytest.mark.parametrize(("rule", "content", "line", "column", "words"), SKELETON_CASES)
def test_faults_of_files_are_found_in_the_files(found_in, skeleton, rule, content, line, column, words):
    file = skeleton / "more.yaml"
    file.write_text(content)

    (fault,) = found_in(GOOD)

    assert (fault.rule.id, fault.location, fault.span.line, fault.span.column) == (rule, f"file:{file}", line, column)
    assert words in fault.message


def test_faults_of_names_are_told_at_the_beginning_of_the_file(found_in, skeleton):
    (skeleton / "${{ values.nmae }}.txt").write_text("\n")

    (fault,) = found_in(GOOD)

    assert (fault.rule.id, fault.found, fault.span.line, fault.span.column) == ("value-undefined", "values.nmae", 1, 1)


def test_values_that_no_file_uses_are_told(found_in, skeleton):
    (skeleton / "settings.yaml").write_text("for: ${{ values.audience }}\n")

    (fault,) = found_in(GOOD)

    assert (fault.rule.id, fault.found) == ("value-unused", "extra")


def test_files_that_are_not_rendered_have_no_faults(found_in, skeleton):
    (skeleton / "raw.yaml").write_text("${{ github.ref }} {% include %}")

    assert found_in(GOOD.replace("url: ./skeleton", "url: ./skeleton\n        copyWithoutTemplating: ['raw.*']")) == []


@pytest.mark.parametrize("url", ["./skeletton", "../"])
def test_folders_that_are_not_there_are_told(found_in, url):
    (fault,) = found_in(GOOD.replace("./skeleton", url))

    assert (fault.rule.id, fault.field) == ("skeleton-missing", "spec.steps.0.input.url")


def test_templates_without_cases_are_told(lint, tmp_path, skeleton):
    (tmp_path / "template.yaml").write_text(GOOD)

    assert [fault.rule.id for fault in lint.lint([tmp_path]).faults] == ["cases-missing"]


def test_every_rule_is_tried_and_documented():
    tried = {case[0] for case in [*CASES, *SKELETON_CASES]} | {"cases-missing", "skeleton-missing", "value-unused"}
    rows = (ROOT / "docs" / "templates.md").read_text(encoding="utf-8")

    assert tried == {rule.id for rule in LINT_RULES}
    assert set(re.findall(r"^\| `([a-z-]+)` \|", rows, re.MULTILINE)) >= tried


def test_problems_of_the_file_are_told_beside_the_faults(lint, tmp_path):
    file = tmp_path / "template.yaml"
    file.write_text(GOOD.replace("type: service", "type: [service]").replace("${{ failure() }}", "false"))

    linted = lint.lint([file])

    assert [(problem.code, problem.field, problem.span.line) for problem in linted.problems] == [
        ("field-invalid", "spec.type", 5)
    ]
    assert "if-decided" in {fault.rule.id for fault in linted.faults}


def test_folders_are_searched_but_for_the_parts_of_templates(lint, tmp_path):
    for path in (
        "a/template.yaml",
        "b/other.yml",
        "a/skeleton/template.yaml",
        "a/.git/template.yaml",
        "b/tests/x.yaml",
    ):
        file = tmp_path / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(GOOD)
    (tmp_path / "catalog-info.yaml").write_text("kind: Location\n")

    assert lint.lint([tmp_path]).templates == 2


def test_a_folder_without_a_template_is_refused(lint, tmp_path):
    with pytest.raises(InputError, match="found no template"):
        lint.lint([tmp_path])


def test_shipped_templates_have_no_fault(lint):
    linted = lint.lint([ROOT / "scaffolder_templates"])

    assert linted.templates >= 1
    assert [str(problem) for problem in linted.problems] == []
    assert [fault.to_json() for fault in linted.faults] == []
