"""The content of a log, plain or from a pipe: bytes by content offset.

A damaged end is read up to the damage and then named in `damage`; it is no exception, because
what came before it counts. How a file is opened is in `engine/sources/files.py`.
"""

from __future__ import annotations

import os
from collections.abc import Generator
from typing import BinaryIO, Final, TypeVar

from engine.errors import UsageError
from engine.sources.lines import BLOCK_BYTES, cut_lines, first_line
from engine.sources.log_file import FIRST_LINE_BYTES, LEAST_FIRST_BYTES

STANDARD_INPUT: Final = "-"

__all__ = ["BLOCK_BYTES", "STANDARD_INPUT", "Content", "cut_lines", "first_line"]

Result = TypeVar("Result")
Steps = Generator[None, None, Result]
"""Work in steps, each of them short, and its result at the end."""


class Content:
    """The bytes of a plain file, read in order, or at any offset."""

    compressed = False

    def __init__(self, file: BinaryIO, name: str) -> None:
        self.file = file
        self.name = name
        self.path = ""
        """Where other processes can open a plain file; empty for what only we have."""
        self.damage = ""
        """What is wrong with the end of the file; empty while nothing is."""
        self.raw_bytes = 0
        """How much of the file itself has been read, for a progress bar."""

    @property
    def seekable(self) -> bool:
        """Whether `read_at` works."""
        return True

    def read(self, size: int) -> bytes:
        """The next bytes of the content; empty at its end."""
        try:
            data = self.file.read(size)
        except OSError as error:
            self.damage = f"reading stopped: {error.strerror}"
            return b""
        self.raw_bytes += len(data)
        return data

    def pull(self, size: int) -> bytes | None:
        """The same as `read` in steps of bounded work: None when there is nothing yet."""
        return self.read(size)

    def read_at(self, offset: int, size: int) -> bytes:
        """Bytes at a content offset, without moving the place of `read`."""
        try:
            return os.pread(self.file.fileno(), size, offset)
        except OSError:
            return b""

    @property
    def lacks_newline(self) -> bool:
        """Whether its last line has no end, now that all of it has been read."""
        size = os.fstat(self.file.fileno()).st_size
        return size > 0 and self.read_at(size - 1, 1) != b"\n"

    def go_to(self, offset: int) -> None:
        """Let the next `read` begin at a content offset."""
        self.file.seek(offset)
        self.raw_bytes = offset

    def rewind(self) -> None:
        """Let the next `read` begin at the beginning."""
        self.go_to(0)

    def peeking_line(self) -> Steps[bytes | None]:
        """`peek_line` in steps."""
        yield
        return self.peek_line()

    def peek_line(self) -> bytes | None:
        """The line at the place of `read`, cut at what is hashed of it; None when incomplete."""
        return first_line(lambda _, size: self.read_at(self.file.tell(), size))

    def peek_short(self) -> bytes:
        """The complete lines at the place of `read`, of a content too short to be known by one."""
        head = self.read_at(self.file.tell(), FIRST_LINE_BYTES)
        return head[: head.rfind(b"\n") + 1]

    def close(self) -> None:
        """Close the file."""
        self.file.close()


class ForwardContent(Content):
    """A content that is only read forward, with room for what was read too early."""

    _ready = b""
    _last = b"\n"  # the last byte that was read

    @property
    def lacks_newline(self) -> bool:
        """Whether its last line has no end, now that all of it has been read."""
        return not self.damage and self._last != b"\n"

    @property
    def seekable(self) -> bool:
        """No."""
        return False

    def peeking(self, size: int, *, line: bool = False) -> Steps[bytes]:
        """The bytes at the place of `read`, up to so many or to the end of a line."""
        head = b""
        while len(head) < size and not (line and b"\n" in head[LEAST_FIRST_BYTES:]):
            data = self.pull(size - len(head))
            if data is not None:
                if not data:
                    break
                head += data
            yield
        self._ready = head + self._ready
        return head

    def peek_line(self) -> bytes | None:
        """The line at the place of `read`, cut at what is hashed of it; None when incomplete."""
        return result_of(self.peeking_line())

    def peeking_line(self) -> Steps[bytes | None]:
        """The same in steps."""
        head = yield from self.peeking(FIRST_LINE_BYTES, line=True)
        return first_line(lambda _, size: head[:size])

    def peek(self, size: int) -> bytes:
        """The bytes at the place of `read`, at most so many."""
        return result_of(self.peeking(size))

    def peek_short(self) -> bytes:
        """The complete lines at the place of `read`, of a content too short to be known by one."""
        return self._ready[: self._ready.rfind(b"\n") + 1]


class PipeContent(ForwardContent):
    """The bytes of standard input when it is a pipe: in order, once."""

    def __init__(self, file: BinaryIO, name: str, head: bytes = b"") -> None:
        """`head` is what has been read of it."""
        super().__init__(file, name)
        self._place = 0
        self._ready = head

    def read(self, size: int) -> bytes:
        """The next bytes; empty at the end."""
        if self._ready:
            data, self._ready = self._ready[:size], self._ready[size:]
        else:
            data = super().read(size)
        self._place += len(data)
        self._last = data[-1:] or self._last
        return data

    def peeking(self, size: int, *, line: bool = False) -> Steps[bytes]:
        """The bytes at the place of `read`, up to so many or to the end of a line."""
        place = self._place
        head = yield from super().peeking(size, line=line)
        self._place = place
        return head

    def go_to(self, offset: int) -> None:
        """Only forward."""
        if offset < self._place:
            raise not_twice()
        skip(self, offset - self._place)


def not_twice() -> UsageError:
    return UsageError(
        "standard input holds a log that is known, and cannot be read twice",
        "save it to a file and replay that file",
    )


def skip(content: Content, size: int) -> int:
    """Read past bytes of a content. How many there were."""
    return result_of(skipping(content, size))


def skipping(content: Content, size: int) -> Steps[int]:
    """The same in steps."""
    skipped = 0
    while skipped < size:
        data = content.pull(min(BLOCK_BYTES, size - skipped))
        if data is not None:
            if not data:
                break
            skipped += len(data)
        yield
    return skipped


def result_of(steps: Steps[Result]) -> Result:
    """Take all steps at once."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            result: Result = end.value
            return result
