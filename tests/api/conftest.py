from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from portal.app import Portal, build
from portal.config import load_settings


@pytest.fixture
def portal(tmp_path: Path, database_url: str) -> Iterator[Portal]:
    """A wired Portal with nothing in it, on each database."""
    settings = load_settings(environment={}, overrides={"data": str(tmp_path / "data"), "database": database_url})
    with build(settings) as opened:
        opened.migrate()
        yield opened
