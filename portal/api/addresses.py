"""Tells from which address a client asks."""

from __future__ import annotations

import ipaddress
from functools import lru_cache
from typing import Any

#: A client has at least so many IPv6 addresses, and may take another for each request.
_IPV6_PREFIX = 64


def address_of(environ: dict[str, Any], *, proxies: int) -> str:
    """Return what the address of a client counts as: the one that the outermost of our proxies has seen.

    An IPv6 address counts as its network, what is no address as one client.
    """
    told = str(environ.get("REMOTE_ADDR", ""))
    if proxies:
        seen = [part.strip() for part in environ.get("HTTP_X_FORWARDED_FOR", "").split(",")]
        # With fewer it has not come through our proxies.
        told = seen[-proxies] if len(seen) >= proxies else told
    return _counted(told)


@lru_cache(maxsize=10_000)
def _counted(told: str) -> str:
    try:
        address = ipaddress.ip_address(told)
    except ValueError:
        return "unknown"
    if isinstance(address, ipaddress.IPv6Address):
        address = address.ipv4_mapped or address
    if isinstance(address, ipaddress.IPv6Address):
        return str(ipaddress.ip_network((address, _IPV6_PREFIX), strict=False))
    return str(address)
