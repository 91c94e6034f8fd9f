"""Writes lines into a folder as Caddy does: one current log, and rolls of 1 MiB."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from engine.demo.model import TimedLine

CURRENT: Final = "caddy_access_logs.json"
ROLL_BYTES: Final = 1024 * 1024
KEPT_ROLLS: Final = 2
"""Of those that are rolled while the demo runs; earlier ones may not have been read yet."""


class LogFolder:
    """The logs of a folder that is ours alone."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._rolls: list[Path] = []
        self._file = (folder / CURRENT).open("ab")

    def write_history(self, lines: Iterable[TimedLine]) -> int:
        """Write lines of the past, and keep all rolls; how many lines."""
        count = 0
        for at, line in lines:
            count += 1
            self._roll_if_full(at)
            self._file.write(line)
        self._file.flush()
        self._rolls.clear()
        return count

    def write(self, at: float, lines: Iterable[bytes]) -> None:
        """Write lines of this moment; the oldest rolls are removed."""
        self._roll_if_full(at)
        self._file.write(b"".join(lines))
        self._file.flush()
        while len(self._rolls) > KEPT_ROLLS:
            self._rolls.pop(0).unlink()

    def _roll_if_full(self, at: float) -> None:
        if self._file.tell() < ROLL_BYTES:
            return
        self._file.close()
        roll = self.folder / rolled_name(at)
        (self.folder / CURRENT).rename(roll)
        self._rolls.append(roll)
        self._file = (self.folder / CURRENT).open("ab")

    def close(self) -> None:
        """Close the current log."""
        self._file.close()


def rolled_name(at: float) -> str:
    """The name that Caddy gives a log that is rolled at this time."""
    moment = datetime.fromtimestamp(at, UTC)
    milliseconds = moment.microsecond // 1000
    return f"caddy_access_logs-{moment:%Y-%m-%dT%H-%M-%S}.{milliseconds:03d}-size.json"
