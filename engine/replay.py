"""Replay: log files through the pipeline into a store, each line once.

In: paths, a store, packages. Out: a summary; what was counted is in the store. The same pipeline
and the same ledger as `serve`, with another source and without a timer.

A file is counted whole or not at all: in one transaction, with its position. A log is known by
its content, so a file that was read before, under any name, packed or not, half or whole, adds
only what is new; a known log inside of a longer file is recognised at its first line.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
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
from engine.inputs.formats import second_of
from engine.packages import Packages
from engine.parallel import Workers, count_range, front, line_ranges, tail_of
from engine.pipeline import Pipeline, Tally, fill_silences
from engine.sources.content import STANDARD_INPUT, Content, cut_lines
from engine.sources.model import Chunk, Generation, generation_id
from engine.sources.opening import open_content
from engine.sources.tracker import (
    find_known,
    locate,
    locate_in_stream,
)
from engine.store.store import Store

MAX_STATES: Final = 20_000
"""States held in memory before they are written into the open transaction."""
SMALL_BYTES: Final = 16 * 1024 * 1024
"""Below this, starting processes costs more than they save."""
SAME_BYTES: Final = 64 * 1024
LEAST_SAME_BYTES: Final = 4096
"""So much of a log must come again before its first line is taken for a second beginning."""
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
    doubted: list[tuple[str, int]] = field(default_factory=list)
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
class _Job:
    """One file on its way: the logs found in it, and what is not written yet."""

    content: Content
    tally: Tally = field(default_factory=Tally)
    staged: dict[bytes, Generation] = field(default_factory=dict)
    fresh: Tally = field(default_factory=Tally)  # the span of logs that were not known
    lines: int = 0
    doubted: int = 0  # lines left out, of a log that goes on otherwise than what was counted
    repeats: int = 0  # how often the first line of a log came again, and the log did not
    shadows: list[Generation] = field(default_factory=list)
    differs: bool = False  # the log that is being read is no shorter copy of the one that is known


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
        self.packages = packages
        self.pipeline = Pipeline(packages)
        self.jobs = jobs
        self.workers: Workers | None = None
        self.check_overlap = check_overlap
        self.progress = progress
        self.known = store.generations()
        self.seconds: set[int] = set()
        self.nameless = False
        """Some log that is known begins with a line whose second is not plain to see."""
        for generation in self.known.values():
            self._note_beginning(generation)
        self.foreseen: dict[bytes, Generation] = {}
        """Logs that come in a later file of this run, maybe inside of an earlier one, too."""
        self.summary = Summary()
        self._bytes_before = 0  # of the files that are done

    def run(self, paths: Sequence[str], now: int) -> Summary:
        """Count files in order; one that cannot be read does not stop the next ones.

        `now` is written as the time of the save. Raises StorageError when the store fails.
        """
        try:
            if len(paths) > 1 and not self.check_overlap:  # where pieces are not refused
                self._foresee(paths)
            for path in paths:
                try:
                    with closing(open_content(path)) as content, self.store.transaction():
                        self._count_file(content, now)
                        self._bytes_before += os.fstat(content.file.fileno()).st_size
                        self.progress(self._bytes_before, 0)
                except INPUT_ERRORS as error:
                    self.summary.errors.append(error)
        finally:
            if self.workers:
                self.workers.close()
        return self.summary

    def fill_silences(self, gap_minutes: int, now: int) -> None:
        """Switch on the minutes between two that are at most `gap_minutes` apart."""
        states = self.store.uptime_states()
        before = dict(states)
        fill_silences(states, gap_minutes)
        self.store.commit(
            {k: v for k, v in states.items() if before.get(k) != v}, meta={"saved_at": now}
        )

    def _foresee(self, paths: Sequence[str]) -> None:
        """Note how each log begins, so that it is found where it comes first inside of another."""
        for path in paths:
            with suppress(*INPUT_ERRORS, OSError):
                if path == STANDARD_INPUT:
                    continue
                with closing(open_content(path)) as content:
                    line = content.peek_line()
                if line and (second := second_of(line)) is not None:
                    found = Generation(generation_id(line), began_at=second)
                    self.foreseen[found.id] = found
                    self._note_beginning(found)

    def _note_beginning(self, generation: Generation) -> None:
        if generation.began_at is None:
            self.nameless = True
        else:
            self.seconds.add(generation.began_at)

    def _count_file(self, content: Content, now: int) -> None:
        job = _Job(content)
        base: int | None = 0
        while base is not None:  # once, or for each known log inside of this one
            base = self._count_log(job, base)
        self._refuse_piece(job)
        for identity, staged in list(job.staged.items()):
            earlier = self.known.get(identity)
            if earlier and staged.position < earlier.position and staged.fates == earlier.fates:
                del job.staged[identity]  # a shorter copy: what is known of the log stands
        for shadow in job.shadows:
            job.staged.setdefault(shadow.id, shadow)
            self._note_beginning(shadow)
        self.store.commit(job.tally.states, job.staged.values(), meta={"saved_at": now})
        for generation in job.staged.values():
            self.known[generation.id] = generation
        if job.doubted:
            self.summary.doubted.append((content.name, job.doubted))
        self.summary.fates.update(job.tally.fates)
        if content.lacks_newline:
            self.summary.unfinished.append(content.name)
        if content.damage:
            self.summary.errors.append(
                InputDamaged(
                    f"{content.name}: {content.damage}; what came before it was counted",
                    "copy the file again from the hotspot, and replay it: only new lines are added",
                )
            )
        elif not job.lines and job.staged:
            self.summary.known.append(content.name)
        span = Tally(first_at=self.summary.first_at, last_at=self.summary.last_at)
        span.saw(job.tally.first_at, job.tally.last_at)
        self.summary.first_at, self.summary.last_at = span.first_at, span.last_at

    def _count_log(self, job: _Job, base: int) -> int | None:
        """Count the log that begins at `base`. Where a known log interrupts it; None at the end."""
        content = job.content
        if base:
            content.go_to(base)
        line = content.peek_line() or content.peek_short()
        if not line:
            return None
        generation, known = self._stage(job, line)
        before = generation.copy()
        begin = 0
        if known and content.seekable:
            begin = locate(generation, content.read_at, base)
        elif known:
            begin, shorter = locate_in_stream(generation, content)
            if shorter and begin not in before.stops:
                return None
        if known:
            content.go_to(base + begin)
        job.differs = not content.seekable or bool(content.read_at(base + before.position - 1, 1))
        if 0 < begin < before.position and begin in before.stops:
            job.staged[generation.id] = before  # from here on it is another log, or one it knows
            return base + begin
        shadow = None
        if begin and begin == before.position:  # where an earlier reading ended, beyond doubt
            generation.resumed = True
            follower = content.peek_line()
            shadow = follower and Generation(generation_id(follower), began_at=second_of(follower))
        for read in self._tallies(job, generation, base, begin):
            chunk, tally, place = self._look_for_known(job, generation, base, *read)
            if chunk.length:
                if not self.summary.sample:
                    self.summary.sample = self._sample(job, base, chunk)
                self._take(job, generation, chunk, tally, known)
                if shadow:
                    self._take_shadow(job, generation, shadow, chunk, begin)
            if place is not None:
                return base + place
        return None

    @staticmethod
    def _sample(job: _Job, base: int, chunk: Chunk) -> bytes:
        """Complete lines from the beginning of a chunk."""
        data = chunk.data or job.content.read_at(base + chunk.offset, 8 * SAMPLE_BYTES)
        return data[: data.rfind(b"\n", 0, SAMPLE_BYTES) + 1 or data.find(b"\n") + 1]

    @staticmethod
    def _take_shadow(
        job: _Job, generation: Generation, shadow: Generation, chunk: Chunk, begin: int
    ) -> None:
        """What follows where an earlier reading ended is known as a log of its own, too.

        It may be one, and come again by itself; or the log before it comes again, and goes on
        otherwise.
        """
        if not shadow.position:
            generation.stops.add(begin)
            job.shadows.append(shadow)
            shadow.name = generation.name
        shadow.advance(chunk.end - begin, chunk.tail)
        shadow.saw(generation.first_at, generation.last_at)

    def _stage(self, job: _Job, line: bytes) -> tuple[Generation, bool]:
        identity = generation_id(line)
        found = job.staged.get(identity)
        if found is None:
            earlier = self.known.get(identity)
            found = earlier.copy() if earlier else Generation(identity, began_at=second_of(line))
            found.name = Path(job.content.name).name
            job.staged[identity] = found
            self._note_beginning(found)
        return found, identity in self.known or found.position > 0

    def _tallies(
        self, job: _Job, generation: Generation, base: int, begin: int
    ) -> Iterator[tuple[Chunk, Tally]]:
        """Chunks of a log, at offsets from its beginning, each with its tally, in order.

        Of a range that was read apart, maybe by another process, the chunk has no data.
        """
        content = job.content
        in_doubt = begin < generation.doubt_until
        if content.path and not in_doubt:
            descriptor = content.file.fileno()
            end = os.fstat(descriptor).st_size
            if end - base - begin > SMALL_BYTES:
                spans = line_ranges(descriptor, base + begin, end)
                for (low, high), tally in self._count_ranges(content.path, spans):
                    content.raw_bytes = high
                    yield Chunk(low - base, b"", high - low, tail_of(descriptor, high)), tally
                return
        chunks = cut_lines(content.read, begin)
        if self.jobs > 1 and not content.seekable and not in_doubt:
            yield from self._workers().count_chunks(chunks)
            return
        for chunk in chunks:
            yield chunk, self._count(generation, chunk)

    def _count_ranges(
        self, path: str, spans: Iterable[tuple[int, int]]
    ) -> Iterator[tuple[tuple[int, int], Tally]]:
        if self.jobs > 1:
            return self._workers().count_ranges(path, spans)
        return ((span, count_range(self.pipeline, path, *span)) for span in spans)

    def _workers(self) -> Workers:
        if self.workers is None:
            self.workers = Workers(self.jobs, self.packages)
            self.workers.start()
        return self.workers

    def _count(self, generation: Generation, chunk: Chunk) -> Tally:
        return ledger.count(generation, chunk, self.pipeline.count)

    def _look_for_known(
        self, job: _Job, generation: Generation, base: int, chunk: Chunk, tally: Tally
    ) -> tuple[Chunk, Tally, int | None]:
        """Whether a known log begins in a chunk: then what comes before it, and where it does."""
        seconds = self.seconds & tally.seconds
        if not seconds and not self.nameless:
            return chunk, tally, None
        data = chunk.data or job.content.read_at(base + chunk.offset, chunk.length)
        known = {**self.foreseen, **self.known, **job.staged}
        place = None
        for begin, identity in find_known(data, None if self.nameless else seconds, known):
            if identity == generation.id:
                begins = self._begins_again(job, generation, base, chunk, data, begin)
            else:
                begins = not self._came_before(job, base, chunk, data, begin)
            if begins:
                place = begin
                break
        if place is None:
            return chunk, tally, None
        before = front(Chunk(chunk.offset, data, len(data), b""), place)
        return before, self._count(generation, before), before.end

    @staticmethod
    def _came_before(job: _Job, base: int, chunk: Chunk, data: bytes, begin: int) -> bool:
        """Whether the line there came shortly before in the same log: then no other begins with it.

        Logs without ports and parts of a second have equal lines.
        """
        line = data[begin : data.find(b"\n", begin) + 1]
        if data.startswith(line, 0, begin) or data.rfind(b"\n" + line, 0, begin) >= 0:
            return True
        size = min(chunk.offset, SAME_BYTES)
        if not size or not job.content.seekable or begin >= SAME_BYTES:
            return False
        return b"\n" + line in b"\n" + job.content.read_at(base + chunk.offset - size, size)

    def _begins_again(
        self, job: _Job, generation: Generation, base: int, chunk: Chunk, data: bytes, begin: int
    ) -> bool:
        """Whether what begins there is the log from its beginning, not one more line like it."""
        place = chunk.offset + begin
        size = min(place, SAME_BYTES)
        earlier = self.known.get(generation.id)
        whole = earlier is not None and earlier.position == place  # right behind all we knew of it
        if not place or job.repeats or (size < LEAST_SAME_BYTES and not whole):
            return False
        if job.content.seekable:
            again = job.content.read_at(base + place, size)
            before = job.content.read_at(base, len(again))
        elif chunk.offset == 0:
            again, before = data[begin : begin + size], data[:size]
            before = before[: len(again)]
        else:
            return False
        job.repeats += again != before  # a line that comes more often is just that
        return again == before

    def _take(
        self, job: _Job, generation: Generation, chunk: Chunk, tally: Tally, known: bool
    ) -> None:
        if job.differs and chunk.offset < generation.doubt_until:
            job.doubted += chunk.data.count(b"\n") - tally.lines
        ledger.apply(generation, chunk, tally)
        if not known:
            job.fresh.saw(tally.first_at, tally.last_at)
        job.lines += tally.lines
        job.tally.add(tally)
        if len(job.tally.states) > MAX_STATES:
            self.store.records.save(job.tally.states, None)
            job.tally.states = {}
        self.progress(self._bytes_before + job.content.raw_bytes, tally.lines)

    def _refuse_piece(self, job: _Job) -> None:
        """Raise AlreadyCounted for a file that must be a piece cut out of logs that are counted."""
        first, last = job.fresh.first_at, job.fresh.last_at
        if not self.check_overlap or first is None or last is None or first == last:
            return
        spans = sorted(
            (max(g.first_at, first), min(g.last_at, last))
            for g in self.known.values()
            if g.first_at is not None and g.last_at is not None
        )
        covered, reached = 0, first
        for begin, end in spans:
            covered += max(0, end - max(begin, reached))
            reached = max(reached, end)
        if covered > OVERLAP * (last - first):
            raise AlreadyCounted(
                f"{job.content.name} was not counted: the time it tells of is counted already, "
                "and it begins like no log that is known; it looks like a piece of one",
                "replay the whole log instead, or add --allow-overlap if it is of another proxy",
            )
