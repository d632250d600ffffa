"""Keeps what follows from the newest revision: findings, how the layers stand, what owners answer for."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from portal.services.ownership import OwnershipService
from portal.store import derived, findings, graph
from portal.store.database import Connection, Database

#: Works out lists that follow from the catalog that a connection sees, as JSON values by name.
Lists = Callable[[Connection], Mapping[str, Sequence[Any]]]


class SurveyService:
    """Takes surveys; answers about the revision that was surveyed come from what is kept."""

    def __init__(self, database: Database, ownership: OwnershipService, *, lists: Lists) -> None:
        self._database = database
        self._ownership = ownership
        self._lists = lists

    def due(self) -> int:
        """Return how many entities there are to survey; 0 where the newest survey has seen what is there."""
        with self._database.reading() as connection:
            return 0 if self._ownership.keeps_findings(connection) else graph.count(connection)

    def take(self) -> bool:
        """Survey the newest revision; return whether that was still to do.

        It takes seconds for 100,000 entities, so it comes after a refresh, not in its transaction. What comes up later
        is known as new by what is kept.
        """
        with self._database.reading() as connection:
            survey = self._ownership.survey(connection)
            if findings.last_survey(connection) == survey:
                return False
            # Without a layer no rule looks at anything.
            has_layers = bool(graph.declared_of_kinds(connection, ("layer",)))
            found = self._ownership.findings_seen_by(connection) if has_layers else []
            lists = self._lists(connection) if has_layers else {}
        with self._database.writing() as connection:
            # Another process may have surveyed meanwhile, and more.
            before = findings.last_survey(connection)
            if before == survey or before.revision > survey.revision:
                return False
            changed = findings.keep(connection, found, survey)
            derived.put(connection, lists)
        self._database.take_stock(changed=changed, is_survey=True)
        return True
