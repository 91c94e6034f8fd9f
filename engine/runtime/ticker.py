"""The timer thread: it emits ticks, and knows what the wall clock does (steps, trust).

There is at most one `Tick` per minute of the wall clock, and one at once when the clock was set.
"""

from __future__ import annotations

import ctypes
import select
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from engine.runtime import clock
from engine.wakeup import WakeUp

CHECK_SECONDS: Final = 1.5
"""An idle process wakes up less than once a second, and the reader does now and then."""
STEP_SECONDS: Final = 60
"""The wall clock has moved so far against the time since boot: it was set."""
JUMP_SECONDS: Final = 3600
"""A step of more than this puts off retention."""
STEADY_SECONDS: Final = 24 * 3600
"""The clock is trusted again after it has been steady for so long of running."""
_UNSYNCHRONISED: Final = 0x0040  # STA_UNSYNC of adjtimex(2)


@dataclass(frozen=True, slots=True)
class Tick:
    """The offspot is on at `at`; since the last tick the wall clock was set by `step` seconds."""

    at: int
    step: int
    on: bool
    """Whether the minute may be counted: never more minutes than have really passed."""
    elapsed: float
    """Real seconds since the last tick."""


class Ticker:
    """Puts ticks until it is told to stop. `run` is its thread."""

    def __init__(self, emit: Callable[[Tick], None], offset: float | None = None) -> None:
        self.emit = emit
        self.wake_up = WakeUp()
        self._stopping = False
        self._offset = offset if offset is not None else clock_offset()
        self._credit = 2.0  # minutes; the first one, and the one that it may soon change into
        self._minute = -1
        self._last = clock.monotonic()

    def stop(self) -> None:
        """Let `run` come to its end; may be called from any thread."""
        self._stopping = True
        self.wake_up.set()

    def run(self) -> None:
        """Look at the clocks every second or so, by the monotonic one."""
        poll = select.poll()
        poll.register(self.wake_up, select.POLLIN)
        while not self._stopping:
            self.check(clock.now(), clock_offset(), clock.monotonic())
            poll.poll(CHECK_SECONDS * 1000)
            self.wake_up.clear()

    def check(self, now: int, offset: float, monotonic: float) -> None:
        """Put a tick when the minute has changed or the clock was set."""
        step = round(offset - self._offset)
        if abs(step) <= STEP_SECONDS:
            step = 0
            if now // 60 == self._minute:
                return
        self._offset = offset
        elapsed = monotonic - self._last
        self._last = monotonic
        self._credit = min(2.0, self._credit + elapsed / 60)
        on = self._credit >= 1 and now // 60 != self._minute
        if on:
            self._credit -= 1
        self._minute = now // 60
        self.emit(Tick(now, step, on, elapsed))


def clock_offset() -> float:
    """How far the wall clock is from the time since boot, seconds: constant until it is set."""
    return clock.now() - clock.since_boot()


def boot_id() -> str:
    """The kernel's id of this boot; empty where there is none."""
    with suppress(OSError):
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    return ""


class _Timex(ctypes.Structure):
    """The beginning of `struct timex`: words of the machine's size, so it fits 32 and 64 bits."""

    _fields_ = (
        ("modes", ctypes.c_uint),
        ("offset", ctypes.c_long),
        ("freq", ctypes.c_long),
        ("maxerror", ctypes.c_long),
        ("esterror", ctypes.c_long),
        ("status", ctypes.c_int),
        ("rest", ctypes.c_char * 256),
    )


def clock_is_trusted() -> bool | None:
    """Whether the kernel says that its clock is synchronised; None when it does not say."""
    state = _Timex()  # modes = 0: only read
    try:
        if ctypes.CDLL(None).adjtimex(ctypes.byref(state)) < 0:
            return None
    except (OSError, AttributeError):
        return None
    return not state.status & _UNSYNCHRONISED
