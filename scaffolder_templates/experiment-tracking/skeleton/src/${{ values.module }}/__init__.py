"""An experiment whose runs can be repeated."""

from .tracking import tracked_run

__all__ = ["tracked_run"]
