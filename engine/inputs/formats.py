"""The formats of access logs that are read: what each offers, and the list of them.

A format is a folder beside `caddy/` that offers what `LogFormat` names, and a line in `ALL`. Nobody
has to set which format a log is in, and one log may have lines of several: a line is of the format
that understands most of it, so formats must not take each other's lines for their own.
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

Request and response are what of a line's text decides that, in whatever form the format likes. The
last is always empty: the pattern that finds keys leaves it so.
"""

STATUS_DIGITS: Final = 3


class BlockScanner(Protocol):
    """The fast path of a format: it counts whole blocks of its usual lines at once."""

    def scan(self, blocks: Iterable[bytes]) -> tuple[Counter[RequestKey], list[bytes]]:
        """Count lines by key, in blocks that end with a newline.

        The fallback lines, each with its newline, are to be parsed one by one: whatever this
        cannot vouch for. Of all others `request_of` must make what `parse_line` would.
        """

    def shortened(self, response: bytes) -> bytes:
        """A response of more than `STATUS_DIGITS`, without what decides nothing."""

    def request_of(self, request: bytes, response: bytes) -> Request:
        """A request that makes the same inputs as each line of these keys; its time is 0."""


class LogFormat(Protocol):
    """The access log of one proxy. Lines are given without their newline; nothing may raise."""

    @property
    def field_names(self) -> frozenset[str]:
        """Names of fields that may be shown of any line, because they tell of no visitor."""

    def parse_line(self, line: bytes) -> Request | str:
        """What a line says: a request, or its fate (one of `FATES`) when it says none."""

    def scanner(self, packages: Packages) -> BlockScanner | None:
        """The fast path for these packages; None when the format has none."""

    def second_of(self, line: bytes) -> int | None:
        """The time of a line, by a quick look at its beginning; None when that does not show it."""

    def time_mark(self, second: int) -> bytes:
        """Bytes that each line has whose `second_of` is this one."""

    def explain(self, line: bytes, fate: str) -> tuple[Reason, str]:
        """Why `parse_line` gave a line this fate, and the detail of the line that decided."""

    def visitor_of(self, line: bytes) -> str:
        """The address of who made the request of a line, to be hidden; empty when unknown."""


ALL: Final[tuple[LogFormat, ...]] = (caddy,)


def read_line(line: bytes) -> tuple[LogFormat, Request | str]:
    """The format of a line, and what it says there. A line of no format is of the first one."""
    if len(line) > MAX_LINE_BYTES:
        return ALL[0], "too-long"
    found = [(log_format, log_format.parse_line(line)) for log_format in ALL]
    return min(found, key=lambda one: FATES.index(one[1]) if isinstance(one[1], str) else -1)


def parse_line(line: bytes) -> Request | str:
    """What a line of any format says: a request, or its fate."""
    return read_line(line)[1]


def second_of(line: bytes) -> int | None:
    """The time of a line of any format, by a quick look; None when that does not show it."""
    for log_format in ALL:
        if (second := log_format.second_of(line)) is not None:
            return second
    return None


def time_marks(second: int) -> list[bytes]:
    """Bytes one of which each line of a second has, whatever its format."""
    return [log_format.time_mark(second) for log_format in ALL]


def field_names() -> frozenset[str]:
    """Names of fields of all formats."""
    return frozenset().union(*(log_format.field_names for log_format in ALL))
