"""How coverage and reuse of layers came to what they are: kept by surveys, or worked out of the past."""

from __future__ import annotations

from catalogs import component, documents, entity, group
from portals import Catalog
from repositories import MakeRepository, Repository
from sqlalchemy import update

from portal.defaults.kinds import all_kinds
from portal.model.filter import Match
from portal.model.ref import EntityRef
from portal.model.visibility import Visibility
from portal.services.kinds import KindsService
from portal.services.layers import LayersService
from portal.services.ownership import OwnershipService
from portal.services.past import PastOrganisations
from portal.services.survey import SurveyService
from portal.services.trend import TrendService
from portal.store import moments
from portal.store.database import Database
from portal.store.sight import seeing
from portal.store.tables import revisions

PORTAL = "portal/v1alpha1"
GROUND = EntityRef("layer:default/ground")
FRAME = documents(
    group("makers"),
    entity("Layer", "ground", "rank: 1, owner: makers, ownerRoles: []", version=PORTAL),
    entity("Layer", "roof", "rank: 2, owner: makers, ownerRoles: []", version=PORTAL),
    entity("Project", "house", "owner: makers, lifecycle: x, goal: g, dependsOn: ['component:stone']", version=PORTAL),
)
DAY = 86_400_000


def trend_of(database: Database) -> tuple[TrendService, SurveyService]:
    """Return the service with what takes surveys, as a process that has just been started has them."""
    kinds = KindsService(database, all_kinds())
    ownership = OwnershipService(database, kinds)
    past = PastOrganisations(kinds, ownership.facts_reader)
    trend = TrendService(database, LayersService(database, kinds, ownership, past), past)
    return trend, SurveyService(database, ownership, lists=trend.lists)


def shares(service: TrendService) -> list[tuple[int, float | None, float | None]]:
    """Return revision, coverage and reuse of the lower layer."""
    return [
        (point.revision, point.layers[GROUND].coverage, point.layers[GROUND].reuse) for point in service.trend().points
    ]


def _stone(owner: str) -> str:
    return component("stone", owner=owner, more="layer: ground")


def _changed(catalog: Catalog, repo: MakeRepository) -> Repository:
    made = repo({"frame.yaml": FRAME, "stone.yaml": _stone("gone")})
    catalog.ingest(f"{made.url}#main:*.yaml")
    return made


def test_surveys_keep_what_the_past_would_tell(catalog: Catalog, repo: MakeRepository) -> None:
    made = _changed(catalog, repo)
    trend_of(catalog.database)[1].take()
    for files in (
        {"stone.yaml": _stone("makers")},
        {"sand.yaml": component("sand", owner="gone", more="layer: ground")},
    ):
        made.commit(files)
        catalog.service.refresh()
        rebuilt = shares(trend_of(catalog.database)[0])
        trend_of(catalog.database)[1].take()

        assert shares(trend_of(catalog.database)[0]) == rebuilt

    assert rebuilt == [(1, 0.0, 100.0), (2, 100.0, 100.0), (3, 50.0, 50.0)]


def test_a_reader_is_told_of_what_they_may_read(catalog: Catalog, repo: MakeRepository) -> None:
    made = _changed(catalog, repo)
    made.commit({"sand.yaml": component("sand", owner="makers", more="layer: ground")})
    catalog.service.refresh()
    trend, survey = trend_of(catalog.database)
    survey.take()
    assert shares(trend) == [(1, 0.0, 100.0), (2, 50.0, 50.0)]

    with seeing(lambda _revision=None: Visibility(Match.of("kind", ["layer", "group"]))):
        assert shares(trend) == [(1, None, None), (2, None, None)]


def test_of_many_revisions_the_last_of_each_stretch_is_told(catalog: Catalog, repo: MakeRepository) -> None:
    made = _changed(catalog, repo)
    for number in range(5):
        made.commit({"stone.yaml": _stone(f"team-{number}")})
        catalog.service.refresh()
    with catalog.database.writing() as connection:
        for revision in range(1, 7):
            # Two revisions a day.
            at = (20_000 + revision // 2) * DAY + revision
            connection.execute(update(revisions).where(revisions.c.revision == revision).values(recorded_at_ms=at))
    with catalog.database.reading() as connection:
        each = moments.stretches(connection, most=6)
        days = moments.stretches(connection, most=4)
        fewest = moments.stretches(connection, most=2)

    assert [item.revision for item in each.items] == [1, 2, 3, 4, 5, 6]
    assert ([item.revision for item in days.items], days.length_ms) == ([1, 3, 5, 6], DAY)
    assert days.number_of(2, (20_000 + 1) * DAY + 2) == days.items[1].number
    assert len(fewest.items) <= 2
