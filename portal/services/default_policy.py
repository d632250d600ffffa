"""Decides who may do what where no company says otherwise."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Literal

from portal.model.access_rule import some_of
from portal.model.permission import CATALOG_ENTITY, Condition, Conditional, Decision, Permission, Ruling
from portal.model.permission_names import PERMISSIONS, SCAFFOLDER_TASK, SCAFFOLDER_TEMPLATE
from portal.model.ref import EntityRef
from portal.model.sentence import Sentence
from portal.services.access_facts import AccessFacts
from portal.services.identity import Actor
from portal.services.permission_policy import Claims

GuestRights = Literal["everything", "read"]

#: What everyone may who is signed in, guests too.
READING = frozenset(
    {
        "catalog.entity.read",
        "catalog.entity.validate",
        "catalog.ingestion.read",
        "catalog.location.read",
    }
)
#: What everyone may who is signed in as themselves.
OF_EVERYONE = frozenset(
    {"scaffolder.action.execute", "portal.token.create", "portal.token.read", "portal.token.revoke"}
)
#: What asks for a group of one's own.
OF_MEMBERS = frozenset(
    {
        "catalog.entity.create",
        "catalog.location.analyze",
        "catalog.location.create",
        "catalog.location.delete",
        "portal.reorg.plan",
        "scaffolder.task.create",
        "scaffolder.template.dry-run",
        "scaffolder.template.management",
    }
)
OF_OWNERS = frozenset({"catalog.entity.delete", "catalog.entity.refresh", "portal.asset.upgrade"})
OF_CREATORS = frozenset({"scaffolder.task.cancel", "scaffolder.task.read"})
OF_MEANT = frozenset({"scaffolder.template.parameter.read", "scaffolder.template.step.read"})
OF_GROUPS_OWN = frozenset({"portal.asset.create"})
OF_APPROVERS = frozenset({"portal.exemption.grant"})
OF_ADMINS = frozenset({"catalog.ingestion.manage", "portal.audit.read", "portal.policy.explain", "portal.reorg.write"})

_EVERYONE = Sentence("everyone who is signed in may")
_MEANT = Sentence("those whom its tags name may, where any do")
ALLOW: Decision = "ALLOW"
DENY: Decision = "DENY"


class DefaultPolicy:
    """The policy that ships with Portal; docs/permissions.md has it as a table.

    `admins` are users and groups who may do everything. A guest, who is nobody or the user `guest`, may do what
    `guest_rights` says.
    """

    def __init__(
        self, facts: AccessFacts, *, admins: Collection[EntityRef], guest: EntityRef, guest_rights: GuestRights
    ) -> None:
        self._facts = facts
        self._admins = frozenset(admins)
        self._guest = guest
        self._guest_rights = guest_rights

    def decide(self, permissions: Sequence[Permission], actor: Actor, claims: Claims) -> Sequence[Ruling]:
        """Return what is decided on each of the permissions, in their order."""
        if actor.type == "service":
            return [Ruling(ALLOW, Sentence("a service may do what its token allows"))] * len(permissions)
        if actor.type == "none" or actor.user_ref == self._guest:
            return [self._of_guest(permission) for permission in permissions]
        if all(permission.name in READING for permission in permissions):
            # Asked with every request: no claims are needed for it.
            return [Ruling(ALLOW, _EVERYONE)] * len(permissions)
        held = list(claims())
        if not self._admins.isdisjoint(held):
            admin = next(ref for ref in held if ref in self._admins)
            return [Ruling(ALLOW, Sentence("%(admin)s is among the admins", admin=admin))] * len(permissions)
        return [self._of_user(permission, held) for permission in permissions]

    def _of_guest(self, permission: Permission) -> Ruling:
        if self._guest_rights == "everything":
            return Ruling(ALLOW, Sentence("guests may do everything here"))
        if permission.name in READING:
            return Ruling(ALLOW, Sentence("everyone may read, guests too"))
        if permission.name in OF_MEANT:
            return self._meant_for((), _MEANT)
        return Ruling(DENY, Sentence("guests may only read here; sign in"))

    def _of_user(self, permission: Permission, claims: Sequence[EntityRef]) -> Ruling:
        for names, words, decide in self._table():
            if permission.name in names:
                return decide(claims, words)
        if permission.name in PERMISSIONS:
            return Ruling(DENY, Sentence("admins alone may"))
        return Ruling(DENY, Sentence("Portal knows no such permission, which leaves it to admins"))

    def _table(self) -> tuple[tuple[Collection[str], str, Callable[[Sequence[EntityRef], str], Ruling]], ...]:
        return (
            (READING | OF_EVERYONE, _EVERYONE, lambda _claims, words: Ruling(ALLOW, words)),
            (OF_MEMBERS, Sentence("members of a group may, as the catalog has it"), _of_member),
            (OF_OWNERS, Sentence("its owners may, members of groups below them, and admins"), _of_owner),
            (OF_CREATORS, Sentence("who started it may, and admins"), _of_creator),
            (OF_MEANT, _MEANT, self._meant_for),
            (
                OF_GROUPS_OWN,
                Sentence("members of the owner may, and of groups that act for it (spec.actsFor)"),
                self._of_own,
            ),
            (OF_APPROVERS, Sentence("holders of a role that approves in its layer may"), self._of_approver),
        )

    def _meant_for(self, claims: Sequence[EntityRef], words: str) -> Ruling:
        named = [*claims, *self._facts.roles_of(claims)]
        condition = Condition("IS_MEANT_FOR", SCAFFOLDER_TEMPLATE, {"claims": [str(ref) for ref in named]})
        return Ruling(Conditional(condition, SCAFFOLDER_TEMPLATE, "scaffolder"), words)

    def _of_own(self, claims: Sequence[EntityRef], words: str) -> Ruling:
        refs = [str(ref) for ref in (*claims, *self._facts.acts_for(claims))]
        return Ruling(Conditional(Condition("IS_ENTITY", CATALOG_ENTITY, {"refs": refs})), words)

    def _of_approver(self, claims: Sequence[EntityRef], words: str) -> Ruling:
        layers = self._facts.layers()
        held = set(self._facts.roles_of(claims))
        approving = sorted(ref for ref, layer in layers.items() if not held.isdisjoint(layer.approvers))
        if not approving:
            none = Sentence("%(words)s; no layer names one that you hold", words=words)
            return Ruling(DENY, none if layers else Sentence("no layer names approvers"))
        criteria = self._facts.criteria_of(approving)
        return Ruling(Conditional(some_of([criteria[layer] for layer in approving])), words)


def _of_member(claims: Sequence[EntityRef], words: str) -> Ruling:
    group = next((ref for ref in claims if ref.kind == "group"), None)
    if group is None:
        return Ruling(DENY, words)
    return Ruling(ALLOW, Sentence("%(words)s; %(group)s is one of yours", words=words, group=group))


def _of_owner(claims: Sequence[EntityRef], words: str) -> Ruling:
    condition = Condition("IS_ENTITY_OWNER", CATALOG_ENTITY, {"claims": [str(ref) for ref in claims]})
    return Ruling(Conditional(condition), words)


def _of_creator(claims: Sequence[EntityRef], words: str) -> Ruling:
    condition = Condition("IS_TASK_OWNER", SCAFFOLDER_TASK, {"createdBy": [str(ref) for ref in claims[:1]]})
    return Ruling(Conditional(condition, SCAFFOLDER_TASK, "scaffolder"), words)
