"""What the sources of a demo's traffic have in common."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

TimedLine = tuple[float, bytes]
"""When a line was written, in epoch seconds, and the line of Caddy's log with its newline."""


class Traffic(Protocol):
    """The lines of a hotspot: those until now, and those of each second from now on."""

    def history(self, now: int) -> Iterator[TimedLine]:
        """The lines up to `now`, oldest first."""

    def lines_at(self, now: int) -> list[bytes]:
        """The lines of this second; called once for each."""
