"""Draws shares in percent over time as lines, for a page to show as SVG beside a table of the same numbers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from portal.model.moment import shown_time

WIDTH, HEIGHT = 640, 210
_LEFT, _RIGHT, _TOP, _BOTTOM = 44, 14, 12, 28
_GRID = (0, 25, 50, 75, 100)
#: So many patterns of dashes the style sheet has, so that lines can be told apart without their colours.
_DASHES = 4


@dataclass(frozen=True, slots=True)
class Line:
    """A line: what it is called, its colour, its pattern of dashes, its stretches without gaps, each of its points."""

    title: str
    tone: int
    dash: int
    paths: list[str]
    dots: list[tuple[float, float]]


@dataclass(frozen=True, slots=True)
class Chart:
    """A chart; `grid` are (y, percent), `ticks` are (x, day, where the text is anchored), `rows` the numbers.

    Each row is a time (ISO 8601, and as people read it) with one number for each line, None where there is none.
    """

    lines: list[Line]
    grid: list[tuple[float, int]]
    ticks: list[tuple[float, str, str]]
    rows: list[tuple[str, str, list[float | None]]]
    width: int = WIDTH
    height: int = HEIGHT

    @property
    def left(self) -> int:
        """Where the lines begin."""
        return _LEFT

    @property
    def right(self) -> int:
        """Where they end."""
        return self.width - _RIGHT


def percent_chart(times_ms: Sequence[int], series: Sequence[tuple[str, int, Mapping[int, float]]]) -> Chart:
    """Return the chart of some series, each (title, tone, percent by place in the times); the times are ascending."""
    first, last = (times_ms[0], times_ms[-1]) if times_ms else (0, 0)
    inner = WIDTH - _LEFT - _RIGHT

    def x(place: int) -> float:
        # A single moment stands at the end, where the newest always is.
        return round(_LEFT + inner * ((times_ms[place] - first) / (last - first) if last > first else 1), 1)

    return Chart(
        [
            Line(
                title,
                tone,
                number % _DASHES,
                _paths(values, x, len(times_ms)),
                [(x(at), _y(values[at])) for at in sorted(values)],
            )
            for number, (title, tone, values) in enumerate(series)
        ],
        [(_y(percent), percent) for percent in _GRID],
        _ticks(times_ms, x),
        [
            (shown_time(time), _day(time, times_ms), [values.get(at) for _, _, values in series])
            for at, time in enumerate(times_ms)
        ],
    )


def _y(percent: float) -> float:
    return round(_TOP + (HEIGHT - _TOP - _BOTTOM) * (1 - percent / 100), 1)


def _paths(values: Mapping[int, float], x: Callable[[int], float], count: int) -> list[str]:
    """Return the points of each stretch that has no gap, as SVG writes them."""
    found: list[list[str]] = [[]]
    for at in range(count):
        if at in values:
            found[-1].append(f"{x(at)},{_y(values[at])}")
        else:
            found.append([])
    return [" ".join(points) for points in found if len(points) > 1]


def _ticks(times_ms: Sequence[int], x: Callable[[int], float]) -> list[tuple[float, str, str]]:
    if not times_ms:
        return []
    last = len(times_ms) - 1
    ends = [(x(last), _day(times_ms[last], times_ms), "end")]
    return [(x(0), _day(times_ms[0], times_ms), "start"), *ends] if times_ms[0] != times_ms[last] else ends


def _day(time_ms: int, times_ms: Sequence[int]) -> str:
    """Return the day of a time; the minute too where all of the times are of few days."""
    shown = shown_time(time_ms)
    is_short = times_ms[-1] - times_ms[0] < 3 * 86_400_000
    return shown[:16].replace("T", " ") if is_short else shown[:10]
