"""Watches the log folder with inotify, so that no log appears and disappears unnoticed.

New logs are opened at the event that announces them (`Arrival`); each that was gone before it could
be opened is `Lost`. The kernel has two queues for it: `name_events` has what happens to names, few
events that must be answered at once (by a thread of its own, `watcher.py`); `changes` has every
write too, and only shows that there is something to look for. Nothing here waits for either.
"""

from __future__ import annotations

import ctypes
import os
import select
import stat
import threading
from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

import inotify_simple
from inotify_simple import Event, INotify, parse_events
from inotify_simple import flags as on

from engine.patterns import read_pattern
from engine.sources.file_systems import file_system_of
from engine.sources.formats import Formats
from engine.sources.model import Lost
from engine.sources.tail.listing import FileKey, list_logs
from engine.sources.tail.open_log import LOG_FLAGS

NAMES: Final = on.CREATE | on.MOVED_FROM | on.MOVED_TO | on.DELETE
ITSELF: Final = on.DELETE_SELF | on.MOVE_SELF
ITS_END: Final = on.IGNORED | on.UNMOUNT | ITSELF
MAX_ROUNDS: Final = 50
"""So often events that came while logs were opened are taken before the reader has its turn."""
MOVE_MILLISECONDS: Final = 200
"""inotify(7): the two events of a move are not put into the queue at once. On a busy machine more
than 20 ms lie between them; only what is moved out of the folder is waited for so long.
"""
QUEUE_BYTES: Final = 256 * 1024
LOCAL: Final = frozenset(
    (
        *("bcachefs", "btrfs", "exfat", "ext2", "ext3", "ext4", "f2fs", "fuseblk", "jffs2", "jfs"),
        *("msdos", "nilfs2", "ntfs3", "overlay", "ramfs", "reiserfs", "tmpfs", "ubifs", "vfat"),
        *("xfs", "zfs"),
    )
)
"""File systems that only this kernel writes to, so that it announces every change."""


@dataclass(slots=True, eq=False)
class Life:
    """One file of a log's name, from the event that began it."""

    key: FileKey | None = None
    ignored: bool = False
    """It is no plain file."""


LISTED: Final = Life()
"""For logs that were there before the watch: events may announce them again."""


class Arrival(NamedTuple):
    """A log as it was opened at its event; `descriptor` -1: that is left to the next look."""

    name: str
    key: FileKey
    descriptor: int
    size: int
    life: Life
    """Distinguishes it from another file of the same key if it was not open all the time."""


class Watch:
    """The events of one folder. `take` is for any thread, the rest for the reader's."""

    def __init__(self, folder: Path, pattern: str, room: int) -> None:
        """Begin to watch. Raises OSError when the system has no events to give."""
        self.folder = folder
        self.pattern = pattern
        self.room = room
        """So many logs may be open here at a time, until the reader takes them."""
        self.arrivals: deque[Arrival] = deque()
        self.lost: deque[Lost] = deque()
        self.alive = True
        """False once the folder is another one, or its file system is gone."""
        self.trusted = file_system_of(folder) in LOCAL
        status = folder.stat()
        self.key = (status.st_dev, status.st_ino)
        self._taking = threading.Lock()
        """The reader takes events too, so that what it lists is opened by its events."""
        self._matches = read_pattern(pattern).matches
        self._lives: dict[str, Life] = {}
        self._new: dict[str, None] = {}
        """Names of lives that are to be opened, in the order of their events."""
        self._moving: dict[int, Life | None] = {}
        self._deleted: list[str] = []
        """Since the last judgement: lives that ended unopened ..."""
        self._opened: dict[FileKey, None] = {}
        """... and files that were opened and not known before."""
        # The package would start a program to look for the C library, which is loaded.
        inotify_simple._libc = inotify_simple._libc or ctypes.CDLL(None, use_errno=True)  # noqa: SLF001
        self.name_events = INotify(nonblocking=True)
        try:
            self.changes = INotify(nonblocking=True)
            try:
                self.name_events.add_watch(folder, NAMES | ITSELF | on.ONLYDIR)
                self.changes.add_watch(folder, NAMES | ITSELF | on.MODIFY | on.ATTRIB | on.ONLYDIR)
                self._list()
            except OSError:
                self.changes.close()
                raise
        except OSError:
            self.name_events.close()
            raise

    def _list(self) -> None:
        """Know the logs that are there: they are opened at the next look."""
        listing = list_logs(self.folder, self.pattern, Formats())
        self._lives = {found.name: Life(found.key) for found in listing.logs}
        self._new.clear()
        for name, key, size in ((found.name, found.key, found.size) for found in listing.logs):
            self.arrivals.append(Arrival(name, key, -1, size, LISTED))

    # What happens to names

    def take(self) -> bool:
        """Open what the events announce. Whether there is something for the reader."""
        with self._taking:
            return self._take()

    def _take(self) -> bool:
        before = len(self.arrivals), len(self.lost)
        for _ in range(MAX_ROUNDS):
            for event in self._events():
                self._apply(event)
            unsure = self._open_new()
            if not self._pending():
                unopened = self._stat_new()
                if not unopened or not self._pending():  # each still is the file that it was
                    self._leave_to_the_reader(unopened)
                    self._report_unopened()
                    break
            for name, life in unsure:  # the name may lead to another file now: checked again
                life.key = None
                self._new[name] = None
        # Where events never cease, what is unsure stays so until the next call.
        return (len(self.arrivals), len(self.lost)) != before or not self.alive

    def _events(self) -> list[Event]:
        try:
            return list(parse_events(os.read(self.name_events.fileno(), QUEUE_BYTES)))
        except BlockingIOError:
            return []

    def _pending(self) -> bool:
        """Whether there are more events; the second half of a move may come a moment later."""
        poll = select.poll()
        poll.register(self.name_events.fileno(), select.POLLIN)
        return bool(poll.poll(MOVE_MILLISECONDS if self._moving else 0))

    def _apply(self, event: Event) -> None:
        if event.mask & on.Q_OVERFLOW:
            self.lost.append(Lost(b"", 0, at_least=True, name="(events were lost)"))
            with suppress(OSError):
                self._list()
        elif event.mask & ITS_END:
            self.alive = False
        elif not event.mask & on.ISDIR:
            self._apply_to_name(event.mask, event.cookie, event.name)

    def _apply_to_name(self, mask: int, cookie: int, name: str) -> None:
        life = self._lives.pop(name, None)
        if mask & on.CREATE and life is not None:  # it was listed after this event
            self._lives[name] = life
            return
        self._new.pop(name, None)
        if mask & on.MOVED_FROM:
            self._moving[cookie] = life
            return
        self._end(name, life)  # deleted, or something else has taken its name
        if mask & on.DELETE or not self._matches(name):
            self._end(name, self._moving.pop(cookie, None) if mask & on.MOVED_TO else None)
            return
        moved = self._moving.pop(cookie, None) if mask & on.MOVED_TO else None
        self._lives[name] = moved or Life()
        self._new[name] = None

    def _end(self, name: str, life: Life | None) -> None:
        if life is not None and life.key is None and not life.ignored:
            self._deleted.append(name)

    def _open_new(self) -> list[tuple[str, Life]]:
        """Open what is new. The lives that now have a file, if nothing has happened since."""
        found = []
        known = {life.key for life in self._lives.values()}
        for name in list(self._new):
            life = self._lives[name]
            arrival = self._open(name, life)
            if arrival is None:
                continue
            if life.key is None:
                life.key = arrival.key
                found.append((name, life))
            if arrival.key in self._opened and arrival.descriptor >= 0:
                os.close(arrival.descriptor)
                continue
            if arrival.key not in known:
                self._opened[arrival.key] = None
            self.arrivals.append(arrival)
        return found

    def _open(self, name: str, life: Life) -> Arrival | None:
        if len(self.arrivals) >= self.room:
            return None
        try:
            descriptor = os.open(self.folder / name, LOG_FLAGS)
        except OSError:
            return None
        status = os.fstat(descriptor)
        del self._new[name]
        if not stat.S_ISREG(status.st_mode):
            os.close(descriptor)
            life.ignored = True
            return None
        return Arrival(name, (status.st_dev, status.st_ino), descriptor, status.st_size, life)

    def _stat_new(self) -> dict[str, os.stat_result]:
        """What is there and could not be opened."""
        found = {}
        for name in self._new:
            with suppress(OSError):  # its next event shows where it is
                found[name] = (self.folder / name).lstat()
        return found

    def _leave_to_the_reader(self, unopened: dict[str, os.stat_result]) -> None:
        """The reader tries to open these, and reports the size of those that it cannot."""
        for name, status in unopened.items():
            life = self._lives[name]
            del self._new[name]
            if stat.S_ISREG(status.st_mode):
                life.key = (status.st_dev, status.st_ino)
                self.arrivals.append(Arrival(name, life.key, -1, status.st_size, life))
            else:
                life.ignored = True

    def _report_unopened(self) -> None:
        """Report as lost the lives that ended before their file was opened.

        A file is opened by its name, which may already lead to the next log: it is known how many
        were missed, not which.
        """
        for life in self._moving.values():
            self._end("", life)  # moved out of the folder
        self._moving.clear()
        owned = {life.key for life in self._lives.values()}
        found = sum(key not in owned for key in self._opened)
        for name in self._deleted[found:]:
            self.lost.append(Lost(b"", 0, at_least=True, name=name))
        self._deleted.clear()
        self._opened.clear()

    # For the reader

    def drain(self) -> None:
        """Take note of all changes up to now."""
        with suppress(BlockingIOError):
            while len(os.read(self.changes.fileno(), QUEUE_BYTES)) > QUEUE_BYTES // 2:
                pass

    @property
    def is_of_the_folder(self) -> bool:
        """Whether it still watches what the path leads to."""
        try:
            status = self.folder.stat()
        except OSError:
            return False
        return self.alive and self.key == (status.st_dev, status.st_ino)

    def close(self) -> None:
        """Stop watching; logs that were not taken are closed."""
        self.alive = False
        self.name_events.close()
        self.changes.close()
        while self.arrivals:
            descriptor = self.arrivals.popleft().descriptor
            if descriptor >= 0:
                os.close(descriptor)
