"""Which Host headers are answered: a wall against DNS rebinding that lets every honest visitor in.

In: a Host header and the names of this hotspot. Out: yes or no.
Must not: resolve names or remember anything but recent verdicts.

A page of another site can only reach us from a visitor's browser under a name that its owner
controls in the public DNS. So whatever cannot be bought there is let in: addresses, names without a
dot, `.local` (multicast DNS), `.localhost`, and `.hotspot`, the ending that offspots are given and
that no registry sells. Every other name must be one of ours, or below one of ours.
"""

from __future__ import annotations

import re
from functools import lru_cache
from ipaddress import ip_address

MAX_HOST_LENGTH = 261
"""Characters: a DNS name of 255, a colon and a port of 5."""

PRIVATE_ENDINGS = ("local", "localhost", "hotspot")

_HOST = re.compile(
    r"(?:\[(?P<v6>[0-9a-f:.]+(?:%[\w.~-]+)?)\]|(?P<name>[a-z0-9_.-]+))(?::[0-9]{0,5})?"
)


def host_allowed(host: str, names: frozenset[str]) -> bool:
    """True when `host`, as sent in the Host header, is one of ours.

    `names` are DNS names without port, in any case; each stands for itself and all names below it.
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
        return _is_address(match["v6"])
    name = match["name"].removesuffix(".")
    labels = name.split(".")
    if not all(labels):
        return False
    if len(labels) == 1 or labels[-1] in PRIVATE_ENDINGS or _is_address(name):
        return True
    ours = {given.lower().rstrip(".") for given in names}
    return any(".".join(labels[start:]) in ours for start in range(len(labels)))


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True
