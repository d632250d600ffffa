"""Loads the model and asks it; the only module that knows what kind of model it is."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Model:
    """A linear model: what serves until the real one does."""

    version: str
    intercept: float
    weights: Mapping[str, float]

    def predict(self, values: Mapping[str, float]) -> float:
        """Return the answer for a value of each input."""
        return self.intercept + sum(weight * values[name] for name, weight in self.weights.items())


def load(path: Path) -> Model:
    """Return the model of a file. Raises `ValueError` for one that is none."""
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
        weights = {str(name): float(weight) for name, weight in told["weights"].items()}
        return Model(str(told["version"]), float(told["intercept"]), weights)
    except (AttributeError, KeyError, TypeError, json.JSONDecodeError) as error:
        raise ValueError(f"{path} is no model: {error!r}") from error
