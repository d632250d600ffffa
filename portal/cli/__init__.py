"""The command line."""

from portal.cli.main import main

__all__ = ["main"]
