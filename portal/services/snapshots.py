"""Builds snapshots: follows sources from their root location through all that Locations name."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator, Mapping
from copy import copy
from dataclasses import replace
from typing import Any

import orjson

from portal.errors import InputError, NotAllowedError, PortalError
from portal.ingest.annotate import Annotator
from portal.ingest.check import field_name, shown
from portal.ingest.compile import CompiledBatch, CompiledFile, DraftFile, parse_files
from portal.ingest.generated import generated_file, generated_name
from portal.ingest.inclusions import Inclusions, foreign_inputs
from portal.ingest.payload import unpack_documents
from portal.ingest.placeholders import Resolve
from portal.ingest.places import entity_spans
from portal.ingest.stored import FileState, Stored
from portal.ingest.yaml import YamlLimits
from portal.model.entity import ref_of
from portal.model.envelope import Path
from portal.model.integration import Integrations
from portal.model.kind import Kinds
from portal.model.location import (
    DEFAULT_PATTERN,
    LOCATION_TYPES,
    Target,
    Tree,
    is_absolute_target,
    parse_target,
    relative_target,
)
from portal.model.problem import Problem, Span
from portal.model.reading import ReadingRules
from portal.model.ref import EntityRef
from portal.model.rules import CatalogRules
from portal.providers.contract import Listing, TreeProvider
from portal.services.authorship import add_authorship
from portal.services.builds import Build, Link, Progress, Redefine
from portal.services.compiling import compile_batches, compile_drafts
from portal.services.fingerprints import Fingerprints
from portal.services.link_problems import (
    location_cycle,
    missing_target,
    source_problem,
    symbolic_link,
    too_large,
    unsupported_type,
)
from portal.services.reading import TreeReader
from portal.services.template_advice import TemplateAdvice

#: Files are read in portions of about so many bytes; how large they are is known when the first ones are read.
_PORTION_BYTES = 16 * 1024 * 1024
_PORTION_FILES = 10_000
_FIRST_PORTION_FILES = 500


class SnapshotBuilder:
    """Reads sources through providers and compiles them; nothing is written."""

    def __init__(
        self,
        *,
        providers: Mapping[str, TreeProvider],
        kinds: Kinds,
        limits: YamlLimits,
        integrations: Integrations,
        rules: ReadingRules,
        catalog_rules: CatalogRules,
        keeps_orphans: bool,
        advice: TemplateAdvice | None = None,
    ) -> None:
        self._providers = providers
        self.kinds = kinds
        self._limits = limits
        self._integrations = integrations
        self._annotator = Annotator(integrations)
        self._rules = rules
        self._catalog_rules = catalog_rules
        self._advice = advice
        worded = [item for item in (kinds, integrations, rules, catalog_rules, advice) if item is not None]

        def meaning() -> str:
            parts = (limits, keeps_orphans, *(item.fingerprint() for item in worded))
            return hashlib.sha256(repr(parts).encode()).hexdigest()

        self.fingerprints = Fingerprints(meaning, providers)

    def knowing(self, kinds: Kinds) -> SnapshotBuilder:
        """Return a builder for one refresh, which compiles with these kinds; `build` may learn more of them."""
        found = copy(self)
        found.kinds = kinds
        return found

    def reader(self) -> TreeReader:
        """Return what reads the trees of one refresh."""
        return TreeReader(self._providers)

    def build(
        self, builds: Collection[Build], reader: TreeReader, *, progress: Progress, redefine: Redefine | None = None
    ) -> None:
        """Bring each source's snapshot to completion, a round of targets at a time over all sources together.

        `progress` is told the stage, how many files are known to be done, and how many there are so far. `redefine` is
        asked once which kinds there will be, and which files to compile again for them.
        """
        before: dict[str, dict[Tree, str]] = {}
        for build in builds:
            before[build.source.id] = self.fingerprints.trees(build.source)
            build.snapshot.changed_kinds = self.fingerprints.changed_kinds(build.source, self.kinds)
            build.is_anew = build.is_anew or not before[build.source.id]
            self._add_generated(build)
            ref = EntityRef.of("location", "default", generated_name(build.source.location))
            try:
                target = parse_target(
                    build.source.type,
                    build.source.target,
                    trusted=not build.source.registered,
                    integrations=self._integrations,
                )
            except InputError as error:
                link = Link(Target(Tree("", ""), "", ""), ref=ref)
                self._fault(build, link, Problem("target-invalid", hint=error.message))
                continue
            build.frontier = [Link(target, ref=ref)]
        self._look_at_inputs(builds, reader)
        while any(build.frontier for build in builds):
            located = reader.locate({link.target for build in builds for link in build.frontier})
            known = sum(len(build.snapshot.files) for build in builds)
            progress("reading catalog files", known, known + sum(len(build.frontier) for build in builds))
            for build in builds:
                frontier, build.frontier = build.frontier, []
                self._follow(build, frontier, located, reader)
            if redefine is not None and not any(build.frontier for build in builds):
                self._redefine(builds, redefine(builds), reader)
                redefine = None
        for build in builds:
            self._place_faults(build, reader.listings)
            add_authorship(build, self._providers, reader.listings, before[build.source.id])

    def _redefine(
        self, builds: Collection[Build], found: tuple[Kinds, Mapping[str, Collection[str]]] | None, reader: TreeReader
    ) -> None:
        """Compile the files again for which definitions that have just been read make a difference."""
        if found is None:
            return
        self.kinds, files = found
        for build in builds:
            build.snapshot.changed_kinds = self.fingerprints.changed_kinds(build.source, self.kinds)
            trees: dict[Tree, dict[str, Target]] = {}
            for location in sorted(files.get(build.source.id, ())):
                if location in build.places and location in build.snapshot.files:
                    target, path = build.places[location]
                    trees.setdefault(target.tree, {})[path] = target
            for tree, targets in trees.items():
                listing = reader.listings[tree]
                if not isinstance(listing, PortalError):
                    for path, target in targets.items():
                        build.snapshot.files[target.location(path)] = FileState(listing.files[path].blob)
                    self._read(build, listing, targets, reader)

    def _look_at_inputs(self, builds: Collection[Build], reader: TreeReader) -> None:
        """Learn where the files stand now that placeholders took in from other trees than the entity's."""
        wanted = {build.source.id: foreign_inputs(build.stored, self._integrations) for build in builds}
        located = reader.locate({target for targets in wanted.values() for target in targets.values()})
        for build in builds:
            for location, target in wanted[build.source.id].items():
                found = located[target]
                self._note(build, target.tree, found if isinstance(found, PortalError) else found[1])
                entry = None if isinstance(found, PortalError) else found[1].files.get(found[0].pattern)
                build.inputs[location] = entry.blob if entry is not None else ""

    def _note(self, build: Build, tree: Tree, listing: Listing | PortalError) -> None:
        """Remember where a tree stood that placeholders take in from; one that may not be read stands still."""
        if not isinstance(listing, PortalError):
            build.commits[listing.tree] = listing.commit
        elif not isinstance(listing, NotAllowedError):
            build.unread.add(tree)

    def _add_generated(self, build: Build) -> None:
        """Add the Location entity that stands for the source itself, as Backstage does."""
        kind = self.kinds.find("Location", "backstage.io/v1alpha1")
        if kind is None:
            return
        batch = generated_file(
            build.source.type, build.source.target, kind=kind, annotate=self._annotator.of(build.source.location)
        )
        for document in unpack_documents(batch.payload.documents):
            state = FileState(document.digest)
            build.snapshot.files[document.location] = state
            if build.is_anew or build.stored.files.get(document.location) != state:
                build.snapshot.add(batch)

    def _follow(
        self,
        build: Build,
        links: Collection[Link],
        located: Mapping[Target, tuple[Target, Listing] | PortalError],
        reader: TreeReader,
    ) -> None:
        fresh: dict[Tree, dict[str, Target]] = {}
        for named in links:
            found = located[named.target]
            if isinstance(found, PortalError):
                if named.target.tree not in build.failed:
                    build.failed.add(named.target.tree)
                    self._fault(build, named, source_problem(found))
                self._keep(build, named, list(_stored_below(build.stored, named.target)))
                continue
            target, listing = found
            link = named if target is named.target else replace(named, target=target)
            build.commits[listing.tree] = listing.commit
            build.reached[target.prefix, target.suffix] = target
            for path in self._paths(build, link, listing):
                location = link.target.location(path)
                if self._is_cycle(build, link, location) or location in build.snapshot.files:
                    continue
                build.parents[location] = link.origin
                build.places[location] = (link.target, path)
                if self._is_unchanged(build, location, link.target, listing, path):
                    build.snapshot.files[location] = build.stored.files[location]
                    build.frontier += self._stored_links(build, location)
                else:
                    build.snapshot.files[location] = FileState(listing.files[path].blob)
                    fresh.setdefault(listing.tree, {})[path] = link.target
        for tree, targets in fresh.items():
            tree_listing = reader.listings[tree]
            if not isinstance(tree_listing, PortalError):
                self._read(build, tree_listing, targets, reader)

    def _paths(self, build: Build, link: Link, listing: Listing) -> list[str]:
        """Return the files that a link names; what it names and cannot give becomes a problem."""
        target = link.target
        if target.is_glob:
            found = [path for path in listing.files if target.matches(path)]
            for path in found:
                if listing.files[path].is_symlink:
                    self._fault(build, link, symbolic_link(target.location(path)))
            return [path for path in found if not listing.files[path].is_symlink]
        entry = listing.files.get(target.pattern)
        if entry is not None and not entry.is_symlink:
            return [target.pattern]
        below = f"{target.pattern}/{DEFAULT_PATTERN}"
        if entry is None and below in listing.files and not listing.files[below].is_symlink:
            return [below]
        location = target.location(target.pattern)
        parts = target.pattern.split("/")
        parents = ("/".join(parts[:count]) for count in range(1, len(parts) + 1))
        if any(parent in listing.files and listing.files[parent].is_symlink for parent in parents):
            self._fault(build, link, symbolic_link(location))
            self._keep(build, link, [location])
        elif link.is_required:
            self._fault(build, link, missing_target(location))
            self._keep(build, link, [location])
        return []

    def _keep(self, build: Build, link: Link, locations: Collection[str]) -> None:
        """Keep what the store has of files that cannot be read, and go on to what their Locations named."""
        for location in locations:
            if location not in build.snapshot.unreadable and location not in build.snapshot.files:
                build.snapshot.unreadable.add(location)
                build.parents[location] = link.origin
                build.places[location] = (link.target, link.target.path_of(location) or "")
                build.frontier += self._stored_links(build, location)

    def _is_cycle(self, build: Build, link: Link, location: str) -> bool:
        """Return whether following would lead back to a file on the way; a glob that matches its own file does not."""
        current = link.origin
        while current:
            if current == location:
                if not link.target.is_glob:
                    self._fault(build, link, location_cycle(location))
                return True
            current = build.parents.get(current, "")
        return False

    def _is_unchanged(self, build: Build, location: str, target: Target, listing: Listing, path: str) -> bool:
        known = build.stored.files.get(location)
        if build.is_anew or location in build.again or known is None or known.blob != listing.files[path].blob:
            return False
        for input_location, blob in known.inputs:
            now = build.inputs.get(input_location)
            if now is None:
                entry = listing.files.get(target.path_of(input_location) or "")
                now = entry.blob if entry is not None else ""
            if now != blob:
                return False
        return True

    def _read(self, build: Build, listing: Listing, targets: Mapping[str, Target], reader: TreeReader) -> None:
        """Read, compile and follow files of one tree, a portion at a time."""
        provider = self._providers[listing.tree.type]
        limit = self._limits.size_bytes
        pending = list(targets)
        portion = _FIRST_PORTION_FILES
        while pending:
            read = provider.read(listing, pending[:portion], size_limit_bytes=limit)
            del pending[:portion]
            contents: dict[str, bytes] = {}
            places: dict[str, Target] = {}
            for path, content in read.items():
                location = targets[path].location(path)
                if isinstance(content, int):
                    problem = too_large(location, size_bytes=content, limit_bytes=limit)
                    build.snapshot.compiled[location] = CompiledFile(location, (problem,), has_unknown_faults=True)
                else:
                    contents[location] = content
                    places[location] = replace(targets[path], pattern=path)
            for batch in self._compiled(build, contents, places, reader):
                build.snapshot.add(batch)
                for location, file in batch.files.items():
                    build.frontier += self._links(build, location, file)
            size = sum(map(len, contents.values())) // max(len(contents), 1)
            portion = min(_PORTION_BYTES // max(size, 1), _PORTION_FILES)

    def _compiled(
        self, build: Build, contents: Mapping[str, bytes], places: Mapping[str, Target], reader: TreeReader
    ) -> Iterator[CompiledBatch]:
        """Yield compiled files; those that may take in others come last."""
        including = {location: content for location, content in contents.items() if b"$" in content}
        plain = {location: content for location, content in contents.items() if location not in including}
        allows = self._catalog_rules.of(build.source.type, build.source.target, registered=build.source.registered)
        annotate = self._annotator.of(build.source.location)
        yield from compile_batches(
            plain, kinds=self.kinds, limits=self._limits, annotate=annotate, allows=allows, advice=self._advice
        )
        if including:
            drafts = parse_files(including, limits=self._limits)
            named = {
                location: places[location]
                for location, draft in drafts.items()
                if any(item.placeholders for item in draft.drafts)
            }
            resolvers = self._included(build, drafts, named, reader) if named else {}
            yield compile_drafts(
                list(drafts.values()),
                kinds=self.kinds,
                resolvers=resolvers,
                annotate=annotate,
                allows=allows,
                advice=self._advice,
            )

    def _included(
        self, build: Build, drafts: Mapping[str, DraftFile], places: Mapping[str, Target], reader: TreeReader
    ) -> dict[str, Resolve]:
        """Read what the placeholders of the files at these places take in; return what gives their values, by file."""
        files = [drafts[location] for location in places]
        inclusions = Inclusions(files, places=places, integrations=self._integrations, rules=self._rules)
        for tree, listing in reader.include(inclusions, size_limit_bytes=self._limits.size_bytes).items():
            self._note(build, tree, listing)
        for location in places:
            state = build.snapshot.files[location]
            build.snapshot.files[location] = FileState(state.blob, inclusions.inputs(location))
        return {location: inclusions.resolver(location) for location in places}

    def _links(self, build: Build, location: str, file: CompiledFile) -> Iterator[Link]:
        """Yield what the Locations of a compiled file name; a faulty one goes on as it last was."""
        present = {ref_of(item) for item in file.locations}
        for item in file.locations:
            yield from self._targets(build, location, item)
        for text in build.stored_locations.get(location, ()):
            stored = orjson.loads(text)
            ref = ref_of(stored)
            if ref not in present and (file.has_unknown_faults or ref in file.faulty_refs):
                yield from self._targets(build, location, stored)

    def _stored_links(self, build: Build, location: str) -> Iterator[Link]:
        for text in build.stored_locations.get(location, ()):
            yield from self._targets(build, location, orjson.loads(text))

    def _targets(self, build: Build, location: str, declared: Mapping[str, Any]) -> Iterator[Link]:
        """Yield the targets of one Location entity; one that cannot be understood becomes a problem."""
        spec = declared["spec"]
        texts: list[tuple[Path, str]] = [(("spec", "target"), spec["target"])] if "target" in spec else []
        texts += [(("spec", "targets", index), text) for index, text in enumerate(spec.get("targets") or ())]
        here, base = build.places[location]
        for path, text in texts:
            link = Link(here, location, ref_of(declared), path, text, spec.get("presence") != "optional")
            location_type = spec.get("type", "url")
            if location_type not in LOCATION_TYPES:
                self._fault(build, link, unsupported_type(location_type))
                continue
            try:
                if is_absolute_target(text):
                    target = parse_target("url", text, integrations=self._integrations)
                else:
                    target = relative_target(here, base=base, relative=text)
            except InputError as error:
                code = "target-invalid" if is_absolute_target(text) else "target-outside"
                self._fault(build, link, Problem(code, hint=error.message))
                continue
            yield Link(target, location, link.ref, path, text, link.is_required)

    def _fault(self, build: Build, link: Link, problem: Problem) -> None:
        build.faults.append((link, problem))

    def _place_faults(self, build: Build, listings: Mapping[Tree, Listing | PortalError]) -> None:
        """Give the problems of links their place: the field of the Location that names the target."""
        by_origin: dict[str, list[tuple[Link, Problem]]] = {}
        for link, problem in build.faults:
            by_origin.setdefault(link.origin, []).append((link, problem))
        for origin, faults in by_origin.items():
            spans = self._spans(build, origin, [link for link, _ in faults], listings) if origin else {}
            for link, problem in faults:
                build.snapshot.link_problems.append(
                    Problem(
                        problem.code,
                        origin or build.source.location,
                        spans.get((link.ref, link.path)) if link.ref is not None else None,
                        field_name(link.path),
                        shown(link.text or build.source.target),
                        problem.expected,
                        problem.hint,
                        link.ref,
                    )
                )

    def _spans(
        self,
        build: Build,
        origin: str,
        links: Collection[Link],
        listings: Mapping[Tree, Listing | PortalError],
    ) -> dict[tuple[EntityRef, Path], Span]:
        target, path = build.places[origin]
        listing = listings.get(target.tree)
        if listing is None or isinstance(listing, PortalError) or path not in listing.files:
            return {}
        provider = self._providers[target.tree.type]
        content = provider.read(listing, [path], size_limit_bytes=self._limits.size_bytes)[path]
        if isinstance(content, int):
            return {}
        wanted: dict[EntityRef, set[Path]] = {}
        for link in links:
            if link.ref is not None:
                wanted.setdefault(link.ref, set()).add(link.path)
        return entity_spans(content, location=origin, wanted=wanted, kinds=self.kinds, limits=self._limits)


def _stored_below(stored: Stored, target: Target) -> Iterator[str]:
    for location in stored.files:
        path = target.path_of(location)
        if path is not None and target.matches(path):
            yield location
