"""The watcher thread: opens each log at the event that announces it, whatever the reader does.

In: a `Watch`. Out: what it has opened, in the `Watch`, and a wake-up of the reader. A roll may be
deleted some ten milliseconds after it was begun, and the reader may wait for counting meanwhile.
"""

from __future__ import annotations

import logging
import os
import select
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from engine.sources.watch import Watch

JOIN_SECONDS: Final = 1.0
URGENT: Final = -10
"""The thread's niceness."""

log = logging.getLogger("offspot-metrics")


class Watcher:
    """One thread for one watch. Owned by the reader thread."""

    def __init__(self, watch: Watch, wake: Callable[[], None]) -> None:
        self.watch = watch
        self.wake = wake
        self._stop_out, self._stop_in = os.pipe()
        self._thread = threading.Thread(target=self._run, name="watcher", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        with suppress(OSError):  # where it is allowed: it does next to nothing, at once
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), URGENT)
        poll = select.poll()
        poll.register(self.watch.births.fileno(), select.POLLIN)
        poll.register(self._stop_out, select.POLLIN)
        try:
            while self.watch.alive:
                if any(descriptor == self._stop_out for descriptor, _ in poll.poll()):
                    return
                if self.watch.take():
                    self.wake()
        except Exception:
            log.exception("the log folder cannot be watched any more: it is looked into instead")
            self.watch.alive = False
            self.wake()

    def stop(self) -> None:
        """End the thread, and close the watch."""
        os.write(self._stop_in, b"x")
        self._thread.join(JOIN_SECONDS)
        self.watch.close()
        os.close(self._stop_in)
        os.close(self._stop_out)
