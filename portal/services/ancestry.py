"""Tells which Location entities brought an entity into the catalog."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import orjson

from portal.errors import InputError
from portal.model.integration import Integrations
from portal.model.location import (
    DEFAULT_PATTERN,
    GENERATED_PREFIX,
    Target,
    is_absolute_target,
    parse_target,
    relative_target,
)
from portal.model.ref import EntityRef
from portal.store.catalog import Origin


@dataclass(frozen=True, slots=True)
class Ancestor:
    """An entity on the way from another one up to the root: its finished JSON text, and who named its file."""

    ref: EntityRef
    body: str
    parent_refs: tuple[EntityRef, ...]


def ancestry(entity: Origin, locations: Collection[Origin], *, integrations: Integrations) -> list[Ancestor]:
    """Return an entity, then each Location above it up to the one that stands for the source, nearest first.

    `locations` are the Location entities of the entity's source. The root has no parents. A Location that a refresh
    has not reached yet, or not any more, is left out.
    """
    naming = _naming(entity, locations, integrations)
    known = {item.ref: item for item in (*locations, entity)}
    found: list[Ancestor] = []
    seen = {entity.ref}
    pending = [entity]
    while pending:
        item = pending.pop(0)
        parents = tuple(sorted(naming.get(item.location, set()) - {item.ref}))
        found.append(Ancestor(item.ref, item.body, parents))
        pending += [known[ref] for ref in parents if ref not in seen]
        seen.update(parents)
    return found


def _naming(entity: Origin, locations: Collection[Origin], integrations: Integrations) -> Mapping[str, set[EntityRef]]:
    """Return, by file (`type:target`), the Location entities that name it; found from the root down."""
    by_file: dict[str, list[Origin]] = {}
    for item in locations:
        by_file.setdefault(item.location, []).append(item)
    files = {entity.location, *by_file}
    naming: dict[str, set[EntityRef]] = {}
    reached: dict[str, tuple[Target, str] | None] = {
        file: None for file in by_file if file.startswith(GENERATED_PREFIX)
    }
    pending = list(reached)
    while pending:
        file = pending.pop()
        for item in by_file.get(file, ()):
            for target in _targets(orjson.loads(item.body).get("spec") or {}, reached[file], integrations):
                for named, path in _named(target, files):
                    naming.setdefault(named, set()).add(item.ref)
                    if named not in reached:
                        reached[named] = (target, path)
                        pending.append(named)
    return naming


def _targets(spec: Mapping[str, Any], place: tuple[Target, str] | None, integrations: Integrations) -> Iterator[Target]:
    """Yield what a Location's spec names; `place` is its file, None for the Location that stands for a source."""
    texts = [spec["target"]] if "target" in spec else []
    for text in (*texts, *(spec.get("targets") or ())):
        try:
            if place is None:
                yield parse_target(str(spec.get("type", "url")), text, trusted=True, integrations=integrations)
            elif is_absolute_target(text):
                yield parse_target("url", text, integrations=integrations)
            else:
                here = replace(place[0], pattern=place[1])
                # Which of these the remote's branches bear out, the files that are there tell.
                for other in (here, *here.longer_branches()):
                    yield relative_target(other, base=other.pattern, relative=text)
        except InputError:
            # A problem of the refresh, which tells it with its place; it names no file.
            continue


def _named(target: Target, files: Collection[str]) -> list[tuple[str, str]]:
    """Return (file, path in its tree) of those of the files that a target names."""
    if not target.is_glob:
        # What names a folder stands for its catalog file.
        named = ((target.location(path), path) for path in (target.pattern, f"{target.pattern}/{DEFAULT_PATTERN}"))
        return [(file, path) for file, path in named if file in files][:1]
    paths = [(file, target.path_of(file)) for file in files]
    return [(file, path) for file, path in paths if path is not None and target.matches(path)]
