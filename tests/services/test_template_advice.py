"""Templates come in with warnings of what their steps get wrong, each at its place."""

from __future__ import annotations

import json
import threading

import pytest
from acting import shipped
from portals import Catalog
from repositories import MakeRepository

from portal.app import build
from portal.config import load_settings
from portal.defaults.action_ids import SHIPPED_ACTIONS
from portal.defaults.engine import build_engine
from portal.scaffolder.engine import EngineLimits
from portal.services.template_advice import MOST_WARNINGS, TemplateAdvice
from portal.store.database import Database

FAULTY = """\
apiVersion: scaffolder.backstage.io/v1beta3
kind: Template
metadata: {name: made}
spec:
  type: service
  steps:
    - id: fetch-base
      action: fetch:template
      input:
        url: ./skeleton
        values:
          made: ${{ steps.publish.output.remoteUrl }}
    - id: publish
      action: publish:gti
      if: ${{ steps['fetch'].output.x or true }}
    - id: publish
      action: publish:gti
      each: ${{ steps.publish.output.remotes }}
    - action: debug:log
      input:
        message: ${{ steps.fetch-base.output.x }} ${{ steps['step-4'] }} ${{ steps['fetch-base'].output.x }}
  output:
    links: [{title: it, url: "${{ steps['publsh'].output.remoteUrl }}"}]
"""
#: By code: line, field, what was found, what is told of it.
EXPECTED = {
    ("action-unknown", 14, "spec.steps.1.action", '"publish:gti"', 'Did you mean "publish:git"?'),
    ("id-repeated", 16, "spec.steps.2.id", "publish, which step 2 is called too", "Give each its own"),
    ("step-later", 12, "spec.steps.0.input.values.made", "steps.publish, step 2, which comes later", "Move the step"),
    ("step-undefined", 15, "spec.steps.1.if", '"steps.fetch"', 'Did you mean "fetch-base"?'),
    ("step-undefined", 21, "spec.steps.3.input.message", '"steps.fetch"', "write steps['fetch-base']"),
    ("step-later", 21, "spec.steps.3.input.message", "steps.step-4, the step itself", "Move the step"),
    ("step-undefined", 23, "spec.output.links.0.url", '"steps.publsh"', 'Did you mean "publish"?'),
}


def advice(*more: str, limits: EngineLimits | None = None) -> TemplateAdvice:
    return TemplateAdvice(actions=SHIPPED_ACTIONS | {*more}, open_engine=lambda: build_engine({}, limits=limits))


def template(name: str, steps: list[dict[str, object]]) -> str:
    return json.dumps(
        {
            "apiVersion": "scaffolder.backstage.io/v1beta3",
            "kind": "Template",
            "metadata": {"name": name},
            "spec": {"type": "service", "steps": steps},
        }
    )


def test_a_template_comes_in_with_warnings_of_its_steps(database: Database, tmp_path, repo: MakeRepository) -> None:
    catalog = Catalog(database, tmp_path, advice=advice())
    report = catalog.ingest(f"{repo({'catalog-info.yaml': FAULTY}).url}#main:catalog-info.yaml")

    told = {(found.code, found.span.line, found.field, found.found): found for found in report.problems}
    assert set(told) == {expected[:4] for expected in EXPECTED}
    for *key, hint in EXPECTED:
        problem = told[tuple(key)]
        assert hint in problem.hint
        assert problem.expected
        assert (problem.severity, problem.ref) == ("warning", "template:default/made")
    assert catalog.refs() == ["template:default/made"]


def test_what_includes_its_steps_from_another_file_is_examined_whole(
    database: Database, tmp_path, repo: MakeRepository
) -> None:
    text = template("made", [{"$yaml": "./step.yaml"}, {"action": "debug:log", "input": {"message": "${{ steps.a }}"}}])
    files = {"catalog-info.yaml": text, "step.yaml": "{id: a, action: debug:lgo}\n"}
    report = Catalog(database, tmp_path, advice=advice()).ingest(f"{repo(files).url}#main:catalog-info.yaml")

    assert [(found.code, found.found) for found in report.problems] == [("action-unknown", '"debug:lgo"')]


def test_an_action_that_is_installed_later_ends_its_warning(database: Database, tmp_path, repo: MakeRepository) -> None:
    source = repo({"catalog-info.yaml": template("made", [{"action": "acme:deploy"}])})
    target = f"{source.url}#main:catalog-info.yaml"
    without = Catalog(database, tmp_path, advice=advice())
    assert [found.code for found in without.ingest(target).problems] == ["action-unknown"]
    assert without.service.refresh().unchanged

    # An installed distribution brings the action; nothing was committed.
    report = Catalog(database, tmp_path, advice=advice("acme:deploy")).service.refresh()
    assert (report.unchanged, report.problems) == (set(), [])


@pytest.mark.parametrize("limits", [None, EngineLimits(time_seconds=0.0, contexts=1)], ids=["usual", "none"])
def test_texts_that_cannot_be_read_keep_nothing_out(
    limits: EngineLimits | None, database: Database, tmp_path, repo: MakeRepository
) -> None:
    step = {"action": "debug:log", "input": {"message": "${{ steps. }} " + "${{ (" * 3000}}
    source = repo({"catalog-info.yaml": template("made", [step, {"action": "no:such"}])})
    catalog = Catalog(database, tmp_path, advice=advice(limits=limits))
    report = catalog.ingest(f"{source.url}#main:catalog-info.yaml")

    assert catalog.refs() == ["template:default/made"]
    assert [found.code for found in report.problems] == ["action-unknown"]


def test_of_one_template_so_much_is_told_and_each_action_once(
    database: Database, tmp_path, repo: MakeRepository
) -> None:
    many = [{"id": f"s{number}", "action": f"no:such{number}"} for number in range(3 * MOST_WARNINGS)]
    twice = [{"id": f"s{number}", "action": "no:such"} for number in range(3)]
    source = repo({"catalog-info.yaml": f"{template('many', many)}\n---\n{template('twice', twice)}\n"})
    report = Catalog(database, tmp_path, advice=advice()).ingest(f"{source.url}#main:catalog-info.yaml")

    refs = [found.ref for found in report.problems]
    assert [refs.count(f"template:default/{name}") for name in ("many", "twice")] == [MOST_WARNINGS, 1]


def test_a_whole_portal_tells_it_and_leaves_no_thread_behind(tmp_path, repo: MakeRepository) -> None:
    threads = threading.active_count()
    source = repo({"catalog-info.yaml": FAULTY})
    with build(load_settings(environment={}, overrides={"data": str(tmp_path / "data")})) as portal:
        portal.migrate()
        report = portal.ingest([("url", f"{source.url}#main:catalog-info.yaml")])
        assert {found.code for found in report.problems} == {expected[0] for expected in EXPECTED}
        assert not [thread for thread in threading.enumerate() if thread.name.startswith("template-engine")]
    assert threading.active_count() <= threads


def test_the_known_ids_are_those_of_the_shipped_actions(tmp_path) -> None:
    with build_engine({}) as engine:
        assert set(shipped(engine, tmp_path)) == SHIPPED_ACTIONS
