"""Makes a repository at GitHub, sets it up; each of it bears being done twice."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from portal.actions.contract import ActionContext
from portal.actions.github import api_path
from portal.actions.host_client import HostAnswer, HostClient, HostFaultError, reason_of, segment
from portal.actions.hosted_repository import Place
from portal.errors import ActionError, TaskCancelledError

_NOT_FOUND, _FORBIDDEN, _CONFLICT, _INVALID = 404, 403, 409, 422
#: A branch that was just pushed may not be known yet.
_PROTECTION_PAUSES_SECONDS = (1.0, 2.0, 4.0, 8.0)
_PAID = "upgrade to github"


def description_of(api: HostClient, place: Place) -> str | None:
    """Return the description of a repository, None where there is none of the name."""
    answer = api.get(api_path(place), expected={_NOT_FOUND})
    return None if answer.status == _NOT_FOUND else str(answer.body["description"] or "")


def make(api: HostClient, place: Place, settings: Mapping[str, Any], *, mark: str) -> None:
    """Make an empty repository, whose description is the mark until it is finished.

    `settings` are those of GitHub's API; `visibility` and `custom_properties` are for organisations alone. Raises
    `ActionError` where somebody else is faster, and where a personal account is not the token's own.
    """
    owner = api.get(f"/users/{segment(place.owner)}", expected={_NOT_FOUND})
    if owner.status == _NOT_FOUND:
        raise ActionError(f"{place.host.host} knows no organisation or user {place.owner}; nothing was made")
    body = {**settings, "name": place.name, "description": mark}
    if owner.body["type"] == "Organization":
        path = f"/orgs/{segment(place.owner)}/repos"
    else:
        login = str(api.get("/user").body["login"])
        if login.lower() != place.owner.lower():
            raise ActionError(
                f"{place.host.host}: the token is {login}'s and makes nothing for {place.owner}; nothing was made"
            )
        path = "/user/repos"
        body = {name: value for name, value in body.items() if name not in {"visibility", "custom_properties"}}
    # Where the answer to a first try is lost, the second one is told that the name is taken: the mark tells by whom.
    made = api.ask("POST", path, body=body, expected={_INVALID}, is_repeatable=True)
    if made.status == _INVALID and not _is_marked(api.get(api_path(place), expected={_NOT_FOUND}), mark):
        raise ActionError(f"{place} cannot be made: {reason_of(made)}. Nothing was changed")


def finish(api: HostClient, place: Place, *, description: str, homepage: str | None) -> None:
    """Give a repository the description that it is to have, in place of the mark."""
    body = {"description": description} | ({"homepage": homepage} if homepage is not None else {})
    api.ask("PATCH", api_path(place), body=body, is_repeatable=True)


def set_topics(api: HostClient, place: Place, topics: list[str]) -> None:
    """Give a repository its topics, in lower case as GitHub wants them."""
    api.ask("PUT", f"{api_path(place)}/topics", body={"names": [topic.lower() for topic in topics]})


def set_variables(api: HostClient, place: Place, variables: Mapping[str, Any]) -> None:
    """Give a repository the variables that its workflows read."""
    for name, value in variables.items():
        body = {"name": name, "value": str(value)}
        path = f"{api_path(place)}/actions/variables"
        if api.ask("POST", path, body=body, expected={_CONFLICT}).status == _CONFLICT:
            api.ask("PATCH", f"{path}/{segment(name)}", body=body, is_repeatable=True)


def set_token_claims(api: HostClient, place: Place, claims: Mapping[str, Any]) -> None:
    """Say what the tokens of a repository's workflows tell clouds about them."""
    body: dict[str, Any] = {"use_default": claims.get("useDefault", True)}
    if claims.get("includeClaimKeys") is not None:
        body["include_claim_keys"] = claims["includeClaimKeys"]
    api.ask("PUT", f"{api_path(place)}/actions/oidc/customization/sub", body=body)


def subscribe(api: HostClient, place: Place) -> None:
    """Have whoever the token is of notified of all that happens in a repository."""
    api.ask("PUT", f"{api_path(place)}/subscription", body={"subscribed": True, "ignored": False})


def protect(
    context: ActionContext, api: HostClient, place: Place, *, branch: str, rules: Mapping[str, Any], is_signed: bool
) -> None:
    """Protect a branch by the rules of GitHub's API; the log tells where the owner's plan has no protection."""
    path = f"{api_path(place)}/branches/{segment(branch)}/protection"
    for pause in (*_PROTECTION_PAUSES_SECONDS, None):
        try:
            api.ask("PUT", path, body=rules)
            if is_signed:
                api.ask("POST", f"{path}/required_signatures", is_repeatable=True)
        except HostFaultError as error:
            if error.status == _FORBIDDEN and _PAID in error.message.lower():
                context.log(
                    "The branch is not protected: for private repositories the owner's plan at GitHub has no protection"
                )
                return
            if error.status != _NOT_FOUND or pause is None:
                raise
            context.log(f"{place.host.host} does not know the branch {branch} yet: trying again in {pause:g} s")
            if context.cancelled(pause):
                raise TaskCancelledError(
                    "The step ended before the branch was protected: the task was cancelled"
                ) from error
        else:
            context.log(f"Protected the branch {branch}")
            return


def _is_marked(answer: HostAnswer, mark: str) -> bool:
    return isinstance(answer.body, dict) and answer.body.get("description") == mark
