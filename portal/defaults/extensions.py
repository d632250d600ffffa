"""What templates can use beside the template language, of Portal's own with what installed distributions add."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from portal.defaults.engine import build_engine
from portal.errors import PluginError
from portal.plugins import Registry
from portal.scaffolder.engine import Engine
from portal.scaffolder.extensions import FILTERS, FUNCTIONS, TemplateExtension, TemplateExtensions
from portal.scaffolder.filters import builtin_filters

#: What templates call what they are given: no extension may take the name of one.
_RESERVED = frozenset({"parameters", "steps", "user", "context", "environment", "secrets", "each", "values"})


def all_extensions() -> TemplateExtensions:
    """Return what installed distributions add to the template language.

    Raises `PluginError` for two of one name, and for a name that templates use for something else.
    """
    shipped = {name: TemplateExtension(str(item["description"])) for name, item in {**FILTERS, **FUNCTIONS}.items()}
    registry = Registry[TemplateExtension]("portal.filters", defaults=shipped, kind=TemplateExtension)
    found = {name: item for name, item in registry.items() if name not in shipped}
    taken = sorted(found.keys() & _RESERVED)
    if taken:
        raise PluginError(
            f'"{taken[0]}" in portal.filters of {registry.distribution(taken[0])}: templates use that name'
        )
    return TemplateExtensions.of(found)


def engine_with(extensions: TemplateExtensions, integrations: Mapping[str, str]) -> Engine:
    """Return the engine with the filters of Portal, which know hosts by their types, beside all that was added.

    The caller closes it.
    """
    filters: dict[str, Callable[..., Any]] = builtin_filters(integrations)
    filters |= {name: item.function for name, item in extensions.filters.items()}
    return build_engine(
        filters,
        functions={name: item.function for name, item in extensions.functions.items()},
        values={name: item.value for name, item in extensions.values.items()},
    )
