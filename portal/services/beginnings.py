"""Finds the revision after which a change set begins, where a commit or a revision is named."""

from __future__ import annotations

import re
from collections.abc import Iterator

from portal.errors import InputError
from portal.model.moment import parse_moment
from portal.model.sentence import Sentence
from portal.services.fingerprints import commits_of
from portal.store import sources, versions
from portal.store.database import Connection
from portal.vcs.mirror import Mirrors

_COMMIT = re.compile(r"[0-9a-f]{7,64}")


class Beginnings:
    """Answers from the versions, and from the histories of the repositories that they were read from."""

    def __init__(self, mirrors: Mirrors) -> None:
        self._mirrors = mirrors

    def revision(self, connection: Connection, since: str) -> int:
        """Return the revision that a text names as `revision:N`, or the newest that a commit came with.

        A commit that changed no entity stands for the last one before it that did: what a pull request begins at often
        is such a one. Raises `InputError` where the catalog knows none.
        """
        if since.startswith("revision:"):
            return _named(since, newest=sources.current_revision(connection))
        if not _COMMIT.fullmatch(since):
            raise InputError(
                Sentence(
                    '"%(since)s" is no commit; expected at least 7 of its hexadecimal digits, or "revision:7"',
                    since=since,
                )
            )
        known = versions.revisions_of_commits(connection, since)
        if len(known) > 1:
            raise InputError(Sentence("Several commits begin with %(since)s; give more of it", since=since))
        found = next(iter(known.values())) if known else self._before(connection, since)
        if found is None:
            raise InputError(
                Sentence(
                    "No version in the catalog comes from the commit %(since)s or one before it; the history of an "
                    "entity names some",
                    since=since,
                )
            )
        return found

    def _before(self, connection: Connection, commit: str) -> int | None:
        """Return the newest revision with versions of what a commit builds on, in the first repository that has it."""
        for remote in _remotes(connection):
            commits = self._mirrors.upto(remote, commit)
            found = versions.newest_revision_of(connection, commits) if commits else None
            if found is not None:
                return found
        return None


def _named(since: str, *, newest: int) -> int:
    revision = parse_moment(since).revision or 0
    if revision > newest:
        raise InputError(
            Sentence("There is no revision %(revision)s; the newest is %(newest)s", revision=revision, newest=newest)
        )
    return revision


def _remotes(connection: Connection) -> Iterator[str]:
    """Yield the git remotes that sources were read from, each once, sorted."""
    trees = (tree for source in sources.list_sources(connection) for tree in commits_of(source.fingerprint))
    yield from sorted({tree.root for tree in trees if tree.type == "git"})
