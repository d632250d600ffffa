"""Filters, functions and values that distributions bring."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest
from distributions import Install

from portal.defaults.extensions import all_extensions, engine_with
from portal.errors import PluginError

MODULE = """
from portal.scaffolder.extensions import TemplateFilter, TemplateFunction, TemplateValue

SHOUT = TemplateFilter("Shouts.", lambda value, *_: str(value).upper())
GREET = TemplateFunction("Greets.", lambda name, *_: f"hello {name}")
REGIONS = TemplateValue("Where.", ["north"])
"""


@pytest.fixture
def install_filters(install: Install) -> Callable[[str], None]:
    """Install a distribution with these entry points of the module above."""
    return partial(_install, install)


def _install(install: Install, points: str) -> None:
    install("filters", module=MODULE, group="portal.filters", points=points)


def test_a_distribution_brings_filters_functions_and_values(install_filters: Callable[[str], None]) -> None:
    install_filters(
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
def test_a_name_that_is_taken_stops_the_start(point: str, told: str, install_filters: Callable[[str], None]) -> None:
    install_filters(f"{point}\n")
    with pytest.raises(PluginError, match=told):
        all_extensions()
