"""Judges models by what they predicted and what was true."""

from .limits import Limit, faults
from .measures import LOWER_IS_BETTER, measure
from .report import markdown

__all__ = ["LOWER_IS_BETTER", "Limit", "faults", "markdown", "measure"]
