"""What is known about a hotspot when its verdict is made. Each default means that all is well."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

from engine.inputs.model import Reason as LineReason
from engine.times import hour_of

WINDOW_SECONDS: Final = 28 * 24 * 3600
"""What this hotspot typically does is seen in so much time before its last use."""
_ON_MINUTES: Final = 30
_MIN_WEEKS: Final = 2
_MOST: Final = 0.75


class LineCount(NamedTuple):
    """Lines that were read, and how many of them counted."""

    read: int = 0
    counted: int = 0


class Silence(NamedTuple):
    """The hours that ran since a package was last used, and how many of them usually have use."""

    last_used_at: int | None = None
    """The hour of the last use; None when there was none."""
    hours: int = 0
    busy_hours: int = 0
    has_habits: bool = False
    """Whether there are hours of the week that usually have use."""


@dataclass(frozen=True)
class Evidence:
    """Everything that a verdict is made from."""

    now: int
    up_seconds: float = 0.0
    running: bool = True
    processing: bool = True
    counted_elsewhere: bool = False
    """Another process saved into the database a few minutes ago."""
    dead: str = ""
    """The thread that ended by itself."""
    still_seconds: float = 0.0
    """How long counting has stood still; 0 as long as that is normal."""
    database_problem: str = ""
    """Why the figures cannot be shown, where nothing is counted."""
    waits_for_packages: bool = False
    packages_problem: str = ""
    packages: int = 1
    ignored: int = 0
    """Warnings about entries of the packages file."""
    reader: str = "running"
    """The state of the reader; `stopped` also where there is none."""
    figures_readable: bool = True
    log_problems: tuple[str, ...] = ()
    logs: int = 1
    """Log files that are there, compressed ones too."""
    logs_come_later: bool = False
    """That there is no log file is normal after a start: they are in memory, or never were."""
    save_problem: str = ""
    unsaved_seconds: float = 0.0
    """How late the save is; 0 as long as that is normal."""
    free_bytes: int | None = None
    """Free space when there is too little."""
    step: tuple[int, int] | None = None
    """The last large step of the clock, (at, seconds), until it has been steady for a day."""
    impossible_at: int | None = None
    """The time of a recent line that cannot be."""
    since_start: LineCount = field(default_factory=LineCount)
    """Lines since the start, or since other packages count."""
    last_hour: LineCount = field(default_factory=LineCount)
    causes: Mapping[tuple[LineReason, str], int] = field(default_factory=dict)
    """(reason, detail) -> lines, of a sample of the newest lines that did not count."""
    own_host: str = ""
    """The host of the hotspot's own pages, which are no package's."""
    silence: Silence = field(default_factory=Silence)


def silence_of(
    used: Mapping[int, int], minutes_on: Mapping[int, int], zone: ZoneInfo, now: int
) -> Silence:
    """How long no package has been used, judged by the weeks before that.

    `used` and `minutes_on` map hours to the time in use and the minutes on. Hours in which the
    hotspot was off are neither use nor silence.
    """
    past = [hour for hour, value in used.items() if value and hour <= now]
    if not past:
        return Silence()
    last = max(past)
    on = [hour for hour, minutes in minutes_on.items() if minutes >= _ON_MINUTES]
    known = [hour for hour in on if last - WINDOW_SECONDS < hour <= last]
    typical = _busy_hours(known, used, zone)
    silent = [hour for hour in on if last < hour < hour_of(now)]
    busy = sum(_hour_of_week(hour, zone) in typical for hour in silent)
    return Silence(last, len(silent), busy, bool(typical))


def _busy_hours(hours: Iterable[int], used: Mapping[int, int], zone: ZoneInfo) -> set[int]:
    """The hours of the week that were in use in most of the weeks in which they were on."""
    weeks: dict[int, list[bool]] = {}
    for hour in hours:
        weeks.setdefault(_hour_of_week(hour, zone), []).append(bool(used.get(hour)))
    return {
        hour
        for hour, uses in weeks.items()
        if len(uses) >= _MIN_WEEKS and sum(uses) >= _MOST * len(uses)
    }


def _hour_of_week(hour: int, zone: ZoneInfo) -> int:
    local = datetime.fromtimestamp(hour, zone)
    return local.weekday() * 24 + local.hour
