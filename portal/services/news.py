"""Tells what changed in the catalog lately, the newest first, once for each revision."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from portal.model.ref import EntityRef
from portal.services.by_visibility import ByVisibility
from portal.store import news, sources
from portal.store.database import Database

_REVISIONS, _EACH = 8, 3


@dataclass(frozen=True, slots=True)
class Piece:
    """One change of an entity: added, changed or removed."""

    ref: EntityRef
    change: str


@dataclass(frozen=True, slots=True)
class Story:
    """What one revision changed: how many entities came, changed and went, and the first of them.

    `authors` (without addresses) and `commits` are of these, each once; `when_ms` is when it was recorded.
    """

    revision: int
    when_ms: int
    added: int
    changed: int
    removed: int
    pieces: list[Piece]
    authors: Collection[str]
    commits: Collection[str]

    @property
    def total(self) -> int:
        """How many entities it concerns."""
        return self.added + self.changed + self.removed

    @property
    def more(self) -> int:
        """How many entities are not told."""
        return self.total - len(self.pieces)


class NewsService:
    """Answers what is new."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._known: ByVisibility[tuple[int, list[Story]]] = ByVisibility()

    def latest(self) -> list[Story]:
        """Return what the last revisions changed of what may be read."""
        with self._database.reading() as connection:
            revision = sources.current_revision(connection)
            known = self._known.get(connection)
            if known is not None and known[0] == revision:
                return known[1]
            found = [_story(item) for item in news.newest(connection, limit=_REVISIONS, each=_EACH)]
            if known is None or known[0] < revision:
                self._known.keep(connection, (revision, found))
        return found


def _story(item: news.News) -> Story:
    told = item.versions
    return Story(
        item.revision,
        item.recorded_at_ms,
        item.counts.get("added", 0),
        item.counts.get("changed", 0),
        item.counts.get("removed", 0),
        [Piece(version.ref, version.change) for version in told],
        tuple(dict.fromkeys(version.author_name for version in told if version.author_name)),
        tuple(dict.fromkeys(version.commit for version in told if version.commit)),
    )
