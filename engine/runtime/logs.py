"""The program's own log: lines on standard error that never block it and never flood the disk.

A line is text, or a JSON object. A text that comes from outside is shown without control characters
and cut; of one kind of message at most ten a minute are written, then how many there were. A
standard error that is closed, full or not read stops nothing.
"""

from __future__ import annotations

import json
import logging
import os
import select
from collections import Counter
from datetime import UTC, datetime
from typing import Final

from engine.runtime.clock import monotonic, wall
from engine.text import displayable

PER_MINUTE: Final = 10
VALUE_LENGTH: Final = 200
LINE_BYTES: Final = 4000
"""A pipe that has room at all takes so many bytes at once."""
_PRIORITIES: Final = {"CRITICAL": 2, "ERROR": 3, "WARNING": 4, "INFO": 6, "DEBUG": 7}


def set_up(level: str, form: str = "text") -> None:
    """Send everything there is to log to standard error; standard streams are there from now on."""
    _open_standard_streams()
    handler = Handler(2, form=form, journal=bool(os.environ.get("JOURNAL_STREAM")))
    logging.basicConfig(level=level, handlers=[handler], force=True)
    logging.raiseExceptions = False


def _open_standard_streams() -> None:
    """Open `/dev/null` as standard input, output and error where they are closed.

    Else the next file that is opened gets the number, and is written over by the next message.
    """
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= 2:
        pass
    os.close(descriptor)


def plain(value: object) -> object:
    """A value as it may be written: text without control characters, and not too long."""
    if isinstance(value, int | float):
        return value
    text = str(value)
    if len(text) > VALUE_LENGTH:
        text = f"{text[:VALUE_LENGTH]}… ({len(text)} characters)"
    return displayable(text)


def has_room(descriptor: int = 2) -> bool:
    """Whether writing to a descriptor would not wait: a pipe may be full and not be read."""
    poll = select.poll()
    poll.register(descriptor, select.POLLOUT)
    return any(events & select.POLLOUT for _, events in poll.poll(0))


def json_line(level: str, text: str, thread: str = "MainThread", at: float | None = None) -> bytes:
    """A message as a JSON object in one line, of now or of an instant (epoch seconds)."""
    when = datetime.fromtimestamp(wall() if at is None else at, UTC)
    time = when.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    message = displayable(text, lines=True)
    while True:
        fields = {"time": time, "level": level, "message": message, "thread": thread}
        line = json.dumps(fields, ensure_ascii=False).encode() + b"\n"
        if len(line) <= LINE_BYTES:
            return line
        message = message[: -1 - (len(line) - LINE_BYTES) // 4]  # 4: of UTF-8, and of JSON


class Handler(logging.Handler):
    """Writes lines to a descriptor, of each kind so many a minute."""

    def __init__(self, descriptor: int, *, form: str = "text", journal: bool = False) -> None:
        super().__init__()
        self.descriptor = descriptor
        self.form = form
        self.journal = journal
        self._minute = -1
        self._seen: Counter[tuple[str, int]] = Counter()

    def emit(self, record: logging.LogRecord) -> None:
        """Write a record, or count it."""
        try:
            minute = int(monotonic() // 60)
            if minute != self._minute:
                self._report_suppressed()
                self._minute = minute
            kind = (record.pathname, record.lineno)
            self._seen[kind] += 1
            if self._seen[kind] <= PER_MINUTE:
                self._write(record, self._text(record))
        except Exception:  # noqa: BLE001 (a log that fails is no reason to stop counting)
            return

    def _text(self, record: logging.LogRecord) -> str:
        if isinstance(record.args, tuple):
            record.args = tuple(plain(value) for value in record.args)
        text = record.getMessage().replace("\n", " | ")
        if record.exc_info:
            text += "\n" + (self.formatter or logging.Formatter()).formatException(record.exc_info)
        return text

    def _report_suppressed(self) -> None:
        for (path, line), count in self._seen.items():
            if count > PER_MINUTE:
                where = f"{os.path.basename(path)}:{line}"  # noqa: PTH119 (text, no file)
                record = logging.makeLogRecord({"levelname": "WARNING"})
                self._write(record, f"{count - PER_MINUTE} more messages like those of {where}")
        self._seen.clear()

    def _write(self, record: logging.LogRecord, text: str) -> None:
        level = record.levelname
        if self.form == "json":
            data = json_line(level, text, str(record.threadName), record.created)
        else:
            head = f"<{_PRIORITIES.get(level, 5)}>" if self.journal else f"{level}: "
            data = (head + displayable(text, lines=True)).encode()[:LINE_BYTES] + b"\n"
        if has_room(self.descriptor):
            os.write(self.descriptor, data)
