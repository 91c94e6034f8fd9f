"""Threads that report their end, and whether they were told to end."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Final, Self

from engine.errors import MetricsError, ThreadDied, is_no_thread, no_thread
from engine.runtime.inbox import Ended

JOIN_SECONDS: Final = 0.3
"""How long the end of the process waits for each thread."""

log = logging.getLogger("offspot-metrics")


class Threads:
    """The threads of the process, by name. Used by the main thread; waits for them at its exit."""

    def __init__(self, report: Callable[[Ended], None]) -> None:
        self._report = report
        self._running: dict[str, threading.Thread] = {}
        self._stopping: set[str] = set()
        """Those that were told to end."""

    def start(self, name: str, target: Callable[[], object]) -> None:
        """Run `target` in a thread, whose end is reported. Raises ThreadDied when there is none."""
        report = self._report  # all that the thread has of ours

        def run() -> None:
            error: BaseException | None = None
            try:
                target()
            except BaseException as raised:  # noqa: BLE001 (whatever it is ends the process)
                error = raised
            report(Ended(name, error))

        self._stopping.discard(name)
        thread = threading.Thread(target=run, name=name, daemon=True)
        try:
            thread.start()
        except RuntimeError as error:
            raise no_thread(name) from error
        self._running[name] = thread

    def expect_end(self, name: str) -> None:
        """Its end, which is to come, is no failure."""
        self._stopping.add(name)

    def is_running(self, name: str) -> bool:
        """Whether it was started and has not ended."""
        return name in self._running and self._running[name].is_alive()

    def join(self, name: str) -> None:
        """Wait for its end, but not for long."""
        self._running[name].join(JOIN_SECONDS)

    def failure(self, ended: Ended) -> MetricsError | None:
        """What to raise for a thread that ended by itself; None for one that was told to."""
        if ended.name in self._stopping:
            return None
        if is_no_thread(ended.error):
            return no_thread(ended.name)
        what = "it stopped by itself"
        if ended.error is not None:
            log.error("thread %s ended", ended.name, exc_info=ended.error)
            what = f"{type(ended.error).__name__}: {ended.error}"
        return ThreadDied(
            f"the {ended.name} thread ended: {what}",
            "what was counted is saved; start again, and report this",
        )

    def __enter__(self) -> Self:
        """Nothing runs yet."""
        return self

    def __exit__(self, *_error: object) -> None:
        """Wait for all of them, within a bounded time."""
        for name, thread in self._running.items():
            thread.join(JOIN_SECONDS)
            if thread.is_alive():
                log.warning("thread %s hangs; it ends with the process", name)
