"""Definitions of APIs in several files become one, as `$RefParser.bundle` makes them."""

from collections.abc import Mapping
from typing import Any

import pytest

from portal.ingest import yaml
from portal.ingest.bundle import bundle, named_files, parse_definition
from portal.ingest.yaml_text import to_yaml


def _bundled(files: Mapping[str, Any]) -> Any:
    """Bundle files, the first of which is the root; their names are their locations."""
    texts = {name: content if isinstance(content, str) else to_yaml(content) for name, content in files.items()}

    def locate(base: str, text: str) -> str:
        if text not in texts:
            raise ValueError(f'"{text}" cannot be read')
        return text

    root = next(iter(texts))
    made = bundle(
        root,
        texts[root],
        value=lambda name: parse_definition(texts[name].encode(), location=name),
        locate=locate,
    )
    return yaml.parse(made.encode())[0].value


def test_a_definition_that_names_no_file_stays_as_it_is_written() -> None:
    text = "# a comment\nopenapi: 3.1.0\nx: {$ref: '#/y'}\ny: 1\n"

    def locate(base: str, text: str) -> str:
        raise AssertionError

    made = bundle("a", text, value=lambda name: parse_definition(text.encode(), location=name), locate=locate)

    assert made == text


def test_what_is_named_first_takes_its_place_and_the_rest_refers_to_it() -> None:
    root = {"openapi": "3.1.0", "a": {"$ref": "s.yaml#/Pet"}, "b": {"$ref": "s.yaml#/Pet"}, "c": {"$ref": "#/a"}}

    assert _bundled({"root.yaml": root, "s.yaml": {"Pet": {"type": "object"}}}) == {
        "openapi": "3.1.0",
        "a": {"type": "object"},
        "b": {"$ref": "#/a"},
        "c": {"$ref": "#/a"},
    }


def test_references_inside_what_is_named_are_followed_and_lead_back_to_the_root() -> None:
    files = {
        "root.yaml": {"openapi": "3.1.0", "components": {"X": {"type": "string"}}, "a": {"$ref": "s.yaml#/Pet"}},
        "s.yaml": {
            "Pet": {"tag": {"$ref": "#/Tag"}, "x": {"$ref": "root.yaml#/components/X"}},
            "Tag": {"$ref": "t.yaml"},
        },
        "t.yaml": {"type": "integer"},
    }

    assert _bundled(files)["a"] == {"tag": {"type": "integer"}, "x": {"$ref": "#/components/X"}}


def test_a_cycle_over_files_ends_in_a_reference() -> None:
    files = {
        "root.yaml": {"openapi": "3.1.0", "a/b~c": {"$ref": "s.yaml#/Node"}},
        "s.yaml": {"Node": {"next": {"$ref": "s2.yaml#/Again"}}},
        "s2.yaml": {"Again": {"$ref": "s.yaml#/Node"}},
    }

    assert _bundled(files)["a/b~c"] == {"next": {"$ref": "#/a~1b~0c"}}


def test_a_part_of_what_has_its_place_is_referred_to_there() -> None:
    root = {"openapi": "3.1.0", "a": {"$ref": "s.yaml"}, "b": {"$ref": "s.yaml#/list/1"}}

    assert _bundled({"root.yaml": root, "s.yaml": {"list": [1, {"x": 2}]}})["b"] == {"$ref": "#/a/list/1"}


def test_what_stands_beside_a_reference_stays() -> None:
    root = {"openapi": "3.1.0", "a": {"$ref": "s.yaml", "description": "mine"}}

    assert _bundled({"root.yaml": root, "s.yaml": {"type": "string", "description": "its"}})["a"] == {
        "type": "string",
        "description": "mine",
    }


def test_json_and_text_files_are_taken_in_as_what_they_are() -> None:
    root = {"openapi": "3.1.0", "a": {"$ref": "s.json"}, "b": {"$ref": "s.md"}}

    found = _bundled({"root.yaml": root, "s.json": '{\n\t"x": [1]\n}', "s.md": "# Title\n"})

    assert (found["a"], found["b"]) == ({"x": [1]}, "# Title\n")


def test_asyncapi_3_keeps_the_references_that_must_stay() -> None:
    root = {
        "asyncapi": "3.0.0",
        "operations": {"send": {"channel": {"$ref": "c.yaml"}, "x": {"$ref": "c.yaml"}}},
    }

    found = _bundled({"root.yaml": root, "c.yaml": {"address": "a"}})

    assert found["operations"]["send"] == {"channel": {"$ref": "c.yaml"}, "x": {"address": "a"}}


@pytest.mark.parametrize(
    ("files", "told"),
    [
        ({"root.yaml": {"a": {"$ref": "gone.yaml"}}}, '"gone.yaml" cannot be read'),
        ({"root.yaml": {"a": {"$ref": "s.yaml#/gone"}}, "s.yaml": {"x": 1}}, 'nothing stands at "s.yaml#/gone"'),
        ({"root.yaml": {"a": {"$ref": "s.yaml#anchor"}}, "s.yaml": {"x": 1}}, "expected a JSON pointer"),
        ({"root.yaml": {"a": {"$ref": "s.yaml#/x"}}, "s.yaml": {"x": {"$ref": "#/x"}}}, "leads back to itself"),
        ({"root.yaml": {"a": {"$ref": "s.yaml"}}, "s.yaml": "a: b: c"}, "cannot be parsed"),
        ({"root.yaml": ["a"]}, "expected a mapping"),
        ({"root.yaml": {"a": {"$ref": "s.json"}}, "s.json": '{"x":' * 400 + "1" + "}" * 400}, "nested deeper"),
    ],
)
def test_what_cannot_be_made_one_is_told(files: dict[str, Any], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        _bundled(files)


def test_the_files_that_references_name_are_found_once_each() -> None:
    value = {
        "a": [{"$ref": "./x.yaml#/A"}, {"$ref": "#/b"}],
        "b": {"$ref": "./x.yaml"},
        "$ref": {"c": {"$ref": "y.yaml"}},
    }

    assert sorted(named_files(value)) == ["./x.yaml", "y.yaml"]
