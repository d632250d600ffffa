"""Tells those who follow the catalog what changes, as it is committed by any process."""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from portal.errors import InputError, ServiceUnavailableError
from portal.store import sources
from portal.store.database import Database
from portal.store.versions import Version, place_of_revision, versions_since

_log = logging.getLogger(__name__)

_LOOK_SECONDS = 0.5
#: A follower who is told nothing for so long is told that: only then a server notices that the client has left.
_BEAT_SECONDS = 5.0
_PORTION = 500
#: Portions kept for followers at the same place, who are told the same.
_PORTIONS_KEPT = 16


class ChangeFeed:
    """The changes of the catalog as they come.

    One thread looks for a new revision as long as anybody follows; what is new is read once for all who stand at the
    same place. A place is the id of a version, which nothing ever renumbers: a follower goes on from it at any server.
    """

    def __init__(
        self,
        database: Database,
        *,
        most: int,
        look_seconds: float = _LOOK_SECONDS,
        beat_seconds: float = _BEAT_SECONDS,
    ) -> None:
        self._database = database
        self._most = most
        self._look_seconds = look_seconds
        self.beat_seconds = beat_seconds
        self._changed = threading.Condition()
        self._reading = threading.Lock()
        self._portions: OrderedDict[tuple[int, int, str], Sequence[Version]] = OrderedDict()
        self._revision = -1
        self._followers: set[Follower] = set()
        self._watcher: threading.Thread | None = None
        self._closed = False

    def follow(self, *, since: int | None = None, place: int | None = None) -> Follower:
        """Return who is told all that happens after a place or a revision, or from now on; it must be closed.

        Raises `InputError` for a place or revision that is not there yet, `ServiceUnavailableError` when as many follow
        already as may.
        """
        # Places are told to everybody; a follower may have been told of what they may no longer read.
        with self._database.whole.reading() as connection:
            newest = sources.current_revision(connection)
            if since is not None and since > newest:
                raise InputError(f"There is no revision {since} yet; the newest is {newest}")
            last = place_of_revision(connection, newest)
            if place is not None and place > last:
                raise InputError(f"There is no change {place} yet; the newest is {last}")
            if place is None:
                place = last if since is None else place_of_revision(connection, since)
        with self._changed:
            if len(self._followers) >= self._most or self._closed:
                raise ServiceUnavailableError(
                    f"No more than {self._most} clients may follow the changes at once; try later"
                )
            self._revision = max(self._revision, newest)
            follower = Follower(self, place)
            self._followers.add(follower)
            if self._watcher is None:
                self._watcher = threading.Thread(target=self._watch, name="portal-feed", daemon=True)
                self._watcher.start()
            self._changed.notify_all()
        return follower

    def leave(self, follower: Follower) -> None:
        """Tell a follower nothing more."""
        with self._changed:
            self._followers.discard(follower)
            self._changed.notify_all()

    @property
    def followers(self) -> int:
        """How many follow now."""
        return len(self._followers)

    @property
    def is_closed(self) -> bool:
        """Whether nobody is told anything more."""
        return self._closed

    def close(self) -> None:
        """End with all followers."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        if self._watcher is not None:
            self._watcher.join()

    def wait(self, follower: Follower) -> Sequence[Version]:
        """Return what comes next for a follower; nothing when that takes too long, or when it has ended."""
        with self._changed:
            seen = self._revision
        found = self._after(follower.place, seen)
        if not found:
            with self._changed:
                self._changed.wait_for(
                    lambda: self._revision != seen or self._closed or follower not in self._followers,
                    self.beat_seconds,
                )
                seen = self._revision
            found = self._after(follower.place, seen)
        return found

    def _after(self, place: int, revision: int) -> Sequence[Version]:
        """Return the next portion behind a place, of which all is told that was committed up to a revision."""
        # What a follower may read is asked anew with each revision: nobody follows for a moment only.
        key = self._database.visibility(revision).key
        with self._reading:
            found = self._portions.get((place, revision, key))
            if found is None:
                with self._database.reading() as connection:
                    found = versions_since(connection, 0, after=place, limit=_PORTION)
                self._portions[place, revision, key] = found
                while len(self._portions) > _PORTIONS_KEPT:
                    self._portions.popitem(last=False)
            return found

    def _watch(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._closed or self._followers)
            try:
                revision = self._database.lookup.revision()
            except Exception:  # noqa: BLE001  # the thread's edge: one failed look must not end the looking
                _log.exception("looking for changes failed")
                revision = -1
            with self._changed:
                if revision > self._revision:
                    self._revision = revision
                    self._changed.notify_all()
                if self._closed or self._changed.wait_for(lambda: self._closed, self._look_seconds):
                    return


@dataclass(eq=False, slots=True)
class Follower:
    """One who follows; `place` is that of the last change told."""

    feed: ChangeFeed
    place: int
    _left: threading.Event = field(default_factory=threading.Event)

    def portions(self) -> Iterator[Sequence[Version]]:
        """Yield changes as they come, in their order; an empty portion where none came for a while."""
        while not (self._left.is_set() or self.feed.is_closed):
            found = self.feed.wait(self)
            if found:
                self.place = found[-1].id
            yield found

    def close(self) -> None:
        """Follow no longer."""
        self._left.set()
        self.feed.leave(self)
