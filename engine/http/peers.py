"""Counts connections by client: an IPv4 address or an IPv6 network of one household has a share.

Trusted proxies, which ask for many clients, have none.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from contextlib import suppress
from functools import lru_cache
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)
from pathlib import Path
from typing import Final

Network = IPv4Network | IPv6Network

LOOPBACK: Final = (ip_network("127.0.0.0/8"), ip_network("::1/128"))
TURNS_PER_SECOND: Final = 20
"""New connections of an address that has its share: more than a browser opens."""
_IPV6_HOUSEHOLD: Final = 64
"""Bits: every phone of IPv6 has as many addresses below them as it likes."""
NET: Final = Path("/proc/net")


class Peers:
    """Counts connections by where they come from; owned by the thread that runs the loop."""

    def __init__(self, trusted: tuple[Network, ...] | None, share: int) -> None:
        """`trusted` None: loopback and the gateways. `share`: connections of one address."""
        self.share = share
        self._trusted = (*LOOPBACK, *gateways()) if trusted is None else trusted
        self._counts: dict[str, int] = {}
        self._second = 0
        self._replaced: dict[str, int] = {}
        self.origin = lru_cache(maxsize=4096)(self._origin)

    def admits(self, origin: str, now: float, *, full: bool) -> bool:
        """Whether one more connection is taken, when another one may have to end for it.

        Those of the most crowded addresses have only some turns a second: refusing costs less than
        taking one and ending another, and the others wait for that. `now` is monotonic.
        """
        count = self._counts.get(origin, 0)
        if not origin or not (count >= self.share or (full and count >= self._crowded())):
            return True
        if int(now) != self._second:
            self._second = int(now)
            self._replaced.clear()
        turns = self._replaced.get(origin, 0)
        self._replaced[origin] = turns + 1
        return turns < TURNS_PER_SECOND

    def _crowded(self) -> int:
        """Half of what the most crowded address has."""
        return max(self._counts.values(), default=0) // 2 + 1

    def enter(self, origin: str) -> None:
        """One more connection. `origin` is what `origin` gave for its address."""
        self._counts[origin] = self._counts.get(origin, 0) + 1

    def leave(self, origin: str) -> None:
        """One connection less."""
        left = self._counts.pop(origin, 0) - 1
        if left > 0:
            self._counts[origin] = left

    def surplus(self, origin: str) -> int:
        """How many connections of an origin are above the share; none of a trusted proxy's."""
        return max(0, self._counts.get(origin, 0) - self.share) if origin else 0

    def weight(self, origin: str) -> int:
        """How crowded an origin is, in powers of two; a proxy is not more so than a full share."""
        return min(self._counts.get(origin, 0), self.share).bit_length()

    def _origin(self, text: str) -> str:
        """What an address is counted under; empty for a trusted proxy."""
        address = ip_address(text.partition("%")[0])
        if isinstance(address, IPv6Address):
            address = address.ipv4_mapped or address
        if any(address in network for network in self._trusted):
            return ""
        if isinstance(address, IPv4Address):
            return str(address)
        return str(ip_network((address, _IPV6_HOUSEHOLD), strict=False))


def gateways(net: Path = NET) -> Iterator[Network]:
    """The default gateways: in a container, what its published ports are asked from."""
    with suppress(OSError, ValueError, IndexError, struct.error):
        for line in (net / "route").read_text(encoding="ascii").splitlines()[1:]:
            _, destination, gateway, *_ = line.split()
            if int(destination, 16) == 0 and int(gateway, 16):
                yield ip_network(IPv4Address(struct.pack("=I", int(gateway, 16))))
    with suppress(OSError, ValueError, IndexError):
        for line in (net / "ipv6_route").read_text(encoding="ascii").splitlines():
            destination, bits, _, _, gateway, *_ = line.split()
            if not int(destination, 16) and not int(bits, 16) and int(gateway, 16):
                yield ip_network(IPv6Address(int(gateway, 16)))
