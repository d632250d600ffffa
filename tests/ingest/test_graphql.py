"""GraphQL schemas in several files become one."""

from collections.abc import Mapping

import pytest
from graphql import build_schema

from portal.ingest.graphql import Import, imports, merge


def _merged(files: Mapping[str, str]) -> str:
    def locate(base: str, text: str) -> str:
        if text not in files:
            raise ValueError(f'"{text}" cannot be read')
        return text

    return merge(next(iter(files)), text=lambda name: files[name], locate=locate)


def test_the_lines_that_import_are_those_of_graphql_tools() -> None:
    text = (
        '# import "a.graphql"\n#import A, B.c from \'b.graphql\'\n  # import * from "c.graphql"\n# imports from "d"\n'
    )

    assert imports(text) == [
        Import(("*",), "a.graphql"),
        Import(("A", "B.c"), "b.graphql"),
        Import(("*",), "c.graphql"),
    ]


def test_a_schema_that_imports_nothing_stays_as_it_is_written() -> None:
    text = "# a comment\ntype Query { a: Int }\n"

    assert _merged({"a": text}) == text


def test_a_type_comes_with_what_it_is_made_of_and_no_more() -> None:
    files = {
        "root": '# import User from "users"\ntype Query { me: User }\n',
        "users": '# import * from "more"\n"One who signs in"\ntype User { id: ID!, role: Role @shown }\n'
        "type Unused { a: Int }\n",
        "more": "enum Role { ADMIN }\ndirective @shown on FIELD_DEFINITION\nscalar Other\n",
    }

    merged = _merged(files)

    build_schema(merged)
    assert '"One who signs in"' in merged
    assert "enum Role" in merged
    assert "directive @shown" in merged
    assert "Unused" not in merged
    assert "Other" not in merged


def test_all_of_a_file_comes_with_all_that_it_imports_and_cycles_end() -> None:
    files = {
        "root": '# import "a"\ntype Query { a: A }\n',
        "a": '# import "b"\ntype A { b: B }\n',
        "b": '# import "a"\ntype B { a: A }\nscalar C\n',
    }

    merged = _merged(files)

    build_schema(merged)
    assert "scalar C" in merged


def test_types_of_one_name_become_one_with_the_fields_of_all() -> None:
    files = {
        "root": '# import Query.b from "more"\ntype Query { a: Int }\n',
        "more": "type Query { a: String, b: Int, c: Int }\n",
    }

    assert _merged(files) == "type Query {\n  a: Int\n  b: Int\n}\n"


@pytest.mark.parametrize(
    ("files", "told"),
    [
        ({"a": '# import "gone"\ntype Query { a: Int }'}, '"gone" cannot be read'),
        ({"a": '# import X from "b"\ntype Query { a: Int }', "b": "scalar Y"}, 'no definition "X"'),
        ({"a": '# import Y.z from "b"\ntype Query { a: Int }', "b": "type Y { x: Int }"}, 'no field "z"'),
        ({"a": '# import "b"\ntype Query { a: Int }', "b": "type {"}, "b: Syntax Error"),
        ({"a": '# import "b"\ntype Query { a: ' + "[" * 5000 + "Int" + "]" * 5000 + " }", "b": ""}, "a: "),
    ],
)
def test_what_cannot_be_made_one_is_told(files: dict[str, str], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        _merged(files)
