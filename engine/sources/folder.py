"""The folder that the proxy logs to: which logs are there, and what of them is new.

In: a folder, a pattern, the generations that are counted. Out: chunks at the position of their
generation, in order, without gaps, each byte once; what was cut, replaced or lost is said.

Logs are held open from the first sight: one that is renamed or deleted is still read to its end,
and one that is deleted while the proxy goes on writing to it is read on.
It must not wait, it never writes, and time is told to it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from engine.sources.follow import Follower
from engine.sources.held import FileKey, HeldLog, Listing, list_logs, open_log
from engine.sources.model import Generation, Lost, Message
from engine.sources.packed import PackedLogs

MAX_EXPECTED: Final = 16
GRACE_SECONDS: Final = 10.0
"""A log that vanished is held so long after the last byte came, if it is a roll."""


class LogFolder:
    """Looks at one folder. Owned by the reader thread; others may call `sync` and `lag_bytes`."""

    def __init__(self, folder: Path, pattern: str, known: Mapping[bytes, Generation]) -> None:
        self.folder = folder
        self.pattern = pattern
        self.held: dict[FileKey, HeldLog] = {}
        self.follower = Follower(known, self.held)
        self.packed = PackedLogs(folder, self.follower)
        self.problems: dict[str, str] = {}
        """File name, or empty for the folder itself -> what is wrong with it."""
        self.expected: set[bytes] = set()
        """Logs that were not finished before this start: of one that is gone, lines are lost."""
        self.crowded = False

    # Which logs are there

    def look(self, now: float) -> list[Message]:
        """See which files are there now and how large; open new ones, let go of finished ones."""
        problems: dict[str, str] = {}
        listing = self._list(problems)
        there = {found.key: found.name for found in listing.logs}
        for key, name in there.items():
            if key not in self.held:
                self._open(self.folder / name, name, problems)
        for held in self.held.values():
            held.measure(there.get(held.key), now)
            if held.is_written_unseen:
                problems[held.name] = (
                    f"log {held.name} was deleted while the proxy writes to it: "
                    "it is read on, but after a restart of this program it is out of reach"
                )
            if held.error:
                problems[held.name] = f"log {held.name}: {held.error}"
        self.packed.note(listing.packed)
        self.problems = problems | self.packed.problems
        return self._let_go(set(there.values()), now)

    def _list(self, problems: dict[str, str]) -> Listing:
        try:
            listing = list_logs(self.folder, self.pattern)
        except OSError as error:
            problems[""] = f"log folder {self.folder}: {error.strerror or error}"
            return Listing([], [], 0)
        self.crowded = listing.too_many > 0
        if self.crowded:
            problems[""] = (
                f"log folder {self.folder}: there are {listing.too_many} logs more than "
                "are looked at, which are the newest; take away what is no log of the proxy"
            )
        return listing

    def _open(
        self, path: Path, name: str, problems: dict[str, str], *, links: bool = False
    ) -> None:
        try:
            held = open_log(path, name, links=links)
        except OSError as error:
            problems[name] = f"log {name}: {error.strerror or error}"
            return
        if held and held.key in self.held:  # rotated in between: what was opened counts
            held.close()
        elif held:
            self.held[held.key] = held

    def open_through(self, paths: list[Path]) -> None:
        """Open logs that came and went between two looks, by links to what Filebeat has open."""
        folder = f"{self.folder.resolve()}/"
        for path in paths:
            try:
                target, status = str(path.readlink()), path.stat()
            except OSError:
                continue
            if target.startswith(folder) and (status.st_dev, status.st_ino) not in self.held:
                self._open(path, Path(target).name.removesuffix(" (deleted)"), {}, links=True)

    def _let_go(self, names: set[str], now: float) -> list[Message]:
        """Close logs that vanished, are read, and will not grow.

        The newest may: it was deleted while the proxy writes to it. So may one that was deleted
        under the name under which it was written (a roll never is), until the name is used again.
        """
        said: list[Message] = []
        newest = self._newest(list(self.held.values()))
        for held in [held for held in self.held.values() if held.vanished_at is not None]:
            since = max(held.vanished_at or 0.0, held.grew_at)
            active = held.written_as == held.name and held.name not in names
            if active or held is newest or now - since < GRACE_SECONDS:
                continue
            if held.generation and held.behind and held.has_line():
                continue
            generation = held.generation
            if not any(o is not held and o.first == held.first != b"" for o in self.held.values()):
                if held.behind:  # a last line that never became complete
                    said.append(Lost(generation.id if generation else b"", held.behind))
                if generation:
                    self.follower.mirror.pop(generation.id, None)
            held.close()
            del self.held[held.key]
        return said

    def missed(self) -> list[Message]:
        """Once, after the first reading: of the logs that we stopped in, those that are gone."""
        if not self.expected or self.problems or self.packed.waiting:
            return []
        expected, self.expected = self.expected, set()
        present = {held.generation.id for held in self.held.values() if held.generation}
        present |= {identity for _, identity in self.packed.seen.values()}
        return [Lost(identity, 0, at_least=True) for identity in sorted(expected - present)]

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
