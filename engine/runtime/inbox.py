"""The one queue: reader, timer and signal handlers put, the main thread takes.

Items are taken one at a time, in order. A full queue makes the reader wait, and nobody else.
"""

from __future__ import annotations

import select
import threading
from collections import deque
from dataclasses import dataclass
from typing import Final

from engine.runtime.clock import monotonic
from engine.runtime.ticker import Tick
from engine.sources.model import Block, Gone, Look, Lost, Message, Rewound
from engine.wakeup import WakeUp

QUEUED_MESSAGES: Final = 32
"""Messages of the reader that may wait; a block counts for one more with each 256 KiB of it."""
_PIECE_BYTES: Final = 256 * 1024


@dataclass(frozen=True, slots=True)
class Stop:
    """A signal requests the end."""


@dataclass(frozen=True, slots=True)
class Reload:
    """Told to read the packages again by SIGHUP."""


@dataclass(frozen=True, slots=True)
class PackagesRead:
    """The packages file has been read."""


@dataclass(frozen=True, slots=True)
class Ended:
    """A thread has come to its end; with an error, or before it was requested to, it has failed."""

    name: str
    error: BaseException | None = None


Item = Message | Tick | Stop | Reload | PackagesRead | Ended
_MESSAGES: Final = (Block, Rewound, Lost, Gone, Look)


def _weight(message: Message) -> int:
    """How much of the room a message takes."""
    return 1 + len(message.data) // _PIECE_BYTES if isinstance(message, Block) else 1


class Inbox:
    """Owned by the main thread; anyone may put."""

    def __init__(self) -> None:
        self._items: deque[Item] = deque()
        self._room = threading.Semaphore(QUEUED_MESSAGES)
        self._open = True
        self._waiting = False
        self._wake_up = WakeUp()
        self._poll = select.poll()
        self._poll.register(self._wake_up, select.POLLIN)

    @property
    def wake_descriptor(self) -> int:
        """A byte written here ends a wait, for `signal.set_wakeup_fd`: a signal that comes right
        before the wait begins would else be seen at its end only.
        """
        return self._wake_up.descriptor

    def put(self, item: Item) -> None:
        """Put at once; safe in a signal handler."""
        self._items.append(item)
        if self._waiting:
            self._wake_up.set()

    def put_message(self, message: Message) -> None:
        """Put a message of the reader, when there is room; nothing once the inbox is closed."""
        for _ in range(_weight(message)):
            self._room.acquire()
            if not self._open:
                self._room.release()
                return
        self.put(message)

    def take(self, seconds: float | None = None) -> Item | None:
        """The next item; None when there was none for so long."""
        deadline = None if seconds is None else monotonic() + seconds
        while not self._items:
            self._waiting = True
            if not self._items:
                left = None if deadline is None else max(0.0, deadline - monotonic())
                self._poll.poll(None if left is None else left * 1000)
            self._waiting = False
            self._wake_up.clear()
            if not self._items and deadline is not None and monotonic() >= deadline:
                return None
        item = self._items.popleft()
        if isinstance(item, _MESSAGES):
            self._room.release(_weight(item))
        return item

    def close(self) -> None:
        """Take nothing more from the reader, and let it go if it waits for room."""
        self._open = False
        self._room.release(QUEUED_MESSAGES)

    def open(self) -> None:
        """Empty, and ready for a new reader: what was put and not taken is dropped."""
        self._items = deque(i for i in self._items if not isinstance(i, _MESSAGES))
        self._room = threading.Semaphore(QUEUED_MESSAGES)
        self._open = True

    @property
    def depth(self) -> int:
        """How many items wait."""
        return len(self._items)
