"""Builds the template engine that Portal ships."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from functools import partial
from importlib import resources
from types import MappingProxyType
from typing import Any

from portal.errors import SettingsError
from portal.scaffolder.engine import Engine, EngineLimits


def load_bundle(package: str = "portal.scaffolder", name: str = "engine.js") -> str:
    """Return the text of a bundle of JavaScript, the template engine's unless another is named.

    Raises `SettingsError` where Portal was installed without it.
    """
    try:
        return resources.files(package).joinpath(name).read_text("utf-8")
    except FileNotFoundError as error:
        path = f"{package.replace('.', '/')}/{name}"
        raise SettingsError(f"{path} is missing; the build makes it: install Portal again with pip") from error


def build_engine(
    filters: Mapping[str, Callable[..., Any]],
    *,
    functions: Mapping[str, Callable[..., Any]] = MappingProxyType({}),
    values: Mapping[str, Any] = MappingProxyType({}),
    limits: EngineLimits | None = None,
) -> Engine:
    """Return an engine with these filters, functions, values; the caller closes it."""
    return Engine(
        load_bundle(),
        filters=filters,
        functions=functions,
        values=values,
        limits=limits,
        seeds=partial(secrets.randbits, 31),
    )
