"""What the people of a catalog get in a repository."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from portal.model.ref import EntityRef


class RepositoryRight(StrEnum):
    """What somebody may do in a repository, the least first; each includes those before it.

    Rule: the repository roles of GitHub's organisations; other hosts give what comes closest.
    """

    READ = "read"
    TRIAGE = "triage"
    WRITE = "write"
    MAINTAIN = "maintain"
    ADMIN = "admin"

    @property
    def rank(self) -> int:
        """How much it is, from 0: texts would compare by their letters."""
        return list(RepositoryRight).index(self)


#: What a Layer may say that owners get, and stewards, who may get nothing.
OWNER_RIGHTS = tuple(str(right) for right in RepositoryRight)
_NOTHING = "none"
STEWARD_RIGHTS = (_NOTHING, *OWNER_RIGHTS)


@dataclass(frozen=True, slots=True)
class Grant:
    """What a group or user gets in a repository.

    `accounts` maps the type of a git host (`github`, `gitlab`, `gitea`) to the name that the group or user has there:
    of a team `organisation/team`, or the path of a group. Empty: it has none that the catalog knows.
    """

    ref: EntityRef
    right: RepositoryRight
    accounts: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class AccessPolicy:
    """What a layer gives in its repositories: to the owner, to stewards by duty, to stewards of other duties.

    None is nothing. Without a word of the layer the owner maintains, and who has a duty sees what it is about.
    """

    owner: RepositoryRight = RepositoryRight.MAINTAIN
    stewards: Mapping[str, RepositoryRight | None] = field(default_factory=dict)
    default: RepositoryRight | None = RepositoryRight.READ

    def of_duty(self, duty: str) -> RepositoryRight | None:
        """Return what a steward with a duty gets, None for nothing."""
        return self.stewards.get(duty, self.default)


def access_policy_of(declared: Any) -> AccessPolicy:
    """Return the policy that the `repositoryAccess` of a Layer declares; what is malformed counts as not said."""
    said = declared if isinstance(declared, Mapping) else {}
    usual = AccessPolicy()
    stewards = said.get("stewards")
    return AccessPolicy(
        _right(said.get("owner"), usual.owner) or usual.owner,
        {duty: _right(text, usual.default) for duty, text in stewards.items()} if isinstance(stewards, Mapping) else {},
        _right(said.get("default"), usual.default),
    )


def _right(text: Any, usual: RepositoryRight | None) -> RepositoryRight | None:
    if text == _NOTHING:
        return None
    return RepositoryRight(text) if text in OWNER_RIGHTS else usual
