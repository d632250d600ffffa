"""Looks at the catalog beside requests, over a Portal as it is wired from settings."""

from __future__ import annotations

import threading

import pytest
from catalogs import component, documents, entity, group
from repositories import MakeRepository
from waiting import eventually

from portal.app import build
from portal.app.surveying import Surveying
from portal.config import load_settings
from portal.services.ownership import OwnershipService
from portal.services.survey import SurveyService

PORTAL = "portal/v1alpha1"
CATALOG = documents(
    group("builders"),
    entity("Role", "builder", version=PORTAL),
    entity("Layer", "low", "rank: 1, owner: builders, ownerRoles: [builder]", version=PORTAL),
    component("a", owner="gone", more="layer: low"),
)


@pytest.fixture
def portal(tmp_path, database_url, repo: MakeRepository):
    overrides = {"data": str(tmp_path / "data"), "database": database_url}
    with build(load_settings(environment={}, overrides=overrides)) as portal:
        portal.migrate()
        portal.ingest([("url", repo({"catalog-info.yaml": CATALOG}).url)])
        yield portal


def test_a_large_catalog_is_looked_at_in_another_process(portal, monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: object) -> None:
        raise AssertionError("the rules were asked in this process")

    expected = portal.ownership.findings()
    monkeypatch.setattr(OwnershipService, "_all_found", never)
    Surveying(portal.survey, portal.settings, most=0).survey()

    assert expected
    assert portal.survey.due() == 0
    assert portal.ownership.findings() == expected


def test_a_small_one_is_looked_at_here_and_a_stopped_one_not_elsewhere(portal) -> None:
    stopped = Surveying(portal.survey, portal.settings, most=0)
    stopped.ask_to_stop()
    stopped.survey()
    assert portal.survey.due() > 0

    Surveying(portal.survey, portal.settings).survey()
    assert portal.survey.due() == 0


class Gated:
    """A survey that begins when the gate is open, and says that it has come so far."""

    def __init__(self, service: SurveyService) -> None:
        self._service = service
        self.came, self.gate = threading.Event(), threading.Event()

    def due(self) -> int:
        return self._service.due()

    def take(self) -> bool:
        self.came.set()
        assert self.gate.wait(60)
        return self._service.take()


def test_nobody_waits_for_a_survey_and_what_comes_meanwhile_is_surveyed_after_it(portal, repo: MakeRepository) -> None:
    gated = Gated(portal.survey)
    surveying = Surveying(gated, portal.settings)  # type: ignore[arg-type]  # the part of the service that it asks
    surveying.start()
    surveying.want()
    assert gated.came.wait(60)
    portal.ingest([("url", repo({"catalog-info.yaml": component("later", owner="gone")}, name="later").url)])
    surveying.want()
    gated.gate.set()
    eventually(lambda: portal.survey.due() == 0, "a survey of what came meanwhile")
    surveying.stop()
