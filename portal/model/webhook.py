"""What git hosts send when something was pushed, as each of them documents it."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any
from urllib.parse import parse_qs, unquote

import orjson

from portal.errors import InputError
from portal.model.hosted import repository_name
from portal.model.location import Tree
from portal.model.secret import Secret

#: The types of hosts that are heard, by Backstage's names for them.
WEBHOOK_TYPES = ("github", "gitlab", "gitea", "bitbucketCloud")
_SHORTEST_SECRET = 16
#: How far the time that a signature speaks of may be from ours. Rule: Standard Webhooks.
_TOLERANCE_SECONDS = 300
_SIGNING_TOKEN = "whsec_"  # noqa: S105  # what such a token begins with
_BRANCHES, _TAGS = "refs/heads/", "refs/tags/"
_FORM = "application/x-www-form-urlencoded"
#: Hosts by which ssh is spoken where only the port of https is open.
_OTHER_NAMES = {
    "ssh.github.com": "github.com",
    "altssh.gitlab.com": "gitlab.com",
    "altssh.bitbucket.org": "bitbucket.org",
}


@dataclass(frozen=True, slots=True)
class Webhook:
    """A secret that hosts of a type sign with; with a `host` it speaks for that host's repositories alone."""

    type: str
    secret: Secret
    host: str = ""

    def speaks_for(self, repository: str) -> bool:
        """Return whether a repository, as `Push` names it, is one that the holder of the secret may tell of."""
        return not self.host or repository.partition("/")[0] == repository_of(f"https://{self.host}")


@dataclass(frozen=True, slots=True)
class Delivery:
    """A request as a host sent it; names of `headers` are lower case."""

    type: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def event(self) -> str:
        """What happened, in the host's words; empty where it does not say."""
        return self.headers.get(_EVENT_HEADERS[self.type], "")

    @property
    def keys(self) -> tuple[str, ...]:
        """What no other delivery has: digests of its id and of its content (64 hexadecimal characters each).

        The content is one, because hosts sign no id: whoever sends a request again may give it a new one.
        """
        given = self.headers.get(_ID_HEADERS[self.type], "")
        named = [hashlib.sha256(f"{self.type} id {given}".encode()).hexdigest()] if given else []
        return (*named, hashlib.sha256(f"{self.type} content ".encode() + self.body).hexdigest())

    def payload(self) -> Mapping[str, Any]:
        """Return the JSON object that was sent. Raises `InputError` where it is none."""
        body = self.body
        if self.headers.get("content-type", "").partition(";")[0].strip().lower() == _FORM:
            try:
                body = parse_qs(body.decode(), max_num_fields=10)["payload"][0].encode()
            except (ValueError, KeyError):
                raise InputError("The form has no payload") from None
        try:
            found = orjson.loads(body)
        except ValueError:
            raise InputError("The payload is not JSON") from None
        if not isinstance(found, dict):
            raise InputError("The payload is no JSON object")
        return found


@dataclass(frozen=True, slots=True)
class Push:
    """What was pushed: `refs` are whole (`refs/heads/main`), `default_branch` is empty where the host does not say it.

    `repositories` are spellings of the one repository, reduced to what all of them have in common. They only choose
    among what is known already: nothing is ever read from where a payload says.
    """

    repositories: frozenset[str]
    refs: frozenset[str]
    default_branch: str = ""

    def told_by(self, webhooks: Collection[Webhook]) -> Push:
        """Return what webhooks may tell of it: spellings by which it is another host's do not count."""
        names = {name for name in self.repositories if any(hook.speaks_for(name) for hook in webhooks)}
        return replace(self, repositories=frozenset(names))

    def concerns(self, tree: Tree) -> bool:
        """Return whether a tree is one of the repository, at a branch or tag that was pushed."""
        if tree.type != "git" or repository_of(tree.root) not in self.repositories:
            return False
        names = {ref.removeprefix(_BRANCHES).removeprefix(_TAGS) for ref in self.refs}
        if not tree.branch:
            return not self.default_branch or self.default_branch in names
        # In a url, the branch may go on into what looks like the path.
        return any(name == tree.branch or name.startswith(f"{tree.branch}/") for name in names)


def checked_secret(host_type: str, text: str) -> Secret:
    """Return a secret that deliveries can be checked with. Raises `ValueError` saying what is expected."""
    if len(text) < _SHORTEST_SECRET:
        raise ValueError(f"a secret of at least {_SHORTEST_SECRET} characters for each webhook")
    if host_type == "gitlab" and text.startswith(_SIGNING_TOKEN):
        try:
            _signing_key(text)
        except ValueError:
            raise ValueError('base64 behind the "whsec_" of a signing token') from None
    return Secret(text)


def repository_of(url: str) -> str:
    """Return what all urls of one repository have in common, by `ssh` too; hosts do not tell upper from lower case."""
    host, slash, path = repository_name(unquote(url)).casefold().partition("/")
    return f"{_OTHER_NAMES.get(host, host)}{slash}{path.strip('/')}"


def is_signed(delivery: Delivery, secret: Secret, *, now: float) -> bool:
    """Return whether whoever sent a delivery has the secret; takes the same time wherever a signature is wrong.

    `now` is in seconds since 1970. Rules: the hosts' documentation of their webhooks.
    """
    return _CHECKS[delivery.type](delivery, secret.reveal(), now)


def push_of(delivery: Delivery) -> Push | None:
    """Return what a delivery says was pushed, None where it tells of something else.

    A branch that was deleted counts: its source has to say that it is gone. Raises `InputError` for a push without
    repository or branch.
    """
    if delivery.event not in _PUSHES[delivery.type]:
        return None
    payload = delivery.payload()
    found = _READERS[delivery.type](payload)
    if found is None:
        return None
    if not found.repositories:
        raise InputError("The payload names no repository")
    return found


def _hub_signature(header: str, prefix: str) -> Callable[[Delivery, str, float], bool]:
    def check(delivery: Delivery, secret: str, _now: float) -> bool:
        given = delivery.headers.get(header, "")
        expected = prefix + hmac.new(secret.encode(), delivery.body, hashlib.sha256).hexdigest()
        return hmac.compare_digest(given.encode(), expected.encode())

    return check


def _gitlab_signature(delivery: Delivery, secret: str, now: float) -> bool:
    """Check the token of the header, or, for a signing token (`whsec_…`), the signature with its time."""
    if not secret.startswith(_SIGNING_TOKEN):
        return hmac.compare_digest(delivery.headers.get("x-gitlab-token", "").encode(), secret.encode())
    stamp = delivery.headers.get("webhook-timestamp", "")
    if not (stamp.isascii() and stamp.isdecimal() and len(stamp) < 20 and abs(int(stamp) - now) <= _TOLERANCE_SECONDS):  # noqa: PLR2004  # longer is no time
        return False
    signed = f"{delivery.headers.get('webhook-id', '')}.{stamp}.".encode() + delivery.body
    expected = base64.b64encode(hmac.new(_signing_key(secret), signed, hashlib.sha256).digest())
    given = delivery.headers.get("webhook-signature", "").split()
    return any(hmac.compare_digest(one.encode(), b"v1," + expected) for one in given)


def _signing_key(secret: str) -> bytes:
    """Return the bytes that a signing token stands for. Raises `ValueError` for what is none."""
    return base64.b64decode(secret.removeprefix(_SIGNING_TOKEN), validate=True)


_CHECKS: Mapping[str, Callable[[Delivery, str, float], bool]] = MappingProxyType(
    {
        "github": _hub_signature("x-hub-signature-256", "sha256="),
        "gitlab": _gitlab_signature,
        "gitea": _hub_signature("x-gitea-signature", ""),
        "bitbucketCloud": _hub_signature("x-hub-signature", "sha256="),
    }
)
_EVENT_HEADERS: Mapping[str, str] = MappingProxyType(
    {
        "github": "x-github-event",
        "gitlab": "x-gitlab-event",
        "gitea": "x-gitea-event",
        "bitbucketCloud": "x-event-key",
    }
)
#: Not GitLab's event UUID: an event that a webhook has caused has the same one.
_ID_HEADERS: Mapping[str, str] = MappingProxyType(
    {
        "github": "x-github-delivery",
        "gitlab": "idempotency-key",
        "gitea": "x-gitea-delivery",
        "bitbucketCloud": "x-request-uuid",
    }
)
#: Gitea tells of a branch that is deleted, or a tag that comes or goes, by events of their own.
_PUSHES: Mapping[str, Collection[str]] = MappingProxyType(
    {
        "github": {"push"},
        "gitlab": {"Push Hook", "Tag Push Hook", "System Hook"},
        "gitea": {"push", "create", "delete"},
        "bitbucketCloud": {"repo:push"},
    }
)


def _github(payload: Mapping[str, Any]) -> Push:
    repository = _object(payload, "repository")
    return Push(
        _repositories(repository, "html_url", "clone_url", "ssh_url", "git_url"),
        frozenset({_text(payload, "ref", required=True)}),
        _text(repository, "default_branch"),
    )


def _gitlab(payload: Mapping[str, Any]) -> Push | None:
    if _text(payload, "object_kind") not in {"push", "tag_push"}:
        return None
    project = _object(payload, "project")
    return Push(
        _repositories(project, "web_url", "git_http_url", "git_ssh_url"),
        frozenset({_text(payload, "ref", required=True)}),
        _text(project, "default_branch"),
    )


def _gitea(payload: Mapping[str, Any]) -> Push:
    repository = _object(payload, "repository")
    ref = _text(payload, "ref", required=True)
    if not ref.startswith("refs/"):
        ref = f"{_TAGS if payload.get('ref_type') == 'tag' else _BRANCHES}{ref}"
    return Push(
        _repositories(repository, "html_url", "clone_url", "ssh_url"),
        frozenset({ref}),
        _text(repository, "default_branch"),
    )


def _bitbucket(payload: Mapping[str, Any]) -> Push:
    repository = _object(payload, "repository")
    changes = _object(payload, "push").get("changes")
    refs = set()
    for change in changes if isinstance(changes, list) else ():
        for side in ("new", "old"):
            end = change.get(side) if isinstance(change, dict) else None
            if isinstance(end, dict):
                refs.add(f"{_TAGS if end.get('type') == 'tag' else _BRANCHES}{_text(end, 'name', required=True)}")
    if not refs:
        raise InputError("The payload tells of no change of a branch")
    main = repository.get("mainbranch")
    links = repository.get("links")
    page = links.get("html") if isinstance(links, dict) else None
    return Push(
        _repositories(page if isinstance(page, dict) else {}, "href"),
        frozenset(refs),
        _text(main, "name") if isinstance(main, dict) else "",
    )


_READERS: Mapping[str, Callable[[Mapping[str, Any]], Push | None]] = MappingProxyType(
    {"github": _github, "gitlab": _gitlab, "gitea": _gitea, "bitbucketCloud": _bitbucket}
)


def _repositories(place: Mapping[str, Any], *names: str) -> frozenset[str]:
    return frozenset(repository_of(url) for name in names if (url := _text(place, name)))


def _object(payload: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = payload.get(name)
    if not isinstance(found, dict):
        raise InputError(f'The payload has no object "{name}"')
    return found


def _text(place: Mapping[str, Any], name: str, *, required: bool = False) -> str:
    found = place.get(name)
    if isinstance(found, str) and (found or not required):
        return found
    if required:
        raise InputError(f'The payload has no text "{name}"')
    return ""
