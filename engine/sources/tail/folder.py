"""The folder that the proxy logs to: which logs are there, and what of them is new.

Logs are kept open from the event that announces them (`Watch`), or from the first look: one that is
renamed or deleted is still read to its end, and one that is deleted while the proxy goes on writing
to it is read on. Of more logs than may be open, those that are read are closed until they change.
Nothing here waits or writes, and time is an argument.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from engine.sources.formats import Formats
from engine.sources.model import Gone, Lost, Message, Position, Setup, Unopened
from engine.sources.tail.compressed import CompressedRolls
from engine.sources.tail.cursor import Cursor
from engine.sources.tail.listing import MAX_OPEN, FileKey, Found, Listing, list_logs
from engine.sources.tail.open_log import OpenFiles, OpenLog, newest_of
from engine.sources.tail.watch import LISTED, Watch

GRACE_SECONDS: Final = 10.0
"""A log that vanished is kept open so long after the last byte came, if it is a roll ..."""
MAX_LINGERING: Final = 16
"""... and it is one of so many: a visitor can make the proxy roll its log at any pace."""


class LogFolder:
    """Looks at one folder. Owned by the thread of its source."""

    def __init__(
        self, folder: Path, pattern: str, known: dict[bytes, Position], max_open: int = MAX_OPEN
    ) -> None:
        self.folder = folder
        self.pattern = pattern
        self.open_logs: dict[FileKey, OpenLog] = {}
        self.room = max(1, max_open // 3)
        """Of the logs that may be open, so many are for those that the watch opens."""
        self.files = OpenFiles(max_open - self.room)
        self.watch: Watch | None = None
        """None where the system has no events to give."""
        self.cursor = Cursor(known, self.open_logs)
        self.rolls = CompressedRolls(folder, self.cursor)
        self.formats = Formats()
        self._others: set[FileKey] = set()
        self._problems: dict[str, str] = {}
        self._unread: dict[str, str] = {}
        self.missing: frozenset[bytes] = frozenset()
        """Logs that were not finished before this start: of one that is gone, lines are lost."""
        self.unopened_before: tuple[Unopened, ...] = ()
        self.crowded = False

    @classmethod
    def of(cls, setup: Setup) -> LogFolder:
        """The folder of a source; what is gone of what was unfinished is lost."""
        made = cls(setup.folder, setup.pattern, setup.known, setup.max_open)
        made.missing, made.unopened_before = setup.unfinished.logs, setup.unfinished.unopened
        made.rolls.cut_short = set(setup.unfinished.cut_short)
        return made

    # Which logs are there

    def look(self, now: float) -> list[Message]:
        """See which files are there now and how large; open new ones, close finished ones."""
        problems: dict[str, str] = {}
        messages = self._take_arrivals()
        listing = self._list(problems)
        if self.watch is not None:
            self.watch.take()  # before what is listed is opened, or taken for what had its number
            messages += self._take_arrivals()
        messages += self._drop_others(listing)
        there = {found.key: found for found in listing.logs}
        for found in listing.logs:
            if found.key not in self.open_logs:
                self.open_logs[found.key] = OpenLog(self.folder, found.name, found.key, self.files)
        for open_log in self.open_logs.values():
            self._measure(open_log, there.get(open_log.key), now)
            if open_log.is_written_unseen:
                problems[open_log.name] = (
                    f"log {open_log.name} was deleted while the proxy writes to it: "
                    "it is read on, but after a restart of this program it is out of reach"
                )
            if open_log.error and open_log.vanished_at is None:
                problems[open_log.name] = f"log {open_log.name}: {open_log.error}"
        messages += self.rolls.note(listing.rolls, now)
        self._problems, self._unread = problems, listing.unread
        if "" not in problems:
            messages += self._unopened_and_gone(listing)
        names = {found.name for found in listing.logs}
        return messages + self._unseen(names, now) + self._close_finished(names, now)

    def _unseen(self, names: set[str], now: float) -> list[Message]:
        """Without a watch: where a log came and went from one look to the next, others may have."""
        if self.watch is not None:
            return []
        gone = [log.name for log in self.open_logs.values() if log.vanished_at == now]
        return [
            Lost(b"", 0, at_least=True, name=f"{name} (its rolls)")
            for name in gone
            if name in names
        ]

    @staticmethod
    def _measure(open_log: OpenLog, found: Found | None, now: float) -> None:
        if found and not open_log.was_open:
            open_log.name = found.name
            open_log.open()
        open_log.measure(found, now)

    def _take_arrivals(self) -> list[Message]:
        """Logs that were opened as they came, and what is known of those that could not be."""
        if self.watch is None:
            return []
        messages: list[Message] = []
        while self.watch.arrivals:
            arrival = self.watch.arrivals.popleft()
            open_log = self.open_logs.get(arrival.key)
            if (
                open_log is not None
                and open_log.descriptor < 0
                and open_log.life not in {None, LISTED, arrival.life}
            ):
                messages += self._forget(open_log)  # its inode number belongs to another file now
                open_log = None
            if open_log is None:
                open_log = OpenLog(self.folder, arrival.name, arrival.key, self.files)
                self.open_logs[open_log.key] = open_log
            open_log.life, open_log.name = arrival.life, arrival.name
            if arrival.descriptor >= 0:
                open_log.adopt(arrival.descriptor)
            elif not open_log.was_open:
                open_log.size = max(open_log.size, arrival.size)
        while self.watch.lost:
            messages.append(self.watch.lost.popleft())
        return messages

    def _drop_others(self, listing: Listing) -> list[Message]:
        """Close files that looked like logs as long as they were too short to be recognised."""
        messages: list[Message] = []
        self._others = listing.others | {found.key for found in listing.rolls}
        for key in self._others & self.open_logs.keys():
            open_log = self.open_logs.pop(key)
            if open_log.log_file and open_log.behind:  # a log that was written over
                messages.append(Lost(open_log.log_file.id, open_log.behind, at_least=True))
            open_log.close()
        return messages

    @property
    def problems(self) -> dict[str, str]:
        """File name, or empty for the folder itself -> what is wrong with it."""
        return self._problems | self.rolls.problems | self.not_logs

    @property
    def not_logs(self) -> dict[str, str]:
        """The problems of files that are not logs: no missing log can be in them."""
        return self._unread | self.rolls.refused

    @property
    def notes(self) -> set[str]:
        """What is not read of the logs though nothing is wrong with them."""
        return set(self.rolls.notes.values())

    def is_plain(self, name: str) -> bool:
        """Whether a log of this name is plain, as far as is known."""
        return name not in self.not_logs and not self.rolls.has(name)

    def _list(self, problems: dict[str, str]) -> Listing:
        try:
            listing = list_logs(self.folder, self.pattern, self.formats)
        except OSError as error:
            problems[""] = f"log folder {self.folder}: {error.strerror or error}"
            return Listing([], [], 0, {}, set())
        self.crowded = listing.too_many > 0
        if self.crowded:
            problems[""] = (
                f"log folder {self.folder}: there are {listing.too_many} logs more than "
                "are looked at, which are the newest; take away what is no log of the proxy"
            )
        return listing

    def has(self, key: FileKey) -> bool:
        """Whether a file is a log that is known, or known to be none."""
        return key in self.open_logs or key in self._others

    def add(self, name: str, key: FileKey, descriptor: int) -> None:
        """Take a log that was opened elsewhere."""
        self.open_logs[key] = OpenLog(self.folder, name, key, self.files)
        self.open_logs[key].adopt(descriptor)

    def _close_finished(self, names: set[str], now: float) -> list[Message]:
        """Close logs that vanished, are read, and will not grow.

        The newest may: it was deleted while the proxy writes to it. So may one that was deleted
        under the name under which it was written (a roll never is), until the name is used again.
        """
        messages: list[Message] = []
        newest = newest_of(self.open_logs.values())
        lingering = 0
        vanished = [
            open_log for open_log in self.open_logs.values() if open_log.vanished_at is not None
        ]
        for open_log in sorted(vanished, key=_quiet_since, reverse=True):
            if not open_log.was_open and open_log.vanished_at == now:
                continue  # it may have been renamed while the folder was listed
            if open_log.descriptor >= 0:
                active = open_log.written_as == open_log.name and open_log.name not in names
                known = open_log.log_file is not None or not open_log.was_read
                if (
                    active
                    or open_log is newest
                    or (known and open_log.behind and open_log.has_line())
                ):
                    continue
                lingering += 1
                if now - _quiet_since(open_log) < GRACE_SECONDS and lingering <= MAX_LINGERING:
                    continue
            messages += self._forget(open_log)
        return messages

    def _forget(self, open_log: OpenLog) -> list[Message]:
        """Close a log; what of it was not read is lost, unless there is a copy."""
        messages: list[Message] = []
        log_file = open_log.log_file
        if not any(
            o is not open_log and o.first == open_log.first != b"" for o in self.open_logs.values()
        ):
            if (
                open_log.behind
                if open_log.was_open
                else open_log.life is not None or self.watch is None
            ):
                # a last line that never became complete, or what could not be opened
                log_id = log_file.id if log_file else b""
                unopened = open_log.descriptor < 0
                messages.append(
                    Lost(log_id, open_log.behind, at_least=unopened, name=open_log.name)
                )
            if log_file:
                self.cursor.close(log_file)
                messages.append(Gone(log_file.id))
        open_log.close()
        del self.open_logs[open_log.key]
        return messages

    def missed(self) -> list[Message]:
        """Once, after the first reading: of the unfinished logs, those that are gone."""
        hidden = self.problems.keys() - self.not_logs.keys() - self.rolls.damaged.keys()
        if not self.missing or hidden or self.rolls.busy:
            return []
        missing, self.missing = self.missing, frozenset()
        present = {log.log_file.id for log in self.open_logs.values() if log.log_file}
        present |= self.rolls.log_ids
        return [Lost(log_id, 0, at_least=True) for log_id in sorted(missing - present)]

    def _unopened_and_gone(self, listing: Listing) -> list[Message]:
        """Once: of the logs that an earlier start could not open, those that are gone."""
        unopened, self.unopened_before = self.unopened_before, ()
        there = {found.key for found in (*listing.logs, *listing.rolls)} | listing.others
        names = {found.name for found in (*listing.logs, *listing.rolls)}
        return [
            Lost(b"", log.size, at_least=True, name=log.name)
            for log in unopened
            if (log.device, log.inode) not in there and not {log.name, f"{log.name}.gz"} & names
        ]

    # What of them is new

    def read_new(self) -> Iterator[Message]:
        """All complete lines that have not been emitted, of all logs, the oldest first."""
        for open_log in sorted(self.open_logs.values(), key=lambda log: (log.modified, log.name)):
            yield from self.cursor.read_log(open_log)

    def sync(self) -> None:
        """Make durable what has been read, so that no position is ever ahead of its log."""
        for open_log in self.open_logs.values():
            try:
                os.fdatasync(open_log.descriptor)
            except (OSError, ValueError):
                continue  # on tmpfs, gone, or closed: then nothing can be made durable

    @property
    def lag_bytes(self) -> int:
        """Bytes that are in the logs and have not been emitted."""
        return sum(open_log.behind for open_log in self.open_logs.values())

    def close(self) -> None:
        """Close all files. What was seen of them is still known."""
        for open_log in self.open_logs.values():
            open_log.close()
        if self.watch is not None:
            self.watch.close()


def _quiet_since(open_log: OpenLog) -> float:
    return max(open_log.vanished_at or 0.0, open_log.grew_at)
