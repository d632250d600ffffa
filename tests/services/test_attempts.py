"""What an attempt at a task leaves to the next one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.services.attempts import kept_results, parse_run_id, run_id

STEPS = [{"id": "a"}, {"id": "b"}, {"id": "a"}]


def record(status, **more):
    return {"status": status, "output": {}, **more}


@pytest.mark.parametrize(
    ("recorded", "kept"),
    [
        ({}, []),
        ({"1 a": record("completed")}, ["1 a"]),
        ({"1 a": record("failed"), "2 b": record("completed")}, []),
        ({"1 a": record("completed"), "2 b": record("skipped"), "3 a": record("failed")}, ["1 a", "2 b"]),
        ({"1 a": record("completed"), "3 a": record("completed")}, ["1 a"]),
        ({"1 a": {"status": "completed"}, "2 b": record("completed")}, []),
        ({name: record("completed") for name in ("begin", "1 a", "2 b", "3 a", "finish")}, ["1 a", "2 b", "3 a"]),
    ],
)
def test_all_before_the_first_failure_is_kept(recorded, kept):
    assert kept_results(STEPS, recorded) == {name: recorded[name] for name in kept}


@given(st.uuids(), st.integers(0, 10_000))
def test_an_id_tells_the_task_and_the_attempt(task, attempt):
    assert parse_run_id(run_id(str(task), attempt)) == (str(task), attempt)


def test_the_first_attempt_has_the_id_of_its_task():
    assert run_id("t", 0) == "t"
