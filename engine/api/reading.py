"""Reads figures for many threads: one report each, answers kept for the current version.

In: `open_report`, and what to compute. Out: `Answer`s, from memory while nothing changed.
Must not: start threads, or keep more than its bound whatever clients ask for. `threading` is here
for a thread's own report and for one lock.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import NamedTuple, TypeAlias, TypeVar

from engine.api.answers import Answer
from engine.api.figures import OpenReport, Report
from engine.errors import MetricsError

logger = logging.getLogger(__name__)

MAX_KEPT_ANSWERS = 256
MAX_KEPT_BYTES = 4 * 1024 * 1024
"""Bounds of the answers in memory: one dashboard needs about thirty of a few kilobytes."""

Key: TypeAlias = tuple[str, str]
"""Path and the part of the query that matters."""

_T = TypeVar("_T")


class TooBusyError(Exception):
    """As many computations run as are allowed."""


class UnreadableError(Exception):
    """The report failed, and so did a newly opened one."""


class _Kept(NamedTuple):
    state: int
    minute: int | None
    answer: Answer


class _Own(threading.local):
    """What belongs to one thread."""

    report: Report | None = None
    version: str | None = None
    opening = 0


class Reading:
    """Answers made from reports. All methods may be called from any thread.

    Versions of two reports cannot be compared, as each belongs to one connection. So all threads
    share a number, the state: whoever sees its own report change raises it, and what was kept under
    a lower one no longer holds. Every thread looks at its own report before it trusts the number,
    so a save is never missed; that several threads notice one save only costs making answers anew.
    """

    def __init__(self, open_report: OpenReport, max_computations: int) -> None:
        self._open_report = open_report
        self._own = _Own()
        self._free = threading.BoundedSemaphore(max_computations)
        self._lock = threading.Lock()
        self._state = 0
        self._opening = 0
        self.readable = True
        self._kept: dict[Key, _Kept] = {}
        self._kept_bytes = 0

    def recall(self, key: Key, minute: int) -> Answer | None:
        """The kept answer if it still holds: same state, and same minute where that matters.

        Raises `UnreadableError` when it cannot be told.
        """
        kept = self._kept.get(key)
        if kept is None or (kept.minute is not None and kept.minute != minute):
            return None
        return kept.answer if kept.state == self._with_report(self._state_of) else None

    def compute(
        self,
        key: Key,
        minute: int | None,
        make: Callable[[Report], Answer],
    ) -> Answer:
        """Make an answer and keep it if it is a success. `minute`: it holds in this minute only.

        The state is taken before the figures: should a save fall in between, newer figures are kept
        under the older state and made again, never the other way round.
        Raises `TooBusyError` or `UnreadableError`.
        """
        if not self._free.acquire(blocking=False):
            raise TooBusyError
        try:
            state, answer = self._with_report(lambda report: (self._state_of(report), make(report)))
        finally:
            self._free.release()
        if answer.etag:
            self._keep(key, _Kept(state, minute, answer))
        return answer

    def reopen(self) -> None:
        """From now on every thread opens its report anew: the database is another file."""
        with self._lock:
            self._opening += 1

    def _state_of(self, report: Report) -> int:
        """The shared number, raised first if this thread's report changed since it last looked."""
        version = report.version()
        if version != self._own.version:
            self._own.version = version
            with self._lock:
                self._state += 1
        return self._state

    def _keep(self, key: Key, kept: _Kept) -> None:
        size = _size(kept.answer)
        if size > MAX_KEPT_BYTES:
            return
        with self._lock:
            self._forget(key)
            while self._kept and (
                len(self._kept) >= MAX_KEPT_ANSWERS or self._kept_bytes + size > MAX_KEPT_BYTES
            ):
                self._forget(next(iter(self._kept)))
            self._kept[key] = kept
            self._kept_bytes += size

    def _forget(self, key: Key) -> None:
        gone = self._kept.pop(key, None)
        if gone is not None:
            self._kept_bytes -= _size(gone.answer)

    def _with_report(self, use: Callable[[Report], _T]) -> _T:
        """Use this thread's report; when it fails, a new one; when that fails too, give up."""
        if self._own.opening != self._opening:
            self._drop_report()
        if self._own.report is not None:
            try:
                return use(self._own.report)
            except Exception:
                logger.debug("Figures could not be read: opening again", exc_info=True)
                self._drop_report()
        try:
            self._own.opening = self._opening
            self._own.report = self._open_report()
            result = use(self._own.report)
        except Exception as error:
            self._drop_report()
            self._say(error)
            raise UnreadableError from error
        self._say(None)
        return result

    def _say(self, error: Exception | None) -> None:
        """Log when it breaks and when it works again, not each request in between."""
        readable = error is None
        if readable != self.readable:
            self.readable = readable
            if error is None:
                logger.info("Figures can be read again")
            elif isinstance(error, MetricsError):
                logger.error("Figures cannot be read: %s", error.message)
            else:
                logger.error("Figures cannot be read", exc_info=error)

    def _drop_report(self) -> None:
        report, self._own.report, self._own.version = self._own.report, None, None
        if report is not None:
            try:
                report.close()
            except Exception:
                logger.debug("A failed report could not be closed either", exc_info=True)


def _size(answer: Answer) -> int:
    return len(answer.body) + len(answer.compressed())
