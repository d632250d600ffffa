"""Works out which entities somebody may read."""

from __future__ import annotations

import threading
from collections.abc import Callable

from portal.model.permission import CATALOG_PERMISSIONS, Conditional
from portal.model.permission_rules import entity_filter
from portal.model.visibility import ALL, NOTHING_AT_ALL, Visibility
from portal.services.identity import ANYBODY, Actor
from portal.services.permission import PermissionService, Question
from portal.store.sight import Sight, seeing

_READ = next(item for item in CATALOG_PERMISSIONS if item.name == "catalog.entity.read")
#: So many people are remembered; with the next one all are forgotten.
_MOST_REMEMBERED = 10_000


class VisibilityService:
    """Asks the policy once for each actor and revision: what it says may follow from groups, which the catalog has."""

    def __init__(self, permission: PermissionService, *, revision: Callable[[], int]) -> None:
        self._permission = permission
        self._revision = revision
        self._lock = threading.Lock()
        self._remembered: tuple[int, dict[str, Visibility]] = (-1, {})

    def of(self, actor: Actor, *, revision: int | None = None) -> Visibility:
        """Return what an actor may read as of a revision that was just read, the newest if None.

        Raises `PluginError` where the policy decides on something else than it was asked.
        """
        now = self._revision() if revision is None else revision
        # All of an actor but the token itself: a service's restrictions are a part of who it is.
        who = "" if actor is ANYBODY else repr(actor)
        known, found = self._remembered
        if known == now and who in found:
            return found[who]
        visibility = self._decided(actor)
        with self._lock:
            known, found = self._remembered
            if known < now or len(found) >= _MOST_REMEMBERED:
                self._remembered = (now, {who: visibility})
            elif known == now:
                found[who] = visibility
        return visibility

    def sight_of(self, user: str | None) -> Sight:
        """Return the sight of a user, given by reference; of whoever is not signed in for None."""
        actor = ANYBODY if user is None else Actor("user", user)
        return lambda revision=None, /: self.of(actor, revision=revision)

    def _decided(self, actor: Actor) -> Visibility:
        # A policy looks at everything: what it reads must not wait for what it is about to say.
        with seeing(None):
            (answer,) = self._permission.authorize([Question("", _READ)], actor)
        decision = answer.decision
        if isinstance(decision, Conditional):
            return Visibility(entity_filter(decision.criteria))
        return ALL if decision == "ALLOW" else NOTHING_AT_ALL
