"""Where the executed cases and the corpus of real catalog files are; both stand outside this repository."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

_ROOT = Path(__file__).resolve().parent.parent
CASES = Path(os.environ.get("PORTAL_CASES_DIR") or _ROOT / "../shared/reference")
CORPUS = Path(os.environ.get("PORTAL_CORPUS_DIR") or _ROOT / "../shared/corpus")


def cases(file: str, *, kinds: set[str]) -> list[Any]:
    """Return the cases of some kinds as pytest parameters named by their id; one skipped parameter without the file."""
    path = CASES / file
    if not path.exists():
        return [pytest.param(None, id="absent", marks=pytest.mark.skip(reason=f"no case file at {path}"))]
    found = json.loads(path.read_text(encoding="utf-8"))["cases"]
    return [pytest.param(case, id=case["id"]) for case in found if case["kind"] in kinds]


def corpus_repositories() -> list[Any]:
    """Return the corpus' repositories as pytest parameters; one skipped parameter without the corpus."""
    if not (CORPUS / "MANIFEST.tsv").exists():
        return [pytest.param(None, id="absent", marks=pytest.mark.skip(reason=f"no corpus at {CORPUS}"))]
    return [pytest.param(name, id=name) for name in sorted({row["repo"] for row in manifest()})]


def manifest() -> list[dict[str, str]]:
    """Return the rows of the corpus' manifest."""
    lines = (CORPUS / "MANIFEST.tsv").read_text(encoding="utf-8").splitlines()
    head = lines[0].split("\t")
    return [dict(zip(head, line.split("\t"), strict=True)) for line in lines[1:]]
