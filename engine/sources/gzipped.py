"""The unpacked content of a gzip file."""

from __future__ import annotations

import zlib
from typing import BinaryIO

from engine.sources.content import ForwardContent, not_twice, skip


class GzipContent(ForwardContent):
    """The unpacked bytes of a gzip file, of one member or more."""

    compressed = True

    def __init__(self, file: BinaryIO, name: str, head: bytes = b"") -> None:
        """`head` is what has been read of a pipe."""
        super().__init__(file, name)
        self._start = file.tell() if file.seekable() else 0
        self._begin()
        self._compressed, self.raw_bytes = head, len(head)

    def _begin(self) -> None:
        self._unpacker = zlib.decompressobj(wbits=31)
        self._compressed = b""
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
        if not self._compressed:
            self._compressed = super().read(64 * 1024)
            if not self._compressed:
                self._end("" if self._unpacker.eof or not self.raw_bytes else "it is cut short")
                return
        if self._unpacker.eof:
            self._compressed = self._compressed.lstrip(b"\0")  # padding of some tools
            if not self._compressed:
                return
            self._unpacker = zlib.decompressobj(wbits=31)
        before = self._unpacker.copy()
        try:
            self._ready = self._unpacker.decompress(self._compressed, size)
        except zlib.error as error:
            self._ready = self._salvage(before, self._compressed)
            self._end(f"it is damaged ({error})")
            return
        self._compressed = self._unpacker.unused_data or self._unpacker.unconsumed_tail

    @staticmethod
    def _salvage(unpacker: zlib._Decompress, compressed: bytes) -> bytes:
        """What can still be unpacked before the damage, byte by byte."""
        found = []
        try:
            for index in range(len(compressed)):
                found.append(unpacker.decompress(compressed[index : index + 1]))
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
            raise not_twice()
        self.file.seek(self._start)
        self._begin()
