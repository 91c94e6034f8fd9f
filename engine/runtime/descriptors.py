"""Open files and sockets: how many the process may have, and how they are shared out.

Logs and connections each have a budget of their own, so that neither a thousand clients nor a
thousand rolls take what the other needs.
"""

from __future__ import annotations

import resource
from contextlib import suppress
from typing import Final, NamedTuple

from engine.errors import ConfigError

WANTED: Final = 4096
"""More than all budgets together; as much is requested where the hard limit allows it."""
OWN: Final = 40
"""Database, pipes, Filebeat, watches, standard streams, and files that are read and closed."""
MAX_LOGS: Final = 256
FEWEST_LOGS: Final = 8
MAX_CONNECTIONS: Final = 1000
FEWEST_CONNECTIONS: Final = 16
FEWEST: Final = OWN + FEWEST_LOGS + FEWEST_CONNECTIONS


class Share(NamedTuple):
    """How many logs may be open, and how many connections."""

    logs: int
    connections: int


def share_out() -> Share:
    """Raise the limit of the process as far as that helps, and divide it.

    Raises ConfigError where it is so low that something would fail sooner or later.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < WANTED:
        with suppress(OSError, ValueError):
            wanted = WANTED if hard == resource.RLIM_INFINITY else min(WANTED, hard)
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        soft = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    limit = WANTED if soft == resource.RLIM_INFINITY else soft
    if limit < FEWEST:
        raise ConfigError(
            f"{limit} files and sockets may be open here, and {FEWEST} are needed",
            "allow more: ulimit -n, LimitNOFILE= of systemd, the nofile limit of the container",
        )
    return divide(limit)


def divide(limit: int) -> Share:
    """The budgets out of a limit, which is at least `FEWEST`: connections get what logs leave."""
    free = limit - OWN
    logs = min(MAX_LOGS, max(FEWEST_LOGS, free // 4))
    return Share(logs, min(MAX_CONNECTIONS, free - logs))
