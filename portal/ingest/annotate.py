"""Says on each entity where it comes from: its file, its origin, where people see it, edit it, find its folder."""

from __future__ import annotations

from functools import partial

from portal.ingest.meaning import Annotate
from portal.model.entity import (
    EDIT_URL_ANNOTATION,
    LOCATION_ANNOTATION,
    ORIGIN_ANNOTATION,
    ORPHAN_ANNOTATION,
    SOURCE_ANNOTATION,
    VIEW_URL_ANNOTATION,
)
from portal.model.hosted import Links, hosted_url, links, shown_url
from portal.model.integration import Integrations
from portal.model.location import GENERATED_PREFIX

_KINDS_KEPT = 10_000


class Annotator:
    """Makes the annotations of entities from the locations of their files.

    Rule: `AnnotateLocationEntityProcessor` of catalog-backend 4.0.0. For files of `REMOTE#BRANCH:PATH`, which no
    Backstage knows, the urls are those at which the host shows the same file, where it is a known one; what no
    browser opens has no url to be seen at.
    """

    def __init__(self, integrations: Integrations) -> None:
        self._integrations = integrations
        self._kinds: dict[str, str] = {}

    def of(self, origin: str) -> Annotate:
        """Return what gives the annotations of the entities of a file, by its location; `origin` led to all of them."""
        return partial(self.annotations, origin=origin)

    def annotations(self, location: str, *, origin: str, is_orphan: bool = False) -> dict[str, str]:
        """Return the annotations of an entity; `origin` is the root location that led to its file's `location`."""
        location = location.removeprefix(GENERATED_PREFIX)
        found = {LOCATION_ANNOTATION: location, ORIGIN_ANNOTATION: origin}
        if is_orphan:
            found[ORPHAN_ANNOTATION] = "true"
        if not location.startswith("url:"):
            return found
        url = location.removeprefix("url:")
        remote, mark, fragment = url.partition("#")
        shown = self._links(url) if not mark else self._links_of_remote(url, remote, fragment)
        if shown.view.startswith(("https://", "http://")):
            found[VIEW_URL_ANNOTATION] = shown.view
        if shown.edit:
            found[EDIT_URL_ANNOTATION] = shown.edit
        if shown.folder:
            found[SOURCE_ANNOTATION] = f"url:{shown.folder}"
        return found

    def _links(self, url: str) -> Links:
        # The files of a folder are of one host; what a url is depends on nothing behind its last slash but a query.
        folder = url.rpartition("/")[0]
        kind = self._kinds.get(folder)
        if kind is None:
            found = hosted_url(url, self._integrations)
            kind = found.type if found else ""
            if len(self._kinds) >= _KINDS_KEPT:
                self._kinds.clear()
            self._kinds[folder] = kind
        return links(url, kind)

    def _links_of_remote(self, url: str, remote: str, fragment: str) -> Links:
        branch, _, path = fragment.partition(":")
        shown = shown_url(remote, branch, path, self._integrations)
        if shown:
            return self._links(shown)
        folder, slash, _ = path.rpartition("/")
        return Links(url, folder=f"{remote}#{branch}:{folder}{slash}")
