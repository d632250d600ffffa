"""How reading and working goes on, told from each database."""

from __future__ import annotations

from catalogs import component, group
from portals import Catalog
from repositories import MakeRepository

from portal.services.duty import Duty
from portal.services.measures import RefreshMeasures
from portal.services.schedule import Schedule
from portal.services.status import StatusService


def test_sources_are_told_with_what_they_hold_and_those_that_cannot_be_read_first(
    catalog: Catalog, repo: MakeRepository
) -> None:
    good = repo({"catalog-info.yaml": group("team-a")}, name="good").url
    faulty = repo({"catalog-info.yaml": component("not good")}, name="faulty").url
    catalog.ingest(good, faulty, f"{good}-gone")
    service = StatusService(catalog.database, RefreshMeasures())
    status = service.status()

    assert [item.source.target for item in status.sources] == [f"{good}-gone", faulty, good]
    gone, wrong, fine = status.sources
    assert gone.fault is not None
    assert gone.fault.code == "source-unreachable"
    assert (wrong.state.errors, fine.state.errors, fine.state.documents) == (1, 0, 2)
    assert fine.next_ms is None
    assert fine.is_read

    Schedule(catalog.database, seconds=60).want({fine.source.id: ()})
    assert [item.is_wanted for item in service.status().sources] == [False, False, True]
    assert service.status().sources[2].next_ms is not None


def test_processes_that_work_are_counted(catalog: Catalog) -> None:
    service = StatusService(catalog.database, RefreshMeasures())
    assert service.status().workers == 0

    duty = Duty(catalog.database)
    assert duty.hold()
    assert service.status().workers == 1
    duty.stop()
    assert service.status().workers == 0
