"""Wires what answers questions on owners beyond one entity."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from portal.config import Settings
from portal.graph.policies import Rule
from portal.model.integration import Integrations
from portal.plugins import Registry
from portal.providers.contract import TreeProvider
from portal.providers.work import GitWork
from portal.services.balance import BalanceService
from portal.services.beginnings import Beginnings
from portal.services.drift import DriftService
from portal.services.handovers import HandoversService
from portal.services.impact import ImpactService
from portal.services.kinds import KindsService
from portal.services.layers import LayersService
from portal.services.overview import OverviewService
from portal.services.ownership import OwnershipService
from portal.services.past import PastOrganisations
from portal.services.reorg import ReorganisationService
from portal.services.rules import RulesService
from portal.services.subgraph import SubGraphService
from portal.services.trend import TrendService
from portal.store.database import Database
from portal.vcs.mirror import Mirrors
from portal.vcs.policy import RemotePolicy
from portal.vcs.proposal import Proposals


@dataclass(frozen=True, slots=True)
class AnswerServices:
    """Who is hit, what breaks, who lacks what, who had it before."""

    balance: BalanceService
    drift: DriftService
    handovers: HandoversService
    impact: ImpactService
    layers: LayersService
    overview: OverviewService
    reorganisation: ReorganisationService
    rules: RulesService
    subgraphs: SubGraphService
    trend: TrendService


def wire_answers(
    settings: Settings,
    database: Database,
    *,
    kinds: KindsService,
    ownership: OwnershipService,
    past: PastOrganisations,
    known_rules: Registry[Rule],
    providers: Mapping[str, TreeProvider],
    mirrors: Mirrors,
    policy: RemotePolicy,
    integrations: Integrations,
) -> AnswerServices:
    """Return these services as the settings describe them."""
    layers = LayersService(database, kinds, ownership, past)
    return AnswerServices(
        balance=BalanceService(database, ownership),
        drift=DriftService(
            database,
            ownership,
            GitWork(mirrors),
            integrations=integrations,
            half_life_days=settings.half_life_days,
            bots=settings.bots,
        ),
        handovers=HandoversService(database, kinds),
        impact=ImpactService(database, ownership, kinds, Beginnings(mirrors)),
        layers=layers,
        overview=OverviewService(database, ownership),
        reorganisation=ReorganisationService(
            database,
            ownership,
            kinds,
            providers=providers,
            proposals=Proposals(policy),
            integrations=integrations,
            size_limit_bytes=settings.file_size_bytes,
        ),
        rules=RulesService(database, ownership, known_rules),
        subgraphs=SubGraphService(database, ownership, kinds),
        trend=TrendService(database, layers, past),
    )
