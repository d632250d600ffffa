"""What a task's events tell of its steps."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from portal.web.log_text import level_of, plain
from portal.web.task_story import MOST_LINES, story_of

STEPS = [{"id": "a", "name": "First", "action": "debug:log"}, {"id": "b", "name": "Second", "action": "debug:log"}]


def event(number: int, kind: str = "log", **body: Any) -> dict[str, Any]:
    return {"id": number, "type": kind, "createdAt": f"2026-01-01T10:00:{number:02}.500Z", "body": body}


def said(number: int, step: str, status: str | None = None, message: str = "") -> dict[str, Any]:
    return event(number, message=message, stepId=step, **({"status": status} if status else {}))


def test_steps_have_states_times_and_lines() -> None:
    events = [
        event(1, message="Starting up task with 2 steps"),
        said(2, "a", "processing"),
        said(3, "a", message="\x1b[33mwarn\x1b[39m: careful"),
        said(5, "a", "completed"),
        said(6, "b", "processing"),
        said(9, "b", "failed", "Error: boom"),
        event(9, "completion", message="Run completed with status: failed", error={"name": "Error", "message": "boom"}),
    ]

    story = story_of(STEPS, events)

    assert [(step.status, step.milliseconds) for step in story.steps] == [("completed", 3000), ("failed", 3000)]
    assert (story.steps[0].lines[1].text, story.steps[0].lines[1].level) == ("warn: careful", "warn")
    assert story.steps[1].lines[-1].level == "error"
    assert (story.error, story.done, story.last_id, story.current) == ("Error: boom", 2, 9, None)
    assert [line.time for line in story.lines] == ["10:00:01"]


def test_a_retry_begins_anew_and_keeps_how_long_took_what_was_done_before() -> None:
    events = [
        said(1, "a", "processing"),
        said(4, "a", "completed"),
        said(5, "b", "processing"),
        said(6, "b", "failed"),
        event(7, "recovered", recoverStrategy="none"),
        said(8, "a", "completed", "Step First is already completed"),
        said(9, "b", "processing"),
    ]

    story = story_of(STEPS, events)

    assert [step.status for step in story.steps] == ["completed", "processing"]
    assert story.steps[0].milliseconds == 3000
    assert (story.attempts, story.error, story.current) == (2, "", story.steps[1])


def test_of_steps_with_one_id_each_has_its_own_state() -> None:
    twice = [STEPS[0], {**STEPS[1], "id": "a"}]
    events = [said(1, "a", "processing"), said(2, "a", "completed"), said(3, "a", "processing")]

    assert [step.status for step in story_of(twice, events).steps] == ["completed", "processing"]


def test_of_a_long_log_the_newest_lines_are_shown() -> None:
    events = [{**said(1, "a", message=str(number)), "id": number} for number in range(MOST_LINES + 7)]

    (step, _) = story_of(STEPS, events).steps

    assert (len(step.shown), step.more, step.shown[-1].text) == (MOST_LINES, 7, str(MOST_LINES + 6))


@given(st.text())
def test_what_tells_terminals_how_to_show_a_text_is_left_out(text: str) -> None:
    shown = plain(f"\x1b[1;31m{text}\x1b[0m\x1b]0;title\x07")

    assert "\x1b" not in shown
    assert plain(shown) == shown
    assert level_of(shown) in {"", "error", "warn", "info", "debug"}


@given(st.lists(st.tuples(st.sampled_from(["log", "recovered", "cancelled", "completion"]), st.dictionaries(
    st.sampled_from(["message", "stepId", "status", "output", "error"]),
    st.sampled_from([None, 0, "a", "b", "processing", "completed", "failed", {}, []]),
))))  # fmt: skip
def test_no_events_break_the_page(events: list[tuple[str, dict[str, Any]]]) -> None:
    told = [event(number % 60, kind, **body) for number, (kind, body) in enumerate(events)]

    story = story_of(STEPS, told)

    assert 0 <= story.done <= len(STEPS)
