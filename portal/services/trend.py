"""Tells how well each layer was covered, how much of it reused, over time."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from portal.model.moment import Moment
from portal.model.ref import EntityRef
from portal.services.by_visibility import ByVisibility
from portal.services.layer_standing import LayerStanding, reports_of, seen_then
from portal.services.layers import LayersService
from portal.services.memory import cycles_kept
from portal.services.past import PastOrganisations
from portal.store import derived, findings, graph, moments, past, sources
from portal.store.database import Connection, Database
from portal.store.findings import Survey
from portal.store.sight import visibility_of

#: What surveys keep the points under.
_LIST = "layers/trend"
_MOST_POINTS = 12
#: Of a larger catalog a reader does not wait for the past: they see what surveys have kept.
_MOST_REBUILT = 2_000
_PER_MILLE = 1000


@dataclass(frozen=True, slots=True)
class Share:
    """How many entities a layer has and how many of them have an owner who is there; how many are used of the reusable.

    Nothing is `reusable` in the highest layer: it is not there to be reused.
    """

    total: int
    owned: int
    reusable: int
    used: int

    @property
    def coverage(self) -> float | None:
        """The share with a living owner in percent, rounded down; None where nothing stands."""
        return _percent(self.owned, self.total)

    @property
    def reuse(self) -> float | None:
        """The share that projects use in percent, rounded down; None where nothing is there to be reused."""
        return _percent(self.used, self.reusable)


@dataclass(frozen=True, slots=True)
class Point:
    """The layers as of a revision, by reference."""

    revision: int
    recorded_at_ms: int
    layers: Mapping[EntityRef, Share]

    def to_json(self) -> dict[str, Any]:
        """Return the point as JSON tells it."""
        shares = {str(ref): [item.total, item.owned, item.reusable, item.used] for ref, item in self.layers.items()}
        return {"revision": self.revision, "recordedAtMs": self.recorded_at_ms, "layers": shares}

    @classmethod
    def from_json(cls, told: Mapping[str, Any]) -> Point:
        """Return the point that JSON tells of."""
        shares = {EntityRef(ref): Share(*numbers) for ref, numbers in told["layers"].items()}
        return cls(told["revision"], told["recordedAtMs"], shares)


@dataclass(frozen=True, slots=True)
class Trend:
    """Points, the oldest first; `is_whole` says whether none of the past is missing for want of time."""

    points: list[Point]
    is_whole: bool = True


class TrendService:
    """Answers how layers have changed: from what surveys have kept, and from the past where little is to be read."""

    def __init__(self, database: Database, layers: LayersService, organisations: PastOrganisations) -> None:
        self._database = database
        self._layers = layers
        self._organisations = organisations
        self._lock = threading.Lock()
        #: By the revision and the newest survey that a trend was worked out at.
        self._known: ByVisibility[tuple[tuple[int, Survey], Trend]] = ByVisibility()

    def trend(self) -> Trend:
        """Return it, as far as whoever asks may read."""
        with self._database.reading() as connection:
            asked = (sources.current_revision(connection), findings.last_survey(connection))
            # Held while it is worked out: others who ask wait for the answer instead of working it out as well.
            with self._lock:
                known = self._known.get(connection)
                if known is not None and known[0] == asked:
                    return known[1]
                found = self._found(connection, [] if known is None else known[1].points)
                if known is None or known[0][0] <= asked[0]:
                    self._known.keep(connection, (asked, found))
        return found

    def lists(self, connection: Connection) -> dict[str, list[Any]]:
        """Return what a survey keeps: what others kept, with a point for what it sees itself."""
        found = self._points(connection, _kept(connection), rebuilds=True)
        return {_LIST: [point.to_json() for point in found.points]}

    def _found(self, connection: Connection, known: Sequence[Point]) -> Trend:
        # Who may read less may read something else with each revision: nothing of what was told before counts.
        points = [*known, *_kept(connection)] if visibility_of(connection).is_all else []
        return self._points(connection, points, rebuilds=graph.count(connection) <= _MOST_REBUILT)

    def _points(self, connection: Connection, known: Iterable[Point], *, rebuilds: bool) -> Trend:
        """Return one point for each stretch of time, of those that are known where there is one."""
        revision = sources.current_revision(connection)
        stretches = moments.stretches(connection, most=_MOST_POINTS)
        by_stretch: dict[int, Point] = {}
        for item in sorted(known, key=lambda item: item.revision):
            by_stretch[stretches.number_of(item.revision, item.recorded_at_ms)] = item
        found = []
        first = past.first_revision(connection) or 0
        told = [stretch for stretch in stretches.items if stretch.revision >= first]
        for stretch in told:
            point: Point | None = by_stretch.get(stretch.number)
            if stretch.revision == revision and (rebuilds or not visibility_of(connection).is_all):
                if point is None or point.revision != revision:
                    point = _point(revision, stretch.recorded_at_ms, self._layers.seen_by(connection).layers)
            elif point is None and rebuilds:
                then = self._organisations.seen_by(connection, Moment(revision=stretch.revision))
                with cycles_kept():
                    point = _point(
                        stretch.revision, stretch.recorded_at_ms, reports_of(seen_then(then, findings=False))
                    )
            if point is not None:
                found.append(point)
        return Trend(found, is_whole=len(found) == len(told))


def _kept(connection: Connection) -> list[Point]:
    return [Point.from_json(told) for told in derived.whole(connection, _LIST)]


def _point(revision: int, recorded_at_ms: int, standings: Iterable[LayerStanding]) -> Point:
    shares = {
        item.layer.ref: Share(
            sum(item.kinds.values()),
            item.owned,
            0 if item.reused is None else len(item.reused) + len(item.unused),
            sum(1 for reused in item.reused or () if reused.use.projects),
        )
        for item in standings
        if item.layer is not None
    }
    return Point(revision, recorded_at_ms, shares)


def _percent(part: int, whole: int) -> float | None:
    return _PER_MILLE * part // whole / 10 if whole else None
