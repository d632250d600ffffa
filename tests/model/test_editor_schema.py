from __future__ import annotations

from pathlib import Path
from typing import Any

import jsonschema_rs
import orjson
import pytest

from portal.defaults.kinds import all_kinds
from portal.ingest import yaml
from portal.model.editor_schema import editor_schema

ROOT = Path(__file__).parents[2]
SCHEMA = jsonschema_rs.validator_for(editor_schema(all_kinds()))
COMPONENT = {
    "apiVersion": "backstage.io/v1alpha1",
    "kind": "Component",
    "metadata": {"name": "a"},
    "spec": {"type": "service", "lifecycle": "production", "owner": "team"},
}


def _documents() -> list[Any]:
    """Return what the repository's own catalog files hold."""
    files = [ROOT / "catalog-info.yaml", *sorted((ROOT / "catalog").rglob("*.yaml"))]
    parsed = [document.value for file in files for document in yaml.parse(file.read_bytes())]
    known = {kind.name for kind in all_kinds()}
    return [value for value in parsed if value is not None and value["kind"] in known]


@pytest.mark.parametrize("document", _documents(), ids=lambda document: document["metadata"]["name"])
def test_the_reference_catalog_is_as_the_schema_says(document: Any) -> None:
    assert [error.message for error in SCHEMA.iter_errors(document)] == []


@pytest.mark.parametrize(
    "change",
    [
        {"kind": "Unicorn"},
        {"apiVersion": "portal/v1alpha1"},
        {"spec": {"type": "service", "lifecycle": "production"}},
        {"spec": COMPONENT["spec"] | {"owner": 5}},
        {"spec": COMPONENT["spec"] | {"owners": []}},
        {"spec": {"type": "service", "lifecycle": "production", "owners": "team"}},
        {"spec": COMPONENT["spec"] | {"owner": {"$other": "x"}}},
        {"metadata": {"name": "not a name"}},
        {"more": 1},
    ],
    ids=str,
)
def test_what_a_kind_does_not_take_is_marked(change: dict[str, Any]) -> None:
    assert SCHEMA.is_valid(COMPONENT)
    assert not SCHEMA.is_valid(COMPONENT | change)


def test_a_placeholder_may_stand_where_a_text_may() -> None:
    spec = {"type": "openapi", "lifecycle": "production", "owner": "team", "definition": {"$text": "./api.yaml"}}

    assert SCHEMA.is_valid(COMPONENT | {"kind": "API", "spec": spec})


def test_owners_stand_in_for_an_owner() -> None:
    spec = {"type": "service", "lifecycle": "production", "owners": ["team", "user:ann", {"$text": "./owner.txt"}]}

    assert SCHEMA.is_valid(COMPONENT | {"spec": spec})


def test_the_schema_is_json() -> None:
    assert orjson.loads(orjson.dumps(editor_schema(all_kinds())))["title"]
