"""The actions that the recorded cases of the scaffolder are run with."""

from __future__ import annotations

from marshmallow import INCLUDE

from portal.actions.schema import ActionSchema
from portal.errors import ActionError


class Anything(ActionSchema):
    """Any input."""

    class Meta:
        """Whatever is given is handed on."""

        unknown = INCLUDE


class Echo:
    id = "test:echo"
    description = "Outputs each member of its input, and all of it."
    examples = ()
    input_schema = Anything
    output_schema = None
    supports_dry_run = True

    def run(self, context):
        for name, value in context.input.items():
            context.output(name, value)
        context.output("_all", dict(context.input))


class Fail:
    id = "test:fail"
    description = "Fails."
    examples = ()
    input_schema = Anything
    output_schema = None
    supports_dry_run = True

    def run(self, context):
        raise ActionError("boom")
