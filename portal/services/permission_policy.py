"""What a policy on permissions is, with how several make one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol, runtime_checkable

from portal.errors import PluginError
from portal.model.permission import Decision, Permission, Ruling
from portal.model.ref import EntityRef
from portal.services.identity import Actor

#: The references that the actor owns by, found out when asked for.
Claims = Callable[[], Sequence[EntityRef]]


@runtime_checkable
class PermissionPolicy(Protocol):
    """Decides for whole sets."""

    def decide(
        self, permissions: Sequence[Permission], actor: Actor, claims: Claims
    ) -> Sequence[Decision | Ruling | None]:
        """Return what is decided on each of the permissions, in their order, best with the reason.

        None leaves one to the next policy; where there is none it is denied.
        """
        ...


class PolicyChain:
    """Policies of which the first that decides on a permission counts."""

    def __init__(self, policies: Sequence[PermissionPolicy]) -> None:
        self._policies = tuple(policies)

    def decide(self, permissions: Sequence[Permission], actor: Actor, claims: Claims) -> Sequence[Ruling | None]:
        """See `PermissionPolicy.decide`."""
        found: dict[Permission, Ruling] = {}
        for policy in self._policies:
            left = [permission for permission in dict.fromkeys(permissions) if permission not in found]
            if not left:
                break
            decided = zip(left, rulings_by(policy, left, actor, claims), strict=True)
            found |= {permission: ruling for permission, ruling in decided if ruling is not None}
        return [found.get(permission) for permission in permissions]


def rulings_by(
    policy: PermissionPolicy, permissions: Sequence[Permission], actor: Actor, claims: Claims
) -> list[Ruling | None]:
    """Return what one policy decides. Raises `PluginError` unless that is one decision on each permission."""
    decided = policy.decide(permissions, actor, claims)
    if len(decided) != len(permissions):
        raise PluginError(
            f"The permission policy gave {len(decided)} decisions on {len(permissions)} permissions; expected one "
            "on each"
        )
    return [item if item is None or isinstance(item, Ruling) else Ruling(item) for item in decided]
