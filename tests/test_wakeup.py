"""The wake-up of threads that poll: from anywhere, at any time, and of nobody else."""

from __future__ import annotations

import os
import select
import signal
import threading

from engine.wakeup import WakeUp


def is_set(wake_up: WakeUp) -> bool:
    """Whether a wait would end at once."""
    poll = select.poll()
    poll.register(wake_up, select.POLLIN)
    return bool(poll.poll(0))


def test_it_is_set_until_it_is_cleared() -> None:
    """However often it was set, and more often than the pipe has room; twice cleared is clear."""
    wake_up = WakeUp()
    assert not is_set(wake_up)
    for _ in range(100_000):
        wake_up.set()
    assert is_set(wake_up)
    while is_set(wake_up):
        wake_up.clear()
    wake_up.clear()
    wake_up.set()
    assert is_set(wake_up)
    wake_up.close()


def test_another_thread_ends_a_wait() -> None:
    """A poll without a time limit returns."""
    wake_up = WakeUp()
    poll = select.poll()
    poll.register(wake_up, select.POLLIN)
    thread = threading.Thread(target=wake_up.set)
    thread.start()
    assert poll.poll() == [(wake_up.fileno(), select.POLLIN)]
    thread.join()
    wake_up.close()


def test_a_signal_handler_may_set_it_at_any_moment() -> None:
    """Also while the interrupted thread is in the middle of setting or closing it."""
    wake_up = WakeUp()
    old = signal.signal(signal.SIGUSR1, lambda _number, _frame: wake_up.set())
    try:
        with wake_up._lock:
            os.kill(os.getpid(), signal.SIGUSR1)
            signal.sigpending()  # a call in which the handler runs
        assert is_set(wake_up)
    finally:
        signal.signal(signal.SIGUSR1, old)
        wake_up.close()


def test_once_closed_it_writes_into_no_other_file() -> None:
    """The next files get the numbers of its descriptors."""
    wake_up = WakeUp()
    wake_up.close()
    wake_up.close()
    out, into = os.pipe()
    assert into == wake_up.descriptor
    wake_up.set()
    os.close(into)
    assert os.read(out, 1) == b""
    os.close(out)
