"""Notes who reads what for which purpose, one line of JSON a read."""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime

logger = logging.getLogger("data-access.audit")


def note(*, dataset: str, reader: str, purpose: str, allowed: bool, rows: int | None = None) -> None:
    """Write a line to the audit log; no value of the data is ever part of it."""
    line = {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "dataset": dataset,
        "reader": reader,
        "purpose": purpose,
        "allowed": allowed,
        "rows": rows,
    }
    logger.info(json.dumps(line, sort_keys=True))
