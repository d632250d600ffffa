"""Reads files of many trees as one refresh sees them: each tree listed once, files in sets."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from portal.errors import NotAllowedError, PortalError, RevisionNotFoundError
from portal.ingest.inclusions import Given, Inclusions
from portal.model.location import Target, Tree
from portal.providers.contract import Listing, TreeProvider


class TreeReader:
    """The trees that a refresh has come across, by provider."""

    def __init__(self, providers: Mapping[str, TreeProvider]) -> None:
        self._providers = providers
        self.listings: dict[Tree, Listing | PortalError] = {}
        self._commits: dict[Tree, str] = {}

    def commits(self, trees: Collection[Tree]) -> dict[Tree, str | PortalError]:
        """Return the commit at which each tree stands now, or why it is unknown; a listing of it is at that commit."""
        found: dict[Tree, str | PortalError]
        found = self._by_type(trees, lambda provider, wanted: provider.commits(wanted))
        self._commits |= {tree: commit for tree, commit in found.items() if isinstance(commit, str) and commit}
        return found

    def locate(self, targets: Collection[Target]) -> dict[Target, tuple[Target, Listing] | PortalError]:
        """Return the listing that each target names files of, or why there is none.

        Where a host's url has no branch of the name that it seems to have, its branch is one with `/`: the target
        comes back as it then reads.
        """
        self._list({target.tree for target in targets})
        longer = {
            target: target.longer_branches()
            for target in targets
            if isinstance(self.listings[target.tree], RevisionNotFoundError)
        }
        self._list({other.tree for others in longer.values() for other in others})
        found: dict[Target, tuple[Target, Listing] | PortalError] = {}
        for target in targets:
            listing = self.listings[target.tree]
            found[target] = listing if isinstance(listing, PortalError) else (target, listing)
            for other in longer.get(target, ()):
                listing = self.listings[other.tree]
                if not isinstance(listing, PortalError):
                    found[target] = (other, listing)
                    break
        return found

    def include(self, inclusions: Inclusions, *, size_limit_bytes: int) -> dict[Tree, Listing | PortalError]:
        """Read what the inclusions want, in rounds; return the trees that were asked for it."""
        asked: dict[Tree, Listing | PortalError] = {}
        while wanted := inclusions.wanted():
            found: dict[Target, Given] = {}
            present: dict[Tree, list[tuple[Target, Target]]] = {}
            for target, located in self.locate(wanted).items():
                if isinstance(located, PortalError):
                    asked[target.tree] = located
                    found[target] = Given(target, "", located.message)
                    continue
                real, listing = located
                asked[listing.tree] = listing
                entry = listing.files.get(real.pattern)
                if entry is None or entry.is_symlink:
                    why = "the file does not exist" if entry is None else "it is a symbolic link"
                    found[target] = Given(real, entry.blob if entry else "", why)
                else:
                    present.setdefault(listing.tree, []).append((target, real))
            for tree, pairs in present.items():
                listing = _listed(self.listings[tree])
                paths = {real.pattern for _, real in pairs}
                contents = self._providers[tree.type].read(listing, paths, size_limit_bytes=size_limit_bytes)
                for target, real in pairs:
                    content = contents[real.pattern]
                    known = f"it has {content:,} bytes" if isinstance(content, int) else content
                    found[target] = Given(real, listing.files[real.pattern].blob, known)
            inclusions.give(found)
        return asked

    def _list(self, trees: Collection[Tree]) -> None:
        wanted = set(trees) - self.listings.keys()
        self.listings |= self._by_type(wanted, lambda provider, some: provider.listings(some, at=self._commits))

    def _by_type(self, trees: Collection[Tree], ask: Any) -> dict[Tree, Any]:
        found: dict[Tree, Any] = {}
        for kind in sorted({tree.type for tree in trees}):
            some = [tree for tree in trees if tree.type == kind]
            if kind in self._providers:
                found |= ask(self._providers[kind], some)
            else:
                found |= dict.fromkeys(some, NotAllowedError(f"Nothing here reads a location of type {kind}"))
        return found


def _listed(listing: Listing | PortalError) -> Listing:
    if isinstance(listing, PortalError):
        raise listing
    return listing
