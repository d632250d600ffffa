"""Remembers what pages ask about owners as long as the catalog stays as it is."""

from __future__ import annotations

from portal.errors import InputError
from portal.model.ref import EntityRef
from portal.services.accountability import AccountabilityService
from portal.services.balance import BalanceAnswer, BalanceService, Glance
from portal.services.handovers import HandoversService, OwnershipHistory
from portal.services.once import Once
from portal.services.portfolio import Portfolio
from portal.store.database import Database

#: So many problems, findings, moves are told; all of them are counted.
MOST_TOLD = 10
#: So many answers are remembered; those not asked for longest go first.
_REMEMBERED = 500


class OwnerAnswers:
    """Asks other services, each question once for each revision, day and visibility."""

    def __init__(
        self,
        database: Database,
        accountability: AccountabilityService,
        *,
        balance: BalanceService,
        handovers: HandoversService,
    ) -> None:
        self._accountability = accountability
        self._balance = balance
        self._handovers = handovers
        self._once = Once(database, most=_REMEMBERED)

    def portfolio(self, ref: EntityRef, *, is_direct: bool) -> Portfolio:
        """Return what a group or person answers for, by itself alone where `is_direct`. Raises `NotFoundError`."""
        return self._accountability.portfolio(ref, limit=MOST_TOLD, is_direct=is_direct)

    def moves(self, ref: EntityRef) -> OwnershipHistory:
        """Return what a group or person gained and lost lately. Raises `NotFoundError`."""
        return self._once.of(("moves", ref), lambda: self._handovers.history(ref, limit=MOST_TOLD))

    def balance(self, ref: EntityRef) -> BalanceAnswer | str:
        """Return the balance of an entity's or a group's team, or why it has none. Raises `NotFoundError`."""

        def ask() -> BalanceAnswer | str:
            try:
                return self._balance.balance(ref)
            except InputError as error:
                return error.message

        return self._once.of(("balance", ref), ask)

    def projects(self) -> list[Glance]:
        """Return how the teams of all projects stand, the worst first."""
        return self._balance.projects()
