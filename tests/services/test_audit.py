"""Audit records: written soon, never changed, found again, let go of when they are old."""

from __future__ import annotations

import threading

import pytest
from catalogs import documents, entity, group
from clocks import Clock
from hypothesis import given
from hypothesis import strategies as st
from repositories import MakeRepository
from sqlalchemy import select

from portal.errors import InputError
from portal.model.audit import AuditQuery, AuditRecord, Place, parse_place, storable
from portal.services.audit import MOST_AT_ONCE, AuditService
from portal.services.audit_writer import AuditWriter
from portal.store.audit import add_records
from portal.store.tables import audit_records

DAY_MS = 86_400_000
EVERYTHING = AuditQuery()


@pytest.fixture
def clock():
    # Long gone: what keeps new records looks at the database's own clock.
    return Clock(1_700_000_000.0)


@pytest.fixture
def audit(database, clock):
    made = AuditService(database, days=30, clock=clock)
    yield made
    made.close()


def record(audit, action="location.create", *, actor="user:default/ann", target="url:x", result="success", **more):
    audit.record(action, actor=actor, target=target, result=result, **more)


def actions(audit, query=EVERYTHING, **more):
    return [item.action for item in audit.find(query, **more).records]


def test_a_record_tells_all_that_was_said(audit, clock):
    record(audit, status=201, token_id="f" * 16, request_id="r-1")

    (found,) = audit.find(EVERYTHING).records

    assert found == AuditRecord(
        int(clock.now * 1000), "user:default/ann", "location.create", "url:x", "success", "r-1", "f" * 16, 201, found.id
    )
    assert found.to_json() == {
        "id": found.id,
        "at": "2023-11-14T22:13:20.000Z",
        "actor": "user:default/ann",
        "tokenId": "f" * 16,
        "action": "location.create",
        "on": "url:x",
        "result": "success",
        "status": 201,
        "requestId": "r-1",
    }


def test_a_request_without_an_id_gets_one(audit):
    record(audit)
    record(audit)

    one, two = (item.request_id for item in audit.find(EVERYTHING).records)
    assert len(one) == len(two) == 32
    assert one != two


def test_a_write_is_on_disk_when_it_is_recorded(audit, database):
    record(audit)

    with database.reading() as connection:
        assert len(connection.execute(select(audit_records)).all()) == 1


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        (AuditQuery(actor="user:default/bob"), ["sign-in"]),
        (AuditQuery(actor="USER:default/bob"), []),
        (AuditQuery(action="location.create"), ["location.create"]),
        (AuditQuery(target="shared"), ["task.create", "location.create"]),
        (AuditQuery(target="SHARED"), []),
        (AuditQuery(target="%"), []),
        (AuditQuery(target="_"), []),
        (AuditQuery(target="\0"), []),
        (AuditQuery(target="' OR 1=1 --"), []),
        (AuditQuery(result="failed"), ["task.create"]),
        (AuditQuery(since_ms=1_700_000_001_000), ["task.create", "sign-in"]),
        (AuditQuery(until_ms=1_700_000_001_000), ["location.create"]),
        (AuditQuery(since_ms=1_700_000_001_000, until_ms=1_700_000_002_000, actor="user:default/bob"), ["sign-in"]),
    ],
)
def test_records_are_found_by_what_they_say(audit, clock, query, expected):
    record(audit, target="url:https://git.example.com/shared")
    clock.now += 1
    record(audit, "sign-in", actor="user:default/bob", target="/api/auth/guest/refresh")
    clock.now += 1
    record(audit, "task.create", target="template:default/shared-dataset", result="failed")

    assert actions(audit, query) == expected


def test_pages_lead_through_all_records_once(audit, clock):
    for number in range(25):
        record(audit, f"a{number}")
        clock.now += number % 2

    found, before, pages = [], None, 0
    while pages == 0 or before is not None:
        page = audit.find(EVERYTHING, before=before, limit=10)
        found += [item.action for item in page.records]
        before = None if page.following is None else parse_place(str(page.following))
        pages += 1
        # What is new meanwhile moves nothing.
        record(audit, "new")

    assert found == [f"a{number}" for number in reversed(range(25))]
    assert pages == 3


def test_a_walk_tells_everything_the_oldest_first(audit, database):
    rows = [AuditRecord(1_700_000_000_000 + n // 3, "nobody", f"a{n}", "", "refused", "r") for n in range(2_500)]
    with database.recording() as connection:
        add_records(connection, rows)

    assert len(rows) > 2 * MOST_AT_ONCE
    assert [item.action for item in audit.walk(EVERYTHING)] == [f"a{number}" for number in range(2_500)]


def test_old_records_are_let_go_of(database, clock):
    with database.recording() as connection:
        old, young = (
            AuditRecord(int(clock.now * 1000) - days * DAY_MS, "a", str(days), "", "success", "r") for days in (31, 29)
        )
        add_records(connection, [old, young])
    keeps_all = AuditService(database, days=0, clock=clock)
    record(keeps_all, "kept")
    keeps_all.close()
    assert actions(keeps_all) == ["kept", "29", "31"]

    audit = AuditService(database, days=30, clock=clock)
    record(audit, "pruned")
    audit.close()

    assert actions(audit) == ["pruned", "kept", "29"] or actions(audit) == ["kept", "pruned", "29"]


def test_rules_that_commits_change_are_told_once(catalog, repo: MakeRepository):
    def policy(severity):
        return entity(
            "Policy", "p", f"owner: team-a, rule: portal/owner-role, severity: {severity}", version="portal/v1alpha1"
        )

    made = repo({"catalog-info.yaml": documents(policy("warn"), group("team-a"))})
    catalog.ingest(made.url)
    one, two = (AuditService(catalog.database, days=0) for _ in range(2))
    assert [(item.action, item.target) for item in one.find(EVERYTHING).records] == [
        ("policy.change", "policy:default/p added")
    ]
    made.commit({"catalog-info.yaml": documents(policy("enforce"), group("team-a"), group("team-b"))})
    catalog.service.refresh()

    for service in (one, two, one):
        (changed, added) = service.find(AuditQuery(action="policy.change")).records
        assert (changed.target, added.target) == ("policy:default/p changed", "policy:default/p added")
    assert changed.actor == "commit:Ann Author <ann@example.com>"
    assert changed.request_id == made.git("rev-parse", "HEAD").strip()


def test_records_that_several_threads_make_are_all_there(audit):
    threads = [threading.Thread(target=lambda: [record(audit, result="refused") for _ in range(50)]) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(actions(audit, limit=MOST_AT_ONCE)) == 400


def test_a_service_that_was_closed_goes_on_when_it_must(audit):
    record(audit)
    audit.close()
    audit.close()
    record(audit)

    assert len(actions(audit)) == 2


def _a(number):
    return AuditRecord(number, "a", "b", "c", "refused", "r")


def test_whoever_is_refused_often_keeps_nobody_waiting():
    gate, written = threading.Event(), []

    def write(records, dropped):
        gate.wait(60)
        written.append((len(records), dropped))

    writer = AuditWriter(write, most=10)
    for number in range(1_000):
        writer.put(_a(number))
    gate.set()
    writer.close()

    assert sum(count + dropped for count, dropped in written) == 1_000
    assert max(count for count, _ in written) <= 10


def test_dropped_records_are_counted_in_the_records(audit):
    audit._write([_a(1)], 7)

    assert [(item.action, item.target) for item in audit.find(AuditQuery(action="audit.overflow")).records] == [
        ("audit.overflow", "7 records were dropped")
    ]


def test_records_that_cannot_be_written_are_in_the_log(caplog):
    def fail(_records, _dropped):
        raise OSError("no disk")

    writer = AuditWriter(fail)
    number = writer.put(_a(5))

    assert writer.wait(number, seconds=60)
    writer.close()
    (line,) = [item for item in caplog.records if item.message == "audit records were not written"]
    assert line.records[0]["at_ms"] == 5


@given(st.text())
def test_what_a_record_holds_is_one_line_that_can_be_printed(told):
    kept = storable(told)

    assert len(kept) <= 500
    assert kept.isprintable()
    assert storable(kept) == kept


@given(st.integers(0, 10**15 - 1), st.integers(0, 10**18 - 1))
def test_a_place_is_found_again(at_ms, number):
    assert parse_place(str(Place(at_ms, number))) == Place(at_ms, number)


@pytest.mark.parametrize("told", ["", "1", "1-", "-1-2", "1-2-3", "a-b", "1-2\n", "1-" + "9" * 19])
def test_other_cursors_are_refused(told):
    with pytest.raises(InputError):
        parse_place(told)
