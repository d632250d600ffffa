"""Marks a repository that a task has made at a host, so that it knows it again after a crash."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable

#: As much as nobody guesses; a description has little room.
_SHOWN_DIGITS = 32


class RepositoryMarks:
    """Makes marks under a key that only Portal's own servers hold; `key` gives its bytes when they are first needed.

    A mark says which task has made which repository: nobody can write one before the repository is there, nor use one
    that they have seen for a repository of another name. So nothing has to be stored before a repository is made, and
    nothing is lost when Portal is killed just after.
    """

    def __init__(self, key: Callable[[], bytes]) -> None:
        self._key = key

    def mark(self, task_id: str, repository: str) -> str:
        """Return the mark of a task's repository, which is named with its host, such as `github.com/team/sensors`."""
        said = f"{task_id}\n{repository.lower()}".encode()
        return f"Portal is publishing here ({hmac.new(self._key(), said, hashlib.sha256).hexdigest()[:_SHOWN_DIGITS]})"
