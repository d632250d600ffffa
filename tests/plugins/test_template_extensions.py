"""Filters, functions and values that distributions bring."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from portal.defaults.extensions import all_extensions, engine_with
from portal.errors import PluginError
from portal.plugins import registry

Install = Callable[[str], None]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """Install a distribution with these entry points."""
    about = tmp_path / "acme_filters-1.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-filters\nVersion: 1\n")
    (tmp_path / "acme_filters.py").write_text(
        "from portal.scaffolder.extensions import TemplateFilter, TemplateFunction, TemplateValue\n"
        "SHOUT = TemplateFilter('Shouts.', lambda value, *_: str(value).upper())\n"
        "GREET = TemplateFunction('Greets.', lambda name, *_: f'hello {name}')\n"
        "REGIONS = TemplateValue('Where.', ['north'])\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))

    def installed(points: str) -> None:
        (about / "entry_points.txt").write_text(f"[portal.filters]\n{points}")
        registry._installed.cache_clear()

    yield installed
    registry._installed.cache_clear()


def test_a_distribution_brings_filters_functions_and_values(install: Install) -> None:
    install(
        "shout = acme_filters:SHOUT\ngreet = acme_filters:GREET\nregions = acme_filters:REGIONS\ngone = nothing:X\n"
    )
    with engine_with(all_extensions(), {}) as engine:
        rendered = engine.render_value("${{ greet(regions[0]) | shout }} ${{ 'a' | parseEntityRef }}", {})
    assert rendered.warnings
    with engine_with(all_extensions(), {}) as engine:
        assert engine.render_value("${{ greet(regions[0]) | shout }}", {}).value == "HELLO NORTH"


@pytest.mark.parametrize(
    ("point", "told"),
    [
        ("pick = acme_filters:SHOUT", "portal and acme-filters"),
        ("always = acme_filters:GREET", "portal and acme-filters"),
        ("parameters = acme_filters:REGIONS", "acme-filters: templates use that name"),
    ],
)
def test_a_name_that_is_taken_stops_the_start(point: str, told: str, install: Install) -> None:
    install(f"{point}\n")
    with pytest.raises(PluginError, match=told):
        all_extensions()
