"""Merges GraphQL files with what they import, one definition after the other."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from graphql import GraphQLError, parse, print_ast
from graphql.language import (
    DefinitionNode,
    DirectiveDefinitionNode,
    DirectiveNode,
    DocumentNode,
    NamedTypeNode,
    Node,
    TypeSystemExtensionNode,
    Visitor,
    visit,
)

from portal.ingest.graphql import Import, imports

_TOKENS = 500_000
_MERGED = ("fields", "values", "types", "interfaces", "operation_types")


@dataclass(slots=True)
class _File:
    definitions: dict[str, list[Any]]
    others: list[DefinitionNode]
    imports: list[Import]


class Merge:
    """One merge, of a root with all that it imports."""

    def __init__(self, text: Callable[[str], str], locate: Callable[[str, str], str]) -> None:
        self._text = text
        self._locate = locate
        self._files: dict[str, _File] = {}
        #: What is taken: (location, name of a definition) and the field, None for all of it.
        self._taken: dict[tuple[str, str, str | None], None] = {}

    def made(self, root: str) -> str:
        """Return the merged schema of a root. Raises `ValueError`."""
        self._take_all(root, set())
        merged: dict[str, Any] = {}
        others = list(self._file(root).others)
        for location, name, field in self._taken:
            for node in self._file(location).definitions[name]:
                part = _part(node, field)
                merged[name] = _joined(merged[name], part) if name in merged else part
        return print_ast(DocumentNode(definitions=(*merged.values(), *others))) + "\n"

    def _file(self, location: str) -> _File:
        if location not in self._files:
            text = self._text(location)
            try:
                document = parse(text, no_location=True, max_tokens=_TOKENS)
            except (GraphQLError, RecursionError) as error:
                raise ValueError(f"{location}: {error}") from error
            found = _File({}, [], imports(text))
            for node in document.definitions:
                name = getattr(node, "name", None)
                if name is None or isinstance(node, TypeSystemExtensionNode):
                    found.others.append(node)
                else:
                    mark = "@" if isinstance(node, DirectiveDefinitionNode) else ""
                    found.definitions.setdefault(f"{mark}{name.value}", []).append(node)
            self._files[location] = found
        return self._files[location]

    def _take_all(self, location: str, seen: set[str]) -> None:
        if location in seen:
            return
        seen.add(location)
        file = self._file(location)
        for name in file.definitions:
            self._take(location, name, None)
        for line in file.imports:
            target = self._locate(location, line.file)
            for name in line.names:
                if name == "*":
                    self._take_all(target, seen)
                else:
                    self._take_named(target, name)

    def _take_named(self, location: str, name: str) -> None:
        kind, _, field = name.partition(".")
        found = self._found(location, kind, set())
        if found is None:
            raise ValueError(f'{location} has no definition "{kind}" to import')
        self._take(found, kind, field if field and field != "*" else None)

    def _take(self, location: str, name: str, field: str | None) -> None:
        """Take a definition, then those that it is made of."""
        pending = [(location, name, field)]
        while pending:
            item = pending.pop(0)
            if item in self._taken or (item[0], item[1], None) in self._taken:
                continue
            self._taken[item] = None
            for node in self._file(item[0]).definitions[item[1]]:
                for used in _used(_part(node, item[2])):
                    found = self._found(item[0], used, set())
                    if found is not None:
                        pending.append((found, used, None))

    def _found(self, location: str, name: str, seen: set[str]) -> str | None:
        """Return where a name that a file uses is defined: there, or in what it imports."""
        if location in seen:
            return None
        seen.add(location)
        file = self._file(location)
        if name in file.definitions:
            return location
        for line in file.imports:
            if any(part == "*" or part.partition(".")[0] == name for part in line.names):
                found = self._found(self._locate(location, line.file), name, seen)
                if found is not None:
                    return found
        return None


def _part(node: Any, field: str | None) -> Any:
    """Return a definition, or with a single one of its fields where one is named."""
    if field is None:
        return node
    fields = tuple(item for item in node.fields or () if item.name.value == field)
    if not fields:
        raise ValueError(f'"{node.name.value}" has no field "{field}" to import')
    return replace(node, fields=fields)


def _joined(node: Any, other: Any) -> Any:
    """Return a definition with what another one of its name has beyond it."""
    more: dict[str, Any] = {}
    for key in _MERGED:
        have, others = getattr(node, key, None), getattr(other, key, None)
        if have is not None and others:
            known = {_name(item) for item in have}
            more[key] = (*have, *(item for item in others if _name(item) not in known))
    return replace(node, **more)


def _name(item: Any) -> str:
    name = getattr(item, "name", None)
    return str(name.value) if name is not None else print_ast(item)


def _used(node: Node) -> Iterator[str]:
    """Yield the names of the types and directives that a definition is made of."""
    found: dict[str, None] = {}

    class _Names(Visitor):
        def enter_named_type(self, item: NamedTypeNode, *_: Any) -> None:
            found[item.name.value] = None

        def enter_directive(self, item: DirectiveNode, *_: Any) -> None:
            found[f"@{item.name.value}"] = None

    visit(node, _Names())
    yield from found
