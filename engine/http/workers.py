"""Threads that compute answers."""

from __future__ import annotations

import threading
from collections.abc import Callable
from queue import SimpleQueue
from time import monotonic

Job = Callable[[], None]


class Workers:
    """A fixed number of threads. A job must not raise, and leaves one result.

    A thread begins its next job when its last result was taken: computing is quicker than sending,
    and results that wait would have no bound.
    """

    def __init__(self, count: int) -> None:
        self._taken = threading.Semaphore(0)
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

    def taken(self) -> None:
        """A result was taken."""
        self._taken.release()

    def stop(self, seconds: float) -> None:
        """Drop what has not begun and end the threads; one that hangs is left to the process."""
        self._stopped = True
        for _ in self._threads:
            self._taken.release()
            self._jobs.put(None)
        deadline = monotonic() + seconds
        for thread in self._threads:
            thread.join(max(0.0, deadline - monotonic()))

    def _run(self) -> None:
        while (job := self._jobs.get()) is not None:
            if not self._stopped:
                job()
                self._taken.acquire()
