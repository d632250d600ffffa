"""Lets the processes of one PostgreSQL hear at once of what another has committed.

It spares waiting, no more: who waits looks by itself now and then, as a call can be lost with a connection. On SQLite,
where one process works, nobody is called.
"""

from __future__ import annotations

import logging
import select
import socket
import threading
from collections.abc import Callable
from typing import Any

from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import SQLAlchemyError

_log = logging.getLogger(__name__)

CHANNEL = "portal"
_NOTIFY = text("SELECT pg_notify(:channel, :name)")
#: How long after a fault the next connection is tried.
_RETRY_SECONDS = 1.0


class Calls:
    """Calls by name; each is heard by all processes that listen for it, the own one too."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._is_spoken = engine.dialect.name == "postgresql"
        self._heard: dict[str, list[Callable[[], None]]] = {}
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._stopping = threading.Event()
        self._woken: socket.socket | None = None
        self._wake: socket.socket | None = None
        if self._is_spoken:
            self._woken, self._wake = socket.socketpair()

    @property
    def are_heard(self) -> bool:
        """Whether there is a way to call; where there is none, who waits has to look by itself."""
        return self._is_spoken

    def call(self, connection: Connection, name: str) -> None:
        """Call when the transaction commits."""
        if self._is_spoken:
            connection.execute(_NOTIFY, {"channel": CHANNEL, "name": name})

    def say(self, name: str) -> None:
        """Call at once, outside of any transaction."""
        if self._is_spoken:
            with self._engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
                self.call(connection, name)

    def hear(self, name: str, heard: Callable[[], None]) -> None:
        """Have something done, soon, in another thread, with each call of a name: `heard` must be quick."""
        if not self._is_spoken:
            return
        with self._lock:
            self._heard.setdefault(name, []).append(heard)
            if self._thread is None:
                self._thread = threading.Thread(target=self._listen, name="portal-calls", daemon=True)
                self._thread.start()

    def close(self) -> None:
        """Listen no longer."""
        self._stopping.set()
        if self._wake is not None and self._woken is not None:
            self._wake.send(b".")
            if self._thread is not None:
                self._thread.join()
                self._thread = None
            self._wake.close()
            self._woken.close()
            self._wake = self._woken = None

    def _listen(self) -> None:
        faults = (SQLAlchemyError, self._engine.dialect.loaded_dbapi.Error, OSError)
        while not self._stopping.is_set():
            connection: Any = None
            try:
                connection = self._opened()
                self._tell(set(self._heard))  # of what was said before anybody listened
                while not self._stopping.is_set():
                    select.select([connection.fileno(), self._woken], [], [])
                    self._tell({notice.payload for notice in connection.notifies(timeout=0)})
            except faults:
                _log.debug("nobody listens to other processes for a moment", exc_info=True)
                self._stopping.wait(_RETRY_SECONDS)
            finally:
                if connection is not None:
                    connection.close()

    def _opened(self) -> Any:
        pooled = self._engine.raw_connection()
        connection: Any = pooled.dbapi_connection
        pooled.detach()
        connection.autocommit = True
        connection.execute(f"LISTEN {CHANNEL}")
        return connection

    def _tell(self, names: set[str]) -> None:
        with self._lock:
            wanted = [heard for name in names for heard in self._heard.get(name, ())]
        for heard in wanted:
            heard()
