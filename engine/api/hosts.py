"""Which Host headers are accepted: protection against DNS rebinding. No name is resolved.

A page of another site can reach this server from a visitor's browser only under a name that its
owner controls in the public DNS. So names that nobody can register there are accepted: addresses,
names without a dot, and names below `.local` (multicast DNS), `.localhost` and `.hotspot`, the
suffix of offspots. Any other name must be one of ours (`docs/adr/0012-host-allow-list.md`).
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

from engine.hosts import is_address

MAX_HOST_LENGTH = 261
"""Characters: a DNS name of 255, a colon and a port of 5."""

PRIVATE_ENDINGS: Final = ("local", "localhost", "hotspot")
PRIVATE_TOP_LEVELS: Final = (
    *PRIVATE_ENDINGS,
    *("corp", "home", "home.arpa", "internal", "intranet", "lan", "private", "test"),
)
"""Endings that no registry sells (RFC 2606, RFC 6762 appendix G, RFC 8375, and ICANN's decisions
on `internal`, `corp` and `home`): one of them is the offspot's own when its name ends so.
"""

_HOST = re.compile(
    r"(?:\[(?P<v6>[0-9a-f:.]+(?:%[\w.~-]+)?)\]|(?P<name>[a-z0-9_.-]+))(?::[0-9]{0,5})?"
)


def names_of_hotspot(fqdn: str, others: frozenset[str]) -> frozenset[str]:
    """What `host_allowed` takes: `others` as they are, `fqdn` with all names below it.

    Names below the ending of `fqdn` too when nobody can own that one: `.lan` for `box.lan`.
    """
    if not fqdn:
        return others
    endings = [top for top in PRIVATE_TOP_LEVELS if fqdn.endswith(f".{top}")]
    return others | {fqdn, f".{fqdn}", *(f".{ending}" for ending in endings)}


def host_allowed(host: str, names: frozenset[str]) -> bool:
    """True when `host`, as sent in the Host header, is one of ours.

    `names` are DNS names without port, in any case; `.name` stands for all names below `name`.
    """
    if not host or len(host) > MAX_HOST_LENGTH:
        return False
    return _verdict(host, names)


def host_of_origin(origin: str) -> str:
    """The name in an origin such as `http://metrics.my.hotspot:8000`; empty if there is none."""
    match = _HOST.fullmatch(origin.partition("://")[2].lower())
    return (match["name"] or "").rstrip(".") if match else ""


@lru_cache(maxsize=256)
def _verdict(host: str, names: frozenset[str]) -> bool:
    match = _HOST.fullmatch(host.lower())
    if match is None:
        return False
    if match["v6"] is not None:
        return is_address(match["v6"])
    name = match["name"].removesuffix(".")
    labels = name.split(".")
    if not all(labels):
        return False
    if len(labels) == 1 or labels[-1] in PRIVATE_ENDINGS or is_address(name):
        return True
    above = {"." + ".".join(labels[start:]) for start in range(1, len(labels))}
    return not {given.lower().rstrip(".") for given in names}.isdisjoint({name, *above})
