"""Extensions, found through entry points."""

from portal.plugins.registry import GROUPS, Registry, Unavailable, installed

__all__ = ["GROUPS", "Registry", "Unavailable", "installed"]
