"""Ends the wait of a thread that polls descriptors.

All waiting is done by `poll`, which keeps to the monotonic clock on every C library; a lock with a
time limit does not on musl, and a signal does not wake it.
"""

from __future__ import annotations

import os
import threading
from contextlib import suppress


class WakeUp:
    """A pipe that is readable once `set` was called, until `clear`.

    `set` may be called from any thread, in a signal handler and after `close`, when it does
    nothing: the number of the descriptor may be that of another file then.
    """

    def __init__(self) -> None:
        self._lock = threading.RLock()  # a signal handler may come while its thread has it
        self._out, self.descriptor = os.pipe()
        """What is written to `descriptor` wakes up too, for `signal.set_wakeup_fd`."""
        self.cleared = 0
        """How often: it grows as long as the thread that waits comes round."""
        self._open = True
        os.set_blocking(self._out, False)
        os.set_blocking(self.descriptor, False)

    def fileno(self) -> int:
        """What to poll for reading."""
        return self._out

    def set(self) -> None:
        """End the wait, or the next one."""
        with self._lock, suppress(BlockingIOError):  # full: it is set already
            if self._open:
                os.write(self.descriptor, b"x")

    def clear(self) -> None:
        """Wait again."""
        self.cleared += 1
        with suppress(BlockingIOError):
            os.read(self._out, 4096)

    def close(self) -> None:
        """Close both ends; more than once does no harm."""
        with self._lock:
            if self._open:
                self._open = False
                os.close(self.descriptor)
                os.close(self._out)
