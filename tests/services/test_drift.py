from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from catalogs import component, documents, entity, group
from portals import Catalog
from repositories import MakeRepository, Repository
from sqlalchemy import event
from worked import NOW, commit_as, worked_repository

from portal.config import SETTINGS
from portal.defaults.kinds import all_kinds
from portal.errors import InputError, NotFoundError
from portal.model.location import Tree
from portal.model.ref import EntityRef
from portal.providers.work import GitWork, Work
from portal.services.drift import DriftService
from portal.services.kinds import KindsService
from portal.services.ownership import OwnershipService
from portal.vcs.mirror import Mirrors
from portal.vcs.policy import RemotePolicy

A, B, ROOT = (EntityRef(f"component:default/{name}") for name in ("a", "b", "root"))
DATA, OPS = EntityRef("group:default/data"), EntityRef("group:default/ops")
BOTS = next(setting.default for setting in SETTINGS if setting.name == "bots")


class CountingWork(GitWork):
    """Work that counts how often a history is read."""

    reads = 0

    def read(self, *arguments: object, **more: object) -> Work:
        self.reads += 1
        return super().read(*arguments, **more)


@pytest.fixture
def work(tmp_path: Path) -> CountingWork:
    return CountingWork(Mirrors(tmp_path / "mirrors", RemotePolicy(file_roots=(tmp_path,))))


@pytest.fixture
def service(catalog: Catalog, work: CountingWork) -> DriftService:
    database = catalog.database
    return DriftService(
        database,
        OwnershipService(database, KindsService(database, all_kinds())),
        work,
        bots=BOTS,
        clock=NOW.timestamp,
    )


def test_the_share_of_the_owner_is_weighted_by_age(
    catalog: Catalog, repo: MakeRepository, service: DriftService
) -> None:
    catalog.ingest(worked_repository(repo).url)

    found = service.of_entity(A)

    # Ann: a quarter and, under her older address, a half; Bob: two of today.
    assert [(who.person.ref and who.person.ref.name, who.person.weight) for who in found.workers] == [
        ("bob", 2.0),
        ("ann", 0.75),
    ]
    assert found.drift.share == pytest.approx(0.75 / 2.75)
    assert found.drift.suggestion is not None
    assert found.drift.suggestion.ref == OPS
    assert found.message == (
        "27 % of recent work on it is by members of group:default/data; most by Bob (group:default/ops) 73 %: "
        "group:default/ops, whose members did 73 %, may be the real owner."
    )
    assert service.of_entity(A, half_life_days=36_500).drift.share == pytest.approx(0.5, abs=0.01)


def test_bots_are_left_out_and_strangers_told_without_their_address(
    catalog: Catalog, repo: MakeRepository, service: DriftService
) -> None:
    catalog.ingest(worked_repository(repo).url)

    told = service.of_entity(B).to_json()

    assert (told["commits"], told["botCommits"]) == (3, 1)
    stranger = told["people"][0]
    assert (stranger["ref"], stranger["name"], stranger["hint"]) == (None, "Eve Stranger", "…@elsewhere.example")
    assert "eve@" not in str(told)


def test_what_lies_in_a_deeper_asset_does_not_count_for_the_root(
    catalog: Catalog, repo: MakeRepository, service: DriftService
) -> None:
    catalog.ingest(worked_repository(repo).url)

    found = service.of_entity(ROOT)

    assert found.place is not None
    assert found.place.folder == ""
    assert [(who.person.author.name, who.person.commits) for who in found.workers] == [("Bob", 1), ("Ann", 1)]


def test_codeowners_are_compared_with_the_catalog(
    catalog: Catalog, repo: MakeRepository, service: DriftService
) -> None:
    catalog.ingest(worked_repository(repo).url)

    same, other = service.of_entity(A).codeowners, service.of_entity(B).codeowners

    assert same is not None
    assert same.agrees is True
    assert other is not None
    assert other.agrees is False
    assert other.message == (
        ".github/CODEOWNERS:3 names @bob-hub (user:default/bob); the catalog says group:default/data."
    )
    assert service.overall().disagreements == 1


def test_all_are_told_the_worst_first_and_each_repository_is_read_once(
    catalog: Catalog, repo: MakeRepository, service: DriftService, work: CountingWork
) -> None:
    catalog.ingest(worked_repository(repo).url)

    page = service.overall()

    shares = {item.entity.ref: item.drift.share for item in page.items}
    assert list(shares) == sorted(shares, key=lambda ref: shares[ref] or 0)
    assert next(iter(shares)) == ROOT
    assert page.counts == {"known": 3, "unowned": 0, "little": 0, "unknown": 0}
    assert service.overall(limit=1, offset=1).items == page.items[1:2]
    assert work.reads == 1


def test_all_may_be_narrowed_to_an_owner_and_a_layer(
    catalog: Catalog, repo: MakeRepository, service: DriftService
) -> None:
    catalog.ingest(worked_repository(repo).url)

    assert service.overall(owner=OPS).total == 0
    assert service.overall(owner=DATA, layer="shared").total == 1
    assert service.overall(layer="project").total == 2
    with pytest.raises(InputError, match="known layers: project, shared"):
        service.overall(layer="none")
    with pytest.raises(NotFoundError):
        service.overall(owner=EntityRef("group:default/gone"))
    with pytest.raises(NotFoundError):
        service.of_entity(EntityRef("component:default/gone"))


def test_commits_after_those_that_the_catalog_has_read_do_not_count(
    catalog: Catalog, repo: MakeRepository, service: DriftService, work: CountingWork
) -> None:
    made = worked_repository(repo)
    catalog.ingest(made.url)
    before = service.of_entity(A)
    commit = commit_as(made, "Ann <ann@example.com>", {"services/a/x": "new"})

    assert service.of_entity(A) == before

    catalog.service.refresh()
    found = service.of_entity(A)
    assert found.place is not None
    assert found.place.commit == commit
    assert found.effort.commits == before.effort.commits + 1
    assert work.reads == 2


def test_a_mirror_that_is_gone_is_fetched_again(
    catalog: Catalog, repo: MakeRepository, service: DriftService, tmp_path: Path
) -> None:
    catalog.ingest(worked_repository(repo).url)
    for mirror in (tmp_path / "mirrors").glob("*.git"):
        mirror.rename(tmp_path / "gone.git")

    assert service.of_entity(A).drift.status == "known"


def test_no_blob_is_fetched_for_a_history(
    catalog: Catalog, repo: MakeRepository, service: DriftService, tmp_path: Path
) -> None:
    made = worked_repository(repo)
    made.git("config", "uploadpack.allowFilter", "true")
    made.git("config", "uploadpack.allowAnySHA1InWant", "true")
    blob = made.git("rev-parse", "HEAD:services/a/x")
    catalog.ingest(made.url)

    assert service.of_entity(A).drift.status == "known"

    (mirror,) = (tmp_path / "mirrors").glob("*.git")
    held = Repository.git(_At(mirror), "cat-file", "--batch-all-objects", "--batch-check", "--unordered")
    assert f"{blob} blob" not in held
    assert made.git("rev-parse", "HEAD:.mailmap") in held


class _At:
    """A folder to run git in."""

    def __init__(self, path: Path) -> None:
        self.path = path


def test_the_folder_is_what_the_source_location_names(
    catalog: Catalog, repo: MakeRepository, service: DriftService
) -> None:
    made = repo(name="other")
    where = f"url:{made.url}#main:code/lib/"
    annotated = component("lib", owner="ops").replace(
        "{name: lib}", f"{{name: lib, annotations: {{backstage.io/source-location: '{where}'}}}}"
    )
    elsewhere = component("far", owner="ops").replace(
        "{name: far}", "{name: far, annotations: {backstage.io/source-location: 'url:https://github.com/x/y/'}}"
    )
    commit_as(made, "Ann <a@example.com>", {"meta/catalog-info.yaml": documents(annotated, elsewhere, group("ops"))})
    commit_as(made, "Bob <b@example.com>", {"code/lib/x": "1", "CODEOWNERS": "/code/ @ops\n*.yaml @other\n"})
    catalog.ingest(f"{made.url}#main:meta/catalog-info.yaml")

    lib, far = (service.of_entity(EntityRef(f"component:default/{name}")) for name in ("lib", "far"))

    assert lib.place is not None
    assert lib.place.folder == "code/lib"
    assert [who.person.author.name for who in lib.workers] == ["Bob"]
    assert lib.codeowners is not None
    assert lib.codeowners.agrees is True
    assert far.place is not None
    assert far.place.folder == "meta"
    assert far.codeowners is not None
    assert far.codeowners.message.startswith("CODEOWNERS:2 names @other (not in the catalog); the catalog says")


def test_a_folder_where_no_asset_is_has_a_history_too(
    catalog: Catalog, repo: MakeRepository, service: DriftService
) -> None:
    made = repo()
    commit_as(made, "Ann <a@example.com>", {"code/catalog-info.yaml": component("lib", owner="ops")})
    commit_as(made, "Bob <b@example.com>", {"people/catalog-info.yaml": group("ops")})
    deeper = component("tool", owner="ops")
    commit_as(made, "Cat <c@example.com>", {"people/tool/catalog-info.yaml": deeper})
    catalog.ingest(f"{made.url}#main:**/catalog-info.yaml")

    found = [service.of_entity(EntityRef(text)) for text in ("group:default/ops", "component:default/lib")]

    assert [[who.person.author.name for who in item.workers] for item in found] == [["Bob"], ["Ann"]]


def test_what_has_no_history_says_why(
    catalog: Catalog, repo: MakeRepository, service: DriftService, tmp_path: Path
) -> None:
    (tmp_path / "plain").mkdir()
    (tmp_path / "plain/catalog-info.yaml").write_text(documents(component("a"), entity("Domain", "d")))
    catalog.sources.add([("file", str(tmp_path / "plain"))])
    catalog.service.refresh()

    found = service.of_entity(A)

    assert (found.drift.status, found.to_json()["share"]) == ("unknown", None)
    assert found.message == ("Nothing is known of who works on it: its source is a folder, which has no history.")
    assert service.overall().counts["unknown"] == 1


def test_bots_alone_and_nobody_are_told_apart(catalog: Catalog, repo: MakeRepository, service: DriftService) -> None:
    made = repo(name="robots")
    commit_as(made, "renovate[bot] <r@example.com>", {"catalog-info.yaml": component("a", owner="data")})
    catalog.ingest(made.url)

    assert "bots alone have committed to the root of its repository" in service.of_entity(A).message


def test_a_shared_folder_shares_its_numbers(catalog: Catalog, repo: MakeRepository, service: DriftService) -> None:
    made = repo(name="shared")
    commit_as(made, "X <x@example.com>", {"catalog-info.yaml": documents(component("a"), component("b"))})
    catalog.ingest(made.url)

    assert service.of_entity(A).effort == service.of_entity(B).effort


def test_a_repository_that_cannot_be_read_leaves_the_others(
    catalog: Catalog, repo: MakeRepository, service: DriftService, tmp_path: Path
) -> None:
    made, broken = worked_repository(repo), repo(name="broken")
    commit_as(broken, "X <x@example.com>", {"catalog-info.yaml": component("z")})
    catalog.ingest(made.url, broken.url)
    broken.path.rename(tmp_path / "moved")
    for mirror in (tmp_path / "mirrors").glob("*.git"):
        mirror.rename(tmp_path / f"gone-{mirror.name}")

    page = service.overall()

    assert page.counts == {"known": 3, "unowned": 0, "little": 0, "unknown": 1}
    assert list(page.unread) == [broken.url]
    assert page.items[-1].entity.ref == "component:default/z"


def test_a_long_history_is_given_up_in_time(catalog: Catalog, repo: MakeRepository, work: CountingWork) -> None:
    catalog.ingest(worked_repository(repo).url)
    database = catalog.database
    hurried = DriftService(
        database, OwnershipService(database, KindsService(database, all_kinds())), work, budget_seconds=0.0
    )

    assert "took more than 0 seconds" in hurried.of_entity(A).reason
    assert work.reads == 0


def worked_commit(work: CountingWork, catalog: Catalog) -> tuple[Tree, str]:
    (source,) = catalog.sources.list()
    made = Repository.git(_At(Path(source.target.removeprefix("file://"))), "rev-parse", "HEAD")
    return Tree("git", source.target, "", trusted=True), made


def test_so_many_commits_are_read_and_the_rest_is_said_to_be_left_out(
    catalog: Catalog, repo: MakeRepository, work: CountingWork
) -> None:
    catalog.ingest(worked_repository(repo).url)
    place = worked_commit(work, catalog)

    cut = work.read(*place, ["services/b"], timeout_seconds=60, most=2)
    whole = work.read(*place, ["services/b"], timeout_seconds=60)

    assert (cut.is_cut, cut.size, cut.is_shallow) == (True, 2, False)
    assert (whole.is_cut, whole.size) == (False, 4)


def test_statements_do_not_grow_with_the_catalog(catalog: Catalog, repo: MakeRepository, service: DriftService) -> None:
    def asked() -> int:
        statements: list[str] = []
        event.listen(catalog.database.engine, "before_cursor_execute", note := _noting(statements))
        service.overall()
        event.remove(catalog.database.engine, "before_cursor_execute", note)
        return len(statements)

    made = worked_repository(repo)
    catalog.ingest(made.url)
    few = asked()
    commit_as(
        made,
        "Ann <ann@example.com>",
        {f"services/n{number}/catalog-info.yaml": component(f"n{number}") for number in range(30)},
    )
    catalog.service.refresh()

    assert asked() == few
    assert service.overall().total == 33


def _noting(statements: list[str]) -> Callable[..., None]:
    def note(connection, cursor, statement, *more) -> None:
        statements.append(statement)

    return note
