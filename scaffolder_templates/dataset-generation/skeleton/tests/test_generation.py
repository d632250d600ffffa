"""What is generated follows its schema, and is the same each time."""

import csv
import io
import json
from itertools import islice

import jsonschema

from generation.columns import values
from generation.dataset import ROOT, read_description, rows, write

DESCRIBED = read_description()
SCHEMA = json.loads((ROOT / "schema/dataset.schema.json").read_text(encoding="utf-8"))


def test_every_row_follows_the_schema():
    validator = jsonschema.Draft202012Validator(SCHEMA, format_checker=jsonschema.FormatChecker())

    for row in rows(DESCRIBED, count=500):
        validator.validate(row)


def test_there_are_as_many_rows_as_described():
    assert sum(1 for _ in rows(DESCRIBED | {"rows": 17})) == 17


def test_the_same_seed_makes_the_same_file():
    first, second = io.StringIO(), io.StringIO()
    write(DESCRIBED, first, count=50)
    write(DESCRIBED, second, count=50)

    assert first.getvalue() == second.getvalue()


def test_another_seed_makes_other_values():
    column = {"name": "value", "kind": "number", "minimum": 0, "maximum": 1}

    assert list(islice(values(column, seed=1), 20)) != list(islice(values(column, seed=2), 20))


def test_a_further_column_leaves_the_others_as_they_are():
    more = {"name": "a_further_column", "kind": "integer", "minimum": 1, "maximum": 6}
    extended = DESCRIBED | {"columns": [more, *DESCRIBED["columns"]]}
    extended_rows = list(rows(extended, count=20))

    assert all(1 <= row.pop("a_further_column") <= 6 for row in extended_rows)
    assert extended_rows == list(rows(DESCRIBED, count=20))


def test_a_file_holds_what_was_generated():
    made = list(rows(DESCRIBED, count=20))
    file = io.StringIO()
    write(DESCRIBED, file, count=20)
    file.seek(0)

    if DESCRIBED["format"] == "jsonl":
        assert [json.loads(line) for line in file] == made
    else:
        assert list(csv.DictReader(file)) == [{name: str(value) for name, value in row.items()} for row in made]
