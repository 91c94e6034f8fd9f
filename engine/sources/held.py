"""Log files: found in a folder, opened, and held open.

In: a folder and a pattern. Out: a `Listing` of what lies there, and `HeldLog`s. Only plain files
are opened, never what a link, a pipe or a device of that name leads to. It must not write, and it
knows nothing of what has been counted.
"""

from __future__ import annotations

import heapq
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, NamedTuple

from engine.patterns import read_pattern
from engine.sources.model import Generation

MAX_HELD: Final = 256
"""Logs that are held open; of a folder with more of them the newest are read, and it is said."""
MAX_PACKED: Final = 10_000
SEARCH_BYTES: Final = 64 * 1024

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
    """What lies in a folder: logs, compressed rolls, and how many more than can be read."""

    logs: list[Found]
    packed: list[Found]
    too_many: int


def list_logs(folder: Path, pattern: str) -> Listing:
    """The logs in a folder, oldest first. Raises OSError. Its memory does not grow with them."""
    matches = read_pattern(pattern).matches
    logs: list[Found] = []
    rolls: list[Found] = []
    too_many = 0
    with os.scandir(folder) as entries:
        for entry in entries:
            if matches(entry.name):
                into, limit = logs, MAX_HELD
            elif entry.name.endswith(".gz") and matches(entry.name[:-3]):
                into, limit = rolls, MAX_PACKED
            else:
                continue
            try:
                status = entry.stat(follow_symlinks=False)
            except OSError:  # gone in between
                continue
            if not stat.S_ISREG(status.st_mode):
                continue
            key = (status.st_dev, status.st_ino)
            modified = status.st_mtime_ns if into is logs else status.st_ctime_ns
            found = Found(modified, entry.name, key, status.st_size)
            if len(into) < limit:
                heapq.heappush(into, found)
            else:
                heapq.heappushpop(into, found)
                too_many += 1
    return Listing(sorted(logs), sorted(rolls), too_many)


@dataclass(slots=True)
class HeldLog:
    """A log file that is held open. `generation` is None until its first line is complete."""

    name: str
    key: FileKey
    descriptor: int
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
    grew_at: float = 0.0
    written_as: str = ""
    """The name under which it was seen to grow."""
    vanished_at: float | None = None
    """Since when it is no longer in the folder."""
    error: str = field(default="", compare=False)

    def read_at(self, offset: int, size: int) -> bytes:
        """Bytes at an offset; fewer at the end, none after an error."""
        try:
            data = os.pread(self.descriptor, size, offset)
        except OSError as error:
            self.error = error.strerror or str(error)
            return b""
        self.error = ""
        return data

    def measure(self, name: str | None, now: float) -> None:
        """Note how large it is, and its name in the folder (None: it is not there)."""
        try:
            status = os.fstat(self.descriptor)
        except OSError as error:
            self.error = error.strerror or str(error)
            return
        if name is not None:
            self.vanished_at = None
        elif self.vanished_at is None:
            self.vanished_at = now
        if (status.st_size, status.st_mtime_ns) != (self.size, self.modified):
            if self.modified and name in {None, self.name}:
                self.written_as = self.name
            self.grew_at = now
        if status.st_size < self.size:
            self.searched = 0
        self.name = name or self.name
        self.size, self.modified = status.st_size, status.st_mtime_ns
        self.largest = max(self.largest, self.size)

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

    def close(self) -> None:
        """Let go of the file."""
        descriptor, self.descriptor = self.descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)


def open_log(path: Path, name: str, *, links: bool = False) -> HeldLog | None:
    """Open a log; None when it is no plain file, or gone. Raises OSError when it may not be."""
    flags = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | (0 if links else os.O_NOFOLLOW)
    try:
        descriptor = os.open(path, flags)
    except FileNotFoundError:
        return None
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        os.close(descriptor)
        return None
    return HeldLog(name, (status.st_dev, status.st_ino), descriptor)


def is_in_memory(folder: Path) -> bool:
    """Whether a folder lies on a file system that is empty after each boot."""
    try:
        device = folder.stat().st_dev
        mounts = Path("/proc/self/mountinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
    number = f"{os.major(device)}:{os.minor(device)}"
    for mount in mounts.splitlines():
        fields, _, rest = mount.partition(" - ")
        if fields.split()[2:3] == [number]:
            return rest.split(" ", 1)[0] in {"tmpfs", "ramfs"}
    return False
