"""How the log is written: as text or JSON, with the id of the request, without secrets."""

from __future__ import annotations

import logging
import re
import sys
import threading
from typing import Any, TextIO

from portal.api.request_id import current_request_id
from portal.config import Settings
from portal.model.secret import MASK, without_secrets

#: Credentials that no `Secret` holds: in urls, in headers, signed tokens.
_CREDENTIALS = (
    (re.compile(r"(\b[a-z][a-z0-9+.-]{0,30}://)[^\s/@\"']{1,1000}@", re.IGNORECASE), rf"\1{MASK}@"),
    (re.compile(r"\b(bearer|basic)(\s+)[a-z0-9._~+/=-]{8,}", re.IGNORECASE), rf"\1\2{MASK}"),
    (re.compile(r"\beyJ[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*"), MASK),
)
#: What every record has; all else was given with `extra`.
_USUAL = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


def configure_logs(settings: Settings, stream: TextIO | None = None) -> None:
    """Write the log of this process to its standard error, or another stream, as the settings say."""
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(_json() if settings.log_format == "json" else _Line())
    handler.addFilter(_add_request_id)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    level = logging.getLevelNamesMapping()[settings.log_level.upper()]
    # Of what others tell, warnings are enough: httpx tells each request, with its url.
    root.setLevel(max(level, logging.WARNING))
    logging.getLogger("portal").setLevel(level)
    logging.captureWarnings(True)  # noqa: FBT003  # the form of the standard library
    sys.excepthook = _tell_fault
    threading.excepthook = _tell_fault_of_thread


def server_logs() -> dict[str, Any]:
    """Return what makes granian write into the log of its process, as a configuration of the standard library."""
    told = {"handlers": [], "propagate": True}
    return {"handlers": {}, "formatters": {}, "loggers": {"_granian": told, "granian.access": told}}


def masked(text: str) -> str:
    """Return a text without the secrets that this process holds, and without what looks like credentials."""
    text = without_secrets(text)
    for pattern, shown in _CREDENTIALS:
        text = pattern.sub(shown, text)
    return text


class _Line(logging.Formatter):
    """A record as one line, its fields behind its message; a traceback below."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s: %(message)s")

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        return masked(super().format(record))

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802  # as the standard library has it
        """Return the line without a traceback."""
        fields = (f" {name}={value!r}" for name, value in vars(record).items() if name not in _USUAL)
        # What others have put into a message must not look like a line of its own.
        return super().formatMessage(record).replace("\r", "\\r").replace("\n", "\\n") + "".join(fields)


def _json() -> logging.Formatter:
    """Return a formatter that makes each record one JSON object on one line."""
    from pythonjsonlogger.orjson import OrjsonFormatter  # noqa: PLC0415  # for those who want it

    class _Json(OrjsonFormatter):
        def process_log_record(self, log_data: dict[str, Any]) -> dict[str, Any]:
            # Before it is written: a secret may hold what JSON writes otherwise.
            told = {name: _masked_value(value) for name, value in log_data.items()}
            return told | {"level": str(told["level"]).lower()}

    return _Json(
        ["levelname", "name", "message"],
        rename_fields={"levelname": "level", "name": "logger", "exc_info": "exception", "stack_info": "stack"},
        timestamp="time",
    )


def _masked_value(value: Any) -> Any:
    if value is None or isinstance(value, (bool, int, float)):
        return value
    if isinstance(value, dict):
        return {masked(str(name)): _masked_value(item) for name, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_masked_value(item) for item in value]
    if hasattr(value, "isoformat"):
        return value.isoformat()
    return masked(str(value))


def _add_request_id(record: logging.LogRecord) -> bool:
    request_id = current_request_id()
    if request_id:
        record.request_id = request_id
    return True


def _tell_fault(kind: type[BaseException], error: BaseException, trace: Any) -> None:
    if issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, error, trace)
        return
    logging.getLogger("portal").critical("the process ends by a fault", exc_info=(kind, error, trace))


def _tell_fault_of_thread(told: threading.ExceptHookArgs) -> None:
    if told.exc_value is not None:
        fault = (told.exc_type, told.exc_value, told.exc_traceback)
        name = told.thread.name if told.thread is not None else ""
        logging.getLogger("portal").critical("a thread ended by a fault", exc_info=fault, extra={"thread_name": name})
