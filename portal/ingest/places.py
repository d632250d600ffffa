"""Finds where in a file the fields of its entities stand."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from portal.ingest import yaml
from portal.ingest.compile import compile_files, parse_files
from portal.ingest.payload import unpack_documents
from portal.ingest.yaml import YamlLimits
from portal.model.envelope import Path
from portal.model.kind import Kinds
from portal.model.problem import Span
from portal.model.ref import EntityRef


def entity_spans(
    content: bytes,
    *,
    location: str,
    wanted: Mapping[EntityRef, Collection[Path]],
    kinds: Kinds,
    limits: YamlLimits,
) -> dict[tuple[EntityRef, Path], Span]:
    """Return where the wanted fields of a file's entities stand, by (entity, path); faulty documents are left out."""
    (draft,) = parse_files({location: content}, limits=limits).values()
    batch = compile_files([draft], kinds=kinds, resolvers={}, annotate=lambda _: {})
    lines = {document.ref: document.line for document in unpack_documents(batch.payload.documents)}
    positions = {item.line: item.position for item in draft.drafts}
    found: dict[tuple[EntityRef, Path], Span] = {}
    for ref, paths in wanted.items():
        if ref in lines:
            spans = yaml.spans(content, index=positions[lines[ref]], paths=set(paths))
            found |= {(ref, path): span for path, span in spans.items()}
    return found
