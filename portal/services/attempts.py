"""Says what an attempt at a task leaves to the next one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

#: What an older Portal recorded as the first step of every attempt.
BEGIN = "begin"
#: What the record of an attempt's first step has beside its result: how the attempt has begun.
BEGUN = "begun"
_MARK = "~"


def run_id(task_id: str, attempt: int) -> str:
    """Return the id of the job that an attempt at a task is; the first attempt is 0, whose id is the task's."""
    return f"{task_id}{_MARK}{attempt}" if attempt else task_id


def parse_run_id(text: str) -> tuple[str, int]:
    """Return the task's id and the number of the attempt that `run_id` was given."""
    task_id, mark, attempt = text.rpartition(_MARK)
    return (task_id, int(attempt)) if mark else (text, 0)


def record_name(index: int, declared: Mapping[str, Any]) -> str:
    """Return what a step is recorded as, `index` from 0; ids alone may come twice."""
    return f"{index + 1} {declared['id']}"


def kept_results(steps: Sequence[Mapping[str, Any]], recorded: Mapping[str, Any]) -> dict[str, Any]:
    """Return what of an attempt's record holds for the next one: all before its first failure.

    What ran after a failure was there for the failure. A record that does not tell its output ends it too.
    """
    kept: dict[str, Any] = {}
    for index, declared in enumerate(steps):
        name = record_name(index, declared)
        result = recorded.get(name)
        if result is None or result["status"] == "failed" or "output" not in result:
            break
        kept[name] = {key: value for key, value in result.items() if key != BEGUN}
    return kept
