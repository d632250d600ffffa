"""What authors of templates are told of the filters."""

from __future__ import annotations

import jsonschema_rs
import pytest

from portal.defaults.engine import build_engine
from portal.defaults.extensions import engine_with
from portal.errors import InputError
from portal.scaffolder.engine import TextSource
from portal.scaffolder.extensions import (
    FILTERS,
    FUNCTIONS,
    TemplateExtensions,
    TemplateFilter,
    TemplateFunction,
    TemplateValue,
    templating_extensions,
)
from portal.scaffolder.filters import builtin_filters

PARAMETERS = {"repoUrl": "github.com?owner=team&repo=name", "owner": "team-a"}
EXPECTED = {"parseRepoUrl": "team", "parseEntityRef": "team-a", "pick": "name", "projectSlug": "team/name"}


def refuse(value, *_):
    raise InputError(f"{value} is not wanted")


def test_every_filter_is_described():
    assert FILTERS.keys() == builtin_filters({}).keys()
    assert templating_extensions().keys() == {"filters", "globals"}


@pytest.mark.parametrize("name", sorted(FILTERS))
def test_the_example_of_a_filter_gives_what_it_says(name):
    (example,) = FILTERS[name]["examples"]
    source = example["example"].partition(": ")[2]
    with build_engine(builtin_filters({"github.com": "github"})) as engine:
        rendered = engine.render_value(source, {"parameters": PARAMETERS})
    assert (rendered.value, rendered.warnings) == (EXPECTED[name], ())


@pytest.mark.parametrize("described", [*FILTERS.values(), *FUNCTIONS.values()])
def test_schemas_are_json_schemas(described):
    schema = described["schema"]
    for part in (schema.get("input", {}), schema["output"], *schema.get("arguments", [])):
        jsonschema_rs.validator_for(part)


def test_the_output_of_a_filter_meets_its_schema():
    filters = builtin_filters({"github.com": "github"})
    for name, given in (("parseRepoUrl", PARAMETERS["repoUrl"]), ("projectSlug", PARAMETERS["repoUrl"])):
        assert jsonschema_rs.is_valid(FILTERS[name]["schema"]["output"], filters[name](given))
    parsed = filters["parseEntityRef"]("a", {"defaultKind": "group"})
    assert jsonschema_rs.is_valid(FILTERS["parseEntityRef"]["schema"]["output"], parsed)


ADDED = TemplateExtensions.of(
    {
        "twice": TemplateFilter("Doubles.", lambda value, times=2, *_: value * times, schema={"output": {}}),
        "twiceOf": TemplateFunction(
            "Doubles.", lambda value, *_: value * 2, examples=[{"example": "${{ twiceOf(2) }}"}]
        ),
        "refuse": TemplateFunction("Refuses.", refuse),
        "regions": TemplateValue("Where.", ["north", "south"]),
    }
)


def test_what_is_added_is_called_back_in_both_modes():
    with engine_with(ADDED, {}) as engine:
        value = {"a": "${{ 'ab' | twice(3) }}", "b": "${{ twiceOf(regions[1]) | twice }}", "c": "${{ always() }}"}
        assert engine.render_value(value, {}).value == {"a": "ababab", "b": "south" * 4, "c": True}
        source = TextSource("a.txt", "{% for r in regions %}${{ twiceOf(r) }} {% endfor %}${{ parseEntityRef }}")
        assert engine.render_texts([source], {}) == ["northnorth southsouth "]
        # A name of the call goes before.
        assert engine.render_value("${{ regions }}", {"regions": 1}).value == 1
        (warning,) = engine.render_value("${{ refuse(1) }}", {}).warnings
        assert "1 is not wanted" in warning.message


def test_what_is_added_is_described_beside_what_ships():
    told = templating_extensions(ADDED)
    assert told["filters"].keys() == FILTERS.keys() | {"twice"}
    assert told["filters"]["twice"] == {"description": "Doubles.", "schema": {"output": {}}}
    assert told["globals"]["functions"].keys() == FUNCTIONS.keys() | {"twiceOf", "refuse"}
    assert told["globals"]["functions"]["twiceOf"]["examples"] == [{"example": "${{ twiceOf(2) }}"}]
    assert told["globals"]["values"] == {"regions": {"description": "Where.", "value": ["north", "south"]}}
