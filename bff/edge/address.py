"""Where a request comes from, as limits count it: the peer, or what a trusted proxy says of it.

Whoever may write the header may choose his address, so only the word of proxies in
`edge.trusted_proxies` counts: hops are read from the right, which the nearest proxy wrote, up to
the first that is none of them. A hop that is no address ends the search at the proxy that passed it
on: its callers then share one bucket, which is the strict way to be wrong.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

from bff.config import EdgeConfig

UNKNOWN = "unknown"
# Longer ones are read anew each time: what is remembered is bounded.
LONGEST_CACHED = 256
MOST_HOPS = 32
# RFC 7239 section 4: `for=` among the pairs of one hop; quoted where it holds a colon.
_FOR = re.compile(r'(?:^|;)\s*for\s*=\s*(?:"([^"]*)"|([^;,\s"]+))', re.IGNORECASE)
# An address with a port, as some proxies write it: 192.0.2.1:4711, [2001:db8::1]:4711.
_WITH_PORT = re.compile(r"(?:\[([^\]]+)\]|([0-9.]+))(?::[0-9]{1,5})?")

Address = IPv4Address | IPv6Address


class Addresses:
    """Reads the addresses of one gateway's callers."""

    def __init__(self, config: EdgeConfig) -> None:
        self._trusted = [ip_network(network) for network in config.trusted_proxies]
        self.header = config.forwarded_header.encode()
        self._standard = config.forwarded_header == "forwarded"
        self._cached = lru_cache(maxsize=4_096)(self._read)

    def is_proxy(self, peer: str) -> bool:
        """Whether the settings trust a peer to speak for others."""
        address = _parsed(peer)
        return address is not None and self._is_trusted(address)

    def of(self, peer: str | None, forwarded: bytes | None) -> str:
        """The address a request counts for, IPv6 by its /64: a subscriber gets at least that much.
        `forwarded` is the value of `header`."""
        if not self._trusted:
            forwarded = None
        if forwarded is not None and len(forwarded) > LONGEST_CACHED:
            return self._read(peer, forwarded)
        return self._cached(peer, forwarded)

    def _read(self, peer: str | None, forwarded: bytes | None) -> str:
        address = _parsed(peer or "")
        if address is None:
            return UNKNOWN
        if forwarded is not None and self._is_trusted(address):
            for hop in self._hops(forwarded.decode("latin-1")):
                behind = _parsed(hop)
                if behind is None:
                    break
                address = behind
                if not self._is_trusted(address):
                    break
        return _group(address)

    def _is_trusted(self, address: Address) -> bool:
        return any(address in network for network in self._trusted)

    def _hops(self, value: str) -> Iterator[str]:
        """From the nearest to the furthest."""
        hops: Sequence[str] = value.rsplit(",", MOST_HOPS)[-MOST_HOPS:]
        for hop in reversed(hops):
            if not self._standard:
                yield hop.strip()
                continue
            found = _FOR.search(hop)
            yield (found[1] or found[2] or "") if found is not None else ""


def _parsed(text: str) -> Address | None:
    with_port = _WITH_PORT.fullmatch(text)
    if with_port is not None:
        text = with_port[1] or with_port[2]
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address


def _group(address: Address) -> str:
    if isinstance(address, IPv4Address):
        return str(address)
    return str(ip_network((address, 64), strict=False))
