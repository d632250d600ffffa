"""What the people of a catalog get in a repository."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

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


@dataclass(frozen=True, slots=True)
class Grant:
    """What a group or user gets in a repository.

    `accounts` maps the type of a git host (`github`, `gitlab`, `gitea`) to the name that the group or user has there:
    of a team `organisation/team`, or the path of a group. Empty: it has none that the catalog knows.
    """

    ref: EntityRef
    right: RepositoryRight
    accounts: Mapping[str, str] = field(default_factory=dict)
