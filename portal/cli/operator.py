"""Remembers what is done on the command line, by whom: the user of the operating system."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from types import MappingProxyType

from portal.app import Portal
from portal.model.login import without_credentials

#: What each command that writes is called in the records; all others read.
ACTIONS: Mapping[str, str] = MappingProxyType(
    {
        "portal db upgrade": "database.upgrade",
        "portal ingest": "catalog.ingest",
        "portal owners reorg": "reorg.write",
        "portal restore": "database.restore",
        "portal serve": "catalog.ingest",
        "portal template run": "task.create",
        "portal template upgrade": "template.upgrade",
        "portal token create": "token.create",
        "portal token revoke": "token.revoke",
    }
)


def operator() -> str:
    """Return `operator:NAME`; the name is the system's, not that of a variable, which anybody may set."""
    if sys.platform == "win32":
        return f"operator:{os.getlogin()}"
    import pwd  # noqa: PLC0415  # not on Windows

    try:
        return f"operator:{pwd.getpwuid(os.getuid()).pw_name}"
    except KeyError:
        # In a container without a name for its user.
        return f"operator:{os.getuid()}"


def named(targets: Iterable[str]) -> str:
    """Return locations as records name them: without credentials."""
    return ", ".join(map(without_credentials, targets))


class Done:
    """What a command says of itself while it is remembered: on what it works, whether it failed without an error."""

    def __init__(self, target: str) -> None:
        self.target = target
        self.has_failed = False


@contextmanager
def remembered(portal: Portal, command: str, target: str = "") -> Iterator[Done]:
    """Remember what a command does within the block, with its result."""
    done = Done(target)
    try:
        yield done
    except BaseException:
        done.has_failed = True
        raise
    finally:
        portal.audit.record(
            ACTIONS[command],
            actor=operator(),
            target=done.target,
            result="failed" if done.has_failed else "success",
        )
