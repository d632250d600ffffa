"""What the store knows of a source."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from portal.model.problem import Problem


class DocumentKey(NamedTuple):
    """What tells a source's documents apart; a document that moves inside its file stays the same."""

    location: str
    ref: str
    occurrence: int


class FileState(NamedTuple):
    """The content that a file was compiled from: its own, and that of the files its placeholders took in."""

    blob: str
    inputs: tuple[tuple[str, str], ...] = ()


class StoredDocument(NamedTuple):
    """A document as the store has it; `digest` is 64 hex characters. An orphan is kept though nothing names it."""

    id: int
    key: DocumentKey
    line: int
    digest: str
    is_orphan: bool = False


class StoredProblem(NamedTuple):
    """A problem as the store has it, with the revision that first showed it."""

    id: int
    problem: Problem
    revision: int


@dataclass(slots=True)
class Stored:
    """What the store knows of one source."""

    files: Mapping[str, FileState]
    documents: Mapping[DocumentKey, StoredDocument]
    problems: Collection[StoredProblem]
