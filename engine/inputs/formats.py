"""The formats of access logs that are read: what each offers, and the list of them.

A format is a folder next to `caddy/` with what `LogFormat` names, and an entry in `ALL`. There is
no setting for it, and one log may have lines of several formats: a line is read in the format that
understands most of it, so no format may accept lines of another.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Final, Protocol

from engine.inputs import caddy
from engine.inputs.model import FATES, MAX_LINE_BYTES, Reason, Request
from engine.packages import Packages

RequestKey = tuple[bytes, bytes, bytes, bytes]
"""(second, request, response, b""): lines with equal keys count as the same inputs.

Request and response hold what of a line decides that, in a form that the format chooses. The last
one is always empty: it is a group of the pattern that finds keys.
"""

STATUS_DIGITS: Final = 3


class BlockScanner(Protocol):
    """The fast path of a format: it counts whole blocks of its usual lines at once."""

    def scan(self, blocks: Iterable[bytes]) -> tuple[Counter[RequestKey], list[bytes]]:
        """Count lines by key, in blocks that end with a newline.

        The other lines, each with its newline, are fallback lines, to be parsed one by one. For a
        key, `request_of` must make the same inputs as `parse_line` for each of its lines.
        """

    def shortened(self, response: bytes) -> bytes:
        """A response longer than `STATUS_DIGITS`, without what does not change the inputs."""

    def request_of(self, request: bytes, response: bytes) -> Request:
        """A request that makes the same inputs as each line of a key; its time is 0."""


class LogFormat(Protocol):
    """The access log of one proxy. Lines are given without their newline; nothing may raise."""

    @property
    def field_names(self) -> frozenset[str]:
        """Names of fields, which may be shown of any line: they identify no visitor."""

    def parse_line(self, line: bytes) -> Request | str:
        """The request of a line, or its fate (one of `FATES`) when it has none."""

    def scanner(self, packages: Packages) -> BlockScanner | None:
        """The fast path for these packages; None when the format has none."""

    def second_of(self, line: bytes) -> int | None:
        """The time of a line, from its beginning alone; None when that does not have it."""

    def time_mark(self, second: int) -> bytes:
        """Bytes that are in each line whose `second_of` is this one."""

    def explain(self, line: bytes, fate: str) -> tuple[Reason, str]:
        """Why `parse_line` gives a line this fate, and the detail of the line that decides."""

    def visitor_of(self, line: bytes) -> str:
        """The address of who made the request, to be hidden; empty when there is none."""


ALL: Final[tuple[LogFormat, ...]] = (caddy,)


def read_line(line: bytes) -> tuple[LogFormat, Request | str]:
    """The format of a line, and what `parse_line` makes of it; the first format when none fits."""
    if len(line) > MAX_LINE_BYTES:
        return ALL[0], "too-long"
    found = [(log_format, log_format.parse_line(line)) for log_format in ALL]
    return min(found, key=lambda one: FATES.index(one[1]) if isinstance(one[1], str) else -1)


def parse_line(line: bytes) -> Request | str:
    """The request of a line of any format, or its fate."""
    return read_line(line)[1]


def second_of(line: bytes) -> int | None:
    """The time of a line of any format, from its beginning alone; None when that has none."""
    for log_format in ALL:
        if (second := log_format.second_of(line)) is not None:
            return second
    return None


def time_marks(second: int) -> list[bytes]:
    """Bytes for each format: a line of this second has those of its own."""
    return [log_format.time_mark(second) for log_format in ALL]


def field_names() -> frozenset[str]:
    """Names of fields of all formats."""
    return frozenset().union(*(log_format.field_names for log_format in ALL))
