"""The newest lines of the logs: what each counts as, and why not.

A last line without its newline is explained too, although no reader would emit it yet.
"""

from __future__ import annotations

import os
from collections import Counter
from contextlib import closing
from datetime import UTC, datetime
from typing import Final

from engine.doctor.logs import FoundFile
from engine.doctor.model import Check, Examination, SeenLine, State
from engine.errors import InputDamaged, MetricsError
from engine.hosts import without_port
from engine.inputs import formats, masking
from engine.inputs.model import MAX_LINE_BYTES, Reason
from engine.inputs.reasons import Explanation, explain
from engine.packages import Packages
from engine.sources.files import open_content
from engine.text import clean_text
from engine.times import HOUR_SECONDS
from engine.verdict import LineCount

SAMPLE: Final = 2_000
"""Lines that are explained: enough to see what is usual."""
TAIL_BYTES: Final = 2 * MAX_LINE_BYTES
MAX_DECOMPRESSED_BYTES: Final = 64 * 1024 * 1024
"""A few megabytes may decompress to gigabytes: of such a roll only the beginning is read."""
DAY: Final = 86_400

HARMLESS: Final = {Reason.STATUS, Reason.KIWIX_WORD, Reason.NO_NAME, Reason.REDIRECT}
"""Reasons that a valid setup shows while nobody has opened a package yet."""


def check_lines(
    files: list[FoundFile], packages: Packages | None, wanted: int, found: Examination
) -> None:
    """Explain the newest lines, and check that some of them count."""
    if not any(file.size for file in files):
        return
    sample = _newest(files, max(SAMPLE, wanted))
    reasons: Counter[tuple[str, str, str]] = Counter()
    hosts: Counter[str] = Counter()
    causes: set[Reason | None] = set()
    seen: list[SeenLine] = []
    for file, offset, raw, ended in sample:
        explanation = explain(raw, packages or Packages())
        text = _text_of(raw, explanation, packages or Packages())
        seen.append(SeenLine(file, offset, text, explanation, ended))
        if not ended:
            continue
        found.looked_at += 1
        _note_request(explanation, found, hosts)
        if explanation.fate == "counted":
            found.counted += 1
        else:
            reason = explanation.reason.value if explanation.reason else ""
            if packages is not None or explanation.fate != "unmatched":
                reasons[explanation.fate, reason, clean_text(explanation.detail)] += 1
                causes.add(explanation.reason)
    found.lines = seen[-wanted:] if wanted else []
    found.reasons = dict(reasons.most_common())
    found.log_hosts = dict(hosts.most_common(20))
    if packages is None and found.log_hosts:
        text = f"{found.looked_at:,} examined; without packages none can be counted"
        hint = "fix the packages file first; the lines show which hosts are requested"
        found.checks.append(Check("newest lines", State.WARNING, text, hint))
    else:
        found.checks.append(_judge(found, causes))


def _note_request(explanation: Explanation, found: Examination, hosts: Counter[str]) -> None:
    """Note the host and the time of a line, where it is a request."""
    request = explanation.request
    if request is None:
        return
    hosts[without_port(masking.host(request.host, explanation.visitor))] += 1
    at = request.at
    found.first_at = at if found.first_at is None else min(found.first_at, at)
    found.last_at = at if found.last_at is None else max(found.last_at, at)
    if found.now - HOUR_SECONDS < at <= found.now:
        read, counted = found.last_hour
        found.last_hour = LineCount(read + 1, counted + (explanation.fate == "counted"))


def _text_of(raw: bytes, explanation: Explanation, packages: Packages) -> str:
    """A line without what tells of a visitor: of one that is no request, only its shape."""
    request = explanation.request
    if request is None:
        return masking.shape(raw, formats.field_names())
    moment = datetime.fromtimestamp(request.at, UTC).strftime("%Y-%m-%d %H:%M:%S")
    return f"{moment} {masking.request(request, packages, explanation.visitor)}"


def _judge(found: Examination, causes: set[Reason | None]) -> Check:
    name, newest_at, now = "newest lines", found.last_at, found.now
    many = f"{found.looked_at:,}"
    details = []
    if newest_at is not None:
        moment = datetime.fromtimestamp(newest_at, UTC).strftime("%Y-%m-%d %H:%M")
        details.append(f"the newest is from {moment} UTC")
    if not found.looked_at:
        return Check(
            name,
            State.WARNING,
            "no line is complete yet",
            "a line counts once its newline is written",
        )
    if not found.counted and causes <= HARMLESS:
        hint = "open a package through the hotspot's page, then run doctor again"
        text = f"none of the newest {many} lines opened a package"
        return Check(name, State.WARNING, text, hint, tuple(details))
    if not found.counted:
        text = f"none of the newest {many} lines counts"
        error = InputDamaged(text, "see the reasons above, each with its remedy")
        return Check(name, State.PROBLEM, text, error.hint, tuple(details), error)
    text = f"{found.counted:,} of the newest {many} lines count"
    if newest_at is not None and newest_at > now + DAY:
        hint = "the proxy's clock is ahead of this one; figures are stored under the proxy's time"
        return Check(name, State.WARNING, text, hint, tuple(details))
    if newest_at is not None and newest_at < now - 7 * DAY:
        hint = "check that the proxy still writes to this folder, and whether the clock was wrong"
        return Check(name, State.NOTE, text, hint, tuple(details))
    return Check(name, State.OK, text, details=tuple(details))


def _newest(files: list[FoundFile], wanted: int) -> list[tuple[str, int, bytes, bool]]:
    """(file, offset, line, whether its newline is there) of the newest lines, oldest first."""
    newest: list[tuple[str, int, bytes, bool]] = []
    for file in reversed(files):
        if len(newest) >= wanted:
            break
        tail, begin = _tail(file)
        part: list[tuple[str, int, bytes, bool]] = []
        for line in _lines(tail):
            part.append((file.path.name, begin, line.removesuffix(b"\n"), line.endswith(b"\n")))
            begin += len(line)
        if part and part[0][1] and len(part) > 1:  # it lacks its beginning
            del part[0]
        newest = part[-(wanted - len(newest)) :] + newest
    return newest


def _lines(data: bytes) -> list[bytes]:
    lines = [line + b"\n" for line in data.split(b"\n")]
    lines[-1] = lines[-1][:-1]
    return lines if lines[-1] else lines[:-1]


def _tail(file: FoundFile) -> tuple[bytes, int]:
    """The end of a log's content, and where in it that begins."""
    try:
        with closing(open_content(str(file.path))) as content:
            if not content.compressed:
                begin = max(0, os.fstat(content.file.fileno()).st_size - TAIL_BYTES)
                return content.read_at(begin, TAIL_BYTES), begin
            tail, end = b"", 0
            while end < MAX_DECOMPRESSED_BYTES and (data := content.read(TAIL_BYTES)):
                tail = (tail + data)[-TAIL_BYTES:]
                end += len(data)
            return tail, end - len(tail)
    except MetricsError:
        return b"", 0
