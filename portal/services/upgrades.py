"""Brings generated repositories up to date with what their templates make now."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from posixpath import basename, dirname
from typing import Any

from portal.actions.workspace import Workspace
from portal.errors import InputError, NotFoundError, PortalError, ValuesError
from portal.ingest.stamp import restamped
from portal.model.location import Target
from portal.model.login import without_credentials
from portal.model.ref import EntityRef
from portal.model.sentence import Sentence, lines
from portal.scaffolder.parameters import new_defaults, pages, parameter_names, values_errors
from portal.services.dry_run import DryRuns
from portal.services.generated import GeneratedService, location_of
from portal.services.generation import CATALOG_FILE, RECORD_FILE, Generation
from portal.services.rerender import Asking, Pinned, Rerenders, template_at
from portal.services.templates import Templates
from portal.store import catalog, graph, sources
from portal.store.database import Database
from portal.vcs.heads import Head
from portal.vcs.lineage import Link
from portal.vcs.merging import Merged, MergePlace, Merges
from portal.vcs.publish import Author

__all__ = ["Asking", "Author", "Upgrade", "UpgradeOptions", "UpgradesService"]

#: So many commits of the template are named in the message of an upgrade.
_MOST_NAMED = 20
_SHORT = 12
_PLAIN_PATH = re.compile(r"[^#?%:\\]+")


@dataclass(frozen=True, slots=True)
class UpgradeOptions:
    """How to upgrade: `values` for parameters that are new or to be changed; a dry one pushes nothing."""

    values: Mapping[str, Any]
    is_dry: bool = False
    author: Author = field(default_factory=Author)


@dataclass(frozen=True, slots=True)
class Upgrade:
    """What an upgrade came to: `current` (nothing to do), `previewed`, `pushed`, or `failed` for a reason.

    `before` and `after` are commits of the template, `commit` that which was pushed to `branch`, `paths` the files that
    change. `conflicts` are git's sentences on what it could not decide.
    """

    repository: str
    status: str
    template: str = ""
    before: str = ""
    after: str = ""
    branch: str = ""
    commit: str = ""
    paths: tuple[str, ...] = ()
    conflicts: tuple[str, ...] = ()
    diff: str = ""
    reason: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return the upgrade as JSON tells it."""
        return {
            "repository": self.repository,
            "status": self.status,
            "template": self.template or None,
            "from": self.before or None,
            "to": self.after or None,
            "branch": self.branch or None,
            "commit": self.commit or None,
            "files": list(self.paths),
            "conflicts": list(self.conflicts),
            "diff": self.diff,
            "reason": self.reason or None,
        }


@dataclass(frozen=True, slots=True)
class _Template:
    """A template now, with what has changed its folder since a commit (None: not known), the newest first."""

    now: Pinned
    then: Pinned
    changes: Sequence[Link] | None


class UpgradesService:
    """Merges what a template would make now into what it has made, on branches of their own."""

    def __init__(
        self,
        database: Database,
        generated: GeneratedService,
        templates: Templates,
        *,
        runs: DryRuns,
        merges: Merges,
    ) -> None:
        self._database = database
        self._generated = generated
        self._templates = templates
        self._runs = runs
        self._rerenders = Rerenders(runs, templates)
        self._merges = merges

    def upgrade_entity(self, ref: EntityRef, options: UpgradeOptions, *, asking: Asking) -> Upgrade:
        """Upgrade the repository that an entity is read from. Raises as `upgrade`, and `NotFoundError`."""
        with self._database.reading() as connection:
            origin = catalog.origins(connection, [ref]).get(ref)
            trusted = {source.id for source in sources.list_sources(connection) if not source.registered}
        if origin is None:
            raise NotFoundError(Sentence("Entity %(ref)s not found", ref=ref))
        target = self._generated.target(origin, is_trusted=origin.source_id in trusted)
        if target is None:
            raise InputError(
                Sentence("%(ref)s does not lie in a git repository, so nothing can be merged into it", ref=ref)
            )
        return self.upgrade(target, options, asking=asking)

    def upgrade_all(self, template: EntityRef, options: UpgradeOptions, *, asking: Asking) -> list[Upgrade]:
        """Upgrade all repositories that a template has generated; one that fails keeps no other from it.

        Raises `NotFoundError` for a template that is not there.
        """
        found = []
        for item in self._generated.listing(template).items:
            try:
                if item.target is None:
                    raise InputError(item.note)
                found.append(self.upgrade(item.target, options, asking=asking))
            except PortalError as error:
                name = item.repository or ", ".join(item.entities)
                found.append(Upgrade(name, "failed", str(template), item.commit, reason=error.message))
        return found

    def upgrade(self, target: Target, options: UpgradeOptions, *, asking: Asking) -> Upgrade:
        """Merge what a template changed since it generated a repository into the branch that `target` names.

        The result is pushed as one commit to a new branch; conflicts stand in it, marked. Raises `InputError` for a
        repository without a record, or a template that cannot be rendered, `ValuesError` where new parameters need
        values, `ConflictError` where the branch is there, `SourceError` where a remote does not answer or accept,
        `ServiceUnavailableError` while too many run.
        """
        head = self._templates.head(target)
        with self._merges.open(head) as place, self._runs.room() as room:
            return self._upgraded(place, head, options, room=room, asking=asking)

    def _upgraded(
        self, place: MergePlace, head: Head, options: UpgradeOptions, *, room: Path, asking: Asking
    ) -> Upgrade:
        shown = without_credentials(head.remote)
        record = place.read(RECORD_FILE)
        if record is None:
            raise InputError(
                Sentence(
                    "%(shown)s: found no %(record_file)s, so no template is known to have generated it",
                    shown=shown,
                    record_file=RECORD_FILE,
                )
            )
        generation = Generation.parse(record, place=f"{shown} {RECORD_FILE}")
        template = self._template(generation)
        after = template.now.commit
        told = Upgrade(shown, "current", str(generation.template), generation.commit, after)
        if not options.values and after == generation.commit:
            return told
        values = _values(template, generation, options.values, asking=asking)
        merged = self._merge(place, template, generation, values, record=record, room=room, asking=asking)
        # Files may be taken in from outside of the template's folder: what is made decides, not what was committed.
        if template.changes == [] and all(
            path == RECORD_FILE or basename(path) == CATALOG_FILE for path in merged.paths
        ):
            return told
        result = replace(
            told,
            status="previewed",
            branch=f"portal/upgrade-{generation.template.name}-{after[:_SHORT]}",
            paths=merged.paths,
            conflicts=merged.conflicts,
            diff=merged.diff,
        )
        if options.is_dry:
            return result
        message = _message(result, template.changes or (), options.values)
        commit = place.push(merged, branch=result.branch, message=message, author=options.author)
        return replace(result, status="pushed", commit=commit)

    def _template(self, generation: Generation) -> _Template:
        ref = generation.template
        with self._database.reading() as connection:
            document = graph.documents_of(connection, [ref]).get(ref)
        if document is None:
            raise NotFoundError(Sentence("Template %(ref)s not found", ref=ref))
        location = location_of(document)
        place = self._templates.standing([location])[location]
        if isinstance(place, PortalError):
            raise place
        target, head = place
        # A path of the same repository: a record, which anybody may have written, leads to no other.
        former = target.path_of(generation.location)
        is_plain = former is not None and _PLAIN_PATH.fullmatch(former) and ".." not in former.split("/")
        locations = [generation.location, location] if is_plain else [location]
        lineage = self._templates.lineages([head])[head]
        changes = (
            None if isinstance(lineage, PortalError) else lineage.since(generation.commit, dirname(target.pattern))
        )
        return _Template(
            template_at(self._templates, ref, locations=[location], commit=head.commit),
            template_at(self._templates, ref, locations=locations, commit=generation.commit),
            changes,
        )

    def _merge(
        self,
        place: MergePlace,
        template: _Template,
        generation: Generation,
        values: Mapping[str, Any],
        *,
        record: bytes,
        room: Path,
        asking: Asking,
    ) -> Merged:
        before, after = room / "before", room / "after"
        self._rerenders.render(template.then, generation, into=before, room=room / "then", asking=asking)
        now = replace(generation, parameters=values)
        self._rerenders.render(template.now, now, into=after, room=room / "now", asking=asking)
        # The record is nobody else's: what it says now goes in whole, whatever it said.
        done = replace(now, commit=template.now.commit, location=template.now.location)
        Workspace(before).put(RECORD_FILE, record)
        Workspace(after).put(RECORD_FILE, done.to_text().encode())
        # Catalog files name the old commit until they are merged: a line that every upgrade changes would be in
        # conflict with all that is written beside it.
        return place.merge(
            before,
            after,
            names=("repository", "template"),
            finished=CATALOG_FILE,
            finish=lambda content: restamped(content, before=generation.commit, after=template.now.commit),
        )


def _values(template: _Template, generation: Generation, given: Mapping[str, Any], *, asking: Asking) -> dict[str, Any]:
    """Return the values to render with now. Raises `ValuesError` where there are too few, or they do not fit."""
    document = template.now.document
    if asking.rights is not None:
        document = asking.rights.permitted(document)
    form = pages(document)
    unknown = sorted(given.keys() - parameter_names(form) - generation.parameters.keys())
    if unknown:
        raise InputError(
            Sentence("%(template)s has no parameter %(unknown)s", template=generation.template, unknown=list(unknown))
        )
    values = new_defaults(pages(template.then.document), form) | dict(generation.parameters) | dict(given)
    errors = [error for page in form for error in values_errors([page], values)]
    if not errors:
        return values
    missing = sorted({str(error["argument"]) for error in errors if error["name"] == "required" and not error["path"]})
    told = [error["stack"] for error in errors]
    if missing:
        told.insert(
            0,
            Sentence(
                "%(template)s asks for more by now: %(missing)s; give each a value",
                template=generation.template,
                missing=missing,
            ),
        )
    raise ValuesError(lines(dict.fromkeys(told)), errors)


def _message(upgrade: Upgrade, changes: Sequence[Link], values: Mapping[str, Any]) -> str:
    name = EntityRef(upgrade.template).name
    rows = [f"upgrade: {name} from {upgrade.before[:_SHORT]} to {upgrade.after[:_SHORT]}", ""]
    rows += [f"What {upgrade.template} makes now is merged into what has become of what it made."]
    if values:
        rows += ["", f"With other values for: {', '.join(sorted(values))}"]
    if changes:
        rows += ["", "The template's changes:"]
        rows += [f"- {link.commit[:_SHORT]} {link.subject}" for link in changes[:_MOST_NAMED]]
        rows += [f"- and {len(changes) - _MOST_NAMED} more"] if len(changes) > _MOST_NAMED else []
    if upgrade.conflicts:
        rows += ["", "Not decided; texts hold both sides between marks:"]
        rows += [f"- {sentence}" for sentence in upgrade.conflicts]
    return "\n".join(rows).replace("\0", "") + "\n"
