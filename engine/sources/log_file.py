"""What is known of one life of a log file, which is known by its content.

Its id is a hash of its first complete line (which carries a time to the microsecond, a port and a
duration); names, inodes and compression are only hints. Its position is the number of its bytes
that have been counted. An anchor is a place below the position with a hash of the bytes before it:
a file whose anchors agree is the file that was read.
"""

from __future__ import annotations

import hashlib
import struct
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import Final

from engine.sources.model import Anchor, Position, Rewound

LOG_ID_BYTES: Final = 12
FIRST_LINE_BYTES: Final = 64 * 1024
"""So much of a first line is hashed: a visitor can make a line as long as he likes."""
LEAST_FIRST_BYTES: Final = 64
"""A shorter beginning is that of many logs; no valid line is so short."""
ANCHOR_WINDOW_BYTES: Final = 2048
"""An anchor's hash covers so many bytes before it (fewer near the beginning of the file)."""
ANCHOR_SPACING_BYTES: Final = 64 * 1024
MAX_ANCHORS: Final = 32

_RESUME_POINT: Final = 1 << 63


def log_file_id(first_line: bytes, variant: int = 0) -> bytes:
    """The id of the log that begins with this line (given with or without newline).

    Different logs with the same first line are distinguished by `variant`.
    """
    return hashlib.blake2b(
        first_line.rstrip(b"\n")[:FIRST_LINE_BYTES],
        digest_size=LOG_ID_BYTES,
        person=b"generation",
        salt=variant.to_bytes(2, "little"),
    ).digest()


def window_hash(window: bytes) -> bytes:
    """The hash of an anchor's window."""
    return hashlib.blake2b(window, digest_size=8, person=b"anchor").digest()


@dataclass(slots=True)
class LogFile:
    """What is known of one life of a log file. Owned by the thread that owns the states."""

    id: bytes
    position: int = 0
    anchors: list[Anchor] = field(default_factory=list)
    name: str = ""
    first_at: int | None = None
    last_at: int | None = None
    fates: Counter[str] = field(default_factory=Counter)
    began_at: int | None = None
    """The second of its first line, to find it inside of a longer file."""
    ambiguous_until: int = 0
    """Up to this offset the content may have been counted before, in another shape ..."""
    ambiguous_after: int = 0
    """... so that only lines later than this second are counted there ..."""
    ambiguous_before: int | None = None
    """... or earlier than this one. Not saved: then only the later ones are."""
    tail: bytes = b""
    """What the bytes below the position end with; not saved."""
    resume_points: set[int] = field(default_factory=set)
    """Anchors where an earlier reading ended: what follows there is known as a log of its own."""
    resumed: bool = False
    """The newest anchor stays where it is; not saved."""

    def advance(self, end: int, tail: bytes) -> None:
        """Move the position to `end`; `tail` is the new content, or what it ends with."""
        self.position = end
        if len(tail) < ANCHOR_WINDOW_BYTES:
            tail = self.tail + tail
        self.tail = tail[-ANCHOR_WINDOW_BYTES:]
        anchor = (end, window_hash(self.tail))
        kept = self.anchors
        if len(kept) >= 2 and end - kept[-2][0] < ANCHOR_SPACING_BYTES and not self.resumed:
            kept[-1] = anchor  # the newest anchor moves along until it is far enough
        else:
            kept.append(anchor)
        if len(kept) > MAX_ANCHORS:  # dense at the end, ever wider towards the beginning
            del kept[1 : MAX_ANCHORS // 2 : 2]
        self.resumed = False

    def copy(self) -> LogFile:
        """A copy that can be moved without moving this one."""
        return replace(
            self,
            anchors=list(self.anchors),
            fates=self.fates.copy(),
            resume_points=self.resume_points.copy(),
        )

    def as_position(self) -> Position:
        """Where it is, in a value that does not move with it."""
        return Position(self.position, encode_anchors(self.anchors, self.resume_points))

    @classmethod
    def at(cls, log_id: bytes, position: Position) -> LogFile:
        """A log at a position."""
        anchors, resume_points = decode_anchors(position.anchors)
        return cls(log_id, position.offset, anchors, resume_points=resume_points)

    def rewound(self, reached: int) -> Rewound:
        """The message that it is read on from here, and had been read up to an offset."""
        return Rewound(self.id, self.name, self.position, tuple(self.anchors), self.tail, reached)

    @property
    def ambiguous_seconds(self) -> range:
        """The seconds whose lines are not counted again while they are ambiguous."""
        return range(self.ambiguous_before or 0, self.ambiguous_after + 1)

    def saw(self, first_at: int | None, last_at: int | None) -> None:
        """Widen the span of event times by that of more valid lines."""
        if first_at is not None:
            self.first_at = first_at if self.first_at is None else min(self.first_at, first_at)
        if last_at is not None:
            self.last_at = last_at if self.last_at is None else max(self.last_at, last_at)


def encode_anchors(anchors: list[Anchor], resume_points: set[int]) -> bytes:
    """Anchors as bytes for the database; the highest bit of an offset marks a resume point."""
    return b"".join(
        struct.pack(">Q8s", offset | _RESUME_POINT * (offset in resume_points), digest)
        for offset, digest in anchors
    )


def decode_anchors(encoded: bytes) -> tuple[list[Anchor], set[int]]:
    """The anchors and resume points that `encode_anchors` wrote; a torn end is left out."""
    whole = len(encoded) // 16 * 16
    rows = list(struct.iter_unpack(">Q8s", encoded[:whole]))
    anchors = [(offset & ~_RESUME_POINT, digest) for offset, digest in rows]
    return anchors, {offset & ~_RESUME_POINT for offset, _ in rows if offset & _RESUME_POINT}
