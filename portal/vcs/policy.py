"""Decides which git remotes may be read or written."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from pathlib import Path
from urllib.parse import SplitResult, quote, unquote, urlsplit

from portal.errors import InputError, NotAllowedError
from portal.model.integration import NO_INTEGRATIONS, Integrations, host_of
from portal.model.login import without_credentials
from portal.model.reading import ReadingRules
from portal.model.secret import Secret
from portal.model.sentence import Sentence
from portal.vcs.addresses import host_and_port

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.\-]*)://(.*)", re.DOTALL)
#: `helper::address`, by which git runs any program called `git-remote-helper`; `ext::` runs a shell command.
_REMOTE_HELPER = re.compile(r"[A-Za-z0-9+.\-]*::")
_SCP_LIKE = re.compile(r"(?P<user>[\w.+~\-]+)@(?P<host>[\w.\-]+|\[[0-9A-Fa-f:.]+\]):(?P<path>(?!//).+)", re.ASCII)
_HOST = re.compile(r"[\w.\-]+|[0-9A-Fa-f:.]+")
_USER = re.compile(r"[\w.+~\-]+")
_DRIVE = re.compile(r"[A-Za-z]:[\\/]")
#: Whose token it is: most hosts do not look; Bitbucket does, and GitLab where the token is one of OAuth.
_ANYBODY = "x-access-token"
_TOKEN_USERS = {"bitbucketCloud": "x-token-auth", "bitbucketServer": "x-token-auth", "gitlab": "oauth2"}


@dataclass(frozen=True, slots=True)
class RemotePolicy:
    """Which remotes are allowed.

    `allowed_schemes` are url schemes in lower case; `git@host:path` counts as `ssh`. Local folders do not go by scheme:
    they must lie in one of `file_roots`, unless `any_file` is set or the remote was named by the operator. The hosts
    of `integrations` may come with a token, for reading.

    A remote that the operator did not name must be at an address that `addresses` allow, unless its host is one of
    `integrations` or of `open_hosts`, which stand as in urls, with a port where that is not the usual one. `lent` is a
    host with a token that somebody has for it, which goes before that of its integration and opens no address.
    """

    allowed_schemes: frozenset[str] = frozenset({"https", "http", "ssh", "git"})
    file_roots: tuple[Path, ...] = ()
    any_file: bool = False
    integrations: Integrations = NO_INTEGRATIONS
    addresses: ReadingRules = field(default_factory=ReadingRules)
    open_hosts: frozenset[str] = frozenset()
    lent: tuple[str, Secret] | None = None

    def check(self, remote: str, *, trusted: bool = False) -> str:
        """Return the one url that stands for `remote`, if it may be used.

        A `trusted` remote was named by the operator and may be any local folder. Raises `InputError` for what is no
        remote, and `NotAllowedError` for one that this policy does not allow.
        """
        url = normal_remote(remote)
        scheme = scheme_of(url)
        if scheme == "file":
            if not (trusted or self.any_file or self._is_in_roots(url)):
                raise NotAllowedError(
                    Sentence(
                        'Remote "%(remote)s" is a local folder outside those that may be read; name '
                        "a repository by its https or ssh url, or let the operator add it",
                        remote=without_credentials(remote),
                    )
                )
        elif scheme not in self.allowed_schemes:
            allowed = ", ".join(sorted(self.allowed_schemes - {"file"})) or "local folders only"
            raise NotAllowedError(
                Sentence(
                    'Remote "%(remote)s" has the scheme "%(scheme)s", which is not allowed; allowed: %(allowed)s',
                    remote=without_credentials(remote),
                    scheme=scheme,
                    allowed=allowed,
                )
            )
        return url

    def protocols(self, url: str) -> frozenset[str]:
        """Return the protocols that git may speak for this url: others of the policy too, as operators rewrite urls."""
        scheme = scheme_of(url)
        return frozenset({scheme}) if scheme == "file" else (self.allowed_schemes - {"file"}) | {scheme}

    def addresses_of(self, url: str, *, trusted: bool) -> ReadingRules | None:
        """Return the rules for the addresses that a normal remote may be at, None where it may be at any."""
        scheme = scheme_of(url)
        if trusted or scheme == "file":
            return None
        hosts = self.open_hosts | {item.host for item in self.integrations}
        if scheme in {"http", "https"}:
            is_open = host_of(url) in hosts
        else:
            # The port of ssh is another one than that by which a host is named.
            is_open = host_and_port(url)[0].lower() in {host.rpartition(":")[0] or host for host in hosts}
        return None if is_open else self.addresses

    def login(self, url: str) -> tuple[str, str] | None:
        """Return the user and token for reading a normal remote, None where its host is given none.

        A token leaves for its own host only, by the scheme that the operator said: a catalog may name any url.
        """
        found = self.integrations.by_url(url)
        if self.lent is not None and scheme_of(url) in {"http", "https"} and host_of(url) == self.lent[0]:
            return _TOKEN_USERS.get(found.type if found else "", "x-access-token"), self.lent[1].reveal()
        if found is None or found.token is None or scheme_of(url) != found.scheme:
            return None
        return found.username or self.token_user(url), found.token.reveal()

    def token_user(self, url: str) -> str:
        """Return the name that goes along with a token for the host of a normal remote, given or of the settings."""
        found = self.integrations.by_url(url)
        return (_TOKEN_USERS.get(found.type) or found.username or _ANYBODY) if found else _ANYBODY

    def lending(self, url: str, token: Secret) -> RemotePolicy:
        """Return this policy with a token for reading at the host of a url, and no other. Raises as `check` does."""
        normal = normal_remote(url)
        return replace(self, lent=(host_of(normal), token)) if scheme_of(normal) in {"http", "https"} else self

    def _is_in_roots(self, url: str) -> bool:
        folder = folder_of(url)
        return any(folder.is_relative_to(root.resolve()) for root in self.file_roots)


def normal_remote(remote: str) -> str:
    """Return the one url that stands for `remote`, credentials included: local folders resolved, no slash at the end.

    Whether it may be used is for the policy to say. Raises `InputError` for what is no remote, and `NotAllowedError`
    for git's remote helpers, which run programs.
    """
    shown = without_credentials(remote)
    if not remote or any(ord(character) < ord(" ") or "\x7f" <= character <= "\x9f" for character in unquote(remote)):
        raise InputError(Sentence("A git remote must not be empty or hold control characters"))
    if remote.startswith("-"):
        raise InputError(
            Sentence(
                'Remote "%(shown)s" begins with "-"; expected a url such as https://host/organisation/repository',
                shown=shown,
            )
        )
    if _REMOTE_HELPER.match(remote):
        raise NotAllowedError(
            Sentence(
                'Remote "%(shown)s" names a git remote helper; these run programs, so none is allowed', shown=shown
            )
        )
    found = _SCHEME.fullmatch(remote)
    if found:
        scheme = found[1].lower()
        return _file_url(remote, shown) if scheme == "file" else _host_url(f"{scheme}://{found[2]}", shown)
    if remote.startswith("/") or _DRIVE.match(remote):
        return _resolved(Path(remote), shown)
    if remote.startswith((".", "~")):
        raise NotAllowedError(
            Sentence(
                'Remote "%(shown)s" is a path that means another folder for each process; name it whole', shown=shown
            )
        )
    scp = _SCP_LIKE.fullmatch(remote)
    if scp and not any(scp[part].startswith("-") for part in ("user", "host", "path")):
        return remote.rstrip("/")
    raise InputError(
        Sentence(
            'Remote "%(shown)s" is not a git url; expected https://host/organisation/repository, '
            "ssh://git@host/organisation/repository or git@host:organisation/repository",
            shown=shown,
        )
    )


def scheme_of(url: str) -> str:
    """Return the scheme of a normal remote, in lower case; `ssh` for `git@host:path`."""
    found = _SCHEME.match(url)
    return found[1] if found else "ssh"


def folder_of(url: str) -> Path:
    """Return the local folder of a normal `file` remote."""
    return Path(unquote(urlsplit(url).path))


def _host_url(url: str, shown: str) -> str:
    if "?" in url or "#" in url:
        raise InputError(
            Sentence('Remote "%(shown)s" has a query or fragment; expected the bare url of a repository', shown=shown)
        )
    parts = _split(url, shown)
    try:
        port = parts.port
    except ValueError:
        raise InputError(
            Sentence(
                'Remote "%(shown)s" has a port that is not a number; write ":" and "/" in a password '
                'as "%%3A" and "%%2F"',
                shown=shown,
            )
        ) from None
    host = parts.hostname or ""
    if not _HOST.fullmatch(host) or host.startswith("-"):
        raise InputError(Sentence('Remote "%(shown)s" has no valid host', shown=shown))
    path = parts.path.rstrip("/")
    if not path or path.lstrip("/").startswith("-") or unquote(path).lstrip("/").startswith("-"):
        raise InputError(
            Sentence('Remote "%(shown)s" has no valid path; expected one such as /organisation/repository', shown=shown)
        )
    user = _user_of(parts.netloc, parts.scheme, shown)
    host = f"[{host}]" if ":" in host else host
    return f"{parts.scheme}://{user}{host}{'' if port is None else f':{port}'}{quote(path, safe=_PATH_SAFE)}"


def _split(url: str, shown: str) -> SplitResult:
    try:
        return urlsplit(url)
    except ValueError as error:
        raise InputError(
            Sentence('Remote "%(shown)s" is not a url: %(error)s', shown=shown, error=str(error))
        ) from error


_PATH_SAFE = "/%:~!$&'()*+,;=@[]"


def _user_of(authority: str, scheme: str, shown: str) -> str:
    userinfo, at, _ = authority.rpartition("@")
    if not at:
        return ""
    if scheme in {"http", "https"}:
        return f"{userinfo}@"
    user = userinfo.partition(":")[0]
    if scheme != "ssh" or not _USER.fullmatch(user) or user.startswith("-"):
        raise InputError(Sentence('Remote "%(shown)s" has a user name that is not accepted', shown=shown))
    # ssh takes no password from a url.
    return f"{user}@"


def _file_url(remote: str, shown: str) -> str:
    parts = _split(remote, shown)
    if parts.netloc not in {"", "localhost"} or parts.query or parts.fragment or not parts.path.startswith("/"):
        raise InputError(
            Sentence('Remote "%(shown)s" is not the url of a local folder; expected file:///absolute/path', shown=shown)
        )
    return _resolved(Path(unquote(parts.path)), shown)


def _resolved(path: Path, shown: str) -> str:
    try:
        # git itself also looks for the path with ".git" behind it: what is checked must be what it reads.
        suffixed = path.with_name(f"{path.name}.git") if path.name else path
        return (suffixed if not path.exists() and suffixed.exists() else path).resolve().as_uri()
    except (OSError, RuntimeError) as error:
        raise InputError(Sentence('Remote "%(shown)s" cannot be resolved to a folder', shown=shown)) from error
