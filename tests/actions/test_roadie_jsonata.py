"""Values and files are asked with JSONata, by its own library."""

from __future__ import annotations

import pytest
from acting import tree, write

from portal.actions.roadie_jsonata import JsonataOutput
from portal.actions.schema import json_schema
from portal.actions.scripting import call_script
from portal.defaults.engine import load_bundle
from portal.errors import ActionError, InputError, NotAllowedError, SettingsError

VALUE, JSON, YAML = (f"roadiehq:utils:jsonata{ending}" for ending in ("", ":json:transform", ":yaml:transform"))


@pytest.fixture
def do(run, all_shipped):
    return lambda action, given: run(all_shipped[action], given)[0]["result"]


@pytest.mark.parametrize(
    ("data", "expression", "result"),
    [
        ({"a": [1, 2, 3]}, "$sum(a)", 6),
        ([{"n": "x", "v": 1}, {"n": "y", "v": 2}], "$[v>1].n", "y"),
        ([{"n": "x"}, {"n": "y"}], "$.n", ["x", "y"]),
        ({"a": 1}, '{"b": a, "c": [a]}', {"b": 1, "c": [1]}),
        ({"t": "abc"}, "$replace(t, /b/, '-')", "a-c"),
        ({}, "$base64decode($base64encode('hi'))", "hi"),
        ({}, "absent", None),
        ("text", "$length($)", 4),
        ({"é\0": "\ud800"}, "$lookup($, 'é\0')", "\ud800"),
    ],
)
def test_a_value_is_asked(do, data, expression, result):
    assert do(VALUE, {"data": data, "expression": expression}) == result


def test_a_file_of_json_is_asked_and_stays(run, do):
    write(run.work, {"p.json": '{"deps": {"b": 1, "a": 2}}'})
    asked = {"path": "p.json", "expression": "deps"}
    assert do(JSON, asked) == '{"b":1,"a":2}'
    assert do(JSON, asked | {"space": " ", "replacer": ["a"]}) == '{\n "a": 2\n}'
    assert do(JSON, asked | {"as": "object"}) == {"b": 1, "a": 2}
    assert tree(run.work) == {"p.json": '{"deps": {"b": 1, "a": 2}}'}


def test_a_file_of_yaml_is_asked_document_by_document(run, do):
    write(run.work, {"one.yaml": "a: [x, on]", "two.yaml": "a: 1\n---\na: 2\n"})
    assert do(YAML, {"path": "one.yaml", "expression": "$"}) == "a:\n  - x\n  - 'on'\n"
    assert do(YAML, {"path": "two.yaml", "expression": "$.a", "loadAll": True, "as": "object"}) == [1, 2]
    with pytest.raises(InputError, match="loadAll"):
        do(YAML, {"path": "two.yaml", "expression": "a"})


@pytest.mark.parametrize(
    ("action", "given", "error", "message"),
    [
        (VALUE, {"data": {}, "expression": "("}, InputError, "end of expression"),
        (VALUE, {"data": {}, "expression": "$error('mine')"}, InputError, "mine"),
        (VALUE, {"data": {}, "expression": "[1..9999999999]"}, InputError, "must not exceed"),
        (VALUE, {"data": {}, "expression": "[1..1e7]"}, ActionError, "MiB of memory"),
        (JSON, {"path": "bad", "expression": "$"}, InputError, "no JSON"),
        (JSON, {"path": "absent", "expression": "$"}, ActionError, "no file"),
        (JSON, {"path": "../template/x", "expression": "$"}, NotAllowedError, "outside"),
        (YAML, {"path": "/etc/hostname", "expression": "$"}, NotAllowedError, "outside"),
        (YAML, {"path": "bad", "expression": "$"}, InputError, "cannot be parsed"),
    ],
)
def test_what_cannot_be_asked_is_told(run, do, action, given, error, message):
    write(run.work, {"bad": "a: ["})
    with pytest.raises(error, match=message):
        do(action, given)


@pytest.mark.parametrize(
    "expression",
    ["($f := function($n) {$f($n + 1)}; $f(1))", "($f := function() {1 + $f()}; $f())", "$match($, /(a+)+$/)"],
)
def test_an_expression_that_never_ends_is_ended(expression):
    given = {"data": "a" * 40 + "!", "expression": expression}
    with pytest.raises(ActionError, match="may loop without end"):
        call_script(load_bundle("portal.actions", "jsonata.js"), given, action_id=VALUE, seconds=0.3)


def test_a_bundle_that_is_missing_is_told():
    with pytest.raises(SettingsError, match=r"portal/actions/none\.js is missing"):
        load_bundle("portal.actions", "none.js")


def test_the_result_may_be_anything():
    assert "type" not in json_schema(JsonataOutput)["properties"]["result"]
