"""Speaks OpenID Connect with one provider: the code flow with PKCE, state, nonce."""

from __future__ import annotations

import hmac
import re
import secrets
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import urlencode, urlsplit

import httpx2
from authlib.common.errors import AuthlibBaseError
from authlib.integrations.httpx_client import OAuth2Client
from authlib.oauth2.rfc7636 import create_s256_code_challenge
from authlib.oidc.core import CodeIDToken
from authlib.oidc.discovery import OpenIDProviderMetadata, get_well_known_url
from joserfc import jwt
from joserfc.errors import InvalidKeyIdError, JoseError
from joserfc.jwk import KeySet
from joserfc.jws import JWSRegistry

from portal.errors import AuthenticationError, ServiceUnavailableError
from portal.model.secret import Secret
from portal.model.sentence import Sentence
from portal.model.sign_in import Attempt, Grant, SignInProvider, is_loopback

#: Signatures that are believed: none whose key the client itself has, let alone "none".
_ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "Ed25519")
_TIMEOUT_SECONDS = 10.0
#: How long what a provider tells of itself is remembered.
_REMEMBERED_SECONDS = 3600
#: How long an access token is taken for good whose provider does not say.
_UNSAID_SECONDS = 300
#: How long a provider that did not answer is left alone.
_SILENT_SECONDS = 5
#: How far the clocks of two machines may be apart.
_LEEWAY_SECONDS = 60
_ERROR = re.compile(r"[a-z_]{1,60}")
_ENDPOINTS = ("authorization_endpoint", "token_endpoint", "jwks_uri", "userinfo_endpoint", "end_session_endpoint")


class OpenIDClient:
    """One provider as Portal's partner. Safe to use from several threads."""

    def __init__(self, provider: SignInProvider, *, redirect_uri: str, clock: Callable[[], float] = time.time) -> None:
        self.provider = provider
        self._redirect_uri = redirect_uri
        self._clock = clock
        self._lock = threading.Lock()
        self._metadata: tuple[OpenIDProviderMetadata, float] | None = None
        self._silent_until = 0.0
        self._keys: KeySet | None = None

    def begin(self, scopes: Sequence[str] = ()) -> tuple[str, Attempt]:
        """Return the url that a browser is sent to, and what it must bring back.

        Raises `ServiceUnavailableError` where the provider does not answer.
        """
        metadata = self._known()
        attempt = Attempt(*(secrets.token_urlsafe(32) for _ in range(3)))
        options = {"prompt": self.provider.prompt} if self.provider.prompt else {}
        with self._client(scope=" ".join(dict.fromkeys([*self.provider.scopes, *scopes]))) as client:
            url, _ = client.create_authorization_url(
                metadata["authorization_endpoint"],
                state=attempt.state,
                nonce=attempt.nonce,
                code_challenge=create_s256_code_challenge(attempt.verifier),
                code_challenge_method="S256",
                **options,
            )
        return str(url), attempt

    def finish(self, attempt: Attempt, parameters: Mapping[str, str]) -> Grant:
        """Return what the provider grants, from the parameters that a browser came back with.

        Raises `AuthenticationError` for all that is not the answer to the attempt, `ServiceUnavailableError`.
        """
        metadata = self._known()
        if not hmac.compare_digest(parameters.get("state", "").encode(), attempt.state.encode()):
            raise AuthenticationError(Sentence("The sign-in was not begun here, or is over"))
        # RFC 9207: another provider's answer is not taken for this one's.
        told, must = parameters.get("iss"), metadata.get("authorization_response_iss_parameter_supported")
        if told != metadata["issuer"] if told is not None else must:
            raise AuthenticationError(
                Sentence("%(title)s: the answer is another provider's", title=self.provider.title)
            )
        if "error" in parameters or not parameters.get("code"):
            raise self._refusal(parameters.get("error", "no code"))
        token = self._token("authorization_code", code=parameters["code"], code_verifier=attempt.verifier)
        return self._granted(token, nonce=attempt.nonce)

    def refresh(self, grant: Grant) -> Grant:
        """Return what the provider grants anew. Raises as `finish`, where it does not any more."""
        if grant.refresh_token is None:
            raise AuthenticationError(Sentence("%(title)s gave no token to refresh with", title=self.provider.title))
        kept = {
            "refresh_token": grant.refresh_token.reveal(),
            "scope": grant.scope,
            "id_token": grant.id_token.reveal(),
        }
        told = self._token("refresh_token", refresh_token=kept["refresh_token"])
        if "id_token" in told:
            return self._granted(kept | told, subject=grant.subject)
        claims = self._with_userinfo({"sub": grant.subject}, told)
        return self._grant(claims, kept | told)

    def end_url(self, id_token: Secret | None, *, return_to: str) -> str | None:
        """Return the url that ends the person's session at the provider, None where it has none to be ended by us.

        Rule: OpenID Connect RP-Initiated Logout 1.0.
        """
        endpoint = self.end_endpoint()
        if endpoint is None:
            return None
        query = {"client_id": self.provider.client_id, "post_logout_redirect_uri": return_to}
        if id_token is not None:
            query["id_token_hint"] = id_token.reveal()
        return f"{endpoint}{'&' if '?' in endpoint else '?'}{urlencode(query)}"

    def end_endpoint(self) -> str | None:
        """Return where sessions are ended at the provider, None where it has no such place or does not answer."""
        try:
            found: str | None = self._known().get("end_session_endpoint")
        except ServiceUnavailableError:
            return None
        return found

    def _known(self) -> OpenIDProviderMetadata:
        """Return what the provider tells of itself.

        One request asks it, the others wait; while it does not answer, they are told so without asking each in turn.
        """
        with self._lock:
            now = self._clock()
            if self._metadata is not None and self._metadata[1] > now:
                return self._metadata[0]
            if self._silent_until > now:
                raise self._unavailable(Sentence("it does not answer"))
            try:
                found = self._told()
            except ServiceUnavailableError:
                self._silent_until = self._clock() + _SILENT_SECONDS
                raise
            self._metadata = (found, now + _REMEMBERED_SECONDS)
            return found

    def _told(self) -> OpenIDProviderMetadata:
        found = OpenIDProviderMetadata(self._read(get_well_known_url(self.provider.issuer, external=True)))
        if found.get("issuer") != self.provider.issuer:
            raise self._unavailable(Sentence("it says that its issuer is another one than the settings name"))
        for name in _ENDPOINTS:
            if name in found and not _is_safe(found[name]):
                raise self._unavailable(Sentence("its %(name)s is not https", name=name))
        if not all(found.get(name) for name in _ENDPOINTS[:3]):
            raise self._unavailable(Sentence("it does not tell where people sign in"))
        return found

    def _granted(self, token: Mapping[str, Any], *, nonce: str | None = None, subject: str | None = None) -> Grant:
        try:
            claims = self._verified(token, nonce=nonce)
        except (JoseError, ValueError, KeyError, TypeError) as error:
            raise AuthenticationError(
                Sentence("%(title)s: the token of the sign-in is not good", title=self.provider.title)
            ) from error
        if subject is not None and claims["sub"] != subject:
            raise AuthenticationError(Sentence("%(title)s: the token is another person's", title=self.provider.title))
        return self._grant(self._with_userinfo(claims, token), token)

    def _verified(self, token: Mapping[str, Any], *, nonce: str | None) -> dict[str, Any]:
        """Return the claims of an ID token. Raises `JoseError`, `ValueError` or `KeyError` for one that is not good."""
        text = token["id_token"]
        registry = JWSRegistry(algorithms=list(_ALGORITHMS), strict_check_header=False)
        try:
            found = jwt.decode(text, self._key_set(), registry=registry)
        except (InvalidKeyIdError, ValueError):
            # The provider may have changed its keys.
            found = jwt.decode(text, self._key_set(anew=True), registry=registry)
        claims = CodeIDToken(
            found.claims,
            found.header,
            {
                "iss": {"essential": True, "value": self.provider.issuer},
                "aud": {"essential": True, "value": self.provider.client_id},
                "sub": {"essential": True},
            },
            {"nonce": nonce, "client_id": self.provider.client_id, "access_token": token.get("access_token")},
        )
        claims.validate(int(self._clock()), _LEEWAY_SECONDS)
        if not isinstance(claims["sub"], str) or not claims["sub"]:
            raise ValueError("sub is no text")
        return dict(claims)

    def _with_userinfo(self, claims: Mapping[str, Any], token: Mapping[str, Any]) -> dict[str, Any]:
        """Return claims with those that the provider tells beside the token, if it does."""
        endpoint, access = self._known().get("userinfo_endpoint"), token.get("access_token")
        if not endpoint or not isinstance(access, str):
            return dict(claims)
        told = self._read(endpoint, headers={"authorization": f"Bearer {access}"})
        if told.get("sub") != claims["sub"]:
            raise AuthenticationError(Sentence("%(title)s: it tells of another person", title=self.provider.title))
        return told | dict(claims)

    def _grant(self, claims: Mapping[str, Any], token: Mapping[str, Any]) -> Grant:
        refresh = token.get("refresh_token")
        return Grant(
            claims=claims,
            id_token=Secret(str(token.get("id_token", ""))),
            access_token=Secret(str(token.get("access_token", ""))),
            refresh_token=Secret(str(refresh)) if refresh else None,
            scope=str(token.get("scope") or " ".join(self.provider.scopes)),
            expires_at=int(self._clock()) + _seconds(token.get("expires_in")),
        )

    def _token(self, grant_type: str, **parameters: str) -> dict[str, Any]:
        endpoint = self._known()["token_endpoint"]
        try:
            with self._client() as client:
                found = client.fetch_token(
                    endpoint, grant_type=grant_type, **parameters, headers={"accept": "application/json"}
                )
        except AuthlibBaseError as error:
            raise self._refusal(error.error or "error") from None
        except (httpx2.HTTPError, ValueError) as error:
            raise self._unavailable(Sentence("it does not answer")) from error
        return dict(found)

    def _key_set(self, *, anew: bool = False) -> KeySet:
        found = self._keys
        if found is None or anew:
            found = self._keys = KeySet.import_key_set(self._read(self._known()["jwks_uri"]))  # type: ignore[arg-type]
        return found

    def _read(self, url: str, *, headers: Mapping[str, str] | None = None) -> dict[str, Any]:
        try:
            with httpx2.Client(timeout=_TIMEOUT_SECONDS) as client:
                found = client.get(url, headers=dict(headers or {})).raise_for_status().json()
        except (httpx2.HTTPError, ValueError) as error:
            raise self._unavailable(Sentence("it does not answer")) from error
        if not isinstance(found, dict):
            raise self._unavailable(Sentence("it answers in another way than OpenID Connect asks for"))
        return found

    def _client(self, scope: str | None = None) -> OAuth2Client:
        secret = self.provider.client_secret
        methods = self._known().get("token_endpoint_auth_methods_supported") or ["client_secret_basic"]
        basic, post = "client_secret_basic", "client_secret_post"
        method = "none" if secret is None else post if post in methods and basic not in methods else basic
        return OAuth2Client(
            client_id=self.provider.client_id,
            client_secret=secret.reveal() if secret else None,
            token_endpoint_auth_method=method,
            scope=scope,
            redirect_uri=self._redirect_uri,
            timeout=_TIMEOUT_SECONDS,
        )

    def _refusal(self, code: str) -> AuthenticationError:
        # A browser brings the code: what is no code of the standards is not repeated.
        shown = code.replace("_", " ") if _ERROR.fullmatch(code) else "error"
        return AuthenticationError(
            Sentence("%(title)s did not sign anybody in: %(shown)s", title=self.provider.title, shown=shown)
        )

    def _unavailable(self, reason: str) -> ServiceUnavailableError:
        return ServiceUnavailableError(
            Sentence("Nobody can sign in with %(title)s now: %(reason)s", title=self.provider.title, reason=reason)
        )


def _seconds(told: object) -> int:
    """Return how long an access token is good; some providers write it as a text, some do not say."""
    is_number = isinstance(told, (int, float)) or (isinstance(told, str) and told.isdecimal())
    return max(0, int(told)) if is_number else _UNSAID_SECONDS  # type: ignore[call-overload]


def _is_safe(url: object) -> bool:
    if not isinstance(url, str):
        return False
    parts = urlsplit(url)
    return parts.scheme == "https" or (parts.scheme == "http" and is_loopback(parts.hostname))
