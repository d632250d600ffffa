"""What authors of templates are told of the filters."""

from __future__ import annotations

import jsonschema_rs
import pytest

from portal.defaults.engine import build_engine
from portal.scaffolder.extensions import FILTERS, FUNCTIONS, templating_extensions
from portal.scaffolder.filters import builtin_filters

PARAMETERS = {"repoUrl": "github.com?owner=team&repo=name", "owner": "team-a"}
EXPECTED = {"parseRepoUrl": "team", "parseEntityRef": "team-a", "pick": "name", "projectSlug": "team/name"}


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
