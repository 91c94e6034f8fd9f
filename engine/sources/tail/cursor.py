"""Where each log is read on: whose content a file has, and what of it is new.

Blocks come at the position of their log, in order and without gaps; each byte is emitted once,
whether Filebeat or the built-in reader has read it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import count
from typing import Final

from engine.sources.formats import HEAD_BYTES, format_of
from engine.sources.lines import BLOCK_BYTES, cut_lines, first_line
from engine.sources.log_file import ANCHOR_WINDOW_BYTES, LogFile, log_file_id
from engine.sources.model import Block, Lost, Message, Position
from engine.sources.resume import agrees, locate
from engine.sources.tail.listing import FileKey
from engine.sources.tail.open_log import OpenLog

CHECKED_BYTES: Final = 256
"""So much before our place in a log is compared before more of it is read."""


class Cursor:
    """The positions of all logs that are known, the open ones and the others."""

    def __init__(self, known: dict[bytes, Position], open_logs: Mapping[FileKey, OpenLog]) -> None:
        self.closed = known
        """How far logs were read that are not open."""
        self.open_logs = open_logs
        self.positions: dict[bytes, LogFile] = {}
        """How far the open logs were read."""

    def read_log(self, open_log: OpenLog, until: int | None = None) -> Iterator[Message]:
        """What is new in one log, up to an offset or to its size at the last look."""
        if open_log.is_idle:
            return
        yield from self.identify(open_log)
        log_file = open_log.log_file
        end = open_log.size if until is None else until
        if log_file is None or log_file.position >= end or not open_log.has_line(end):
            return
        place = log_file.position

        def read(size: int) -> bytes:
            nonlocal place
            data = open_log.read_at(place, min(size, end - place))
            place += len(data)
            return data

        for block in cut_lines(read, log_file.position, BLOCK_BYTES):
            yield self.advance(log_file, open_log.name, block)

    def advance(self, log_file: LogFile, name: str, block: Block) -> Block:
        """A block at the position of a log: note that it is emitted."""
        log_file.name = name
        log_file.advance(block.end, block.tail)
        return Block(block.offset, block.data, block.length, block.tail, log_file.id, name)

    def identify(self, open_log: OpenLog) -> list[Message]:
        """Make sure whose content a log has: the one that we know it to have, or another."""
        log_file = open_log.log_file
        if open_log.is_idle or not open_log.open():
            return []
        if log_file is not None and _continues(open_log, log_file):
            return []
        if log_file is not None and open_log.copied == (open_log.size, open_log.modified):
            return []
        open_log.was_read = True
        line = first_line(open_log.read_at)
        if line is not None and format_of(line[:HEAD_BYTES]) is not None:
            line = None  # not a log, as the next look will find
        first = b"" if line is None else log_file_id(line)
        messages: list[Message] = []
        if log_file is not None and first != open_log.first:
            messages += self._cut_off(open_log, log_file)
        open_log.first, open_log.copied, open_log.searched = first, None, 0
        if line is None:
            open_log.log_file = None
            return messages
        before = open_log.position
        messages += self._attach(open_log, line)
        if log_file is open_log.log_file and open_log.position < before < open_log.largest:
            # it was cut before it was read
            messages.append(Lost(log_file.id if log_file else b"", open_log.largest - before))
        open_log.largest = open_log.size
        return messages

    def _attach(self, open_log: OpenLog, line: bytes) -> list[Message]:
        """Find out which of the known logs with this first line a log is of."""
        known = []
        for variant in count():
            log_file = self.log_file(log_file_id(line, variant))
            if log_file is None:
                break
            known.append(log_file)
        for log_file in known:
            if agrees(log_file, open_log.read_at):
                return self._read_on(open_log, log_file)
        common = 0
        for log_file in known:
            owner = self._owner(log_file, open_log)
            if owner is None:  # it is the log that was counted, cut or replaced below that
                return self._read_on(open_log, log_file)
            common = open_log.common_with(owner)
            if not open_log.ends_line(common, open_log.size):
                open_log.log_file, open_log.copied = log_file, (open_log.size, open_log.modified)
                return []
        log_id = log_file_id(line, len(known))
        open_log.log_file = self.positions[log_id] = LogFile(log_id, name=open_log.name)
        if not common:
            return []
        # It begins like a log that is read there, and goes on in another way.
        begin = max(0, common - ANCHOR_WINDOW_BYTES)
        open_log.log_file.advance(common, open_log.read_at(begin, common - begin))
        return [open_log.log_file.rewound(0)]

    def _read_on(self, open_log: OpenLog, log_file: LogFile) -> list[Message]:
        open_log.log_file = self.positions[log_file.id] = log_file
        before = log_file.position
        if locate(log_file, open_log.read_at) == before:
            return []
        return [log_file.rewound(before)]

    def log_file(self, log_id: bytes) -> LogFile | None:
        """How far a log was read; None when it is not known."""
        found = self.positions.get(log_id)
        if found is None and (position := self.closed.get(log_id)) is not None:
            found = LogFile.at(log_id, position)
        return found

    def close(self, log_file: LogFile) -> None:
        """A log is not open any more: note how far it was read."""
        self.positions.pop(log_file.id, None)
        if log_file.position:
            self.closed[log_file.id] = log_file.as_position()

    def forget(self, log_ids: Iterable[bytes]) -> None:
        """Forget how far logs were read that are not open."""
        for log_id in log_ids:
            self.closed.pop(log_id, None)

    def _owner(self, log_file: LogFile, but: OpenLog) -> OpenLog | None:
        """Another file that has the content of a log, up to the position."""
        for other in self.open_logs.values():
            if other is but or self._first(other) != but.first:
                continue
            if agrees(log_file, other.read_at):
                return other
        return None

    @staticmethod
    def _first(open_log: OpenLog) -> bytes:
        line = None if open_log.first else first_line(open_log.read_at)
        return open_log.first if line is None else log_file_id(line)

    def is_open(self, log_id: bytes) -> bool:
        """Whether an open file is this log."""
        return any(o.log_file and o.log_file.id == log_id for o in self.open_logs.values())

    def _cut_off(self, open_log: OpenLog, log_file: LogFile) -> list[Message]:
        """The content of a log was replaced: unless it was copied elsewhere, its end is lost."""
        if any(
            o is not open_log and self._first(o) == open_log.first for o in self.open_logs.values()
        ):
            return []
        self.close(log_file)
        return [Lost(log_file.id, max(0, open_log.largest - log_file.position), at_least=True)]


def _continues(open_log: OpenLog, log_file: LogFile) -> bool:
    """Whether a log still has, before our place in it, what it had."""
    known = log_file.tail[-CHECKED_BYTES:]
    begin = log_file.position - len(known)
    return bool(known) and open_log.read_at(begin, len(known)) == known
