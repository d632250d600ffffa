"""Conditions on entities or people, written in the Common Expression Language (CEL)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

from portal.errors import InputError

if TYPE_CHECKING:
    from cel_expr_python import cel

#: No condition that a person can check is longer; a text of this length is compiled in milliseconds.
MOST_CHARACTERS = 2_000
#: What an expression on an entity sees, with what each of it is.
VARIABLES: Mapping[str, str] = {
    "entity": "the finished document: kind, apiVersion, metadata, spec, relations",
    "layer": "the name of the layer that it stands in, or an empty text",
    "owner": "its owner: ref (empty: none), kind, exists, roles (references such as role:default/devops)",
    "stewards": "a list of its stewards, each with ref and duty",
    "needs": "a list of what it depends on, each with ref, kind and layer (a name, or an empty text)",
}
#: What an expression on people sees.
ACTOR_VARIABLES: Mapping[str, str] = {
    "actor": "who asks: type (none, user, service), ref (empty: nobody), claims (with all groups above), roles",
}
# Without `map` no text or list can be doubled again and again: 29 nested ones were measured at 2.5 GB.
_CONFIGURATION = "stdlib:\n  exclude_macros: [map]\n"
_FAULT = re.compile(r"<input>:(-?\d+):(-?\d+): (.+)")
_CODE = re.compile(r"^[A-Z_]+: |\s*\[[A-Z_]+\]$")
_MOST_SHOWN = 200


class Expression:
    """A condition that is compiled once, then asked of many entities or people.

    The library bounds what an expression may do: 32 levels, 10,000 rounds of `all`, `exists` or `filter`, regular
    expressions in linear time. It sees `variables`, one of the tables above. Raises `InputError` for a text that is too
    long, or no condition.
    """

    def __init__(self, text: str, *, variables: Mapping[str, str] = VARIABLES) -> None:
        if len(text) > MOST_CHARACTERS:
            raise InputError(f"at most {MOST_CHARACTERS:,} characters, not {len(text):,}")
        try:
            self._program = _environment(tuple(variables)).compile(text)
            returned = self._program.return_type().name()
        except (RuntimeError, ValueError, TypeError) as error:
            raise InputError(_reason(error)) from None
        if returned.lower() not in {"bool", "dyn"}:
            raise InputError(f"a condition, which is true or false, not of the type {returned.lower()}")
        self.text = text

    def holds(self, seen: Mapping[str, Any]) -> bool:
        """Return whether the condition holds; `seen` has a value for each of its variables.

        Raises `InputError` where it is neither true nor false, as where it asks for a key that is not there.
        """
        try:
            answer = self._program.eval(data=seen)
            value = answer.value()
        except (RuntimeError, ValueError, TypeError, OverflowError, MemoryError) as error:
            raise InputError(_reason(error)) from None
        if isinstance(value, bool):
            return value
        if answer.type().name().lower() == "error":
            raise InputError(_reason(value))
        raise InputError(f"it is of the type {answer.type().name().lower()}, neither true nor false")


@cache
def _environment(names: tuple[str, ...]) -> cel.Env:
    from cel_expr_python import cel  # noqa: PLC0415  # most catalogs have no expression

    text, anything = cel.Type.STRING, cel.Type.DYN
    mapping = cel.Type.Map(text, anything)
    mappings = cel.Type.List(cel.Type.Map(text, text))
    types = {
        "entity": mapping,
        "layer": text,
        "owner": mapping,
        "stewards": mappings,
        "needs": mappings,
        "actor": mapping,
    }
    return cel.NewEnv(config=cel.NewEnvConfigFromYaml(_CONFIGURATION), variables={name: types[name] for name in names})


def _reason(error: object) -> str:
    """Return what the library says in a line: of several faults the first, with its place in the expression."""
    text = str(error) or type(error).__name__
    found = _FAULT.search(text)
    if found is None:
        told = _CODE.sub("", text.strip().partition("\n")[0])
    else:
        line, column, what = found.groups()
        told = _CODE.sub("", what) + (f" at {line}:{column}" if int(line) > 0 else "")
    return told if len(told) <= _MOST_SHOWN else f"{told[:_MOST_SHOWN]}…"
