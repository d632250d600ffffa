"""A step that pipelines use."""

from .step import MissingColumnError, Summary, transform

__all__ = ["MissingColumnError", "Summary", "transform"]
