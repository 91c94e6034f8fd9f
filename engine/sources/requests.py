"""What other threads request of a source: to wake up, to stop, to forget logs."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

from engine.wakeup import WakeUp


class Requests:
    """Any thread puts, the source takes."""

    def __init__(self) -> None:
        self.wake_up = WakeUp()
        self.stopping = False
        self._forgotten: deque[bytes] = deque()

    def stop(self) -> None:
        """Let the source come to its end."""
        self.stopping = True
        self.wake_up.set()

    def forget(self, log_ids: Iterable[bytes]) -> None:
        """Let the source forget logs that are counted no more; it does so at its next look."""
        self._forgotten.extend(log_ids)

    def take_forgotten(self) -> list[bytes]:
        """The logs that are to be forgotten since the last call."""
        return [self._forgotten.popleft() for _ in range(len(self._forgotten))]
