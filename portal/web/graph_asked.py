"""What the graph explorer is asked for, as its url tells it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any
from urllib.parse import urlencode

from flask import url_for
from werkzeug.datastructures import MultiDict

from portal.services.subgraph import MOST_EXPANDED, Direction

#: So many entities are shown at first, and so many at most; a reader sees little in more.
FEW, MANY = 80, 640
DEEPEST = 6
#: What of the url has another name here.
_NAMES: Mapping[str, str] = {"types": "relation", "kinds": "kind", "layers": "layer", "is_impact": "impact"}
DIRECTIONS: tuple[Direction, ...] = ("both", "out", "in")


@dataclass(frozen=True, slots=True)
class Asked:
    """Where the graph begins, how far it goes, along what; what cannot be understood is as if nothing were said."""

    root: str = ""
    to: str = ""
    depth: int = 1
    direction: Direction = "both"
    types: Sequence[str] = ()
    kinds: Sequence[str] = ()
    layers: Sequence[str] = ()
    expand: Sequence[str] = ()
    most: int = FEW
    is_impact: bool = False

    @classmethod
    def of(cls, arguments: MultiDict[str, str]) -> Asked:
        """Return what a url's query asks for."""
        return cls(
            root=arguments.get("root", "").strip(),
            to=arguments.get("to", "").strip(),
            depth=_between(arguments.get("depth"), 1, DEEPEST, otherwise=1),
            direction=next((name for name in DIRECTIONS if name == arguments.get("direction")), "both"),
            types=_named(arguments, "relation"),
            kinds=_named(arguments, "kind"),
            layers=_named(arguments, "layer"),
            expand=_named(arguments, "expand")[:MOST_EXPANDED],
            most=_between(arguments.get("most"), 2, MANY, otherwise=FEW),
            is_impact=bool(arguments.get("impact")),
        )

    def url(self, **changes: Any) -> str:
        """Return the address of the same with something changed; what is as it is anyway is not said."""
        return url_for("web.graph", **replace(self, **changes).query)

    @property
    def query(self) -> dict[str, Any]:
        """What the address says, by name."""
        found: dict[str, Any] = {}
        for field in fields(self):
            value = getattr(self, field.name)
            if value != field.default:
                found[_NAMES.get(field.name, field.name)] = 1 if value is True else value
        return found

    @property
    def export_url(self) -> str:
        """The address at which programs are told the same graph, but for the format."""
        query: dict[str, Any] = {"root": self.root, "direction": self.direction, "relations": self.types}
        query |= {"kinds": self.kinds, "layers": self.layers}
        # A way is as long as it has to be.
        query |= {"to": self.to} if self.to else {"depth": self.depth, "expand": self.expand}
        told = {name: value for name, value in query.items() if value or name == "root"}
        return f"{url_for('ownership.graph')}?{urlencode(told, doseq=True)}"

    @property
    def is_filtered(self) -> bool:
        """Whether not every relation, kind and layer is shown."""
        return bool(self.types or self.kinds or self.layers)


def _named(arguments: MultiDict[str, str], name: str) -> tuple[str, ...]:
    found = (text.strip() for text in arguments.getlist(name))
    return tuple(dict.fromkeys(text for text in found if text))


def _between(text: str | None, least: int, most: int, *, otherwise: int) -> int:
    # What is longer than the largest number allowed is larger than it; Python reads no number of many digits.
    return min(max(int(text[: len(str(most)) + 1]), least), most) if text and text.isdecimal() else otherwise
