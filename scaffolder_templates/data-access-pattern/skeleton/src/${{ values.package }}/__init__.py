"""Reads one dataset as its policy says: with a purpose, with what is sensitive masked, with an audit line."""

from .policy import Policy, PurposeError, read_policy
from .reader import Reader

__all__ = ["Policy", "PurposeError", "Reader", "read_policy"]
