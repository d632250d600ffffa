"""Catalog files of real repositories: Portal agrees with Backstage's verdict on each document."""

import shutil
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from casefiles import CORPUS, corpus_repositories, manifest
from repositories import Repository
from sqlalchemy import select

from portal.defaults.action_ids import action_ids
from portal.defaults.engine import build_engine
from portal.defaults.kinds import all_kinds
from portal.ingest import yaml
from portal.providers.git import GitProvider
from portal.services.kinds import KindsService
from portal.services.refresh import RefreshService
from portal.services.sources import SourcesService
from portal.services.template_advice import TemplateAdvice
from portal.store import schema
from portal.store.database import Database
from portal.store.tables import documents
from portal.vcs.mirror import Mirrors
from portal.vcs.policy import RemotePolicy

PORTAL_ONLY = {"Project", "Pipeline", "Dataset", "FeatureSet", "Model", "Experiment", "Notebook", "Layer", "Role"}
LINKS_AND_CLAIMS = ("target-", "source-", "location-", "ref-", "file-symlink", "revision-")
#: Stands for the problem of a placeholder that names a file of another site: the verdicts were made without reading it.
ELSEWHERE = "elsewhere"
PATTERN = "**/*.{yaml,yml}"


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    with Database(f"sqlite:///{tmp_path / 'portal.db'}") as opened:
        schema.upgrade(opened)
        yield opened


def _verdicts(location: str, content: bytes, *, entity_lines: list[int], problems: list[tuple[int, str]]) -> Counter:
    """Return how many documents of a file became what; each must be accounted for exactly once."""
    parsed = [document for document in yaml.parse(content) if document.value is not None or document.problem]
    starts = [document.line for document in parsed]
    faulty: dict[int, set[str]] = {}
    for line, code in problems:
        faulty.setdefault(max(bisect_right(starts, line) - 1, 0), set()).add(code)
    accepted = [starts.index(line) for line in entity_lines]
    assert len(accepted) == len(set(accepted)), location
    assert sorted([*accepted, *faulty]) == list(range(len(parsed))), (location, accepted, faulty, starts)
    verdicts = Counter({"ok": len(accepted)}) if accepted else Counter()
    for codes in faulty.values():
        if codes == {ELSEWHERE}:
            verdicts["ok"] += 1
            continue
        verdicts["yaml-error" if any(code.startswith("yaml-") for code in codes) else "rejected"] += 1
    return verdicts


@pytest.mark.parametrize("repository", corpus_repositories())
def test_every_document_gets_the_verdict_that_backstage_gives(
    repository: str, database: Database, tmp_path: Path
) -> None:
    source = CORPUS / repository.replace("/", "__")
    work = tmp_path / "work"
    made = Repository(work)
    shutil.copytree(source, work, dirs_exist_ok=True)
    made.commit({})
    mirrors = Mirrors(tmp_path / "mirrors", RemotePolicy(allowed_schemes=frozenset(), file_roots=(tmp_path,)))
    sources = SourcesService(database)
    service = RefreshService(
        database,
        sources,
        providers={"git": GitProvider(mirrors)},
        kinds=KindsService(database, all_kinds()),
        advice=TemplateAdvice(actions=action_ids(), open_engine=lambda: build_engine({})),
    )
    sources.add([("url", f"{made.url}#main:{PATTERN}")])

    report = service.refresh()

    prefix = f"url:{made.url}#main:"
    entity_lines: dict[str, list[int]] = {}
    with database.reading() as connection:
        for row in connection.execute(select(documents.c.location, documents.c.line).order_by(documents.c.line)):
            entity_lines.setdefault(row.location, []).append(row.line)
    problems: dict[str, list[tuple[int, str]]] = {}
    for problem in report.problems:
        if problem.severity == "error" and not problem.code.startswith(LINKS_AND_CLAIMS):
            assert problem.span is not None, problem
            is_elsewhere = problem.code == "placeholder-invalid" and problem.found.startswith('"http')
            code = ELSEWHERE if is_elsewhere else problem.code
            problems.setdefault(problem.location, []).append((problem.span.line, code))
    for row in manifest():
        if row["repo"] != repository or not row["path"].endswith((".yaml", ".yml")):
            continue
        location = f"{prefix}{row['path']}"
        found = _verdicts(
            location,
            (source / row["path"]).read_bytes(),
            entity_lines=entity_lines.get(location, []),
            problems=problems.get(location, []),
        )
        if row["role"] == "ref":
            continue  # a file that an entity takes in: Backstage gives it no verdict of its own
        wanted: Counter = Counter()
        for part in row["backstage_verdict"].split(","):
            verdict, _, count = part.partition(":")
            if verdict == "empty":
                continue
            wanted[verdict if verdict in {"ok", "yaml-error"} else "rejected"] += int(count)
        assert found == wanted, (location, [str(item) for item in report.problems if item.location == location])
