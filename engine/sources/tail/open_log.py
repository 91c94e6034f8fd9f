"""A log file that is kept open, so that it is read to its end whatever becomes of its name.

Only plain files are opened, never what a link, a pipe or a device of that name leads to.
"""

from __future__ import annotations

import os
import stat
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from engine.sources.log_file import LogFile
from engine.sources.tail.listing import FileKey, Found

SEARCH_BYTES: Final = 64 * 1024
LOG_FLAGS: Final = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOFOLLOW


class OpenFiles:
    """The logs that are open, at most so many: beyond that, those not used for longest are closed.

    Never one that is no longer in the folder: it could not be opened again.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._logs: OrderedDict[int, OpenLog] = OrderedDict()
        self.opened = 0
        """How often a log was opened."""

    def __len__(self) -> int:
        return len(self._logs)

    def used(self, log: OpenLog) -> None:
        """A log was opened, or read: close others where they are too many."""
        self._logs[id(log)] = log
        self._logs.move_to_end(id(log))
        if len(self._logs) <= self.limit:
            return
        idle = [other for other in self._logs.values() if other.vanished_at is None]
        idle.sort(key=lambda other: other.behind > 0)
        for other in idle[: len(self._logs) - self.limit]:
            if other is not log:
                other.close(again=True)

    def closed(self, log: OpenLog) -> None:
        """A log is not open any more."""
        self._logs.pop(id(log), None)


@dataclass(slots=True, eq=False)
class OpenLog:
    """A log file that is known, and open unless there are too many or it may not be read.

    `log_file` is None until its first line is complete.
    """

    folder: Path
    name: str
    key: FileKey
    files: OpenFiles
    descriptor: int = -1
    size: int = 0
    """As it was at the last look."""
    modified: int = 0
    first: bytes = b""
    """The hash of its first line."""
    log_file: LogFile | None = None
    largest: int = 0
    """The largest size it had with this log."""
    searched: int = 0
    """Up to this offset, no line ends behind the position."""
    copied: tuple[int, int] | None = None
    """Its size and time of change when it was found to be a shorter copy of another log."""
    compared: tuple[int, int] | None = None
    """The same when its content was last compared with what was counted, before it was closed."""
    grew_at: float = 0.0
    written_as: str = ""
    """The name under which it was seen to grow."""
    vanished_at: float | None = None
    """Since when it is no longer in the folder."""
    life: object | None = None
    """What the watch knows it by, when an event has announced it."""
    was_open: bool = False
    was_read: bool = False
    """Whether its first line was looked for since it was opened."""
    error: str = ""

    def open(self) -> bool:
        """Open it, unless it is; False if it may not be read, or its name leads to another file."""
        if self.descriptor >= 0:
            return True
        try:
            descriptor = os.open(self.folder / self.name, LOG_FLAGS)
        except FileNotFoundError:
            return False
        except OSError as error:
            self.error = error.strerror or str(error)
            return False
        if regular_key(descriptor) != self.key:
            os.close(descriptor)
            return False
        self.adopt(descriptor)
        return True

    def adopt(self, descriptor: int) -> None:
        """Take a descriptor of this file; a second one is closed."""
        if self.descriptor >= 0:
            os.close(descriptor)
            return
        self.descriptor, self.error, self.was_open = descriptor, "", True
        self.files.used(self)
        self.files.opened += 1

    def read_at(self, offset: int, size: int) -> bytes:
        """Bytes at an offset; fewer at the end, none after an error."""
        if not self.open():
            return b""
        self.files.used(self)
        try:
            data = os.pread(self.descriptor, size, offset)
        except OSError as error:
            self.error = error.strerror or str(error)
            return b""
        self.error = ""
        return data

    def measure(self, found: Found | None, now: float) -> None:
        """Note how large it is, and its name in the folder (None: it is not there)."""
        size, modified = (found.size, found.modified) if found else (self.size, self.modified)
        if self.descriptor >= 0:
            try:
                status = os.fstat(self.descriptor)
            except OSError as error:
                self.error = error.strerror or str(error)
                return
            size, modified = status.st_size, status.st_mtime_ns
        name = found.name if found else None
        if name is not None:
            self.vanished_at = None
        elif self.vanished_at is None:
            self.vanished_at = now
        if (size, modified) != (self.size, self.modified):
            if self.modified and name in {None, self.name}:
                self.written_as = self.name
            self.grew_at = now
        if size < self.size:
            self.searched = 0
        self.name = name or self.name
        self.size, self.modified = size, modified
        self.largest = max(self.largest, self.size)

    @property
    def is_idle(self) -> bool:
        """Whether it was closed when all of it was read, and has not changed since."""
        unchanged = self.compared == (self.size, self.modified)
        return self.descriptor < 0 and unchanged and not self.behind

    @property
    def position(self) -> int:
        """Where to read on."""
        return self.log_file.position if self.log_file else 0

    @property
    def behind(self) -> int:
        """Bytes that have not been emitted."""
        return max(0, self.size - self.position)

    def has_line(self, end: int | None = None) -> bool:
        """Whether a line ends behind the position; no byte is searched twice."""
        begin, end = max(self.position, self.searched), self.size if end is None else end
        if self.ends_line(begin, end):
            return True
        if self.error or self.descriptor < 0:  # nothing was searched
            return False
        self.searched = max(begin, end)
        return False

    def ends_line(self, begin: int, end: int) -> bool:
        """Whether a line ends between two offsets."""
        return any(b"\n" in block for block in self._blocks(begin, end))

    def common_with(self, other: OpenLog) -> int:
        """How many bytes of complete lines two logs begin with alike."""
        common = place = 0
        for block in self._blocks(0, self.size):
            same = other.read_at(place, len(block))
            if same != block:
                differs = next(
                    (i for i, (a, b) in enumerate(zip(block, same, strict=False)) if a != b),
                    len(same),
                )
                cut = block.rfind(b"\n", 0, differs) + 1
                return place + cut if cut else common
            cut = block.rfind(b"\n") + 1
            common = place + cut if cut else common
            place += len(block)
        return common

    def _blocks(self, place: int, end: int) -> Iterator[bytes]:
        while place < end and (block := self.read_at(place, min(SEARCH_BYTES, end - place))):
            yield block
            place += len(block)

    @property
    def is_written_unseen(self) -> bool:
        """Whether it was deleted, and written to after that."""
        return self.vanished_at is not None and self.grew_at > self.vanished_at

    def close(self, *, again: bool = False) -> None:
        """Close the file; `again`: it is opened by its name when it is needed."""
        if self.descriptor < 0:
            return
        if again:
            with suppress(OSError):
                os.fdatasync(self.descriptor)  # what was read of it is saved some time
            self.compared = (self.size, self.modified)
        descriptor, self.descriptor = self.descriptor, -1
        self.files.closed(self)
        os.close(descriptor)


def regular_key(descriptor: int) -> FileKey | None:
    """The key of an open file; None when it is no plain file."""
    status = os.fstat(descriptor)
    return (status.st_dev, status.st_ino) if stat.S_ISREG(status.st_mode) else None


def newest_of(logs: Iterable[OpenLog]) -> OpenLog | None:
    """The one that grew last; of several at one look and one tick of the clock, the last seen:
    a roll is seen before the log that takes its place.
    """
    return max(reversed(list(logs)), key=lambda log: (log.grew_at, log.modified), default=None)
