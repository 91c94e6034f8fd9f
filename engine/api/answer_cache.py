"""Answers for the current state of the figures, and a report for each thread that makes them.

`threading` is here for a thread's own report and for one lock; no thread is started, and the cache
never outgrows its bound, whatever clients ask for.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple, TypeAlias, TypeVar

from engine.api.answers import Answer
from engine.errors import MetricsError

if TYPE_CHECKING:
    from engine.report import Report

logger = logging.getLogger(__name__)

MAX_CACHED_ANSWERS = 256
MAX_CACHED_BYTES = 4 * 1024 * 1024
"""Bounds of the answers in memory: one dashboard needs about thirty of a few kilobytes."""

Key: TypeAlias = tuple[str, str]
"""Path and the part of the query that matters."""

_T = TypeVar("_T")


class TooBusyError(Exception):
    """As many computations run as are allowed."""


class UnreadableError(Exception):
    """The report failed, and so did a newly opened one."""


class _Cached(NamedTuple):
    state: int
    minute: int | None
    answer: Answer


class _Own(threading.local):
    """What belongs to one thread."""

    report: Report | None = None
    version: str | None = None
    opening = 0


class AnswerCache:
    """Answers made from reports. All methods may be called from any thread.

    Versions of two reports cannot be compared, as each belongs to one connection. So all threads
    share a number, the state: whoever sees its own report change raises it, and what was cached
    under a lower one no longer holds. Every thread looks at its own report before it trusts the
    number, so a save is never missed; that several threads notice one save only costs making
    answers again.
    """

    def __init__(self, open_report: Callable[[], Report], max_computations: int) -> None:
        self._open_report = open_report
        self._own = _Own()
        self._free = threading.BoundedSemaphore(max_computations)
        self._lock = threading.Lock()
        self._state = 0
        self._opening = 0
        self.readable = True
        self._cached: dict[Key, _Cached] = {}
        self._cached_bytes = 0

    def get(
        self,
        key: Key,
        minute: int | None,
        make: Callable[[Report], Answer],
        before_work: Callable[[], None],
    ) -> Answer:
        """The cached answer while it holds, else a new one, which is cached if it is a success.

        `minute`: the answer holds in this minute only. `before_work` is called before anything that
        takes time, and may raise what is no `Exception` to prevent it.
        The state is read before the figures: should a save fall in between, newer figures are
        cached under the older state and made again, never the other way round.
        Raises `TooBusyError` or `UnreadableError`.
        """
        if key not in self._cached or not self.readable:
            before_work()

        def use(report: Report) -> Answer | None:
            state = self._state_of(report)
            cached = self._cached.get(key)
            if cached and cached.state == state and cached.minute in (None, minute):
                return cached.answer
            before_work()
            if not self._free.acquire(blocking=False):
                return None
            try:
                answer = make(report)
            finally:
                self._free.release()
            if answer.etag:
                self._add(key, _Cached(state, minute, answer))
            return answer

        answer = self._with_report(use)
        if answer is None:
            raise TooBusyError
        return answer

    def reopen(self) -> None:
        """From now on every thread opens its report again: the database is another file."""
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

    def _add(self, key: Key, cached: _Cached) -> None:
        size = _size(cached.answer)
        if size > MAX_CACHED_BYTES:
            return
        with self._lock:
            self._remove(key)
            while self._cached and (
                len(self._cached) >= MAX_CACHED_ANSWERS
                or self._cached_bytes + size > MAX_CACHED_BYTES
            ):
                self._remove(next(iter(self._cached)))
            self._cached[key] = cached
            self._cached_bytes += size

    def _remove(self, key: Key) -> None:
        removed = self._cached.pop(key, None)
        if removed is not None:
            self._cached_bytes -= _size(removed.answer)

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
            self._report(error)
            raise UnreadableError from error
        self._report(None)
        return result

    def _report(self, error: Exception | None) -> None:
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
