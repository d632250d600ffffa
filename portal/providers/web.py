"""Reads single files from web servers, those alone that settings name."""

from __future__ import annotations

import hashlib
import socket
import threading
import time
from collections import OrderedDict
from collections.abc import Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urljoin, urlsplit

from portal.errors import NotAllowedError, PortalError, SourceUnreachableError
from portal.model.location import Tree
from portal.model.reading import ReadingRules
from portal.model.sentence import Sentence
from portal.providers.contract import NOT_ASKED, Authorship, FileEntry, Listing

if TYPE_CHECKING:
    import httpx

_AT_ONCE = 8
_REDIRECTS = 5
_REDIRECTING = frozenset({301, 302, 303, 307, 308})
_KEPT_FILES = 500
_KEPT_BYTES = 64 * 1024 * 1024
#: Stands for the commit of a file that its server does not have.
_ABSENT = "absent"
_OK, _NOT_MODIFIED = 200, 304
_GONE = frozenset({404, 410})


@dataclass(frozen=True, slots=True)
class _Answer:
    """What a url held when it was last asked: None is nothing, an int the size of what is too large."""

    content: bytes | int | None
    digest: str
    etag: str = ""
    modified: str = ""


class WebProvider:
    """Files of web servers, each a tree of its own whose one path is empty.

    A host must be allowed by the rules, in redirects too, and the connection goes to the very address that was
    checked, so that a name cannot come to mean another one in between. No proxy of the environment is used, nothing
    but GET is sent, no login goes along.
    """

    def __init__(self, rules: ReadingRules, *, size_limit_bytes: int, timeout_seconds: float = 20.0) -> None:
        self._rules = rules
        self._size_limit_bytes = size_limit_bytes
        self._timeout_seconds = timeout_seconds
        self._client: httpx.Client | None = None
        self._answers: OrderedDict[str, _Answer] = OrderedDict()
        self._lock = threading.Lock()

    def commits(self, trees: Collection[Tree]) -> Mapping[Tree, str | PortalError]:
        """Return the digest of each file's content, asking its server whether it has changed."""
        return {
            tree: answer.digest if isinstance(answer, _Answer) else answer for tree, answer in self._ask(trees).items()
        }

    def listings(
        self,
        trees: Collection[Tree],
        *,
        at: Mapping[Tree, str] = NOT_ASKED,
    ) -> Mapping[Tree, Listing | PortalError]:
        """Return each file as the only one of its tree; a tree without files where the server does not have it."""
        return {
            tree: Listing(tree, "", answer.digest, {"": FileEntry(answer.digest)} if answer.content is not None else {})
            if isinstance(answer, _Answer)
            else answer
            for tree, answer in self._ask(trees).items()
        }

    def read(self, listing: Listing, paths: Collection[str], *, size_limit_bytes: int) -> Mapping[str, bytes | int]:
        """Return the content that the listing was made from; asked for again where it is not kept any more."""
        url = listing.tree.root
        with self._lock:
            answer = self._answers.get(url)
        if answer is None or answer.digest != listing.commit:
            answer = self._fetched(url)
        content = answer.content if answer.content is not None else b""
        if isinstance(content, bytes) and len(content) > size_limit_bytes:
            content = len(content)
        return dict.fromkeys(paths, content)

    def authorship(self, listing: Listing, paths: Collection[str], *, since: str) -> Mapping[str, Authorship]:
        """Return no authors: a web server tells none."""
        return {}

    def close(self) -> None:
        """Close the connections that are kept."""
        with self._lock:
            if self._client is not None:
                self._client.close()

    def _ask(self, trees: Collection[Tree]) -> dict[Tree, _Answer | PortalError]:
        def asked(tree: Tree) -> _Answer | PortalError:
            try:
                return self._fetched(tree.root)
            except PortalError as error:
                return error

        wanted = list(trees)
        if len(wanted) == 1:
            return {wanted[0]: asked(wanted[0])}
        with ThreadPoolExecutor(max_workers=_AT_ONCE) as pool:
            return dict(zip(wanted, pool.map(asked, wanted), strict=True))

    def _fetched(self, url: str) -> _Answer:
        """Return what a url holds now. Raises `NotAllowedError` or `SourceUnreachableError`."""
        import httpx  # noqa: PLC0415  # a third of a second that a catalog without such files does not need

        with self._lock:
            if self._client is None:
                self._client = httpx.Client(trust_env=False, follow_redirects=False, timeout=self._timeout_seconds)
            client = self._client
            known = self._answers.get(url)
        deadline = time.monotonic() + self._timeout_seconds
        try:
            answer = self._followed(client, url, known, deadline)
        except (httpx.HTTPError, httpx.InvalidURL, OSError, UnicodeError) as error:
            raise SourceUnreachableError(
                Sentence("%(url)s: %(error)s", url=_shown(url), error=str(error) or type(error).__name__), _shown(url)
            ) from error
        with self._lock:
            self._answers[url] = answer
            self._answers.move_to_end(url)
            kept = sum(len(item.content) for item in self._answers.values() if isinstance(item.content, bytes))
            while len(self._answers) > _KEPT_FILES or (kept > _KEPT_BYTES and len(self._answers) > 1):
                _, old = self._answers.popitem(last=False)
                kept -= len(old.content) if isinstance(old.content, bytes) else 0
        return answer

    def _followed(self, client: httpx.Client, url: str, known: _Answer | None, deadline: float) -> _Answer:
        here = url
        for _ in range(_REDIRECTS + 1):
            if not self._rules.allows(here):
                raise NotAllowedError(
                    Sentence(
                        "%(here)s may not be read; the setting reading_hosts names the hosts that may",
                        here=_shown(here),
                    )
                )
            found = self._asked(client, here, known if here == url else None, deadline)
            if isinstance(found, _Answer):
                return found
            here = urljoin(here, found).partition("#")[0]
        raise SourceUnreachableError(
            Sentence("%(url)s: it redirects more than %(redirects)s times", url=_shown(url), redirects=_REDIRECTS),
            _shown(url),
        )

    def _asked(self, client: httpx.Client, url: str, known: _Answer | None, deadline: float) -> _Answer | str:
        """Return what a server answers, or where it redirects to; each of its addresses is tried."""
        import httpx  # noqa: PLC0415  # as above

        parts = urlsplit(url)
        port = parts.port or {"http": 80, "https": 443}[parts.scheme]
        host = parts.hostname or ""
        found = dict.fromkeys(str(item[4][0]) for item in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
        allowed = [address for address in found if self._rules.allows_address(address)]
        if not allowed:
            raise NotAllowedError(
                # Which one stays untold: names of an inner network are nobody's to look up from here.
                Sentence(
                    "%(url)s is at a private address, which may not be read; reading_hosts may name "
                    "the address or its network",
                    url=_shown(url),
                )
            )
        headers = {"host": parts.netloc, "accept-encoding": "identity", "user-agent": "portal"}
        if known is not None and known.etag:
            headers["if-none-match"] = known.etag
        elif known is not None and known.modified:
            headers["if-modified-since"] = known.modified
        for address in allowed[:-1]:
            with suppress(httpx.ConnectError, httpx.ConnectTimeout):
                return self._spoken(client, url, address, headers=headers, known=known, deadline=deadline)
        return self._spoken(client, url, allowed[-1], headers=headers, known=known, deadline=deadline)

    def _spoken(
        self,
        client: httpx.Client,
        url: str,
        address: str,
        *,
        headers: Mapping[str, str],
        known: _Answer | None,
        deadline: float,
    ) -> _Answer | str:
        parts = urlsplit(url)
        place = f"[{address}]" if ":" in address else address
        direct = parts._replace(netloc=f"{place}:{parts.port}" if parts.port else place, fragment="").geturl()
        # The certificate is checked against the name, though the connection goes to the address.
        extensions = {"sni_hostname": parts.hostname or ""}
        with client.stream("GET", direct, headers=dict(headers), extensions=extensions) as response:
            status = response.status_code
            if known is not None and status == _NOT_MODIFIED:
                return known
            if status in _REDIRECTING and "location" in response.headers:
                return str(response.headers["location"])
            if status in _GONE:
                return _Answer(None, _ABSENT)
            if status != _OK:
                raise SourceUnreachableError(
                    Sentence("%(url)s: the server answers %(status)s", url=_shown(url), status=status), _shown(url)
                )
            if response.headers.get("content-encoding", "identity") != "identity":
                raise SourceUnreachableError(
                    Sentence("%(url)s: the server compresses unasked", url=_shown(url)), _shown(url)
                )
            return self._content(response, url, deadline)

    def _content(self, response: httpx.Response, url: str, deadline: float) -> _Answer:
        found = bytearray()
        digest = hashlib.sha256()
        size_bytes = 0
        for chunk in response.iter_raw():
            if time.monotonic() > deadline:
                raise SourceUnreachableError(
                    Sentence(
                        "%(url)s: no whole answer within %(timeout_seconds)s seconds",
                        url=_shown(url),
                        timeout_seconds=f"{self._timeout_seconds:g}",
                    ),
                    _shown(url),
                )
            size_bytes += len(chunk)
            digest.update(chunk)
            if size_bytes > self._size_limit_bytes:
                break
            found += chunk
        stated = response.headers.get("content-length", "")
        too_large = size_bytes > self._size_limit_bytes
        content = (int(stated) if stated.isdecimal() else size_bytes) if too_large else bytes(found)
        return _Answer(
            content, digest.hexdigest(), response.headers.get("etag", ""), response.headers.get("last-modified", "")
        )


def _shown(url: str) -> str:
    """Return a url as messages show it: without a login or a query, which may be a secret."""
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2], query="", fragment="").geturl()
