"""The limits that a release must keep."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from .measures import LOWER_IS_BETTER


@dataclass(frozen=True)
class Limit:
    """What one measure must keep; None leaves it open."""

    least: float | None = None
    most: float | None = None
    tolerance: float | None = None


def read_limits(path: Path) -> dict[str, Limit]:
    """Return the limits of a TOML file, by measure. Raises `ValueError` for a name that means nothing."""
    found = {}
    for measure, members in tomllib.loads(path.read_text(encoding="utf-8")).items():
        unknown = members.keys() - {"least", "most", "tolerance"}
        if unknown:
            names = ", ".join(sorted(unknown))
            raise ValueError(f"{path}: found {names} in {measure}; expected least, most, tolerance")
        found[measure] = Limit(**members)
    return found


def faults(
    limits: Mapping[str, Limit], candidate: Mapping[str, float], baseline: Mapping[str, float] | None
) -> Iterator[str]:
    """Yield a sentence for each limit that a candidate breaks; `baseline` are the measures of the model in use."""
    for name, limit in limits.items():
        if name not in candidate:
            yield f"{name} is not measured; expected one of {', '.join(sorted(candidate))}"
            continue
        value = candidate[name]
        if limit.least is not None and value < limit.least:
            yield f"{name} is {value:.4f}; expected at least {limit.least:.4f}"
        if limit.most is not None and value > limit.most:
            yield f"{name} is {value:.4f}; expected at most {limit.most:.4f}"
        if limit.tolerance is not None and baseline is not None:
            worse = value - baseline[name] if name in LOWER_IS_BETTER else baseline[name] - value
            if worse > limit.tolerance:
                yield f"{name} is {value:.4f}, worse than {baseline[name]:.4f} of the model in use by {worse:.4f}"
