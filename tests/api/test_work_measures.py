"""Figures of refreshes, sources and tasks, as they are scraped."""

from __future__ import annotations

import shutil

import pytest
from catalogs import component, documents
from prometheus_client.parser import text_string_to_metric_families
from repositories import MakeRepository
from sqlalchemy import event

from portal.api.work_measures import MOST_SOURCES, WorkCollector, shown
from portal.app import Portal
from portal.app.wsgi import create_app
from portal.services.feed import ChangeFeed
from portal.services.measures import RefreshMeasures, WorkService
from portal.store import tasks
from portal.store.database import Database
from portal.store.sources import Source, add_sources


def _figures(portal: Portal) -> dict[tuple[str, ...], float]:
    """Return the figures by name and the values of labels."""
    text = create_app(portal).test_client().get("/metrics").text
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def _known_at(portal: Portal) -> float:
    """Return when the one source was last seen to be what the catalog has."""
    (look,) = portal.refresh.measures.looks()[0].values()
    return look.known_at


def test_refreshes_and_sources_are_told(portal: Portal, repo: MakeRepository) -> None:
    made = repo({"catalog-info.yaml": documents(component("a"))})
    name = f"url:{made.url}"
    before = _figures(portal)
    assert before["portal_sources",] == 0
    assert before["portal_refresh_duration_seconds_count", "changed"] == 0

    portal.ingest([("url", made.url)])
    portal.refresh.refresh()
    first = _figures(portal)

    assert first["portal_sources",] == 1
    assert first["portal_refresh_duration_seconds_count", "changed"] == 1
    assert first["portal_refresh_duration_seconds_count", "unchanged"] == 1
    assert 0 < first["portal_source_refresh_seconds", name] <= first["portal_refresh_duration_seconds_sum", "changed"]
    assert 0 <= first["portal_source_lag_seconds", name] < 600
    assert first["portal_source_changed_timestamp_seconds", name] > 1_700_000_000
    assert first["portal_sources_unreachable",] == 0
    assert first["process_resident_memory_bytes",] > 1_000_000


def test_the_lag_of_a_source_grows_as_long_as_it_cannot_be_read(portal: Portal, repo: MakeRepository) -> None:
    made = repo({"catalog-info.yaml": documents(component("a"))})
    name = f"url:{made.url}"
    portal.ingest([("url", made.url)])
    known_at = _known_at(portal)

    shutil.move(made.path, made.path.with_name("away"))
    portal.refresh.refresh()
    away = _figures(portal)
    assert away["portal_sources_unreachable",] == 1
    assert _known_at(portal) == known_at
    assert away["portal_source_lag_seconds", name] >= 0

    shutil.move(made.path.with_name("away"), made.path)
    portal.refresh.refresh()
    assert _figures(portal)["portal_sources_unreachable",] == 0
    assert _known_at(portal) > known_at


def test_a_refresh_that_fails_is_counted(portal: Portal, repo: MakeRepository) -> None:
    portal.ingest([("url", repo({"catalog-info.yaml": documents(component("a"))}).url)])

    def fail(*_: object) -> None:
        raise RuntimeError("no")

    with pytest.raises(RuntimeError):
        portal.refresh.refresh(anew=True, progress=fail)

    assert _figures(portal)["portal_refresh_duration_seconds_count", "failed"] == 1


def test_tasks_are_told_by_status_and_as_a_queue(portal: Portal) -> None:
    assert _figures(portal)["portal_queue_oldest_seconds",] == 0
    with portal.database.recording() as connection:
        for number, status in enumerate(["open", "open", "processing", "completed"]):
            tasks.create_task(connection, str(number), spec={}, secrets=None, created_by=None, now_ms=1_000 * number)
            tasks.change_status(connection, str(number), status, previous=["open"], now_ms=5_000)

    found = _figures(portal)

    told = {status: found["portal_tasks", status] for status in tasks.STATUSES}
    assert told == {"open": 2, "processing": 1, "completed": 1, "failed": 0, "cancelled": 0, "skipped": 0}
    assert found["portal_queue_depth",] == 2
    assert found["portal_queue_oldest_seconds",] > 1_000_000


def test_a_source_that_is_gone_has_no_figures(portal: Portal, repo: MakeRepository) -> None:
    portal.ingest([("url", repo({"catalog-info.yaml": documents(component("a"))}).url)])
    portal.refresh.remove([source.id for source in portal.sources.list()])

    assert not [key for key in _figures(portal) if key[0].startswith("portal_source_")]
    assert portal.refresh.measures.looks()[0] == {}


@pytest.mark.parametrize(
    ("target", "told"),
    [
        ("https://ann:s3cret@host/o/r#main:**/x.yaml", "url:https://host/o/r#main:**/x.yaml"),
        ("https://host/x.yaml?token=s3cret", "url:https://host/x.yaml"),
        ("ssh://git@host/o/r", "url:ssh://host/o/r"),
        ("https://[s3cret/x", "url:(not understood)"),
    ],
)
def test_no_credentials_of_a_source_are_told(target: str, told: str) -> None:
    assert shown(Source("1", "url", target, registered=True)) == told


def test_many_sources_do_not_make_many_series_nor_statements(database: Database) -> None:
    asked: list[str] = []
    event.listen(database.engine, "before_cursor_execute", lambda *given: asked.append(given[2]))
    collector = WorkCollector(WorkService(database, RefreshMeasures()), ChangeFeed(database, most=1), clock=lambda: 5.0)
    statements = []
    for begin in (0, MOST_SOURCES):
        with database.writing() as connection:
            more = [
                Source(f"{n}", "url", f"https://h/{n}", registered=True) for n in range(begin, begin + MOST_SOURCES)
            ]
            add_sources(connection, more, now_ms=1)
            connection.exec_driver_sql("UPDATE sources SET refreshed_at_ms = 1")
        asked.clear()
        families = {family.name: family for family in collector.collect()}
        statements.append(len(asked))

    assert families["portal_sources"].samples[0].value == 2 * MOST_SOURCES
    assert len(families["portal_source_changed_timestamp_seconds"].samples) == MOST_SOURCES
    assert statements[0] == statements[1]
