"""Why a Filebeat ended: the last line of its standard error that reports an error, else the last."""

from __future__ import annotations

import json
import re
from typing import Final

MAX_LINE_BYTES: Final = 4096
_LENGTH: Final = 300
_LEVELS = re.compile(r"\t(?:ERROR|DPANIC|PANIC|FATAL|CRITICAL)\t")
_FATAL = re.compile(r"(?:Exiting|panic|fatal error|runtime): ")
_SOURCE = re.compile(r"[^\s:]+\.go:[0-9]+$")


class StderrLines:
    """The last lines of a stream: of all, and of those that report an error."""

    def __init__(self) -> None:
        self.grew = False
        """Whether the last piece had anything in it."""
        self._begun = b""
        self._last = ""
        self._last_error = ""

    def add(self, data: bytes) -> None:
        """Take the next piece of the stream."""
        self.grew = bool(data)
        *lines, begun = (self._begun + data).split(b"\n")
        self._begun = begun[-MAX_LINE_BYTES:]
        for line in lines:
            self._take(line)

    def reason(self) -> str:
        """Why it ended: the last error, else the last line, else nothing."""
        self._take(self._begun)
        self._begun = b""
        reason = self._last_error or self._last
        if "newosproc" in reason:  # Go's name for it
            reason += ": no thread to be had (ulimit -u, TasksMax=, pids limit)"
        return reason

    def _take(self, line: bytes) -> None:
        text = line[:MAX_LINE_BYTES].decode("utf-8", "replace").strip()
        if not text:
            return
        self._last = text[:_LENGTH]
        if error := _error_in(text):
            self._last_error = error[:_LENGTH]


def _error_in(text: str) -> str:
    """The message of a line that reports an error, without time and place in the source."""
    if _FATAL.match(text):
        return text
    if text.startswith("{"):  # newer ones log JSON
        try:
            entry = json.loads(text)
        except ValueError:
            return ""
        level = str(entry.get("log.level", "")).lower()
        return str(entry.get("message", "")) if level in {"error", "fatal", "panic"} else ""
    found = _LEVELS.search(text)
    if not found:
        return ""
    fields = text[found.end() :].split("\t")
    while len(fields) > 1 and (_SOURCE.search(fields[0]) or fields[0].startswith("[")):
        del fields[0]
    return " ".join(fields)
