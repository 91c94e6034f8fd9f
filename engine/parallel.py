"""Counting on several processors: blocks of lines go out, tallies come back, in order.

In: chunks, or ranges of a plain file that begin and end at lines. Out: (chunk, tally) pairs in
the order of the log, so that positions move as if one process had done it all.
It must not know of stores or of generations.
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
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path
from typing import Final, TypeVar

from engine.errors import ThreadDied
from engine.packages import Packages
from engine.pipeline import Pipeline, Tally
from engine.sources.content import BLOCK_BYTES, cut_lines
from engine.sources.model import ANCHOR_WINDOW_BYTES, Chunk

RANGE_BYTES: Final = 4 * BLOCK_BYTES
PIECE_BYTES: Final = 96 * 1024
_PR_SET_PDEATHSIG: Final = 1  # prctl(2)

Thing = TypeVar("Thing")
Argument = TypeVar("Argument")

_pipeline: Pipeline | None = None  # of a worker process


class Workers:
    """A few processes that count. Close it also when `start` was interrupted."""

    def __init__(self, jobs: int, packages: Packages) -> None:
        self.jobs = jobs
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
            self.close()  # or what is left of it speaks up when the program ends
            raise _ended_from_outside() from error
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)

    def count_chunks(self, chunks: Iterable[Chunk]) -> Iterator[tuple[Chunk, Tally]]:
        """Chunks with their tallies; at most a few are on their way at a time."""
        return self._in_order((chunk, _count, chunk.data) for chunk in chunks)

    def count_ranges(
        self, path: str, ranges: Iterable[tuple[int, int]]
    ) -> Iterator[tuple[tuple[int, int], Tally]]:
        """Ranges (begin, end) of a plain file with their tallies."""
        return self._in_order((span, _count_range, (path, *span)) for span in ranges)

    def _in_order(
        self, tasks: Iterable[tuple[Thing, Callable[[Argument], Tally], Argument]]
    ) -> Iterator[tuple[Thing, Tally]]:
        waiting: deque[tuple[Thing, Future[Tally]]] = deque()
        try:
            for thing, function, argument in tasks:
                waiting.append((thing, self._pool.submit(function, argument)))
                if len(waiting) > 2 * self.jobs:
                    done, future = waiting.popleft()
                    yield done, future.result()
            while waiting:
                done, future = waiting.popleft()
                yield done, future.result()
        except BrokenProcessPool as error:
            raise _ended_from_outside() from error
        finally:
            for _, future in waiting:
                future.cancel()

    def close(self) -> None:
        """End the processes."""
        self._pool.shutdown(wait=True, cancel_futures=True)


def _ended_from_outside() -> ThreadDied:
    return ThreadDied(
        "a process that counts was ended from outside; this file was not counted",
        "memory may be short: give a smaller --jobs",
    )


def _begin_worker(packages: Packages, parent: int) -> None:
    """Ctrl-C is for the one that started us, and we end with it, however it ends."""
    global _pipeline  # noqa: PLW0603 (one per worker process, made once)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)
    _pipeline = Pipeline(packages)


def _count(data: bytes) -> Tally:
    assert _pipeline is not None
    return _pipeline.count(data)


def _count_range(span: tuple[str, int, int]) -> Tally:
    assert _pipeline is not None
    return count_range(_pipeline, *span)


def count_range(pipeline: Pipeline, path: str, begin: int, end: int) -> Tally:
    """The tally of a range of a plain file, read in pieces that stay in the processor's caches.

    Larger ones come from the kernel as new pages each time, which takes longer than reading them.
    """
    with Path(path).open("rb", buffering=0) as file:
        file.seek(begin)
        left = end - begin

        def read(size: int) -> bytes:
            nonlocal left
            data = file.read(min(size, left)) or b""
            left -= len(data)
            return data

        return pipeline.count_all(chunk.data for chunk in cut_lines(read, begin, PIECE_BYTES))


def line_ranges(descriptor: int, begin: int, end: int) -> Iterator[tuple[int, int]]:
    """Cut [begin, end) of a file into ranges of some megabytes that end at lines.

    What follows the last newline is in no range.
    """
    while begin < end:
        place = _line_end(descriptor, begin, min(begin + RANGE_BYTES, end), end)
        if place <= begin:
            return
        yield begin, place
        begin = place


def _line_end(descriptor: int, begin: int, wish: int, end: int) -> int:
    """The end of the last line that ends in [begin, wish], or of the first after it."""
    step = 64 * 1024
    place = wish
    while place > begin:
        low = max(begin, place - step)
        found = os.pread(descriptor, place - low, low).rfind(b"\n")
        if found >= 0:
            return low + found + 1
        place = low
    while wish < end:
        data = os.pread(descriptor, min(step, end - wish), wish)
        found = data.find(b"\n")
        if found >= 0:
            return wish + found + 1
        if not data:
            break
        wish += len(data)
    return begin


def tail_of(descriptor: int, end: int) -> bytes:
    """What the bytes before an offset end with."""
    begin = max(0, end - ANCHOR_WINDOW_BYTES)
    return os.pread(descriptor, end - begin, begin)


def front(chunk: Chunk, place: int) -> Chunk:
    """The part of a chunk before an offset in it, where a line begins."""
    data = chunk.data[:place]
    return replace(chunk, data=data, length=place, tail=data[-ANCHOR_WINDOW_BYTES:])
