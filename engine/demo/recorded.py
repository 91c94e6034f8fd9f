"""Logs that were recorded some time ago, at new times: as if they had just been written.

Every byte of a line stays, but for the whole seconds of its time.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import closing
from itertools import cycle
from typing import Final

from engine.demo.model import TimedLine
from engine.errors import InputDamaged
from engine.sources.content import BLOCK_BYTES
from engine.sources.files import open_content
from engine.times import EARLIEST_AT, LATEST_AT

ENOUGH_LINES: Final = 200
"""With fewer of them today, it is too early for a day that begins with school."""
MAX_BYTES: Final = 256 * 1024 * 1024
"""Of all logs together: they are in memory."""
DAY_SECONDS: Final = 86_400

_TIME = re.compile(rb'(\{"level":"[a-z]+","ts":)(\d{1,12})(\.?\d*)')


class Recorded:
    """The lines of logs, the newest of them today."""

    def __init__(self, lines: Sequence[bytes], ahead_of_utc: int) -> None:
        self.lines = lines
        self.ahead_of_utc = ahead_of_utc
        self._again = cycle(lines)

    @classmethod
    def read(cls, paths: Sequence[str], ahead_of_utc: int) -> Recorded:
        """The logs of these files. Raises InputMissing, InputUnreadable, InputDamaged."""
        logs = [lines for path in paths if (lines := _lines_of(path))]
        if not logs:
            raise InputDamaged(
                f"{', '.join(paths)}: no line of Caddy's access log",
                "give logs that Caddy wrote as JSON, plain or .gz",
            )
        if sum(len(line) for lines in logs for line in lines) > MAX_BYTES:
            raise InputDamaged(
                f"the logs have more than {MAX_BYTES // 1024 // 1024} MiB",
                "give fewer of them; replay counts any number",
            )
        logs.sort(key=lambda lines: whole_seconds(lines[0]))
        return cls([line for lines in logs for line in lines], ahead_of_utc)

    def history(self, now: int) -> Iterator[TimedLine]:
        """The lines at their new times, those that would be in the future left out."""
        seconds = seconds_to_now(
            [whole_seconds(line) for line in self.lines], now, self.ahead_of_utc
        )
        for line in self.lines:
            at = whole_seconds(line) + seconds
            if at <= now:
                yield at, shifted(line, seconds)

    def lines_at(self, now: int) -> list[bytes]:
        """The next line, over and over again, as if it was written in this second."""
        line = next(self._again)
        return [shifted(line, now - whole_seconds(line))]


def _lines_of(path: str) -> list[bytes]:
    """The lines with a time that counts, each with its newline."""
    text = bytearray()
    with closing(open_content(path)) as content:
        while len(text) <= MAX_BYTES and (block := content.read(BLOCK_BYTES)):
            text += block
    lines = bytes(text).split(b"\n")[:-1]
    return [
        line + b"\n"
        for line in lines
        if (found := _TIME.match(line)) and EARLIEST_AT <= int(found[2]) < LATEST_AT
    ]


def whole_seconds(line: bytes) -> int:
    """The time of a line, without the fraction."""
    found = _TIME.match(line)
    assert found is not None  # others are not read
    return int(found[2])


def shifted(line: bytes, seconds: int) -> bytes:
    """The line with its time so much later."""
    return _TIME.sub(
        lambda found: b"%b%d%b" % (found[1], int(found[2]) + seconds, found[3]), line, 1
    )


def seconds_to_now(times: Sequence[int], now: int, ahead_of_utc: int) -> int:
    """By how much to move recorded times, which are UTC, so that they seem to end now.

    The last day becomes today with its hours as they are; where that leaves today all but empty,
    as at night, the newest line becomes one of this second instead.
    """
    today = (now + ahead_of_utc) // DAY_SECONDS * DAY_SECONDS
    last_day = max(times) // DAY_SECONDS * DAY_SECONDS
    seconds = today - ahead_of_utc - last_day
    if sum(last_day <= at <= now - seconds for at in times) < ENOUGH_LINES:
        seconds = now - max(times)
    return seconds
