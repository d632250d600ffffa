"""Finds out for a build who last touched the files that it read, or took away those that are gone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from portal.errors import PortalError
from portal.model.location import Tree
from portal.providers.contract import Authorship, Listing, TreeProvider
from portal.services.builds import Build


def add_authorship(
    build: Build,
    providers: Mapping[str, TreeProvider],
    listings: Mapping[Tree, Listing | PortalError],
    before: Mapping[Tree, str],
) -> None:
    """Note who touched each file that matters; `before` are the commits of the last refresh.

    A file that nothing names any more is still there: of the commit that did it only the one that was read is known.
    """
    wanted: dict[Tree, dict[str, str]] = {}
    for location in build.snapshot.compiled:
        if location in build.places:
            target, path = build.places[location]
            wanted.setdefault(target.tree, {})[path] = location
    for tree, path, location in _gone(build):
        listing = listings.get(tree)
        if listing is None or isinstance(listing, PortalError):
            continue
        if path in listing.files:
            build.authorship[location] = Authorship(listing.commit)
        else:
            wanted.setdefault(tree, {})[path] = location
    for tree, paths in wanted.items():
        listing = listings[tree]
        if not isinstance(listing, PortalError):
            authors = providers[tree.type].authorship(listing, list(paths), since=before.get(tree, ""))
            build.authorship |= {paths[path]: who for path, who in authors.items()}


def _gone(build: Build) -> Iterator[tuple[Tree, str, str]]:
    """Yield tree, path and location of each stored file that the snapshot no longer has."""
    gone = build.stored.files.keys() - build.snapshot.files.keys() - build.snapshot.unreadable
    if not gone:
        return
    # Of two trees whose locations begin alike the longer name is meant.
    ordered = sorted(build.reached.values(), key=lambda target: -len(target.prefix))
    for location in sorted(gone):
        for target in ordered:
            path = target.path_of(location)
            if path is not None:
                yield target.tree, path, location
                break
