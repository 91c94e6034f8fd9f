"""Reports to systemd, where it has asked for that (sd_notify), and feeds its watchdog.

NOTIFY_SOCKET and WATCHDOG_USEC are removed from the environment: a child must not report for us. A
socket that nobody reads, or that is gone, stops nothing.
"""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from engine.runtime.clock import monotonic
from engine.wakeup import WakeUp

Progress = dict[str, tuple[WakeUp, int]]
"""Of each thread at work: what wakes it, and how much it has done besides waking up."""

log = logging.getLogger("offspot-metrics")


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
        """Seconds between two signs of life, half of what is allowed; 0: none is expected."""

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


class Watchdog:
    """Signs of life, as long as every thread moves within the time that systemd allows.

    `look` is for the main thread, which by that shows that it moves itself. It wakes the others and
    sees at its next look whether they have come round: an idle thread needs no timer for this.
    """

    def __init__(self, notifier: Notifier, progress: Callable[[], Progress]) -> None:
        self.interval = notifier.interval
        self._notifier = notifier
        self._progress = progress
        self._next = 0.0
        self._seen: dict[str, tuple[int, float]] = {}
        """What each thread had done, and since when it has not done more (monotonic)."""
        self._hanging: list[str] = []

    def look(self) -> None:
        """A sign of life, when it is time for one and no thread hangs."""
        now = monotonic()
        if not self.interval or now < self._next:
            return
        self._next = now + self.interval
        seen, self._seen = self._seen, {}
        for name, (wake_up, done) in self._progress().items():
            turns = wake_up.cleared + done
            before, since = seen.get(name, (turns, now))
            self._seen[name] = (turns, since if turns == before else now)
            wake_up.set()
        allowed = 2 * self.interval
        self._report([name for name, (_, since) in self._seen.items() if now - since >= allowed])

    def _report(self, hanging: list[str]) -> None:
        if not hanging:
            self._notifier.send("WATCHDOG=1")
        elif hanging != self._hanging:
            text = f"the {' and the '.join(hanging)} thread hangs"
            log.error("%s: the service manager is given no more signs of life", text)
            self._notifier.send(f"STATUS=Not at work: {text}")
        self._hanging = hanging
