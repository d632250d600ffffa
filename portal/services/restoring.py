"""Brings a database to what a backup holds, or leaves it as it was."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from portal.errors import InputError, SettingsError
from portal.model.secret import Secret
from portal.scaffolder.task import completion
from portal.services.archive import ArchiveReader
from portal.services.backup import repository_part, table_part
from portal.services.builds import Progress
from portal.services.passphrase import check_place, opened_key, put_key
from portal.store import replacing, schema, sources, tasks
from portal.store.database import Connection, Database
from portal.vcs import bundles

_ENDED = "It was under way when the backup was made that the catalog was restored from; start it anew"


@dataclass(frozen=True, slots=True)
class RestoreReport:
    """What was restored. `ended` are tasks that were under way; `kept` are repositories that were there already."""

    made_at: str
    schema: tuple[str, str]
    revision: int
    rows: Mapping[str, int]
    ended: tuple[str, ...]
    repositories: tuple[str, ...]
    kept: tuple[str, ...]
    has_key: bool

    def as_json(self) -> dict[str, Any]:
        """Return the report as it is printed."""
        return {
            "madeAt": self.made_at,
            "schema": {"backup": self.schema[0], "database": self.schema[1]},
            "revision": self.revision,
            "rows": dict(self.rows),
            "endedTasks": list(self.ended),
            "repositories": {"restored": list(self.repositories), "kept": list(self.kept)},
            "key": self.has_key,
        }


def restore(
    database: Database,
    path: Path,
    *,
    repositories: Path,
    key: tuple[Path, Secret] | None = None,
    is_forced: bool = False,
    progress: Progress,
    clock: Callable[[], float] = time.time,
) -> RestoreReport:
    """Replace all that a database holds by what a backup holds, in one transaction.

    The whole file is checked before anything is touched. Bare repositories of the backup are made below `repositories`
    where none of their name is. `key` is where the instance key belongs, with the passphrase that opens it. Tasks that
    were under way are ended: what they had done outside is not known. Raises `InputError` for a file that is damaged,
    no backup, or newer than this Portal; `ConflictError` where the database holds rows (unless `is_forced`), is in
    use, or another instance key is in place.
    """
    with ArchiveReader(path) as archive:
        manifest = archive.manifest
        _check_version(path, str(manifest["schema"]))
        _check_parts(path, archive)
        instance_key = _instance_key(archive, key)
        _check_content(archive, progress)
        repositories.mkdir(parents=True, exist_ok=True)
        # Beside their places, so that they get there in one step; before the rows, which are the last that can fail.
        with tempfile.TemporaryDirectory(dir=repositories, prefix=".restoring-") as staging:
            made, kept = _unpack_repositories(archive, repositories, Path(staging), progress)
            version = str(manifest["schema"])
            with replacing.replacing(database, version=version, is_forced=is_forced) as connection:
                rows = _put_tables(archive, connection, progress)
                replacing.complete(connection, version)
                ended = _end_tasks(connection, now_ms=int(clock() * 1000))
                revision = sources.current_revision(connection)
            for name in made:
                (Path(staging) / name).rename(repositories / name)
        if key is not None and instance_key is not None:
            put_key(key[0], instance_key)
    versions = (version, schema.newest_version())
    return RestoreReport(
        str(manifest["madeAt"]), versions, revision, rows, ended, tuple(made), tuple(kept), instance_key is not None
    )


def _check_version(path: Path, version: str) -> None:
    newest = schema.newest_version()
    if version > newest:
        raise InputError(
            f"{path} has schema {version}; this Portal knows schemas up to {newest}. Install the Portal that made it, "
            "or a newer one; nothing was changed"
        )


def _check_parts(path: Path, archive: ArchiveReader) -> None:
    """Refuse what no Portal has written: names lead into the database and into folders."""
    told = archive.manifest
    unknown = sorted(set(told["tables"]).difference(schema.table_names()))
    odd = [name for name in told["repositories"] if Path(name).name != name or not name.endswith(".git")]
    if unknown or odd:
        raise InputError(f"{path} names what no Portal has: {', '.join([*unknown, *odd])}; nothing was changed")
    expected = {*map(table_part, told["tables"]), *map(repository_part, told["repositories"])}
    if expected != set(archive.parts):
        raise InputError(f"{path} is damaged: its parts are not those of its tables; nothing was changed")


def _instance_key(archive: ArchiveReader, key: tuple[Path, Secret] | None) -> bytes | None:
    """Return the instance key that is to be put in its place; None where it is there, or not asked for."""
    if key is None:
        return None
    sealed = archive.manifest["key"]
    if sealed is None:
        raise SettingsError("The backup holds no instance key; restore it without --with-key")
    found = opened_key(sealed, key[1])
    return found if check_place(key[0], found) else None


def _check_content(archive: ArchiveReader, progress: Progress) -> None:
    total, done = archive.size_bytes, 0
    progress("checking", done, total)

    def moved(size: int) -> None:
        nonlocal done
        done += size
        progress("checking", done, total)

    archive.check(moved)


def _unpack_repositories(
    archive: ArchiveReader, folder: Path, staging: Path, progress: Progress
) -> tuple[list[str], list[str]]:
    """Return the names of those made below `staging`, and of those that are in the folder already."""
    told = archive.manifest["repositories"]
    kept = [name for name in told if (folder / name).exists()]
    missing = [name for name in told if name not in kept]
    for number, name in enumerate(missing):
        progress("repositories", number, len(missing))
        bundle = staging / f"{name}.bundle"
        if not told[name]["isEmpty"]:
            with bundle.open("wb") as file:
                for chunk in archive.chunks(repository_part(name)):
                    file.write(chunk)
        source = None if told[name]["isEmpty"] else bundle
        bundles.unpack(source, staging / name, default_branch=told[name]["defaultBranch"])
        bundle.unlink(missing_ok=True)
    return missing, kept


def _put_tables(archive: ArchiveReader, connection: Connection, progress: Progress) -> dict[str, int]:
    told = archive.manifest["tables"]
    total = sum(int(item["rows"]) for item in told.values())
    done = 0
    counts = {}
    for name, item in told.items():
        count = 0
        for rows in archive.lines(table_part(name)):
            replacing.put_rows(connection, name, item["columns"], rows)
            count += len(rows)
            progress("rows", done + count, total)
        if count != item["rows"]:
            raise InputError(f"The backup is damaged: {name} has {count} rows, not {item['rows']}; nothing was changed")
        done += count
        counts[name] = count
    return counts


def _end_tasks(connection: Connection, *, now_ms: int) -> tuple[str, ...]:
    """End the tasks that are not over; a copy of the database holds neither their secrets nor their workspaces."""
    ended = tasks.live_tasks(connection)
    event = completion({}, [{"name": "Error", "message": _ENDED}])
    for task_id in ended:
        tasks.change_status(connection, task_id, "failed", previous=tasks.LIVE, now_ms=now_ms)
        tasks.append_events(connection, task_id, [(event.type, dict(event.body))], now_ms=now_ms)
    return tuple(ended)
