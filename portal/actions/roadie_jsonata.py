"""Roadie's actions that ask what an expression of JSONata makes of something.

Rules: scaffolder-backend-module-utils 4.1 `jsonata`. The expressions are evaluated by JSONata's own library, so that
they mean what they mean in Backstage, under limits of time and memory.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from portal.actions.contract import ActionContext, Example
from portal.actions.schema import ActionSchema, Record, Texts, Value
from portal.actions.scripting import call_script
from portal.actions.structured import YamlOptions, read_yaml, write_yaml
from portal.errors import InputError
from portal.scaffolder.json_text import parse_json, to_json

#: Gives the text of the bundle with the library.
Load = Callable[[], str]
_LARGEST_BYTES = 5 * 1024 * 1024
_EXPRESSION = "Expression of JSONata."
_AS = "The result as text, or as a value."


class JsonataInput(ActionSchema):
    """The input of roadiehq:utils:jsonata."""

    data = Value(required=True, description="The value to ask.")
    expression = Value(str, required=True, description=_EXPRESSION)


class JsonataOutput(ActionSchema):
    """The output of all three."""

    result = Value(description="What the expression gives; null for nothing.")


class Jsonata:
    """Asks a value."""

    id = "roadiehq:utils:jsonata"
    description = "Gives what an expression of JSONata makes of a value."
    input_schema = JsonataInput
    output_schema = JsonataOutput
    examples: Sequence[Example] = (
        Example(
            "Take the names out of a list.",
            {
                "id": "names",
                "action": "roadiehq:utils:jsonata",
                "input": {"data": "${{ parameters.members }}", "expression": "$.name"},
            },
        ),
    )
    supports_dry_run = True
    reads_only = True

    def __init__(self, load: Load) -> None:
        self._load = load

    def run(self, context: ActionContext) -> None:
        """Ask. Raises `InputError` for a faulty expression, `ActionError` for one that takes too much."""
        given = context.input
        context.output("result", _evaluated(self._load, given["data"], given["expression"], action_id=self.id))


class JsonFileInput(ActionSchema):
    """The input of roadiehq:utils:jsonata:json:transform."""

    path = Value(str, required=True, description="File of JSON in the workspace.")
    expression = Value(str, required=True, description=_EXPRESSION)
    replacer = Texts(description="The only members that the text keeps.")
    space = Value(str, int, default="", description="What to indent by, or the number of spaces.")
    result_type = Value(str, key="as", default="string", choices=("string", "object"), description=_AS)


class JsonFileTransform:
    """Asks a file of JSON."""

    id = "roadiehq:utils:jsonata:json:transform"
    description = "Gives what an expression of JSONata makes of a file of JSON, for later steps."
    input_schema = JsonFileInput
    output_schema = JsonataOutput
    examples: Sequence[Example] = (
        Example(
            "Ask package.json for its dependencies.",
            {
                "id": "needs",
                "action": "roadiehq:utils:jsonata:json:transform",
                "input": {"path": "package.json", "expression": "$keys(dependencies)", "as": "object"},
            },
        ),
    )
    supports_dry_run = True
    reads_only = True

    def __init__(self, load: Load) -> None:
        self._load = load

    def run(self, context: ActionContext) -> None:
        """Ask; the file stays as it is. Raises as `Jsonata.run`."""
        given = context.input
        content = context.workspace.read(given["path"], size_limit_bytes=_LARGEST_BYTES)
        data = parse_json(content.decode("utf-8", "replace"), name=given["path"])
        result = _evaluated(self._load, data, given["expression"], action_id=self.id)
        if given["result_type"] == "string":
            result = to_json(result, members=given["replacer"], indent=given["space"])
        context.output("result", result)


class YamlFileInput(ActionSchema):
    """The input of roadiehq:utils:jsonata:yaml:transform."""

    path = Value(str, required=True, description="File of YAML in the workspace.")
    expression = Value(str, required=True, description=_EXPRESSION)
    loads_all = Value(bool, key="loadAll", default=False, description="Ask the list of all documents of the file.")
    options = Record(YamlOptions, description="How the text is written.")
    result_type = Value(str, key="as", default="string", choices=("string", "object"), description=_AS)


class YamlFileTransform:
    """Asks a file of YAML."""

    id = "roadiehq:utils:jsonata:yaml:transform"
    description = "Gives what an expression of JSONata makes of a file of YAML, for later steps."
    input_schema = YamlFileInput
    output_schema = JsonataOutput
    examples: Sequence[Example] = (
        Example(
            "Ask a catalog file for its owners.",
            {
                "id": "owners",
                "action": "roadiehq:utils:jsonata:yaml:transform",
                "input": {
                    "path": "catalog-info.yaml",
                    "expression": "$.spec.owner",
                    "loadAll": True,
                    "as": "object",
                },
            },
        ),
    )
    supports_dry_run = True
    reads_only = True

    def __init__(self, load: Load) -> None:
        self._load = load

    def run(self, context: ActionContext) -> None:
        """Ask; the file stays as it is. Raises as `Jsonata.run`."""
        given = context.input
        content = context.workspace.read(given["path"], size_limit_bytes=_LARGEST_BYTES)
        documents = read_yaml(content, name=given["path"])
        if not given["loads_all"] and len(documents) > 1:
            raise InputError(f'{given["path"]}: found {len(documents)} documents; "loadAll" asks them all')
        data = documents if given["loads_all"] else documents[0] if documents else None
        result = _evaluated(self._load, data, given["expression"], action_id=self.id)
        if given["result_type"] == "string":
            result = write_yaml(result, given["options"])
        context.output("result", result)


def _evaluated(load: Load, data: Any, expression: str, *, action_id: str) -> Any:
    return call_script(load(), {"data": data, "expression": expression}, action_id=action_id)
