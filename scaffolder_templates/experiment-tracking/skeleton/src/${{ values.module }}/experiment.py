"""The question, with the candidates that may answer it: replace both with your own."""

import random
import statistics
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple


class Point(NamedTuple):
    """What is known, and what is to be predicted from it."""

    known: float
    wanted: float


Model = Callable[[float], float]


def points(count: int, *, seed: int) -> list[Point]:
    """Return points on a line, with noise; the same seed gives the same points."""
    chance = random.Random(seed)
    known = [chance.uniform(0, 10) for _ in range(count)]
    return [Point(value, 3 * value + 1 + chance.gauss(0, 1)) for value in known]


def mean_of(learnt: Sequence[Point]) -> Model:
    """Return the model that says the mean, whatever it is asked: what any other has to beat."""
    mean = statistics.fmean(point.wanted for point in learnt)
    return lambda _: mean


def line_through(learnt: Sequence[Point]) -> Model:
    """Return the model that says what lies on a line."""
    slope, start = statistics.linear_regression([point.known for point in learnt], [point.wanted for point in learnt])
    return lambda known: slope * known + start


CANDIDATES: Mapping[str, Callable[[Sequence[Point]], Model]] = {"mean": mean_of, "line": line_through}


def judge(candidate: str, *, count: int = 200, seed: int = 0) -> dict[str, float]:
    """Return the measures of a candidate on points that it has not learnt from."""
    found = points(count, seed=seed)
    half = count // 2
    model = CANDIDATES[candidate](found[:half])
    sizes = [abs(model(point.known) - point.wanted) for point in found[half:]]
    return {"mean_absolute_error": statistics.fmean(sizes), "largest_error": max(sizes)}
