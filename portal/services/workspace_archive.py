"""Keeps what steps have left in their workspaces at a place that every worker reaches, through fsspec.

An archive is a tar file, compressed, in sealed chunks: a bucket's readers learn nothing from it, and whoever can write
there can hand no file to a worker. Rule: Hoang, Reyhanitabar, Rogaway, Vizár 2015, STREAM.
"""

from __future__ import annotations

import gzip
import io
import logging
import os
import shutil
import stat
import struct
import tarfile
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from portal.actions.workspace import Workspace, size_of
from portal.errors import ActionError, SettingsError
from portal.services.vault import Vault

#: What a workspace may hold that is kept.
MOST_BYTES = 1024 * 1024 * 1024
MOST_FILES = 100_000
_ENDING = ".tar.gz.sealed"
_CHUNK_BYTES = 1024 * 1024
_SALT_BYTES, _NONCE_BYTES, _TAG_BYTES = 16, 12, 16
_LENGTH = struct.Struct(">I")
_MORE, _LAST = b"\0", b"\1"
_log = logging.getLogger(__name__)
#: Listing a bucket costs a request for each thousand of its names.
_LOOK_SECONDS = 3600.0


class WorkspaceArchive:
    """Archives below a url of fsspec, `<task>/<workspace>.tar.gz.sealed` each, sealed under the instance's key."""

    def __init__(self, url: str, *, vault: Vault, most_bytes: int = MOST_BYTES, most_files: int = MOST_FILES) -> None:
        """Raise `SettingsError` for a url that fsspec cannot use here."""
        import fsspec  # noqa: PLC0415  # most Portals keep workspaces in a folder

        try:
            self._files, root = fsspec.url_to_fs(url)
        except (ImportError, ValueError) as error:
            raise SettingsError(f"workspace_url cannot be used: {error}") from error
        self._root = root.rstrip("/")
        self._vault = vault
        self._most_bytes = most_bytes
        self._most_files = most_files
        self._looked_at: float | None = None

    def save(self, task_id: str, name: str, folder: Path) -> None:
        """Keep a folder under a name; files and folders, modes, links as links.

        Raises `ActionError` for one that is too large, and where the place does not take it.
        """
        size, count = size_of(folder), sum(1 for _ in _walk(folder))
        if size > self._most_bytes or count > self._most_files:
            raise ActionError(
                f"The workspace has {count:,} files of {size:,} bytes; "
                f"expected at most {self._most_files:,} files of {self._most_bytes:,} bytes"
            )
        try:
            self._files.makedirs(self._folder(task_id), exist_ok=True)
            with self._files.open(self._path(task_id, name), "wb") as target:
                salt = os.urandom(_SALT_BYTES)
                target.write(salt)
                sealing = _Sealing(target, self._cipher(task_id, name, salt))
                packing = gzip.GzipFile(fileobj=sealing, mode="wb", compresslevel=1)
                with packing, tarfile.open(fileobj=packing, mode="w|") as archive:
                    for place in _walk(folder):
                        _add(archive, place, place.relative_to(folder).as_posix())
                sealing.finish()
        except Exception as error:  # whatever the place is reached by raises errors of its own
            raise ActionError(f"The workspace cannot be kept: {error}") from error

    def restore(self, task_id: str, name: str, folder: Path) -> bool:
        """Fill an empty folder with what was kept under a name; return whether there was anything.

        Raises `ActionError` for an archive that is not Portal's own, is broken off, or holds too much.
        """
        try:
            with self._files.open(self._path(task_id, name), "rb") as source:
                opening = _Opening(source, self._cipher(task_id, name, source.read(_SALT_BYTES)))
                with tarfile.open(fileobj=io.BufferedReader(opening), mode="r|gz") as archive:
                    self._extract(archive, Workspace(folder))
        except FileNotFoundError:
            return False
        except ActionError:
            raise
        except Exception as error:  # as above
            reason = str(error) or "it was changed, or sealed under another key"
            raise ActionError(f"The workspace that was kept of task {task_id} cannot be read: {reason}") from error
        return True

    def has(self, task_id: str, name: str) -> bool:
        """Return whether anything is kept under a name."""
        return name in self.names(task_id)

    def names(self, task_id: str) -> list[str]:
        """Return the names under which something of a task is kept; none where the place does not answer."""
        found: list[str] = []
        with _lenient():
            for path in self._files.ls(self._folder(task_id), detail=False, refresh=True):
                name = str(path).rstrip("/").rpartition("/")[2]
                if name.endswith(_ENDING):
                    found.append(name.removesuffix(_ENDING))
        return sorted(found)

    def drop(self, task_id: str, names: Collection[str]) -> None:
        """Remove what is kept under these names."""
        for name in names:
            with _lenient():
                self._files.rm_file(self._path(task_id, name))

    def remove(self, task_id: str) -> None:
        """Remove all that is kept of a task."""
        self.drop(task_id, self.names(task_id))
        with suppress(Exception):  # a bucket has no folders
            self._files.rmdir(self._folder(task_id))

    def older_than(self, seconds: float) -> list[str]:
        """Return the tasks of which nothing was kept for so long; a process looks once an hour."""
        if self._looked_at is not None and time.monotonic() - self._looked_at < _LOOK_SECONDS:
            return []
        self._looked_at = time.monotonic()
        newest: dict[str, float] = {}
        with _lenient():
            for path, details in self._files.find(self._root, detail=True).items():
                task_id = str(path).rpartition("/")[0].rpartition("/")[2]
                newest[task_id] = max(newest.get(task_id, 0.0), _moment(details))
        limit = time.time() - seconds
        return sorted(task_id for task_id, moment in newest.items() if moment < limit)

    def _extract(self, archive: tarfile.TarFile, workspace: Workspace) -> None:
        """Write what an archive holds, its links last, so that no file is written through one."""
        size = count = 0
        links = []
        for member in archive:
            size, count = size + member.size, count + 1
            if size > self._most_bytes or count > self._most_files:
                raise ActionError(
                    f"The workspace that was kept holds more than {self._most_files:,} files "
                    f"or {self._most_bytes:,} bytes"
                )
            place = workspace.place(member.name)
            if member.issym():
                links.append((place, member.linkname))
            elif member.isdir():
                place.mkdir(parents=True, exist_ok=True)
            elif member.isfile() and (content := archive.extractfile(member)) is not None:
                place.parent.mkdir(parents=True, exist_ok=True)
                with place.open("wb") as file:
                    shutil.copyfileobj(content, file, _CHUNK_BYTES)
                place.chmod(member.mode)
        for place, target in links:
            place.symlink_to(target)

    def _cipher(self, task_id: str, name: str, salt: bytes) -> AESGCM:
        """Return the cipher of one archive alone, so that its chunks can be told by their numbers."""
        return AESGCM(self._vault.derived(f"workspace {task_id} {name} {salt.hex()}"))

    def _folder(self, task_id: str) -> str:
        return f"{self._root}/{task_id}"

    def _path(self, task_id: str, name: str) -> str:
        return f"{self._folder(task_id)}/{name}{_ENDING}"


@contextmanager
def _lenient() -> Iterator[None]:
    """Go on where the place does not answer, or has nothing: no task fails for what should have been removed."""
    try:
        yield
    except FileNotFoundError:
        pass
    except Exception:  # noqa: BLE001  # whatever the place is reached by raises errors of its own
        _log.warning("the place where workspaces are kept does not answer", exc_info=True)


class _Sealing(io.RawIOBase):
    """Seals what is written, chunk by chunk; the last one says that it is the last."""

    def __init__(self, target: IO[bytes], cipher: AESGCM) -> None:
        self._target = target
        self._cipher = cipher
        self._waiting = bytearray()
        self._number = 0

    def writable(self) -> bool:
        return True

    def write(self, content: Any) -> int:
        self._waiting += content
        while len(self._waiting) > _CHUNK_BYTES:
            self._put(bytes(self._waiting[:_CHUNK_BYTES]), _MORE)
            del self._waiting[:_CHUNK_BYTES]
        return len(content)

    def finish(self) -> None:
        """Write the last chunk."""
        self._put(bytes(self._waiting), _LAST)

    def _put(self, chunk: bytes, mark: bytes) -> None:
        sealed = self._cipher.encrypt(self._number.to_bytes(_NONCE_BYTES), chunk, mark)
        self._number += 1
        self._target.write(mark + _LENGTH.pack(len(sealed)) + sealed)


class _Opening(io.RawIOBase):
    """Opens what `_Sealing` has sealed. Raises `InvalidTag` for a chunk that is changed, misplaced or missing."""

    def __init__(self, source: IO[bytes], cipher: AESGCM) -> None:
        self._chunks = self._opened(source, cipher)
        self._left = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._left:
            chunk = next(self._chunks, None)
            if chunk is None:
                return 0
            self._left = memoryview(chunk)
        taken = self._left[: len(buffer)]
        buffer[: len(taken)] = taken
        self._left = self._left[len(taken) :]
        return len(taken)

    @staticmethod
    def _opened(source: IO[bytes], cipher: AESGCM) -> Iterator[bytes]:
        number, mark = 0, _MORE
        while mark != _LAST:
            mark = source.read(1)
            (length,) = _LENGTH.unpack(source.read(_LENGTH.size))
            if length > _CHUNK_BYTES + _TAG_BYTES:
                raise InvalidTag
            yield cipher.decrypt(number.to_bytes(_NONCE_BYTES), source.read(length), mark)
            number += 1


def _walk(folder: Path) -> Iterator[Path]:
    """Yield all that is in a folder, parents first; links are not followed."""
    for parent, directories, files in os.walk(folder):
        directories.sort()
        for name in sorted((*directories, *files)):
            yield Path(parent, name)


def _add(archive: tarfile.TarFile, place: Path, name: str) -> None:
    found = place.lstat()
    member = tarfile.TarInfo(name)
    member.mode = stat.S_IMODE(found.st_mode)
    if stat.S_ISLNK(found.st_mode):
        member.type, member.linkname = tarfile.SYMTYPE, str(place.readlink())
        archive.addfile(member)
    elif stat.S_ISDIR(found.st_mode):
        member.type = tarfile.DIRTYPE
        archive.addfile(member)
    elif stat.S_ISREG(found.st_mode):
        member.size = found.st_size
        with place.open("rb") as content:
            archive.addfile(member, content)


def _moment(details: Any) -> float:
    """Return when a file was written; places name that in different ways, some not at all."""
    found = details.get("mtime") or details.get("LastModified") or details.get("created") or details.get("updated")
    if isinstance(found, str):
        with suppress(ValueError):
            found = datetime.fromisoformat(found)
    if isinstance(found, datetime):
        return found.replace(tzinfo=found.tzinfo or UTC).timestamp()
    return float(found) if isinstance(found, (int, float)) else time.time()
