"""Reports to systemd, where it has asked for that (sd_notify).

NOTIFY_SOCKET and WATCHDOG_USEC are removed from the environment: a child must not report for us. A
socket that nobody reads, or that is gone, stops nothing.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from engine.runtime.clock import monotonic


class Notifier:
    """Reports to the service manager; does nothing when there is none."""

    def __init__(self) -> None:
        address = os.environ.pop("NOTIFY_SOCKET", "")
        microseconds = os.environ.pop("WATCHDOG_USEC", "")
        process = os.environ.pop("WATCHDOG_PID", "")
        self._address = "\0" + address[1:] if address.startswith("@") else address
        is_for_us = not process or process == str(os.getpid())
        known = address and is_for_us and microseconds.isdecimal()
        self.interval = int(microseconds) / 2_000_000 if known else 0.0
        """Seconds between two signs of life; 0: none is expected."""
        self._next = 0.0

    def send(self, text: str) -> None:
        """Send one message, at once or not at all."""
        if not self._address:
            return
        with (
            suppress(OSError, ValueError),
            socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender,
        ):
            sender.setblocking(False)
            sender.sendto(text.encode(), self._address)

    @contextmanager
    def serving(self, status: str) -> Iterator[None]:
        """The start is over at the beginning of the block, and the end has begun at its end."""
        self.send(f"READY=1\nSTATUS={status}")
        try:
            yield
        finally:
            self.send("STOPPING=1")

    def alive(self) -> None:
        """A sign of life, when it is time for one."""
        if self.interval and monotonic() >= self._next:
            self._next = monotonic() + self.interval
            self.send("WATCHDOG=1")
