"""Steps that pipelines are put together from."""

from .chain import STEPS, UnknownStepError, run
from .steps import Row, Scale, drop_incomplete, fit_scale, part_of, scale

__all__ = [
    "STEPS",
    "Row",
    "Scale",
    "UnknownStepError",
    "drop_incomplete",
    "fit_scale",
    "part_of",
    "run",
    "scale",
]
