"""Tells by a text what a source's last refresh was made from."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from functools import cached_property
from typing import Any

import orjson

from portal.model.kind import Kinds
from portal.model.location import Tree
from portal.providers.contract import TreeProvider
from portal.services.builds import Build
from portal.services.reading import TreeReader
from portal.store.sources import Source


class Fingerprints:
    """Fingerprints of refreshes under one meaning: a text for the settings and built-in kinds that they were under.

    `meaning` is asked for it when a source is first looked at. A fingerprint holds the trees with their commits, and
    what each declared kind meant, where there was any.
    """

    def __init__(self, meaning: Callable[[], str], providers: Mapping[str, TreeProvider]) -> None:
        self._find_meaning = meaning
        self._providers = providers

    @cached_property
    def _meaning(self) -> str:
        return self._find_meaning()

    def of(self, build: Build, kinds: Kinds) -> str:
        """Return a text that stays the same as long as a refresh would find nothing new.

        That of a build that could not read everything is like no other: the next refresh reads all anew.
        """
        if not build.is_complete:
            return _text({"meaning": "", "heads": {}, "trusted": []}, kinds) if kinds.declared else ""
        commits = build.commits
        heads = {f"{tree.type} {tree.root} {tree.branch}": commit for tree, commit in commits.items()}
        parts = {"meaning": self._meaning, "heads": heads, "trusted": sorted(t.root for t in commits if t.trusted)}
        return _text(parts, kinds)

    def unchanged(self, sources: Collection[Source], kinds: Kinds, reader: TreeReader) -> set[str]:
        """Return the ids of sources that stand where they stood at their last refresh: all trees, all kinds."""
        remembered = {source.id: {} if self.changed_kinds(source, kinds) else self.trees(source) for source in sources}
        trees = {tree for found in remembered.values() for tree in found}
        now = reader.commits(trees)
        return {
            identity
            for identity, found in remembered.items()
            if found and all(commit and now.get(tree) == commit for tree, commit in found.items())
        }

    def trees(self, source: Source) -> dict[Tree, str]:
        """Return where the trees stood at a source's last refresh; empty when everything must be read anew."""
        if not source.fingerprint:
            return {}
        known = orjson.loads(source.fingerprint)
        if known["meaning"] != self._meaning:
            return {}
        return commits_of(source.fingerprint)

    @staticmethod
    def changed_kinds(source: Source, kinds: Kinds) -> frozenset[str]:
        """Return the declared kinds (lower case) that meant something else, or nothing, at a source's last refresh."""
        before = orjson.loads(source.fingerprint).get("kinds", {}) if source.fingerprint else {}
        now = kinds.declared
        return frozenset(name for name in before.keys() | now.keys() if before.get(name) != now.get(name))

    @staticmethod
    def under(kinds: Kinds, sources: Collection[Source]) -> dict[str, tuple[str, str]]:
        """Return the fingerprints of sources, by id, as they are and as they are under other kinds."""
        return {
            source.id: (source.fingerprint, _text(orjson.loads(source.fingerprint), kinds))
            for source in sources
            if source.fingerprint
        }


def commits_of(fingerprint: str) -> dict[Tree, str]:
    """Return the commits that the trees stood at at a refresh, whatever it was made under; empty where not known."""
    known = orjson.loads(fingerprint) if fingerprint else {"heads": {}, "trusted": ()}
    trusted = set(known["trusted"])
    found = {}
    for text, commit in known["heads"].items():
        kind, root, branch = text.split(" ", 2)
        found[Tree(kind, root, branch, root in trusted)] = commit
    return found


def _text(parts: dict[str, Any], kinds: Kinds) -> str:
    parts.pop("kinds", None)
    if kinds.declared:
        parts["kinds"] = dict(kinds.declared)
    return orjson.dumps(parts, option=orjson.OPT_SORT_KEYS).decode()
