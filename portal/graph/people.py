"""Matches authors of commits, owners of CODEOWNERS files, to the people of the catalog."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from portal.graph.drift import Author
from portal.model.accounts import IDS, LOGIN, TEAMS
from portal.model.ref import EntityRef

#: `12345+login@users.noreply.github.com`, `login@users.noreply.github.com`, `12345-login@users.noreply.gitlab.com`.
_NOREPLY = re.compile(r"(?:(?P<id>\d+)[+-])?(?P<login>[^@+]+)@users\.noreply\.(?P<host>[^@]+)")


class People:
    """The users and groups of a catalog, by the names that git and its hosts know them by.

    Of several that go by one name the reference that sorts first counts.
    """

    def __init__(self, bodies: Mapping[EntityRef, Mapping[str, Any]]) -> None:
        self._emails: dict[str, EntityRef] = {}
        self._accounts: dict[tuple[str, str], EntityRef] = {}
        self._logins: dict[str, EntityRef] = {}
        self._teams: dict[str, EntityRef] = {}
        self._names: dict[str, EntityRef] = {}
        for ref in sorted(bodies, key=lambda ref: (ref.namespace != "default", ref)):
            self._learn(ref, bodies[ref])

    def user_of(self, author: Author) -> EntityRef | None:
        """Return the User who wrote a commit: by the address, else by the account that a noreply address names."""
        email = author.email.strip().lower()
        found = self._emails.get(email)
        if found is not None and found.kind == "user":
            return found
        noreply = _NOREPLY.fullmatch(email)
        if noreply is None:
            return None
        host = noreply["host"]
        by_id = self._accounts.get((host, f"#{noreply['id']}")) if noreply["id"] else None
        return by_id or self._accounts.get((host, noreply["login"]))

    def named(self, owner: str) -> EntityRef | None:
        """Return the Group or User that an owner of a CODEOWNERS file is: `@org/team`, `@login`, an address."""
        text = owner.lower()
        if not text.startswith("@"):
            return self._emails.get(text)
        name = text.removeprefix("@")
        if name in self._teams:
            return self._teams[name]
        _, slash, last = name.rpartition("/")
        found = self._names.get(f"group:{last}")
        if slash:
            return found
        return self._logins.get(name) or self._names.get(f"user:{name}") or found

    def _learn(self, ref: EntityRef, body: Mapping[str, Any]) -> None:
        self._names.setdefault(f"{ref.kind}:{ref.name}", ref)
        profile = (body.get("spec") or {}).get("profile") or {}
        email = profile.get("email")
        if isinstance(email, str) and email.strip():
            self._emails.setdefault(email.strip().lower(), ref)
        for key, value in (body.get("metadata", {}).get("annotations") or {}).items():
            host, _, name = key.lower().partition("/")
            text = str(value).strip().lower().rstrip("/")
            if not text:
                continue
            if name in TEAMS and ref.kind == "group":
                self._teams.setdefault(text.removeprefix("@"), ref)
            elif name == LOGIN and ref.kind == "user":
                # GitLab's provider writes the url of the account.
                login = text.rpartition("/")[2].removeprefix("@")
                self._accounts.setdefault((host, login), ref)
                self._logins.setdefault(login, ref)
            elif name in IDS and ref.kind == "user":
                self._accounts.setdefault((host, f"#{text}"), ref)


def shown_name(author: Author) -> str:
    """Return an author's name as it may be told to anybody: an address in its place shows its host alone."""
    return masked(author.name.strip()) or "somebody"


def hint_of(author: Author) -> str:
    """Return what tells an author apart whom the catalog does not know, without the address."""
    noreply = _NOREPLY.fullmatch(author.email.strip().lower())
    if noreply is not None:
        return f"{noreply['login']} at {noreply['host']}"
    return masked(author.email.strip())


def masked(text: str) -> str:
    """Return a text with what stands before the `@` of addresses left out."""
    return re.sub(r"[^\s@<>(),;:\"]+@(?=[^\s@])", "…@", text)
