"""Helps the author of a template to see what a task does."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite

import orjson

from portal.actions.contract import ActionContext, Example
from portal.actions.schema import ActionSchema, Value
from portal.errors import InputError, TaskCancelledError

_LONGEST_WAIT_SECONDS = 600


class LogInput(ActionSchema):
    """The input of debug:log."""

    message = Value(str, description="A line for the log.")
    list_workspace = Value(
        bool,
        str,
        key="listWorkspace",
        default=False,
        description="true or with-filenames: names; with-contents: bodies.",
    )


class DebugLog:
    """Writes to the task's log."""

    id = "debug:log"
    description = "Writes a message, or the workspace's files, to the task's log."
    input_schema = LogInput
    output_schema = None
    examples: Sequence[Example] = (
        Example("Log a message.", {"action": "debug:log", "input": {"message": "Hello ${{ parameters.name }}"}}),
    )
    supports_dry_run = True
    reads_only = True

    def run(self, context: ActionContext) -> None:
        """Log the input, the message, then the workspace where it is asked for."""
        given = {
            key: value
            for key, value in (
                ("message", context.input["message"]),
                ("listWorkspace", context.input["list_workspace"]),
            )
            if value
        }
        context.log(orjson.dumps(given, option=orjson.OPT_INDENT_2).decode())
        if context.input["message"]:
            context.log(context.input["message"])
        wanted = context.input["list_workspace"]
        if wanted:
            context.log(f"Workspace:\n{_workspace(context, contents=wanted == 'with-contents')}")


class WaitInput(ActionSchema):
    """The input of debug:wait."""

    minutes = Value(int, float, default=0)
    seconds = Value(int, float, default=0)
    milliseconds = Value(int, float, default=0)


class DebugWait:
    """Waits."""

    id = "debug:wait"
    description = "Waits for the sum of the times given, ten minutes at most; ends early when the task is cancelled."
    input_schema = WaitInput
    output_schema = None
    examples: Sequence[Example] = (Example("Wait.", {"action": "debug:wait", "input": {"seconds": 5}}),)
    supports_dry_run = False
    reads_only = True

    def run(self, context: ActionContext) -> None:
        """Wait. Raises `InputError` above ten minutes, `TaskCancelledError` when the task is cancelled."""
        given = context.input
        seconds = given["minutes"] * 60 + given["seconds"] + given["milliseconds"] / 1000
        wait(context, seconds, action_id=self.id)


def wait(context: ActionContext, seconds: float, *, action_id: str) -> None:
    """Wait. Raises `InputError` for times that are none, or too long, `TaskCancelledError` when it is cancelled."""
    if not isfinite(seconds) or not 0 <= seconds <= _LONGEST_WAIT_SECONDS:
        raise InputError(f"{action_id}: found {seconds:g} s; expected 0 to {_LONGEST_WAIT_SECONDS} s")
    context.log(f"Waiting for {seconds:g} s")
    if context.cancelled(seconds):
        raise TaskCancelledError("The wait ended because the task was cancelled")


def _workspace(context: ActionContext, *, contents: bool) -> str:
    lines = []
    for path in context.workspace.listing():
        place = context.workspace.path / path
        if place.is_dir() and not place.is_symlink():
            continue
        lines.append(f"  - {path}")
        if contents and place.is_file() and not place.is_symlink():
            lines.append(f"\n  {place.read_text('utf-8', errors='replace')}")
    return "\n".join(lines)
