"""The content of a log, plain or compressed, from a file or a pipe: bytes by content offset.

Compression is told by content, not by name. A damaged end is read up to the damage and then
named in `damage`; it is no exception, because what came before it counts.
"""

from __future__ import annotations

import io
import os
import shlex
import stat
import sys
import zlib
from collections.abc import Generator
from pathlib import Path
from typing import BinaryIO, Final, TypeVar

from engine.errors import InputDamaged, InputMissing, InputUnreadable, UsageError
from engine.sources.formats import (
    GZIP,
    HEAD_BYTES,
    Format,
    command_of,
    format_of,
    kinds_in_words,
)
from engine.sources.lines import BLOCK_BYTES, LineCutter, cut_lines, first_line
from engine.sources.model import FIRST_LINE_BYTES, LEAST_FIRST_BYTES

STANDARD_INPUT: Final = "-"
_STANDARD_INPUT_NAME: Final = "standard input"

Result = TypeVar("Result")
Steps = Generator[None, None, Result]
"""Work in steps, each of them short, and its result at the end."""

__all__ = [
    "BLOCK_BYTES",
    "STANDARD_INPUT",
    "Content",
    "LineCutter",
    "cut_lines",
    "first_line",
    "open_content",
]


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


class _Forward(Content):
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

    def peek_short(self) -> bytes:
        """The complete lines at the place of `read`, of a content too short to be known by one."""
        return self._ready[: self._ready.rfind(b"\n") + 1]


class GzipContent(_Forward):
    """The unpacked bytes of a gzip file, of one member or more."""

    compressed = True

    def __init__(self, file: BinaryIO, name: str, head: bytes = b"") -> None:
        """`head` is what has been read of a pipe."""
        super().__init__(file, name)
        self._start = file.tell() if file.seekable() else 0
        self._begin()
        self._packed, self.raw_bytes = head, len(head)

    def _begin(self) -> None:
        self._unpacker = zlib.decompressobj(wbits=31)
        self._packed = b""
        self._ready = b""
        self._ended = False
        self.raw_bytes = 0

    def read(self, size: int) -> bytes:
        """The next unpacked bytes; empty at the end, or where the damage begins."""
        while (data := self.pull(size)) is None:
            pass
        return data

    def pull(self, size: int) -> bytes | None:
        """The same as `read` in steps of bounded work: None when there is nothing yet."""
        if not self._ready and not self._ended:
            self._unpack(size)
        if not self._ready and not self._ended:
            return None
        data, self._ready = self._ready[:size], self._ready[size:]
        self._last = data[-1:] or self._last
        return data

    def _unpack(self, size: int) -> None:
        if not self._packed:
            self._packed = super().read(64 * 1024)
            if not self._packed:
                self._end("" if self._unpacker.eof or not self.raw_bytes else "it is cut short")
                return
        if self._unpacker.eof:
            self._packed = self._packed.lstrip(b"\0")  # padding of some tools
            if not self._packed:
                return
            self._unpacker = zlib.decompressobj(wbits=31)
        before = self._unpacker.copy()
        try:
            self._ready = self._unpacker.decompress(self._packed, size)
        except zlib.error as error:
            self._ready = self._salvage(before, self._packed)
            self._end(f"it is damaged ({error})")
            return
        self._packed = self._unpacker.unused_data or self._unpacker.unconsumed_tail

    @staticmethod
    def _salvage(unpacker: zlib._Decompress, packed: bytes) -> bytes:
        """What can still be unpacked before the damage, byte by byte."""
        found = []
        try:
            for index in range(len(packed)):
                found.append(unpacker.decompress(packed[index : index + 1]))
        except zlib.error:
            pass
        return b"".join(found)

    def _end(self, damage: str) -> None:
        self._ended = True
        self.damage = self.damage or damage

    def go_to(self, offset: int) -> None:
        """Unpack again from the beginning up to a content offset."""
        self.rewind()
        skip(self, offset)

    def rewind(self) -> None:
        """Let the next `read` begin at the beginning."""
        if not self.file.seekable():
            raise _not_twice()
        self.file.seek(self._start)
        self._begin()


class PipeContent(_Forward):
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

    def peek_line(self) -> bytes | None:
        """The line at the place of `read`, cut at what is hashed of it; None when incomplete."""
        place = self._place
        line = super().peek_line()
        self._place = place
        return line

    def go_to(self, offset: int) -> None:
        """Only forward."""
        if offset < self._place:
            raise _not_twice()
        skip(self, offset - self._place)


def _not_twice() -> UsageError:
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


def open_content(path: str) -> Content:
    """Open a log (`-`: standard input) for reading.

    Raises InputMissing, InputUnreadable, InputDamaged (what is no log, and not gzip of one).
    """
    return result_of(opening(path))


def opening(path: str) -> Steps[Content]:
    """The same in steps."""
    if path == STANDARD_INPUT:
        name = _STANDARD_INPUT_NAME
        if sys.stdin is None:  # another file may have its number by now
            raise InputMissing(f"{name} is closed", "pipe a log into it, or name files")
        # A copy of the descriptor: it may be named twice.
        file: BinaryIO = os.fdopen(os.dup(0), "rb", buffering=BLOCK_BYTES)
    else:
        name = path
        file = _open_file(path)
    try:
        content = yield from _content_of(file, name)
    except OSError as error:
        file.close()
        raise InputDamaged(
            f"{name} cannot be read: {error.strerror or error}", "copy it again, and try that"
        ) from error
    except InputDamaged:
        file.close()
        raise
    if path != STANDARD_INPUT and not content.compressed:
        content.path = path
    return content


def _content_of(file: BinaryIO, name: str) -> Steps[Content]:
    """What a file holds, told by its first bytes, and by those that are packed in it."""
    assert isinstance(file, io.BufferedReader)
    regular = stat.S_ISREG(os.fstat(file.fileno()).st_mode)
    head = file.peek(HEAD_BYTES)[:HEAD_BYTES] if regular else file.read(HEAD_BYTES)
    kind = format_of(head)
    if kind is None:
        return Content(file, name) if regular else PipeContent(file, name, head)
    if kind is not GZIP:
        raise PackedOtherwise(name, [kind])
    content = GzipContent(file, name, b"" if regular else head)
    inner = format_of((yield from content.peeking(HEAD_BYTES)))
    if inner is not None:
        raise PackedOtherwise(name, [kind, inner])
    return content


class PackedOtherwise(InputDamaged):
    """What a file is packed with is not read; `layers` from the outside in."""

    def __init__(self, name: str, layers: list[Format]) -> None:
        path = "FILE" if name == _STANDARD_INPUT_NAME else shlex.quote(name)
        super().__init__(
            f"{name} is packed with {kinds_in_words(layers)}, which is not read",
            f"unpack it on the way: {command_of(layers, path)} | offspot-metrics replay -",
        )
        self.layers = layers


def _open_file(path: str) -> BinaryIO:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            if Path(path).is_dir():
                raise InputMissing(
                    f"{path} is a folder", f"name the log files in it: {path.rstrip('/')}/*.json*"
                )
            raise InputMissing(f"{path} is not a regular file", "name a log file, or - for a pipe")
        return os.fdopen(descriptor, "rb", buffering=BLOCK_BYTES)
    except PermissionError as error:
        raise InputUnreadable(
            f"{path} may not be read",
            "Caddy 2.9 and later write logs for root only: run as root, or set Caddy's log mode",
        ) from error
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise InputMissing(f"{path}: {reason}", "check the name of the log file") from error
