"""Refreshes sources: what git holds now becomes what the catalog says."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable, Collection, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from portal.errors import ConflictError, NotFoundError
from portal.ingest.annotate import Annotator
from portal.ingest.check import Checked, check
from portal.ingest.compile import KIND_NOT_ALLOWED
from portal.ingest.snapshot import Delta, Snapshot, delta
from portal.ingest.stitch import finish
from portal.ingest.stored import Stored
from portal.ingest.yaml import YamlLimits
from portal.model.envelope import FieldFault
from portal.model.kind import Kinds
from portal.model.location import GENERATED_PREFIX
from portal.model.problem import Problem
from portal.model.reading import ReadingRules
from portal.model.ref import EntityRef
from portal.model.rules import CatalogRules
from portal.model.sentence import Sentence
from portal.model.trace import traced
from portal.providers.contract import TreeProvider
from portal.services.builds import Build, Progress, TargetDryRun
from portal.services.changes import Changes, write_delta
from portal.services.kinds import KindsService
from portal.services.measures import RefreshMeasure, RefreshMeasures
from portal.services.memory import cycles_kept, give_back
from portal.services.reading import TreeReader
from portal.services.snapshots import SnapshotBuilder
from portal.services.sources import SourcesService
from portal.services.template_advice import TemplateAdvice
from portal.store import sources
from portal.store.database import Database
from portal.store.entities import held_entities
from portal.store.kinds import files_of_kinds, put_fingerprints
from portal.store.sources import Source

__all__ = ["Progress", "RefreshReport", "RefreshService"]

_ATTEMPTS = 5
#: Batches of documents, from which on reading them takes memory worth giving back.
_FEW_PAYLOADS = 8


@dataclass(slots=True)
class RefreshReport:
    """What a refresh did. `changes` has an item for each source that was read; the others had not changed."""

    changes: dict[str, Changes] = field(default_factory=dict)
    unchanged: set[str] = field(default_factory=set)
    problems: list[Problem] = field(default_factory=list)
    measure: RefreshMeasure | None = field(default=None, repr=False, compare=False)

    def add(self, source_id: str, changes: Changes) -> None:
        """Add what has changed in a source, which may have been read before."""
        before = self.changes.get(source_id)
        self.changes[source_id] = changes if before is None else before.then(changes)
        if self.measure is not None:
            self.measure.read(source_id)


class RefreshService:
    """Brings the catalog to what its sources hold; each source in one transaction."""

    def __init__(
        self,
        database: Database,
        located: SourcesService,
        *,
        providers: Mapping[str, TreeProvider],
        kinds: KindsService,
        limits: YamlLimits | None = None,
        rules: ReadingRules | None = None,
        catalog_rules: CatalogRules | None = None,
        keeps_orphans: bool = False,
        advice: TemplateAdvice | None = None,
        measures: RefreshMeasures | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._database = database
        self._kinds = kinds
        self._sources = located
        self._keeps_orphans = keeps_orphans
        self._annotator = Annotator(located.integrations)
        self._catalog_rules = catalog_rules or CatalogRules()
        self._builder = SnapshotBuilder(
            providers=providers,
            kinds=kinds.built_in,
            limits=limits or YamlLimits(),
            integrations=located.integrations,
            rules=rules or ReadingRules(),
            catalog_rules=self._catalog_rules,
            keeps_orphans=keeps_orphans,
            advice=advice,
        )
        self._clock = clock
        self._lock = threading.Lock()
        self.measures = measures or RefreshMeasures()

    def beside(self) -> RefreshService:
        """Return the same service with a turn of its own: its refreshes do not wait for those of this one.

        Of two that write the same source one reads it again, as those of two processes do.
        """
        found = copy(self)
        found._lock = threading.Lock()  # noqa: SLF001  # a service of this class
        return found

    def refresh(
        self,
        ids: Collection[str] | None = None,
        *,
        anew: bool = False,
        again: Collection[str] = (),
        progress: Progress | None = None,
    ) -> RefreshReport:
        """Refresh sources by id, or all.

        `anew` reads every file again, whether it has changed or not; `again` are the locations of files to read so.
        """
        told = progress or _untold
        with self._lock, cycles_kept(), traced("refresh"), self.measures.refreshing() as measure:
            named = [source for source in self._sources.list() if ids is None or source.id in ids]
            kinds = self._kinds.current()
            wanted, concerned = self._under(kinds, named)
            report = RefreshReport(measure=measure)
            reader = self._builder.reader()
            if not (anew or again):
                with traced("refresh: look for changes"):
                    report.unchanged = self._builder.fingerprints.unchanged(wanted, kinds, reader)
            pending = [source for source in wanted if source.id not in report.unchanged]
            files = {*again}.union(*concerned.values())
            self._run(pending, kinds, reader, anew=anew, again=files, progress=told, report=report)
            self._follow(kinds, report, progress=told)
            measure.looked_at = {source.id for source in wanted}
            with self._database.reading() as connection:
                report.problems = sources.list_problems(connection, source_ids=measure.looked_at)
                measure.unreachable = sources.unreachable_sources(connection)
        return report

    def _run(
        self,
        pending: Sequence[Source],
        kinds: Kinds,
        reader: TreeReader,
        *,
        anew: bool = False,
        again: Collection[str],
        progress: Progress,
        report: RefreshReport,
    ) -> None:
        """Read and write sources under the kinds that are known; `again` are files to read though unchanged."""
        for _ in range(_ATTEMPTS):
            with traced("refresh: read"):
                builder, builds = self._build(
                    pending, kinds, reader, anew=anew, again=frozenset(again), progress=progress
                )
            pending = []
            for number, build in enumerate(builds):
                progress(f"writing {build.source.location}", number, len(builds))
                with traced("refresh: write", source=build.source.id):
                    changes = self._commit(build, builder)
                build.snapshot.payloads.close()
                if changes is None:
                    pending.append(build.source)
                else:
                    report.add(build.source.id, changes)
            if not pending:
                return
            # Someone else wrote them meanwhile: what they are now is not what was read.
            reader = self._builder.reader()
            behind = {source.id for source in pending}
            pending = [source for source in self._sources.list() if source.id in behind]
        raise ConflictError(Sentence("Other refreshes of the same sources kept coming in between; try again"))

    def _under(self, kinds: Kinds, wanted: Sequence[Source]) -> tuple[Sequence[Source], dict[str, set[str]]]:
        """Bring sources under these kinds; return them, with the files by source that kinds make a difference to.

        A source without such files is what it would be under the other kinds: that is noted, and nothing is read.
        """
        changed = {source.id: self._builder.fingerprints.changed_kinds(source, kinds) for source in wanted}
        stale = [source for source in wanted if changed[source.id]]
        if not stale:
            return wanted, {}
        with self._database.reading() as connection:
            files = files_of_kinds(
                connection, frozenset().union(*changed.values()), source_ids=[source.id for source in stale]
            )
        others = [source for source in stale if source.id not in files]
        moved = self._builder.fingerprints.under(kinds, others)
        if moved:
            with self._database.writing() as connection:
                put_fingerprints(connection, moved)
        return [
            replace(source, fingerprint=moved[source.id][1], generation=source.generation + 1)
            if source.id in moved
            else source
            for source in wanted
        ], files

    def _follow(self, kinds: Kinds, report: RefreshReport, *, progress: Progress) -> None:
        """Read again what is concerned when the catalog's kinds are not those that it was read under."""
        for _ in range(_ATTEMPTS):
            known, kinds = kinds, self._kinds.current()
            if kinds.declared == known.declared:
                return
            found, files = self._under(kinds, self._sources.list())
            pending = [source for source in found if source.id in files]
            if pending:
                report.unchanged.difference_update(files)
                again = set().union(*files.values())
                self._run(pending, kinds, self._builder.reader(), again=again, progress=progress, report=report)

    def retarget(self, source_id: str, location_type: str, target: str) -> Source:
        """Give a source another root location and read that, in one transaction.

        Entities that the old and the new location both lead to stay the same ones. Raises `InputError` for a target
        that cannot be understood, `ConflictError` for one that another source has, `NotFoundError` for no such source.
        """
        self._sources.target_of(location_type, target)
        with self._lock, cycles_kept():
            kinds = self._kinds.current()
            for _ in range(_ATTEMPTS):
                known = {source.id: source for source in self._sources.list()}
                taken = {(source.type, source.target): source.id for source in known.values()}
                if taken.get((location_type, target), source_id) != source_id:
                    raise ConflictError(
                        Sentence("Location %(type)s:%(target)s already exists", type=location_type, target=target)
                    )
                if source_id not in known:
                    raise NotFoundError(Sentence("Found no location with ID %(source_id)s", source_id=source_id))
                moved = replace(known[source_id], type=location_type, target=target)
                builder, (build,) = self._build(
                    [moved], kinds, self._builder.reader(), anew=True, again=frozenset(), progress=_untold
                )
                if self._commit(build, builder, moves=True) is not None:
                    self._follow(kinds, RefreshReport(), progress=_untold)
                    return moved
        raise ConflictError(Sentence("Other refreshes of the same source kept coming in between; try again"))

    def remove(self, ids: Collection[str]) -> dict[str, Changes]:
        """Remove sources with everything that they alone brought; what others claim too passes to them."""
        removed: dict[str, Changes] = {}
        with self._lock:
            kinds = self._kinds.current()
            with self._database.writing() as connection:
                for source in sources.list_sources(connection):
                    if source.id in ids:
                        stored = sources.stored_state(connection, source.id)
                        stored.documents = sources.stored_documents(connection, source.id)
                        removed[source.id] = write_delta(
                            connection,
                            source,
                            delta=delta(Snapshot(), stored),
                            snapshot=Snapshot(),
                            stored=stored,
                            kinds=kinds,
                            annotator=self._annotator,
                            authorship={},
                            now_ms=self._now_ms(),
                        )
                sources.delete_sources(connection, list(removed))
            self._follow(kinds, RefreshReport(), progress=_untold)
        return removed

    def forget(self, refs: Collection[EntityRef]) -> list[EntityRef]:
        """Take entities out of the catalog until the files that declare them are read anew; orphans go for good.

        All documents that claim them go, whatever their source, so none takes over at once. Returns which were there.
        """
        with self._lock:
            kinds = self._kinds.current()
            with self._database.writing() as connection:
                before = held_entities(connection, sorted(refs)).keys()
                known = {source.id: source for source in sources.list_sources(connection)}
                for source_id, found in sources.documents_of(connection, sorted(refs)).items():
                    source = known[source_id]
                    now_ms = self._now_ms()
                    written = write_delta(
                        connection,
                        source,
                        delta=Delta(drop=found),
                        snapshot=Snapshot(),
                        stored=Stored({}, {}, ()),
                        kinds=kinds,
                        annotator=self._annotator,
                        authorship={},
                        now_ms=now_ms,
                    )
                    # A refresh that is under way must see that its source has been written.
                    sources.finish_source(
                        connection, source_id, fingerprint=source.fingerprint, revision=written.revision, now_ms=now_ms
                    )
                removed = before - held_entities(connection, sorted(refs)).keys()
            self._follow(kinds, RefreshReport(), progress=_untold)
        return sorted(removed)

    def dry_run(self, location_type: str, target: str, *, registered: bool = True) -> TargetDryRun:
        """Return what a target would bring; nothing is written. Raises `InputError` as `SourcesService.add` does."""
        self._sources.target_of(location_type, target, trusted=not registered)
        source = Source(str(uuid.uuid4()), location_type, target, registered)
        build = Build(source, Stored({}, {}, ()), {}, is_anew=True)
        # What is wrong with a document names the kinds that there are.
        builder = self._builder.knowing(self._kinds.told())
        builder.build([build], self._builder.reader(), progress=_untold, redefine=partial(self._redefine, builder))
        changes = delta(build.snapshot, build.stored)
        bodies: dict[EntityRef, str] = {}
        locations: dict[EntityRef, str] = {}
        for put in changes.put:
            documents, meanings = build.snapshot.documents(put.batch), build.snapshot.meanings(put.batch)
            for position in put.positions:
                document = documents[position]
                if not document.location.startswith(GENERATED_PREFIX):
                    meant = finish(meanings[position].frame, uid=str(uuid.uuid4()), relations=())
                    bodies[document.ref], locations[document.ref] = meant.body, document.location
        build.snapshot.payloads.close()
        return TargetDryRun(source, bodies, locations, changes.add_problems)

    def check(self, document: Any, *, location_type: str, target: str) -> Checked:
        """Check a document as if it stood in a file at this location; placeholders in it are not followed."""
        checked = check(document, kinds=self._kinds.told())
        allows = self._catalog_rules.of(location_type, target, registered=False)
        if checked.entity is None or allows is None or allows(document):
            return checked
        fault = FieldFault(("kind",), KIND_NOT_ALLOWED, document["kind"])
        return replace(checked, entity=None, faults=(*checked.faults, fault))

    def _build(
        self,
        wanted: Collection[Source],
        kinds: Kinds,
        reader: TreeReader,
        *,
        anew: bool,
        again: frozenset[str],
        progress: Progress,
    ) -> tuple[SnapshotBuilder, list[Build]]:
        with self._database.reading() as connection:
            builds = [
                Build(
                    source,
                    sources.stored_state(connection, source.id),
                    sources.location_documents(connection, source.id),
                    is_anew=anew,
                    again=again,
                )
                for source in wanted
            ]
        builder = self._builder.knowing(kinds)
        builder.build(builds, reader, progress=progress, redefine=partial(self._redefine, builder))
        if sum(len(build.snapshot.payloads) for build in builds) > _FEW_PAYLOADS:
            give_back()
        return builder, builds

    def _redefine(
        self, builder: SnapshotBuilder, builds: Collection[Build]
    ) -> tuple[Kinds, Mapping[str, Collection[str]]] | None:
        """Return the kinds that there will be if builds bring others, with the files that these matter to."""
        expected = self._kinds.expected(builds)
        if expected is None or expected.declared == builder.kinds.declared:
            return None
        names = {name for name, _ in expected.declared.items() ^ builder.kinds.declared.items()}
        return expected, self._kinds.concerned(builds, names)

    def _commit(self, build: Build, builder: SnapshotBuilder, *, moves: bool = False) -> Changes | None:
        """Write a build, or return None when the source has been written since it was read.

        `moves` says that the build's root location becomes the source's.
        """
        source = build.source
        now_ms = self._now_ms()
        fingerprint = builder.fingerprints.of(build, builder.kinds)
        # A large source with one changed file needs few of its documents; one that keeps orphans or moves, all.
        needs_all = self._keeps_orphans or moves
        with self._database.reading() as connection:
            build.stored.documents = sources.stored_documents(
                connection, source.id, locations=None if needs_all else build.changed_locations
            )
        changes = delta(build.snapshot, build.stored, keeps_orphans=self._keeps_orphans)
        if changes.is_empty and fingerprint == source.fingerprint:
            return Changes()
        with self._database.writing() as connection:
            current = {found.id: found for found in sources.list_sources(connection)}.get(source.id)
            if current is None:
                return Changes()
            # Checked in the transaction that writes: whoever slept meanwhile, and wakes, overwrites nothing.
            if current.generation != source.generation or (current.location != source.location and not moves):
                return None
            if moves:
                sources.retarget_source(connection, source.id, location_type=source.type, target=source.target)
            written = write_delta(
                connection,
                source,
                delta=changes,
                snapshot=build.snapshot,
                stored=build.stored,
                kinds=builder.kinds,
                annotator=self._annotator,
                authorship=build.authorship,
                now_ms=now_ms,
                # What stays names the location that it comes from.
                again={EntityRef(key.ref) for key in build.stored.documents} if moves else (),
            )
            sources.finish_source(
                connection, source.id, fingerprint=fingerprint, revision=written.revision, now_ms=now_ms
            )
        self._database.take_stock(changed=written.total)
        return written

    def _now_ms(self) -> int:
        return int(self._clock() * 1000)


def _untold(stage: str, done: int, total: int) -> None:
    """Tell nobody how far it is."""
