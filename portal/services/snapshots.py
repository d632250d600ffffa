"""Builds snapshots: follows sources from their root location through all that Locations name."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from portal.errors import InputError, NotAllowedError, PortalError, RevisionNotFoundError
from portal.ingest import yaml
from portal.ingest.check import field_name, shown
from portal.ingest.compile import CompiledFile, DraftFile, compile_files, parse_files
from portal.ingest.generated import generated_file
from portal.ingest.snapshot import FileState, Snapshot, Stored
from portal.ingest.yaml import YamlLimits
from portal.model.entity import ref_of
from portal.model.envelope import Path
from portal.model.integration import Integrations
from portal.model.kind import Kinds
from portal.model.location import (
    Target,
    Tree,
    is_absolute_target,
    parse_target,
    relative_target,
)
from portal.model.problem import Problem, Span
from portal.model.ref import EntityRef
from portal.providers.contract import Authorship, Listing, TreeProvider
from portal.store.sources import Source


@dataclass(frozen=True, slots=True)
class Link:
    """A target that must be followed, and which field of which Location entity names it.

    `origin` is the location of the Location's file; empty for the source's own target.
    """

    target: Target
    origin: str = ""
    ref: EntityRef | None = None
    path: Path = ()
    text: str = ""
    is_required: bool = True


@dataclass(slots=True)
class Build:
    """A source on its way to a snapshot."""

    source: Source
    stored: Stored
    stored_locations: Mapping[str, list[str]]
    is_anew: bool
    snapshot: Snapshot = field(default_factory=Snapshot)
    frontier: list[Link] = field(default_factory=list)
    places: dict[str, tuple[Target, str]] = field(default_factory=dict)
    parents: dict[str, str] = field(default_factory=dict)
    faults: list[tuple[Link, Problem]] = field(default_factory=list)
    authorship: dict[str, Authorship] = field(default_factory=dict)
    commits: dict[Tree, str] = field(default_factory=dict)
    failed: set[Tree] = field(default_factory=set)


class SnapshotBuilder:
    """Reads sources through providers and compiles them; nothing is written."""

    def __init__(
        self, *, providers: Mapping[str, TreeProvider], kinds: Kinds, limits: YamlLimits, integrations: Integrations
    ) -> None:
        self._providers = providers
        self._kinds = kinds
        self._limits = limits
        self._integrations = integrations
        self._meaning = hashlib.sha256(
            f"{kinds.fingerprint()}{limits}{integrations.fingerprint()}".encode()
        ).hexdigest()

    def fingerprint(self, commits: Mapping[Tree, str]) -> str:
        """Return a text that stays the same as long as a refresh would find nothing new; trees by their commit."""
        heads = {f"{tree.type} {tree.root} {tree.branch}": commit for tree, commit in commits.items()}
        return orjson.dumps(
            {"meaning": self._meaning, "heads": heads, "trusted": sorted(t.root for t in commits if t.trusted)},
            option=orjson.OPT_SORT_KEYS,
        ).decode()

    def unchanged(self, sources: Collection[Source]) -> set[str]:
        """Return the ids of sources whose trees all stand where they stood at their last refresh."""
        remembered = {source.id: self._remembered(source) for source in sources}
        trees = {tree for found in remembered.values() for tree in found}
        now = self._by_type(trees, lambda provider, wanted: provider.commits(wanted))
        return {
            identity
            for identity, found in remembered.items()
            if found and all(commit and now.get(tree) == commit for tree, commit in found.items())
        }

    def _remembered(self, source: Source) -> dict[Tree, str]:
        if not source.fingerprint:
            return {}
        known = orjson.loads(source.fingerprint)
        if known["meaning"] != self._meaning:
            return {}
        trusted = set(known["trusted"])
        found = {}
        for text, commit in known["heads"].items():
            kind, root, branch = text.split(" ", 2)
            found[Tree(kind, root, branch, root in trusted)] = commit
        return found

    def build(self, builds: Collection[Build], *, progress: Callable[[str, int, int], None]) -> None:
        """Bring each source's snapshot to completion, a round of targets at a time over all sources together.

        `progress` is told the stage, how many files are known to be done, and how many there are so far.
        """
        listings: dict[Tree, Listing | PortalError] = {}
        before: dict[str, dict[Tree, str]] = {}
        for build in builds:
            before[build.source.id] = self._remembered(build.source)
            build.is_anew = build.is_anew or not before[build.source.id]
            self._add_generated(build)
            try:
                target = parse_target(
                    build.source.type,
                    build.source.target,
                    trusted=not build.source.registered,
                    integrations=self._integrations,
                )
            except InputError as error:
                self._fault(build, Link(Target(Tree("", ""), "", "")), Problem("target-invalid", hint=error.message))
                continue
            build.frontier = [Link(target)]
        while any(build.frontier for build in builds):
            wanted = {link.target.tree for build in builds for link in build.frontier} - listings.keys()
            listings |= self._by_type(wanted, lambda provider, trees: provider.listings(trees))
            known = sum(len(build.snapshot.files) for build in builds)
            progress("reading catalog files", known, known + sum(len(build.frontier) for build in builds))
            for build in builds:
                frontier, build.frontier = build.frontier, []
                self._follow(build, frontier, listings)
        for build in builds:
            self._place_faults(build, listings)
            self._add_authorship(build, listings, before[build.source.id])

    def _by_type(self, trees: Collection[Tree], ask: Any) -> dict[Tree, Any]:
        found: dict[Tree, Any] = {}
        for kind in sorted({tree.type for tree in trees}):
            found |= ask(self._providers[kind], [tree for tree in trees if tree.type == kind])
        return found

    def _add_generated(self, build: Build) -> None:
        """Add the Location entity that stands for the source itself, as Backstage does."""
        kind = self._kinds.find("Location", "backstage.io/v1alpha1")
        if kind is None:
            return
        file = generated_file(build.source.type, build.source.target, kind=kind)
        state = FileState(file.documents[0].entity.digest)
        build.snapshot.files[file.location] = state
        if build.is_anew or build.stored.files.get(file.location) != state:
            build.snapshot.compiled[file.location] = file

    def _follow(self, build: Build, links: Collection[Link], listings: Mapping[Tree, Listing | PortalError]) -> None:
        fresh: dict[Tree, dict[str, Target]] = {}
        for link in links:
            listing = listings[link.target.tree]
            if isinstance(listing, PortalError):
                if link.target.tree not in build.failed:
                    build.failed.add(link.target.tree)
                    self._fault(build, link, _source_problem(listing))
                self._keep(build, link, list(_stored_below(build.stored, link.target)))
                continue
            build.commits[listing.tree] = listing.commit
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
            listing = listings[tree]
            if not isinstance(listing, PortalError):
                self._read(build, listing, targets)

    def _paths(self, build: Build, link: Link, listing: Listing) -> list[str]:
        """Return the files that a link names; what it names and cannot give becomes a problem."""
        target = link.target
        if target.is_glob:
            found = [path for path in listing.files if target.matches(path)]
            for path in found:
                if listing.files[path].is_symlink:
                    self._fault(build, link, _symlink(target.location(path)))
            return [path for path in found if not listing.files[path].is_symlink]
        entry = listing.files.get(target.pattern)
        if entry is not None and not entry.is_symlink:
            return [target.pattern]
        location = target.location(target.pattern)
        parts = target.pattern.split("/")
        parents = ("/".join(parts[:count]) for count in range(1, len(parts) + 1))
        if any(parent in listing.files and listing.files[parent].is_symlink for parent in parents):
            self._fault(build, link, _symlink(location))
            self._keep(build, link, [location])
        elif link.is_required:
            self._fault(build, link, Problem("target-missing", expected=f"a file at {location}"))
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
                    expected = f"a file that does not lead here again; it names {location}"
                    self._fault(build, link, Problem("location-cycle", expected=expected))
                return True
            current = build.parents.get(current, "")
        return False

    def _is_unchanged(self, build: Build, location: str, target: Target, listing: Listing, path: str) -> bool:
        known = build.stored.files.get(location)
        if build.is_anew or known is None or known.blob != listing.files[path].blob:
            return False
        for input_location, blob in known.inputs:
            entry = listing.files.get(input_location.removeprefix(target.prefix))
            if not input_location.startswith(target.prefix) or (entry.blob if entry else "") != blob:
                return False
        return True

    def _read(self, build: Build, listing: Listing, targets: Mapping[str, Target]) -> None:
        """Read, compile and follow files of one tree."""
        provider = self._providers[listing.tree.type]
        limit = self._limits.size_bytes
        contents: dict[str, bytes] = {}
        paths: dict[str, str] = {}
        for path, content in provider.read(listing, list(targets), size_limit_bytes=limit).items():
            location = targets[path].location(path)
            if isinstance(content, int):
                problem = Problem(
                    "file-too-large", location, Span(1, 1), "", f"{content:,} bytes", f"at most {limit:,} bytes"
                )
                build.snapshot.compiled[location] = CompiledFile(location, problems=[problem], has_unknown_faults=True)
            else:
                contents[location] = content
                paths[location] = path
        drafts = parse_files(contents, limits=self._limits)
        inputs = self._inputs(build, listing, drafts, targets=targets, paths=paths)
        compiled = compile_files(list(drafts.values()), kinds=self._kinds, inputs=inputs)
        build.snapshot.compiled |= compiled
        for location, file in compiled.items():
            build.frontier += self._links(build, location, file)

    def _inputs(
        self,
        build: Build,
        listing: Listing,
        drafts: Mapping[str, DraftFile],
        *,
        targets: Mapping[str, Target],
        paths: Mapping[str, str],
    ) -> dict[str, dict[str, bytes | str]]:
        """Return the contents that placeholders name, for each file that has any."""
        named: dict[str, dict[str, str]] = {}
        found: dict[str, dict[str, bytes | str]] = {}
        for location, draft in drafts.items():
            for text in draft.placeholder_targets:
                if is_absolute_target(text):
                    found.setdefault(location, {})[text] = "only files of the same repository can be taken in"
                    continue
                try:
                    path = relative_target(targets[paths[location]], base=paths[location], relative=text).pattern
                except InputError as error:
                    found.setdefault(location, {})[text] = str(error)
                    continue
                entry = listing.files.get(path)
                named.setdefault(location, {})[text] = path
                if entry is not None and entry.is_symlink:
                    found.setdefault(location, {})[text] = "it is a symbolic link"
        wanted = {
            path
            for texts in named.values()
            for path in texts.values()
            if path in listing.files and not listing.files[path].is_symlink
        }
        provider = self._providers[listing.tree.type]
        contents = provider.read(listing, wanted, size_limit_bytes=self._limits.size_bytes) if wanted else {}
        for location, texts in named.items():
            prefix = targets[paths[location]].prefix
            state = build.snapshot.files[location]
            taken = {}
            for text, path in texts.items():
                content = contents.get(path)
                entry = listing.files.get(path)
                taken[f"{prefix}{path}"] = entry.blob if entry is not None else ""
                if isinstance(content, int):
                    found.setdefault(location, {})[text] = f"it has {content:,} bytes"
                elif content is not None:
                    found.setdefault(location, {})[text] = content
            build.snapshot.files[location] = FileState(state.blob, tuple(sorted(taken.items())))
        return found

    def _links(self, build: Build, location: str, file: CompiledFile) -> Iterator[Link]:
        """Yield what the Locations of a compiled file name; a faulty one goes on as it last was."""
        declared = [document.entity.declared for document in file.documents if document.kind.name == "Location"]
        present = {ref_of(item) for item in declared}
        for item in declared:
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
                        spans.get((link.ref, link.path)),
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
    ) -> dict[tuple[EntityRef | None, Path], Span]:
        target, path = build.places[origin]
        listing = listings.get(target.tree)
        if listing is None or isinstance(listing, PortalError) or path not in listing.files:
            return {}
        provider = self._providers[target.tree.type]
        content = provider.read(listing, [path], size_limit_bytes=self._limits.size_bytes)[path]
        if isinstance(content, int):
            return {}
        drafts = parse_files({origin: content}, limits=self._limits)
        compiled = compile_files(list(drafts.values()), kinds=self._kinds, inputs={})[origin]
        lines = {document.entity.ref: document.line for document in compiled.documents}
        positions = {draft.line: draft.position for draft in drafts[origin].drafts}
        found: dict[tuple[EntityRef | None, Path], Span] = {}
        for ref in {link.ref for link in links}:
            if ref is not None and ref in lines:
                paths = {link.path for link in links if link.ref == ref}
                spans = yaml.spans(content, index=positions[lines[ref]], paths=paths)
                found |= {(ref, path): span for path, span in spans.items()}
        return found

    def _add_authorship(
        self, build: Build, listings: Mapping[Tree, Listing | PortalError], before: Mapping[Tree, str]
    ) -> None:
        read: dict[Tree, dict[str, str]] = {}
        for location in build.snapshot.compiled:
            if location in build.places:
                target, path = build.places[location]
                read.setdefault(target.tree, {})[path] = location
        for tree, paths in read.items():
            listing = listings[tree]
            if not isinstance(listing, PortalError):
                provider = self._providers[tree.type]
                authors = provider.authorship(listing, list(paths), since=before.get(tree, ""))
                build.authorship |= {paths[path]: who for path, who in authors.items()}


def _stored_below(stored: Stored, target: Target) -> Iterator[str]:
    for location in stored.files:
        path = target.path_of(location)
        if path is not None and target.matches(path):
            yield location


def _symlink(location: str) -> Problem:
    return Problem("file-symlink", expected=f"a file of its own at {location}")


def _source_problem(error: PortalError) -> Problem:
    if isinstance(error, RevisionNotFoundError):
        return Problem("revision-missing", hint=error.message)
    if isinstance(error, (NotAllowedError, InputError)):
        return Problem("target-not-allowed", hint=error.message)
    return Problem("source-unreachable", hint=error.message)
