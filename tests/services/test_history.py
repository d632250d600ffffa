from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from catalogs import component, documents, entity, group, location
from clocks import Clock
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from portals import Catalog
from repositories import MakeRepository, Repository

from portal.errors import InputError, NotFoundError
from portal.model.moment import Moment
from portal.model.ref import EntityRef
from portal.store.database import Database

A = EntityRef("component:default/a")
B = EntityRef("component:default/b")


@pytest.fixture
def clock() -> Clock:
    return Clock(1_774_000_000.0)


@pytest.fixture
def timed(database: Database, tmp_path: Path, clock: Clock) -> Catalog:
    """An empty catalog whose clock is set by hand."""
    return Catalog(database, tmp_path, clock=clock)


def _at(number: int) -> Moment:
    return Moment(revision=number)


def _changes(catalog: Catalog, since: int = 0) -> list[tuple[int, str, str]]:
    """Return (revision, change, ref) of all changes but those of generated Locations."""
    return [
        (item.revision, item.change, str(item.ref))
        for item in catalog.past.changes(since, limit=1_000).versions
        if not item.ref.startswith("location:default/generated-")
    ]


def test_an_entity_is_told_as_it_was_at_each_revision(catalog: Catalog, repo: MakeRepository) -> None:
    made = repo({"catalog-info.yaml": documents(component("a"), group("team-a"))})
    catalog.ingest(made.url)
    before = catalog.body(A)
    made.commit({"catalog-info.yaml": documents(component("a", owner="team-b"), group("team-a"))})
    catalog.service.refresh()

    then, now = catalog.past.at(A, _at(1)), catalog.past.at(A, _at(2))

    assert (then["spec"]["owner"], now["spec"]["owner"]) == ("team-a", "team-b")
    assert then["metadata"]["annotations"] == before["metadata"]["annotations"]
    assert then["metadata"]["uid"] == before["metadata"]["uid"] == now["metadata"]["uid"]
    assert then["relations"] == [{"type": "ownedBy", "targetRef": "group:default/team-a"}]
    (item,) = then["status"]["items"]
    assert item["message"].startswith("As revision 1 of 20")
    assert "relations that only other entities declare" in item["message"]


def test_a_time_means_the_revision_that_was_the_newest_then(timed: Catalog, repo: MakeRepository, clock: Clock) -> None:
    made = repo({"catalog-info.yaml": component("a")})
    first = int(clock.now * 1000)
    timed.ingest(made.url)
    clock.now += 60
    made.commit({"catalog-info.yaml": component("a", owner="team-b")})
    timed.service.refresh()

    def owner(time_ms: int) -> Any:
        return timed.past.at(A, Moment(time_ms=time_ms))["spec"]["owner"]

    assert [owner(first), owner(first + 59_999), owner(first + 60_000)] == ["team-a", "team-a", "team-b"]
    with pytest.raises(NotFoundError, match=r"it was there from 2026-03-20T.*Z \(revision 1\) on"):
        owner(first - 1)
    with pytest.raises(InputError, match="is yet to come"):
        owner(first + 60_001)


def test_a_clock_that_is_set_back_leaves_revisions_in_their_order(
    timed: Catalog, repo: MakeRepository, clock: Clock
) -> None:
    made = repo({"catalog-info.yaml": component("a")})
    timed.ingest(made.url)
    recorded = int(clock.now * 1000)
    clock.now -= 3_600
    made.commit({"catalog-info.yaml": component("a", owner="team-b")})
    timed.service.refresh()
    clock.now += 3_600

    assert timed.past.at(A, Moment(time_ms=recorded))["spec"]["owner"] == "team-b"
    assert [version.recorded_at_ms for version in timed.history(A)] == [recorded, recorded]


def test_one_that_was_not_there_is_told_when_it_was(catalog: Catalog, repo: MakeRepository) -> None:
    made = repo({"catalog-info.yaml": component("b")})
    catalog.ingest(made.url)
    for names in ("ab", "b", "ab"):
        made.commit({"catalog-info.yaml": documents(*map(component, names))})
        catalog.service.refresh()

    with pytest.raises(NotFoundError) as found:
        catalog.past.at(A, _at(3))

    words = r"was not in the catalog at revision 3; it was there from .* \(revision 2\) to .* \(revision 3\), from "
    found.match(words + r".* \(revision 4\) on$")
    with pytest.raises(NotFoundError, match="has never been in the catalog"):
        catalog.past.at(EntityRef("component:default/never"), _at(3))
    with pytest.raises(InputError, match="There is no revision 5 yet; the newest is 4"):
        catalog.past.at(A, _at(5))


def test_one_that_came_back_has_another_uid_than_it_had(catalog: Catalog, repo: MakeRepository) -> None:
    made = repo({"catalog-info.yaml": documents(component("a"), component("b"))})
    catalog.ingest(made.url)
    for names in ("b", "ab"):
        made.commit({"catalog-info.yaml": documents(*map(component, names))})
        catalog.service.refresh()

    then = catalog.past.at(A, _at(1))

    assert "uid" not in then["metadata"]
    assert "the uid" in then["status"]["items"][0]["message"]
    assert catalog.past.at(A, _at(3))["metadata"]["uid"] == catalog.body(A)["metadata"]["uid"]


def test_one_of_a_source_that_is_gone_is_told_without_what_led_there(catalog: Catalog, repo: MakeRepository) -> None:
    made = repo({"catalog-info.yaml": component("a")})
    catalog.ingest(made.url)
    catalog.service.remove([source.id for source in catalog.sources.list()])

    then = catalog.past.at(A, _at(1))

    assert then["spec"]["owner"] == "team-a"
    assert "backstage.io/managed-by-origin-location" not in then["metadata"]["annotations"]
    assert then["metadata"]["annotations"]["backstage.io/managed-by-location"].endswith("catalog-info.yaml")
    with pytest.raises(NotFoundError, match=r"\(revision 1\) to .* \(revision 2\)$"):
        catalog.past.at(A, _at(2))


def test_one_of_a_kind_that_is_gone_is_told_too(catalog: Catalog, repo: MakeRepository) -> None:
    definition = entity(
        "KindDefinition",
        "gadgets",
        "owner: team-a, group: acme.example, version: v1, names: {kind: Gadget}, schema: {type: object}",
        version="portal/v1alpha1",
    )
    gadget = entity("Gadget", "g", "owner: team-a", version="acme.example/v1")
    made = repo({"catalog-info.yaml": documents(definition, gadget)})
    catalog.ingest(made.url)
    assert "gadget:default/g" in catalog.refs()
    made.commit({"catalog-info.yaml": gadget})
    catalog.service.refresh()

    assert catalog.past.at(EntityRef("gadget:default/g"), _at(1))["spec"] == {"owner": "team-a"}


@pytest.mark.parametrize("is_last", [False, True])
def test_a_removal_tells_who_removed_the_document_or_its_file(
    catalog: Catalog, repo: MakeRepository, monkeypatch: pytest.MonkeyPatch, is_last: bool
) -> None:
    made = repo({"x.yaml": component("a")} | ({} if is_last else {"y.yaml": documents(component("b"), component("c"))}))
    catalog.ingest(f"{made.url}#:*.yaml")
    monkeypatch.setenv("GIT_AUTHOR_NAME", "Rem Over")
    gone = made.commit({"x.yaml": None})
    monkeypatch.setenv("GIT_AUTHOR_NAME", "Someone Else")
    made.commit({"README": "later"})
    catalog.service.refresh()

    removal = catalog.history(A)[-1]

    assert (removal.change, removal.commit) == ("removed", gone)
    assert removal.author == "Rem Over <ann@example.com>"
    if not is_last:
        gone = made.commit({"y.yaml": component("c")})
        catalog.service.refresh()
        assert catalog.history(B)[-1].commit == gone


def test_a_removal_because_nothing_names_the_file_any_more_tells_the_commit_that_was_read(
    catalog: Catalog, repo: MakeRepository
) -> None:
    made = repo({"catalog-info.yaml": location("root", "./a.yaml"), "a.yaml": component("a")})
    catalog.ingest(made.url)
    read = made.commit({"catalog-info.yaml": component("b")})
    catalog.service.refresh()

    removal = catalog.history(A)[-1]

    assert (removal.change, removal.commit, removal.author) == ("removed", read, "")


def test_a_move_to_another_file_is_a_change(catalog: Catalog, repo: MakeRepository) -> None:
    made = repo({"x.yaml": component("a")})
    catalog.ingest(f"{made.url}#:*.yaml")
    uid = catalog.body(A)["metadata"]["uid"]
    moved = made.commit({"x.yaml": None, "y.yaml": component("a")})
    catalog.service.refresh()

    first, second = catalog.history(A)

    assert _changes(catalog, since=1) == [(2, "changed", A)]
    assert (first.location.rpartition(":")[2], second.location.rpartition(":")[2]) == ("x.yaml", "y.yaml")
    assert second.commit == moved
    assert catalog.body(A)["metadata"]["uid"] == uid


def test_a_move_within_a_file_is_none(catalog: Catalog, repo: MakeRepository) -> None:
    made = repo({"catalog-info.yaml": documents(component("a"), component("b"))})
    catalog.ingest(made.url)
    made.commit({"catalog-info.yaml": documents(component("b"), component("a"))})
    catalog.service.refresh()

    assert _changes(catalog, since=1) == []


@dataclass(frozen=True)
class Edit:
    """What one commit makes of one file: owners of entities by name; None removes the file."""

    file: str
    owners: Mapping[str, str] | None


_REFS = [EntityRef(f"component:default/{name}") for name in ("always", *"abcd")]
_EDITS = st.builds(
    Edit,
    st.sampled_from(["x.yaml", "y.yaml", "deep/z.yaml"]),
    st.none() | st.dictionaries(st.sampled_from("abcd"), st.sampled_from(["one", "two"]), min_size=1),
)


def _told(body: Mapping[str, Any]) -> dict[str, Any]:
    """Return of a finished document what its history tells."""
    metadata = {name: value for name, value in body["metadata"].items() if name not in {"etag", "uid"}}
    kept = {name: value for name, value in body.items() if name not in {"relations", "status"}}
    return kept | {"metadata": metadata}


def _past(catalog: Catalog, ref: EntityRef, revision: int) -> dict[str, Any] | None:
    try:
        return _told(catalog.past.at(ref, _at(revision)))
    except NotFoundError:
        return None


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(commits=st.lists(st.lists(_EDITS, min_size=1, max_size=3, unique_by=lambda edit: edit.file), max_size=5))
def test_replayed_changes_are_the_catalog_at_every_revision(
    catalog: Catalog, tmp_path: Path, commits: list[list[Edit]]
) -> None:
    """Two files may declare the same entity: which of them holds it must not matter to the replay."""
    made = Repository(tmp_path / "edited")
    made.commit({"keep.yaml": component("always")})
    start = catalog.past.changes(0, limit=1).revision
    served: dict[int, dict[str, Any]] = {}

    def look() -> None:
        revision = catalog.past.changes(0, limit=1).revision
        served[revision] = {ref: catalog.body(ref) for ref in catalog.refs()}

    catalog.ingest(f"{made.url}#:**/*.yaml")
    look()
    for edits in commits:
        made.commit(_files(made, edits))
        catalog.service.refresh()
        look()
    past = {(revision, ref): _past(catalog, ref, revision) for revision in served for ref in _REFS}
    catalog.service.remove([source.id for source in catalog.sources.list()])
    shutil.rmtree(made.path)
    for revision, bodies in served.items():
        assert {ref: past[revision, ref] for ref in _REFS} == {
            ref: _told(bodies[ref]) if ref in bodies else None for ref in _REFS
        }
    look()

    replayed: set[str] = set()
    changes = list(_changes(catalog, since=start))
    before: dict[str, Any] = {}
    for revision, bodies in served.items():
        told = {ref: change for number, change, ref in changes if number == revision}
        for ref, change in told.items():
            assert (ref in replayed) == (change != "added")
            (replayed.discard if change == "removed" else replayed.add)(ref)
        assert replayed == bodies.keys()
        moved = {ref for ref in bodies.keys() & before.keys() if _told(bodies[ref]) != _told(before[ref])}
        assert moved == {ref for ref, change in told.items() if change == "changed"}
        before = bodies
    assert {number for number, _, _ in changes} <= served.keys()
    assert replayed == set()


def _files(made: Repository, edits: list[Edit]) -> dict[str, str | None]:
    found: dict[str, str | None] = {}
    for edit in edits:
        if edit.owners is not None:
            found[edit.file] = documents(*(component(name, owner=owner) for name, owner in edit.owners.items()))
        elif (made.path / edit.file).exists():
            found[edit.file] = None
    return found
