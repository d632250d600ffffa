"""Says how far declared owners are from the people who work on their assets."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import orjson

from portal.errors import InputError, PortalError
from portal.graph.codeowners import OwnersFile
from portal.graph.drift import (
    LONGEST_HALF_LIFE_DAYS,
    STATUSES,
    BotNames,
    Drift,
    Effort,
    Memberships,
    drift,
    effort,
    order,
)
from portal.graph.people import People
from portal.model.entity import SOURCE_ANNOTATION
from portal.model.integration import NO_INTEGRATIONS, Integrations
from portal.model.location import Tree
from portal.model.login import without_credentials
from portal.model.ref import PEOPLE, EntityRef
from portal.model.sentence import Sentence
from portal.providers.work import GitWork, Work
from portal.services.assets import Place, Places
from portal.services.by_visibility import ByVisibility
from portal.services.drift_answers import AssetDrift, CodeOwnersView, DriftPage, Worker, WorkPlace
from portal.services.fingerprints import commits_of
from portal.services.ownership import FRAME_KINDS, OwnershipService
from portal.store import catalog, graph, sources
from portal.store.database import Connection, Database
from portal.store.graph import Node

__all__ = ["AssetDrift", "DriftPage", "DriftService"]

DEFAULT_HALF_LIFE_DAYS = 180
#: People who did least are not named where there are more than so many.
MOST_PEOPLE = 100
#: What says how an organisation works, rather than being worked on.
_BODIES_AT_ONCE = 5_000
#: So many touches, of 100 bytes about, are kept of all repositories together.
_TOUCHES_KEPT = 300_000
_BUDGET_SECONDS = 60.0


class _Repository(NamedTuple):
    tree: Tree
    commit: str


class _Read(NamedTuple):
    """What was read of a repository; no file of owners where it has none."""

    work: Work
    owners_file: OwnersFile | None


class _Origin(NamedTuple):
    """What says where an asset is: the location of its file, what it says of its source, the source that brought it."""

    location: str
    source_location: str
    source_id: str


@dataclass(frozen=True, slots=True)
class _Assets:
    """What follows from one revision of the catalog: its assets, who belongs to whom."""

    revision: int
    nodes: Mapping[EntityRef, Node]
    origins: Mapping[EntityRef, _Origin]
    people: People
    organisation: Memberships
    layers: frozenset[EntityRef]


@dataclass(frozen=True, slots=True)
class _State:
    """Assets, and where they are with the commits that their sources stand at: those move without a new revision."""

    assets: _Assets
    commits: Mapping[str, Mapping[Tree, str]]
    places: Mapping[EntityRef, Place | str]
    folders: Mapping[_Repository, frozenset[str]]


class _Terms(NamedTuple):
    """What work is weighed by."""

    half_life_days: float
    now_seconds: float
    is_bot: BotNames


class DriftService:
    """Compares owners with histories; a repository is read once for each commit, when it is first asked about."""

    def __init__(
        self,
        database: Database,
        ownership: OwnershipService,
        work: GitWork,
        *,
        integrations: Integrations = NO_INTEGRATIONS,
        half_life_days: float = DEFAULT_HALF_LIFE_DAYS,
        bots: Collection[str] = (),
        clock: Callable[[], float] = time.time,
        budget_seconds: float = _BUDGET_SECONDS,
    ) -> None:
        self._database = database
        self._ownership = ownership
        self._work = work
        self._places = Places(integrations)
        self._half_life_days = half_life_days
        self._is_bot = BotNames(bots)
        self._clock = clock
        self._budget_seconds = budget_seconds
        self._lock = threading.Lock()
        self._known: ByVisibility[_State] = ByVisibility()
        self._reading = threading.Lock()
        self._works: OrderedDict[tuple[_Repository, frozenset[str]], _Read] = OrderedDict()

    def of_entity(self, ref: EntityRef, *, half_life_days: float | None = None) -> AssetDrift:
        """Return how far the owner of an entity is from the work on it. Raises `NotFoundError`."""
        terms = self._terms(half_life_days)
        with self._database.reading() as connection:
            node = self._ownership.node_seen_by(connection, ref)
            state = self._state(connection)
            place = state.places.get(ref)
            if place is None:
                place = self._place(_origins(connection, [ref])[ref], state.commits)
        folders: dict[_Repository, frozenset[str]] = {}
        if isinstance(place, Place):
            # What is no asset, as a group or a layer, may be where no asset is.
            repository = _repository(place)
            folders[repository] = state.folders.get(repository, frozenset()) | {place.folder}
        works, reasons = self._read(folders, folders.keys())
        return _Judge(terms, state.assets, works, reasons).of(node, place)

    def overall(
        self,
        *,
        owner: EntityRef | None = None,
        layer: str | None = None,
        half_life_days: float | None = None,
        limit: int = 100,
        offset: int = 0,
    ) -> DriftPage:
        """Return the drift of all assets, or of those of an owner or a layer (by name), the worst first.

        Raises `NotFoundError` for an owner who is not in the catalog and owns nothing, `InputError` for an unknown
        layer or a half-life that is none.
        """
        terms = self._terms(half_life_days)
        with self._database.reading() as connection:
            state = self._state(connection)
            if owner is not None and not any(node.owner == owner for node in state.assets.nodes.values()):
                self._ownership.node_seen_by(connection, owner)
        wanted_layer = None if layer is None else EntityRef.parse(layer, default_kind="layer")
        if wanted_layer is not None and wanted_layer not in state.assets.layers:
            known = ", ".join(sorted(ref.name for ref in state.assets.layers)) or "none"
            raise InputError(
                Sentence('There is no layer "%(layer)s"; known layers: %(known)s', layer=layer, known=known)
            )
        nodes = [
            node
            for node in state.assets.nodes.values()
            if (owner is None or node.owner == owner) and (wanted_layer is None or node.layer == wanted_layer)
        ]
        asked = {node.ref: state.places[node.ref] for node in nodes}
        wanted = {_repository(place) for place in asked.values() if isinstance(place, Place)}
        works, reasons = self._read(state.folders, wanted)
        judge = _Judge(terms, state.assets, works, reasons)
        found = [judge.of(node, asked[node.ref]) for node in nodes]
        found.sort(key=lambda item: (*order(item.drift, item.effort.weight), item.entity.ref))
        counts: dict[str, int] = dict.fromkeys(STATUSES, 0)
        for item in found:
            counts[item.drift.status] += 1
        return DriftPage(
            found[offset : offset + limit],
            len(found),
            counts,
            sum(1 for item in found if item.codeowners is not None and item.codeowners.agrees is False),
            {without_credentials(repository.tree.root): why for repository, why in reasons.items()},
            terms.half_life_days,
        )

    def _terms(self, half_life_days: float | None) -> _Terms:
        days = self._half_life_days if half_life_days is None else half_life_days
        if not 1 <= days <= LONGEST_HALF_LIFE_DAYS:
            raise InputError(
                Sentence(
                    "A half-life of %(days)s days; expected one between 1 and %(longest_half_life_days)s",
                    days=f"{days:g}",
                    longest_half_life_days=LONGEST_HALF_LIFE_DAYS,
                )
            )
        return _Terms(days, self._clock(), self._is_bot)

    def _read(
        self, folders: Mapping[_Repository, frozenset[str]], wanted: Collection[_Repository]
    ) -> tuple[dict[_Repository, _Read], dict[_Repository, str]]:
        """Return the work in repositories, each read once, and why that of others is not known."""
        deadline = time.monotonic() + self._budget_seconds
        works: dict[_Repository, _Read] = {}
        reasons: dict[_Repository, str] = {}
        for repository in sorted(wanted, key=lambda item: (item.tree.root, item.tree.branch, item.commit)):
            key = (repository, folders.get(repository, frozenset()))
            left = max(deadline - time.monotonic(), 0.0)
            # Others who ask for the same wait for it instead of reading it as well.
            if not self._reading.acquire(timeout=left):
                reasons[repository] = self._too_long
                continue
            try:
                found = self._works.get(key)
                left = deadline - time.monotonic()
                if found is None and left > 0:
                    work = self._work.read(repository.tree, repository.commit, key[1], timeout_seconds=left)
                    found = _Read(work, OwnersFile(work.codeowners) if work.codeowners_path else None)
                    self._remember(key, found)
                if found is None:
                    reasons[repository] = self._too_long
                else:
                    self._works.move_to_end(key)
                    works[repository] = found
            except PortalError as error:
                reasons[repository] = error.message
            finally:
                self._reading.release()
        return works, reasons

    @property
    def _too_long(self) -> str:
        return Sentence(
            "reading histories took more than %(seconds)s seconds; ask again to go on",
            seconds=f"{self._budget_seconds:g}",
        )

    def _remember(self, key: tuple[_Repository, frozenset[str]], read: _Read) -> None:
        self._works[key] = read
        size = sum(known.work.size for known in self._works.values())
        while size > _TOUCHES_KEPT and len(self._works) > 1:
            size -= self._works.popitem(last=False)[1].work.size

    def _state(self, connection: Connection) -> _State:
        revision = sources.current_revision(connection)
        commits = {source.id: commits_of(source.fingerprint) for source in sources.list_sources(connection)}
        with self._lock:
            known = self._known.get(connection)
            is_known = known is not None and known.assets.revision == revision
            if known is None or not is_known or known.commits != commits:
                assets = known.assets if known is not None and is_known else self._read_assets(connection, revision)
                known = self._placed(assets, commits)
                self._known.keep(connection, known)
            return known

    def _read_assets(self, connection: Connection, revision: int) -> _Assets:
        known = self._ownership.nodes_seen_by(connection)
        nodes = {ref: node for ref, node in known.items() if node.kind not in FRAME_KINDS}
        below = graph.targets_by_source(connection, types=("hasMember", "parentOf"))
        return _Assets(
            revision,
            nodes,
            _origins(connection, list(nodes)),
            People(graph.declared_of_kinds(connection, PEOPLE)),
            Memberships(below["hasMember"], below["parentOf"]),
            frozenset(ref for ref in known if ref.kind == "layer"),
        )

    def _placed(self, assets: _Assets, commits: Mapping[str, Mapping[Tree, str]]) -> _State:
        places = {ref: self._place(origin, commits) for ref, origin in assets.origins.items()}
        folders: dict[_Repository, set[str]] = {}
        for place in places.values():
            if isinstance(place, Place):
                folders.setdefault(_repository(place), set()).add(place.folder)
        return _State(assets, commits, places, {where: frozenset(found) for where, found in folders.items()})

    def _place(self, origin: _Origin, commits: Mapping[str, Mapping[Tree, str]]) -> Place | str:
        return self._places.of(origin.location, origin.source_location, commits.get(origin.source_id, {}))


class _Judge:
    """Judges the assets of one answer; those that share a folder share its effort."""

    def __init__(
        self,
        terms: _Terms,
        assets: _Assets,
        works: Mapping[_Repository, _Read],
        reasons: Mapping[_Repository, str],
    ) -> None:
        self._terms = terms
        self._assets = assets
        self._works = works
        self._reasons = reasons
        self._efforts: dict[tuple[_Repository, str], Effort] = {}

    def of(self, node: Node, place: Place | str) -> AssetDrift:
        """Return how far the owner of an asset is from the work on it."""
        if isinstance(place, str):
            return AssetDrift(node, Drift("unknown"), Effort(), (), reason=place)
        repository = _repository(place)
        read = self._works.get(repository)
        if read is None:
            return AssetDrift(node, Drift("unknown"), Effort(), (), reason=self._reasons[repository])
        work = read.work
        found = self._effort(repository, place.folder, work)
        told = drift(found, node.owner, self._assets.organisation)
        own = self._assets.organisation.people_of(node.owner) if node.owner is not None else frozenset()
        return AssetDrift(
            node,
            told,
            found,
            [
                Worker(
                    person,
                    person.weight / found.weight if found.weight else 0.0,
                    person.ref in own,
                    self._assets.organisation.memberships(person.ref) if person.ref is not None else (),
                )
                for person in found.people[:MOST_PEOPLE]
            ],
            WorkPlace(work.remote, place.tree.branch, place.commit, place.folder, work.is_shallow, work.is_cut),
            self._codeowners(node.owner, place, read),
            "" if told.status != "unknown" else _nobody(found, place),
        )

    def _effort(self, repository: _Repository, folder: str, work: Work) -> Effort:
        key = (repository, folder)
        if key not in self._efforts:
            self._efforts[key] = effort(
                work.touches.get(folder, ()),
                now_seconds=self._terms.now_seconds,
                half_life_days=self._terms.half_life_days,
                user_of=self._assets.people.user_of,
                is_bot=self._terms.is_bot,
            )
        return self._efforts[key]

    def _codeowners(self, owner: EntityRef | None, place: Place, read: _Read) -> CodeOwnersView | None:
        if read.owners_file is None:
            return None
        # Of a folder elsewhere no file is known; whatever lies in it is taken for one.
        path = f"{place.folder}/-".lstrip("/") if place.is_elsewhere else place.path
        rules = read.owners_file.rules_for(path)
        refs = {name: self._assets.people.named(name) for rule in rules for name in rule.owners}
        named = [ref for ref in refs.values() if ref is not None]
        agrees = self._assets.organisation.agrees(owner, named) if refs and owner is not None else None
        return CodeOwnersView(read.work.codeowners_path, rules, refs, owner, agrees)


def _origins(connection: Connection, refs: list[EntityRef]) -> dict[EntityRef, _Origin]:
    """Return where entities come from, a portion of their bodies at a time."""
    found: dict[EntityRef, _Origin] = {}
    for start in range(0, len(refs), _BODIES_AT_ONCE):
        for ref, origin in catalog.origins(connection, refs[start : start + _BODIES_AT_ONCE]).items():
            annotations = orjson.loads(origin.body)["metadata"].get("annotations", {})
            found[ref] = _Origin(origin.location, str(annotations.get(SOURCE_ANNOTATION, "")), origin.source_id)
    return found


def _repository(place: Place) -> _Repository:
    return _Repository(place.tree, place.commit)


def _nobody(found: Effort, place: Place) -> str:
    where = f'"{place.folder}"' if place.folder else Sentence("the root of its repository")
    if found.bots:
        return Sentence("bots alone have committed to %(where)s", where=where)
    return Sentence("no commit has touched %(where)s", where=where)
