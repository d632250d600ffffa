"""Gives people access to a repository at GitHub."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from portal.actions.contract import ActionContext
from portal.actions.github import PERMISSIONS, account_name, api_path
from portal.actions.host_client import HostClient, HostFaultError, segment
from portal.actions.hosted_repository import Place
from portal.errors import ActionError, InputError
from portal.model.repository_access import Grant

_RANKS = {name: right.rank for right, name in PERMISSIONS.items()}
_ALIASES = {str(right): name for right, name in PERMISSIONS.items()}
_NOT_FOUND = 404
_ADMIN = "admin"


@dataclass(frozen=True, slots=True)
class Access:
    """What a team of the owner's organisation, or a user, gets; one that is `required` fails the step if it cannot."""

    name: str
    is_team: bool
    permission: str
    required: bool

    def __str__(self) -> str:
        return f"{'the team ' if self.is_team else ''}{self.name}"


def wanted_access(
    context: ActionContext,
    place: Place,
    *,
    access: str | None,
    collaborators: Sequence[Mapping[str, Any]],
    grants: Sequence[Grant],
) -> list[Access]:
    """Return who gets what: whom the step names, and the owner with the stewards, who get at least what they are due.

    The log tells of those who have no account. Raises `InputError` for a collaborator that is neither user nor team.
    """
    found: dict[tuple[bool, str], Access] = {}

    def add(one: Access) -> None:
        key = (one.is_team, one.name.lower())
        earlier = found.get(key)
        # A role of the organisation's own cannot be compared: whoever names it means it.
        lowest = max(_RANKS.values()) + 1
        is_more = earlier is None or _RANKS.get(earlier.permission, lowest) < _RANKS.get(one.permission, lowest)
        kept = one if is_more or earlier is None else earlier
        found[key] = replace(kept, required=one.required or (earlier is not None and earlier.required))

    if access:
        is_team = access.lower().startswith(f"{place.owner.lower()}/")
        add(Access(account_name(access), is_team, _ADMIN, required=True))
    for item in collaborators:
        team, user = item["team"], item["user"] or item["username"]
        if bool(team) == bool(user):
            raise InputError("collaborators: found one that names both or neither; expected a user or a team")
        add(
            Access(account_name(team or user), bool(team), _ALIASES.get(item["access"], item["access"]), required=False)
        )
    for grant in grants:
        account = grant.accounts.get(place.host.type, "").removeprefix("@")
        organisation, slash, team = account.rpartition("/")
        if not account:
            context.log(f"{grant.ref} has no account at {place.host.host} that the catalog knows: it gets no access")
        elif slash and organisation.lower() != place.owner.lower():
            context.log(f"{grant.ref} is the team {account}, of another organisation than {place.owner}: no access")
        else:
            is_team = bool(slash) or grant.ref.kind == "group"
            add(Access(team, is_team, PERMISSIONS[grant.right], required=True))
    # The owner of a personal account has all rights already.
    return [one for (is_team, name), one in found.items() if is_team or name != place.owner.lower()]


def check_teams(api: HostClient, place: Place, wanted: Sequence[Access]) -> None:
    """Raise `ActionError` where a team that has to get access is not there: before anything is made."""
    for one in wanted:
        if one.is_team and one.required:
            answer = api.get(f"/orgs/{segment(place.owner)}/teams/{segment(one.name)}", expected={_NOT_FOUND})
            if answer.status == _NOT_FOUND:
                raise ActionError(
                    f"{place.host.host}: the organisation {place.owner} has no team {one.name}, or the token may not "
                    "see it; it was to get access. Nothing was made"
                )


def give_access(context: ActionContext, api: HostClient, place: Place, wanted: Sequence[Access]) -> None:
    """Give access, one after the other; the log tells of a collaborator of the step's that cannot get it."""
    for one in wanted:
        if one.is_team:
            path = f"/orgs/{segment(place.owner)}/teams/{segment(one.name)}{api_path(place)}"
        else:
            path = f"{api_path(place)}/collaborators/{segment(one.name)}"
        try:
            api.ask("PUT", path, body={"permission": one.permission})
        except HostFaultError as error:
            if one.required or error.status is None:
                raise
            context.log(f"Skipping {one.permission} access for {one}: {error.message}")
        else:
            context.log(f"{one} gets {one.permission} access")
