"""Roadie's action that waits.

Rule: scaffolder-backend-module-utils 4.1 `sleep`.
"""

from __future__ import annotations

from collections.abc import Sequence

from portal.actions.contract import ActionContext, Example
from portal.actions.debug import wait
from portal.actions.schema import ActionSchema, Value


class SleepInput(ActionSchema):
    """The input of roadiehq:utils:sleep."""

    amount = Value(int, float, required=True, description="Seconds, ten minutes at most.")


class Sleep:
    """Waits."""

    id = "roadiehq:utils:sleep"
    description = "Waits for some seconds, ten minutes at most; ends early when the task is cancelled."
    input_schema = SleepInput
    output_schema = None
    examples: Sequence[Example] = (Example("Wait.", {"action": "roadiehq:utils:sleep", "input": {"amount": 5}}),)
    supports_dry_run = True
    reads_only = True

    def run(self, context: ActionContext) -> None:
        """Wait. Raises `InputError` above ten minutes, `TaskCancelledError` when the task is cancelled."""
        wait(context, context.input["amount"], action_id=self.id)
