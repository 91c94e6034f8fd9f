"""What of a log is new: whose content a file has, and from where to read on.

In: open logs, and the logs that are counted. Out: blocks at the position of their log, in order,
without gaps; what was cut or replaced is said. It mirrors the positions of
what it has handed on, so that a byte is handed on once, whoever brings it. It must not look into
the folder.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import count
from typing import Final

from engine.sources.content import cut_lines, first_line
from engine.sources.formats import HEAD_BYTES, format_of
from engine.sources.model import (
    ANCHOR_WINDOW_BYTES,
    Block,
    LogFile,
    Lost,
    Message,
    Rewound,
    log_file_id,
)
from engine.sources.resume import agrees, locate
from engine.sources.tail.listing import FileKey
from engine.sources.tail.open_log import OpenLog

BLOCK_BYTES: Final = 1024 * 1024
CHECKED_BYTES: Final = 256
"""So much before our place in a log is compared before more of it is read."""


class Cursor:
    """Follows the logs that are held. Owned by the reader thread."""

    def __init__(self, known: Mapping[bytes, LogFile], open_log: Mapping[FileKey, OpenLog]) -> None:
        self.known = known
        """What is counted. Of another thread: only looked into, for what was not read yet."""
        self.open_logs = open_log
        self.mirror: dict[bytes, LogFile] = {}
        """What was handed on, of the logs that are held."""

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
            line = None  # it is no log, as the next look will tell
        first = b"" if line is None else log_file_id(line)
        said: list[Message] = []
        if log_file is not None and first != open_log.first:
            said += self._cut_off(open_log, log_file)
        open_log.first, open_log.copied, open_log.searched = first, None, 0
        if line is None:
            open_log.log_file = None
            return said
        before = open_log.position
        said += self._attach(open_log, line)
        if log_file is open_log.log_file and open_log.position < before < open_log.largest:
            # it was cut before it was read
            said.append(Lost(log_file.id if log_file else b"", open_log.largest - before))
        open_log.largest = open_log.size
        return said

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
                return self._settle(open_log, log_file)
        common = 0
        for log_file in known:
            owner = self._owner(log_file, open_log)
            if owner is None:  # it is the log that was counted, cut or replaced below that
                return self._settle(open_log, log_file)
            common = open_log.common_with(owner)
            if not open_log.ends_line(common, open_log.size):
                open_log.log_file, open_log.copied = log_file, (open_log.size, open_log.modified)
                return []
        identity = log_file_id(line, len(known))
        open_log.log_file = self.mirror[identity] = LogFile(identity, name=open_log.name)
        if not common:
            return []
        # It begins like a log that is read there, and goes on in another way.
        begin = max(0, common - ANCHOR_WINDOW_BYTES)
        open_log.log_file.advance(common, open_log.read_at(begin, common - begin))
        return [Rewound(open_log.log_file.copy())]

    def _settle(self, open_log: OpenLog, log_file: LogFile) -> list[Message]:
        open_log.log_file = self.mirror[log_file.id] = log_file
        before = log_file.position
        if locate(log_file, open_log.read_at) == before:
            return []
        return [Rewound(log_file.copy())]

    def log_file(self, identity: bytes) -> LogFile | None:
        """What was emitted of a log, else what is counted of it."""
        mirrored = self.mirror.get(identity)
        if mirrored is not None:
            return mirrored
        counted = self.known.get(identity)
        if counted is None:
            return None
        found = counted.copy()
        if found.anchors:  # copied while it moved: of the two places the older one is safe
            found.position = found.anchors[-1][0]
        return found

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

    def is_open(self, identity: bytes) -> bool:
        """Whether an open file is this log."""
        return any(o.log_file and o.log_file.id == identity for o in self.open_logs.values())

    def _cut_off(self, open_log: OpenLog, log_file: LogFile) -> list[Message]:
        """The content of a log was replaced: unless it was copied elsewhere, its end is lost."""
        if any(
            o is not open_log and self._first(o) == open_log.first for o in self.open_logs.values()
        ):
            return []
        self.mirror.pop(log_file.id, None)
        return [Lost(log_file.id, max(0, open_log.largest - log_file.position), at_least=True)]


def _continues(open_log: OpenLog, log_file: LogFile) -> bool:
    """Whether a log still has, before our place in it, what it had."""
    known = log_file.tail[-CHECKED_BYTES:]
    begin = log_file.position - len(known)
    return bool(known) and open_log.read_at(begin, len(known)) == known
