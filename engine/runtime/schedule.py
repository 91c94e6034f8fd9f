"""When what was counted is saved.

A minute after something was counted, ten when only the minutes of uptime were; sooner after 256 KiB
of log, at a rotation, when an hour ends, when the clock was set, at the end. Never more than once
in two seconds.
"""

from __future__ import annotations

import math
from typing import Final

from engine.runtime import clock

SAVE_SECONDS: Final = 60.0
SAVE_UPTIME_SECONDS: Final = 600.0
SAVE_BYTES: Final = 256 * 1024
SAVE_PAUSE_SECONDS: Final = 2.0
RETRY_SECONDS: Final = 60.0
"""After a save that failed, the next one is tried so much later."""


class SaveSchedule:
    """What waits to be saved, and since when."""

    def __init__(self, *, saved_before: bool) -> None:
        self.unsaved_since: float | None = None
        """Since when there is something to save that cannot wait (monotonic)."""
        self.rotated = False
        self._uptime_since: float | None = None
        self._bytes = 0
        self._saved_before = saved_before
        self._started_at = -SAVE_PAUSE_SECONDS
        self._pause = SAVE_PAUSE_SECONDS

    @property
    def is_empty(self) -> bool:
        """Whether nothing waits."""
        return self.unsaved_since is None and self._uptime_since is None

    def add(self, size: int = 0) -> None:
        """Something was counted, of so many bytes of log."""
        self._bytes += size
        if self.unsaved_since is None:
            self.unsaved_since = clock.monotonic()

    def add_uptime(self) -> None:
        """A minute of uptime was counted."""
        self._uptime_since = self._uptime_since or clock.monotonic()

    def due_in(self) -> float:
        """Seconds until the next save; infinite when there is nothing to save."""
        now = clock.monotonic()
        due = math.inf
        if self.unsaved_since is not None:
            soon = self._bytes >= SAVE_BYTES or self.rotated
            # The first save of a life comes early: killed again and again, it gets further.
            patience = SAVE_SECONDS - 1 if self._saved_before else SAVE_PAUSE_SECONDS
            due = 0.0 if soon else self.unsaved_since + patience - now
        if self._uptime_since is not None:
            due = min(due, self._uptime_since + SAVE_UPTIME_SECONDS - 1 - now)
        return max(due, self._started_at + self._pause - now)

    def started(self) -> None:
        """A save begins."""
        self._started_at = clock.monotonic()

    def failed(self) -> None:
        """It failed: all still waits, for longer."""
        self._pause = RETRY_SECONDS

    def landed(self) -> None:
        """All is saved."""
        self._pause = SAVE_PAUSE_SECONDS
        self._bytes, self.rotated = 0, False
        self.unsaved_since = self._uptime_since = None
        self._saved_before = True
