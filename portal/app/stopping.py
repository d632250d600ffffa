"""Tells a server process that it is asked to end, beside the handlers of the server."""

from __future__ import annotations

import signal
import socket
import threading
from collections.abc import Callable

_SIGNALS = frozenset({signal.SIGINT, signal.SIGTERM})


def when_asked_to_end(act: Callable[[], None]) -> None:
    """Call `act` once in a thread of its own when the process is interrupted or terminated.

    The server sets its own handlers after the application is made, and waits for answers that are under way: one that
    never ends by itself must be told. So the signal is heard on the wakeup descriptor, which leaves handlers alone. To
    be called in the main thread; elsewhere Python lets nobody hear signals, and nothing happens.
    """
    if threading.current_thread() is not threading.main_thread():
        return
    heard, told = socket.socketpair()
    told.setblocking(False)  # noqa: FBT003  # the form of the standard library
    signal.set_wakeup_fd(told.fileno(), warn_on_full_buffer=False)

    def listen() -> None:
        # The sending end belongs to this thread: closed with its last reference, no signal would be heard.
        with heard, told:
            while not _SIGNALS.intersection(heard.recv(1)):
                pass
            act()
            # Signals may come again; their descriptor must stay what it is.
            while True:
                heard.recv(1)

    threading.Thread(target=listen, name="portal-stopping", daemon=True).start()
