"""Extensions, found through entry points."""

from portal.plugins.registry import GROUPS, Registry, Unavailable

__all__ = ["GROUPS", "Registry", "Unavailable"]
