"""Why a line counts or not, for a person: slower than counting, and always of the same opinion.

`explain` gives the fate that `parse_line` and `inputs_of` give a line, and the reason, with the one
word of the line that decided, if it may be shown (`engine/inputs/masking.py`). It decides nothing
itself: where it cannot tell, it says so (`Reason.OTHER`).
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final
from urllib.parse import unquote

from engine.inputs import caddy, masking
from engine.inputs.model import Input, Request
from engine.inputs.rules import KIWIX_WORDS, inputs_of, leads_to_content
from engine.packages import Packages
from engine.times import EARLIEST_AT, LATEST_AT

_QUERY = re.compile(r"[?#]")
_COMMON_LOG: Final = b"HTTP/"
_CONSOLE: Final = (b"\tINFO\t", b"\tERROR\t", b"\tinfo\t", b"\terror\t", b"\x1b[")


class Reason(Enum):
    """Why a line does not count. The value is its name in JSON."""

    # too-long
    TOO_LONG = "too-long"
    # not-json
    EMPTY = "empty-line"
    COMMON_LOG = "another-log-format"  # a line of another program that is JSON, too
    BINARY = "binary"
    BROKEN = "broken-json"
    NO_OBJECT = "no-object"
    # not-access-log
    ANOTHER_MESSAGE = "another-message"
    # incomplete
    FIELD_MISSING = "field-missing"
    FIELD_WRONG = "field-wrong"
    # bad-time
    BAD_TIME = "bad-time"
    TIME_FORMAT = "time-format"
    # unmatched
    STATUS = "status"
    HOST = "host"
    NO_NAME = "no-zim-name"
    KIWIX_WORD = "kiwix-word"
    ZIM_UNKNOWN = "zim-unknown"
    REDIRECT = "redirect-to-content"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Explanation:
    """What became of one line. `detail` is what of the line decided: a host, a field, a name.

    `visitor` is who asked, to be hidden where it comes up.
    """

    fate: str
    reason: Reason | None = None
    detail: str = ""
    request: Request | None = None
    inputs: tuple[Input, ...] = ()
    visitor: str = ""


def explain(line: bytes, packages: Packages) -> Explanation:
    """The fate of a line, given without its newline, and why."""
    parsed = caddy.parse_line(line)
    if isinstance(parsed, Request):
        inputs, visitor = inputs_of(parsed, packages), _visitor_of(line)
        if inputs:
            return Explanation("counted", request=parsed, inputs=inputs, visitor=visitor)
        why = _why_unmatched(parsed, packages, visitor)
        return Explanation("unmatched", *why, request=parsed, visitor=visitor)
    if parsed == "too-long":
        return Explanation(parsed, Reason.TOO_LONG, f"{len(line):,} bytes")
    if parsed == "not-json":
        return Explanation(parsed, _why_not_json(line))
    data = json.loads(line.decode("utf-8"))
    if parsed == "not-access-log":
        return Explanation(parsed, *_why_not_access_log(data))
    if parsed == "bad-time":
        return Explanation(parsed, *_why_bad_time(data.get("ts")))
    return Explanation(parsed, *_why_incomplete(data))


def _visitor_of(line: bytes) -> str:
    """The address of who asked."""
    try:
        request = json.loads(line.decode("utf-8"))["request"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return ""
    for field in ("client_ip", "remote_ip", "remote_addr"):
        if isinstance(found := request.get(field), str) and found:
            return re.sub(r":[0-9]*$", "", found).strip("[]") if field == "remote_addr" else found
    return ""


def _why_unmatched(request: Request, packages: Packages, visitor: str) -> tuple[Reason, str]:
    if not 200 <= request.status <= 399:
        return Reason.STATUS, str(request.status)
    site = packages.site(request.host)
    if site is None:
        return Reason.HOST, masking.host(request.host, visitor)
    path = unquote(_QUERY.split(request.uri, maxsplit=1)[0])
    near = [library for library in site.libraries if path.startswith(f"{library.prefix}/")]
    below = path[len(near[0].prefix) :] if near else path
    legacy = not below.startswith("/content/")
    name = below[1 if legacy else len("/content/") :].partition("/")[0]
    if not name:
        return Reason.NO_NAME, masking.path(request, packages)
    if legacy and (name in KIWIX_WORDS or name in masking.KIWIX_FILES):
        return Reason.KIWIX_WORD, name
    if not any(library.titles(name) for library in near):
        return Reason.ZIM_UNKNOWN, masking.name(name)
    if legacy and leads_to_content(request, site):
        return Reason.REDIRECT, masking.name(name)
    return Reason.OTHER, ""


def _why_not_json(line: bytes) -> Reason:
    text = line.strip()
    if not text:
        return Reason.EMPTY
    if b"\0" in line or line.count(b"\xef\xbf\xbd") > 4 or _is_binary(line):
        return Reason.BINARY
    if text.startswith((b"{", b"[")):
        try:
            json.loads(line.decode("utf-8"))
        except (ValueError, RecursionError):
            return Reason.BROKEN
        return Reason.NO_OBJECT
    if _COMMON_LOG in line or any(mark in line for mark in _CONSOLE):
        return Reason.COMMON_LOG
    return Reason.BROKEN if text.endswith(b"}") else Reason.NO_OBJECT


def _is_binary(line: bytes) -> bool:
    head = line[:1000]
    odd = sum(byte < 32 and byte not in b"\t\r\x1b" for byte in head)
    return odd * 10 > len(head)


def _why_incomplete(data: dict[str, Any]) -> tuple[Reason, str]:
    request = data.get("request")
    if not isinstance(request, dict):
        return _missing_or_wrong(data, "request")
    if caddy.event_time(data.get("ts")) is None:
        return _missing_or_wrong(data, "ts")
    for field in ("method", "host", "uri"):
        if not isinstance(request.get(field), str):
            return _missing_or_wrong(request, field, "request.")
    if not isinstance(data.get("resp_headers", {}), dict):
        return Reason.FIELD_WRONG, "resp_headers"
    return _missing_or_wrong(data, "status")


def _missing_or_wrong(data: dict[str, Any], field: str, prefix: str = "") -> tuple[Reason, str]:
    return Reason.FIELD_WRONG if field in data else Reason.FIELD_MISSING, prefix + field


def _why_not_access_log(data: dict[str, Any]) -> tuple[Reason, str]:
    """A message of the proxy has a text, a level and a time; with `msg` renamed, a request."""
    request = data.get("request")
    if "msg" not in data and isinstance(request, dict) and "uri" in request:
        return Reason.FIELD_MISSING, "msg"
    if isinstance(data.get("msg"), str) and isinstance(data.get("level"), str) and "ts" in data:
        return Reason.ANOTHER_MESSAGE, masking.message(data["msg"])
    return Reason.COMMON_LOG, ""


def _why_bad_time(value: object) -> tuple[Reason, str]:
    at = caddy.event_time(value) or 0.0
    for unit, parts in (("milliseconds", 1e3), ("microseconds", 1e6), ("nanoseconds", 1e9)):
        if EARLIEST_AT <= at / parts <= LATEST_AT:
            return Reason.TIME_FORMAT, unit
    return Reason.BAD_TIME, str(value)[:100]
