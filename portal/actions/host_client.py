"""Speaks to the HTTP APIs of git hosts: patient with faults that pass, bounded in all it waits for.

Only hosts that settings name are spoken to, so that no template leads elsewhere; redirects are not followed, so that
no token does.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from types import MappingProxyType, TracebackType
from typing import TYPE_CHECKING, Any, NoReturn, Self
from urllib.parse import quote, urljoin, urlsplit

import orjson

from portal.errors import ActionError, InputError, TaskCancelledError
from portal.model.integration import Integration, Integrations
from portal.model.secret import Secret, without_secrets
from portal.model.trace import traced

if TYPE_CHECKING:
    import httpx

_PATHS: Mapping[str, str] = MappingProxyType({"github": "/api/v3", "gitlab": "/api/v4", "gitea": "/api/v1"})
_SENDABLE = re.compile(r"[\x21-\x7e]+")
#: Done twice they do what they do once, so that nobody need know whether the first of them arrived.
_REPEATABLE = frozenset({"GET", "HEAD", "PUT", "DELETE"})
_PASSING = frozenset({500, 502, 503, 504})
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_FIRST_OTHER = 300
_UNAUTHORIZED, _FORBIDDEN, _NOT_FOUND, _TOO_MANY = 401, 403, 404, 429
#: What a host that says no more than "slow down" is given. Rule: GitHub's "Rate limits for the REST API".
_UNTOLD_SECONDS = 60.0
#: So that a host which always says "at once" is not asked for ever.
_SHORTEST_SECONDS = 1.0
_MOST_PAGES = 100
_SHOWN_CHARACTERS = 500
#: Levels of what a host says of its refusal; no host has as many.
_DEEPEST = 5


class HostFaultError(ActionError):
    """A git host refuses, or does not answer; `status` is that of its answer, None where there was none."""

    def __init__(self, message: str, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a request is waited for, in seconds: `answer` for one answer, `longest` for all pauses together.

    `first` is the pause after the first fault; each further one is twice as long. After `attempts` a fault stays one.
    """

    answer: float = 60.0
    longest: float = 600.0
    first: float = 1.0
    attempts: int = 5


@dataclass(frozen=True, slots=True)
class HostAnswer:
    """What a host answers.

    `body` is its JSON, None where there is none. Names of headers are lower case. `next` is the url of the next page of
    a list, empty where there is none.
    """

    status: int
    headers: Mapping[str, str]
    body: Any
    next: str = ""


@dataclass(frozen=True, slots=True)
class _Silence:
    """There was no answer; a host that was not `reached` has done nothing."""

    reason: str
    reached: bool


def find_host(integrations: Integrations, host: str, *, kind: str) -> Integration:
    """Return a git host of a type by its name. Raises `InputError` where settings name none."""
    for item in integrations:
        if item.host == host and item.type == kind:
            return item
    known = ", ".join(sorted(item.host for item in integrations if item.type == kind)) or "none"
    raise InputError(f'found host "{host}"; expected one of the type {kind} ({known}), see the setting integrations')


def web_root(host: Integration) -> str:
    """Return the url of a host's pages and repositories, without a slash at its end."""
    return host.base_url.rstrip("/") or f"https://{host.host}"


def api_root(host: Integration) -> str:
    """Return the url of a host's API, without a slash at its end; the host is GitHub, GitLab or Gitea.

    Rule: GitHub's "Getting started with the REST API": GitHub Enterprise Cloud with data residency has it on a host.
    """
    if host.type == "github" and (host.host == "github.com" or host.host.endswith(".ghe.com")):
        return f"https://api.{host.host}"
    return f"{web_root(host)}{_PATHS[host.type]}"


def token_for(host: Integration, given: str | None) -> Secret:
    """Return the token of a step, else the one that settings have for the host. Raises `InputError` where none is."""
    if given:
        return Secret(given)
    if host.token is None:
        raise InputError(
            f"No token available for host: {host.host}; give the step a token from a secret, or name one in the "
            "setting integrations"
        )
    return host.token


def segment(text: str) -> str:
    """Return a text as one segment of a path. Raises `InputError` for one that would be another path."""
    if text in {"", ".", ".."}:
        raise InputError(f'found the name "{text}"; expected letters, digits, "-", "_", "."')
    return quote(text, safe="")


class HostClient:
    """The API of one host below `root`, for one step of a task.

    `cancelled` waits, and tells whether the task was cancelled meanwhile; `log` is told of each pause. `scheme` is how
    the host wants its token: GitHub and GitLab as `Bearer`, Gitea as `token`.
    """

    def __init__(
        self,
        host: str,
        root: str,
        *,
        token: Secret,
        cancelled: Callable[[float], bool],
        log: Callable[[str], None],
        scheme: str = "Bearer",
        headers: Mapping[str, str] = MappingProxyType({}),
        patience: Patience | None = None,
        size_limit_bytes: int = 16 * 1024 * 1024,
    ) -> None:
        import httpx  # noqa: PLC0415  # a third of a second that only those who publish at a host need

        if not _SENDABLE.fullmatch(token.reveal()):
            # Said here: libraries show what they cannot send.
            raise InputError(f"{host}: the token is none: expected printable ASCII characters without spaces")
        self._host = host
        self._root = root
        # Held, so that it is masked wherever it is printed.
        self._token = token
        self._cancelled = cancelled
        self._log = log
        self._patience = patience or Patience()
        self._size_limit_bytes = size_limit_bytes
        self._client = httpx.Client(
            headers={
                "accept": "application/json",
                "user-agent": "portal",
                **headers,
                "authorization": f"{scheme} {token.reveal()}",
            },
            trust_env=False,
            follow_redirects=False,
            timeout=self._patience.answer / 3,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections that are kept."""
        self._client.close()

    def get(self, path: str, *, expected: Collection[int] = (), query: Mapping[str, str] | None = None) -> HostAnswer:
        """Return what is at a path; see `ask`."""
        return self.ask("GET", path, expected=expected, query=query)

    def ask(
        self,
        method: str,
        path: str,
        *,
        body: Any = None,
        query: Mapping[str, str] | None = None,
        expected: Collection[int] = (),
        is_repeatable: bool | None = None,
    ) -> HostAnswer:
        """Return the answer to a request below the root, its path quoted, its `body` sent as JSON.

        Faults that pass (5xx, a connection that breaks) are waited out where the request bears being done twice, as GET
        and PUT do, or as `is_repeatable` says; a limit of requests is waited out always, as the host has done nothing.
        Raises `HostFaultError` for a status of 300 and above that is not `expected`, and for a host that does not
        answer; `TaskCancelledError` when the task is cancelled meanwhile.
        """
        url = f"{self._root}{path}"
        content = None if body is None else orjson.dumps(body)
        may_repeat = method in _REPEATABLE if is_repeatable is None else is_repeatable
        waited, faults = 0.0, 0
        while True:
            found = self._spoken(method, url, content=content, query=query)
            if isinstance(found, HostAnswer):
                if found.status in expected:
                    return found
                limited = limited_seconds(found)
                if limited is not None:
                    waited += self._pause(limited, waited=waited, why=f"{self._host} limits how often it is asked")
                    continue
                if found.status < _FIRST_OTHER:
                    return found
            faults += 1
            passes = found.status in _PASSING and may_repeat if isinstance(found, HostAnswer) else may_repeat
            passes = passes or (isinstance(found, _Silence) and not found.reached)
            pause = self._patience.first * 2 ** (faults - 1)
            if not passes or faults >= self._patience.attempts or waited + pause > self._patience.longest:
                self._refuse(method, path, found)
            why = found.reason if isinstance(found, _Silence) else f"it answers {found.status}"
            waited += self._pause(pause, waited=waited, why=f"{self._host} is asked again, as {why}")

    def pages(self, path: str, **query: str) -> Iterator[Any]:
        """Yield the items of all pages of a list. Raises as `ask`, and `HostFaultError` for what is no list.

        Bitbucket's pages are objects that hold `values`, and perhaps the url of the `next`.
        """
        where = path
        asked: Mapping[str, str] | None = query
        for _ in range(_MOST_PAGES):
            answer = self.ask("GET", where, query=asked)
            items: Any = answer.body
            following = answer.next
            if isinstance(items, dict):
                items, following = items.get("values"), str(items.get("next") or "")
            if not isinstance(items, list):
                raise HostFaultError(f"{self._host}: GET {path} answers something else than a list", answer.status)
            yield from items
            if not following:
                return
            url = urljoin(f"{self._root}{where}", following)
            # The token goes to the host that it is for alone.
            if not url.startswith(f"{self._root}/"):
                raise HostFaultError(f"{self._host} names a page elsewhere", answer.status)
            where, asked = url.removeprefix(self._root), None

    def _spoken(
        self, method: str, url: str, *, content: bytes | None, query: Mapping[str, str] | None
    ) -> HostAnswer | _Silence:
        import httpx  # noqa: PLC0415  # as above

        headers = {} if content is None else {"content-type": "application/json"}
        deadline = time.monotonic() + self._patience.answer
        try:
            with (
                traced("git host request", host=self._host, method=method),
                self._client.stream(method, url, content=content, params=query, headers=headers) as response,
            ):
                return self._whole(response, deadline)
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            return _Silence(f"it does not answer ({_told(error)})", reached=False)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            return _Silence(f"the connection breaks ({_told(error)})", reached=True)

    def _whole(self, response: httpx.Response, deadline: float) -> HostAnswer | _Silence:
        content = bytearray()
        for part in response.iter_bytes():
            content += part
            if len(content) > self._size_limit_bytes:
                raise HostFaultError(
                    f"{self._host} answers with more than {self._size_limit_bytes:,} bytes", response.status_code
                )
            if time.monotonic() > deadline:
                return _Silence(f"it gives no whole answer within {self._patience.answer:g} seconds", reached=True)
        headers = {name.lower(): value for name, value in response.headers.items()}
        try:
            body = orjson.loads(content) if content.strip() else None
        except orjson.JSONDecodeError:
            if response.is_success:
                raise HostFaultError(
                    f"{self._host} answers {response.request.method} {response.request.url.path} with something else "
                    "than JSON",
                    response.status_code,
                ) from None
            body = None  # the page of some proxy
        return HostAnswer(response.status_code, headers, body, response.links.get("next", {}).get("url", ""))

    def _pause(self, seconds: float, *, waited: float, why: str) -> float:
        """Wait, and return how long. Raises `HostFaultError` where that is longer than a step may wait."""
        if waited + seconds > self._patience.longest:
            raise HostFaultError(
                f"{why}, and may be asked again in {seconds:.0f} seconds only; a step waits "
                f"{self._patience.longest:g} seconds at most. Retry the task then",
                _TOO_MANY,
            )
        self._log(f"{why}: waiting {seconds:g} s")
        if self._cancelled(seconds):
            raise TaskCancelledError(f"The step ended while it waited for {self._host}, because the task was cancelled")
        return seconds

    def _refuse(self, method: str, path: str, found: HostAnswer | _Silence) -> NoReturn:
        asked = f"{self._host}: {method} {urlsplit(path).path}"
        if isinstance(found, _Silence):
            raise HostFaultError(f"{asked} failed: {found.reason}")
        reason = reason_of(found)
        hint = ""
        if found.status in _REDIRECTS:
            hint = ". It has moved: name it as it is called now"
        elif found.status == _UNAUTHORIZED:
            hint = ". The host does not accept the token"
        elif found.status == _FORBIDDEN:
            hint = ". The token may not do this"
        elif found.status == _NOT_FOUND:
            hint = ". It is not there, or the token may not see it"
        raise HostFaultError(f"{asked} answers {found.status}{f': {reason}' if reason else ''}{hint}", found.status)


def reason_of(answer: HostAnswer) -> str:
    """Return what a host says of its refusal, without secrets; empty where it says nothing.

    GitHub and Gitea have `message` and perhaps `errors`; GitLab has `message`, a text or faults by field, or `error`.
    """
    body = answer.body
    if not isinstance(body, dict):
        return ""
    told = body.get("message") or body.get("error_description") or body.get("error") or ""
    errors = body.get("errors")
    texts = [_flat(told), *map(_flat, errors if isinstance(errors, list) else ())]
    text = "; ".join(dict.fromkeys(text for text in texts if text))
    return without_secrets(text)[:_SHOWN_CHARACTERS]


def _flat(told: Any, depth: int = 0) -> str:
    if depth > _DEEPEST:
        return "…"
    if isinstance(told, dict):
        if "message" in told:
            return _flat(told["message"], depth + 1)
        return ", ".join(f"{name} {_flat(value, depth + 1)}" for name, value in told.items())
    if isinstance(told, list):
        return ", ".join(_flat(item, depth + 1) for item in told)
    return str(told)


def limited_seconds(answer: HostAnswer) -> float | None:
    """Return how long a host asks to be left alone; None where it does not.

    Rules: GitHub's "Rate limits for the REST API" (403 or 429), GitLab's "Rate limits" (429).
    """
    headers = answer.headers
    is_spent = "0" in {headers.get("x-ratelimit-remaining"), headers.get("ratelimit-remaining")}
    says_so = is_spent or "retry-after" in headers or "rate limit" in reason_of(answer).lower()
    if answer.status != _TOO_MANY and not (answer.status == _FORBIDDEN and says_so):
        return None
    # The host's own clock: ours may go wrong.
    now = _moment(headers.get("date", "")) or time.time()
    after = headers.get("retry-after", "").strip()
    if after.isdecimal():
        return max(float(after), _SHORTEST_SECONDS)
    at = _moment(after)
    if at is None and is_spent:
        reset = headers.get("x-ratelimit-reset") or headers.get("ratelimit-reset") or ""
        at = float(reset) if reset.strip().isdecimal() else None
    return _UNTOLD_SECONDS if at is None else max(at - now, 0.0) + _SHORTEST_SECONDS


def _moment(text: str) -> float | None:
    """Return the seconds since 1970 of a date as HTTP writes it."""
    try:
        return parsedate_to_datetime(text).timestamp()
    except (TypeError, ValueError):
        return None


def _told(error: Exception) -> str:
    return without_secrets(str(error)) or type(error).__name__
