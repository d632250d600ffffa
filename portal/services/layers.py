"""Answers how the layers stand, once for each revision."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any, Generic, TypeVar

from portal.errors import InputError
from portal.model.layer import Layer, Role, layer_of, role_of
from portal.model.moment import Moment
from portal.model.ref import EntityRef
from portal.model.relation import DEPENDENCY_TYPES
from portal.model.sentence import Sentence
from portal.services.by_visibility import ByVisibility
from portal.services.kinds import KindsService
from portal.services.layer_standing import (
    PART_TYPES,
    Broken,
    Duplicate,
    LayerStanding,
    Owned,
    Reused,
    Seen,
    Standings,
    reports_of,
    seen_then,
    standings_of,
)
from portal.services.memory import cycles_kept
from portal.services.organisation import AsOf
from portal.services.ownership import FRAME_KINDS, LayerView, OwnershipService
from portal.services.past import PastOrganisations
from portal.store import derived, findings, graph, sources, standing
from portal.store.database import Connection, Database
from portal.store.findings import Survey
from portal.store.graph import Node
from portal.store.sight import visibility_of

_PER_MILLE = 1000
#: Whoever looks at a catalog of more entities is not kept waiting until all of them have been looked at.
_MANY = 5_000
#: So much of each list is told at a glance.
_GLANCED = 8
#: What the lists are kept under: the heads, then those of each layer by its place.
_HEADS, _DUPLICATES, _COUNTS = "layers", "layers/duplicates", "layers/counts"
_LISTS = ("owners", "reused", "unused")

_Item = TypeVar("_Item")


@dataclass(frozen=True, slots=True)
class Page(Generic[_Item]):
    """A page of a list, and how long that is."""

    total: int
    items: list[_Item]

    def to_json(self, told: Callable[[_Item], Any]) -> dict[str, Any]:
        """Return the page as JSON tells it."""
        return {"total": self.total, "items": [told(item) for item in self.items]}


@dataclass(frozen=True, slots=True)
class LayerReport:
    """How a layer stands, of each list a page; `layer` is None for what stands in none.

    `owned` of the `total` entities have an owner who is in the catalog; projects use `used` of those that are reused.
    The highest layer is not there to be reused: `reused` is None there, and of what stands in no layer.
    """

    layer: EntityRef | None
    title: str
    rank: int | None
    kinds: Mapping[str, int]
    owners: Page[Owned]
    owned: int
    broken: Sequence[Broken]
    reused: Page[Reused] | None
    used: int
    unused: Page[Node]

    @property
    def total(self) -> int:
        """How many entities stand in the layer."""
        return sum(self.kinds.values())

    @property
    def percent(self) -> float | None:
        """The share with an owner who is there, rounded down: 100 means all. None where nothing stands."""
        return _PER_MILLE * self.owned // self.total / 10 if self.total else None

    def to_json(self) -> dict[str, Any]:
        """Return the report as JSON tells it."""
        reuse = None
        if self.reused is not None:
            reuse = {"used": self.used} | self.reused.to_json(Reused.to_json)
        return {
            "layer": self.layer,
            "title": self.title,
            "rank": self.rank,
            "entities": {"total": self.total, "kinds": self.kinds},
            "owners": self.owners.to_json(asdict),
            "coverage": {"percent": self.percent, "owned": self.owned, "total": self.total},
            "violations": {
                "total": sum(item.count for item in self.broken),
                "items": [asdict(item) for item in self.broken],
            },
            "reuse": reuse,
            "unused": self.unused.to_json(Node.to_json),
        }


@dataclass(frozen=True, slots=True)
class LayersAnswer:
    """How the layers stand, the highest first, and what stands in none; near-duplicates in the highest."""

    reports: list[LayerReport]
    duplicates: Page[Duplicate]
    as_of: AsOf | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the answer as JSON tells it."""
        return {
            "layers": [report.to_json() for report in self.reports],
            "duplicates": self.duplicates.to_json(Duplicate.to_json),
        } | (self.as_of.to_json() if self.as_of is not None else {})


@dataclass(frozen=True, slots=True)
class Glance:
    """How the layers stood at a revision, which may be older than the `newest`; `asked` is what it was worked out for.

    `layers` and `roles` are what is declared, `projects` the first of all by title.
    """

    answer: LayersAnswer
    layers: Mapping[EntityRef, Layer]
    roles: Mapping[EntityRef, Role]
    projects: list[Node]
    revision: int
    newest: int
    asked: tuple[int, Survey, bool]

    def named(self, roles: Iterable[EntityRef]) -> list[Role]:
        """Return roles, those too that nothing declares."""
        return [self.roles.get(ref) or Role(ref, ref.name) for ref in roles]


class LayersService:
    """Answers from the layers as a whole: from what the newest survey has kept, or else from the catalog itself."""

    def __init__(
        self,
        database: Database,
        kinds: KindsService,
        ownership: OwnershipService,
        past: PastOrganisations,
        *,
        many: int = _MANY,
    ) -> None:
        self._database = database
        self._kinds = kinds
        self._ownership = ownership
        self._past = past
        self._many = many
        self._lock = threading.Lock()
        self._known: ByVisibility[tuple[int, Standings]] = ByVisibility()
        self._glanced: ByVisibility[Glance] = ByVisibility()

    def layers(
        self, *, layer: str | None = None, limit: int = 20, offset: int = 0, at: Moment | None = None
    ) -> LayersAnswer:
        """Return how the layers stand, or stood at a moment; or one of them, given by name or reference.

        Raises `InputError` for an unknown layer, and for a moment that the catalog knows nothing of.
        """
        as_of = None
        with self._database.reading() as connection:
            if at is not None:
                past = self._past.seen_by(connection, at)
                as_of = past.as_of
                found = _answer(standings_of(seen_then(past)), limit=limit, offset=offset)
            else:
                kept = None
                if self._ownership.keeps_findings(connection):
                    kept = _kept(connection, limit=limit, offset=offset)
                found = kept or _answer(self.seen_by(connection), limit=limit, offset=offset)
        reports = found.reports
        if layer is not None:
            wanted = EntityRef.parse(layer, default_kind="layer")
            reports = [report for report in reports if report.layer == wanted]
            if not reports:
                names = [report.layer.name for report in found.reports if report.layer is not None]
                raise InputError(
                    Sentence(
                        'There is no layer "%(layer)s"; known are: %(names)s',
                        layer=layer,
                        names=names or Sentence("none"),
                    )
                )
        is_highest = reports[:1] == found.reports[:1]
        return LayersAnswer(reports, found.duplicates if is_highest else Page(0, []), as_of)

    def glance(self) -> Glance:
        """Return how the layers stand for those who do not wait.

        Lists are told in their beginning. Of a large catalog it is what the newest survey kept, although more may have
        come since; where no layer makes rules, entities are only counted.
        """
        with self._database.reading() as connection:
            revision = sources.current_revision(connection)
            survey = findings.last_survey(connection)
            is_kept = self._ownership.keeps_findings(connection)
            asked = (revision, survey, is_kept)
            known = self._glanced.get(connection)
            if known is not None and known.asked == asked:
                return known
            declared = graph.declared_of_kinds(connection, ("layer", "role"))
            layers = {ref: layer_of(body, ref) for ref, body in declared.items() if ref.kind == "layer"}
            roles = {ref: role_of(body, ref) for ref, body in declared.items() if ref.kind == "role"}
            told_at, answer = survey.revision, None
            if is_kept or (visibility_of(connection).is_all and graph.count(connection) > self._many):
                answer = _kept(connection, limit=_GLANCED, offset=0)
            if answer is None:
                whole = self.seen_by(connection) if layers else self._counted(connection)
                told_at, answer = revision, _answer(whole, limit=_GLANCED, offset=0)
            projects = self._ownership.of_kind_seen_by(connection, "project", limit=_GLANCED)
            found = Glance(answer, layers, roles, projects, told_at, revision, asked)
            self._glanced.keep(connection, found)
        return found

    def lists(self, connection: Connection) -> dict[str, list[Any]]:
        """Return what a survey keeps, so that each page is read alone: JSON values by the name of their list."""
        whole = self.seen_by(connection)
        found: dict[str, list[Any]] = {
            _HEADS: [_head(item) for item in whole.layers],
            _DUPLICATES: [item.to_stored() for item in whole.duplicates],
        }
        for place, item in enumerate(whole.layers):
            for name, told in zip(_LISTS, _told(item), strict=True):
                found[f"{_HEADS}/{place}/{name}"] = told
        return found | {_COUNTS: [len(whole.duplicates)]}

    def seen_by(self, connection: Connection) -> Standings:
        """Return how all layers stand, as this connection sees the catalog; worked out once for each revision."""
        revision = sources.current_revision(connection)
        # Held while it is worked out: others who ask wait for the answer instead of working it out as well.
        with self._lock:
            known = self._known.get(connection)
            if known is not None and known[0] == revision:
                return known[1]
            with cycles_kept():
                state = standings_of(self._seen_now(connection))
            if known is None or known[0] < revision:
                self._known.keep(connection, (revision, state))
            return state

    def _counted(self, connection: Connection) -> Standings:
        """Return how the catalog stands where there is no layer: nothing can be broken or reused."""
        counts = self._ownership.standings_seen_by(connection)
        is_asset = any(item.kind not in FRAME_KINDS for item in counts)
        views = [LayerView(None, [], [])] if is_asset else []
        return Standings(reports_of(Seen(views, frozenset(), counts, (), (), (), {}, lambda _: {})), [])

    def _seen_now(self, connection: Connection) -> Seen:
        kinds = self._kinds.seen_by(connection)
        views = self._ownership.layers_seen_by(connection)
        has_projects = any(node.kind == "project" for view in views for node in view.nodes)
        return Seen(
            views,
            kinds.layered,
            self._ownership.standings_seen_by(connection),
            self._ownership.findings_seen_by(connection),
            graph.all_steps(connection, types=DEPENDENCY_TYPES),
            graph.all_steps(connection, types=PART_TYPES) if has_projects else [],
            standing.types_of(connection),
            partial(graph.documents_of, connection),
        )


def _answer(whole: Standings, *, limit: int, offset: int) -> LayersAnswer:
    def page(items: Sequence[_Item]) -> Page[_Item]:
        return Page(len(items), list(items[offset : offset + limit]))

    reports = [
        LayerReport(
            None if item.layer is None else item.layer.ref,
            "" if item.layer is None else item.layer.title,
            None if item.layer is None else item.layer.rank,
            item.kinds,
            page(item.owners),
            item.owned,
            item.broken,
            None if item.reused is None else page(item.reused),
            _used(item),
            page(item.unused),
        )
        for item in whole.layers
    ]
    return LayersAnswer(reports, page(whole.duplicates))


def _head(item: LayerStanding) -> dict[str, Any]:
    layer = item.layer
    return {
        "layer": None if layer is None else layer.ref,
        "title": "" if layer is None else layer.title,
        "rank": None if layer is None else layer.rank,
        "kinds": item.kinds,
        "owned": item.owned,
        "broken": [asdict(broken) for broken in item.broken],
        "used": _used(item),
        "owners": len(item.owners),
        "reused": None if item.reused is None else len(item.reused),
        "unused": len(item.unused),
    }


def _told(item: LayerStanding) -> Iterable[list[Any]]:
    """Return the lists of a layer as JSON tells them, as `_LISTS` names them."""
    yield [asdict(owner) for owner in item.owners]
    yield [reused.to_json() for reused in item.reused or ()]
    yield [node.to_json() for node in item.unused]


def _kept(connection: Connection, *, limit: int, offset: int) -> LayersAnswer | None:
    """Return the answer from what the newest survey has kept; None where it kept none, as there is no layer."""
    heads = derived.whole(connection, _HEADS)
    if not heads:
        return None
    (counted,) = derived.whole(connection, _COUNTS)
    names = [f"{_HEADS}/{place}/{name}" for place in range(len(heads)) for name in _LISTS]
    pages = derived.pages(connection, [_DUPLICATES, *names], limit=limit, offset=offset)
    reports = []
    for place, head in enumerate(heads):
        owners, reused, unused = (pages[f"{_HEADS}/{place}/{name}"] for name in _LISTS)
        reports.append(
            LayerReport(
                None if head["layer"] is None else EntityRef(head["layer"]),
                head["title"],
                head["rank"],
                head["kinds"],
                Page(head["owners"], [Owned.from_json(told) for told in owners]),
                head["owned"],
                [Broken(**told) for told in head["broken"]],
                None if head["reused"] is None else Page(head["reused"], [Reused.from_json(told) for told in reused]),
                head["used"],
                Page(head["unused"], [Node.from_json(told) for told in unused]),
            )
        )
    return LayersAnswer(reports, Page(counted, [Duplicate.from_stored(told) for told in pages[_DUPLICATES]]))


def _used(item: LayerStanding) -> int:
    return sum(1 for reused in item.reused or () if reused.use.projects)
