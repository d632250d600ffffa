"""Writes into catalog files which template they come from, leaving all else in them as it stands."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from portal.ingest import yaml
from portal.ingest.scalars import core_value
from portal.model.entity import TEMPLATE_ANNOTATION, TEMPLATE_COMMIT_ANNOTATION

_KEY = re.escape(TEMPLATE_COMMIT_ANNOTATION.encode())
_INDENT = re.compile(r"[ \t]*")
_LINES = re.compile(r"[^\n]*\n|[^\n]+")


def stamped(content: bytes, *, template: str, commit: str) -> bytes:
    """Return a catalog file whose entities say which template they come from, and at which commit of it.

    An entity that names another template, or a commit, says so on purpose and stays as it is; so does one that cannot
    be amended as text without touching what stands around, and a file that is no catalog file. `commit` is empty for
    a template of a folder.
    """
    for document in yaml.parse(content):
        wanted = _wanted(document.value, template=template, commit=commit) if document.problem is None else {}
        if not wanted:
            continue
        expected = [item.value for item in yaml.parse(content)]
        metadata = expected[document.index]["metadata"]
        expected[document.index] = expected[document.index] | {
            "metadata": metadata | {"annotations": (metadata.get("annotations") or {}) | wanted}
        }
        for candidate in _candidates(content, document.index, metadata, wanted):
            if [item.value for item in yaml.parse(candidate)] == expected:
                content = candidate
                break
    return content


def restamped(content: bytes, *, before: str, after: str) -> bytes:
    """Return a file in which the commit of the template is another one, wherever it is written as `stamped` does."""
    pattern = rb"(" + _KEY + rb"[\"']?[ \t]*:[ \t]*[\"']?)" + re.escape(before.encode()) + rb"(?![0-9A-Za-z])"
    return re.sub(pattern, lambda found: found[1] + after.encode(), content)


def _wanted(document: Any, *, template: str, commit: str) -> dict[str, str]:
    """Return the annotations that a document lacks."""
    metadata = document.get("metadata") if isinstance(document, Mapping) else None
    if not isinstance(metadata, Mapping) or not metadata or "apiVersion" not in document:
        return {}
    annotations = metadata.get("annotations") or {}
    if not isinstance(annotations, Mapping) or TEMPLATE_COMMIT_ANNOTATION in annotations:
        return {}
    if annotations.get(TEMPLATE_ANNOTATION, template) != template:
        return {}
    wanted = {TEMPLATE_ANNOTATION: template, TEMPLATE_COMMIT_ANNOTATION: commit}
    return {name: text for name, text in wanted.items() if text and name not in annotations}


def _candidates(content: bytes, index: int, metadata: Mapping[str, Any], wanted: Mapping[str, str]) -> Iterator[bytes]:
    """Yield the file with the annotations in it, in a line each or between braces; one of them may be right."""
    present = metadata.get("annotations")
    if "annotations" in metadata and not present:
        return  # whatever stands there for nothing, `{}` or `~`
    path = ("metadata", "annotations", next(iter(present))) if present else ("metadata", next(iter(metadata)))
    span = yaml.spans(content, index=index, paths=[path])[path]
    text = content.decode()
    lines = _LINES.findall(text)
    if span.line > len(lines):
        return
    start = sum(map(len, lines[: span.line - 1]))
    line = lines[span.line - 1]
    indent = (_INDENT.match(line) or [""])[0]
    end = "\r\n" if line.endswith("\r\n") else "\n"
    written = [f"{name}: {_scalar(value)}" for name, value in wanted.items()]
    block = written if present else ["annotations:", *(f"  {item}" for item in written)]
    flow = ", ".join(written) if present else f"annotations: {{{', '.join(written)}}}"
    yield (text[:start] + "".join(f"{indent}{item}{end}" for item in block) + text[start:]).encode()
    place = start + span.column - 1
    yield (text[:place] + f"{flow}, " + text[place:]).encode()


def _scalar(text: str) -> str:
    return text if isinstance(core_value(text), str) else f'"{text}"'
