"""What a template's steps mean."""

from __future__ import annotations

import pytest

from portal.defaults.engine import build_engine
from portal.errors import InputError
from portal.scaffolder.task import (
    Progress,
    Redactor,
    Scope,
    StepResult,
    cancellation,
    completion,
    plan_step,
    task_output,
    task_spec,
)

FAILED = Progress(errors=[{"name": "Error", "message": "boom"}])


@pytest.fixture(scope="module")
def engine():
    with build_engine({}) as it:
        yield it


def scope(values=None, **more):
    return Scope(parameters=values or {}, user={}, context={"task": {"id": "t"}}, **more)


def echo(plan):
    return [{**one.input, "_all": one.input} for one in plan.passes if not one.is_skipped]


@pytest.mark.parametrize(
    ("step", "runs"),
    [
        ({}, False),
        ({"if": True}, False),
        ({"if": "${{ 'x' }}"}, False),
        ({"if": "${{ always() }}"}, True),
        ({"if": "${{ failure() }}"}, True),
        ({"if": "${{ failure() and parameters.zz }}"}, False),
        ({"each": [1, 2]}, False),
        ({"each": [1, 2], "if": "${{ always() }}"}, True),
        ({"if": "always() forgotten"}, False),
    ],
)
def test_after_a_failure_only_steps_that_ask_for_it_run(step, runs, engine):
    plan = plan_step({"id": "a", "action": "x", **step}, scope(), FAILED, engine=engine)
    assert (plan.passes is not None) is runs


def test_inputs_see_secrets_and_what_was_made_with_them_is_hidden(engine):
    step = {
        "id": "a",
        "action": "x",
        "input": {"m": "k=${{ secrets.K | upper }}", "n": "plain", "l": ["${{ secrets.K }}"]},
    }
    plan = plan_step(step, scope(secrets={"K": "s3cret"}), Progress(), engine=engine)
    assert plan.passes[0].input == {"m": "k=S3CRET", "n": "plain", "l": ["s3cret"]}
    assert plan.hidden == {"k=S3CRET", "s3cret"}


def test_an_expression_with_a_fault_stays_and_is_told(engine):
    step = {"id": "a", "action": "x", "input": {"m": "${{ parameters.n | nofilter }}"}}
    plan = plan_step(step, scope({"n": 1}), Progress(), engine=engine)
    assert plan.passes[0].input == {"m": "${{ parameters.n | nofilter }}"}
    assert "input.m" in plan.warnings[0]


def test_later_steps_see_the_outputs_of_finished_ones(engine):
    progress = Progress()
    progress.record("one", StepResult("completed", {"x": 1}))
    progress.record("two", StepResult("skipped"))
    step = {"id": "a", "action": "x", "input": {"x": "${{ steps.one.output.x }}", "none": "${{ steps.two.output }}"}}
    assert plan_step(step, scope(), progress, engine=engine).passes[0].input == {"x": 1}


def test_the_output_leaves_out_what_does_not_hold(engine):
    declared = {
        "links": [
            {"title": "a", "url": "u", "if": "${{ parameters.yes }}"},
            {"title": "b", "url": "u", "if": "${{ parameters.no }}"},
            {"title": "c", "url": "u", "if": "${{ parameters.missing }}"},
            {"title": "d", "url": "u", "if": False},
            {"title": "e", "url": "${{ parameters.missing }}"},
        ],
        "secret": "${{ secrets.K }}",
    }
    found = task_output(declared, scope({"yes": True, "no": False}, secrets={"K": "s"}), Progress(), engine=engine)
    assert found == {"links": [{"title": "a", "url": "u"}, {"title": "c", "url": "u"}, {"title": "e"}]}


def test_the_spec_of_a_task_has_every_id_and_name():
    template = {
        "apiVersion": "scaffolder.backstage.io/v1beta3",
        "metadata": {"name": "t"},
        "spec": {
            "steps": [{"action": "debug:log"}, {"id": "b", "name": "B", "action": "x", "input": {"a": "${{ x }}"}}]
        },
    }
    spec = task_spec(
        template, {"n": 1}, template_ref="template:default/t", base_url="u", user={"ref": "user:default/a"}
    )
    assert spec == {
        "apiVersion": "scaffolder.backstage.io/v1beta3",
        "steps": [
            {"action": "debug:log", "id": "step-1", "name": "debug:log"},
            {"id": "b", "name": "B", "action": "x", "input": {"a": "${{ x }}"}},
        ],
        "output": {},
        "parameters": {"n": 1},
        "EXPERIMENTAL_recovery": {},
        "user": {"ref": "user:default/a"},
        "templateInfo": {"entityRef": "template:default/t", "baseUrl": "u", "entity": {"metadata": {"name": "t"}}},
    }


def test_hidden_texts_are_masked_the_longest_first():
    redact = Redactor(["token", " token-two\n", "x", ""])
    assert redact("token-two token x") == "*** *** x"
    assert redact.value({"token": ["a token", 1, None]}) == {"***": ["a ***", 1, None]}


def test_what_an_each_makes_of_secrets_is_hidden(engine):
    step = {
        "id": "a",
        "action": "x",
        "each": ["${{ secrets.K | upper }}", "plain"],
        "input": {"v": "${{ each.value }}"},
    }
    plan = plan_step(step, scope(secrets={"K": "s3cret-word"}), Progress(), engine=engine)

    assert [one.input for one in plan.passes] == [{"v": "S3CRET-WORD"}, {"v": "plain"}]
    assert plan.hidden == {"S3CRET-WORD"}
    with pytest.raises(InputError) as error:
        plan_step(
            step | {"each": "${{ secrets.K | upper }}"}, scope(secrets={"K": "s3cret-word"}), Progress(), engine=engine
        )
    assert error.value.message == 'Step "a" each: found a text made with a secret; expected a list or a mapping'


def test_the_last_event_tells_the_first_error():
    assert completion({"a": 1}, []).body == {"message": "Run completed with status: completed", "output": {"a": 1}}
    told = completion({}, [{"name": "Error", "message": "one"}, {"name": "Error", "message": "two"}])
    assert told.body == {
        "message": "Run completed with status: failed",
        "error": {"name": "Error", "message": "one"},
    }
    assert cancellation(None).body == {"message": "Step 0 has been cancelled.", "stepId": 0, "status": "cancelled"}
