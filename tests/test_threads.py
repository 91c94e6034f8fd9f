"""Threads report their end, and whether it was asked for."""

from __future__ import annotations

from queue import SimpleQueue
from threading import Event

import pytest

from engine.errors import ThreadDied
from engine.runtime.inbox import Ended
from engine.runtime.threads import Threads


def test_a_thread_that_was_told_to_end_has_not_failed() -> None:
    """By the same end, one that was not told to has; started again, it is to run again."""
    ends: SimpleQueue[Ended] = SimpleQueue()
    stop = Event()
    with Threads(ends.put) as threads:
        threads.start("reader", stop.wait)
        assert threads.is_running("reader")
        threads.expect_end("reader")
        stop.set()
        ended = ends.get(timeout=10)
        threads.join("reader")
        assert not threads.is_running("reader")
        assert threads.failure(ended) is None
        threads.start("reader", stop.wait)
        failure = threads.failure(ends.get(timeout=10))
    assert isinstance(failure, ThreadDied)
    assert failure.message == "the reader thread ended: it stopped by itself"


def test_a_thread_that_raises_has_failed(caplog: pytest.LogCaptureFixture) -> None:
    """Its error is in the message, and in the log with its traceback."""
    ends: SimpleQueue[Ended] = SimpleQueue()

    def fail() -> None:
        raise ZeroDivisionError("made to fail")

    with Threads(ends.put) as threads:
        threads.start("timer", fail)
        failure = threads.failure(ends.get(timeout=10))
    assert failure
    assert failure.message == "the timer thread ended: ZeroDivisionError: made to fail"
    assert "Traceback" in caplog.text


def test_a_thread_that_hangs_is_not_waited_for(caplog: pytest.LogCaptureFixture) -> None:
    """The end of the process comes all the same; it says which thread hangs."""
    hang = Event()
    with Threads(print) as threads:
        threads.start("http", hang.wait)
    assert "thread http hangs; it ends with the process" in caplog.text
    hang.set()


def test_no_thread_to_be_had_has_a_way_out() -> None:
    """The system's own error for it, whichever thread met it."""
    no_more = Ended("http", RuntimeError("can't start new thread"))
    failure = Threads(print).failure(no_more)
    assert failure
    assert failure.message.startswith("the http thread cannot be started")
    assert "ulimit -u" in failure.hint
