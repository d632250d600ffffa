"""The OpenID Connect providers that people sign in with, with what they grant."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

from portal.model.secret import Secret

#: How a person may be found in the catalog, in the order in which it is tried.
MATCHES = ("annotation", "email", "name")
#: What becomes of people whom the catalog does not know.
REFUSE, CREATE = "refuse", "create"

#: Of a path's part and of a namespace alike: people who are created stand in the namespace of their provider.
_ID = re.compile(r"[a-z](?:[a-z0-9-]{0,38}[a-z0-9])?")
#: Names that other routes below /api/auth have.
_TAKEN = frozenset({"guest", "v1"})
_SCOPE = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]+")
_KEYS = frozenset(
    {
        "id",
        "issuer",
        "client_id",
        "client_secret",
        "title",
        "scopes",
        "match",
        "annotation",
        "annotation_claim",
        "name_claim",
        "trusts_email",
        "unknown",
        "prompt",
    }
)


@dataclass(frozen=True, slots=True)
class SignInProvider:
    """A provider, with the rule by which its people are found in the catalog.

    `annotation` of a User entity holds the claim `annotation_claim` of the person that it stands for. `trusts_email`:
    e-mail addresses count even where the provider does not say that it has verified them.
    """

    id: str
    issuer: str
    client_id: str
    client_secret: Secret | None = None
    title: str = ""
    scopes: tuple[str, ...] = ("openid", "profile", "email")
    match: tuple[str, ...] = MATCHES
    annotation: str = ""
    annotation_claim: str = "sub"
    name_claim: str = "preferred_username"
    trusts_email: bool = False
    unknown: str = REFUSE
    prompt: str = ""


@dataclass(frozen=True, slots=True)
class Attempt:
    """A sign-in that has begun. The browser keeps it until it comes back from the provider."""

    state: str
    nonce: str = field(repr=False)
    verifier: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Grant:
    """What a provider says of a person: claims, and tokens to be shown to it again. Times in seconds."""

    claims: Mapping[str, Any]
    id_token: Secret
    access_token: Secret
    refresh_token: Secret | None
    scope: str
    expires_at: int

    @property
    def subject(self) -> str:
        """What the provider calls the person; no other of its people is ever called so."""
        return str(self.claims["sub"])


def is_loopback(host: str | None) -> bool:
    """Return whether a host, without its port, is this machine alone."""
    if host is None:
        return False
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def parse_sign_in_provider(item: dict[str, Any]) -> SignInProvider:
    """Return a provider of a table of settings. Raises `ValueError` saying what is expected.

    The message never holds what was found, which may be the client's secret.
    """
    for key in item.keys() - _KEYS:
        raise ValueError(f'tables of {", ".join(sorted(_KEYS))}; "{key}" is not known')
    id_ = _text(item, "id")
    if not _ID.fullmatch(id_) or id_ in _TAKEN:
        raise ValueError('an id of lower case letters, digits and "-", and none of guest, v1')
    secret = _text(item, "client_secret", default="")
    match = _texts(item, "match", MATCHES)
    if not match or not set(match) <= set(MATCHES) or len(set(match)) != len(match):
        raise ValueError(f"for {id_} as match some of {', '.join(MATCHES)}")
    scopes = _texts(item, "scopes", ("openid", "profile", "email"))
    if "openid" not in scopes or not all(_SCOPE.fullmatch(scope) for scope in scopes):
        raise ValueError(f'for {id_} scopes with "openid" among them')
    unknown = _text(item, "unknown", default=REFUSE)
    if unknown not in {REFUSE, CREATE}:
        raise ValueError(f"for {id_} as unknown {REFUSE} or {CREATE}")
    trusts_email = item.get("trusts_email", False)
    if not isinstance(trusts_email, bool):
        raise ValueError(f"for {id_} as trusts_email true or false")  # noqa: TRY004  # one kind of fault to report
    return SignInProvider(
        id=id_,
        issuer=_issuer(_text(item, "issuer"), id_),
        client_id=_text(item, "client_id"),
        client_secret=Secret(secret) if secret else None,
        title=_text(item, "title", default=id_),
        scopes=scopes,
        match=match,
        annotation=_text(item, "annotation", default=f"portal/{id_}-subject"),
        annotation_claim=_text(item, "annotation_claim", default="sub"),
        name_claim=_text(item, "name_claim", default="preferred_username"),
        trusts_email=trusts_email,
        unknown=unknown,
        prompt=_text(item, "prompt", default=""),
    )


def sign_in_provider_json(provider: SignInProvider) -> dict[str, Any]:
    """Return the table that `parse_sign_in_provider` reads, the secret included."""
    table = {key: getattr(provider, key) for key in sorted(_KEYS)}
    table = {key: list(value) if isinstance(value, tuple) else value for key, value in table.items()}
    table["client_secret"] = provider.client_secret.reveal() if provider.client_secret else ""
    return {key: value for key, value in table.items() if value != ""}


def requested_scopes(text: str) -> tuple[str, ...]:
    """Return the scopes that a client asks for beyond those of the settings; what is no scope is left out."""
    return tuple(scope for scope in text.split(" ") if _SCOPE.fullmatch(scope))


def _issuer(text: str, id_: str) -> str:
    """Return an issuer: https, or http on this machine, where nobody is in between."""
    expected = f'for {id_} an issuer such as "https://login.example.com/realms/company", as the provider names itself'
    try:
        parts = urlsplit(text)
        host = parts.hostname
    except ValueError:
        raise ValueError(expected) from None
    is_safe = parts.scheme == "https" or (parts.scheme == "http" and is_loopback(host))
    if not is_safe or not host or parts.query or parts.fragment or parts.username is not None:
        raise ValueError(expected)
    return text


def _text(item: dict[str, Any], key: str, *, default: str | None = None) -> str:
    value = item.get(key, default)
    if not isinstance(value, str) or (default is None and not value):
        raise ValueError(f"a text as {key} of each provider")
    return value


def _texts(item: dict[str, Any], key: str, default: tuple[str, ...]) -> tuple[str, ...]:
    value = item.get(key, default)
    if not isinstance(value, (list, tuple)) or not all(isinstance(part, str) for part in value):
        raise ValueError(f"a list of texts as {key} of each provider")
    return tuple(value)
