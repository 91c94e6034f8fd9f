"""Caddy's JSON access log, one line at a time: the reference for what a line is.

`blocks.py` reads whole blocks of Caddy's usual lines faster, and falls back to this module for all
others. A line of Caddy's exact shape (`SHAPE`: its keys in its order, no control characters, as
many braces opened as closed) is valid whatever the values of its headers are; of any other line
`json.loads` decides, on strict UTF-8.
"""

from __future__ import annotations

import json
import math
import re
from datetime import datetime, timedelta, timezone
from typing import Any, Final

from engine.inputs.model import Request
from engine.times import EARLIEST_AT, LATEST_AT

HANDLED: Final = "handled request"
NO_STATUS: Final = 0  # of a whole number that no HTTP status can be

TEXT: Final = rb'[^"\\\x00-\x1f\x80-\xff]*+'
_SIZE = rb"(?:0|[1-9][0-9]*+)"
SHAPE: Final = (
    rb'\{"level":"' + TEXT + rb'","ts":%(ts)s,"logger":"' + TEXT + rb'",'
    rb'"msg":"handled request","request":\{"remote_ip":"'
    + TEXT
    + rb'","remote_port":"'
    + TEXT
    + rb'",(?:"client_ip":"'
    + TEXT
    + rb'",)?"proto":"'
    + TEXT
    + rb'","method":"%(request)s,"headers":\{[^}]*+\}(?:,"tls":\{[^}]*+\})?\},'
    rb'(?:"bytes_read":' + _SIZE + rb',)?"user_id":"' + TEXT + rb'",'
    rb'"duration":' + _SIZE + rb'(?:\.[0-9]++)?,"size":' + _SIZE + rb',"status":%(response)s\}'
)
"""Caddy's exact shape as a pattern, but for braces in header values and control characters.

Three places are to be filled in: `ts`, `request` (from the method to the quote that ends the uri)
and `response` (from the status to the brace that ends `resp_headers`).
"""
_SHAPED = re.compile(
    SHAPE
    % {
        b"ts": rb"([1-3][0-9]{9})(?:\.[0-9]++)?",
        b"request": b"(" + TEXT + rb')","host":"(' + TEXT + rb')","uri":"(' + TEXT + rb')"',
        b"response": rb'([1-9][0-9]{2}),"resp_headers":(\{[^}]*+\})',
    }
)
_CONTROL = re.compile(rb"[\x00-\x1f]")
_NUMBER = re.compile(r"-?(?:[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?|Infinity)|NaN")
_INTEGER = re.compile(r"-?[0-9]+")
_RFC3339 = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})[Tt]([0-9]{2}):([0-9]{2}):([0-9]{2})(?:\.[0-9]+)?"
    r"(?:[Zz]|([+-])([0-9]{2}):?([0-9]{2}))"
)
_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)  # noqa: UP017 (datetime.UTC is the same)


def parse_line(line: bytes) -> Request | str:
    """The request of a line, or its fate (one of `FATES`) when it has none."""
    try:
        data = json.loads(line.decode("utf-8"))
    except (ValueError, RecursionError):
        return _read_shape(line) or "not-json"
    if not isinstance(data, dict):
        return "not-json"
    if data.get("msg") != HANDLED:
        return "not-access-log"
    return _read_request(data)


def second_of(line: bytes) -> int | None:
    """The second of a line, without parsing it."""
    head, mark, rest = line[:512].partition(b'"ts":')
    digits = rest[:10]
    return int(digits) if mark and head.count(b"\n") == 0 and digits.isdigit() else None


def time_mark(second: int) -> bytes:
    """Bytes that each line of a second has."""
    return b'"ts":%d' % second


def _read_shape(line: bytes) -> Request | None:
    """A line of Caddy's exact shape in whose headers something is no JSON."""
    match = _SHAPED.fullmatch(line)
    if match is None or line.count(b"{") != line.count(b"}") or _CONTROL.search(line):
        return None
    at, method, host, uri, status = (match[i].decode("ascii") for i in range(1, 6))
    return Request(int(at), method, host, uri, int(status), read_headers(match[6]))


def read_headers(text: bytes) -> dict[str, Any]:
    """The response headers of a line of Caddy's exact shape; none when they are no JSON."""
    try:
        headers = json.loads(text.decode("utf-8"))
    except (ValueError, RecursionError):
        return {}
    return headers if isinstance(headers, dict) else {}


def _read_request(data: dict[str, Any]) -> Request | str:
    request = data.get("request")
    at = event_time(data.get("ts"))
    status = _whole_number(data.get("status"))
    headers = data.get("resp_headers", {})
    if not isinstance(request, dict) or at is None or status is None:
        return "incomplete"
    method, host, uri = request.get("method"), request.get("host"), request.get("uri")
    if not isinstance(method, str) or not isinstance(host, str) or not isinstance(uri, str):
        return "incomplete"
    if not isinstance(headers, dict):
        return "incomplete"
    if not EARLIEST_AT <= at <= LATEST_AT:
        return "bad-time"
    return Request(math.floor(at), method, host, uri, status, headers)


def event_time(value: object) -> float | None:
    """A `ts` in epoch seconds; infinite when it has no place in time; None when it is no time.

    A number, a string that holds one, or an RFC 3339 string with its offset, whose colon may be
    missing, as in what Caddy calls iso8601.
    """
    if isinstance(value, str):
        if not _NUMBER.fullmatch(value):
            return _rfc3339(value)
        value = float(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return math.inf if isinstance(value, float) and not math.isfinite(value) else value


def _rfc3339(text: str) -> float | None:
    match = _RFC3339.fullmatch(text)
    if match is None:
        return None
    year, month, day, hour, minute, second = map(int, match.groups()[:6])
    sign, off_hours, off_minutes = match.groups()[6:]
    offset = timedelta(hours=int(off_hours or 0), minutes=int(off_minutes or 0))
    if (
        second > 60 or int(off_hours or 0) > 23 or int(off_minutes or 0) > 59
    ):  # :60 is a leap second
        return None
    try:
        local = datetime(max(year, 1), month, day, hour, minute, tzinfo=timezone.utc)  # noqa: UP017
    except ValueError:
        return None
    elapsed = local - _EPOCH + (offset if sign == "-" else -offset)
    return elapsed.total_seconds() + second


def _whole_number(value: object) -> int | None:
    if isinstance(value, str) and _INTEGER.fullmatch(value):
        return int(value) if len(value) < 20 else NO_STATUS
    return value if isinstance(value, int) and not isinstance(value, bool) else None
