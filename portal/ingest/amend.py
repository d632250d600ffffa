"""Amends catalog files so that nothing but the intended places changes, byte by byte."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from portal.errors import InputError
from portal.ingest import yaml
from portal.ingest.scalars import core_value
from portal.ingest.yaml import Document
from portal.ingest.yaml_text import to_yaml
from portal.model.amendment import Addition, Amendment, FileAmendments, amended
from portal.model.entity import ref_of
from portal.model.ref import EntityRef

_MARKER = re.compile(r"^(?:---|\.\.\.)(?=[ \t\r\n]|\Z)", re.MULTILINE)
_DIRECTIVE = re.compile(r"^%", re.MULTILINE)
_BARE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_./-]*(?::[A-Za-z0-9][A-Za-z0-9_./-]*)?")
_COMMA = re.compile(r"\s*,\s*")
_ONLY_COMMENTS = re.compile(r"(?:[ \t]*(?:#[^\n]*)?\r?\n)*")
_SEPARATOR = re.compile(r"\A---[ \t]*(?:\r?\n|\Z)")
_Splice = tuple[int, int, str]


class _AmbiguousError(Exception):
    """A place that cannot be amended without touching what was not asked for; its text says why."""


def amend(content: bytes, amendments: FileAmendments, *, location: str) -> bytes:
    """Return a file with its amendments made; comments, order and all else that is written stay as they are.

    Places are found by ruamel.yaml and their text is replaced where it stands. The result is read again by the parser
    that the catalog uses, and must say what was intended, nothing else. Raises `InputError`, naming file and place,
    where it does not, or where a place cannot be amended by itself: anchors, texts that other files hold.
    """
    bom = b"\xef\xbb\xbf" if content.startswith(b"\xef\xbb\xbf") else b""
    before = yaml.parse(content)
    expected = _intended(before, amendments, location)
    try:
        text = _undirected(content.removeprefix(bom).decode())
        text = _with_places(text, amendments.places)
        # The last first, so that several beside one entity stand in their order.
        for addition in reversed(amendments.added):
            text = _with_document(text, addition)
        for ref in amendments.dropped:
            text = _without_document(text, ref)
    except (_AmbiguousError, UnicodeDecodeError, YAMLError) as fault:
        raise InputError(f"{location}: cannot be amended by itself: {fault}. Edit the file by hand") from fault
    result = bom + text.encode()
    if _told(yaml.parse(result)) != expected:
        raise InputError(f"{location}: an amended file would not say what was intended. Edit the file by hand")
    return result


def _undirected(text: str) -> str:
    if _DIRECTIVE.search(text):
        raise _AmbiguousError('it has a line that begins with "%", a directive')
    return text


@dataclass(frozen=True, slots=True)
class _Region:
    """Where a document stands in a file: its text, and where the separator before it begins."""

    start: int
    end: int
    marker: int


def _regions(text: str) -> Iterator[tuple[Document, _Region]]:
    """Yield the documents of a file with their places."""
    starts = [0]
    starts += [match.end() for match in re.finditer("\n", text)]
    markers = [match.start() for match in _MARKER.finditer(text)]
    for document in yaml.parse(text.encode()):
        start = starts[min(document.line, len(starts)) - 1]
        end = next((marker for marker in markers if marker > start), len(text))
        if text.startswith("---", end) and _ONLY_COMMENTS.fullmatch(text, start, end):
            # Comments before the separator that opens the document.
            start, end = end, next((marker for marker in markers if marker > end), len(text))
        own = max((marker for marker in markers if marker <= start), default=-1)
        yield document, _Region(start, end, own if own >= 0 and text.startswith("---", own) else -1)


def _region(text: str, ref: EntityRef) -> _Region:
    return _regions_of(text, [ref])[ref]


def _regions_of(text: str, refs: Collection[EntityRef]) -> dict[EntityRef, _Region]:
    found: dict[EntityRef, list[_Region]] = {ref: [] for ref in refs}
    for document, region in _regions(text):
        ref = _ref(document)
        if ref in found:
            found[ref].append(region)
    for ref, regions in found.items():
        if len(regions) != 1:
            raise _AmbiguousError(f"{ref} is in it {len(regions)} times")
    return {ref: region for ref, (region,) in found.items()}


def _ref(document: Document) -> EntityRef | None:
    try:
        return ref_of(document.value)
    except (InputError, KeyError, TypeError, AttributeError):
        return None


def _with_places(text: str, places: Mapping[EntityRef, Sequence[Amendment]]) -> str:
    splices = [
        (region.start + start, region.start + end, new)
        for ref, region in _regions_of(text, places).items()
        for start, end, new in _splices(text[region.start : region.end], places[ref])
    ]
    for start, end, new in sorted(splices, key=lambda splice: splice[:2], reverse=True):
        text = text[:start] + new + text[end:]
    return text


def _splices(part: str, amendments: Sequence[Amendment]) -> Iterator[_Splice]:
    """Yield what becomes of a document's text."""
    root = YAML(typ="safe", pure=True).compose(part)
    lists: dict[tuple[str | int, ...], list[Amendment]] = {}
    for amendment in amendments:
        if amendment.old is not None and amendment.new is not None:
            yield _replaced(root, amendment)
        else:
            path = amendment.path if amendment.old is None else amendment.path[:-1]
            lists.setdefault(path, []).append(amendment)
    for path, changes in lists.items():
        yield from _list_splices(part, root, path, changes)


def _node(root: Node, path: Sequence[str | int]) -> tuple[Node | None, Node, bool]:
    """Return the key (None for an item) and the value at a path, and whether it stands in a flow collection."""
    key: Node | None = None
    node, in_flow = root, False
    _require_no_anchor(root, ())
    for depth, part in enumerate(path, 1):
        in_flow = in_flow or bool(getattr(node, "flow_style", False))
        found: tuple[Node | None, Node] | None = None
        if isinstance(node, MappingNode) and isinstance(part, str):
            found = next((pair for pair in node.value if getattr(pair[0], "value", None) == part), None)
        elif isinstance(node, SequenceNode) and isinstance(part, int) and part < len(node.value):
            found = None, node.value[part]
        if found is None:
            raise _AmbiguousError(f"{_dotted(path)} is not written in the document itself")
        key, node = found
        _require_no_anchor(node, path[:depth])
    return key, node, in_flow


def _require_no_anchor(node: Node, path: Sequence[str | int]) -> None:
    # An alias is the very node that its anchor names: a change of either would be one of both.
    if node.anchor:
        raise _AmbiguousError(f'{_dotted(path) or "the document"} has the anchor "&{node.anchor}", or is its alias')


def _dotted(path: Iterable[str | int]) -> str:
    return ".".join(map(str, path))


def _replaced(root: Node, amendment: Amendment) -> _Splice:
    _, node, _ = _node(root, amendment.path)
    if not isinstance(node, ScalarNode) or node.value != amendment.old or amendment.new is None:
        raise _AmbiguousError(f'{amendment.field} is not written as "{amendment.old}"')
    if node.style in {"|", ">"}:
        raise _AmbiguousError(f"{amendment.field} is a block of text")
    return node.start_mark.index, node.end_mark.index, _scalar(amendment.new, style=node.style)


def _scalar(value: str, *, style: str | None = None) -> str:
    if style == '"':
        return orjson.dumps(value).decode()
    if style == "'" or not _BARE.fullmatch(value) or not isinstance(core_value(value), str):
        return "'" + value.replace("'", "''") + "'"
    return value


def _list_splices(
    text: str, root: Node, path: tuple[str | int, ...], changes: Sequence[Amendment]
) -> Iterator[_Splice]:
    key, node, _ = _node(root, path)
    if not isinstance(node, SequenceNode):
        raise _AmbiguousError(f"{_dotted(path)} is not a list")
    removed = sorted({int(change.path[-1]) for change in changes if change.new is None})
    for index in removed:
        for inner in _below(node.value[index]):
            _require_no_anchor(inner, (*path, index))
    added = [_scalar(change.new) for change in changes if change.new is not None]
    if node.flow_style:
        yield from _flow_splices(text, node, removed, added, path)
    else:
        yield from _block_splices(text, key, node, removed, added)


def _flow_splices(
    text: str, node: SequenceNode, removed: Sequence[int], added: Sequence[str], path: tuple[str | int, ...]
) -> Iterator[_Splice]:
    items = [(item.start_mark.index, item.end_mark.index) for item in node.value]
    if len(removed) == len(items):
        start, end = node.start_mark.index + 1, node.end_mark.index - 1
        outside = [start, *(place for item in items for place in item), end]
        if any("#" in text[left:right] for left, right in zip(outside[::2], outside[1::2], strict=True)):
            raise _AmbiguousError(f"{_dotted(path)} has comments between its brackets")
        yield start, end, ", ".join(added)
        return
    first_kept = next(index for index in range(len(items)) if index not in removed)
    for index in removed:
        gap = (items[index][1], items[index + 1][0]) if index < first_kept else (items[index - 1][1], items[index][0])
        if not _COMMA.fullmatch(text[slice(*gap)]):
            raise _AmbiguousError(f"{_dotted(path)} has comments between its items")
        yield (items[index][0], gap[1], "") if index < first_kept else (gap[0], items[index][1], "")
    if added:
        yield items[-1][1], items[-1][1], "".join(f", {item}" for item in added)


def _block_splices(
    text: str, key: Node | None, node: SequenceNode, removed: Sequence[int], added: Sequence[str]
) -> Iterator[_Splice]:
    eol = _line_end(text)
    lines = []
    for item in node.value:
        dash = text.rindex("-", 0, item.start_mark.index) if item.start_mark.index else 0
        start = text.rfind("\n", 0, dash) + 1
        if text[start:dash].strip(" "):
            raise _AmbiguousError("a list begins in the line of its key")
        end = text.find("\n", _content_end(item))
        lines.append((start, len(text) if end < 0 else end + 1, text[start : item.start_mark.index]))
    for index in removed:
        yield lines[index][0], lines[index][1], ""
    last = lines[-1]
    if added:
        is_open = len(lines) - 1 not in removed and not text.endswith("\n", 0, last[1])
        written = "".join(f"{last[2]}{item}{eol}" for item in added)
        yield last[1], last[1], f"{eol}{written.removesuffix(eol)}" if is_open else written
    elif len(removed) == len(lines):
        if key is None:
            raise _AmbiguousError("a list in a list would be empty")
        colon = text.index(":", key.end_mark.index) + 1
        yield colon, colon, " []"


def _content_end(node: Node) -> int:
    """Return where the last text of a node ends: a block collection's own end lies behind the comments after it."""
    if isinstance(node, (MappingNode, SequenceNode)) and not node.flow_style and node.value:
        last = node.value[-1]
        return _content_end(last[1] if isinstance(node, MappingNode) else last)
    end = int(node.end_mark.index)
    if isinstance(node, ScalarNode) and node.style in {"|", ">"}:
        raise _AmbiguousError("an item that goes ends with a block of text")
    return end


def _below(node: Node) -> Iterator[Node]:
    yield node
    if isinstance(node, MappingNode):
        for pair in node.value:
            for inner in pair:
                yield from _below(inner)
    elif isinstance(node, SequenceNode):
        for inner in node.value:
            yield from _below(inner)


def _with_document(text: str, addition: Addition) -> str:
    region = _region(text, addition.beside)
    eol = _line_end(text)
    written = "---\n" + to_yaml(dict(addition.document))
    before = text[: region.end]
    separator = "" if before.endswith("\n") else eol
    return before + separator + written.replace("\n", eol) + text[region.end :]


def _without_document(text: str, ref: EntityRef) -> str:
    region = _region(text, ref)
    if region.marker >= 0:
        return text[: region.marker] + text[region.end :]
    # The first document of the file has no separator: the next one's goes. Comments at the head are the file's own.
    kept = _ONLY_COMMENTS.match(text, region.start)
    rest = _SEPARATOR.sub("", text[region.end :], count=1)
    return text[: region.start] + (kept[0] if kept else "") + rest


def _line_end(text: str) -> str:
    return "\r\n" if "\r\n" in text else "\n"


def _intended(documents: Sequence[Document], amendments: FileAmendments, location: str) -> list[Any]:
    """Return what the amended file must say, told as by `_told`."""
    found: list[Any] = []
    for told, document in zip(_told(documents), documents, strict=True):
        ref = _ref(document)
        if ref is None:
            found.append(told)
            continue
        try:
            value = amended(told[0], amendments.places.get(ref, ()))
        except (LookupError, TypeError, AttributeError) as fault:
            raise InputError(f"{location}: {ref} is not what the catalog has; read its source again") from fault
        if ref not in amendments.dropped:
            found.append((value, told[1]))
        found += [(dict(item.document), None) for item in amendments.added if item.beside == ref]
    return found


def _told(documents: Sequence[Document]) -> list[Any]:
    # Through JSON: what aliases name twice is one object, which an amendment would change twice.
    return [
        (orjson.loads(orjson.dumps(document.value)), document.problem and document.problem.code)
        for document in documents
    ]
