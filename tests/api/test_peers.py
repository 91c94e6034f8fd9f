"""What a connection is counted under: an address, a household, or nothing for a proxy."""

from __future__ import annotations

import socket
import sys
from ipaddress import ip_network
from pathlib import Path

import pytest

from engine.http.peers import Peers, gateways


@pytest.mark.parametrize(
    ("address", "origin"),
    [
        ("10.0.0.7", "10.0.0.7"),
        ("::ffff:10.0.0.7", "10.0.0.7"),
        ("fd00::1", "fd00::/64"),
        ("fd00::ffff:0:1", "fd00::/64"),
        ("fe80::1%wlan0", "fe80::/64"),
        ("172.18.0.1", ""),
        ("::ffff:172.18.0.1", ""),
        ("127.0.0.1", "127.0.0.1"),
    ],
)
def test_what_an_address_is_counted_under(address: str, origin: str) -> None:
    """An IPv4 address, also one in IPv6; 64 bits of IPv6, without a zone; nothing for a proxy that
    is named. Where proxies are named, loopback is none of them.
    """
    assert Peers((ip_network("172.18.0.1/32"),), 8).origin(address) == origin


def test_without_names_loopback_and_the_gateway_are_proxies() -> None:
    """Whatever this machine has for a gateway."""
    peers = Peers(None, 8)
    assert peers.origin("127.0.0.9") == peers.origin("::1") == ""
    for gateway in gateways():
        assert peers.origin(str(gateway.network_address)) == ""
    assert peers.origin("198.51.100.77") == "198.51.100.77"


def test_only_default_routes_have_a_gateway(tmp_path: Path) -> None:
    """Of IPv4 in the machine's order of bytes, and of IPv6; a route to one network has none."""
    (tmp_path / "route").write_text(
        "Iface Destination Gateway Flags RefCnt Use Metric Mask MTU Window IRTT\n"
        f"eth0 00000000 {_native('172.18.0.1')} 0003 0 0 0 00000000 0 0 0\n"
        f"eth0 {_native('10.9.0.0')} {_native('172.18.0.9')} 0003 0 0 0 0000FFFF 0 0 0\n"
        f"eth0 {_native('172.18.0.0')} 00000000 0001 0 0 0 0000FFFF 0 0 0\n"
    )
    none, rest = "0" * 32, "00000400 00000001 00000000 00000003 eth0"
    (tmp_path / "ipv6_route").write_text(
        f"{none} 00 {none} 00 fe80{'0' * 27}1 {rest}\n"
        f"fd07{'0' * 28} 40 {none} 00 fe80{'0' * 27}9 {rest}\n"
        f"{none} 00 {none} 00 {none} {rest}\n"
    )
    assert [str(found) for found in gateways(tmp_path)] == ["172.18.0.1/32", "fe80::1/128"]


def _native(address: str) -> str:
    """An address as the kernel writes it in /proc/net/route."""
    return f"{int.from_bytes(socket.inet_aton(address), sys.byteorder):08X}"


def test_turns_are_given_again_each_second() -> None:
    """An address that has its share begins twenty connections a second, and twenty in the next."""
    peers = Peers((), 2)
    for _ in range(2):
        assert peers.admits("10.0.0.7", 5.0, full=False)
        peers.enter("10.0.0.7")
    for second in (5.0, 6.0):
        taken = [peers.admits("10.0.0.7", second + n / 100, full=False) for n in range(30)]
        assert taken == [True] * 20 + [False] * 10
    assert peers.admits("10.0.0.8", 6.5, full=False)


def test_who_leaves_is_not_counted() -> None:
    """The share is of what is open now."""
    peers = Peers((), 2)
    for _ in range(4):
        peers.enter("10.0.0.7")
    assert (peers.surplus("10.0.0.7"), peers.weight("10.0.0.7")) == (2, 2)
    for _ in range(4):
        peers.leave("10.0.0.7")
    assert (peers.surplus("10.0.0.7"), peers.weight("10.0.0.7")) == (0, 0)
    assert not peers._counts, "nothing stays of an address that left"
