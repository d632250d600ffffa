"""The home page: the layers with what stands in them, what is the reader's own, what changed lately."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from flask import Blueprint, render_template

from portal.model.kind import Kinds
from portal.model.layer import Layer, Role
from portal.model.moment import shown_time
from portal.model.ref import EntityRef
from portal.services.kinds import KindsService
from portal.services.layer_standing import Reused
from portal.services.layers import Glance, LayerReport, LayersService
from portal.services.news import NewsService, Story
from portal.services.own_assets import OwnAssetsService
from portal.services.ownership import Node, OwnershipService
from portal.services.problems import ProblemsService
from portal.services.sessions import Session
from portal.web.times import changes_in_words, to_the_minute
from portal.web.tones import tones_from_above


@dataclass(frozen=True, slots=True)
class Tile:
    """A kind in a layer: its name as people write it, lower case, how many there are."""

    name: str
    kind: str
    count: int


@dataclass(frozen=True, slots=True)
class Band:
    """What is shown of a layer; `layer` is None for what stands in none.

    `projects` are the first that stand in it, `reused` what most projects use.
    """

    layer: Layer | None
    report: LayerReport
    tone: int
    roles: Sequence[Role]
    tiles: list[Tile]
    projects: list[Node]
    reused: list[Reused]
    violations: int
    enforced: int

    @property
    def layer_value(self) -> str:
        """The layer as filters name it."""
        return "none" if self.layer is None else str(self.layer.ref)


def add_home(
    blueprint: Blueprint,
    ownership: OwnershipService,
    kinds: KindsService,
    layers: LayersService,
    problems: ProblemsService,
    *,
    news: NewsService,
    own_assets: OwnAssetsService,
    session: Callable[[], Session | None],
) -> None:
    """Add the page; `session` is that of the browser that asks."""

    @blueprint.get("/")
    def home() -> str:
        glance = layers.glance()
        bands = _bands(glance, kinds.current())
        stories = news.latest()
        person = session()
        own = None if person is None else own_assets.of_person(person.user_ref)
        of_files = problems.of_files()
        reports = glance.answer.reports
        total = sum(report.total for report in reports)
        return render_template(
            "home.html",
            bands=bands,
            glance=glance,
            stories=stories,
            times={story.revision: (shown_time(story.when_ms), to_the_minute(story.when_ms)) for story in stories},
            changes=changes_in_words(),
            own=own,
            known=ownership.nodes(_named(bands, stories)),
            problems=sum(of_files.values()),
            is_grave=bool(of_files.get("error")),
            violations=sum(band.violations for band in bands),
            total=total,
            percent=1000 * sum(report.owned for report in reports) // total / 10 if total else None,
        )


def _bands(glance: Glance, kinds: Kinds) -> list[Band]:
    reports = glance.answer.reports
    tones = tones_from_above([report.layer for report in reports])
    layers = [glance.layers.get(report.layer) if report.layer is not None else None for report in reports]
    return [
        Band(
            layer=layer,
            report=report,
            tone=tone,
            roles=glance.named(layer.owner_roles) if layer is not None else [],
            tiles=_tiles(report.kinds, kinds),
            projects=[node for node in glance.projects if node.layer == report.layer],
            reused=[] if report.reused is None else [item for item in report.reused.items if item.use.projects],
            violations=sum(item.count for item in report.broken),
            enforced=sum(item.count for item in report.broken if item.severity == "enforce"),
        )
        for layer, report, tone in zip(layers, reports, tones, strict=True)
    ]


def _tiles(counts: Mapping[str, int], kinds: Kinds) -> list[Tile]:
    """Return the kinds in a layer, those of most entities first."""
    found = []
    for name, count in sorted(counts.items(), key=lambda item: (-item[1], item[0])):
        kind = kinds.named(name)
        found.append(Tile(kind.name if kind else name, name, count))
    return found


def _named(bands: Sequence[Band], stories: Sequence[Story]) -> set[EntityRef]:
    """Return all that the page names by reference alone."""
    return {
        *(owner.ref for band in bands for owner in band.report.owners.items),
        *(piece.ref for story in stories for piece in story.pieces),
    }
