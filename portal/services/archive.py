"""The file of a backup: a zip archive whose manifest says what is in it, with a checksum of each part."""

from __future__ import annotations

import contextlib
import hashlib
import os
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

import orjson

from portal.errors import ConflictError, InputError, ServiceUnavailableError

#: What the manifest begins with; the version grows when older Portals cannot read the file any more.
FORMAT, FORMAT_VERSION = "portal-backup", 1
_MANIFEST = "manifest.json"
_TOLD = {"schema", "revision", "madeAt", "tables", "repositories", "key", "parts"}
_CHUNK_BYTES = 1 << 20
#: A manifest names tables, columns, repositories: far less than this.
_MOST_MANIFEST_BYTES = 64 << 20
#: Of levels 1 to 9, the one after which a catalog gets no smaller by more than a few hundredths.
_LEVEL = 4
#: What reading a damaged archive raises, by what the damage fell on. Rule: CPython 3.11, Lib/zipfile.py.
_DAMAGE = (zipfile.BadZipFile, zlib.error, struct.error, EOFError, KeyError, ValueError, RuntimeError, OSError)

#: Told of each piece that was read or written: its size in bytes.
Moved = Callable[[int], None]


class ArchiveWriter:
    """Writes a backup beside its place; `finish` puts it there, whole, or it is never there."""

    def __init__(self, path: Path) -> None:
        if path.exists():
            raise ConflictError(f"{path} exists already; name another file, or remove it first")
        self._path = path
        self._draft = path.with_name(f".{path.name}.{os.getpid()}.part")
        try:
            # Nobody else reads it: it holds all that the database holds.
            descriptor = os.open(self._draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        except OSError as error:
            raise ServiceUnavailableError(f"{path} cannot be written: {error.strerror}") from error
        self._file = os.fdopen(descriptor, "wb")
        self._zip = zipfile.ZipFile(self._file, "w", zipfile.ZIP_DEFLATED, compresslevel=_LEVEL)
        self._parts: dict[str, dict[str, Any]] = {}

    @contextmanager
    def part(self, name: str) -> Iterator[Callable[[bytes], None]]:
        """Yield what appends to a part; parts come one after the other."""
        digest = hashlib.sha256()
        size = 0
        with self._zip.open(name, "w", force_zip64=True) as member:

            def write(content: bytes) -> None:
                nonlocal size
                digest.update(content)
                size += len(content)
                member.write(content)

            yield write
        self._parts[name] = {"sha256": digest.hexdigest(), "bytes": size}

    def finish(self, told: Mapping[str, Any]) -> int:
        """Write the manifest, put the file in its place; return its size in bytes."""
        manifest = {"format": FORMAT, "formatVersion": FORMAT_VERSION, **told, "parts": self._parts}
        self._zip.writestr(_MANIFEST, orjson.dumps(manifest, option=orjson.OPT_INDENT_2))
        self._zip.close()
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        self._draft.replace(self._path)
        return self._path.stat().st_size

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # The archive of a draft that is thrown away need not be ended in good order.
        with contextlib.suppress(OSError, ValueError):
            self._zip.close()
        with contextlib.suppress(OSError):
            self._file.close()
        self._draft.unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise ServiceUnavailableError(f"{self._path} cannot be written: {error.strerror}") from error


class ArchiveReader:
    """Reads a backup. Raises `InputError` for a file that is none, is damaged, or is of a newer format."""

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            self._zip = zipfile.ZipFile(path)
        except (FileNotFoundError, IsADirectoryError, PermissionError) as error:
            raise InputError(f"{path} cannot be read: {error.strerror}") from error
        except _DAMAGE as error:
            raise InputError(f"{path} is no backup of Portal, or its end is missing: {error}") from error
        if any(part.compress_type not in {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED} for part in self._zip.infolist()):
            raise self._damaged("it is packed in another way")
        self.manifest = self._read_manifest()
        self.parts: Mapping[str, Mapping[str, Any]] = self.manifest["parts"]

    @property
    def size_bytes(self) -> int:
        """How much all parts hold, unpacked."""
        return sum(int(part["bytes"]) for part in self.parts.values())

    def check(self, moved: Moved) -> None:
        """Read everything once. Raises `InputError` where anything is not what was written."""
        names = [name for name in self._zip.namelist() if name != _MANIFEST]
        if sorted(names) != sorted(self.parts):
            raise self._damaged("its parts are not those that its manifest names")
        for name, part in self.parts.items():
            digest = hashlib.sha256()
            for chunk in self.chunks(name):
                digest.update(chunk)
                moved(len(chunk))
            if digest.hexdigest() != part["sha256"]:
                raise self._damaged(f"{name} has another checksum than when it was written")

    def chunks(self, name: str) -> Iterator[bytes]:
        """Yield a part's content in pieces."""
        with self._opened(name) as member:
            while chunk := member.read(_CHUNK_BYTES):
                yield chunk

    def lines(self, name: str) -> Iterator[Sequence[Any]]:
        """Yield a part's content by lines, each a JSON value."""
        with self._opened(name) as member:
            for line in member:
                yield orjson.loads(line)

    def close(self) -> None:
        """Close the file."""
        self._zip.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @contextmanager
    def _opened(self, name: str) -> Iterator[IO[bytes]]:
        try:
            with self._zip.open(name) as member:
                yield member
        except _DAMAGE as error:
            raise self._damaged(f"{name} cannot be unpacked") from error

    def _read_manifest(self) -> Mapping[str, Any]:
        if _MANIFEST not in self._zip.namelist():
            raise InputError(f"{self._path} is no backup of Portal")
        if self._zip.getinfo(_MANIFEST).file_size > _MOST_MANIFEST_BYTES:
            raise self._damaged("its manifest is too large")
        with self._opened(_MANIFEST) as member:
            found = orjson.loads(member.read())
        if not isinstance(found, dict) or found.get("format") != FORMAT:
            raise InputError(f"{self._path} is no backup of Portal")
        if found.get("formatVersion") != FORMAT_VERSION:
            raise InputError(
                f"{self._path} has format {found.get('formatVersion')}; this Portal reads {FORMAT_VERSION}. "
                "Restore it with the Portal that made it, or a newer one"
            )
        if not found.keys() >= _TOLD:
            raise self._damaged("its manifest does not tell all")
        return found

    def _damaged(self, what: str) -> InputError:
        return InputError(f"{self._path} is damaged: {what}. Use another backup; nothing was changed")
