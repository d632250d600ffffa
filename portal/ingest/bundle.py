"""Makes one definition of an API that is written in several files, by its JSON references."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from urllib.parse import unquote, urlsplit

import orjson

from portal.ingest import yaml
from portal.ingest.yaml_text import to_yaml

#: Which location a reference's file part names, seen from the file at a location. Raises `ValueError`.
Locate = Callable[[str, str], str]
#: The parsed content of the file at a location. Raises `ValueError`.
Value = Callable[[str], Any]
_Pointer = tuple[str, ...]
_Address = tuple[str, _Pointer]

_NODES = 500_000
_DEPTH = 150
_CHAIN = 50
#: Files that are texts, whatever they look like. Rule: the parsers of `@apidevtools/json-schema-ref-parser`.
_TEXT_SUFFIXES = frozenset({".txt", ".html", ".md", ".htm", ".text"})
#: References of an AsyncAPI 3 document that must stay references. Rule: catalog-backend-module-openapi 0.2.26.
_ASYNCAPI_3_KEPT = re.compile(
    r"#/channels/.*/servers|#/operations/.*/(?:reply/)?(?:channel|messages)"
    r"|#/components/channels/.*/servers|#/components/operations/.*/(?:reply/)?(?:channel|messages)"
)


def parse_definition(content: bytes, *, location: str) -> Any:
    """Return the value of a YAML or JSON file, or its text where its name says so. Raises `ValueError`."""
    if posixpath.splitext(urlsplit(location.removeprefix("url:")).path)[1].lower() in _TEXT_SUFFIXES:
        return content.decode("utf-8", "replace")
    if content.lstrip()[:1] in {b"{", b"["}:
        try:
            return orjson.loads(content)
        except orjson.JSONDecodeError:
            pass  # a YAML flow mapping looks alike
    documents = [document for document in yaml.parse(content) if document.value is not None or document.problem]
    if len(documents) != 1:
        raise ValueError(f"expected one document, found {len(documents)}")
    if documents[0].problem is not None:
        raise ValueError(str(documents[0].problem))
    return documents[0].value


def named_files(value: Any) -> list[str]:
    """Return the files that the references of a definition name, as they are written, each once."""
    return list(dict.fromkeys(file for ref in _refs(value) if (file := ref.partition("#")[0])))


def bundle(root: str, text: str, *, value: Value, locate: Locate) -> str:
    """Return a definition that names no other file; the text as it is where it names none.

    What a reference names in another file takes the reference's place where it first stands; further references lead
    there. Cycles so become references as well. Raises `ValueError` for what cannot be found or becomes too large.
    Rule: `$RefParser.bundle`, which catalog-backend-module-openapi 0.2.26 calls, then YAML.
    """
    found = value(root)
    if not isinstance(found, dict):
        raise ValueError("expected a mapping")  # noqa: TRY004  # one kind of fault for the caller to report
    if not named_files(found):
        return text
    return to_yaml(_Bundle(root, value, locate).made())


def _refs(value: Any) -> Iterator[str]:
    pending = [value]
    while pending:
        item = pending.pop()
        if isinstance(item, dict):
            ref = item.get("$ref")
            if isinstance(ref, str):
                yield ref
            pending.extend(reversed(item.values()))
        elif isinstance(item, list):
            pending.extend(reversed(item))


class _Bundle:
    def __init__(self, root: str, value: Value, locate: Locate) -> None:
        self._root = root
        self._value = value
        self._locate = locate
        self._nodes = 0
        version = str(value(root).get("asyncapi", ""))
        self._keeps = version.partition(".")[0] == "3"
        #: Where parts of files stand in the result; the root's parts stand where they are.
        self._placed: dict[_Address, _Pointer] = {(root, ()): ()}

    def made(self) -> Any:
        return self._copy(self._value(self._root), self._root, ())

    def _copy(self, node: Any, file: str, place: _Pointer) -> Any:
        self._nodes += 1
        if self._nodes > _NODES or len(place) > _DEPTH:
            raise ValueError("the files together are larger or nested deeper than Portal accepts")
        if isinstance(node, list):
            return [self._copy(item, file, (*place, str(index))) for index, item in enumerate(node)]
        if isinstance(node, dict):
            ref = node.get("$ref")
            is_ref = isinstance(ref, str)
            others = {
                key: self._copy(item, file, (*place, key)) for key, item in node.items() if key != "$ref" or not is_ref
            }
            return self._referred(ref, others, file, place) if isinstance(ref, str) else others
        return node

    def _referred(self, ref: str, others: dict[str, Any], file: str, place: _Pointer) -> Any:
        """Return what stands in the result for a reference with others beside it."""
        if self._keeps and _ASYNCAPI_3_KEPT.search(_written(place)):
            return {"$ref": ref} | others
        if file == self._root and ref.startswith("#"):
            return {"$ref": self._within_root(ref)} | others
        address = self._address(file, ref)
        placed = self._place_of(address)
        if placed is not None:
            return {"$ref": _written(placed)} | others
        self._placed[address] = place
        found = self._copy(self._at(address), address[0], place)
        return found | others if isinstance(found, dict) else found

    def _within_root(self, ref: str) -> str:
        """Return a reference of the root to itself: as it is, unless it leads through one that leaves the root."""
        try:
            address = self._address(self._root, ref)
        except ValueError:
            return ref
        placed = None if address[0] == self._root else self._place_of(address)
        return ref if placed is None else _written(placed)

    def _place_of(self, address: _Address) -> _Pointer | None:
        file, pointer = address
        for count in range(len(pointer), -1, -1):
            placed = self._placed.get((file, pointer[:count]))
            if placed is not None:
                return (*placed, *pointer[count:])
        return None

    def _at(self, address: _Address) -> Any:
        node = self._value(address[0])
        for part in address[1]:
            node = node[int(part)] if isinstance(node, list) else node[part]
        return node

    def _address(self, file: str, ref: str, chain: int = 0) -> _Address:
        """Return the file and place that a reference means in the end; the place leads through no other reference."""
        if chain > _CHAIN:
            raise ValueError(f'the reference "{ref}" leads back to itself')
        name, _, fragment = ref.partition("#")
        here = self._locate(file, name) if name else file
        parts = [unquote(part).replace("~1", "/").replace("~0", "~") for part in fragment.split("/")]
        if parts[0]:
            raise ValueError(f'found the reference "{ref}", expected a JSON pointer behind its "#"')
        pointer: _Pointer = ()
        node = self._value(here)
        for part in parts[1:] if fragment.strip("/") else ():
            if isinstance(node, dict) and part not in node and isinstance(node.get("$ref"), str):
                here, pointer = self._address(here, node["$ref"], chain + 1)
                node = self._at((here, pointer))
            if isinstance(node, list) and part.isdecimal() and int(part) < len(node):
                node = node[int(part)]
            elif isinstance(node, dict) and part in node:
                node = node[part]
            else:
                raise ValueError(f'nothing stands at "{ref}"')
            pointer = (*pointer, part)
        if isinstance(node, dict) and node.keys() == {"$ref"} and isinstance(node["$ref"], str):
            return self._address(here, node["$ref"], chain + 1)
        return here, pointer


def _written(pointer: _Pointer) -> str:
    return "#" + "".join(f"/{part.replace('~', '~0').replace('/', '~1')}" for part in pointer)


def definitions(contents: Mapping[str, bytes]) -> Value:
    """Return the function that parses each of these files, by location, when it is first asked for."""
    parsed: dict[str, Any] = {}

    def value(location: str) -> Any:
        if location not in parsed:
            parsed[location] = parse_definition(contents[location], location=location)
        return parsed[location]

    return value
