"""bff/edge/address.py: which address a request counts for."""

from __future__ import annotations

import pytest

from bff.config import EdgeConfig
from bff.edge.address import UNKNOWN, Addresses

PROXIES = ("10.0.0.0/8", "2001:db8:ffff::/48", "127.0.0.1")
SHOP = "198.51.100.7"


def address(
    peer: str | None, forwarded: bytes | None = None, header: str = "x-forwarded-for"
) -> str:
    config = EdgeConfig.model_validate({"trusted_proxies": PROXIES, "forwarded_header": header})
    return Addresses(config).of(peer, forwarded)


@pytest.mark.parametrize(
    ("peer", "found"),
    [
        (SHOP, SHOP),
        ("::ffff:198.51.100.7", SHOP),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        (None, UNKNOWN),
        ("a-socket", UNKNOWN),
    ],
)
def test_peers_are_grouped(peer: str | None, found: str) -> None:
    """IPv4 by itself, IPv6 by what one subscriber is given, mapped addresses as what they are."""
    assert address(peer) == found


@pytest.mark.parametrize(
    ("peer", "is_proxy"),
    [("10.0.0.1", True), ("::ffff:10.0.0.1", True), ("11.0.0.1", False), ("a-socket", False)],
)
def test_proxies_are_known(peer: str, is_proxy: bool) -> None:
    """A proxy of the settings is one on a socket of both IP versions too, where its IPv4 address
    comes mapped; a peer that has no address is none."""
    config = EdgeConfig.model_validate({"trusted_proxies": PROXIES})
    assert Addresses(config).is_proxy(peer) is is_proxy


@pytest.mark.parametrize(
    ("peer", "forwarded", "found"),
    [
        # Nobody's word counts but that of a trusted proxy.
        (SHOP, b"203.0.113.1", SHOP),
        ("11.0.0.1", b"203.0.113.1", "11.0.0.1"),
        ("10.0.0.1", b"203.0.113.1", "203.0.113.1"),
        ("::ffff:10.0.0.1", b"203.0.113.1", "203.0.113.1"),
        # What the client wrote stands to the left of what the proxy added.
        ("10.0.0.1", b"1.2.3.4, 203.0.113.1", "203.0.113.1"),
        ("10.0.0.1", b"1.2.3.4, 203.0.113.1, 10.9.9.9", "203.0.113.1"),
        ("10.0.0.1", b"10.1.1.1, 203.0.113.1", "203.0.113.1"),
        ("10.0.0.1", b"10.1.1.1,10.2.2.2", "10.1.1.1"),
        # Ports and brackets, as some proxies write them.
        ("127.0.0.1", b"203.0.113.1:4711", "203.0.113.1"),
        ("127.0.0.1", b"[2001:db8:5::9]:4711", "2001:db8:5::/64"),
        ("127.0.0.1", b"2001:db8:5::9", "2001:db8:5::/64"),
        ("2001:db8:ffff::1", b"2001:db8:5::9", "2001:db8:5::/64"),
        # What cannot be read ends at who passed it on.
        ("10.0.0.1", b"unknown", "10.0.0.1"),
        ("10.0.0.1", b"", "10.0.0.1"),
        ("10.0.0.1", b"203.0.113.1, <script>", "10.0.0.1"),
        ("10.0.0.1", b"203.0.113.1, \xff", "10.0.0.1"),
        ("10.0.0.1", b"203.0.113.1, nonsense, 10.3.3.3", "10.3.3.3"),
        ("10.0.0.1", b"203.0.113.1, " * 1_000 + b"10.3.3.3", "203.0.113.1"),
        ("10.0.0.1", b"203.0.113.1" + b", 10.3.3.3" * 1_000, "10.3.3.3"),
    ],
)
def test_hops_are_read_from_the_right(peer: str, forwarded: bytes, found: str) -> None:
    """The rightmost hop that is no trusted proxy; nothing a client writes moves it."""
    assert address(peer, forwarded) == found


@pytest.mark.parametrize(
    ("forwarded", "found"),
    [
        (b"for=203.0.113.1", "203.0.113.1"),
        (b'for="203.0.113.1:4711";proto=https;by=10.0.0.1', "203.0.113.1"),
        (b'For="[2001:db8:5::9]:4711"', "2001:db8:5::/64"),
        (b"for=1.2.3.4, for=203.0.113.1;proto=https", "203.0.113.1"),
        (b"for=1.2.3.4, proto=https;for=203.0.113.1, for=10.2.2.2", "203.0.113.1"),
        (b"for=unknown", "10.0.0.1"),
        (b"for=_hidden", "10.0.0.1"),
        (b"by=203.0.113.1", "10.0.0.1"),
        (b"203.0.113.1", "10.0.0.1"),
    ],
)
def test_standard_header_is_read(forwarded: bytes, found: str) -> None:
    """RFC 7239, where the settings say that the proxies write that one."""
    assert address("10.0.0.1", forwarded, "forwarded") == found


def test_nobody_is_trusted_by_default() -> None:
    """Without `edge.trusted_proxies` the header means nothing, even from this machine."""
    assert Addresses(EdgeConfig()).of("127.0.0.1", b"203.0.113.1") == "127.0.0.1"


@pytest.mark.parametrize("wrong", ["10.0.0.1/8", "proxy", "", "10.0.0.0/33"])
def test_wrong_networks_are_refused(wrong: str) -> None:
    """A network that is none, or has bits beyond its mask, stops the start."""
    with pytest.raises(ValueError, match="trusted_proxies"):
        EdgeConfig.model_validate({"trusted_proxies": [wrong]})
