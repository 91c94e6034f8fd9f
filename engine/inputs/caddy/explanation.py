"""Why a line of Caddy's log, or any other line, is no request: a reason and its detail."""

from __future__ import annotations

import json
import re
from typing import Any, Final

from engine.inputs.caddy.line import event_time
from engine.inputs.masking import HIDDEN, MAX_SHOWN
from engine.inputs.model import Reason
from engine.times import EARLIEST_AT, LATEST_AT

_COMMON_LOG: Final = b"HTTP/"
_CONSOLE: Final = (b"\tINFO\t", b"\tERROR\t", b"\tinfo\t", b"\terror\t", b"\x1b[")
field_names: Final = frozenset(
    re.findall(
        "[A-Za-z_]+",
        """
        level ts logger msg request status size duration user_id resp_headers bytes_read error
        remote_ip remote_port client_ip remote_addr proto method host uri headers tls log stream
        time MESSAGE message timestamp PRIORITY SYSLOG_IDENTIFIER attrs severity event type
        """,
    )
)
"""Of Caddy, and of the logs of other programs that wrap its lines."""
_WORDS: Final = frozenset(
    re.findall(
        "[a-z0-9/]+",
        """
        server running serving initial configuration using config from file adjacent
        caddyfile adapted to json endpoint started disabled enabling http/3 listener
        automatic tls certificate management autosaved load with resume flag is
        listening only on the http port so no https will be applied this but has
        connection policies adding one enable completely for shutting down shutdown
        complete apps then terminating exiting nop background maintenance stopped
        storage cleaning happened too recently skipping now unit finished units input
        not formatted run fmt overwrite fix inconsistencies maxprocs leaving cpu quota
        undefined updated redirected default logger unchanged received request stopping
        current previous handshake error eof requested unsupported application protocols
        http2 reading preface timeout aborting incomplete response dial tcp connect
        connection refused reset by peer upstreams available context canceled failed
        sufficiently increase receive buffer size obtain obtaining renewing renewed
        lookup such host handled access log unable open permission denied write writing
        disk full deadline exceeded panic aborted invalid remote the a an of in and or
        was were be
        """,
    )
)


def explain(line: bytes, fate: str) -> tuple[Reason, str]:
    """Why `parse_line` gave a line this fate, and the detail of the line that decided."""
    if fate == "not-json":
        return _why_not_json(line), ""
    data = json.loads(line.decode("utf-8"))
    if fate == "not-access-log":
        return _why_not_access_log(data)
    if fate == "bad-time":
        return _why_bad_time(data.get("ts"))
    return _why_incomplete(data)


def visitor_of(line: bytes) -> str:
    """The address of who made the request."""
    try:
        request = json.loads(line.decode("utf-8"))["request"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return ""
    for field in ("client_ip", "remote_ip", "remote_addr"):
        if isinstance(found := request.get(field), str) and found:
            return re.sub(r":[0-9]*$", "", found).strip("[]") if field == "remote_addr" else found
    return ""


def shown_message(text: object) -> str:
    """A message of a program: the words that the proxy uses itself, and nothing in between."""
    if not isinstance(text, str):
        return ""
    shown: list[str] = []
    for token in text[:1000].split():
        known = token.lower().strip(".,:;()'\"!") in _WORDS and token.isascii()
        word = token if known else HIDDEN
        if word != HIDDEN or shown[-1:] != [HIDDEN]:
            shown.append(word)
    return " ".join(shown)[:MAX_SHOWN]


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
    controls = sum(byte < 32 and byte not in b"\t\r\x1b" for byte in head)
    return controls * 10 > len(head)


def _why_incomplete(data: dict[str, Any]) -> tuple[Reason, str]:
    request = data.get("request")
    if not isinstance(request, dict):
        return _missing_or_wrong(data, "request")
    if event_time(data.get("ts")) is None:
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
        return Reason.ANOTHER_MESSAGE, shown_message(data["msg"])
    return Reason.COMMON_LOG, ""


def _why_bad_time(value: object) -> tuple[Reason, str]:
    at = event_time(value) or 0.0
    for unit, parts in (("milliseconds", 1e3), ("microseconds", 1e6), ("nanoseconds", 1e9)):
        if EARLIEST_AT <= at / parts <= LATEST_AT:
            return Reason.TIME_FORMAT, unit
    return Reason.BAD_TIME, str(value)[:100]
