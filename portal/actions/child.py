"""Runs a program of Portal's own in a process with limits.

It is for libraries that evaluate what the author of a template wrote.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from portal.errors import ActionError, InputError

_WAIT_SECONDS = 120.0
#: What a program exits with where its library is not installed.
_MISSING = 3


def run_child(program: str, request: Any, *, folder: Path, action_id: str, cpu_seconds: int) -> Any:
    """Return what a program beside this module answers to a JSON value; `folder` is where it works.

    It gets nothing of this process but the request: no environment, no open files. It limits its own memory, and its
    processor time to `cpu_seconds`, before it looks at the request. Raises `InputError` with its words for what it
    refuses, `ActionError` where it fails, takes too long, or lacks its library.
    """
    path = Path(__file__).with_name(program)
    try:
        done = subprocess.run(  # noqa: S603  # our own program, by our own interpreter
            [sys.executable, "-I", "-B", str(path), str(cpu_seconds)],
            input=json.dumps(request).encode(),
            cwd=folder,
            env={"LANG": "C.UTF-8", "HOME": str(folder), "TMPDIR": str(folder)},
            capture_output=True,
            check=False,
            timeout=_WAIT_SECONDS,
        )
    except subprocess.TimeoutExpired:
        raise ActionError(f"{action_id}: it takes longer than {_WAIT_SECONDS:g} s; it may loop without end") from None
    if done.returncode == _MISSING:
        raise ActionError(f'{action_id}: its library is not installed here; install "portal[templates]"')
    if done.returncode != 0:
        last = done.stderr.decode("utf-8", "replace").strip().rpartition("\n")[2]
        reason = "it was ended at a limit of memory or time" if done.returncode < 0 else last
        raise ActionError(f"{action_id}: {reason or 'it failed without a word'}")
    reply: dict[str, Any] = json.loads(done.stdout)
    if "error" in reply:
        raise InputError(f"{action_id}: {reply['error']}")
    return reply
