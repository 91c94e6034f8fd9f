"""A reference implementation that counts a log line by line: slow, short, and easy to verify.

From the bytes of a log and packages it gives states, lines by fate, and seconds. It shares with the
program the parsing of one line (`formats.parse_line`) and its meaning (`rules.inputs_of`), which
have tests of their own, and nothing of blocks, patterns or grouping.

`judge` decides independently what is JSON, and shares nothing with `caddy.py`: a
reader of Caddy's exact shape from character to character, and `json.loads` for the rest.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from engine.inputs import formats
from engine.inputs.model import FilesShared, PackageHomeVisit, PackageRequest
from engine.inputs.rules import inputs_of
from engine.packages import Packages

HOME_VISIT, SHARED_FILES, UPTIME, USAGE, USAGE_BY_PACKAGE = 1001, 1003, 1004, 1005, 1006


@dataclass
class Counted:
    """The outcome of a log."""

    states: dict[tuple[int, int, str], int] = field(default_factory=dict)
    fates: Counter[str] = field(default_factory=Counter)
    seconds: set[int] = field(default_factory=set)


def count(log: bytes, packages: Packages) -> Counted:
    """Count complete lines."""
    outcome = Counted()
    for line in log.split(b"\n")[:-1]:
        _count_line(line, packages, outcome)
    return outcome


def _count_line(line: bytes, packages: Packages, outcome: Counted) -> None:
    request = formats.parse_line(line)
    if isinstance(request, str):
        outcome.fates[request] += 1
        return
    inputs = inputs_of(request, packages)
    outcome.fates["counted" if inputs else "unmatched"] += 1
    outcome.seconds.add(request.at)
    hour = request.at - request.at % 3600
    minute = 1 << request.at % 3600 // 60

    def put(indicator: int, dimension: str = "") -> None:
        key = hour, indicator, dimension
        outcome.states[key] = outcome.states.get(key, 0) | minute

    def add(indicator: int, dimension: str, n: int) -> None:
        key = hour, indicator, dimension
        outcome.states[key] = outcome.states.get(key, 0) + n

    put(UPTIME)
    for event in inputs:
        if isinstance(event, PackageRequest):
            put(USAGE)
            put(USAGE_BY_PACKAGE, event.title)
        elif isinstance(event, PackageHomeVisit):
            add(HOME_VISIT, event.title, 1)
        elif isinstance(event, FilesShared):
            add(SHARED_FILES, event.operation, event.count)


# --- what is JSON -----------------------------------------------------------------------------


class _NotShaped(Exception):
    """The line is not of Caddy's exact shape."""


class _Cursor:
    """Reads a line from left to right."""

    def __init__(self, line: bytes) -> None:
        self.line = line
        self.at = 0

    def literal(self, text: bytes) -> None:
        if not self.optional(text):
            raise _NotShaped

    def optional(self, text: bytes) -> bool:
        if self.line[self.at : self.at + len(text)] != text:
            return False
        self.at += len(text)
        return True

    def text(self) -> str:
        """A plain string between quotes."""
        self.literal(b'"')
        begin = self.at
        while self.at < len(self.line) and 0x20 <= self.line[self.at] < 0x80:
            if self.line[self.at] in b'"\\':
                break
            self.at += 1
        self.literal(b'"')
        return self.line[begin : self.at - 1].decode("ascii")

    def digits(self) -> str:
        begin = self.at
        while self.at < len(self.line) and self.line[self.at] in b"0123456789":
            self.at += 1
        found = self.line[begin : self.at].decode("ascii")
        if not found:
            raise _NotShaped
        return found

    def whole(self) -> str:
        found = self.digits()
        if len(found) > 1 and found[0] == "0":
            raise _NotShaped
        return found

    def number(self) -> str:
        """The whole part of a number with or without a fraction."""
        found = self.whole()
        if self.optional(b"."):
            self.digits()
        return found

    def object(self) -> None:
        """An object of headers, of which only the end is looked for."""
        self.literal(b"{")
        while self.at < len(self.line) and self.line[self.at] != ord("}"):
            self.at += 1
        self.literal(b"}")


def _shaped(line: bytes) -> tuple[str, str, str, str, str]:
    """(ts, method, host, uri, status) of a line of Caddy's exact shape; else _NotShaped."""
    if any(byte < 0x20 for byte in line):
        raise _NotShaped
    if sum(byte == ord("{") for byte in line) != sum(byte == ord("}") for byte in line):
        raise _NotShaped
    cursor = _Cursor(line)
    cursor.literal(b'{"level":')
    cursor.text()
    cursor.literal(b',"ts":')
    ts = cursor.number()
    if len(ts) != 10 or ts > "3999999999":
        raise _NotShaped
    cursor.literal(b',"logger":')
    cursor.text()
    cursor.literal(b',"msg":"handled request","request":{"remote_ip":')
    cursor.text()
    cursor.literal(b',"remote_port":')
    cursor.text()
    if cursor.optional(b',"client_ip":'):
        cursor.text()
    cursor.literal(b',"proto":')
    cursor.text()
    cursor.literal(b',"method":')
    method = cursor.text()
    cursor.literal(b',"host":')
    host = cursor.text()
    cursor.literal(b',"uri":')
    uri = cursor.text()
    cursor.literal(b',"headers":')
    cursor.object()
    if cursor.optional(b',"tls":'):
        cursor.object()
    cursor.literal(b"},")
    if cursor.optional(b'"bytes_read":'):
        cursor.whole()
        cursor.literal(b",")
    cursor.literal(b'"user_id":')
    cursor.text()
    cursor.literal(b',"duration":')
    cursor.number()
    cursor.literal(b',"size":')
    cursor.whole()
    cursor.literal(b',"status":')
    status = cursor.whole()
    if len(status) != 3:
        raise _NotShaped
    cursor.literal(b',"resp_headers":')
    cursor.object()
    cursor.literal(b"}")
    if cursor.at != len(line):
        raise _NotShaped
    return ts, method, host, uri, status


def judge(line: bytes) -> tuple[str, Any]:
    """("too-long" | "not-json" | "shape" | "json", what was read)."""
    if len(line) > 1024 * 1024:
        return "too-long", None
    try:
        return "shape", _shaped(line)
    except _NotShaped:
        pass
    try:
        data = json.loads(line.decode("utf-8", "strict"))
    except (ValueError, RecursionError):
        return "not-json", None
    return ("json", data) if isinstance(data, dict) else ("not-json", None)
