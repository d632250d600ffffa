"""Decides which git remotes may be read."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote, urlsplit, urlunsplit

from portal.errors import InputError, NotAllowedError

_SCP_LIKE = re.compile(r"(?P<user>[A-Za-z0-9_.\-]+)@(?P<host>[A-Za-z0-9][A-Za-z0-9_.\-]*):(?P<path>[^:].*)")
_DEFAULT_SCHEMES = frozenset({"https", "http", "ssh", "git"})


@dataclass(frozen=True, slots=True)
class RemotePolicy:
    """The transports that catalogs and requests may name, and the folders below which they may name repositories.

    What the operator names (`trusted`) may also be any repository on disk. Remote helpers such as `ext::` are refused
    for everybody: they run commands.
    """

    allowed_schemes: frozenset[str] = _DEFAULT_SCHEMES
    file_roots: tuple[Path, ...] = field(default=())

    def check(self, remote: str, *, trusted: bool = False) -> str:
        """Return the remote as git is to see it. Raises `InputError` or `NotAllowedError`."""
        if not remote or remote.startswith("-") or any(ord(character) <= ord(" ") for character in remote):
            raise InputError("A git remote must not be empty, begin with '-', or hold spaces or control characters")
        if "::" in remote.split("/", maxsplit=1)[0]:
            raise NotAllowedError("Git remote helpers are not allowed")
        scp_like = _SCP_LIKE.fullmatch(remote)
        if scp_like is not None:
            self._require("ssh", remote)
            return remote
        parts = urlsplit(remote)
        if parts.scheme in {"", "file"}:
            return self._local(unquote(parts.path), trusted=trusted)
        self._require(parts.scheme, remote)
        if not parts.hostname or parts.hostname.startswith("-"):
            raise InputError(f'Git remote "{without_credentials(remote)}" names no host')
        return remote

    def _require(self, scheme: str, remote: str) -> None:
        if scheme not in self.allowed_schemes:
            allowed = ", ".join(sorted(self.allowed_schemes)) or "none"
            raise NotAllowedError(
                f'Git transport "{scheme}" of "{without_credentials(remote)}" is not allowed; allowed: {allowed}'
            )

    def _local(self, path: str, *, trusted: bool) -> str:
        resolved = Path(path).resolve()
        if not path.startswith("/") or not (
            trusted or any(resolved.is_relative_to(root.resolve()) for root in self.file_roots)
        ):
            raise NotAllowedError(f'The repository "{path}" on disk may only be named by the operator')
        return resolved.as_uri()


def without_credentials(remote: str) -> str:
    """Return a remote without user and password."""
    parts = urlsplit(remote)
    if not parts.scheme or "@" not in parts.netloc:
        return remote
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
