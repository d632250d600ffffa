"""Serves a GitLab or Gitea on this machine: its API as far as actions ask it, over real repositories of git.

What is asked is checked against what the host itself has published of its API; see `check` of each kind.
"""

from __future__ import annotations

import base64
import json
import re
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import parse_qs, unquote, urlsplit

from webservers import HostHandler, serve_git, serving_host

TOKEN = "a-token-of-a-test-0123456789"
Answer = tuple[int, Any]


@dataclass
class Asked:
    """A request for the API: its path as it was sent, below the root of the API."""

    method: str
    path: str
    query: dict[str, str]
    body: Any
    token: str

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


@dataclass
class Forge:
    """A git host with users, groups and repositories; `logins` maps tokens to those they belong to.

    `before` is called with each request, and may answer in the host's place. `faults` are what a request has that the
    host's description does not know.
    """

    root: Path
    port: int = 0
    logins: dict[str, str] = field(default_factory=lambda: {TOKEN: "ann"})
    users: dict[str, int] = field(default_factory=lambda: {"ann": 1, "bob": 2, "eve": 3})
    repositories: dict[str, dict[str, Any]] = field(default_factory=dict)
    requests: list[dict[str, Any]] = field(default_factory=list)
    kept: dict[str, Any] = field(default_factory=dict)
    asked: list[Asked] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    before: Callable[[Asked], Answer | None] = lambda _asked: None
    refuses_pushes: bool = False
    git_users: set[str] = field(default_factory=set)

    api: ClassVar[str] = ""
    routes: ClassVar[Sequence[tuple[str, str]]] = ()

    @property
    def host(self) -> str:
        """The host as it stands in urls."""
        return f"127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        """The url of its pages."""
        return f"http://{self.host}"

    def check(self, asked: Asked, status: int | None) -> None:
        """Note what speaks against a request, or the status of its answer, None where a test has given it."""
        raise NotImplementedError

    def wrote(self) -> list[str]:
        """Return what was asked that changes something."""
        return [str(asked) for asked in self.asked if asked.method != "GET"]

    def make_bare(self, path: str) -> None:
        """Make a repository, empty as a new one is."""
        bare = self.root / f"{path}.git"
        subprocess.run(["git", "init", "--quiet", "--bare", "--initial-branch=main", str(bare)], check=True)

    def git(self, path: str, *arguments: str) -> str:
        """Run git in a repository and return what it printed."""
        return subprocess.run(
            ["git", *arguments], cwd=self.root / f"{path}.git", check=True, capture_output=True, text=True
        ).stdout.strip()

    def branches(self, path: str) -> list[str]:
        """Return the branches of a repository."""
        return self.git(path, "for-each-ref", "--format=%(refname:short)", "refs/heads").splitlines()

    def tip(self, path: str, branch: str) -> str:
        """Return the commit that a branch stands at."""
        return self.git(path, "rev-parse", f"refs/heads/{branch}")

    def answer(self, asked: Asked) -> Answer:
        """Return the status and the JSON of an answer."""
        for pattern, name in self.routes:
            found = re.fullmatch(pattern, f"{asked.method} {asked.path}")
            if found:
                status, body = getattr(self, name)(asked, *map(unquote, found.groups("")))
                return status, body
        return 404, {"message": "404 Not Found"}


@contextmanager
def serving(forge: Forge) -> Iterator[Forge]:
    """Serve a host, and check at the end that all was asked as it has to be."""

    class Handler(HostHandler):
        def _answer(self) -> None:
            parts = urlsplit(self.path)
            if not parts.path.startswith(f"{forge.api}/"):
                self._git(parts.path)
                return
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            query = {name: values[0] for name, values in parse_qs(parts.query, keep_blank_values=True).items()}
            asked = Asked(
                self.command,
                parts.path.removeprefix(forge.api),
                query,
                json.loads(body) if body else None,
                self._login()[1],
            )
            forge.asked.append(asked)
            if asked.token not in forge.logins:
                self.send_json(401, {"message": "401 Unauthorized"})
                return
            instead = forge.before(asked)
            answer = instead or forge.answer(asked)
            forge.check(asked, None if instead else answer[0])
            self.send_json(*answer)

        do_GET = do_POST = do_PUT = do_PATCH = _answer  # noqa: N815  # the names that the server looks for

        def _login(self) -> tuple[str, str]:
            kind, _, text = self.headers.get("authorization", "").partition(" ")
            user, _, token = base64.b64decode(text).decode().partition(":") if kind == "Basic" else ("", "", text)
            return user, token

        def _git(self, path: str) -> None:
            user, token = self._login()
            status = 401 if token not in forge.logins else 503 if forge.refuses_pushes and "receive" in self.path else 0
            if status:
                self.refuse_git(status)
                return
            forge.git_users.add(user)
            serve_git(self, forge.root, path, user=forge.logins[token])

    with serving_host(Handler, forge):
        yield forge
