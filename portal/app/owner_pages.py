"""Gives the pages of owners the services that they show."""

from __future__ import annotations

from flask import Blueprint

from portal.app.on_demand import on_demand
from portal.app.portal import Portal
from portal.services.directory import DirectoryService
from portal.services.owner_answers import OwnerAnswers
from portal.services.profile import ProfileService
from portal.web.balance import add_balance
from portal.web.owner import add_owner
from portal.web.owners import add_owners


def add_owner_pages(blueprint: Blueprint, portal: Portal) -> None:
    """Add the pages of all owners, of one, of the balance of projects."""
    directory = DirectoryService(portal.database, portal.ownership, portal.problems)
    answers = OwnerAnswers(
        portal.database,
        portal.accountability,
        balance=on_demand(lambda: portal.answers.balance),
        handovers=on_demand(lambda: portal.answers.handovers),
    )
    add_owners(blueprint, directory, portal.catalog)
    add_owner(
        blueprint,
        directory,
        answers,
        profiles=ProfileService(portal.database, portal.ownership),
        ownership=portal.ownership,
        drift=on_demand(lambda: portal.answers.drift),
    )
    add_balance(blueprint, answers, portal.ownership)
