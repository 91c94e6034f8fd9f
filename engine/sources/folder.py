"""The folder that the proxy logs to: which logs are there, and what of them is new.

In: a folder, a pattern, the generations that are counted. Out: chunks at the position of their
generation, in order, without gaps, each byte once; what was cut, replaced or lost is said.

Logs are held open from the event that announces them (`Watch`), or from the first look: one that is
renamed or deleted is still read to its end, and one that is deleted while the proxy goes on writing
to it is read on. Of more logs than may be open, those that are read are closed until they change.
It must not wait, it never writes, and time is told to it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from engine.patterns import read_pattern
from engine.sources.filebeat import is_told_by_filebeat
from engine.sources.follow import Follower
from engine.sources.formats import Formats
from engine.sources.held import (
    MAX_HELD,
    FileKey,
    Found,
    HeldLog,
    Listing,
    OpenFiles,
    list_logs,
    regular_key,
)
from engine.sources.model import Generation, Gone, Lost, Message
from engine.sources.packed import PackedLogs
from engine.sources.watch import LISTED, Watch

MAX_EXPECTED: Final = 16
GRACE_SECONDS: Final = 10.0
"""A log that vanished is held so long after the last byte came, if it is a roll ..."""
MAX_LINGERING: Final = 16
"""... and it is one of so many: a visitor can make the proxy roll its log at any pace."""


class LogFolder:
    """Looks at one folder. Owned by the reader thread; others may call `sync` and `lag_bytes`."""

    def __init__(
        self,
        folder: Path,
        pattern: str,
        known: Mapping[bytes, Generation],
        max_open: int = MAX_HELD,
    ) -> None:
        self.folder = folder
        self.pattern = pattern
        self.held: dict[FileKey, HeldLog] = {}
        self.room = max(1, max_open // 3)
        """Of the logs that may be open, so many are for those that the watch opens."""
        self.files = OpenFiles(max_open - self.room)
        self.watch: Watch | None = None
        """None where the system has no events to give."""
        self.follower = Follower(known, self.held)
        self.packed = PackedLogs(folder, self.follower)
        self.formats = Formats()
        self._others: set[FileKey] = set()
        self._problems: dict[str, str] = {}
        self._unread: dict[str, str] = {}
        self.expected: set[bytes] = set()
        """Logs that were not finished before this start: of one that is gone, lines are lost."""
        self.unread_before: dict[FileKey, tuple[str, int]] = {}
        """Logs that could not be opened before this start."""
        self.crowded = False

    # Which logs are there

    def look(self, now: float) -> list[Message]:
        """See which files are there now and how large; open new ones, let go of finished ones."""
        problems: dict[str, str] = {}
        said = self._take_arrivals()
        listing = self._list(problems)
        said += self._drop_others(listing)
        there = {found.key: found for found in listing.logs}
        for found in listing.logs:
            if found.key not in self.held:
                self.held[found.key] = HeldLog(self.folder, found.name, found.key, self.files)
        for held in self.held.values():
            self._measure(held, there.get(held.key), now)
            if held.is_written_unseen:
                problems[held.name] = (
                    f"log {held.name} was deleted while the proxy writes to it: "
                    "it is read on, but after a restart of this program it is out of reach"
                )
            if held.error and held.vanished_at is None:
                problems[held.name] = f"log {held.name}: {held.error}"
        said += self.packed.note(listing.packed, now)
        self._problems, self._unread = problems, listing.unread
        if "" not in problems:
            said += self._unread_and_gone(listing)
        names = {found.name for found in listing.logs}
        return said + self._unseen(names, now) + self._let_go(names, now)

    def _unseen(self, names: set[str], now: float) -> list[Message]:
        """Without a watch: where a log came and went from one look to the next, others may have."""
        if self.watch is not None:
            return []
        gone = [log.name for log in self.held.values() if log.vanished_at == now]
        return [
            Lost(b"", 0, at_least=True, name=f"{name} (its rolls)")
            for name in gone
            if name in names
        ]

    @staticmethod
    def _measure(held: HeldLog, found: Found | None, now: float) -> None:
        if found and not held.was_open:
            held.name = found.name
            held.open()
        held.measure(found, now)

    def _take_arrivals(self) -> list[Message]:
        """Logs that were opened as they came, and what is known of those that could not be."""
        if self.watch is None:
            return []
        said: list[Message] = []
        while self.watch.arrivals:
            arrival = self.watch.arrivals.popleft()
            held = self.held.get(arrival.key)
            if (
                held is not None
                and held.descriptor < 0
                and held.life not in {None, LISTED, arrival.life}
            ):
                said += self._forget(held)  # its number is another file's by now
                held = None
            if held is None:
                held = HeldLog(self.folder, arrival.name, arrival.key, self.files)
                self.held[held.key] = held
            held.life, held.name = arrival.life, arrival.name
            if arrival.descriptor >= 0:
                held.adopt(arrival.descriptor)
            elif not held.was_open:
                held.size = max(held.size, arrival.size)
        while self.watch.lost:
            said.append(self.watch.lost.popleft())
        return said

    def _drop_others(self, listing: Listing) -> list[Message]:
        """Let go of files that were taken for logs while there was too little in them to tell."""
        said: list[Message] = []
        self._others = listing.others | {found.key for found in listing.packed}
        for key in self._others & self.held.keys():
            held = self.held.pop(key)
            if held.generation and held.behind:  # a log that was written over
                said.append(Lost(held.generation.id, held.behind, at_least=True))
            held.close()
        return said

    @property
    def problems(self) -> dict[str, str]:
        """File name, or empty for the folder itself -> what is wrong with it."""
        return self._problems | self.packed.problems | self.not_logs

    @property
    def not_logs(self) -> dict[str, str]:
        """Of these, what is no log that is read: nothing of what was expected can be in it."""
        return self._unread | self.packed.refused

    @property
    def notes(self) -> set[str]:
        """What is not read of the logs though nothing is wrong with them."""
        return set(self.packed.notes.values())

    def is_given_to_filebeat(self, name: str) -> bool:
        """Whether Filebeat reads a log of this name: filebeat.yml leaves some out."""
        is_excluded = name.endswith((".gz", ".zst")) or not is_told_by_filebeat(name)
        return read_pattern(self.pattern).matches(name) and not is_excluded

    def is_plain(self, name: str) -> bool:
        """Whether a log of this name is plain, as far as is known."""
        return name not in self.not_logs and not self.packed.has(name)

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

    def open_through(self, paths: list[Path]) -> None:
        """Open logs that came and went between two looks, by links to what Filebeat has open."""
        folder = f"{self.folder.resolve()}/"
        for path in paths:
            try:
                target, status = str(path.readlink()), path.stat()
                key = (status.st_dev, status.st_ino)
                if not target.startswith(folder) or key in self.held or key in self._others:
                    continue
                descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
            except OSError:
                continue
            if regular_key(descriptor) != key:
                os.close(descriptor)
                continue
            name = Path(target).name.removesuffix(" (deleted)")
            self.held[key] = HeldLog(self.folder, name, key, self.files)
            self.held[key].adopt(descriptor)

    def _let_go(self, names: set[str], now: float) -> list[Message]:
        """Close logs that vanished, are read, and will not grow.

        The newest may: it was deleted while the proxy writes to it. So may one that was deleted
        under the name under which it was written (a roll never is), until the name is used again.
        """
        said: list[Message] = []
        newest = self._newest(list(self.held.values()))
        lingering = 0
        vanished = [held for held in self.held.values() if held.vanished_at is not None]
        for held in sorted(vanished, key=_quiet_since, reverse=True):
            if not held.was_open and held.vanished_at == now:
                continue  # it may have been renamed while the folder was listed
            if held.descriptor >= 0:
                active = held.written_as == held.name and held.name not in names
                known = held.generation is not None or not held.was_read
                if active or held is newest or (known and held.behind and held.has_line()):
                    continue
                lingering += 1
                if now - _quiet_since(held) < GRACE_SECONDS and lingering <= MAX_LINGERING:
                    continue
            said += self._forget(held)
        return said

    def _forget(self, held: HeldLog) -> list[Message]:
        """Close a log; what of it was not read is lost, unless there is a copy."""
        said: list[Message] = []
        generation = held.generation
        if not any(o is not held and o.first == held.first != b"" for o in self.held.values()):
            if held.behind if held.was_open else held.life is not None or self.watch is None:
                # a last line that never became complete, or what could not be opened
                identity = generation.id if generation else b""
                unopened = held.descriptor < 0
                said.append(Lost(identity, held.behind, at_least=unopened, name=held.name))
            if generation:
                self.follower.mirror.pop(generation.id, None)
                said.append(Gone(generation.id))
        held.close()
        del self.held[held.key]
        return said

    def missed(self) -> list[Message]:
        """Once, after the first reading: of the logs that we stopped in, those that are gone."""
        hidden = self.problems.keys() - self.not_logs.keys() - self.packed.damaged.keys()
        if not self.expected or hidden or self.packed.busy:
            return []
        expected, self.expected = self.expected, set()
        present = {held.generation.id for held in self.held.values() if held.generation}
        present |= self.packed.identities
        return [Lost(identity, 0, at_least=True) for identity in sorted(expected - present)]

    def unread(self) -> dict[FileKey, tuple[str, int]]:
        """The logs that could never be opened: name, and size as far as it was seen."""
        never = [held for held in list(self.held.values()) if not held.was_open]
        return self.unread_before | {held.key: (held.name, held.size) for held in never}

    def _unread_and_gone(self, listing: Listing) -> list[Message]:
        """Once: of the logs that an earlier start could not open, those that are gone."""
        unread, self.unread_before = self.unread_before, {}
        there = {found.key for found in (*listing.logs, *listing.packed)} | listing.others
        names = {found.name for found in (*listing.logs, *listing.packed)}
        return [
            Lost(b"", size, at_least=True, name=name)
            for key, (name, size) in unread.items()
            if key not in there and not {name, f"{name}.gz"} & names
        ]

    def unfinished(self, counted: Mapping[bytes, Generation]) -> list[bytes]:
        """The logs of which there is more to count, or may be: the newest may always grow."""
        logs = list(self.held.values())
        newest = self._newest(logs)
        # As long as it is not known whether they are there; those that are speak for themselves.
        found = sorted(self.expected - {held.generation.id for held in logs if held.generation})
        for held in logs:
            generation = held.generation
            if generation is None or len(found) >= MAX_EXPECTED:
                continue
            known = counted.get(generation.id)
            if held is newest or known is None or known.position < held.size:
                found.append(generation.id)
        return found

    @staticmethod
    def _newest(logs: list[HeldLog]) -> HeldLog | None:
        """The one that grew last; of several at one look and one tick of the clock, the last seen:
        a roll is seen before the log that takes its place.
        """
        return max(reversed(logs), key=lambda log: (log.grew_at, log.modified), default=None)

    # What of them is new

    def read_new(self) -> Iterator[Message]:
        """Everything complete that has not been handed on, of all logs, the oldest first."""
        for held in sorted(self.held.values(), key=lambda log: (log.modified, log.name)):
            yield from self.follower.read_log(held)

    # For all

    def sync(self) -> None:
        """Make durable what has been read, so that no position is ever ahead of its log."""
        for held in list(self.held.values()):
            try:
                os.fdatasync(held.descriptor)
            except (OSError, ValueError):
                continue  # on tmpfs, gone, or closed: then nothing can be made durable

    @property
    def lag_bytes(self) -> int:
        """Bytes that are in the logs and have not been handed on."""
        return sum(held.behind for held in list(self.held.values()))

    def close(self) -> None:
        """Let go of all files. What was seen of them is still known."""
        for held in self.held.values():
            held.close()
        if self.watch is not None:
            self.watch.close()


def _quiet_since(held: HeldLog) -> float:
    return max(held.vanished_at or 0.0, held.grew_at)
