"""Runs git for the other modules of this room, hardened in one place."""

from __future__ import annotations

import base64
import contextlib
import os
import re
import signal
import subprocess
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, NoReturn, cast
from urllib.parse import unquote, urlsplit

from portal.errors import PortalError, ServiceUnavailableError, SourceError
from portal.model.login import without_credentials
from portal.model.reading import ReadingRules
from portal.model.secret import MASK, forms_of
from portal.model.sentence import Sentence
from portal.model.trace import traced
from portal.vcs.addresses import pinned
from portal.vcs.policy import RemotePolicy, normal_remote, scheme_of

#: Seconds that a local command may take.
LOCAL_SECONDS = 300.0
_STDERR_KEPT_BYTES = 64 * 1024
_CHUNK_BYTES = 1024 * 1024
_USERINFO = re.compile(r"(https?://)[^/\s@]+@")
_NOISE = re.compile(r"(warning|hint|From|To|Please make sure|and the repository exists)\b|\s*$", re.IGNORECASE)
_HINTS = (
    ("terminal prompts disabled", Sentence("it wants a login, and none is set up for this host")),
    ("Authentication failed", Sentence("the login that is set up for this host is not accepted")),
    (
        "returned error: 30",
        Sentence("it redirects, which is not followed; use the final url, which often ends in .git"),
    ),
    ("Unable to update url base from redirection", Sentence("it redirects, which is not followed; use the final url")),
    ("dubious ownership", Sentence("the folder belongs to another user than the one Portal runs as")),
)

#: Given through the environment, behind the operator's own configuration, which stays in force for all else (proxies,
#: certificates, credential helpers).
_HARDENED = (
    ("core.hooksPath", os.devnull),
    ("core.fsmonitor", "false"),
    ("core.alternateRefsCommand", ""),
    ("core.autocrlf", "false"),
    ("core.excludesFile", os.devnull),
    ("core.attributesFile", os.devnull),
    ("core.symlinks", "true"),
    ("color.ui", "false"),
    ("credential.interactive", "false"),
    ("fetch.recurseSubmodules", "false"),
    ("fetch.writeCommitGraph", "false"),
    ("gc.auto", "0"),
    ("http.followRedirects", "false"),
    ("http.lowSpeedLimit", "1000"),
    ("http.lowSpeedTime", "30"),
    ("log.mailmap", "false"),
    ("maintenance.auto", "false"),
    ("protocol.ext.allow", "never"),
    ("push.gpgSign", "false"),
    ("submodule.recurse", "false"),
)


class GitFailureError(SourceError):
    """A git command failed; `reason` is the line of its complaint that says why."""

    def __init__(self, message: str, target: str, *, reason: str, timed_out: bool = False) -> None:
        super().__init__(message, target)
        self.reason = reason
        self.timed_out = timed_out


@dataclass(frozen=True, slots=True)
class Remote:
    """A remote that the policy has let through, with its credentials held apart from its url."""

    url: str
    protocols: frozenset[str]
    login: tuple[str, str] | None = None
    addresses: ReadingRules | None = None

    @property
    def config(self) -> tuple[tuple[str, str], ...]:
        """The configuration by which git knows this remote as `origin`; it holds the credentials."""
        entries = [("remote.origin.url", self.url)]
        if scheme_of(self.url) == "file":
            # git refuses to read another user's repository. Its serving side takes the permission from its own command
            # line alone: it does not inherit our environment's configuration. Tried with 2.39.5.
            # It need not search for deltas: what it packs goes nowhere (8 MB of loose files: 0.84 s, 0.15 without).
            served = "git -c safe.directory='*' -c pack.window=0 upload-pack"
            entries.append(("remote.origin.uploadpack", served))
        if self.login:
            parts = urlsplit(self.url)
            header = f"Authorization: Basic {self._basic}"
            entries.append((f"http.{parts.scheme}://{parts.netloc}/.extraHeader", header))
        return tuple(entries)

    def masked(self, text: str) -> str:
        """Return a text without the credentials of this remote."""
        held = (form for secret in (self._basic, *(self.login or ())[1:]) if secret for form in forms_of(secret))
        for secret in sorted(held, key=len, reverse=True):
            text = text.replace(secret, MASK)
        return text

    @property
    def _basic(self) -> str:
        return base64.b64encode(":".join(self.login).encode()).decode() if self.login else ""

    def __repr__(self) -> str:
        return f"Remote({self.url!r})"


def open_remote(
    policy: RemotePolicy, remote: str, *, trusted: bool, token: str | None = None, reads: bool = False
) -> Remote:
    """Return a remote that may be spoken to; a `token` takes the place of a login in the url.

    Without either, and where `reads`, the login goes along that the policy has for the host.

    Raises as `RemotePolicy.check` and `pinned` do.
    """
    opened = _apart(policy, policy.check(remote, trusted=trusted), token, reads=reads, trusted=trusted)
    if opened.addresses is not None:
        pinned(opened.url, opened.addresses)
    return opened


def known_remote(policy: RemotePolicy, remote: str, *, trusted: bool = False) -> Remote:
    """Return a remote of which a mirror may exist, and so was let through before."""
    return _apart(policy, normal_remote(remote), None, reads=True, trusted=trusted)


def _apart(policy: RemotePolicy, url: str, token: str | None, *, reads: bool, trusted: bool) -> Remote:
    protocols = policy.protocols(url)
    addresses = policy.addresses_of(url, trusted=trusted)
    if scheme_of(url) not in {"http", "https"}:
        return Remote(url, protocols, addresses=addresses)
    parts = urlsplit(url)
    userinfo, at, _ = parts.netloc.rpartition("@")
    user, _, password = userinfo.partition(":")
    login = (unquote(user), unquote(password)) if at else policy.login(url) if reads else None
    # Every host that takes tokens takes them as a password.
    return Remote(without_credentials(url), protocols, (policy.token_user(url), token) if token else login, addresses)


def git_version() -> tuple[int, ...]:
    """Return the version of git. Raises `ServiceUnavailableError` where it is not installed."""
    told = run(["version"], place=Path(os.devnull)).decode("utf-8", "replace")
    found = re.search(r"\d+(\.\d+)+", told)
    return tuple(map(int, found[0].split("."))) if found else ()


class Stream:
    """What a running git command prints."""

    def __init__(self, process: subprocess.Popen[bytes], fail: _Failures) -> None:
        self._process = process
        self._out = cast("IO[bytes]", process.stdout)
        self._fail = fail

    def line(self) -> bytes:
        """Return the next line without its end. Raises `GitFailureError` where there is none."""
        line = self._out.readline()
        if not line.endswith(b"\n"):
            self._fail.raise_now(self._process)
        return line[:-1]

    def exactly(self, size_bytes: int) -> bytes:
        """Return so many bytes. Raises `GitFailureError` where there are fewer."""
        content = self._out.read(size_bytes)
        if len(content) != size_bytes:
            self._fail.raise_now(self._process)
        return content

    def refuse(self, reason: str) -> NoReturn:
        """End the command and raise `GitFailureError`: what it printed is not what was asked for."""
        _end(self._process)
        self._fail.raise_now(self._process, reason)

    def chunks(self) -> Iterator[bytes]:
        """Yield what is printed until the command ends. Raises `GitFailureError` when it fails."""
        while chunk := self._out.read1(_CHUNK_BYTES):  # type: ignore[attr-defined]
            yield chunk
        if self._process.wait() != 0:
            self._fail.raise_now(self._process)


def run(
    arguments: Sequence[str],
    *,
    place: Path,
    folder: Path | None = None,
    remote: Remote | None = None,
    config: Sequence[tuple[str, str]] = (),
    environment: Mapping[str, str] | None = None,
    stdin: bytes = b"",
    timeout_seconds: float = LOCAL_SECONDS,
) -> bytes:
    """Return what a git command prints; see `stream`. Raises `GitFailureError` when it fails."""
    with stream(
        arguments,
        place=place,
        folder=folder,
        remote=remote,
        config=config,
        environment=environment,
        stdin=stdin,
        timeout_seconds=timeout_seconds,
    ) as output:
        return b"".join(output.chunks())


@contextmanager
def stream(
    arguments: Sequence[str],
    *,
    place: Path,
    folder: Path | None = None,
    remote: Remote | None = None,
    config: Sequence[tuple[str, str]] = (),
    environment: Mapping[str, str] | None = None,
    stdin: bytes = b"",
    timeout_seconds: float = LOCAL_SECONDS,
) -> Iterator[Stream]:
    """Run git on the repository at `place`, yield what it prints, and end it with the block.

    It runs in `folder`, the repository itself where none is named.
    It can reach no other host or folder than `remote`, which it knows as `origin`. It cannot prompt, runs no hook and
    is killed with its children after `timeout_seconds`. Raises `ServiceUnavailableError` where git is not installed.
    """
    fail = _Failures(arguments[0], remote, place, timeout_seconds)
    config = (*config, *_pins(remote, arguments[0]))
    with ExitStack() as stack:
        stack.enter_context(traced(f"git {arguments[0]}", remote=remote.url if remote else ""))
        source = None
        if stdin:
            # A file, not a pipe: git may print before it has read all, and neither side then waits for the other.
            source = stack.enter_context(tempfile.TemporaryFile())
            source.write(stdin)
            source.seek(0)
        process = _start(
            arguments, folder or place, source, _environment(place, remote, config) | dict(environment or {})
        )
        stack.callback(fail.end_listening)
        stack.callback(_end, process)
        timer = threading.Timer(timeout_seconds, fail.time_out, [process])
        timer.daemon = True
        timer.start()
        stack.callback(_stop, timer)
        fail.listen(process)
        yield Stream(process, fail)


def _pins(remote: Remote | None, name: str) -> tuple[tuple[str, str], ...]:
    """Look once more where the remote is: between two commands, its name may have come to mean another address."""
    if remote is None or remote.addresses is None:
        return ()
    try:
        return pinned(remote.url, remote.addresses)
    except PortalError as error:
        raise GitFailureError(f"{remote.url}: git {name} failed: {error}", remote.url, reason=str(error)) from error


def _stop(timer: threading.Timer) -> None:
    """Stop a timer and wait until its thread is gone; a process with one thread may fork."""
    timer.cancel()
    timer.join()


_MOMENT_SECONDS = 0.2


class _Failures:
    """Why a command failed: what it printed as errors, or that its time was over."""

    def __init__(self, name: str, remote: Remote | None, place: Path, timeout_seconds: float) -> None:
        self._name = name
        self._remote = remote
        self._place = place
        self._timeout_seconds = timeout_seconds
        self._timed_out = False
        self._kept = bytearray()
        self._listener: threading.Thread | None = None

    def listen(self, process: subprocess.Popen[bytes]) -> None:
        self._listener = threading.Thread(target=self._read, args=[process.stderr], daemon=True)
        self._listener.start()

    def end_listening(self) -> None:
        """Wait a moment until all that an ended command printed is read; what it left behind may go on for ever."""
        if self._listener:
            self._listener.join(timeout=_MOMENT_SECONDS)

    def time_out(self, process: subprocess.Popen[bytes]) -> None:
        if process.poll() is None:
            self._timed_out = True
            _kill(process)

    def raise_now(self, process: subprocess.Popen[bytes], reason: str = "") -> NoReturn:
        process.wait()
        if self._listener:
            # A daemon that git left behind (ssh's ControlPersist) may hold the pipe open for ever.
            self._listener.join(timeout=2)
        text = self._kept.decode("utf-8", "replace")
        if self._timed_out:
            reason = Sentence("no answer within %(seconds)s seconds", seconds=f"{self._timeout_seconds:g}")
        reason = reason or _reason(text)
        masked = _USERINFO.sub(r"\1", self._remote.masked(reason) if self._remote else reason)
        # A sentence of ours holds no secret, and stays one.
        reason = reason if masked == reason else masked
        target = self._remote.url if self._remote else str(self._place)
        message = Sentence(
            "%(target)s: git %(command)s failed: %(reason)s", target=target, command=self._name, reason=reason
        )
        hint = next((hint for mark, hint in _HINTS if mark in text), None)
        if hint is not None:
            message = Sentence("%(message)s (%(hint)s)", message=message, hint=hint)
        raise GitFailureError(message, target, reason=reason, timed_out=self._timed_out)

    def _read(self, pipe: IO[bytes]) -> None:
        with pipe:
            while chunk := os.read(pipe.fileno(), 8192):
                self._kept += chunk[: max(0, _STDERR_KEPT_BYTES - len(self._kept))]


def _start(
    arguments: Sequence[str], folder: Path, source: IO[bytes] | None, environment: dict[str, str]
) -> subprocess.Popen[bytes]:
    try:
        # GitPython looks for git when it is imported: not to stop a Portal that reads folders only.
        from git.cmd import Git  # noqa: PLC0415
        from git.exc import GitCommandNotFound  # noqa: PLC0415
    except ImportError as error:
        raise ServiceUnavailableError(Sentence("git is not installed, or not on the PATH")) from error
    try:
        handle: Any = Git(folder if folder.is_dir() else None).execute(
            ["git", *arguments],
            istream=cast("Any", source),
            as_process=True,
            env=environment,
            # So that what git starts is killed with it, and that ssh has no terminal to ask for a password.
            start_new_session=True,
        )
    except GitCommandNotFound as error:
        raise ServiceUnavailableError(Sentence("git is not installed, or not on the PATH")) from error
    process: subprocess.Popen[bytes] = handle.proc
    handle.proc = None
    return process


def _environment(place: Path, remote: Remote | None, config: Sequence[tuple[str, str]]) -> dict[str, str]:
    entries = (*_HARDENED, *(remote.config if remote else ()), *config)
    given = os.environ.get("GIT_CONFIG_COUNT", "0")
    first = int(given) if given.isdecimal() else 0
    environment = {
        "GCM_INTERACTIVE": "never",
        "GIT_ALLOW_PROTOCOL": ":".join(sorted(remote.protocols)) if remote else "",
        "GIT_CONFIG_COUNT": str(first + len(entries)),
        # All four, so that a Portal called from a git hook does not work on the hook's repository.
        "GIT_DIR": str(place),
        "GIT_INDEX_FILE": str(place / "index"),
        "GIT_OBJECT_DIRECTORY": str(place / "objects"),
        "GIT_ALTERNATE_OBJECT_DIRECTORIES": "",
        "GIT_LITERAL_PATHSPECS": "1",
        "GIT_NO_REPLACE_OBJECTS": "1",
        "GIT_TERMINAL_PROMPT": "0",
        "LC_ALL": "C",
    }
    for number, (key, value) in enumerate(entries, first):
        environment[f"GIT_CONFIG_KEY_{number}"] = key
        environment[f"GIT_CONFIG_VALUE_{number}"] = value
    return environment


def _reason(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if not _NOISE.match(line)]
    return lines[0][:500] if lines else Sentence("it gave no reason")


def _kill(process: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        _kill(process)
    cast("IO[bytes]", process.stdout).close()
    process.wait()
