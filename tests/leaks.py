"""Looks for secrets in all that a Portal has left: rows, files, answers, in whatever form they were written."""

from __future__ import annotations

import base64
import html
import json
import re
import sqlite3
import subprocess
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from urllib.parse import quote, quote_plus

from sqlalchemy import create_engine, inspect, make_url, text

#: Schemas of PostgreSQL that hold nothing of a Portal.
_OF_THE_SERVER = {"information_schema", "pg_catalog", "pg_toast"}
#: Shorter pieces of a secret stand in texts that have nothing to do with it.
_SHORTEST_PIECE = 8


def forms(secret: str) -> set[str]:
    """Return the forms in which a secret may be written, lower case: as it is, by lines, escaped, quoted, encoded."""
    # Words of it betray it as well: what was written over several lines, or with another sign between them.
    pieces = {secret, *(line.strip() for line in secret.splitlines()), *re.findall(r"[\w.-]{16,}", secret)}
    found = set()
    for piece in (item for item in pieces if len(item) >= _SHORTEST_PIECE):
        found |= {piece, repr(piece)[1:-1], html.escape(piece)}
        found |= {json.dumps(piece)[1:-1], json.dumps(piece, ensure_ascii=False)[1:-1]}
        found |= {quote(piece), quote(piece, safe=""), quote_plus(piece), piece.encode().hex(), piece[::-1]}
        found |= {form for shift in range(3) for form in _base64(piece.encode(), shift)}
    return {form.lower() for form in found}


def _base64(content: bytes, shift: int) -> Iterator[str]:
    """Yield what base64 makes of content wherever it begins, without the letters that hold bits of its neighbours."""
    whole = bytes(shift) + content
    first, last = (0, 2, 3)[shift], (None, -3, -2)[len(whole) % 3]
    yield base64.b64encode(whole).decode()[first:last]
    yield base64.urlsafe_b64encode(whole).decode()[first:last]


def found(secrets: Mapping[str, str], places: Mapping[str, bytes]) -> list[str]:
    """Return which secret stands where, with what is around it."""
    told = []
    wanted = [(name, form.encode()) for name, secret in secrets.items() for form in sorted(forms(secret))]
    for place, content in places.items():
        # Bytes of letters beyond ASCII stay as they are: each has but one case in the secrets.
        lowered = content.lower()
        for name, form in wanted:
            at = lowered.find(form)
            if at >= 0:
                around = content[max(0, at - 120) : at + len(form) + 60].decode("utf-8", "replace")
                told.append(f"{name} as {form.decode()!r} in {place}: ...{around}...")
    return told


def rows_of(url: str) -> dict[str, bytes]:
    """Return all that stands in the tables of a database, by table; on SQLite, in those of its jobs too."""
    parsed = make_url(url)
    if parsed.get_backend_name() == "sqlite":
        file = Path(str(parsed.database))
        return _rows_of_file(file) | _rows_of_file(file.with_name(f"{file.stem}-jobs.db"))
    engine = create_engine(parsed.set(drivername="postgresql+psycopg"))
    tables = {}
    with engine.connect() as connection:
        looked = inspect(connection)
        for schema in sorted(set(looked.get_schema_names()) - _OF_THE_SERVER):
            for table in looked.get_table_names(schema):
                rows = connection.execute(text(f'SELECT * FROM "{schema}"."{table}"'))
                tables[f"{schema}.{table}"] = b"\n".join(_cells(row) for row in rows)
    engine.dispose()
    return tables


def _rows_of_file(file: Path) -> dict[str, bytes]:
    connection = sqlite3.connect(f"file:{file}?mode=ro", uri=True)
    try:
        names = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        return {
            f"{file.name} {name}": b"\n".join(_cells(row) for row in connection.execute(f'SELECT * FROM "{name}"'))
            for name in names
        }
    finally:
        connection.close()


def _cells(row: object) -> bytes:
    values = list(row)  # type: ignore[call-overload]
    return b"\t".join(
        bytes(value) if isinstance(value, (bytes, memoryview)) else str(value).encode() for value in values
    )


def files_of(folder: Path, *, but: str) -> dict[str, bytes]:
    """Return the content of all files below a folder, and of what git keeps in them, but of those of one name."""
    content = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.name != but:
            content[str(path.relative_to(folder))] = path.read_bytes()
        elif path.name.endswith(".git") and (path / "HEAD").is_file():
            command = ["git", "-C", str(path), "cat-file", "--batch", "--batch-all-objects"]
            content[f"objects of {path.name}"] = subprocess.run(command, check=True, capture_output=True).stdout
    return content


def files_of_database(url: str) -> dict[str, bytes]:
    """Return the bytes of SQLite's files, its log and what it has freed among them; nothing of a server."""
    parsed = make_url(url)
    if parsed.get_backend_name() != "sqlite":
        return {}
    file = Path(str(parsed.database))
    return {path.name: path.read_bytes() for path in sorted(file.parent.glob(f"{file.stem}*.db*"))}


def parts_of(archive: Path) -> dict[str, bytes]:
    """Return what is in a zip file, by name."""
    with zipfile.ZipFile(archive) as opened:
        return {f"{archive.name} {name}": opened.read(name) for name in opened.namelist()}
