"""Runs a function of JavaScript, where an action's meaning is JavaScript's own, under limits.

Beside `portal.scaffolder.engine` the one module that knows of QuickJS. JSON text alone crosses the border. Each call
has a context of its own, which costs some milliseconds: no state is left, and what a hostile step does ends with it.
"""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import quickjs

from portal.errors import ActionError, InputError

_MEMORY_BYTES = 256 * 1024 * 1024
_STACK_BYTES = 1024 * 1024
_SECONDS = 10.0


def call_script(script: str, argument: Any, *, action_id: str, seconds: float = _SECONDS) -> Any:
    """Return what the script's function `main` makes of a JSON value; it may be asynchronous.

    `seconds` are of CPU time. Raises `InputError` with JavaScript's words where it throws, `ActionError` at a limit.
    """
    # A context must live and end in one thread.
    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="script") as thread:
        reply: dict[str, Any] = thread.submit(_call, script, json.dumps(argument), seconds).result()
    if "limit" in reply:
        raise ActionError(f"{action_id}: {reply['limit']}")
    if "error" in reply:
        raise InputError(f"{action_id}: {reply['error']}")
    return reply["value"]


#: Keeps what becomes of the call where the loop below finds it.
_FRAME = """
globalThis.portalCall = (text) => {
  globalThis.portalReply = "";
  const told = (error) => JSON.stringify({ error: String(error?.message ?? error) });
  (async () => main(JSON.parse(text)))().then(
    (value) => { globalThis.portalReply = JSON.stringify({ value: value === undefined ? null : value }); },
    (error) => { globalThis.portalReply = told(error); },
  );
};
"""


def _call(script: str, argument: str, seconds: float) -> dict[str, Any]:
    context = quickjs.Context()
    context.set_memory_limit(_MEMORY_BYTES)
    context.set_max_stack_size(_STACK_BYTES)
    deadline = time.thread_time() + seconds
    try:
        context.eval(script + _FRAME)
        context.set_time_limit(seconds)
        context.eval("portalCall")(argument)
        # The limit of QuickJS holds for each job by itself.
        while context.execute_pending_job():
            if time.thread_time() > deadline:
                return {"limit": f"it takes longer than {seconds:g} s of CPU time; it may loop without end"}
        reply: dict[str, Any] = json.loads(context.eval("portalReply"))
    except quickjs.JSException as error:
        return {"limit": _limit(str(error).partition("\n")[0], seconds)}
    # A script may meet a limit and catch it.
    return {"limit": _limit(reply["error"], seconds)} if reply.get("error") in _LIMITS else reply


_LIMITS = ("out of memory", "interrupted")


def _limit(fault: str, seconds: float) -> str:
    if "interrupted" in fault:
        return f"it takes longer than {seconds:g} s of CPU time; it may loop without end"
    if "out of memory" in fault or fault == "null":
        return f"it needs more than {_MEMORY_BYTES // 1024**2} MiB of memory"
    return f"JavaScript stops: {fault}"
