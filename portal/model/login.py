"""Finds logins in urls; shows urls without them."""

from __future__ import annotations

import re

#: It is tried where a run of such characters begins, never within one: a long text without a scheme would take minutes.
_SCHEME = re.compile(r"(?<![A-Za-z0-9+.\-])[0-9+.\-]*+([A-Za-z][A-Za-z0-9+.\-]*+)://(.*)", re.DOTALL)


def holds_login(url: str) -> bool:
    """Return whether a url holds a password, or for http a user, whose name may be a token."""
    return without_credentials(url) not in {url, url.partition("?")[0]}


def without_credentials(url: str) -> str:
    """Return a remote as it may be shown, faulty ones too: no password, no query, for http no user either."""
    found = _SCHEME.search(url)
    if not found:
        before, at, host = url.partition("@")
        return f"***@{host}" if at and ":" in before else url
    before, scheme = url[: found.start(1)], found[1]
    authority, slash, tail = found[2].partition("?")[0].partition("/")
    user, at, host = authority.rpartition("@")
    if re.search(r":(?!\d*$)", host) and "@" in tail:
        # A password with a "/" in it: what looks like host and port is its first half.
        return f"{before}{scheme}://***@{tail.rpartition('@')[2]}"
    if at and scheme.lower() == "ssh":
        host = f"{user.partition(':')[0]}@{host}"
    return f"{before}{scheme}://{host}{slash}{tail}"
