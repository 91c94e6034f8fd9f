"""Recognises logs by their content: where in a file one begins, and from where on it is new.

From a content and the logs that are known come segments. Nothing is counted or saved here, and
the logs that were known stay as they are: what a file changes is in `FileLogs.staged`.
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from engine.inputs.formats import second_of, time_marks
from engine.sources.content import Content, first_line
from engine.sources.gzipped import GzipContent
from engine.sources.log_file import ANCHOR_WINDOW_BYTES, LogFile, log_file_id
from engine.sources.model import Block
from engine.sources.resume import locate, locate_in_stream

SAME_BYTES: Final = 64 * 1024
LEAST_SAME_BYTES: Final = 4096
"""So many bytes of a log must repeat before its first line counts as a second beginning."""


class KnownLogs:
    """The logs that can be recognised, by id, and the seconds of their first lines."""

    def __init__(self, counted: dict[bytes, LogFile]) -> None:
        self.counted = counted
        self.upcoming: dict[bytes, LogFile] = {}
        """Logs of later files of this run: they may come inside an earlier file, too."""
        self.seconds: set[int] = set()
        self.has_untimed = False
        """Whether some log begins with a line whose second is only found by parsing it."""
        for log in counted.values():
            self.note_beginning(log)

    def note_beginning(self, log: LogFile) -> None:
        """From now on a log is looked for inside files."""
        if log.began_at is None:
            self.has_untimed = True
        else:
            self.seconds.add(log.began_at)

    def expect(self, first_line: bytes) -> None:
        """Look also for the log that begins with this line, if the line has a time."""
        second = second_of(first_line)
        if second is not None:
            log = LogFile(log_file_id(first_line), began_at=second)
            self.upcoming[log.id] = log
            self.note_beginning(log)


@dataclass(slots=True)
class Segment:
    """A part of a file that is to be counted for one log, up to where another log begins."""

    log: LogFile
    base: int
    """The offset in the file at which the log begins."""
    begin: int
    """The offset in the log from which on it is new."""
    known: bool
    continuation: LogFile | None = None
    """The log that begins at `begin`, where an earlier reading ended.

    It may be one, and come again by itself; or the log before it comes again, and goes on
    otherwise.
    """
    head: bytes = b""
    """What the log begins with, of a content that is only read forward."""
    differs: bool = False
    """Whether the file has other content than the log, and is not just a shorter copy of it."""


class FileLogs:
    """The logs in one file, recognised one after another."""

    def __init__(self, content: Content, known: KnownLogs) -> None:
        self.content = content
        self.known = known
        self.staged: dict[bytes, LogFile] = {}
        """What is known of the logs in this file, once it is counted."""
        self._continuations: list[LogFile] = []
        self._differing_repeats = 0  # the first line of a log came again, and the log did not

    def segment_at(self, base: int) -> Segment | None:
        """The segment of the log at an offset, where the content then stands; None at the end.

        Raises UsageError for a known log in a pipe, which would have to be read twice.
        """
        content = self.content
        while True:
            if base:
                content.go_to(base)
            head = content.peek(SAME_BYTES) if isinstance(content, GzipContent) else b""
            line = content.peek_line() or content.peek_short()
            if not line:
                return None
            log, known = self._stage(line)
            before = log.copy()
            begin = self._find_end(log, base) if known else 0
            if begin is None:
                return None
            if begin not in before.resume_points or not 0 < begin < before.position:
                break
            self.staged[log.id] = before  # what follows is another log, or one that it knows
            base += begin
        found = Segment(log, base, begin, known, head=head)
        found.differs = not content.seekable or bool(content.read_at(base + before.position - 1, 1))
        if begin and begin == before.position:  # an earlier reading ended here, beyond doubt
            log.resumed = True
            if next_line := content.peek_line():
                id_, second = log_file_id(next_line), second_of(next_line)
                found.continuation = LogFile(id_, began_at=second)
        return found

    def _stage(self, line: bytes) -> tuple[LogFile, bool]:
        """A copy of the log that begins with this line, and whether anything of it is counted."""
        id_ = log_file_id(line)
        found = self.staged.get(id_)
        if found is None:
            earlier = self.known.counted.get(id_)
            found = earlier.copy() if earlier else LogFile(id_, began_at=second_of(line))
            found.name = Path(self.content.name).name
            self.staged[id_] = found
            self.known.note_beginning(found)
        return found, id_ in self.known.counted or found.position > 0

    def _find_end(self, log: LogFile, base: int) -> int | None:
        """The offset up to which the log at `base` was counted before; None for a shorter copy."""
        if self.content.seekable:
            begin = locate(log, self.content.read_at, base)
        else:
            resume_points = log.resume_points.copy()
            begin, shorter = locate_in_stream(log, self.content)
            if shorter and begin not in resume_points:
                return None
        self.content.go_to(base + begin)
        return begin

    def advance_continuation(self, segment: Segment, block: Block) -> None:
        """A block of a segment was counted: it is one of its continuation, too."""
        continuation, log = segment.continuation, segment.log
        if continuation is None:
            return
        if not continuation.position:
            log.resume_points.add(segment.begin)
            self._continuations.append(continuation)
            continuation.name = log.name
        continuation.advance(block.end - segment.begin, block.tail)
        continuation.saw(log.first_at, log.last_at)

    def before_next(self, segment: Segment, block: Block, seconds: Iterable[int]) -> Block | None:
        """The part of a block that comes before a known log; None when none begins in it.

        `seconds`: those in which the block has valid lines. A block of a file may lack its data.
        """
        known = self.known
        common = known.seconds.intersection(seconds)
        if not common and not known.has_untimed:
            return None
        if not block.data:
            data = self.content.read_at(segment.base + block.offset, block.length)
            block = replace(block, data=data, length=len(data))
        logs = {**known.upcoming, **known.counted, **self.staged}
        for begin, id_ in known_lines(block.data, None if known.has_untimed else common, logs):
            if id_ == segment.log.id:
                begins = self._begins_again(segment, block, begin)
            else:
                begins = not self._came_before(segment, block, begin)
            if begins:
                return prefix(block, begin)
        return None

    def _came_before(self, segment: Segment, block: Block, begin: int) -> bool:
        """Whether the line there came shortly before in the same log: then no other begins with it.

        Logs without ports and parts of a second have equal lines.
        """
        data = block.data
        line = data[begin : data.find(b"\n", begin) + 1]
        if data.startswith(line, 0, begin) or data.rfind(b"\n" + line, 0, begin) >= 0:
            return True
        size = min(block.offset, SAME_BYTES)
        if not size or not self.content.seekable or begin >= SAME_BYTES:
            return False
        earlier = self.content.read_at(segment.base + block.offset - size, size)
        return b"\n" + line in b"\n" + earlier

    def _begins_again(self, segment: Segment, block: Block, begin: int) -> bool:
        """Whether the log begins there once more, and not only a line like its first one."""
        place = block.offset + begin
        size = min(place, SAME_BYTES)
        earlier = self.known.counted.get(segment.log.id)
        whole = earlier is not None and earlier.position == place  # right behind all we knew of it
        if not place or self._differing_repeats or (size < LEAST_SAME_BYTES and not whole):
            return False
        if self.content.seekable:
            again = self.content.read_at(segment.base + place, size)
            before = self.content.read_at(segment.base, len(again))
        elif segment.head or block.offset == 0:
            again = block.data[begin : begin + size]
            before = (segment.head or block.data[:size])[: len(again)]
        else:
            return False
        self._differing_repeats += again != before  # a line that comes more often is just that
        return again == before

    def finish(self) -> None:
        """The file is read: leave out shorter copies, and add the continuations to `staged`."""
        for id_, log in list(self.staged.items()):
            earlier = self.known.counted.get(id_)
            if earlier and log.position < earlier.position and log.fates == earlier.fates:
                del self.staged[id_]  # a shorter copy: what is known of the log stands
        for continuation in self._continuations:
            self.staged.setdefault(continuation.id, continuation)
            self.known.note_beginning(continuation)


def known_lines(
    data: bytes, seconds: set[int] | None, logs: Container[bytes]
) -> Iterator[tuple[int, bytes]]:
    """The offsets of lines with which a known log may begin, and the id of that log.

    Only lines of the given seconds are looked at; without seconds all, which takes its time.
    """
    for begin in _all_lines(data) if seconds is None else _lines_of(data, seconds):
        line = first_line(lambda offset, size: data[offset : offset + size], begin)
        if line is not None and (id_ := log_file_id(line)) in logs:
            yield begin, id_


def _all_lines(data: bytes) -> list[int]:
    return [0, *(newline.end() for newline in re.finditer(rb"\n", data[:-1]))]


def _lines_of(data: bytes, seconds: set[int]) -> list[int]:
    found: set[int] = set()
    for mark in (mark for second in seconds for mark in time_marks(second)):
        place = data.find(mark)
        while place >= 0:
            found.add(data.rfind(b"\n", 0, place) + 1)
            place = data.find(mark, place + 1)
    return sorted(found)


def prefix(block: Block, length: int) -> Block:
    """The part of a block up to an offset in it, where a line begins."""
    data = block.data[:length]
    return replace(block, data=data, length=length, tail=data[-ANCHOR_WINDOW_BYTES:])
