"""Previews reorganisations, writes them as commits of the repositories concerned."""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from portal.errors import InputError, PortalError, SourceError
from portal.graph.policies import Facts
from portal.graph.reorg import Changes, Documents, changes_of
from portal.graph.reorg_effects import Effects, effects_of
from portal.ingest import yaml
from portal.model.amendment import FileAmendments
from portal.model.entity import ref_of
from portal.model.integration import NO_INTEGRATIONS, Integrations
from portal.model.layer import Finding
from portal.model.location import GENERATED_PREFIX, Target, parse_location, parse_target
from portal.model.login import without_credentials
from portal.model.ref import PEOPLE, EntityRef
from portal.model.reorg_plan import Plan, PlanError, parse_plan
from portal.providers.contract import Listing, TreeProvider
from portal.services.kinds import KindsService
from portal.services.ownership import OwnershipService
from portal.services.reading import TreeReader
from portal.store import catalog, graph, sources
from portal.store.database import Connection, Database
from portal.vcs.heads import Head
from portal.vcs.proposal import Proposal, Proposals
from portal.vcs.publish import Author

__all__ = ["Author", "FileChange", "Preview", "ReorganisationService", "Written"]

_LINES = re.compile(r"[^\n]*\n|[^\n]+")
#: So many lines are shown around each change, as git does.
_CONTEXT_LINES = 3
_FOLDER = "it lies in a folder that is no repository to Portal; register its git repository to have the change written"
_WEB = "it is read from a web server; its owner must edit it"


@dataclass(frozen=True, slots=True)
class FileChange:
    """A file that changes: where it is, its unified diff, and why it cannot be written (empty: it can).

    `head` is where its branch stands, None for what is no git repository; `content` the file as it would be.
    """

    location: str
    repository: str
    path: str
    diff: str
    refusal: str
    content: bytes = b""
    head: Head | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the change as JSON tells it."""
        return {
            "location": self.location,
            "repository": self.repository,
            "path": self.path,
            "diff": self.diff,
            "refusal": self.refusal or None,
        }


@dataclass(frozen=True, slots=True)
class Preview:
    """What a plan would change: places of entities, files with their diffs, rules broken and mended, teams."""

    plan: Plan
    changes: Changes
    effects: Effects
    files: list[FileChange]

    @property
    def moved(self) -> dict[tuple[EntityRef, EntityRef], int]:
        """How many assets go from one owner to another, by (from, to)."""
        found: dict[tuple[EntityRef, EntityRef], int] = {}
        for _, source, to in self.changes.taken:
            found[source, to] = found.get((source, to), 0) + 1
        return dict(sorted(found.items()))

    def to_json(self) -> dict[str, Any]:
        """Return the preview as JSON tells it."""
        return {
            "reorganisation": self.plan.name,
            "reason": self.plan.reason,
            "branch": self.plan.branch,
            "created": [ref_of(addition.document) for addition in self.changes.added],
            "closed": [closed.ref for closed in self.plan.closed],
            "moved": [{"from": source, "to": to, "count": count} for (source, to), count in self.moved.items()],
            "changes": [
                {"ref": ref, "field": amendment.field, "old": amendment.old, "new": amendment.new}
                for ref, amendments in sorted(self.changes.places.items())
                for amendment in amendments
            ],
            "broken": [finding.to_json() for finding in self.effects.broken],
            "mended": [finding.to_json() for finding in self.effects.mended],
            "unbalanced": [item.to_json() for item in self.effects.unbalanced],
            "files": [file.to_json() for file in self.files],
        }


@dataclass(frozen=True, slots=True)
class Written:
    """A commit that was pushed to a branch of a repository."""

    repository: str
    branch: str
    commit: str

    def to_json(self) -> dict[str, str]:
        """Return the commit as JSON tells it."""
        return {"repository": self.repository, "branch": self.branch, "commit": self.commit}


class ReorganisationService:
    """Works out plans against the catalog, and writes what they come to."""

    def __init__(
        self,
        database: Database,
        ownership: OwnershipService,
        kinds: KindsService,
        *,
        providers: Mapping[str, TreeProvider],
        proposals: Proposals,
        integrations: Integrations = NO_INTEGRATIONS,
        size_limit_bytes: int = yaml.YamlLimits().size_bytes,
    ) -> None:
        self._database = database
        self._ownership = ownership
        self._kinds = kinds
        self._providers = providers
        self._proposals = proposals
        self._integrations = integrations
        self._size_limit_bytes = size_limit_bytes

    def preview(self, content: bytes, *, location: str) -> Preview:
        """Return what a plan, as YAML or JSON, would change; `location` names it in faults.

        The files are read as their branches stand now. Raises `InputError` with every fault of the plan and its place,
        `SourceError` where a repository does not answer.
        """
        value = _value(content, location)
        try:
            plan = parse_plan(value)
            with self._database.reading() as connection:
                documents, above = self._around(connection, plan)
                changes = changes_of(plan, documents, above=above)
                facts = self._ownership.facts_seen_by(connection)
                targets = self._targets(connection, changes)
                teams = {ref for _, ref in plan.refs() if ref.kind in PEOPLE}
                find = partial(self._find, connection)
                effects = effects_of(changes, documents, facts, teams, find=find)
        except PlanError as error:
            raise _placed(error, content, location) from error
        # The lines around a change may be another document's.
        context = _CONTEXT_LINES if self._database.visibility().is_all else 0
        return Preview(plan, changes, effects, self._files(changes, targets, context=context))

    def write(self, preview: Preview, *, author: Author | None = None) -> list[Written]:
        """Push the change, one commit on the plan's branch for each repository, and return the commits.

        Nothing is pushed unless all can be. Raises `InputError` where a file cannot be written, `ConflictError` where a
        repository has the branch, `SourceError` where one does not answer or accept; then the message tells what
        others had been pushed to already.
        """
        refused = [f"{file.location}: {file.refusal}" for file in preview.files if file.refusal]
        if refused:
            raise InputError("\n".join(["Nothing was written:", *refused]))
        by_head: dict[Head, dict[str, bytes]] = {}
        for file in preview.files:
            if file.head is not None:
                by_head.setdefault(file.head, {})[file.path] = file.content
        twice = _named_twice(by_head)
        if twice:
            raise InputError(f"Nothing was written: {twice} is read at several branches; one commit cannot hold both")
        branch = preview.plan.branch
        for head in by_head:
            self._proposals.require_free(head.remote, trusted=head.trusted, branch=branch)
        written: list[Written] = []
        for head, files in by_head.items():
            message = _message(preview)
            try:
                commit = self._proposals.push(
                    Proposal(head, files), branch=branch, message=message, author=author or Author()
                )
            except PortalError as error:
                if not written:
                    raise
                done = ", ".join(f"{item.repository} ({item.commit})" for item in written)
                raise SourceError(f"{error.message}. Written before: {done}", head.remote) from error
            written.append(Written(without_credentials(head.remote), branch, commit))
        return written

    def _find(self, connection: Connection, facts: Facts, changed: Documents) -> list[Finding]:
        """Return what all rules find, those of distributions and policies too, where some documents have changed."""

        def documents_of(refs: Collection[EntityRef]) -> Mapping[EntityRef, Mapping[str, Any]]:
            return graph.documents_of(connection, refs) | {ref: changed[ref] for ref in refs if ref in changed}

        return self._ownership.facts_reader.findings(facts, documents_of)

    def _around(self, connection: Connection, plan: Plan) -> tuple[Documents, Mapping[EntityRef, list[EntityRef]]]:
        """Return the documents of all that a plan names or concerns, and the groups above each group."""
        mentioned = {ref for _, ref in plan.refs()} | {new.ref for new in plan.created}
        pairs = self._kinds.seen_by(connection).relation_types
        types = {name for pair in pairs for name in (pair.forward, pair.inverse)}
        people = {ref for ref in mentioned if ref.kind in PEOPLE}
        related = {relation.target for relation in graph.relations_from(connection, people, types=types)}
        above = graph.targets_by_source(connection, types=("childOf",))["childOf"]
        return graph.documents_of(connection, mentioned | related), above

    def _targets(self, connection: Connection, changes: Changes) -> dict[EntityRef, tuple[str, Target | None]]:
        """Return the location of each entity whose file changes, and what it names; None for what is in no file."""
        wanted = {*changes.places, *changes.dropped, *(addition.beside for addition in changes.added)}
        trusted = {source.id for source in sources.list_sources(connection) if not source.registered}
        found: dict[EntityRef, tuple[str, Target | None]] = {}
        for ref, origin in sorted(catalog.origins(connection, sorted(wanted)).items()):
            target = None
            if not origin.location.startswith(GENERATED_PREFIX):
                target = parse_target(
                    *parse_location(origin.location),
                    trusted=origin.source_id in trusted,
                    integrations=self._integrations,
                )
            found[ref] = origin.location, target
        return found

    def _files(
        self, changes: Changes, targets: Mapping[EntityRef, tuple[str, Target | None]], *, context: int
    ) -> list[FileChange]:
        by_location: dict[str, tuple[Target | None, list[EntityRef]]] = {}
        for ref, (location, target) in targets.items():
            by_location.setdefault(location, (target, []))[1].append(ref)
        reader = TreeReader(self._providers)
        located = reader.locate({target for target, _ in by_location.values() if target is not None})
        paths: dict[str, tuple[Listing, str]] = {}
        for location, (target, _) in by_location.items():
            found = located[target] if target is not None else None
            if isinstance(found, PortalError):
                raise found
            if found is not None:
                paths[location] = found[1], found[0].pattern
        contents = self._contents(paths)
        return [
            _file(location, _amendments(changes, refs), paths.get(location), contents.get(location), context=context)
            for location, (_, refs) in sorted(by_location.items())
        ]

    def _contents(self, paths: Mapping[str, tuple[Listing, str]]) -> dict[str, bytes | str]:
        """Return what the files hold, or why that cannot be had, all files of a tree read at once."""
        found: dict[str, bytes | str] = {}
        by_tree: dict[int, list[str]] = {}
        for location, (listing, path) in paths.items():
            entry = listing.files.get(path)
            if entry is None or entry.is_symlink:
                found[location] = "it is not there any more" if entry is None else "it is a symbolic link"
            else:
                by_tree.setdefault(id(listing), []).append(location)
        for locations in by_tree.values():
            listing = paths[locations[0]][0]
            read = self._providers[listing.tree.type].read(
                listing, {paths[location][1] for location in locations}, size_limit_bytes=self._size_limit_bytes
            )
            for location in locations:
                content = read[paths[location][1]]
                found[location] = f"it has {content:,} bytes" if isinstance(content, int) else content
        return found


def _amendments(changes: Changes, refs: Sequence[EntityRef]) -> FileAmendments:
    return FileAmendments(
        {ref: changes.places[ref] for ref in refs if ref in changes.places},
        [addition for addition in changes.added if addition.beside in refs],
        [ref for ref in changes.dropped if ref in refs],
    )


def _file(
    location: str,
    amendments: FileAmendments,
    place: tuple[Listing, str] | None,
    content: bytes | str | None,
    *,
    context: int,
) -> FileChange:
    if place is None or content is None:
        return FileChange(location, "", "", "", "it is in no file")
    listing, path = place
    tree = listing.tree
    repository = without_credentials(tree.root) if tree.type == "git" else ""
    if isinstance(content, str):
        return FileChange(location, repository, path, "", content)
    try:
        from portal.ingest.amend import amend  # noqa: PLC0415  # a server need not wait for ruamel.yaml

        result = amend(content, amendments, location=path or location)
    except InputError as error:
        return FileChange(location, repository, path, "", error.message)
    refusal = {"git": "", "folder": _FOLDER}.get(tree.type, _WEB)
    head = Head(tree.root, listing.branch, listing.commit, tree.trusted) if tree.type == "git" else None
    return FileChange(
        location, repository, path, "".join(_diff(content, result, path, context=context)), refusal, result, head
    )


def _diff(before: bytes, after: bytes, path: str, *, context: int) -> Iterator[str]:
    """Yield the lines of a unified diff, as git and patch read it, with so many around each change."""
    old, new = (_LINES.findall(content.decode()) for content in (before, after))
    for line in difflib.unified_diff(old, new, f"a/{path}", f"b/{path}", n=context):
        yield line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n"


def _named_twice(heads: Mapping[Head, object]) -> str:
    remotes = [head.remote for head in heads]
    return next((without_credentials(remote) for remote in remotes if remotes.count(remote) > 1), "")


def _message(preview: Preview) -> str:
    plan = preview.plan
    lines = [f"reorganisation: {plan.name}", "", plan.reason, ""]
    lines += [f"- {new.ref} begins" for new in plan.created]
    lines += [f"- {closed.ref} ends" for closed in plan.closed]
    lines += [
        f"- {source} gives {'1 asset' if count == 1 else f'{count} assets'} to {to}"
        for (source, to), count in preview.moved.items()
    ]
    lines += [f"- {move.ref} goes from {move.source} to {move.to}" for move in plan.users]
    lines += [f"- {move.ref} comes below {move.to}" for move in plan.moved]
    lines += [f"- {who} goes from {source} to {to}" for who, source, to in preview.changes.inherited]
    return "\n".join(lines).rstrip() + "\n"


def _value(content: bytes, location: str) -> Any:
    documents = yaml.parse(content, location=location)
    faults = [str(document.problem) for document in documents if document.problem is not None]
    if faults:
        raise InputError("\n".join(faults))
    if len(documents) != 1:
        raise InputError(f"{location}: found {len(documents)} documents; expected one plan")
    return documents[0].value


def _placed(error: PlanError, content: bytes, location: str) -> InputError:
    places = yaml.spans(content, index=0, paths={fault.path for fault in error.faults})
    lines = []
    for fault in error.faults:
        span = places[fault.path]
        name = ".".join(map(str, fault.path))
        lines.append(f"{location}:{span.line}:{span.column}{f' {name}' if name else ''}: {fault.message}")
    return InputError("\n".join(lines), error.faults)
