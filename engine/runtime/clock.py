"""The clock of this machine, in seconds: the only module that asks for the time.

Wall time names hours; everything that waits or measures uses the monotonic clock, which no step of
the wall clock moves.
"""

from __future__ import annotations

import time


def now() -> int:
    """Whole epoch seconds of the wall clock."""
    return int(time.time())


def wall() -> float:
    """Epoch seconds of the wall clock."""
    return time.time()


def monotonic() -> float:
    """Seconds of a clock that only goes forward."""
    return time.monotonic()


def since_boot() -> float:
    """Seconds since the machine started, sleep included."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)
