"""Applies blocks of lines to what is known of their logs: one rule for `serve`, `replay` and tests.

A line is counted if and only if it lies at the position of its log, which then moves behind it.
So whatever a source repeats, drops or mixes up, nothing is counted twice, and a gap is seen.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Final, Protocol

from engine.inputs.formats import second_of
from engine.pipeline import Tally
from engine.sources.log_file import LogFile
from engine.sources.model import Block, Position, Rewound

MAX_EQUAL_FATES: Final = 100
_EVERYWHERE: Final = 1 << 60


class CountLines(Protocol):
    """Counts complete lines; with `outside`, only those whose second is not in it."""

    def __call__(self, lines: bytes, /, *, outside: range | None = None) -> Tally:
        """The tally of the lines."""


class Positions:
    """The logs that are known, and how far each has been counted. Owned by the main thread."""

    def __init__(self, known: dict[bytes, LogFile] | None = None, unknown_until: int = 0) -> None:
        """`unknown_until`: positions of logs up to this second may be lost with a database."""
        self.log_files = known or {}
        self.unknown_until = unknown_until
        self.moved: dict[bytes, LogFile] = {}
        """Those that have changed since the last save."""
        self._no_resume_points: set[int] = set()
        self._equal_fates: dict[frozenset[tuple[str, int]], Counter[str]] = {}

    def get(self, log_id: bytes, name: str = "") -> LogFile:
        """The log of an id; a new one when it is not known."""
        found = self.log_files.get(log_id)
        if found is None:
            found = self.log_files[log_id] = LogFile(log_id, name=name)
        elif name:
            found.name = name
        return found

    def get_of(self, block: Block) -> LogFile:
        """The log of a block. When it is not known, it may be one whose position was lost."""
        is_new = block.log_id not in self.log_files
        log_file = self.get(block.log_id, block.name)
        if is_new and self.unknown_until:
            second = _first_second(block)
            if second is None or second <= self.unknown_until:
                log_file.ambiguous_until, log_file.ambiguous_after = _EVERYWHERE, self.unknown_until
        return log_file

    def close(self, log_id: bytes) -> LogFile | None:
        """No more will come of a log: free what only its next block would need. The log."""
        log_file = self.log_files.get(log_id)
        if log_file is not None:
            log_file.tail = b""
            # There are thousands of them, most alike: equal values are kept once.
            log_file.resume_points = log_file.resume_points or self._no_resume_points
            if len(self._equal_fates) > MAX_EQUAL_FATES:
                self._equal_fates.clear()
            fates = log_file.fates
            log_file.fates = self._equal_fates.setdefault(frozenset(fates.items()), fates)
        return log_file

    def skip_gap(self, log_file: LogFile, block: Block) -> int:
        """Move the position to a block that begins behind it; how many bytes are skipped."""
        gap = max(0, block.offset - log_file.position)
        log_file.position += gap
        return gap

    def take(self, log_file: LogFile, block: Block, count_lines: CountLines) -> Tally | None:
        """Count what is new of a block, and move the position; None when nothing is new.

        The block must not begin behind the position.
        """
        new = not_yet_counted(log_file, block)
        if new is None:
            return None
        tally = count(log_file, new, count_lines)
        apply(log_file, new, tally)
        self.moved[log_file.id] = log_file
        return tally

    def rewind(self, rewound: Rewound) -> LogFile:
        """A file was cut or replaced below the position: go on from what agrees. The log."""
        known = self.get(rewound.log_id, rewound.name)
        reached = max(rewound.reached, known.position)
        known.ambiguous_until = max(known.ambiguous_until, reached)
        known.ambiguous_after = max(known.ambiguous_after, known.last_at or 0)
        known.ambiguous_before = known.first_at
        known.position, known.anchors = rewound.position, list(rewound.anchors)
        known.resume_points = {p for p in known.resume_points if p <= known.position}
        known.tail = rewound.tail
        self.moved[known.id] = known
        return known

    def forget(self, log_ids: Iterable[bytes]) -> None:
        """Forget logs that the store has forgotten."""
        for log_id in log_ids:
            self.log_files.pop(log_id, None)

    def copy(self) -> dict[bytes, Position]:
        """Where each log is, for a source to begin with."""
        return {log_id: log_file.as_position() for log_id, log_file in self.log_files.items()}


def not_yet_counted(log_file: LogFile, block: Block) -> Block | None:
    """The part of a block that lies behind the position; None when nothing does.

    The block must not begin behind the position.
    """
    known = log_file.position - block.offset
    if known <= 0:
        return block
    if known >= block.length:
        return None
    if block.length != len(block.data):  # one long line, counted whole or not at all
        return None
    return Block(
        block.offset + known,
        block.data[known:],
        block.length - known,
        block.tail[known - block.length :],
        block.log_id,
        block.name,
    )


def split_at_ambiguous(log_file: LogFile, block: Block) -> tuple[bytes, bytes]:
    """The lines of a block that may have been counted before, and those that cannot have been."""
    ambiguous = log_file.ambiguous_until - block.offset
    if ambiguous <= 0:
        return b"", block.data
    if ambiguous >= block.length:
        return block.data, b""
    cut = block.data.find(b"\n", max(0, ambiguous - 1)) + 1
    return (block.data[:cut], block.data[cut:]) if cut else (block.data, b"")


def count(log_file: LogFile, block: Block, count_lines: CountLines) -> Tally:
    """The tally of a block at the position.

    Lines that may have been counted before are left out where their second is one of those seen.
    """
    ambiguous, certain = split_at_ambiguous(log_file, block)
    if not ambiguous:
        return count_lines(certain)
    tally = count_lines(ambiguous, outside=log_file.ambiguous_seconds)
    if certain:
        other = count_lines(certain)
        seconds = tally.seconds | other.seconds
        tally.add(other)
        tally.seconds = seconds
    return tally


def apply(log_file: LogFile, block: Block, tally: Tally) -> None:
    """Note that a block at the position has been counted, and move the position behind it."""
    if not log_file.position and log_file.began_at is None:
        log_file.began_at = _first_second(block)
    log_file.fates = log_file.fates + tally.fates  # not in place: logs may share them
    log_file.saw(tally.first_at, tally.last_at)
    log_file.advance(block.end, block.tail)


def _first_second(block: Block) -> int | None:
    return second_of(block.data[: block.data.find(b"\n")])
