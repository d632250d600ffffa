"""The page of all owners: groups as a tree, people as a list."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from flask import Blueprint, abort, render_template, request

from portal.errors import InputError
from portal.model.filter import Match
from portal.model.query import TEXT_FIELDS, EntityQuery, TextSearch
from portal.model.ref import EntityRef
from portal.model.sentence import Sentence
from portal.services.catalog import CatalogService
from portal.services.directory import Directory, DirectoryService, Extent, GroupEntry
from portal.web.listed import Listed
from portal.web.numbered_pages import NumberedPage

_GROUPS_AT_ONCE = 100
_PEOPLE_AT_ONCE = 50
#: A tree opens level by level until it has so many rows.
_MOST_ROWS = 100
#: So many groups of one parent are shown below it; its own page of the tree has all.
_MOST_CHILDREN = 25
_MOST_GROUPS_NAMED = 4
_PERSON_FIELDS = (*TEXT_FIELDS, "spec.profile.displayname", "spec.profile.email")


@dataclass(frozen=True, slots=True)
class TreeRow:
    """A group in the tree, `depth` levels in; `more` of its children are not shown below it."""

    depth: int
    entry: GroupEntry
    extent: Extent
    owned: int
    path: Sequence[GroupEntry] = ()
    more: int = 0


@dataclass(frozen=True, slots=True)
class PersonRow:
    """Somebody in the list of people."""

    ref: EntityRef
    title: str
    email: str
    groups: Listed
    owned: int
    problems: int


def add_owners(blueprint: Blueprint, directory: DirectoryService, catalog: CatalogService) -> None:
    """Add the page."""

    @blueprint.get("/owners")
    def owners() -> str:
        known = directory.now()
        text = request.args.get("q", "").replace("\0", "").strip()
        shows_people = request.args.get("view") == "people"
        shown = _people(catalog, known, text) if shows_people else _groups(known, text)
        return render_template(
            "owners.html",
            directory=known,
            text=text,
            shows_people=shows_people,
            matching=_matching(known, text) if text else None,
            owned=sum(known.owned.values()),
            strangers=Listed.of(sorted(known.strangers.items(), key=lambda item: (-item[1], item[0]))),
            **shown,
        )


def tree(directory: Directory, top: Iterable[EntityRef], *, depth: int = 0, most: int = _MOST_ROWS) -> list[TreeRow]:
    """Return some groups, each followed by those below it: level by level, as long as there are at most `most`."""
    tops = list(top)
    opened: dict[EntityRef, list[EntityRef]] = {}
    count, level = len(tops), list(tops)
    # A group that stands below several others is opened once: else those above each other would never end.
    seen = set(tops)
    while level:
        below: list[EntityRef] = []
        for ref in level:
            children = [child for child in directory.groups[ref].children if child not in seen][:_MOST_CHILDREN]
            if children and count + len(children) <= most:
                opened[ref] = children
                count += len(children)
                seen.update(children)
                below += children
        level = below
    rows: list[TreeRow] = []
    stack = [(depth, ref) for ref in reversed(tops)]
    while stack:
        at, ref = stack.pop()
        children = opened.get(ref, [])
        rows.append(row(directory, ref, depth=at, shown=len(children)))
        stack += [(at + 1, child) for child in reversed(children)]
    return rows


def row(directory: Directory, ref: EntityRef, *, depth: int = 0, shown: int = 0) -> TreeRow:
    """Return a group for a list, of whose children so many are `shown`."""
    entry = directory.groups[ref]
    return TreeRow(depth, entry, directory.extent(ref), directory.owned.get(ref, 0), more=len(entry.children) - shown)


def _groups(directory: Directory, text: str) -> dict[str, Any]:
    if text:
        found = _matching(directory, text)
        page = NumberedPage.asked(len(found), size=_GROUPS_AT_ONCE)
        rows = [
            TreeRow(0, entry, directory.extent(entry.ref), directory.owned.get(entry.ref, 0), directory.path(entry.ref))
            for entry in page.of(found)
        ]
        return {"page": page, "rows": rows, "root": None, "path": ()}
    root = _root(directory)
    top = directory.groups[root].children if root is not None else directory.roots
    page = NumberedPage.asked(len(top), size=_GROUPS_AT_ONCE)
    if root is None:
        return {"page": page, "rows": tree(directory, page.of(top)), "root": None, "path": ()}
    head = row(directory, root, shown=len(top))
    rows = [head, *tree(directory, [ref for ref in page.of(top) if ref != root], depth=1)]
    return {"page": page, "rows": rows, "root": directory.groups[root], "path": directory.path(root)}


def _root(directory: Directory) -> EntityRef | None:
    """Return the group that the tree is asked to begin at."""
    text = request.args.get("root", "")
    if not text:
        return None
    try:
        root = EntityRef.parse(text, default_kind="group")
    except InputError:
        root = None
    if root not in directory.groups:
        abort(404, Sentence("The catalog has no group %(group)s.", group=text))
    return root


def _matching(directory: Directory, text: str) -> list[GroupEntry]:
    wanted = text.lower()
    return [
        entry
        for ref, entry in directory.groups.items()
        if wanted in entry.title.lower() or wanted in ref.name or wanted in entry.type.lower()
    ]


def _people(catalog: CatalogService, directory: Directory, text: str) -> dict[str, Any]:
    search = TextSearch(text, _PERSON_FIELDS) if text else None
    query = EntityQuery(Match.of("kind", ["user"]), text=search)
    total = catalog.query(query, limit=0).total_items
    page = NumberedPage.asked(total, size=_PEOPLE_AT_ONCE)
    bodies = catalog.query(query, limit=page.size, offset=page.offset).bodies
    return {"page": page, "people": [_person(directory, orjson.loads(body)) for body in bodies]}


def _person(directory: Directory, document: Mapping[str, Any]) -> PersonRow:
    metadata = document["metadata"]
    ref = EntityRef.of(document["kind"], metadata.get("namespace", "default"), metadata["name"])
    groups = [EntityRef(item["targetRef"]) for item in document["relations"] if item["type"] == "memberOf"]
    listed = [directory.groups[group] for group in groups if group in directory.groups]
    return PersonRow(
        ref,
        name_of(document),
        profile_of(document).get("email", ""),
        Listed(listed[:_MOST_GROUPS_NAMED], len(listed)),
        directory.owned.get(ref, 0),
        directory.problems.get(ref, 0),
    )


def profile_of(document: Mapping[str, Any]) -> dict[str, str]:
    """Return the texts of a group's or person's profile; kinds of others may have anything there."""
    profile = (document.get("spec") or {}).get("profile")
    found = profile if isinstance(profile, dict) else {}
    return {name: value for name, value in found.items() if isinstance(value, str)}


def name_of(document: Mapping[str, Any]) -> str:
    """Return what a group or person is called."""
    metadata = document["metadata"]
    return str(metadata.get("title") or profile_of(document).get("displayName") or metadata["name"])
