"""Binds a socket to an address, or raises an error that explains why not and what to do.

It also computes how many connections the limit of file descriptors allows.
"""

from __future__ import annotations

import errno
import os
import resource
import socket
from typing import Final

from engine.errors import AddressInUse

WANTED_DESCRIPTORS: Final = 1200
"""Open files and sockets: connections, and what the rest of the process has open."""
_RESERVED_DESCRIPTORS: Final = 200
_SPARE_DESCRIPTORS: Final = 500
"""Logs, the rest of the process, files that are sent, and connections that are about to end."""
_FEWEST_CONNECTIONS: Final = 16


def bound_socket(host: str, port: int) -> socket.socket:
    """A bound TCP socket, not listening yet."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        sock = socket.socket(family, kind, protocol)
    except OSError as error:
        raise AddressInUse(
            f"cannot listen on {host}: {error.strerror or error}",
            "Give an address of this machine with --host: 127.0.0.1 for this machine only, "
            "0.0.0.0 for everyone.",
        ) from error
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(address)
    except OSError as error:
        sock.close()
        raise AddressInUse(
            f"cannot listen on {host}:{port}: {os.strerror(error.errno or 0)}",
            _bind_hint(error.errno, port),
        ) from error
    return sock


def _bind_hint(code: int | None, port: int) -> str:
    if code == errno.EADDRINUSE:
        return (
            f"Something else uses port {port}, perhaps another offspot-metrics. "
            "Stop it, or choose another port with --port (PORT)."
        )
    if code == errno.EACCES:
        return (
            "Ports below 1024 need privileges: choose a higher one with --port (PORT), or give "
            "this user CAP_NET_BIND_SERVICE (AmbientCapabilities= of systemd)."
        )
    return "Give an address of this machine with --host (HOST): 127.0.0.1 or 0.0.0.0."


def room_for_connections(wanted: int) -> int:
    """How many connections there are descriptors for, after asking for more where that helps."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = max(WANTED_DESCRIPTORS, wanted + _RESERVED_DESCRIPTORS)
    if soft != resource.RLIM_INFINITY and soft < needed:
        soft = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        except (OSError, ValueError):
            soft = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    if soft == resource.RLIM_INFINITY or soft >= needed:
        return wanted
    return max(_FEWEST_CONNECTIONS, int(soft) - _RESERVED_DESCRIPTORS)


def has_no_more_than(connections: int) -> bool:
    """Whether so many connections leave little of the descriptors of the process."""
    soft = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return soft != resource.RLIM_INFINITY and soft < connections + _SPARE_DESCRIPTORS
