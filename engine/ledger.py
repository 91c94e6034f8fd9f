"""Applies blocks of lines to what is known of their logs: one rule for `serve`, `replay` and tests.

A line is counted if and only if it lies at the position of its log, which then moves behind it.
So whatever a source repeats, drops or mixes up, nothing is counted twice, and a gap is seen.
"""

from __future__ import annotations

from collections import Counter
from typing import Final, Protocol

from engine.inputs.formats import second_of
from engine.pipeline import Tally
from engine.sources.model import Chunk, Generation, Settled

MAX_EQUAL_FATES: Final = 100
_EVERYWHERE: Final = 1 << 60


class CountLines(Protocol):
    """Counts complete lines; with `outside`, only those whose second is not in it."""

    def __call__(self, lines: bytes, /, *, outside: range | None = None) -> Tally:
        """The tally of the lines."""


class Positions:
    """The logs that are known, and how far each has been counted. Owned by the main thread."""

    def __init__(
        self, known: dict[bytes, Generation] | None = None, unknown_until: int = 0
    ) -> None:
        """`unknown_until`: positions of logs up to this second may be lost with a database."""
        self.generations = known or {}
        self.unknown_until = unknown_until
        self.moved: dict[bytes, Generation] = {}
        """Those that have changed since the last save."""
        self._no_stops: set[int] = set()
        self._equal_fates: dict[frozenset[tuple[str, int]], Counter[str]] = {}

    def get(self, identity: bytes, name: str = "") -> Generation:
        """The log of an id; a new one when it is not known."""
        found = self.generations.get(identity)
        if found is None:
            found = self.generations[identity] = Generation(identity, name=name)
        elif name:
            found.name = name
        return found

    def get_of(self, chunk: Chunk) -> Generation:
        """The log of a block. When it is not known, it may be one whose position was lost."""
        is_new = chunk.generation not in self.generations
        generation = self.get(chunk.generation, chunk.name)
        if is_new and self.unknown_until:
            second = _first_second(chunk)
            if second is None or second <= self.unknown_until:
                generation.doubt_until, generation.doubt_after = _EVERYWHERE, self.unknown_until
        return generation

    def close(self, identity: bytes) -> Generation | None:
        """No more will come of a log: free what only its next block would need. The log."""
        generation = self.generations.get(identity)
        if generation is not None:
            generation.tail = b""
            # There are thousands of them, most alike: equal values are kept once.
            generation.stops = generation.stops or self._no_stops
            if len(self._equal_fates) > MAX_EQUAL_FATES:
                self._equal_fates.clear()
            fates = generation.fates
            generation.fates = self._equal_fates.setdefault(frozenset(fates.items()), fates)
        return generation

    def skip_gap(self, generation: Generation, chunk: Chunk) -> int:
        """Move the position to a block that begins behind it; how many bytes are skipped."""
        gap = max(0, chunk.offset - generation.position)
        generation.position += gap
        return gap

    def take(self, generation: Generation, chunk: Chunk, count_lines: CountLines) -> Tally | None:
        """Count what is new of a block, and move the position; None when nothing is new.

        The block must not begin behind the position.
        """
        new = not_yet_counted(generation, chunk)
        if new is None:
            return None
        tally = count(generation, new, count_lines)
        apply(generation, new, tally)
        self.moved[generation.id] = generation
        return tally

    def rewind(self, settled: Settled) -> Generation:
        """A file was cut or replaced below the position: go on from what agrees. The log."""
        found = settled.generation
        known = self.get(found.id, found.name)
        known.doubt_until = max(found.doubt_until, known.position)
        known.position, known.anchors = found.position, list(found.anchors)
        known.doubt_after = max(found.doubt_after, known.last_at or 0)
        known.doubt_before = known.first_at
        known.stops = {stop for stop in known.stops if stop <= known.position}
        known.tail = found.tail
        self.moved[known.id] = known
        return known


def not_yet_counted(generation: Generation, chunk: Chunk) -> Chunk | None:
    """The part of a block that lies behind the position; None when nothing does.

    The block must not begin behind the position.
    """
    known = generation.position - chunk.offset
    if known <= 0:
        return chunk
    if known >= chunk.length:
        return None
    if chunk.length != len(chunk.data):  # one long line, counted whole or not at all
        return None
    return Chunk(
        chunk.offset + known,
        chunk.data[known:],
        chunk.length - known,
        chunk.tail[known - chunk.length :],
        chunk.generation,
        chunk.name,
    )


def split_at_ambiguous(generation: Generation, chunk: Chunk) -> tuple[bytes, bytes]:
    """The lines of a block that may have been counted before, and those that cannot have been."""
    doubtful = generation.doubt_until - chunk.offset
    if doubtful <= 0:
        return b"", chunk.data
    if doubtful >= chunk.length:
        return chunk.data, b""
    cut = chunk.data.find(b"\n", max(0, doubtful - 1)) + 1
    return (chunk.data[:cut], chunk.data[cut:]) if cut else (chunk.data, b"")


def count(generation: Generation, chunk: Chunk, count_lines: CountLines) -> Tally:
    """The tally of a block at the position.

    Lines that may have been counted before are left out where their second is one of those seen.
    """
    ambiguous, certain = split_at_ambiguous(generation, chunk)
    if not ambiguous:
        return count_lines(certain)
    tally = count_lines(ambiguous, outside=generation.doubted)
    if certain:
        other = count_lines(certain)
        seconds = tally.seconds | other.seconds
        tally.add(other)
        tally.seconds = seconds
    return tally


def apply(generation: Generation, chunk: Chunk, tally: Tally) -> None:
    """Note that a block at the position has been counted, and move the position behind it."""
    if not generation.position and generation.began_at is None:
        generation.began_at = _first_second(chunk)
    generation.fates = generation.fates + tally.fates  # not in place: logs may share them
    generation.saw(tally.first_at, tally.last_at)
    generation.advance(chunk.end, chunk.tail)


def _first_second(chunk: Chunk) -> int | None:
    return second_of(chunk.data[: chunk.data.find(b"\n")])
