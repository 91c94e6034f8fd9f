"""Counts blocks of lines, here or in several processes, and gives their tallies in order.

A large file is cut into ranges of lines, which each process reads by itself. Where another log
may begin soon, few blocks are counted ahead, as that work may be wasted.
"""

from __future__ import annotations

import ctypes
import os
import signal
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Final, TypeVar

from engine.errors import ThreadDied
from engine.packages import Packages
from engine.pipeline import Pipeline, Span, Tally
from engine.sources.content import BLOCK_BYTES, Content, cut_lines
from engine.sources.log_file import ANCHOR_WINDOW_BYTES
from engine.sources.model import Block

SMALL_BYTES: Final = 16 * 1024 * 1024
"""Below this, starting processes costs more than they save."""
RANGE_BYTES: Final = 4 * BLOCK_BYTES
PIECE_BYTES: Final = 96 * 1024
CAREFUL_BLOCKS: Final = 6  # each twice as long as the one before, until it is a whole range
BLOCKS_BEFORE_START: Final = 4  # of a content of unknown length
_PR_SET_PDEATHSIG: Final = 1  # prctl(2)

Item = TypeVar("Item")
Task = tuple[Item, Callable[..., Tally], tuple[Any, ...]]
"""Something, and the function of a pipeline and arguments that counts it."""

_pipeline: Pipeline | None = None  # of a worker process
_is_interrupted = False  # of a worker process: nobody waits for its tallies any more


class BlockCounter:
    """Counts contents block by block. Processes are started when there is enough to count."""

    def __init__(self, packages: Packages, jobs: int) -> None:
        self.pipeline = Pipeline(packages)
        self.jobs = jobs
        self._workers: Workers | None = None

    def count(self, lines: bytes, *, outside: Span | None = None) -> Tally:
        """The tally of complete lines, counted here."""
        return self.pipeline.count(lines, outside=outside)

    def tallies(
        self, content: Content, base: int, begin: int, *, careful: bool
    ) -> Iterator[tuple[Block, Tally]]:
        """Blocks of the log at the offset `base` of a content, from `begin` on, with their tallies.

        The block of a range has no data. With `careful`, not much more is counted than is taken.
        """
        end = os.fstat(content.file.fileno()).st_size if content.path else 0
        if end - base - begin > SMALL_BYTES:
            yield from self._tallies_of_ranges(content, base, (base + begin, end), careful)
            return
        blocks = cut_lines(content.read, begin)
        if content.seekable:
            yield from ((block, self.count(block.data)) for block in blocks)
            return
        ahead = self.jobs - 1 if self._workers else -BLOCKS_BEFORE_START
        tasks = ((block, count_block, (block.data,)) for block in blocks)
        yield from self._in_order(tasks, -CAREFUL_BLOCKS if careful else ahead)

    def _tallies_of_ranges(
        self, content: Content, base: int, span: tuple[int, int], careful: bool
    ) -> Iterator[tuple[Block, Tally]]:
        descriptor = content.file.fileno()
        ranges = line_ranges(descriptor, *span, PIECE_BYTES if careful else RANGE_BYTES)
        tasks = ((found, count_range, (content.path, *found)) for found in ranges)
        ahead = -CAREFUL_BLOCKS if careful else self.jobs - 1
        for (low, high), tally in self._in_order(tasks, ahead):
            content.raw_bytes = high
            yield Block(low - base, b"", high - low, last_bytes(descriptor, high)), tally

    def _in_order(self, tasks: Iterable[Task[Item]], ahead: int) -> Iterator[tuple[Item, Tally]]:
        """Items with their tallies. `ahead` of them are counted ahead, and one more each time.

        While it is negative, items are counted here.
        """
        waiting: deque[tuple[Item, Future[Tally]]] = deque()
        try:
            for item, function, arguments in tasks:
                if self.jobs == 1 or ahead < 0:
                    yield item, function(self.pipeline, *arguments)
                    ahead += 1
                    continue
                waiting.append((item, self._start().submit(function, arguments)))
                if len(waiting) > ahead:
                    first, future = waiting.popleft()
                    yield first, future.result()
                    ahead = min(ahead + 1, 2 * self.jobs)
            yield from ((first, future.result()) for first, future in waiting)
        except BrokenProcessPool as error:
            raise _ended_from_outside() from error
        finally:
            for _, future in waiting:
                future.cancel()

    def _start(self) -> Workers:
        if self._workers is None:
            self._workers = Workers(self.jobs, self.pipeline.packages)
            self._workers.start()
        return self._workers

    def close(self) -> None:
        """End the processes, if there are any."""
        if self._workers:
            self._workers.close()


class Workers:
    """A few processes that count. Close it also when `start` was interrupted."""

    def __init__(self, jobs: int, packages: Packages) -> None:
        self._pool = ProcessPoolExecutor(
            jobs,
            mp_context=get_context("fork"),
            initializer=_begin_worker,
            initargs=(packages, os.getpid()),
        )

    def start(self) -> None:
        """Start all of them. Raises ThreadDied."""
        # Ctrl-C in the middle of a fork would leave a pool that can never be closed.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            self._pool.submit(os.getpid).result()  # starts all of them
        except BrokenProcessPool as error:
            self.close()  # or what is left of it prints a traceback when the program ends
            raise _ended_from_outside() from error
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)

    def submit(self, function: Callable[..., Tally], arguments: tuple[Any, ...]) -> Future[Tally]:
        """Call a function with the pipeline of a worker and these arguments."""
        return self._pool.submit(_call, function, arguments)

    def close(self) -> None:
        """End the processes."""
        self._pool.shutdown(wait=True, cancel_futures=True)


def _ended_from_outside() -> ThreadDied:
    return ThreadDied(
        "a process that counts was ended from outside; this file was not counted",
        "memory may be short: give a smaller --jobs",
    )


def _begin_worker(packages: Packages, parent: int) -> None:
    """End what is being counted at Ctrl-C, and end when the process that started us ends."""
    global _pipeline  # noqa: PLW0603 (one per worker process, made once)
    if signal.getsignal(signal.SIGINT) != signal.SIG_IGN:
        signal.signal(signal.SIGINT, _interrupt)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})  # as it was before `start`
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)
    _pipeline = Pipeline(packages)


def _interrupt(*_signal: object) -> None:
    """Ctrl-C, also for the process that started us: it waits until we have come to an end."""
    global _is_interrupted  # noqa: PLW0603 (one per worker process)
    _is_interrupted = True


def _call(function: Callable[..., Tally], arguments: tuple[Any, ...]) -> Tally:
    if _is_interrupted:
        raise KeyboardInterrupt
    return function(_pipeline, *arguments)


def count_block(pipeline: Pipeline, data: bytes) -> Tally:
    """The tally of complete lines."""
    return pipeline.count(data)


def count_range(pipeline: Pipeline, path: str, begin: int, end: int) -> Tally:
    """The tally of a range of a plain file, read in pieces that stay in the processor's caches.

    Larger ones come from the kernel as new pages each time, which takes longer than reading them.
    """
    with Path(path).open("rb", buffering=0) as file:
        file.seek(begin)
        left = end - begin

        def read(size: int) -> bytes:
            nonlocal left
            if _is_interrupted:
                raise KeyboardInterrupt
            data = file.read(min(size, left)) or b""
            left -= len(data)
            return data

        return pipeline.count_all(block.data for block in cut_lines(read, begin, PIECE_BYTES))


def line_ranges(
    descriptor: int, begin: int, end: int, size: int = RANGE_BYTES
) -> Iterator[tuple[int, int]]:
    """Cut [begin, end) of a file into ranges that end at lines, the first of about `size` bytes.

    What follows the last newline is in no range.
    """
    while begin < end:
        place = _line_end(descriptor, begin, min(begin + size, end), end)
        if place <= begin:
            return
        yield begin, place
        begin, size = place, min(2 * size, RANGE_BYTES)


def _line_end(descriptor: int, begin: int, target: int, end: int) -> int:
    """The end of the last line that ends in [begin, target], or of the first after it."""
    step = 64 * 1024
    place = target
    while place > begin:
        low = max(begin, place - step)
        found = os.pread(descriptor, place - low, low).rfind(b"\n")
        if found >= 0:
            return low + found + 1
        place = low
    while target < end:
        data = os.pread(descriptor, min(step, end - target), target)
        found = data.find(b"\n")
        if found >= 0:
            return target + found + 1
        if not data:
            break
        target += len(data)
    return begin


def last_bytes(descriptor: int, end: int) -> bytes:
    """What the bytes before an offset end with, as much as an anchor needs."""
    begin = max(0, end - ANCHOR_WINDOW_BYTES)
    return os.pread(descriptor, end - begin, begin)
