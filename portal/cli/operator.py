"""Names who runs a command: the user of the operating system."""

from __future__ import annotations

import os
import sys


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
