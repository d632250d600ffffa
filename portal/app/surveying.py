"""Surveys the catalog beside a server's requests: a large one in a process of its own."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import threading

from portal.app.portal import build
from portal.config import Settings, as_environment, load_settings
from portal.services.survey import SurveyService

_log = logging.getLogger(__name__)

#: A survey of more entities would make the requests of its process wait (measured: 100,000 took 10 s of Python).
_MOST_BESIDE = 5_000
#: Whoever asks comes first.
_NICENESS = 10


class Surveying:
    """What follows a refresh: a survey of the newest revision, unless there was one.

    It has a thread of its own: the next refresh does not wait for it.
    """

    def __init__(self, service: SurveyService, settings: Settings, *, most: int = _MOST_BESIDE) -> None:
        self._service = service
        self._settings = settings
        self._most = most
        self._lock = threading.Lock()
        self._is_stopped = False
        self._process: subprocess.Popen[bytes] | None = None
        self._wanted = threading.Event()
        self._thread = threading.Thread(target=self._run, name="portal-surveying", daemon=True)

    def start(self) -> None:
        """Begin to survey whenever that is wanted."""
        self._thread.start()

    def want(self) -> None:
        """Have the newest revision surveyed; return at once."""
        self._wanted.set()

    def survey(self) -> None:
        """Survey, if that is still to do; return when it is done, or has been stopped."""
        due = self._service.due()
        if due > self._most:
            self._survey_elsewhere()
        elif due:
            self._service.take()

    def ask_to_stop(self) -> None:
        """End a survey in another process: what it has not written yet is lost, and is surveyed another time."""
        with self._lock:
            self._is_stopped = True
            if self._process is not None:
                self._process.terminate()
        self._wanted.set()

    def stop(self) -> None:
        """Begin no further survey; end after the one that is under way in this process."""
        self.ask_to_stop()
        if self._thread.ident is not None:
            self._thread.join()

    def _run(self) -> None:
        while True:
            self._wanted.wait()
            self._wanted.clear()
            if self._is_stopped:
                return
            try:
                self.survey()
            except Exception:  # noqa: BLE001  # the thread's edge: one that failed must not end the others
                _log.exception("a survey failed")

    def _survey_elsewhere(self) -> None:
        with self._lock:
            if self._is_stopped:
                return
            environment = os.environ | as_environment(self._settings)
            self._process = subprocess.Popen([sys.executable, "-m", __name__], env=environment)  # noqa: S603  # ourselves
        self._process.wait()


def main() -> None:
    """Take one survey, as the settings in the environment say."""
    if hasattr(os, "nice"):
        os.nice(_NICENESS)
    with build(load_settings(environment=os.environ)) as portal:
        portal.survey.take()


if __name__ == "__main__":
    main()
