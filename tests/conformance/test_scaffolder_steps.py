"""What a template asks and its steps mean against cases recorded from Backstage's own packages."""

from __future__ import annotations

import json

import pytest
from casefiles import cases

from portal.defaults.engine import build_engine
from portal.errors import InputError
from portal.scaffolder.parameters import pages, values_errors
from portal.scaffolder.task import Progress, Scope, merge_outputs, plan_step


@pytest.fixture(scope="module")
def engine():
    with build_engine({}) as it:
        yield it


def scope(values, **more):
    return Scope(parameters=values, user={}, context={"task": {"id": "t"}}, **more)


def echo(plan):
    return [{**one.input, "_all": one.input} for one in plan.passes if not one.is_skipped]


@pytest.mark.parametrize("case", cases("scaffolder-cases.json", kinds={"if"}))
def test_a_step_runs_where_its_if_holds(case, engine):
    step = {"id": "a", "action": "test:echo", "if": case["input"]["if"]}
    found = scope(case["input"]["values"], secrets={"SEC": "hidden"})
    assert (plan_step(step, found, Progress(), engine=engine).passes is not None) is case["expect"]["runs"]


@pytest.mark.parametrize("case", cases("scaffolder-cases.json", kinds={"each"}))
def test_a_step_runs_for_each_item(case, engine):
    step, values = case["input"]["step"], case["input"]["values"]
    if "error" in case["expect"]:
        with pytest.raises(InputError, match="expected a list or a mapping"):
            plan_step(step, scope(values), Progress(), engine=engine)
        return
    plan = plan_step(step, scope(values), Progress(), engine=engine)
    status = "skipped" if plan.passes is None else "completed"
    output = {} if plan.passes is None else merge_outputs(echo(plan), is_each=True)
    assert (status, output) == (case["expect"]["step_status"], case["expect"]["output"])


@pytest.mark.parametrize("case", cases("scaffolder-cases.json", kinds={"parameter-validation"}))
def test_values_are_checked_as_backstage_does(case):
    form = pages({"spec": {"parameters": case["input"]["parameters"]}})
    found = values_errors(form, case["input"]["values"])
    told = [{"property": error["property"], "name": error["name"], "path": error["path"]} for error in found]
    expected = case["expect"].get("errors", [])
    assert sorted(told, key=json.dumps) == sorted(expected, key=json.dumps)
