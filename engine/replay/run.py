"""Counts log files into a store, by the same pipeline and ledger as `serve`, without a timer.

A file is counted whole or not at all: in one transaction, with its position. A log is known by
its content, so a file that was read before, under any name, compressed or not, half or whole,
adds only what is new, and a known log inside a longer file is recognised at its first line.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field
from typing import Final

from engine import ledger
from engine.errors import (
    AlreadyCounted,
    InputDamaged,
    InputMissing,
    InputUnreadable,
    MetricsError,
    UsageError,
)
from engine.packages import Packages
from engine.pipeline import Tally, fill_silences
from engine.replay.recognise import FileLogs, KnownLogs, Segment
from engine.replay.workers import BlockCounter
from engine.sources.content import STANDARD_INPUT, Content, cut_lines
from engine.sources.files import open_content
from engine.sources.log_file import LogFile
from engine.sources.model import Block
from engine.store.store import Store

MAX_STATES: Final = 20_000
"""States held in memory before they are written into the open transaction."""
OVERLAP: Final = 0.5
"""A file more of whose span of time is counted already must be a piece of known logs."""
SAMPLE_BYTES: Final = 256 * 1024

INPUT_ERRORS: Final = (AlreadyCounted, InputDamaged, InputMissing, InputUnreadable, UsageError)
"""What is wrong with one file, and stops only that one."""

Progress = Callable[[int, int], None]
"""Called with the bytes of all files that were read so far, and lines counted since last time."""


@dataclass(slots=True)
class Summary:
    """What a replay did: lines by fate, the span of time, and what went wrong by file."""

    fates: Counter[str] = field(default_factory=Counter)
    known: list[str] = field(default_factory=list)
    """Files with nothing new in them."""
    ambiguous: list[tuple[str, int]] = field(default_factory=list)
    """File, and lines of it that were left out because their time is that of known ones."""
    unfinished: list[str] = field(default_factory=list)
    """Files whose last line has no end: it is not read."""
    sample: bytes = b""
    """The first lines that were read, to say why none of them counts."""
    errors: list[MetricsError] = field(default_factory=list)
    """What went wrong, in the order of the files: some not counted, some read up to a damage."""
    first_at: int | None = None
    last_at: int | None = None


@dataclass(slots=True)
class _File:
    """A file that is being counted."""

    content: Content
    logs: FileLogs
    tally: Tally = field(default_factory=Tally)
    """What is not written yet."""
    new: Tally = field(default_factory=Tally)
    """Only the span of time, of logs that were not known."""
    lines: int = 0
    ambiguous: int = 0
    """Lines left out, of a log that goes on otherwise than what was counted."""


class Replay:
    """Counts log files into a store."""

    def __init__(
        self,
        store: Store,
        packages: Packages,
        *,
        jobs: int = 1,
        check_overlap: bool = True,
        progress: Progress = lambda _bytes, _lines: None,
    ) -> None:
        self.store = store
        self.check_overlap = check_overlap
        self.progress = progress
        self.known = KnownLogs(store.log_files())
        self.counter = BlockCounter(packages, jobs)
        self.summary = Summary()
        self._bytes_before = 0  # of the files that are done

    def run(self, paths: Sequence[str], now: int) -> Summary:
        """Count files in order; one that cannot be read does not stop the next ones.

        `now` is written as the time of the save. Raises StorageError when the store fails.
        """
        with closing(self.counter):
            if len(paths) > 1 and not self.check_overlap:  # where pieces are not refused
                self._expect_logs_of(paths)
            for path in paths:
                try:
                    with closing(open_content(path)) as content, self.store.transaction():
                        self._count_file(content, now)
                        self._bytes_before += os.fstat(content.file.fileno()).st_size
                        self.progress(self._bytes_before, 0)
                except INPUT_ERRORS as error:
                    self.summary.errors.append(error)
        return self.summary

    def fill_silences(self, gap_minutes: int, now: int) -> None:
        """Switch on the minutes between two that are at most `gap_minutes` apart."""
        states = self.store.reader().uptime_states()
        before = dict(states)
        fill_silences(states, gap_minutes)
        changed = {key: state for key, state in states.items() if before.get(key) != state}
        self.store.commit(changed, meta={"saved_at": now})

    def _expect_logs_of(self, paths: Sequence[str]) -> None:
        for path in paths:
            with suppress(*INPUT_ERRORS, OSError):
                if path != STANDARD_INPUT:
                    with closing(open_content(path)) as content:
                        self.known.expect(content.peek_line() or b"")

    def _count_file(self, content: Content, now: int) -> None:
        file = _File(content, FileLogs(content, self.known))
        base: int | None = 0
        while base is not None and (segment := file.logs.segment_at(base)):
            base = self._count_segment(file, segment)
        self._refuse_piece(file)
        file.logs.finish()
        self.store.commit(file.tally.states, file.logs.staged.values(), meta={"saved_at": now})
        self.known.counted.update(file.logs.staged)
        self._summarise(file)

    def _count_segment(self, file: _File, segment: Segment) -> int | None:
        """Count a segment. The offset of the log that comes next; None at the end of the file."""
        for block, tally in self._tallies(file.content, segment):
            before = file.logs.before_next(segment, block, tally.seconds)
            if before is None:
                self._take(file, segment, block, tally)
                continue
            if before.length:
                tally = ledger.count(segment.log, before, self.counter.count)  # noqa: PLW2901
                self._take(file, segment, before, tally)
            return segment.base + before.end
        return None

    def _tallies(self, content: Content, segment: Segment) -> Iterator[tuple[Block, Tally]]:
        log, base, begin = segment.log, segment.base, segment.begin
        if begin >= log.ambiguous_until:
            yield from self.counter.tallies(content, base, begin, careful=base > 0)
            return
        for block in cut_lines(content.read, begin):
            yield block, ledger.count(log, block, self.counter.count)

    def _take(self, file: _File, segment: Segment, block: Block, tally: Tally) -> None:
        """Apply a block that was counted to its log, and to what is to be saved."""
        log = segment.log
        if not self.summary.sample:
            self.summary.sample = _sample(file.content, segment.base, block)
        if segment.differs and block.offset < log.ambiguous_until:
            file.ambiguous += block.data.count(b"\n") - tally.lines
        ledger.apply(log, block, tally)
        file.logs.advance_continuation(segment, block)
        if not segment.known:
            file.new.saw(tally.first_at, tally.last_at)
        file.lines += tally.lines
        file.tally.add(tally)
        if len(file.tally.states) > MAX_STATES:
            self.store.records.save(file.tally.states, None)
            file.tally.states = {}
        self.progress(self._bytes_before + file.content.raw_bytes, tally.lines)

    def _refuse_piece(self, file: _File) -> None:
        """Raise AlreadyCounted for a file that must be a piece cut out of logs that are counted."""
        first, last = file.new.first_at, file.new.last_at
        if not self.check_overlap or first is None or last is None or first == last:
            return
        if counted_seconds(self.known.counted.values(), first, last) > OVERLAP * (last - first):
            raise AlreadyCounted(
                f"{file.content.name} was not counted: the time it tells of is counted already, "
                "and it begins like no log that is known; it looks like a piece of one",
                "replay the whole log instead, or add --allow-overlap if it is of another proxy",
            )

    def _summarise(self, file: _File) -> None:
        content, summary = file.content, self.summary
        if file.ambiguous:
            summary.ambiguous.append((content.name, file.ambiguous))
        summary.fates.update(file.tally.fates)
        if content.lacks_newline:
            summary.unfinished.append(content.name)
        if content.damage:
            summary.errors.append(
                InputDamaged(
                    f"{content.name}: {content.damage}; what came before it was counted",
                    "copy the file again from the hotspot, and replay it: only new lines are added",
                )
            )
        elif not file.lines and file.logs.staged:
            summary.known.append(content.name)
        span = Tally(first_at=summary.first_at, last_at=summary.last_at)
        span.saw(file.tally.first_at, file.tally.last_at)
        summary.first_at, summary.last_at = span.first_at, span.last_at


def _sample(content: Content, base: int, block: Block) -> bytes:
    """Complete lines from the beginning of a block."""
    data = block.data or content.read_at(base + block.offset, 8 * SAMPLE_BYTES)
    return data[: data.rfind(b"\n", 0, SAMPLE_BYTES) + 1 or data.find(b"\n") + 1]


def counted_seconds(logs: Iterable[LogFile], first: int, last: int) -> int:
    """How much of the time from `first` to `last` lies in the spans of logs."""
    spans = sorted(
        (max(log.first_at, first), min(log.last_at, last))
        for log in logs
        if log.first_at is not None and log.last_at is not None
    )
    covered, reached = 0, first
    for begin, end in spans:
        covered += max(0, end - max(begin, reached))
        reached = max(reached, end)
    return covered
