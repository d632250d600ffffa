"""Finds where a remote is in the network, to keep those that catalogs name away from private addresses."""

from __future__ import annotations

import re
import socket
import urllib.request
from urllib.parse import urlsplit

from portal.errors import InputError, NotAllowedError, SourceUnreachableError
from portal.model.reading import ReadingRules
from portal.model.sentence import Sentence

_SCP_HOST = re.compile(r"[^@/]*@(\[[^\]]*\]|[^:/]+):")
_PORTS = {"http": 80, "https": 443, "ssh": 22, "git": 9418}


def host_and_port(url: str) -> tuple[str, int]:
    """Return the host, without brackets, and the port of a normal remote that is no local folder."""
    found = _SCP_HOST.match(url)
    if found and "://" not in url:
        return found[1].strip("[]"), _PORTS["ssh"]
    parts = urlsplit(url)
    return parts.hostname or "", parts.port or _PORTS.get(parts.scheme, 0)


def pinned(url: str, rules: ReadingRules) -> tuple[tuple[str, str], ...]:
    """Return the configuration by which git speaks to allowed addresses of an http(s) remote, and to no others.

    Its name cannot come to mean another address in between, then. git knows nothing like it for ssh and git://; there
    all addresses must be allowed. Raises `NotAllowedError` where none is, `SourceUnreachableError` for a name that
    nobody knows, `InputError` for one that git's libraries could read otherwise than we do.
    """
    host, port = host_and_port(url)
    scheme = urlsplit(url).scheme if "://" in url else "ssh"
    if not host.isascii() or host.endswith("."):
        raise InputError(
            Sentence(
                'Found the host "%(host)s"; expected its name in ASCII ("xn--…") without a dot at the end', host=host
            )
        )
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        if scheme in urllib.request.getproxies_environment():
            # The operator's proxy looks names up, and is what keeps requests inside or out.
            return ()
        raise SourceUnreachableError(
            Sentence('The host "%(host)s" is not known: %(error)s', host=host, error=str(error)), host
        ) from error
    addresses = list(dict.fromkeys(str(item[4][0]) for item in found))
    allowed = [address for address in addresses if rules.allows_address(address)]
    is_web = scheme in {"http", "https"}
    if not allowed or (not is_web and len(allowed) < len(addresses)):
        # Which address it is stays untold: names of an inner network are nobody's to look up from here.
        raise NotAllowedError(
            Sentence(
                'The host "%(host)s" is at a private address, where catalogs and requests may not '
                "lead; the settings integrations (its host) or reading_hosts (its address or network) may allow it",
                host=host,
            )
        )
    if not is_web or _is_address(host):
        return ()
    shown = ",".join(f"[{address}]" if ":" in address else address for address in allowed)
    return (("http.curloptResolve", f"{host}:{port}:{shown}"),)


def _is_address(host: str) -> bool:
    """Return whether a host is an address as it stands; what only resolves to one (`0x7f.1`) is a name to curl."""
    for family in (socket.AF_INET, socket.AF_INET6):
        try:
            socket.inet_pton(family, host)
        except OSError:
            continue
        return True
    return False
