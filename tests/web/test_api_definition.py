import json
from typing import Any

import pytest
from flask import Flask
from hypothesis import given
from hypothesis import strategies as st

from portal.app.portal import build
from portal.app.wsgi import create_app
from portal.config import load_settings
from portal.web.api_definition import read_definition
from portal.web.api_view import MOST_ENTRIES, ApiView, Entry
from portal.web.asyncapi_view import asyncapi_view
from portal.web.openapi_view import openapi_view

OPENAPI = """
openapi: 3.1.0
info: {title: Pets, version: "1.2", description: "All **pets**."}
servers: [{url: https://pets.example.com/v1}]
tags: [{name: animals, description: What lives.}]
paths:
  /pets/{id}:
    parameters: [{$ref: "#/components/parameters/Id"}]
    get:
      tags: [animals]
      summary: One pet
      parameters: [{name: part, in: query, schema: {type: array, items: {enum: [head, tail]}, default: [head]}}]
      responses:
        "200": {description: It, content: {application/json: {schema: {$ref: "#/components/schemas/Pet"}}}}
        default: {$ref: "#/components/responses/Fault"}
    post:
      deprecated: true
      requestBody:
        content:
          application/json:
            schema:
              type: object
              required: [name]
              properties:
                name: {type: string, maxLength: 9}
                owner: {type: object, properties: {age: {type: integer, format: int32, minimum: 1}}}
      responses: {"204": {description: Done}}
components:
  parameters: {Id: {name: id, in: path, required: true, schema: {type: string}}}
  responses: {Fault: {description: A fault}}
  schemas:
    Pet:
      type: object
      properties:
        parent: {$ref: "#/components/schemas/Pet"}
        friends: {type: array, items: {$ref: "#/components/schemas/Pet"}}
        kind: {oneOf: [{type: string}, {type: "null"}]}
    Colour: {enum: [red, blue]}
"""
SWAGGER = """
swagger: "2.0"
info: {title: Old, version: 3}
host: old.example.com
basePath: /v2
schemes: [https]
paths:
  /x:
    put:
      parameters:
      - {in: body, name: b, schema: {$ref: "#/definitions/X"}}
      - {in: query, name: n, type: integer, required: true}
      responses: {200: {description: ok, schema: {type: array, items: {$ref: "#/definitions/X"}}}}
definitions: {X: {type: object, properties: {a: {type: string}}}}
"""
ASYNCAPI_2 = """
asyncapi: 2.6.0
info: {title: Events, version: "1"}
servers: {prod: {url: broker.example.com, protocol: kafka}}
channels:
  orders/{id}:
    parameters: {id: {schema: {type: string}}}
    subscribe:
      summary: Orders that were made
      message: {name: order, payload: {type: object, properties: {total: {type: number}}}}
"""
ASYNCAPI_3 = """
asyncapi: 3.0.0
info: {title: Events, version: "1"}
channels:
  made: {address: orders.made, messages: {order: {payload: {$ref: "#/components/schemas/Order"}}}}
  alone: {address: alone, messages: {order: {payload: {type: string}}}}
operations:
  sendOrder: {action: send, channel: {$ref: "#/channels/made"}, messages: [{$ref: "#/channels/made/messages/order"}]}
components: {schemas: {Order: {type: object, properties: {id: {type: string}}}}}
"""
GRAPHQL = '''
"""Ask."""
type Query { "One pet." pet(id: ID!, part: Part = HEAD): Pet @deprecated(reason: "old") }
extend type Query { pets: [Pet!]! }
interface Named { name: String }
type Pet implements Named { name: String, friends(first: Int): [Pet] }
enum Part { HEAD TAIL }
union Any = Pet
input New { name: String = "x" }
scalar Time
'''


def _read(definition: str, kind: str = "openapi") -> ApiView:
    found = read_definition(definition, kind)
    assert found is not None
    return found


def _entries(view: ApiView) -> dict[str, Entry]:
    return {f"{entry.label} {entry.name}".strip(): entry for group in view.groups for entry in group.entries}


def _rows(entry: Entry, use: str) -> list[tuple[str, str, int]]:
    return [(row.name, row.type, row.depth) for shape in entry.shapes if shape.use == use for row in shape.rows]


def test_an_openapi_document_is_told_by_its_operations_then_its_types() -> None:
    view = _read(OPENAPI)
    entries = _entries(view)

    assert (view.language, view.title, view.version) == ("OpenAPI 3.1.0", "Pets", "1.2")
    assert view.servers == ["https://pets.example.com/v1"]
    assert [(group.name, group.sort) for group in view.groups] == [
        ("animals", "operations"),
        ("", "operations"),
        ("", "types"),
    ]
    get, post = entries["GET /pets/{id}"], entries["POST /pets/{id}"]
    assert _rows(get, "parameters") == [("id", "string", 0), ("part", "string[]", 0)]
    part = get.shapes[0].rows[1]
    assert (part.values, part.default, part.place) == (("head", "tail"), '["head"]', "query")
    assert [(shape.name, shape.type, shape.description) for shape in get.shapes if shape.use == "response"] == [
        ("200 application/json", "Pet", "It"),
        ("default", "", "A fault"),
    ]
    assert post.is_deprecated
    assert _rows(post, "body") == [("name", "string", 0), ("owner", "object", 0), ("age", "integer <int32>", 1)]
    pet = entries["Pet"]
    assert _rows(pet, "fields") == [("parent", "Pet", 0), ("friends", "Pet[]", 0), ("kind", "string | null", 0)]
    assert {row.names for row in pet.shapes[0].rows} == {pet.id, ""}
    assert entries["Colour"].shapes[0].rows[0].values == ("red", "blue")


def test_an_old_openapi_document_is_told_alike() -> None:
    view = _read(SWAGGER)
    put = _entries(view)["PUT /x"]

    assert view.servers == ["https://old.example.com/v2"]
    assert _rows(put, "parameters") == [("n", "integer", 0)]
    assert [(shape.use, shape.type) for shape in put.shapes[1:]] == [("body", "X"), ("response", "X[]")]


@pytest.mark.parametrize(
    ("definition", "expected"),
    [
        (ASYNCAPI_2, {"SUBSCRIBE orders/{id}": [("total", "number", 0)]}),
        (ASYNCAPI_3, {"SEND orders.made": [("id", "string", 0)], "alone": [], "Order": []}),
    ],
)
def test_an_asyncapi_document_is_told_by_its_channels(definition: str, expected: dict[str, Any]) -> None:
    entries = _entries(_read(definition, "asyncapi"))

    assert {name: _rows(entry, "message") for name, entry in entries.items()} == expected


def test_a_graphql_schema_is_told_by_what_can_be_asked_then_its_types() -> None:
    entries = _entries(_read(GRAPHQL, "graphql"))

    told = "query pet, query pets, interface Named, type Pet, enum Part, union Any, input New, scalar Time"
    assert ", ".join(entries) == told
    assert entries["query pet"].is_deprecated
    assert _rows(entries["query pet"], "parameters") == [("id", "ID!", 0), ("part", "Part", 0)]
    assert entries["query pets"].shapes[-1].names == entries["type Pet"].id
    assert _rows(entries["enum Part"], "fields") == [("HEAD", "", 0), ("TAIL", "", 0)]


@pytest.mark.parametrize(
    ("definition", "kind"),
    [
        ("", "openapi"),
        ("syntax = 'proto3'; service A {}", "grpc"),
        ("a: [", "openapi"),
        ("type {", "graphql"),
        ("{" * 5_000, "graphql"),
        ("type Q { a: " + "[" * 40_000 + " }", "graphql"),
        (f"openapi: 3.0.0\nx: {'y' * 1_000_000}", "openapi"),
    ],
)
def test_what_cannot_be_taken_apart_is_left_as_text(definition: str, kind: str) -> None:
    assert read_definition(definition, kind) is None


def test_types_that_lead_back_to_themselves_end() -> None:
    loop = {"a": {"$ref": "#/x/b"}, "b": {"$ref": "#/x/a"}, "c": {"allOf": [{"$ref": "#/x/c"}], "properties": {"n": 1}}}
    paths = {f"/{name}": {"get": {"responses": {"200": {"schema": {"$ref": f"#/x/{name}"}}}}} for name in loop}

    view = openapi_view({"openapi": "3.0.0", "paths": paths, "x": loop})

    assert _rows(_entries(view)["GET /c"], "response") == [("n", "any", 0)]


def test_the_largest_documents_are_cut_and_the_rest_is_counted() -> None:
    wide = {"type": "object", "properties": {f"f{number}": {"type": "string"} for number in range(1_000)}}
    paths = {f"/{number}": {"get": {"responses": {"200": {"schema": wide}}}} for number in range(MOST_ENTRIES + 100)}

    view = openapi_view({"openapi": "3.0.0", "paths": paths})

    rows = sum(len(shape.rows) for entry in _entries(view).values() for shape in entry.shapes)
    assert rows <= 4_000
    assert len(_entries(view)) + view.more == MOST_ENTRIES + 100


WORDS = st.sampled_from(
    [
        "$ref",
        "#/paths",
        "#/components/schemas/A",
        "A",
        "paths",
        "get",
        "post",
        "parameters",
        "schema",
        "items",
        "properties",
        "type",
        "allOf",
        "oneOf",
        "enum",
        "name",
        "in",
        "body",
        "responses",
        "content",
        "components",
        "schemas",
        "channels",
        "operations",
        "message",
        "payload",
        "publish",
        "action",
        "channel",
    ]  # one list of words
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | WORDS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(WORDS, inner, max_size=6),
    max_leaves=40,
)


@given(st.dictionaries(WORDS, JSON, max_size=8))
def test_nothing_is_raised_whatever_a_document_says(document: dict[str, Any]) -> None:
    for made in (openapi_view(document), asyncapi_view(document)):
        assert isinstance(made, ApiView)
    read_definition(json.dumps(document | {"openapi": "3.0.0"}), "openapi")


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = tmp_path_factory.mktemp("data")
    with build(load_settings(environment={}, overrides={"data": str(folder)})) as portal:
        portal.migrate()
        yield create_app(portal)


def test_what_a_definition_says_is_shown_as_text(app: Flask) -> None:
    hostile = OPENAPI.replace("One pet", "<script>alert(1)</script>").replace("**pets**", "[x](javascript:alert(1))")
    view = _read(hostile)

    with app.test_request_context("/"):
        macros = app.jinja_env.get_template("api_parts.html").make_module({})
        page = str(macros.api_definition(view))  # type: ignore[attr-defined]  # a macro of the template

    assert "<script>" not in page
    assert 'href="javascript' not in page
    assert "&lt;script&gt;" in page
    assert page.count("<details") == sum(len(group.entries) for group in view.groups)
