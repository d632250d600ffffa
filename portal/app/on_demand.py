"""Stands for services that are found when they are first needed, so that a server answers before that."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar, cast

from werkzeug.local import LocalProxy

Service = TypeVar("Service")


def on_demand(find: Callable[[], Service]) -> Service:
    """Return what stands for a service; `find` is asked each time it is used, and has to remember what it found."""
    return cast("Service", LocalProxy(find))
