"""Lists what templates have generated, with how far each repository is behind its template."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from posixpath import dirname
from typing import Any

import orjson

from portal.errors import NotFoundError, PortalError
from portal.model.entity import LOCATION_ANNOTATION, TEMPLATE_ANNOTATION, TEMPLATE_COMMIT_ANNOTATION
from portal.model.integration import NO_INTEGRATIONS, Integrations
from portal.model.location import GENERATED_PREFIX, Target, parse_location, parse_target
from portal.model.login import without_credentials
from portal.model.ref import EntityRef
from portal.model.relation import GENERATED_FROM
from portal.model.sentence import Sentence
from portal.services.templates import Templates
from portal.store import catalog, graph, sources
from portal.store.catalog import Origin
from portal.store.database import Connection, Database
from portal.vcs.lineage import Lineage

_NO_COMMIT = Sentence("its catalog file does not tell the commit that it was generated at")
_GONE = Sentence("its template is not in the catalog any more, or may not be read")
_REWRITTEN = Sentence("its commit is not in the history of the template's branch, or too far back in it")
_NO_REPOSITORY = Sentence("it does not lie in a git repository")


@dataclass(frozen=True, slots=True)
class Generated:
    """A repository with the entities that one template has generated in it.

    `behind` counts the commits that have changed the template's folder since; None is not known, for the reason
    `note`. `commit` is empty where nothing tells it. `target` is where the first of the entities is read.
    """

    template: EntityRef
    entities: tuple[EntityRef, ...]
    repository: str
    branch: str
    commit: str
    behind: int | None
    note: str
    target: Target | None = None

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON tells it."""
        return {
            "template": self.template,
            "entities": list(self.entities),
            "repository": self.repository or None,
            "branch": self.branch or None,
            "commit": self.commit or None,
            "behind": self.behind,
            "note": self.note or None,
        }


@dataclass(frozen=True, slots=True)
class TemplateState:
    """A template with the commit of its branch now, and the last one that changed its folder; empty: not known."""

    ref: EntityRef
    commit: str = ""
    changed: str = ""
    note: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON tells it."""
        return {
            "template": self.ref,
            "commit": self.commit or None,
            "changed": self.changed or None,
            "note": self.note or None,
        }


@dataclass(frozen=True, slots=True)
class GeneratedList:
    """What templates have generated, what is furthest behind first."""

    templates: tuple[TemplateState, ...]
    items: tuple[Generated, ...]

    def to_json(self) -> dict[str, Any]:
        """Return the list as JSON tells it."""
        return {
            "templates": [state.to_json() for state in self.templates],
            "items": [item.to_json() for item in self.items],
        }


@dataclass(frozen=True, slots=True)
class _Standing:
    state: TemplateState
    folder: str = ""
    lineage: Lineage | None = None


class GeneratedService:
    """Reads from the catalog what was generated from what, from the templates' repositories what has changed since."""

    def __init__(
        self, database: Database, templates: Templates, *, integrations: Integrations = NO_INTEGRATIONS
    ) -> None:
        self._database = database
        self._templates = templates
        self._integrations = integrations

    def listing(self, template: EntityRef | None = None) -> GeneratedList:
        """Return what one template, or any, has generated, as far as whoever asks may read it.

        Each remote of a template is asked once where it stands, and its history read once. Raises `NotFoundError` for a
        template of which neither itself is there nor anything that names it.
        """
        with self._database.reading() as connection:
            origins = self._origins(connection, template)
            named = {ref: template_of(origin) for ref, origin in origins.items()}
            wanted = {ref for ref in named.values() if ref is not None} | ({template} if template else set())
            documents = graph.documents_of(connection, wanted)
            trusted = {source.id for source in sources.list_sources(connection) if not source.registered}
        if template is not None and template not in documents and not origins:
            raise NotFoundError(Sentence("Template %(template)s not found", template=template))
        standing = self._standing(wanted, documents)
        groups: dict[tuple[EntityRef, str, str], list[tuple[Origin, Target | None]]] = {}
        for ref, origin in sorted(origins.items()):
            of = named[ref]
            if of is not None:
                target = self.target(origin, is_trusted=origin.source_id in trusted)
                place = (without_credentials(target.tree.root), target.tree.branch) if target else ("", origin.location)
                groups.setdefault((of, *place), []).append((origin, target))
        items = [_generated(of, found, standing[of]) for (of, *_), found in groups.items()]
        items.sort(key=lambda item: (item.behind is None, -(item.behind or 0), item.template, item.entities))
        return GeneratedList(tuple(standing[ref].state for ref in sorted(wanted)), tuple(items))

    def target(self, origin: Origin, *, is_trusted: bool) -> Target | None:
        """Return the file of git that an entity is read from, None for one that is not."""
        if origin.location.startswith(GENERATED_PREFIX):
            return None
        try:
            target = parse_target(*parse_location(origin.location), trusted=is_trusted, integrations=self._integrations)
        except PortalError:
            return None
        return target if target.tree.type == "git" else None

    def _origins(self, connection: Connection, template: EntityRef | None) -> dict[EntityRef, Origin]:
        if template is None:
            refs: Iterable[EntityRef] = graph.declared_with_relation(connection, GENERATED_FROM.forward)
        else:
            found = graph.relations_from(connection, [template], types=[GENERATED_FROM.inverse])
            refs = {relation.target for relation in found}
        return catalog.origins(connection, sorted(refs))

    def _standing(
        self, refs: Iterable[EntityRef], documents: Mapping[EntityRef, Mapping[str, Any]]
    ) -> dict[EntityRef, _Standing]:
        locations = {ref: location_of(documents[ref]) for ref in refs if ref in documents}
        places = self._templates.standing(set(locations.values()))
        lineages = self._templates.lineages({place[1] for place in places.values() if isinstance(place, tuple)})
        found: dict[EntityRef, _Standing] = {}
        for ref in refs:
            place = places[locations[ref]] if ref in locations else None
            if place is None:
                found[ref] = _Standing(TemplateState(ref, note=_GONE))
            elif isinstance(place, PortalError):
                found[ref] = _Standing(TemplateState(ref, note=place.message))
            else:
                target, head = place
                lineage, folder = lineages[head], dirname(target.pattern)
                if isinstance(lineage, PortalError):
                    found[ref] = _Standing(TemplateState(ref, head.commit, note=lineage.message))
                else:
                    last = lineage.last(folder)
                    state = TemplateState(ref, head.commit, last.commit if last else "")
                    found[ref] = _Standing(state, folder, lineage)
        return found


def location_of(document: Mapping[str, Any]) -> str:
    """Return the location that the catalog has written on an entity."""
    return str((document["metadata"].get("annotations") or {}).get(LOCATION_ANNOTATION, ""))


def template_of(origin: Origin) -> EntityRef | None:
    """Return the template that an entity names as its origin, None for one that names none."""
    name = _annotations(origin).get(TEMPLATE_ANNOTATION)
    try:
        return EntityRef.parse(name, default_kind="template") if isinstance(name, str) and name else None
    except PortalError:
        return None


def _annotations(origin: Origin) -> Mapping[str, Any]:
    found: Mapping[str, Any] = orjson.loads(origin.body)["metadata"].get("annotations") or {}
    return found


def _generated(template: EntityRef, found: Sequence[tuple[Origin, Target | None]], standing: _Standing) -> Generated:
    # Entities of one repository are brought up to date together; were they not, the oldest would tell.
    commits = {str(_annotations(origin).get(TEMPLATE_COMMIT_ANNOTATION, "")) for origin, _ in found} - {""}
    behind = {commit: _behind(commit, standing) for commit in sorted(commits)}
    commit = max(behind, key=lambda one: (behind[one] is None, behind[one] or 0), default="")
    target = found[0][1]
    note = ""
    if standing.lineage is None:
        note = standing.state.note
    elif not commit:
        note = _NO_COMMIT
    elif behind[commit] is None:
        note = _REWRITTEN
    return Generated(
        template,
        tuple(origin.ref for origin, _ in found),
        without_credentials(target.tree.root) if target else "",
        target.tree.branch if target else "",
        commit,
        behind.get(commit),
        note if target else note or _NO_REPOSITORY,
        target,
    )


def _behind(commit: str, standing: _Standing) -> int | None:
    since = standing.lineage.since(commit, standing.folder) if standing.lineage else None
    return None if since is None else len(since)
