"""What crosses the border between a source and what counts: messages, and how a source is made.

Each value is immutable, so that no thread reads what another one changes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Protocol

from engine.sources.requests import Requests

Anchor = tuple[int, bytes]
"""(offset, hash of the window that ends there)."""


@dataclass(frozen=True, slots=True)
class Block:
    """Complete lines: `data` begins at byte `offset` of the content and ends with a newline.

    Of a line that is too long to be read, `data` has only the beginning (and a newline);
    `length` is always the number of bytes that the block covers, and `tail` what they end with.
    """

    offset: int
    data: bytes
    length: int
    tail: bytes
    log_id: bytes = b""
    name: str = ""

    @property
    def end(self) -> int:
        """The offset behind the last byte."""
        return self.offset + self.length


@dataclass(frozen=True, slots=True)
class Rewound:
    """A file did not have the content that was counted: its log is read on from `position`."""

    log_id: bytes
    name: str
    position: int
    anchors: tuple[Anchor, ...] = ()
    tail: bytes = b""
    reached: int = 0
    """The position before."""


@dataclass(frozen=True, slots=True)
class Lost:
    """Bytes of a log that cannot be read any more; `at_least`: it may be more.

    `provisional`: the file is still there, and may become whole. `withdrawn`: it has.
    """

    log_id: bytes
    length: int
    at_least: bool = False
    name: str = ""
    provisional: bool = False
    withdrawn: bool = False


@dataclass(frozen=True, slots=True)
class Gone:
    """A log was deleted and is read to its end: no more will come of it."""

    log_id: bytes


class SeenLog(NamedTuple):
    """A log as a source saw it last."""

    log_id: bytes
    """Empty until its first line is complete."""
    size: int
    descriptor: int
    """To make durable what was read of it. When it is closed, the number is nobody's, or another
    file's, to which that does no harm."""
    is_newest: bool


class Unopened(NamedTuple):
    """A log that could never be opened."""

    device: int
    inode: int
    name: str
    size: int


@dataclass(frozen=True, slots=True)
class Look:
    """What a source saw of the log folder, and how it is itself."""

    kind: str = "tail"
    state: str = "starting"
    """`starting`, `running`, `restarting`, `fallback` or `stopped`."""
    restarts: int = 0
    repairs: int = 0
    logs: tuple[SeenLog, ...] = ()
    lag_bytes: int = 0
    rolls: frozenset[bytes] = frozenset()
    """The logs of the compressed rolls that are there ..."""
    rolls_are_known: bool = True
    """... unless some could not be read yet."""
    missing: frozenset[bytes] = frozenset()
    """Logs that an earlier start had not finished, and of which it is not known where they are."""
    unopened: tuple[Unopened, ...] = ()
    problems: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    """What is not read of the logs though nothing is wrong with them."""


Message = Block | Rewound | Lost | Gone | Look
"""What a source emits."""

Emit = Callable[[Message], None]


class Position(NamedTuple):
    """How far a log has been read, as it is handed from thread to thread."""

    offset: int
    anchors: bytes


class Unfinished(NamedTuple):
    """What an earlier start had not finished: what is gone of it is lost."""

    logs: frozenset[bytes] = frozenset()
    unopened: tuple[Unopened, ...] = ()
    cut_short: frozenset[bytes] = frozenset()
    """Logs whose end was reported as lost with a compressed roll, though it may come."""


@dataclass(frozen=True, slots=True)
class Setup:
    """What a source begins with. It is made for one source, which owns it from then on."""

    folder: Path
    pattern: str
    max_open: int
    known: dict[bytes, Position]
    """How far each log has been counted."""
    unfinished: Unfinished


class Source(Protocol):
    """Reads logs in a thread of its own, emits messages, and takes requests; nothing is shared."""

    def run(self) -> None:
        """Emit what is new in the logs, and looks, until it is requested to stop."""


class SourceOptions(NamedTuple):
    """What the settings say about the source."""

    is_named: bool
    """The user named it: it is an error if it cannot be used."""
    filebeat: str
    """The program; empty: search for it."""
    run_folders: tuple[Path, ...]
    """Folders for the files of a running program; the first one that is in memory is used."""


MakeSource = Callable[[Setup, Requests, Emit], Source]
Prepare = Callable[[SourceOptions], MakeSource | None]
"""What makes a source; None when it cannot be used here and the user did not name it."""
