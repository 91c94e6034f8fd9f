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

    `unread` are names of what is not read, with the reason; `others` the keys of such files.
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
            is_old = len(logs) == MAX_OPEN and status.st_mtime_ns < logs[0].modified
            if is_old and matches(entry.name):  # too many to look into each
                too_many += 1
                continue
            kind = formats.of(path, status)
            if kind not in {None, GZIP}:
                others.add(key)
                if len(unread) < MAX_UNREAD:
                    unread[entry.name] = not_read(entry.name, [kind])
                continue
            into, limit = (logs, MAX_OPEN) if kind is None else (rolls, MAX_COMPRESSED)
            modified = status.st_mtime_ns if into is logs else status.st_ctime_ns
            found = Found(modified, entry.name, key, status.st_size)
            if len(into) < limit:
                heapq.heappush(into, found)
            else:
                heapq.heappushpop(into, found)
                too_many += 1
    formats.keep({found.key for found in (*logs, *rolls)} | others)
    return Listing(sorted(logs), sorted(rolls), too_many, unread, others)
