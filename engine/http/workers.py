"""Threads that compute answers, and the wake-up of the thread that sends them."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from contextlib import suppress
from queue import SimpleQueue
from time import monotonic

Job = Callable[[], None]


class Workers:
    """A fixed number of threads. A job must not raise."""

    def __init__(self, count: int) -> None:
        self._jobs: SimpleQueue[Job | None] = SimpleQueue()
        self._stopped = False
        self._threads = [
            threading.Thread(target=self._run, name=f"http-worker-{number}", daemon=True)
            for number in range(count)
        ]
        for thread in self._threads:
            thread.start()

    def submit(self, job: Job) -> None:
        """Have it done by the next free thread."""
        self._jobs.put(job)

    def stop(self, seconds: float) -> None:
        """Drop what has not begun and end the threads; one that hangs is left to the process."""
        self._stopped = True
        for _ in self._threads:
            self._jobs.put(None)
        deadline = monotonic() + seconds
        for thread in self._threads:
            thread.join(max(0.0, deadline - monotonic()))

    def _run(self) -> None:
        while (job := self._jobs.get()) is not None:
            if not self._stopped:
                job()


class WakeUp:
    """Ends the wait of a selector. Once closed it is silent: its number may be another file's."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._out, self._in = os.pipe()
        self._open = True
        os.set_blocking(self._out, False)
        os.set_blocking(self._in, False)

    def fileno(self) -> int:
        """What the selector looks at."""
        return self._out

    def set(self) -> None:
        """End the wait, or the next one. From any thread."""
        with self._lock, suppress(BlockingIOError):  # full: it is set already
            if self._open:
                os.write(self._in, b"x")

    def clear(self) -> None:
        """Wait again."""
        with suppress(BlockingIOError):
            os.read(self._out, 4096)

    def close(self) -> None:
        """Close both ends; more than once does no harm."""
        with self._lock:
            if self._open:
                self._open = False
                os.close(self._in)
                os.close(self._out)
