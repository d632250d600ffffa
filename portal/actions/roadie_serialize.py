"""Roadie's actions that turn a value into text.

Rules: scaffolder-backend-module-utils 4.1 `serialize`.
"""

from __future__ import annotations

from collections.abc import Sequence

from portal.actions.contract import ActionContext, Example
from portal.actions.schema import ActionSchema, Record, Texts, Value
from portal.actions.structured import YamlOptions, write_yaml
from portal.scaffolder.json_text import to_json


class JsonInput(ActionSchema):
    """The input of roadiehq:utils:serialize:json."""

    data = Value(required=True, description="The value.")
    replacer = Texts(description="The only members that are kept.")
    space = Value(str, int, default="", description="What to indent by, or the number of spaces.")


class YamlInput(ActionSchema):
    """The input of roadiehq:utils:serialize:yaml."""

    data = Value(required=True, description="The value.")
    options = Record(YamlOptions, description="How it is written.")


class SerializeOutput(ActionSchema):
    """The output of both."""

    serialized = Value(str, description="The text.")


class SerializeJson:
    """Turns a value into JSON."""

    id = "roadiehq:utils:serialize:json"
    description = "Turns a value into a text of JSON, for later steps."
    input_schema = JsonInput
    output_schema = SerializeOutput
    examples: Sequence[Example] = (
        Example(
            "Turn the parameters into JSON.",
            {
                "id": "text",
                "action": "roadiehq:utils:serialize:json",
                "input": {"data": "${{ parameters }}", "space": 2},
            },
        ),
    )
    supports_dry_run = True
    reads_only = True

    def run(self, context: ActionContext) -> None:
        """Write."""
        given = context.input
        context.output("serialized", to_json(given["data"], members=given["replacer"], indent=given["space"]))


class SerializeYaml:
    """Turns a value into YAML."""

    id = "roadiehq:utils:serialize:yaml"
    description = "Turns a value into a text of YAML, for later steps."
    input_schema = YamlInput
    output_schema = SerializeOutput
    examples: Sequence[Example] = (
        Example(
            "Turn the parameters into YAML.",
            {"id": "text", "action": "roadiehq:utils:serialize:yaml", "input": {"data": "${{ parameters }}"}},
        ),
    )
    supports_dry_run = True
    reads_only = True

    def run(self, context: ActionContext) -> None:
        """Write."""
        context.output("serialized", write_yaml(context.input["data"], context.input["options"]))
