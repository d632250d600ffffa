"""Tells what a template's text uses, from the syntax tree that the engine itself makes of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

Node = Mapping[str, Any]

#: Tests of values that need not be there.
_ASKING = frozenset({"defined", "undefined", "none", "null", "truthy", "falsy"})
_DEFAULTS = frozenset({"default", "d"})
_EQUAL = frozenset({"==", "==="})


@dataclass(frozen=True, slots=True)
class Place:
    """Where something stands in a text: line and column count from 0."""

    line: int
    column: int


@dataclass(frozen=True, slots=True)
class Use:
    """A value that is used, such as `("parameters", "name")` for `parameters.name`, up to a member that is computed.

    `is_guarded` says that the text tells what becomes of a value that is not there; `is_conditional` that it stands in
    a part that is rendered on a condition; `is_subtracted` that `-` follows, as in `steps.fetch-base`.
    """

    path: tuple[str, ...]
    place: Place
    is_guarded: bool = False
    is_conditional: bool = False
    is_subtracted: bool = False


@dataclass(frozen=True, slots=True)
class Comparison:
    """A value that is compared with constants: whether it is one of them."""

    path: tuple[str, ...]
    values: tuple[Any, ...]
    place: Place


@dataclass(slots=True)
class Syntax:
    """What a text uses.

    `is_lone` says that it is one expression alone, which keeps its type; `has_text` that it has text in any case.
    """

    uses: list[Use] = field(default_factory=list)
    filters: list[tuple[str, Place]] = field(default_factory=list)
    tests: list[tuple[str, Place]] = field(default_factory=list)
    comparisons: list[Comparison] = field(default_factory=list)
    calls: set[str] = field(default_factory=set)
    has_text: bool = False
    is_lone: bool = False


def syntax_of(tree: Node) -> Syntax:
    """Return what the text of a syntax tree uses; names that the text gives itself are left out."""
    found = Syntax()
    children = tree.get("children") or []
    items = [item for child in children if child["type"] == "Output" for item in child["children"]]
    found.has_text = any(item["type"] == "TemplateData" for item in items)
    found.is_lone = len(children) == len(items) == 1 and not found.has_text
    _Walk(found, frozenset(_own_names(tree))).visit(tree)
    return found


class _Walk:
    """Goes through a tree."""

    def __init__(self, found: Syntax, own: frozenset[str]) -> None:
        self._found = found
        self._own = own
        self._conditions = 0

    def visit(self, node: Node, *, guarded: bool = False) -> None:
        """Take in a node with all below it; `guarded` says that its value need not be there."""
        kind = node["type"]
        if kind in {"Symbol", "LookupVal"}:
            self._use(node, guarded=guarded)
        elif kind in _HANDLERS:
            _HANDLERS[kind](self, node)
        elif kind == "Or":
            self.visit(node["left"], guarded=True)
            self.visit(node["right"], guarded=guarded)
        else:
            if kind in {"Compare", "In"}:
                self._comparison(node)
            for child in _children(node):
                self.visit(child, guarded=guarded and kind in _TRANSPARENT)

    def _use(self, node: Node, *, guarded: bool = False, is_subtracted: bool = False, drop: int = 0) -> None:
        """Take in a chain of members; `drop` leaves its last ones out."""
        path: list[str] = []
        is_open = False
        here = node
        while here["type"] == "LookupVal":
            key = here["val"]
            if key["type"] == "Literal" and isinstance(key.get("value"), str):
                path.append(key["value"])
            elif key["type"] == "Literal":
                path.append(str(key.get("value")))
            else:
                self.visit(key)
                path.clear()
                is_open = True
            here = here["target"]
            while here["type"] == "Group" and len(here["children"]) == 1:
                here = here["children"][0]
        if here["type"] != "Symbol":
            self.visit(here, guarded=guarded)
            return
        path.append(here["value"])
        path.reverse()
        if path[0] not in self._own:
            kept = path[: max(1, len(path) - drop)] if drop and not is_open else path
            self._found.uses.append(
                Use(
                    tuple(kept),
                    _place(here),
                    is_guarded=guarded,
                    is_conditional=self._conditions > 0,
                    is_subtracted=is_subtracted,
                )
            )

    def _call(self, node: Node) -> None:
        name = node["name"]
        if name["type"] == "Symbol":
            if name["value"] not in self._own:
                self._found.calls.add(name["value"])
                self._use(name)
        elif name["type"] == "LookupVal":
            self._use(name, drop=1)
        else:
            self.visit(name)
        self.visit(node["args"])

    def _filter(self, node: Node) -> None:
        name = node["name"]
        self._found.filters.append((name["value"], _place(name)))
        first, *others = node["args"]["children"]
        self.visit(first, guarded=name["value"] in _DEFAULTS)
        for other in others:
            self.visit(other)

    def _test(self, node: Node) -> None:
        right = node["right"]
        name = right["name"] if right["type"] == "FunCall" else right
        if name["type"] == "Symbol":
            self._found.tests.append((name["value"], _place(name)))
        self.visit(node["left"], guarded=name["type"] == "Literal" or name.get("value") in _ASKING)
        if right["type"] == "FunCall":
            self.visit(right["args"])

    def _condition(self, node: Node) -> None:
        self.visit(node["cond"], guarded=True)
        self._conditions += 1
        self.visit(node["body"])
        if node.get("else_"):
            self.visit(node["else_"])
        self._conditions -= 1

    def _subtraction(self, node: Node) -> None:
        left = node["left"]
        if left["type"] == "LookupVal":
            self._use(left, is_subtracted=True)
        else:
            self.visit(left)
        self.visit(node["right"])

    def _comparison(self, node: Node) -> None:
        if node["type"] == "In":
            left, values = node["left"], _constants(node["right"])
        else:
            (operand, *more) = node["ops"]
            if more or operand["operator"] not in _EQUAL:
                return
            left, values = node["expr"], _constants({"type": "Array", "children": [operand["expr"]]})
        path, root = _plain_path(left)
        if path and values is not None:
            self._found.comparisons.append(Comparison(path, values, _place(root)))


_HANDLERS: Mapping[str, Callable[[_Walk, Node], None]] = {
    "FunCall": _Walk._call,  # noqa: SLF001  # its own
    "Filter": _Walk._filter,  # noqa: SLF001
    "Is": _Walk._test,  # noqa: SLF001
    "If": _Walk._condition,  # noqa: SLF001
    "InlineIf": _Walk._condition,  # noqa: SLF001
    "Sub": _Walk._subtraction,  # noqa: SLF001
}
#: What means something for a value that is not there too, where its own meaning is guarded.
_TRANSPARENT = frozenset({"And", "Not", "Group", "Compare", "CompareOperand", "In"})


def _children(node: Node) -> Iterator[Node]:
    """Yield what may hold uses: no names of filters, tests, keywords or members."""
    if node["type"] == "Pair":
        yield node["value"]
        return
    skipped = {"For": {"name"}, "Set": {"targets"}, "Macro": {"name"}, "Caller": {"name"}, "Block": {"name"}}
    for name, value in node.items():
        if name in skipped.get(node["type"], ()):
            continue
        if isinstance(value, Mapping) and "type" in value and "line" in value:
            yield value
        elif isinstance(value, list):
            yield from (item for item in value if isinstance(item, Mapping) and "line" in item)


def _own_names(tree: Node) -> Iterator[str]:
    """Yield the names that a text gives values itself, wherever it does."""
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        kind = node["type"]
        if kind == "For":
            yield from (*_symbols(node["name"]), "loop")
        elif kind == "Set":
            for target in node["targets"]:
                yield from _symbols(target)
        elif kind in {"Macro", "Caller"}:
            yield from (*_symbols(node["name"]), *_symbols(node["args"]), "caller")
        waiting.extend(_children(node))


def _symbols(node: Node) -> Iterator[str]:
    if node["type"] == "Symbol":
        yield node["value"]
    elif node["type"] == "Pair":
        yield from _symbols(node["key"])
    else:
        for child in node.get("children") or ():
            yield from _symbols(child)


def _plain_path(node: Node) -> tuple[tuple[str, ...], Node]:
    """Return the path of a chain of members with the node that it begins at; no path for anything else."""
    path: list[str] = []
    while node["type"] == "LookupVal" and isinstance(node["val"].get("value"), str):
        path.append(node["val"]["value"])
        node = node["target"]
    return ((node["value"], *reversed(path)) if node["type"] == "Symbol" else ()), node


def _constants(node: Node) -> tuple[Any, ...] | None:
    if node["type"] != "Array" or any(child["type"] != "Literal" for child in node["children"]):
        return None
    return tuple(child.get("value") for child in node["children"])


def _place(node: Node) -> Place:
    return Place(node["line"], node["column"])
