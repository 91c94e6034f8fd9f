"""Tells systemd how it goes, where systemd asked to be told (sd_notify).

In: NOTIFY_SOCKET and WATCHDOG_USEC of the environment, which are removed from it: a child must not
speak for us. Out: datagrams. A socket that nobody reads, or that is gone, stops nothing.
"""

from __future__ import annotations

import os
import socket
from contextlib import suppress

from engine.runtime.clock import monotonic


class Notifier:
    """Speaks to the service manager; silent when there is none."""

    def __init__(self) -> None:
        address = os.environ.pop("NOTIFY_SOCKET", "")
        microseconds = os.environ.pop("WATCHDOG_USEC", "")
        process = os.environ.pop("WATCHDOG_PID", "")
        self._address = "\0" + address[1:] if address.startswith("@") else address
        meant = not process or process == str(os.getpid())
        known = address and meant and microseconds.isdecimal()
        self.interval = int(microseconds) / 2_000_000 if known else 0.0
        """Seconds between two signs of life; 0: nobody waits for one."""
        self._next = 0.0

    def tell(self, text: str) -> None:
        """Send one message, at once or not at all."""
        if not self._address:
            return
        with (
            suppress(OSError, ValueError),
            socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender,
        ):
            sender.setblocking(False)
            sender.sendto(text.encode(), self._address)

    def ready(self, status: str) -> None:
        """The start is over."""
        self.tell(f"READY=1\nSTATUS={status}")

    def stopping(self) -> None:
        """The end has begun."""
        self.tell("STOPPING=1")

    def alive(self) -> None:
        """A sign of life, when it is time for one."""
        if self.interval and monotonic() >= self._next:
            self._next = monotonic() + self.interval
            self.tell("WATCHDOG=1")
