"""Makes the verdict: from what is known of a hotspot to its state and the reasons for it.

This is the only place that decides whether it is counting. `doctor`, `/health`, `/metrics`,
`/api/v1/status` and the page show what it returns.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from engine.inputs.model import Reason as LineReason
from engine.text import rounded_duration
from engine.times import MADE_AT
from engine.verdict.evidence import Evidence, LineCount
from engine.verdict.model import EFFECTS, WORST_FIRST, Code, Probe, State

MANY_LINES: Final = 20
"""So many lines of which none counts are no chance."""
FIRST_SECONDS: Final = 3600
"""After a start, a log may still be to come for so long."""
MIN_BUSY_HOURS: Final = 3
"""A silence of so many hours that usually have use is reported."""
MAX_QUIET_HOURS: Final = 72
"""Without hours that usually have use, a silence of more hours of running is reported."""
RECENT_SECONDS: Final = 7 * 24 * 3600
"""A use so long ago proves that counting works, as long as no line contradicts it."""

_CODES: Final[dict[LineReason, Code]] = {
    LineReason.HOST: Code.LINES_OF_OTHER_HOSTS,
    LineReason.STATUS: Code.LINES_WITH_ERRORS,
    LineReason.ZIM_UNKNOWN: Code.LINES_OF_UNKNOWN_ZIMS,
    LineReason.EMPTY: Code.LINES_NOT_JSON,
    LineReason.COMMON_LOG: Code.LINES_NOT_JSON,
    LineReason.BINARY: Code.LINES_NOT_JSON,
    LineReason.BROKEN: Code.LINES_NOT_JSON,
    LineReason.NO_OBJECT: Code.LINES_NOT_JSON,
    LineReason.ANOTHER_MESSAGE: Code.LINES_NOT_ACCESS_LOG,
    LineReason.FIELD_MISSING: Code.LINES_INCOMPLETE,
    LineReason.FIELD_WRONG: Code.LINES_INCOMPLETE,
    LineReason.BAD_TIME: Code.LINES_OF_BAD_TIME,
    LineReason.TIME_FORMAT: Code.LINES_OF_BAD_TIME,
}
"""What it means when most lines that do not count have this reason."""
_HARMLESS: Final = {LineReason.KIWIX_WORD, LineReason.NO_NAME, LineReason.REDIRECT}
"""Reasons of pages that are no package's, while nobody has opened a package yet."""


@dataclass(frozen=True)
class Reason:
    """One reason, with the numbers and names of its sentence."""

    code: Code
    values: Mapping[str, int | str] = field(default_factory=dict)

    @property
    def text(self) -> str:
        """The sentence, without a full stop, as in messages of the command line."""
        values = dict(self.values)
        if "seconds" in values:
            values["seconds"] = rounded_duration(int(values["seconds"]))
        return EFFECTS[self.code].text.format_map(values)

    def as_json(self) -> dict[str, Any]:
        """Code and values for a translation, and the English text with what to do about it."""
        effect = EFFECTS[self.code]
        return {
            "code": self.code.value,
            "state": effect.state.value,
            "values": dict(self.values),
            "text": self.text,
            "remedy": effect.remedy,
        }


@dataclass(frozen=True)
class Verdict:
    """The state, and every reason for it; no reason when it is counting."""

    reasons: tuple[Reason, ...] = ()

    @property
    def state(self) -> State:
        """That of the worst reason."""
        return max((_state(r) for r in self.reasons), key=_rank, default=State.COUNTING)

    def health(self, probe: Probe) -> list[str]:
        """Why a route of `/health` (not `NONE`) answers 503; empty when it does not."""
        return [
            reason.text
            for reason in self.reasons
            if EFFECTS[reason.code].probe.value <= probe.value
        ]

    def summary(self) -> dict[str, Any]:
        """What `/health` adds: the state, and the codes of all reasons, also of harmless ones."""
        return {"verdict": self.state.value, "codes": [r.code.value for r in self.reasons]}

    def as_json(self) -> dict[str, Any]:
        """The verdict of `/api/v1/status`, the worst reason first."""
        ordered = sorted(self.reasons, key=lambda r: WORST_FIRST.index(_state(r)))
        return {"state": self.state.value, "reasons": [r.as_json() for r in ordered]}


def _state(reason: Reason) -> State:
    return EFFECTS[reason.code].state


def _rank(state: State) -> int:
    return len(WORST_FIRST) - WORST_FIRST.index(state)


def judge(evidence: Evidence) -> Verdict:
    """The verdict on what is known."""
    parts = [_process(evidence)]
    if evidence.processing:
        parts += [_packages(evidence), _logs(evidence), _saving(evidence), _clock(evidence)]
    reasons = [Reason(code, values) for part in parts for code, values in part]
    if evidence.processing and not any(r.code is Code.STARTING for r in reasons):
        found = _lines(evidence, _is_clock_doubtful(reasons))
        reasons += [Reason(code, values) for code, values in found]
    return Verdict(tuple(reasons))


_Found = Iterator[tuple[Code, dict[str, int | str]]]


def _process(evidence: Evidence) -> _Found:
    if evidence.dead:
        yield Code.THREAD_ENDED, {"thread": evidence.dead}
    if evidence.still_seconds:
        yield Code.STANDING_STILL, {"seconds": round(evidence.still_seconds)}
    if evidence.database_problem:
        yield Code.DATABASE_UNUSABLE, {"problem": evidence.database_problem}
    if not evidence.processing:
        yield (Code.COUNTED_ELSEWHERE if evidence.counted_elsewhere else Code.DISABLED), {}
    elif not evidence.running:
        yield Code.NOT_RUNNING, {}


def _packages(evidence: Evidence) -> _Found:
    if evidence.waits_for_packages:
        if evidence.packages_problem:
            yield Code.PACKAGES_MISSING, {"problem": evidence.packages_problem}
        else:
            yield Code.STARTING, {}
        return
    if evidence.packages_problem:
        yield Code.PACKAGES_STALE, {"problem": evidence.packages_problem}
    if not evidence.packages:
        yield Code.PACKAGES_NONE, {}
    if evidence.ignored:
        yield Code.PACKAGES_IGNORED, {"entries": evidence.ignored}


def _logs(evidence: Evidence) -> _Found:
    if evidence.reader == "stopped":
        yield Code.READER_STOPPED, {}
    elif evidence.reader == "restarting":
        yield Code.READER_RESTARTING, {}
    elif evidence.reader == "starting" and not evidence.waits_for_packages:
        yield Code.STARTING, {}
    if not evidence.figures_readable:
        yield Code.FIGURES_UNREADABLE, {}
    for problem in evidence.log_problems:
        yield (Code.LOG_UNREADABLE if evidence.logs else Code.LOGS_UNREADABLE), {"problem": problem}


def _saving(evidence: Evidence) -> _Found:
    if evidence.save_problem:
        yield Code.SAVING_FAILS, {"problem": evidence.save_problem}
    if evidence.unsaved_seconds:
        yield Code.SAVE_LATE, {"seconds": round(evidence.unsaved_seconds)}
    if evidence.free_bytes is not None:
        yield Code.DISK_FULL, {"bytes": evidence.free_bytes}


def _clock(evidence: Evidence) -> _Found:
    if evidence.now < MADE_AT:
        yield Code.CLOCK_IMPOSSIBLE, {"at": evidence.now}
    if evidence.step is not None:
        at, seconds = evidence.step
        yield Code.CLOCK_STEPPED, {"at": at, "seconds": seconds}
    if evidence.impossible_at is not None:
        yield Code.LINES_OF_IMPOSSIBLE_TIME, {"at": evidence.impossible_at}


def _is_clock_doubtful(reasons: list[Reason]) -> bool:
    codes = {Code.CLOCK_IMPOSSIBLE, Code.CLOCK_STEPPED, Code.LINES_OF_IMPOSSIBLE_TIME}
    return any(reason.code in codes for reason in reasons)


def _lines(evidence: Evidence, clock_is_doubtful: bool) -> _Found:
    """What the lines show. By a doubtful clock, it is not known how long there were none."""
    start, hour = evidence.since_start, evidence.last_hour
    silent = not clock_is_doubtful and not hour.counted and _is_unusual(evidence)
    if _none_counts(start):
        yield _none_counted(start.read, evidence)
    elif _none_counts(hour):
        if silent:
            yield _none_counted(hour.read, evidence)
        else:
            yield Code.NONE_COUNTED_LATELY, {"lines": hour.read}
    if silent:
        yield Code.SILENT, {"hours": evidence.silence.hours}
    if not evidence.waits_for_packages:
        yield from _not_yet(evidence, silent)


def _not_yet(evidence: Evidence, silent: bool) -> _Found:
    """Whether there is a log at all, and whether anything has counted since the start."""
    start, last = evidence.since_start, evidence.silence.last_used_at
    if not evidence.logs and not evidence.log_problems:
        may_come = evidence.logs_come_later and not silent
        early = evidence.up_seconds < FIRST_SECONDS or evidence.silence.has_habits
        yield (Code.NO_LOG_FILE_YET if may_come and early else Code.NO_LOG_FILE), {}
    elif start.counted or _none_counts(start):
        return
    elif start.read:
        yield Code.NOTHING_SINCE_START, {"lines": start.read}
    elif last is None or evidence.now - last > RECENT_SECONDS:
        yield Code.NOTHING_YET, {}


def _none_counts(lines: LineCount) -> bool:
    return lines.read >= MANY_LINES and not lines.counted


def _none_counted(lines: int, evidence: Evidence) -> tuple[Code, dict[str, int | str]]:
    """Why no line counts: the most frequent reason of the sample, and its most frequent detail."""
    reasons: Counter[LineReason] = Counter()
    for (reason, detail), number in evidence.causes.items():
        is_own = reason is LineReason.HOST and detail == evidence.own_host
        reasons[LineReason.NO_NAME if is_own else reason] += number
    if not reasons:
        return Code.LINES_NOT_COUNTED, {"lines": lines}
    [(cause, _)] = reasons.most_common(1)
    if cause in _HARMLESS:
        return Code.NOTHING_SINCE_START, {"lines": lines}
    code = _CODES.get(cause, Code.LINES_NOT_COUNTED)
    values: dict[str, int | str] = {"lines": lines}
    if "{detail}" in EFFECTS[code].text:
        details = {d: n for (reason, d), n in evidence.causes.items() if reason is cause}
        values["detail"] = max(details, key=lambda d: details[d])
    return code, values


def _is_unusual(evidence: Evidence) -> bool:
    """Whether the silence is longer than what this hotspot usually has."""
    silence = evidence.silence
    if silence.has_habits:
        return silence.busy_hours >= MIN_BUSY_HOURS
    return silence.hours > MAX_QUIET_HOURS
