"""Tells what became of a task from its events, step by step."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from portal.web.log_text import Level, level_of, plain

#: So many lines of a step are shown on a page, the newest; the whole log is there as a text.
MOST_LINES = 500
_LONGEST_LINE = 10_000
_LIVE = frozenset({"open", "processing"})
_ENDED = frozenset({"completed", "failed", "skipped", "cancelled"})
#: What no step has said yet.
WAITING = "waiting"


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a log; `time` is that of the day in UTC, to the second."""

    time: str
    text: str
    level: Level = ""


@dataclass(slots=True)
class StepStory:
    """A step with what became of it in the last attempt; its log is that of all attempts."""

    number: int
    id: str
    name: str
    action: str
    status: str = WAITING
    began_ms: int | None = None
    ended_ms: int | None = None
    lines: list[Line] = field(default_factory=list)

    @property
    def shown(self) -> list[Line]:
        """The newest lines."""
        return self.lines[-MOST_LINES:]

    @property
    def more(self) -> int:
        """How many lines are not shown."""
        return len(self.lines) - len(self.shown)

    @property
    def milliseconds(self) -> int | None:
        """How long it took, None where it has not ended or never began."""
        return None if self.began_ms is None or self.ended_ms is None else self.ended_ms - self.began_ms


@dataclass(slots=True)
class Story:
    """What became of a task: `last_id` is its newest event, `attempts` counts how often it was begun."""

    steps: list[StepStory]
    lines: list[Line] = field(default_factory=list)
    attempts: int = 1
    last_id: int = 0
    is_cancelled: bool = False
    output: Mapping[str, Any] = field(default_factory=dict)
    error: str = ""
    ended_ms: int | None = None

    @property
    def done(self) -> int:
        """How many steps have ended."""
        return sum(step.status in _ENDED for step in self.steps)

    @property
    def current(self) -> StepStory | None:
        """The step that runs."""
        return next((step for step in self.steps if step.status == "processing"), None)


def is_live(status: str) -> bool:
    """Return whether a task of this status is not over."""
    return status in _LIVE


def story_of(steps: Sequence[Mapping[str, Any]], events: Iterable[Mapping[str, Any]]) -> Story:
    """Return what the events of a task, as clients read them, tell of its steps."""
    story = Story(
        [
            StepStory(number, str(step.get("id", "")), str(step.get("name") or step.get("id", "")), _action(step))
            for number, step in enumerate(steps, start=1)
        ]
    )
    earlier: list[tuple[str, int | None, int | None]] = []
    for event in events:
        body, when_ms = event["body"], _milliseconds(event["createdAt"])
        story.last_id = max(story.last_id, event["id"])
        if event["type"] == "recovered":
            earlier = _begin_anew(story)
        elif event["type"] == "completion":
            _end(story, body, when_ms)
        else:
            story.is_cancelled = story.is_cancelled or event["type"] == "cancelled"
            _tell(story, event, when_ms, earlier)
    return story


def _begin_anew(story: Story) -> list[tuple[str, int | None, int | None]]:
    earlier = [(step.status, step.began_ms, step.ended_ms) for step in story.steps]
    story.attempts += 1
    story.is_cancelled, story.output, story.error, story.ended_ms = False, {}, "", None
    for step in story.steps:
        step.status, step.began_ms, step.ended_ms = WAITING, None, None
    return earlier


def _end(story: Story, body: Mapping[str, Any], when_ms: int) -> None:
    story.ended_ms = when_ms
    output, error = body.get("output"), body.get("error")
    story.output = output if isinstance(output, Mapping) else {}
    story.error = plain(f"{error.get('name')}: {error.get('message')}") if isinstance(error, Mapping) else ""


def _tell(
    story: Story,
    event: Mapping[str, Any],
    when_ms: int,
    earlier: Sequence[tuple[str, int | None, int | None]],
) -> None:
    body = event["body"]
    status = str(body.get("status") or "")
    step = _step(story, body.get("stepId"))
    line = _line(event, status)
    if step is None:
        story.lines.append(line)
        return
    step.lines.append(line)
    if status == "processing":
        step.status, step.began_ms, step.ended_ms = status, when_ms, None
    elif status in _ENDED and event["type"] == "log":
        if step.began_ms is None and earlier and earlier[step.number - 1][0] == status:
            # An earlier attempt has done it: how long that took is still what it took.
            _, step.began_ms, step.ended_ms = earlier[step.number - 1]
        else:
            step.ended_ms = when_ms
        step.status = status


def _step(story: Story, step_id: Any) -> StepStory | None:
    """Return the step that an id means now: of several with it the first that has not ended."""
    named = [step for step in story.steps if step.id == step_id]
    return next((step for step in named if step.status not in _ENDED), named[-1] if named else None)


def _line(event: Mapping[str, Any], status: str) -> Line:
    text = plain(str(event["body"].get("message", "")))
    level: Level = "error" if status == "failed" else "warn" if status == "cancelled" else level_of(text)
    shown = text if len(text) <= _LONGEST_LINE else f"{text[:_LONGEST_LINE]}…"
    return Line(str(event["createdAt"])[11:19], shown, level)


def _action(step: Mapping[str, Any]) -> str:
    return str(step.get("action", ""))


def _milliseconds(text: str) -> int:
    return round(datetime.fromisoformat(text).timestamp() * 1000)
