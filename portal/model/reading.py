"""Which hosts may be read over HTTP, by what the operator has named."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from urllib.parse import unquote, urlsplit

from portal.model.integration import host_of

_HOST = re.compile(r"(?:\*\.)?[a-z0-9](?:[a-z0-9.\-]*[a-z0-9])?(?::\d{1,5})?|\[[0-9a-f:]+\](?::\d{1,5})?")
_NAT64 = ip_network("64:ff9b::/96")
#: What of IPv6 is public by its form: all else is private, reserved, or a way to write an IPv4 address.
_GLOBAL_UNICAST = ip_network("2000::/3")


@dataclass(frozen=True, slots=True)
class _Place:
    host: str
    path: str


class ReadingRules:
    """The hosts that catalogs may have read for them; none unless named.

    An entry is a host (`example.com`, `example.com:8443`, `*.example.com`), optionally with the beginning of a path
    (`github.com/organisation/`), an address, or a network (`10.0.0.0/8`). Names open hosts, networks open addresses: a
    host whose name is there may still not be at a private address, unless a network that holds it, or the address
    itself, is named too. Rule: Backstage's `backend.reading.allow` knows hosts and paths; the addresses are Portal's.
    """

    def __init__(self, entries: Collection[str] = ()) -> None:
        self._entries = sorted(entries)
        self._places: list[_Place] = []
        self._networks: list[IPv4Network | IPv6Network] = []
        self._open_networks: list[IPv4Network | IPv6Network] = []
        for entry in self._entries:
            network = _network(entry)
            if network is not None:
                self._networks.append(network)
            if network is not None and "/" in entry:
                self._open_networks.append(network)
            elif isinstance(network, IPv6Network) and not entry.startswith("["):
                self._places.append(_Place(f"[{network.network_address}]", ""))
            else:
                host, slash, path = entry.partition("/")
                if path.isdecimal() and _address(host) is not None:
                    raise ValueError(f'networks such as "10.0.0.0/8", not "{entry}"')
                self._places.append(_Place(_host(host, entry), f"{slash}{path}"))

    def allows(self, url: str) -> bool:
        """Return whether an http(s) url may be read, as far as its text tells."""
        try:
            host, parts = host_of(url), urlsplit(url)
        except ValueError:
            return False
        if parts.scheme not in {"http", "https"} or parts.username is not None or not host:
            return False
        path = unquote(parts.path)
        if ".." in path.split("/"):
            return False
        return any(_is_at(host, place.host) and path.startswith(place.path) for place in self._places) or (
            (address := _address(parts.hostname or "")) is not None
            and any(address in network for network in self._open_networks)
        )

    def allows_address(self, text: str) -> bool:
        """Return whether an IP address may be spoken to: any public one, of the others those that are named."""
        address = _address(text)
        if address is None:
            return False
        if any(address in network for network in self._networks):
            return True
        if isinstance(address, IPv6Address) and address not in _GLOBAL_UNICAST and address not in _NAT64:
            return False
        inner = _carried(address)
        return address.is_global and not address.is_multicast and (inner is None or inner.is_global)

    def fingerprint(self) -> str:
        """Return a text that changes with the rules."""
        return ",".join(self._entries)


def _host(host: str, entry: str) -> str:
    if not _HOST.fullmatch(host.lower()):
        raise ValueError(f'hosts such as "example.com" or networks such as "10.0.0.0/8", not "{entry}"')
    return host.lower()


def _is_at(host: str, named: str) -> bool:
    return host.endswith(named[1:]) if named.startswith("*.") else host == named


def _network(entry: str) -> IPv4Network | IPv6Network | None:
    """Return the network that an entry is; an address, with its port or not, is one of itself."""
    text = entry
    bracketed = re.fullmatch(r"\[([0-9a-fA-F:]+)\](?::\d{1,5})?", text)
    with_port = re.fullmatch(r"(\d+\.\d+\.\d+\.\d+):\d{1,5}", text)
    found = bracketed or with_port
    try:
        return ip_network(found[1] if found else text)
    except ValueError:
        return None


def _address(text: str) -> IPv4Address | IPv6Address | None:
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    # What is mapped into IPv6 is reached as IPv4: it must be judged as such.
    return address.ipv4_mapped or address if isinstance(address, IPv6Address) else address


def _carried(address: IPv4Address | IPv6Address) -> IPv4Address | None:
    """Return the IPv4 address that an IPv6 one leads to through a gateway (6to4, Teredo, NAT64)."""
    if isinstance(address, IPv4Address):
        return None
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address.sixtofour or (address.teredo[1] if address.teredo else None)
