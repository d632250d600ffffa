"""Writes all that Portal holds into one file, while it is at work."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson

from portal.model.secret import Secret
from portal.services.archive import ArchiveWriter
from portal.services.builds import Progress
from portal.services.passphrase import sealed_key
from portal.store import dump, health, sources
from portal.store.database import Connection, Database
from portal.vcs import bundles


@dataclass(frozen=True, slots=True)
class BackupReport:
    """What a backup holds. `size_bytes` is that of the file."""

    path: Path
    size_bytes: int
    schema: str
    revision: int
    rows: Mapping[str, int]
    repositories: tuple[str, ...]
    has_key: bool

    def as_json(self) -> dict[str, Any]:
        """Return the report as it is printed."""
        return {
            "file": str(self.path),
            "bytes": self.size_bytes,
            "schema": self.schema,
            "revision": self.revision,
            "rows": dict(self.rows),
            "repositories": list(self.repositories),
            "key": self.has_key,
        }


def back_up(
    database: Database,
    path: Path,
    *,
    repositories: Path | None = None,
    key: tuple[Path, Secret] | None = None,
    progress: Progress,
    clock: Callable[[], float] = time.time,
) -> BackupReport:
    """Write a backup of a database into a file that is not there yet.

    All of it is one state of the catalog: what is written meanwhile is not in it, and waits for nothing. `repositories`
    is the folder of bare repositories to take along. `key` is the instance key's file with a passphrase: without it,
    what is encrypted in the database stays closed to whoever has the file. Raises `ConflictError` where the file
    exists or the database has no tables, `ServiceUnavailableError` where the
    file cannot be written or the database does not answer.
    """
    sealed = None if key is None else sealed_key(*key)
    with ArchiveWriter(path) as archive:
        with health.asking(database) as connection:
            schema, tables = dump.layouts(connection)
            revision = sources.current_revision(connection)
            _write_tables(archive, connection, tables, progress)
        packed = {} if repositories is None else _write_repositories(archive, repositories, progress)
        told = {
            "schema": schema,
            "revision": revision,
            "madeAt": datetime.fromtimestamp(clock(), UTC).isoformat(timespec="seconds"),
            "database": database.engine.dialect.name,
            "tables": {item.name: {"columns": item.columns, "rows": item.rows} for item in tables},
            "repositories": packed,
            "key": sealed,
        }
        size = archive.finish(told)
    rows = {item.name: item.rows for item in tables}
    return BackupReport(path, size, schema, revision, rows, tuple(packed), sealed is not None)


def table_part(name: str) -> str:
    """Return the name of the part that holds a table: JSON lists of rows, one a line."""
    return f"tables/{name}.jsonl"


def repository_part(name: str) -> str:
    """Return the name of the part that holds a bare repository."""
    return f"repositories/{name}.bundle"


def _write_tables(
    archive: ArchiveWriter, connection: Connection, tables: list[dump.Layout], progress: Progress
) -> None:
    total = sum(item.rows for item in tables)
    done = 0
    progress("rows", done, total)
    for item in tables:
        with archive.part(table_part(item.name)) as write:
            for rows in dump.portions(connection, item):
                write(orjson.dumps(rows, option=orjson.OPT_APPEND_NEWLINE))
                done += len(rows)
                progress("rows", done, total)


def _write_repositories(archive: ArchiveWriter, folder: Path, progress: Progress) -> dict[str, Any]:
    names = bundles.bare_repositories(folder)
    branches = bundles.default_branches([folder / name for name in names])
    packed = {}
    for number, name in enumerate(names):
        progress("repositories", number, len(names))
        with archive.part(repository_part(name)) as write:
            holds_refs = bundles.pack(folder / name, write)
        packed[name] = {"defaultBranch": branches[folder / name], "isEmpty": not holds_refs}
    progress("repositories", len(names), len(names))
    return packed
