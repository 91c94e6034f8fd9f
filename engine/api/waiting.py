"""What waits to be taken by a client: pieces of answers in memory, or a file on disk.

In: bytes of answers, open files. Out: pieces to send. Nothing is copied and nothing is written to
a file: bytes that several clients wait for are in memory once.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Any, Final

from waitress.buffers import ReadOnlyFileBasedBuffer

PIECE_BYTES: Final = 256 * 1024
"""At most so much is handed to the system at once."""


class Pieces:
    """Bytes in memory, in the way in which waitress uses its own buffers."""

    def __init__(self) -> None:
        self._pieces: deque[memoryview] = deque()
        self._length = 0

    def __len__(self) -> int:
        return self._length

    def append(self, data: bytes) -> None:
        """Add bytes; they are referred to, not copied."""
        self._pieces.append(memoryview(data))
        self._length += len(data)

    def get(self, numbytes: int) -> memoryview | bytes:
        """The first bytes, at most so many; they stay."""
        return self._pieces[0][:numbytes] if self._pieces else b""

    def skip(self, numbytes: int, _prune: bool = False) -> None:
        """Drop the first bytes, at most those that `get` gave."""
        piece = self._pieces.popleft()
        if numbytes < len(piece):
            self._pieces.appendleft(piece[numbytes:])
        self._length -= numbytes

    def bodies(self) -> Iterator[Any]:
        """What is kept in memory, whole, until its last byte is taken."""
        return (piece.obj for piece in tuple(self._pieces))

    def close(self) -> None:
        """Drop everything."""
        self._pieces.clear()
        self._length = 0


class FilePieces(ReadOnlyFileBasedBuffer):
    """A file that is read piece by piece while it is sent."""

    def __init__(self, file: Any) -> None:
        super().__init__(file, PIECE_BYTES)

    def get(self, numbytes: int = -1, skip: bool = False) -> Any:
        """The next bytes; none when the file has become shorter, which ends the connection."""
        return super().get(min(numbytes, PIECE_BYTES) if numbytes >= 0 else PIECE_BYTES, skip)
