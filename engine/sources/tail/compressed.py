"""Rolls that the proxy has compressed: what of them was not read before they were.

Each is unpacked once, and again when it has changed. Unpacking is done in short steps, because a
few megabytes can unpack to gigabytes: the caller takes as many steps as it has time for.

A roll whose end is missing may still be written or copied: it counts as far as it goes, and only
when it has vanished, or has not changed for long, is its end reported as lost. The report is
withdrawn if the roll becomes complete after all.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from engine.errors import MetricsError
from engine.sources.content import Content, skipping
from engine.sources.files import NotGzip, opening
from engine.sources.formats import not_read
from engine.sources.lines import LineCutter
from engine.sources.log_file import LogFile, log_file_id
from engine.sources.model import Gone, Lost, Message
from engine.sources.resume import locating
from engine.sources.tail.cursor import Cursor
from engine.sources.tail.listing import FileKey, Found

STILL_SECONDS: Final = 60.0
"""What has not changed for so long is not being copied any more."""
STEP_BYTES: Final = 64 * 1024


@dataclass(slots=True)
class _Roll:
    """What is known of a roll since it was last read."""

    name: str
    stamp: tuple[int, int]
    """(size, time of change) when it was read."""
    since: float
    log_id: bytes = b""
    damage: str = ""
    torn_bytes: int = 0
    """Of its last line, which has no end."""
    reported: bool = False
    """Whether its end was reported as lost."""


class CompressedRolls:
    """The compressed rolls of one folder."""

    def __init__(self, folder: Path, cursor: Cursor) -> None:
        self.folder = folder
        self.cursor = cursor
        self.waiting: deque[Found] = deque()
        """New, or changed since they were read."""
        self.seen: dict[FileKey, _Roll] = {}
        self.unreadable: dict[str, str] = {}
        self.refused: dict[str, str] = {}
        """Name -> why it is not a log: an archive in gzip, or gzip in gzip."""
        self.damaged: dict[str, str] = {}
        self.notes: dict[str, str] = {}
        self.cut_short: set[bytes] = set()
        """Logs whose end was reported as lost by an earlier start, though it may come."""
        self._names: set[str] = set()
        self._vanished: list[_Roll] = []
        self._steps: Iterator[Message | None] | None = None
        self._now = 0.0

    @property
    def problems(self) -> dict[str, str]:
        """File name -> what is wrong with it."""
        return self.unreadable | self.damaged

    @property
    def busy(self) -> bool:
        """Whether there is more to read."""
        return self._steps is not None or bool(self.waiting)

    @property
    def log_ids(self) -> frozenset[bytes]:
        """The logs of the rolls that are there."""
        return frozenset(roll.log_id for roll in self.seen.values())

    def has(self, name: str) -> bool:
        """Whether a file of this name is compressed."""
        return name in self._names

    def note(self, rolls: list[Found], now: float) -> list[Message]:
        """See which there are now; what of those that vanished, or will not be whole, is lost."""
        self._now = now
        keys = {found.key for found in rolls}
        self._names = {found.name for found in rolls}
        self._vanished += [roll for key, roll in self.seen.items() if key not in keys]
        self.seen = {key: roll for key, roll in self.seen.items() if key in keys}
        for kind in (self.unreadable, self.refused, self.damaged, self.notes):
            for name in kind.keys() - self._names:
                del kind[name]
        waiting = {found.key for found in self.waiting}
        for found in rolls:
            roll = self.seen.get(found.key)
            if found.key not in waiting and (
                roll is None or roll.stamp != (found.size, found.modified)
            ):
                self.waiting.append(found)
        return [] if self.busy else self._losses(now)

    def _losses(self, now: float) -> list[Message]:
        messages: list[Message] = []
        whole = {roll.log_id for roll in self.seen.values() if not roll.damage}
        for roll in self._vanished:
            if roll.log_id in whole or self.cursor.is_open(roll.log_id):
                continue
            if roll.damage:
                if not roll.reported:
                    messages.append(Lost(roll.log_id, 0, at_least=True, name=roll.name))
            elif roll.torn_bytes:
                messages.append(Lost(roll.log_id, roll.torn_bytes, name=roll.name))
        gone = {roll.log_id for roll in self._vanished} - self.log_ids - {b""}
        messages += [Gone(one) for one in sorted(gone) if not self.cursor.is_open(one)]
        self._vanished = []
        for roll in self.seen.values():
            if roll.damage and not roll.reported and now - roll.since >= STILL_SECONDS:
                roll.reported = True
                if not self.cursor.is_open(roll.log_id):
                    self.damaged[roll.name] = f"log {roll.name}: {roll.damage}; copy it again"
                    messages.append(
                        Lost(roll.log_id, 0, at_least=True, provisional=True, name=roll.name)
                    )
        return messages

    def steps(self) -> Iterator[Message | None]:
        """New lines of all compressed rolls, and None for each step without one.

        Whoever stops in between continues there with the next call.
        """
        while self.busy:
            if self._steps is None:
                self._steps = self._read(self.waiting.popleft())
            try:
                yield next(self._steps)
            except StopIteration:
                self._steps = None

    def _read(self, found: Found) -> Iterator[Message | None]:
        try:
            content = yield from opening(str(self.folder / found.name))
        except NotGzip as error:
            self.refused[found.name] = not_read(found.name, error.layers)
            self.seen[found.key] = self._roll_of(found)
            return
        except MetricsError as error:  # tried again at the next look
            self.unreadable[found.name] = error.message
            return
        for kind in (self.unreadable, self.refused, self.notes):
            kind.pop(found.name, None)
        try:
            yield from self._read_content(found, content)
        finally:
            content.close()

    def _roll_of(self, found: Found, log_id: bytes = b"") -> _Roll:
        return _Roll(found.name, (found.size, found.modified), self._now, log_id)

    def _read_content(self, found: Found, content: Content) -> Iterator[Message | None]:
        line = yield from content.peeking_line()
        if line is None and not content.damage:
            line = content.peek_short() or None
        before = self.seen.get(found.key)
        log_id = log_file_id(line) if line else b""
        roll = self.seen[found.key] = self._roll_of(found, log_id)
        roll.reported = before is not None and before.reported
        if line:
            yield from self._read_lines(roll, content)
        roll.damage = content.damage
        if not roll.damage:
            self.damaged.pop(found.name, None)
            whole = before.log_id if before and before.reported else log_id
            if roll.reported or whole in self.cut_short:
                self.cut_short.discard(whole)
                yield Lost(whole, 0, withdrawn=True, name=roll.name)
            roll.reported = False
        if content.lacks_newline:
            self.notes[found.name] = f"log {found.name}: its last line has no end, and is not read"

    def _read_lines(self, roll: _Roll, content: Content) -> Iterator[Message | None]:
        log_id = roll.log_id
        log_file = self.cursor.log_file(log_id) or LogFile(log_id, name=roll.name)
        trial = log_file.copy()
        if trial.position:
            begin, shorter = yield from locating(trial, content)
            if shorter or (begin != log_file.position and self.cursor.is_open(log_id)):
                return
            if begin != log_file.position:
                yield trial.rewound(log_file.position)
            content.rewind()
            yield from skipping(content, begin)
        if self.cursor.is_open(log_id):
            self.cursor.positions[log_id] = log_file
            trial = log_file
        cutter = LineCutter(trial.position, STEP_BYTES)
        while (data := content.pull(STEP_BYTES)) != b"":
            for block in cutter.take(data or b""):
                yield self.cursor.advance(trial, roll.name, block)
            yield None
        if log_id not in self.cursor.positions:
            self.cursor.close(trial)
        roll.torn_bytes = cutter.begun_bytes
