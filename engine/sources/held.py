"""Log files: found in a folder, opened, and held open.

In: a folder and a pattern. Out: a `Listing` of what lies there, and `HeldLog`s. Only plain files
are opened, never what a link, a pipe or a device of that name leads to. It must not write, and it
knows nothing of what has been counted.
"""

from __future__ import annotations

import heapq
import os
import stat
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

from engine.patterns import read_pattern
from engine.sources.formats import GZIP, Formats, is_log_name, no_file, not_read
from engine.sources.model import Generation

MAX_HELD: Final = 256
"""Logs that are held open; of a folder with more of them the newest are read, and it is said."""
MAX_PACKED: Final = 10_000
MAX_UNREAD: Final = 100
"""Files of which it is said that they are not read."""
SEARCH_BYTES: Final = 64 * 1024
LOG_FLAGS: Final = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOFOLLOW

FileKey = tuple[int, int]
"""(device, inode): a hint that a file is the same; its content decides."""


class Found(NamedTuple):
    """A plain file in the folder, in the order of when it was last written.

    Of a compressed one `modified` also changes with its rights.
    """

    modified: int
    name: str
    key: FileKey
    size: int


class Listing(NamedTuple):
    """What lies in a folder: logs, compressed rolls, and how many more than can be read.

    `unread` are names of what is not read, with the reason; `others` the keys of such files.
    """

    logs: list[Found]
    packed: list[Found]
    too_many: int
    unread: dict[str, str]
    others: set[FileKey]


def list_logs(folder: Path, pattern: str, formats: Formats | None = None) -> Listing:
    """The logs in a folder, oldest first. Raises OSError. Its memory does not grow with them.

    What each is, is told by its content: a pattern may match compressed rolls as well, and a plain
    log may have a name that ends in .gz.
    """
    formats = formats or Formats()
    matches = read_pattern(pattern).matches
    logs: list[Found] = []
    rolls: list[Found] = []
    unread: dict[str, str] = {}
    others: set[FileKey] = set()
    too_many = 0

    def is_log(name: str) -> bool:
        return is_log_name(name, matches)

    with os.scandir(folder) as entries:
        for entry in entries:
            if not is_log(entry.name):
                continue
            try:
                status = entry.stat(follow_symlinks=False)
            except PermissionError:  # it may be listed, not entered: none of its logs can be seen
                raise
            except OSError:  # gone in between
                continue
            path = folder / entry.name
            if not stat.S_ISREG(status.st_mode):
                reason = no_file(path, status, is_log)
                if reason and len(unread) < MAX_UNREAD:
                    unread[entry.name] = reason
                continue
            key = (status.st_dev, status.st_ino)
            is_old = len(logs) == MAX_HELD and status.st_mtime_ns < logs[0].modified
            if is_old and matches(entry.name):  # too many to look into each
                too_many += 1
                continue
            kind = formats.of(path, status)
            if kind not in {None, GZIP}:
                others.add(key)
                if len(unread) < MAX_UNREAD:
                    unread[entry.name] = not_read(entry.name, [kind])
                continue
            into, limit = (logs, MAX_HELD) if kind is None else (rolls, MAX_PACKED)
            modified = status.st_mtime_ns if into is logs else status.st_ctime_ns
            found = Found(modified, entry.name, key, status.st_size)
            if len(into) < limit:
                heapq.heappush(into, found)
            else:
                heapq.heappushpop(into, found)
                too_many += 1
    formats.keep({found.key for found in (*logs, *rolls)} | others)
    return Listing(sorted(logs), sorted(rolls), too_many, unread, others)


class OpenFiles:
    """The logs that are open, at most so many: beyond that, those not used for longest are closed.

    Never one that is no longer in the folder: it could not be opened again.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._logs: OrderedDict[int, HeldLog] = OrderedDict()

    def __len__(self) -> int:
        return len(self._logs)

    def used(self, log: HeldLog) -> None:
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

    def closed(self, log: HeldLog) -> None:
        """A log is not open any more."""
        self._logs.pop(id(log), None)


@dataclass(slots=True, eq=False)
class HeldLog:
    """A log file that is known, and open unless there are too many or it may not be read.

    `generation` is None until its first line is complete.
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
    generation: Generation | None = None
    largest: int = 0
    """The largest size it had with this generation."""
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
    """What the watch knows it by, when an event has told of it."""
    was_open: bool = False
    was_read: bool = False
    """Whether its first line was looked for since it was opened."""
    error: str = ""

    def open(self) -> bool:
        """Have it open; False when it may not be read, or its name leads elsewhere by now."""
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
        return self.generation.position if self.generation else 0

    @property
    def behind(self) -> int:
        """Bytes that have not been handed on."""
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

    def common_with(self, other: HeldLog) -> int:
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
        """Let go of the file; `again`: it is opened by its name when it is needed."""
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


def file_system_of(folder: Path) -> str:
    """The type of the file system of a folder; empty when it is not known."""
    try:
        device = folder.stat().st_dev
        mounts = Path("/proc/self/mountinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    number = f"{os.major(device)}:{os.minor(device)}"
    for mount in mounts.splitlines():
        fields, _, rest = mount.partition(" - ")
        if fields.split()[2:3] == [number]:
            return rest.split(" ", 1)[0]
    return ""


def is_in_memory(folder: Path) -> bool:
    """Whether a folder lies on a file system that is empty after each boot."""
    return file_system_of(folder) in {"tmpfs", "ramfs"}
