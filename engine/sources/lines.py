"""Bytes of a log cut into complete lines, and the line by which a log is known.

A last line without its newline is never given: more of it may come.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from engine.inputs.model import MAX_LINE_BYTES
from engine.sources.log_file import ANCHOR_WINDOW_BYTES, FIRST_LINE_BYTES, LEAST_FIRST_BYTES
from engine.sources.model import Block

BLOCK_BYTES: Final = 1024 * 1024


def first_line(read_at: Callable[[int, int], bytes], offset: int = 0) -> bytes | None:
    """The line at an offset by which its log is known; None when it is not complete yet.

    A line shorter than `LEAST_FIRST_BYTES` (an empty one, a word) does not identify a log: the
    lines after it are added, up to that many bytes. A long one is cut to the hashed length.
    """
    head = read_at(offset, FIRST_LINE_BYTES)
    end = head.find(b"\n", LEAST_FIRST_BYTES)
    if end >= 0:
        return head[:end]
    return head if len(head) == FIRST_LINE_BYTES else None


def cut_lines(
    read: Callable[[int], bytes], offset: int, block_bytes: int = BLOCK_BYTES
) -> Iterator[Block]:
    """Blocks of complete lines of what `read` gives, which begins at a content offset."""
    cutter = LineCutter(offset, block_bytes)
    while data := read(block_bytes):
        yield from cutter.take(data)


class LineCutter:
    """Takes pieces of a content in order, and gives blocks of the lines that are complete.

    Memory is bounded: of a line over the limit only the beginning and the end are kept.
    """

    def __init__(self, offset: int, block_bytes: int = BLOCK_BYTES) -> None:
        self.offset = offset
        """Where the line begins that is not complete yet."""
        self._most = MAX_LINE_BYTES + block_bytes
        self._begun = b""
        self._end = b""
        self._length = 0  # of a line that is too long; else 0

    @property
    def begun_bytes(self) -> int:
        """How much there is of the line that is not complete."""
        return self._length or len(self._begun)

    def take(self, data: bytes) -> Iterator[Block]:
        """The blocks that a piece of at most `block_bytes` completes."""
        if self._length:
            end = data.find(b"\n") + 1
            part, data = (data[:end], data[end:]) if end else (data, b"")
            self._length += len(part)
            self._end = (self._end + part)[-ANCHOR_WINDOW_BYTES:]
            if not end:
                return
            yield self._long_line()
        cut = data.rfind(b"\n") + 1
        if cut:
            block = self._begun + data[:cut] if self._begun else data[:cut]
            yield Block(self.offset, block, len(block), block[-ANCHOR_WINDOW_BYTES:])
            self.offset += len(block)
            self._begun = data[cut:]
        else:
            self._begun += data
        if len(self._begun) > self._most:
            self._length, self._end = len(self._begun), self._begun[-ANCHOR_WINDOW_BYTES:]
            self._begun = self._begun[: MAX_LINE_BYTES + 1]

    def _long_line(self) -> Block:
        block = Block(self.offset, self._begun + b"\n", self._length, self._end)
        self.offset += self._length
        self._begun, self._length = b"", 0
        return block
