"""The content of a log, plain or compressed, from a file or a pipe, cut into complete lines.

In: a path, or standard input. Out: bytes by content offset, and chunks of complete lines.
Compression is told by content, not by name. A damaged end is read up to the damage and then
named in `damage`; it is no exception, because what came before it counts.
"""

from __future__ import annotations

import io
import os
import stat
import sys
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO, Final

from engine.errors import InputDamaged, InputMissing, InputUnreadable, UsageError
from engine.inputs.caddy import MAX_LINE_BYTES
from engine.sources.model import (
    ANCHOR_WINDOW_BYTES,
    FIRST_LINE_BYTES,
    LEAST_FIRST_BYTES,
    Chunk,
)

BLOCK_BYTES: Final = 1024 * 1024
STANDARD_INPUT: Final = "-"
GZIP_MAGIC: Final = b"\x1f\x8b"
_OTHERS: Final = {
    b"\x28\xb5\x2f\xfd": ("zstd", "zstd -dc"),
    b"BZh": ("bzip2", "bzip2 -dc"),
    b"\xfd7zXZ": ("xz", "xz -dc"),
    b"PK\x03\x04": ("zip", "unzip -p"),
}


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

    def read_at(self, offset: int, size: int) -> bytes:
        """Bytes at a content offset, without moving the place of `read`."""
        try:
            return os.pread(self.file.fileno(), size, offset)
        except OSError:
            return b""

    @property
    def ends_in_a_line(self) -> bool:
        """Whether it ends with a line that has no end; False where that cannot be looked at."""
        size = os.fstat(self.file.fileno()).st_size
        return self.seekable and size > 0 and self.read_at(size - 1, 1) != b"\n"

    def go_to(self, offset: int) -> None:
        """Let the next `read` begin at a content offset."""
        self.file.seek(offset)
        self.raw_bytes = offset

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

    @property
    def seekable(self) -> bool:
        """No."""
        return False

    def peek_line(self) -> bytes | None:
        """The line at the place of `read`, cut at what is hashed of it; None when incomplete."""
        head = b""
        while len(head) < FIRST_LINE_BYTES and b"\n" not in head[LEAST_FIRST_BYTES:]:
            data = self.read(FIRST_LINE_BYTES - len(head))
            if not data:
                break
            head += data
        self._ready = head + self._ready
        return first_line(lambda _, size: head[:size])

    def peek_short(self) -> bytes:
        """The complete lines at the place of `read`, of a content too short to be known by one."""
        return self._ready[: self._ready.rfind(b"\n") + 1]


class GzipContent(_Forward):
    """The unpacked bytes of a gzip file, of one member or more."""

    compressed = True

    def __init__(self, file: BinaryIO, name: str) -> None:
        super().__init__(file, name)
        self._start = file.tell() if file.seekable() else 0
        self._begin()

    def _begin(self) -> None:
        self._unpacker = zlib.decompressobj(wbits=31)
        self._packed = b""
        self._ready = b""
        self._ended = False
        self.raw_bytes = 0

    def read(self, size: int) -> bytes:
        """The next unpacked bytes; empty at the end, or where the damage begins."""
        while not self._ready and not self._ended:
            self._unpack(size)
        ready, self._ready = self._ready[:size], self._ready[size:]
        return ready

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
        if not self.file.seekable():
            raise _not_twice()
        self.file.seek(self._start)
        self._begin()
        skip(self, offset)


class PipeContent(_Forward):
    """The bytes of standard input when it is a pipe: in order, once."""

    def __init__(self, file: BinaryIO, name: str) -> None:
        super().__init__(file, name)
        self._place = 0

    def read(self, size: int) -> bytes:
        """The next bytes; empty at the end."""
        if self._ready:
            data, self._ready = self._ready[:size], self._ready[size:]
        else:
            data = super().read(size)
        self._place += len(data)
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
    skipped = 0
    while skipped < size:
        data = content.read(min(BLOCK_BYTES, size - skipped))
        if not data:
            break
        skipped += len(data)
    return skipped


def open_content(path: str) -> Content:
    """Open a log (`-`: standard input) for reading.

    Raises InputMissing, InputUnreadable, InputDamaged (packed in another way than gzip).
    """
    if path == STANDARD_INPUT:
        name = "standard input"
        if sys.stdin is None:  # another file may have its number by now
            raise InputMissing(f"{name} is closed", "pipe a log into it, or name files")
        # A copy of the descriptor: it may be named twice.
        raw: BinaryIO = os.fdopen(os.dup(0), "rb", buffering=BLOCK_BYTES)
        regular = stat.S_ISREG(os.fstat(raw.fileno()).st_mode)
    else:
        name = path
        raw = _open_file(path)
        regular = True
    peek = io.BufferedReader(raw, BLOCK_BYTES) if isinstance(raw, io.RawIOBase) else raw
    magic = peek.peek(6)[:6]  # type: ignore[attr-defined]  # (a BufferedReader both ways)
    for other, (kind, command) in _OTHERS.items():
        if magic.startswith(other):
            raise InputDamaged(
                f"{name} is packed with {kind}, which is not read",
                f"unpack it on the way: {command} FILE | offspot-metrics replay -",
            )
    if magic.startswith(GZIP_MAGIC):
        return GzipContent(peek, name)
    if not regular:
        return PipeContent(peek, name)
    content = Content(peek, name)
    content.path = "" if path == STANDARD_INPUT else path
    return content


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


def first_line(read_at: Callable[[int, int], bytes], offset: int = 0) -> bytes | None:
    """The line at an offset by which its log is known; None when it is not complete yet.

    A line of less than `LEAST_FIRST_BYTES` says too little (nothing, a word): it comes with those
    that follow it, up to that many bytes. A long one is cut at what is hashed of it.
    """
    head = read_at(offset, FIRST_LINE_BYTES)
    end = head.find(b"\n", LEAST_FIRST_BYTES)
    if end >= 0:
        return head[:end]
    return head if len(head) == FIRST_LINE_BYTES else None


def cut_lines(
    read: Callable[[int], bytes], offset: int, block_bytes: int = BLOCK_BYTES
) -> Iterator[Chunk]:
    """Chunks of complete lines of what `read` gives, which begins at a content offset.

    A last line without newline is not given. Memory is bounded: of a line over the limit only
    the beginning is kept.
    """
    carry = b""
    while data := read(block_bytes):
        cut = data.rfind(b"\n") + 1
        if cut:
            block = carry + data[:cut] if carry else data[:cut]
            yield Chunk(offset, block, len(block), block[-ANCHOR_WINDOW_BYTES:])
            offset += len(block)
            carry = data[cut:]
        else:
            carry += data
        if len(carry) > MAX_LINE_BYTES + block_bytes:
            line, length, rest = _read_long_line(read, carry, block_bytes)
            if not line:
                return
            yield _long_line(offset, line, length)
            offset += length
            carry = rest
            # what follows the newline may hold complete lines of its own
            cut = carry.rfind(b"\n") + 1
            if cut:
                block, carry = carry[:cut], carry[cut:]
                yield Chunk(offset, block, len(block), block[-ANCHOR_WINDOW_BYTES:])
                offset += len(block)


def _long_line(offset: int, line: bytes, length: int) -> Chunk:
    tail = line[-ANCHOR_WINDOW_BYTES:]
    return Chunk(offset, line[: MAX_LINE_BYTES + 1] + b"\n", length, tail)


def _read_long_line(
    read: Callable[[int], bytes], begun: bytes, block_bytes: int
) -> tuple[bytes, int, bytes]:
    """Read on to the newline: (beginning and end of the line, its length, what follows it)."""
    head, tail, length = begun[: MAX_LINE_BYTES + 1], begun[-ANCHOR_WINDOW_BYTES:], len(begun)
    while data := read(block_bytes):
        end = data.find(b"\n") + 1
        part = data[:end] if end else data
        length += len(part)
        tail = (tail + part)[-ANCHOR_WINDOW_BYTES:]
        if end:
            return head + tail, length, data[end:]
    return b"", 0, b""
