"""Lists the logs and compressed rolls in a folder; content decides which is which, not names."""

from __future__ import annotations

import heapq
import os
import stat
from pathlib import Path
from typing import Final, NamedTuple

from engine.patterns import read_pattern
from engine.sources.formats import GZIP, Formats, is_log_name, no_file, not_read

MAX_OPEN: Final = 256
"""Logs that are open; of a folder with more of them the newest are read, which is reported."""
MAX_COMPRESSED: Final = 10_000
MAX_UNREAD: Final = 100
"""So many files that are not read are reported."""

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

    `unread` has the names of files that are not read, with the reason; `others` has their keys.
    """

    logs: list[Found]
    rolls: list[Found]
    too_many: int
    unread: dict[str, str]
    others: set[FileKey]


def list_logs(folder: Path, pattern: str, formats: Formats | None = None) -> Listing:
    """The logs in a folder, oldest first. Raises OSError. Its memory does not grow with them.

    Content decides what each is: a pattern may match compressed rolls as well, and a plain
    log may have a name that ends in .gz.
    """
    found = _Finding(folder, pattern, formats or Formats())
    with os.scandir(folder) as entries:
        for entry in entries:
            if not found.is_log(entry.name):
                continue
            try:
                status = entry.stat(follow_symlinks=False)
            except PermissionError:  # it may be listed, not entered: none of its logs can be seen
                raise
            except OSError:  # gone in between
                continue
            found.add(entry.name, status)
    return found.listing()


class _Finding:
    """A listing as it is made."""

    def __init__(self, folder: Path, pattern: str, formats: Formats) -> None:
        self.folder = folder
        self.formats = formats
        self.matches = read_pattern(pattern).matches
        self.logs: list[Found] = []
        self.rolls: list[Found] = []
        self.unread: dict[str, str] = {}
        self.others: set[FileKey] = set()
        self.too_many = 0

    def is_log(self, name: str) -> bool:
        """Whether a name is that of a log, or of a compressed one."""
        return is_log_name(name, self.matches)

    def add(self, name: str, status: os.stat_result) -> None:
        """Find out what an entry with the name of a log is."""
        path = self.folder / name
        if not stat.S_ISREG(status.st_mode):
            self._add_unread(name, no_file(path, status, self.is_log))
            return
        is_old = len(self.logs) == MAX_OPEN and status.st_mtime_ns < self.logs[0].modified
        if is_old and self.matches(name):  # too many to look into each
            self.too_many += 1
            return
        kind = self.formats.of(path, status)
        if kind is None:
            self._add_found(self.logs, MAX_OPEN, name, status, status.st_mtime_ns)
        elif kind is GZIP:
            self._add_found(self.rolls, MAX_COMPRESSED, name, status, status.st_ctime_ns)
        else:
            self.others.add((status.st_dev, status.st_ino))
            self._add_unread(name, not_read(name, [kind]))

    def _add_unread(self, name: str, reason: str) -> None:
        if reason and len(self.unread) < MAX_UNREAD:
            self.unread[name] = reason

    def _add_found(
        self, into: list[Found], limit: int, name: str, status: os.stat_result, modified: int
    ) -> None:
        """Of more than the limit, the newest stay."""
        found = Found(modified, name, (status.st_dev, status.st_ino), status.st_size)
        if len(into) < limit:
            heapq.heappush(into, found)
        else:
            heapq.heappushpop(into, found)
            self.too_many += 1

    def listing(self) -> Listing:
        """What was found."""
        self.formats.keep({found.key for found in (*self.logs, *self.rolls)} | self.others)
        logs, rolls = sorted(self.logs), sorted(self.rolls)
        return Listing(logs, rolls, self.too_many, self.unread, self.others)
