"""Leads people to the line of a file, at the host that shows it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from portal.ingest.annotate import Annotator
from portal.model.entity import VIEW_URL_ANNOTATION
from portal.model.hosted import hosted_url
from portal.model.integration import Integrations
from portal.model.ref import EntityRef
from portal.store.database import Database
from portal.store.places import places_of

#: The hosts that take `#L14` for a line.
_NUMBER_LINES = frozenset({"github", "gitlab", "gitea"})


@dataclass(frozen=True, slots=True)
class Place:
    """A file, as `type:target`, and a line in it from 1; `url` is where people see it, empty where they cannot."""

    location: str
    line: int | None
    url: str = ""

    def __str__(self) -> str:
        """Return `file:line`."""
        return self.location if self.line is None else f"{self.location}:{self.line}"


class PlacesService:
    """Answers where things stand in files."""

    def __init__(self, database: Database, integrations: Integrations) -> None:
        self._database = database
        self._integrations = integrations
        self._annotator = Annotator(integrations)

    def of_entities(self, refs: Collection[EntityRef]) -> Mapping[EntityRef, Place]:
        """Return where entities stand; those that no file declares are left out."""
        with self._database.reading() as connection:
            found = places_of(connection, refs)
        return {ref: self.of(place.location, place.line) for ref, place in found.items()}

    def of(self, location: str, line: int | None) -> Place:
        """Return the place of a line in a file that is given as `type:target`."""
        url = self._annotator.annotations(location, origin="").get(VIEW_URL_ANNOTATION, "")
        if url and line is not None:
            host = hosted_url(url, self._integrations)
            if host is not None and host.type in _NUMBER_LINES:
                url += f"#L{line}"
        return Place(location, line, url)
