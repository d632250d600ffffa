"""Examines a Portal: what is wrong with it, each fault with its mend."""

from __future__ import annotations

import os
import shutil
import stat
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from portal.errors import PortalError
from portal.model.integration import Integrations
from portal.model.location import parse_target
from portal.model.login import without_credentials
from portal.providers.contract import TreeProvider
from portal.services.reading import TreeReader
from portal.services.vault import Vault
from portal.store import health, keys, schema, sources
from portal.store.database import Connection, Database
from portal.vcs.command import git_version

#: The oldest git that takes its configuration from the environment, by which Portal hardens it.
_OLDEST_GIT = (2, 31)
#: Of a database file smaller than this it does not matter how much of it is empty.
_SMALL_BYTES = 64 << 20
_CLOCK_SECONDS = 5.0
_TOLD = 5


@dataclass(frozen=True, slots=True)
class Limits:
    """From where on something is a fault. A tenth of `free_bytes` fails, less than all of it is a warning."""

    free_bytes: int = 2 << 30
    resting_seconds: float = 15 * 60
    transaction_seconds: float = 10 * 60
    lock_seconds: float = 5.0


@dataclass(frozen=True, slots=True)
class Check:
    """What one look found. `status` is ok, warning, failed or skipped; `mend` says what to do, empty where nothing."""

    name: str
    status: str
    found: str
    mend: str = ""

    def as_json(self) -> dict[str, str]:
        """Return the check as it is printed."""
        return asdict(self)


class Doctor:
    """Looks at a database, with the data folder, keys, sources that belong to it; it changes nothing."""

    def __init__(
        self,
        database: Database,
        *,
        data: Path,
        providers: Mapping[str, TreeProvider],
        integrations: Integrations,
        limits: Limits | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._limits = limits or Limits()
        self._database = database
        self._data = data
        self._key_file = data / "instance.key"
        self._providers = providers
        self._integrations = integrations
        self._clock = clock

    def examine(self) -> Iterator[Check]:
        """Yield the checks as they are made; what cannot be known for want of another is skipped."""
        yield self._disk()
        yield self._git()
        yield self._instance_key()
        path = health.file_of(self._database)
        if path is not None and not path.exists():
            yield Check(
                "database", "warning", f"{path} is not there yet", "Run portal serve or portal ingest; it is made then"
            )
            return
        try:
            with health.asking(self._database) as connection:
                found = health.vitals(connection)
                yield Check("database", "ok", f"{found.version} answers")
                yield self._schema(found)
                yield _size(found)
                if found.schema == schema.newest_version():
                    yield from self._content(connection)
                else:
                    yield Check("content", "skipped", "Known only of the newest schema")
                yield self._time(found)
                yield self._transactions(connection)
        except PortalError as error:
            yield Check(
                "database",
                "failed",
                error.message,
                "Start it, or correct `database`; move a damaged file away and portal restore the last backup",
            )
            return
        if path is not None:
            yield self._lock(path)

    def _disk(self) -> Check:
        path = health.file_of(self._database)
        places = {self._data} if path is None or not path.parent.is_dir() else {self._data, path.parent}
        free, place = min((shutil.disk_usage(place).free, place) for place in sorted(places))
        told = f"{free / 1e9:.1f} GB free for {place}"
        mend = "Free space, or move the data folder: refreshes and backups fail on a full disk"
        if free < self._limits.free_bytes / 10:
            return Check("disk", "failed", told, mend)
        if free < self._limits.free_bytes:
            return Check("disk", "warning", told, mend)
        return Check("disk", "ok", told)

    def _git(self) -> Check:
        oldest = ".".join(map(str, _OLDEST_GIT))
        mend = f"Install git {oldest} or newer on the PATH of the server"
        try:
            version = git_version()
        except PortalError as error:
            return Check("git", "failed", error.message, mend)
        told = f"git {'.'.join(map(str, version))}"
        return Check("git", "ok", told) if version >= _OLDEST_GIT else Check("git", "failed", told, mend)

    def _instance_key(self) -> Check:
        name, path = "instance key", self._key_file
        if not path.exists():
            return Check(name, "ok", f"{path} is not there; it is made when something is encrypted first")
        mode = stat.S_IMODE(path.stat().st_mode)
        if mode & 0o077:
            return Check(
                name,
                "failed",
                f"Others may read {path} (mode {mode:o})",
                f"chmod 600 {path}, and think of what it opens as read",
            )
        if not os.access(path, os.R_OK):
            return Check(name, "failed", f"{path} cannot be read", f"Make {path} the server's own: chown, chmod 600")
        try:
            Vault(path).check()
        except PortalError as error:
            return Check(
                name, "failed", error.message, "Put the key back, from portal restore --with-key or another server"
            )
        return Check(name, "ok", f"{path}, for its owner alone")

    def _schema(self, found: health.Vitals) -> Check:
        newest = schema.newest_version()
        if not found.schema:
            return Check("schema", "warning", "The database is empty", "Run portal serve or portal ingest")
        if found.schema < newest:
            return Check("schema", "failed", f"{found.schema}; this Portal needs {newest}", "Run portal db upgrade")
        if found.schema > newest:
            mend = "Install the Portal that the database was upgraded by, or restore a backup from before"
            return Check("schema", "failed", f"{found.schema}; this Portal knows {newest}", mend)
        return Check("schema", "ok", newest)

    def _content(self, connection: Connection) -> Iterator[Check]:
        wrong = health.faults(connection)
        mend = "Stop all servers, move the database away, portal restore the last good backup into an empty one"
        yield Check("content", "failed", "; ".join(wrong), mend) if wrong else Check("content", "ok", "No fault found")
        if wrong:
            # What reads on may fail on the same pages.
            return
        unknown = health.without_statistics(connection)
        told = f"Never taken stock of: {', '.join(unknown)}"
        mend = "Run VACUUM (ANALYZE) on the database: questions are slow until then"
        yield Check("statistics", "warning", told, mend) if unknown else Check("statistics", "ok", "Known where needed")
        yield self._signing_keys(connection)
        yield self._tasks(connection)
        yield self._sources(connection)

    def _signing_keys(self, connection: Connection) -> Check:
        name = "signing keys"
        now_ms = int(self._clock() * 1000)
        # Those that sign no more are of no use but to believe what they signed.
        signing = [key for key in keys.all_keys(connection, now_ms=now_ms) if key.signs_until_ms > now_ms]
        if not signing:
            return Check(name, "ok", "None now; the next sign-in makes one")
        if not self._key_file.exists():
            told = f"{len(signing)} in the database, no instance key in {self._data}"
            return Check(name, "failed", told, f"Copy instance.key of another server of this database to {self._data}")
        closed = 0
        for key in signing:
            try:
                Vault(self._key_file).open(key.private)
            except PortalError:
                closed += 1
        if closed:
            told = f"{closed} of {len(signing)} were encrypted under another key than {self._key_file}"
            return Check(name, "failed", told, "Give all servers of one database the same instance.key")
        return Check(name, "ok", f"{len(signing)}, opened by the instance key")

    def _tasks(self, connection: Connection) -> Check:
        seconds = self._limits.resting_seconds
        resting = health.resting_tasks(connection, before_ms=int((self._clock() - seconds) * 1000))
        if not resting:
            return Check("tasks", "ok", "None that rests")
        told = f"{len(resting)} not over and without a sign for {seconds / 60:.0f} minutes: {_some(resting)}"
        mend = "See that a server with `worker` runs: it takes them up; cancel those that nobody waits for"
        return Check("tasks", "warning", told, mend)

    def _sources(self, connection: Connection) -> Check:
        wrong: list[str] = []
        trees = {}
        listed = sources.list_sources(connection)
        for source in listed:
            try:
                target = parse_target(
                    source.type, source.target, trusted=not source.registered, integrations=self._integrations
                )
                trees[source.target] = target.tree
            except PortalError as error:
                wrong.append(error.message)
        try:
            found = TreeReader(self._providers).commits(set(trees.values()))
        except PortalError as error:
            # What each of them needs is not there: git.
            found = dict.fromkeys(trees.values(), error)
        for name, tree in sorted(trees.items()):
            answer = found[tree]
            if isinstance(answer, PortalError):
                wrong.append(f"{without_credentials(name)}: {answer.message}")
        if wrong:
            mend = (
                "Mend the location, its host's token in `integrations`, or the network; until then its last state stays"
            )
            return Check("sources", "failed", f"{len(wrong)} of {len(listed)} not reachable: {_some(wrong)}", mend)
        never = [source.target for source in listed if not source.fingerprint]
        if never:
            mend = "Ask portal owners problems for what is wrong with them; portal ingest TARGET reads one now"
            return Check("sources", "warning", f"Never read in whole: {_some(map(without_credentials, never))}", mend)
        return Check("sources", "ok", f"{len(listed)} reachable")

    def _time(self, found: health.Vitals) -> Check:
        now_ms = int(self._clock() * 1000)
        mend = "Let both machines keep time by NTP: tokens, leases, exemptions go by it"
        if found.clock_ms is not None and abs(found.clock_ms - now_ms) > _CLOCK_SECONDS * 1000:
            apart = (found.clock_ms - now_ms) / 1000
            return Check("clock", "failed", f"The database's clock is {apart:+.0f} s from this machine's", mend)
        if found.newest_row_ms is not None and found.newest_row_ms - now_ms > _CLOCK_SECONDS * 1000:
            ahead = (found.newest_row_ms - now_ms) / 1000
            return Check("clock", "failed", f"The newest revision is from {ahead:.0f} s in the future", mend)
        return Check("clock", "ok", "Agrees with the database")

    def _transactions(self, connection: Connection) -> Check:
        held = health.long_transactions(connection, seconds=self._limits.transaction_seconds)
        if held:
            mend = "End the program, or SELECT pg_terminate_backend(SESSION): it may hold locks, and keeps old rows"
            return Check("locks", "warning", f"Transactions that do not end: {_some(held)}", mend)
        return Check("locks", "ok", "No transaction that does not end")

    def _lock(self, path: Path) -> Check:
        if health.can_write(path, seconds=self._limits.lock_seconds):
            return Check("write lock", "ok", "Free")
        told = f"Somebody has been writing {path} for more than {self._limits.lock_seconds:g} s"
        return Check("write lock", "warning", told, f"Wait for a long refresh; else end the process that holds {path}")


def _size(found: health.Vitals) -> Check:
    told = f"{found.size_bytes / 1e6:.1f} MB"
    if found.size_bytes > _SMALL_BYTES and found.unused_bytes * 2 > found.size_bytes:
        mend = "Run VACUUM on the file while no server runs, to give the space back"
        return Check("size", "warning", f"{told}, of which {found.unused_bytes / 1e6:.1f} MB are empty", mend)
    return Check("size", "ok", told)


def _some(texts: Any) -> str:
    told = list(texts)
    more = len(told) - _TOLD
    return "; ".join(told[:_TOLD]) + (f"; {more} more" if more > 0 else "")
