"""Runs git: one place with a hardened environment, where faults become typed exceptions."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from git import Git
from git.exc import GitCommandError

from portal.errors import SourceUnreachableError
from portal.vcs.policy import without_credentials

TIMEOUT_SECONDS = 600
_HARDENED = (
    "core.hooksPath=/dev/null",
    "core.fsmonitor=false",
    "core.protectHFS=true",
    "core.protectNTFS=true",
    "gc.auto=0",
    "http.followRedirects=false",
    "http.lowSpeedLimit=1000",
    "http.lowSpeedTime=60",
    "protocol.allow=never",
    "protocol.ext.allow=never",
    "protocol.file.allow=always",
    "protocol.git.allow=always",
    "protocol.http.allow=always",
    "protocol.https.allow=always",
    "protocol.ssh.allow=always",
    "safe.directory=*",
    "submodule.recurse=false",
)


def git(
    *arguments: str,
    folder: Path | None = None,
    stdin: bytes | None = None,
    remote: str = "",
    settings: Mapping[str, str] | None = None,
    environment: Mapping[str, str] | None = None,
) -> bytes:
    """Run git and return what it printed.

    `settings` are configuration values that must not appear among the arguments, such as credentials. `environment`
    is added to the hardened one. Raises
    `SourceUnreachableError` naming `remote`, with git's own last line, credentials masked.
    """
    values = [*(tuple(item.split("=", 1)) for item in _HARDENED), *(settings or {}).items()]
    hardened = {
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_ASKPASS": "true",
        "GIT_SSH_COMMAND": "ssh -oBatchMode=yes -oConnectTimeout=20",
        "LC_ALL": "C",
        "GIT_CONFIG_COUNT": str(len(values)),
    }
    for number, (key, value) in enumerate(values):
        hardened |= {f"GIT_CONFIG_KEY_{number}": key, f"GIT_CONFIG_VALUE_{number}": value}
    runner = Git(str(folder) if folder else None)
    try:
        process = runner.execute(
            [Git.GIT_PYTHON_GIT_EXECUTABLE, *arguments],
            as_process=True,
            env=hardened | dict(environment or {}),
            istream=subprocess.PIPE,
        )
        output, errors = process.communicate(input=stdin, timeout=TIMEOUT_SECONDS)
    except subprocess.TimeoutExpired as error:
        process.kill()
        raise SourceUnreachableError(
            f"git took longer than {TIMEOUT_SECONDS} s", without_credentials(remote)
        ) from error
    except GitCommandError as error:
        raise SourceUnreachableError(str(error), without_credentials(remote)) from error
    if process.returncode != 0:
        raise SourceUnreachableError(_reason(errors, remote), without_credentials(remote))
    return bytes(output)


def _reason(errors: bytes, remote: str) -> str:
    lines = [line.strip() for line in errors.decode(errors="replace").splitlines() if line.strip()]
    useful = [line for line in lines if line.startswith(("fatal:", "error:", "ERROR:"))] or lines[-1:]
    text = (useful[0] if useful else "git gave no reason").split(": ", 1)[-1]
    return text.replace(remote, without_credentials(remote)) if remote else text


def lines(output: bytes, *, separator: bytes = b"\n") -> Sequence[str]:
    """Return the parts of git's output, names that are not UTF-8 included."""
    return [part.decode(errors="surrogateescape") for part in output.split(separator) if part]
