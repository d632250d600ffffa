"""Wires what tells who owns what, with what is wrong in that."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from portal.graph.policies import Rule
from portal.services.accountability import AccountabilityService
from portal.services.kinds import KindsService
from portal.services.ownership import OwnershipService
from portal.services.past import PastOrganisations
from portal.services.problems import ProblemsService
from portal.store.database import Database


@dataclass(frozen=True, slots=True)
class OwningServices:
    """Who owns what, who answers for what, what was so before, what is wrong in the catalog."""

    ownership: OwnershipService
    past: PastOrganisations
    accountability: AccountabilityService
    problems: ProblemsService


def wire_owning(database: Database, *, kinds: KindsService, rules: Sequence[Rule]) -> OwningServices:
    """Return these services."""
    ownership = OwnershipService(database, kinds, rules=rules)
    past = PastOrganisations(kinds, ownership.facts_reader)
    accountability = AccountabilityService(database, ownership, past)
    return OwningServices(ownership, past, accountability, ProblemsService(database, ownership, accountability, kinds))
