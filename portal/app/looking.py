"""Looks at the catalog beside a server's requests: at a large one in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
import threading

from portal.app.portal import build
from portal.config import Settings, as_environment, load_settings
from portal.services.look import LookService

#: A look at more entities would make the requests of its process wait (measured: 100,000 took 10 s of Python).
_MOST_BESIDE = 5_000
#: Whoever asks comes first.
_NICENESS = 10


class Looking:
    """What follows a refresh: a look at the newest revision, unless there was one."""

    def __init__(self, service: LookService, settings: Settings, *, most: int = _MOST_BESIDE) -> None:
        self._service = service
        self._settings = settings
        self._most = most
        self._lock = threading.Lock()
        self._is_stopped = False
        self._process: subprocess.Popen[bytes] | None = None

    def look(self) -> None:
        """Look, if that is still to do; return when it is done, or has been stopped."""
        due = self._service.due()
        if due > self._most:
            self._look_elsewhere()
        elif due:
            self._service.take()

    def stop(self) -> None:
        """End a look in another process: what it has not written yet is lost, and is looked at another time."""
        with self._lock:
            self._is_stopped = True
            if self._process is not None:
                self._process.terminate()

    def _look_elsewhere(self) -> None:
        with self._lock:
            if self._is_stopped:
                return
            environment = os.environ | as_environment(self._settings)
            self._process = subprocess.Popen([sys.executable, "-m", __name__], env=environment)  # noqa: S603  # ourselves
        self._process.wait()


def main() -> None:
    """Take one look, as the settings in the environment say."""
    if hasattr(os, "nice"):
        os.nice(_NICENESS)
    with build(load_settings(environment=os.environ)) as portal:
        portal.look.take()


if __name__ == "__main__":
    main()
