"""Makes each statement a stretch of work for whoever follows them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlalchemy import Engine, event
from sqlalchemy.engine import ExceptionContext

from portal.model.trace import traced

#: As much of a statement as is told: those that insert many rows are long.
_MOST_CHARACTERS = 1_000


def trace_statements(engine: Engine) -> Callable[[], None]:
    """Name the statements of an engine, without their values; return what ends that.

    What `Lookup` asks by itself is not told. OpenTelemetry's own instrumentation takes no SQLAlchemy 2.1.
    """

    def begin(_connection: Any, _cursor: Any, statement: str, _values: Any, context: Any, _many: bool) -> None:  # noqa: FBT001  # as SQLAlchemy calls it
        if context is not None:
            verb = statement.lstrip().partition(" ")[0].upper()
            context.portal_stretch = traced(f"sql {verb}", statement=statement[:_MOST_CHARACTERS])
            context.portal_stretch.__enter__()

    def end(_connection: Any, _cursor: Any, _statement: str, _values: Any, context: Any, _many: bool) -> None:  # noqa: FBT001  # as above
        _leave(context, None)

    def fail(failed: ExceptionContext) -> None:
        _leave(failed.execution_context, failed.original_exception)

    heard: tuple[tuple[str, Callable[..., None]], ...] = (
        ("before_cursor_execute", begin),
        ("after_cursor_execute", end),
        ("handle_error", fail),
    )
    for name, listener in heard:
        event.listen(engine, name, listener)

    def stop() -> None:
        for name, listener in heard:
            event.remove(engine, name, listener)

    return stop


def _leave(context: Any, error: BaseException | None) -> None:
    stretch = getattr(context, "portal_stretch", None)
    if stretch is None:
        return
    del context.portal_stretch
    if error is None:
        stretch.__exit__(None, None, None)
        return
    try:
        stretch.__exit__(type(error), error, error.__traceback__)
    except BaseException as raised:
        if raised is not error:
            raise
