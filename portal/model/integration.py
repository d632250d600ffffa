"""Git hosts: which are known, of which type, with which login."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

from portal.model.secret import Secret

#: The types of hosts, by Backstage's names for them.
HOST_TYPES = ("github", "gitlab", "gitea", "bitbucketCloud", "bitbucketServer", "azure")
_DEFAULT_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Integration:
    """A git host.

    `host` stands as in urls, lower case, with its port where that is not the usual one. The `token` is given to git
    over https only, unless `base_url` says that the host speaks http. `username` goes with the token; most hosts
    ignore it.
    """

    host: str
    type: str
    token: Secret | None = None
    username: str = ""
    base_url: str = ""

    @property
    def scheme(self) -> str:
        """The scheme by which the host may be given its token."""
        return urlsplit(self.base_url).scheme or "https"


#: Hosts that need no settings.
PUBLIC_HOSTS = (
    Integration("github.com", "github"),
    Integration("gitlab.com", "gitlab"),
    Integration("bitbucket.org", "bitbucketCloud"),
    Integration("dev.azure.com", "azure"),
    Integration("codeberg.org", "gitea"),
    Integration("gitea.com", "gitea"),
)


class Integrations:
    """The git hosts that are known: the public ones, and those of settings, which win."""

    def __init__(self, configured: Collection[Integration] = ()) -> None:
        self._by_host = {item.host: item for item in (*PUBLIC_HOSTS, *configured)}

    def __iter__(self) -> Iterator[Integration]:
        return iter(self._by_host.values())

    def by_url(self, url: str) -> Integration | None:
        """Return the host of an http(s) url, None where it is not known or the text is no such url."""
        try:
            return self._by_host.get(host_of(url))
        except ValueError:
            return None

    def fingerprint(self) -> str:
        """Return a text that changes when urls come to mean something else; tokens are not part of it."""
        return ",".join(sorted(f"{item.host}={item.type}" for item in self))


def host_of(url: str) -> str:
    """Return the host of a url as `Integration.host` has it. Raises `ValueError` for a port that is no number."""
    parts = urlsplit(url)
    port = parts.port
    host = parts.hostname or ""
    shown = f"[{host}]" if ":" in host else host
    return shown if port is None or port == _DEFAULT_PORTS.get(parts.scheme) else f"{shown}:{port}"


NO_INTEGRATIONS = Integrations()
