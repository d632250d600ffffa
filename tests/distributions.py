"""Distributions that a test installs, with modules and entry points of their own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import pytest

from portal.plugins.registry import installed


class Install(Protocol):
    """Installs a distribution with one module, `acme_<name>`; what had its name before is replaced."""

    def __call__(self, name: str, *, module: str, group: str, points: str) -> None:
        """Install it; `points` are the lines of an entry-point group."""


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """Install distributions until the test ends."""
    site = tmp_path / "site"
    site.mkdir()
    monkeypatch.syspath_prepend(str(site))

    def write(name: str, *, module: str, group: str, points: str) -> None:
        (site / f"acme_{name}.py").write_text(module)
        about = site / f"acme_{name}-1.dist-info"
        about.mkdir(exist_ok=True)
        (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: acme-{name}\nVersion: 1\n")
        (about / "entry_points.txt").write_text(f"[{group}]\n{points}\n")
        installed.cache_clear()

    yield write
    installed.cache_clear()
