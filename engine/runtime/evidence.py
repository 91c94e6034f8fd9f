"""Collects what `serve` knows of itself for its verdict."""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final, NamedTuple
from zoneinfo import ZoneInfo

from engine.inputs.model import Reason as LineReason
from engine.inputs.reasons import explain
from engine.packages import Packages
from engine.pipeline import Tally
from engine.runtime import clock
from engine.runtime.ticker import JUMP_SECONDS, STEADY_SECONDS
from engine.sources.file_systems import is_in_memory
from engine.store.files import free_bytes
from engine.store.hourly_figures import HourlyFigures
from engine.store.reader import Reader
from engine.text import displayable
from engine.times import HOUR_SECONDS, is_possible
from engine.verdict import Evidence, LineCount
from engine.verdict.evidence import Silence, silence_of

if TYPE_CHECKING:
    from engine.runtime.service_status import ServiceStatus

SAVE_LATE_SECONDS: Final = 180.0
MAX_PROBLEMS: Final = 20
"""Files with a problem of their own that are named."""
LOW_DISK_BYTES: Final = 4 * 1024 * 1024
ANOTHER_SAVES_SECONDS: Final = 15 * 60
"""A process that counts saves at least every ten minutes."""
HABITS_SECONDS: Final = 8 * 7 * 24 * 3600
"""So far back it looks for the last use, and for what is usual before that."""
HOUR_MINUTES: Final = 60
MAX_SAMPLE: Final = 20
SAMPLE_BYTES: Final = 16 * 1024


class _Minute(NamedTuple):
    """The lines that were read in a minute of the monotonic clock."""

    minute: int
    read: int
    counted: int
    impossible_at: int | None


@dataclass(frozen=True)
class NewestLines:
    """What became of the lines since the start, or since other packages count. Immutable."""

    since_start: LineCount = field(default_factory=LineCount)
    minutes: tuple[_Minute, ...] = ()
    sample: tuple[bytes, ...] = ()
    """The newest lines that did not count, to be explained; they are never stored."""

    def add(self, data: bytes, tally: Tally) -> NewestLines:
        """With the lines of one more block."""
        read, counted = tally.lines, tally.fates["counted"]
        minute, impossible = int(clock.monotonic() // 60), _impossible_at(tally, clock.now())
        minutes = self.minutes
        if minutes and minutes[-1].minute == minute:
            last = minutes[-1]
            read_before, counted_before = last.read, last.counted
            impossible = last.impossible_at if impossible is None else impossible
            minutes = minutes[:-1]
        else:
            read_before = counted_before = 0
        now = _Minute(minute, read_before + read, counted_before + counted, impossible)
        start = LineCount(self.since_start.read + read, self.since_start.counted + counted)
        sample = self.sample
        if read and not counted:
            lines = data[-SAMPLE_BYTES:].split(b"\n")[:-1]
            lines = lines[1:] if len(data) > SAMPLE_BYTES else lines  # the first may be cut
            sample = (*sample, *lines[-MAX_SAMPLE:])[-MAX_SAMPLE:]
        return NewestLines(start, (*minutes[1 - HOUR_MINUTES :], now), sample)

    def _of_last_hour(self) -> list[_Minute]:
        first = int(clock.monotonic() // 60) - HOUR_MINUTES
        return [minute for minute in self.minutes if minute.minute > first]

    @property
    def last_hour(self) -> LineCount:
        """Those of the last hour."""
        minutes = self._of_last_hour()
        return LineCount(sum(m.read for m in minutes), sum(m.counted for m in minutes))

    @property
    def impossible_at(self) -> int | None:
        """The time of the newest line of the last hour whose time cannot be."""
        times = (minute.impossible_at for minute in reversed(self._of_last_hour()))
        return next((at for at in times if at is not None), None)

    def causes(self, packages: Packages) -> Counter[tuple[LineReason, str]]:
        """Why the lines of the sample do not count."""
        found: Counter[tuple[LineReason, str]] = Counter()
        for line in self.sample:
            explained = explain(line, packages)
            if explained.reason is not None:
                found[explained.reason, displayable(explained.detail)] += 1
        return found


def _impossible_at(tally: Tally, now: int) -> int | None:
    for at in (tally.last_at, tally.first_at):
        if at is not None and not is_possible(at, now):
            return at
    return None


def of_process(status: ServiceStatus) -> Evidence:
    """What shows whether the process itself is at work: quickly, and reading nothing."""
    still = clock.monotonic() - status.beat_at if status.beat_at else 0.0
    return Evidence(
        clock.now(),
        processing=status.config.processing,
        dead=status.dead,
        still_seconds=still if still > SAVE_LATE_SECONDS else 0.0,
    )


def of_all(status: ServiceStatus) -> Evidence:
    """Everything."""
    process = of_process(status)
    if not status.config.processing:
        age = process.now - (status.saved_at or 0)
        return replace(
            process,
            database_problem=status.check_database(),
            counted_elsewhere=0 <= age < ANOTHER_SAVES_SECONDS,
        )
    unsaved = 0.0
    if (since := status.unsaved_since) is not None:
        unsaved = clock.monotonic() - since
    free = free_bytes(status.config.database)
    return replace(
        _of_logs(status, process),
        up_seconds=clock.monotonic() - status.started_monotonic,
        waits_for_packages=status.waits_for_packages,
        packages_problem=displayable(status.packages_problem),
        packages=len(status.packages.entries),
        ignored=len(status.packages.warnings),
        own_host=status.packages.fqdn,
        figures_readable=status.figures_are_readable(),
        save_problem=status.save_problem,
        unsaved_seconds=unsaved if unsaved > SAVE_LATE_SECONDS else 0.0,
        free_bytes=free if free is not None and free < LOW_DISK_BYTES else None,
        step=last_step(status.steps, status.steady_seconds),
    )


def _of_logs(status: ServiceStatus, evidence: Evidence) -> Evidence:
    look, newest = status.look, status.newest
    logs = len(look.logs) + len(look.rolls) if look else 0
    never_used = status.silence.last_used_at is None
    problems = look.problems[:MAX_PROBLEMS] if look else ()
    return replace(
        evidence,
        reader=look.state if look else "stopped",
        log_problems=tuple(displayable(problem) for problem in problems),
        logs=logs,
        logs_come_later=not logs and (never_used or is_in_memory(status.config.logs)),
        since_start=newest.since_start,
        last_hour=newest.last_hour,
        impossible_at=newest.impossible_at,
        causes=newest.causes(status.packages) if newest.sample else {},
        silence=status.silence,
    )


def last_step(
    steps: deque[tuple[int, int]] | list[tuple[int, int]], steady_seconds: int
) -> tuple[int, int] | None:
    """The last large step of the clock, as long as it has not been steady for a day since."""
    large = [step for step in list(steps) if abs(step[1]) > JUMP_SECONDS]
    return large[-1] if large and steady_seconds < STEADY_SECONDS else None


def read_silence(reader: Reader, zone: ZoneInfo, now: int) -> Silence:
    """How long no package was used, and what this hotspot usually does at such times."""
    hours = HourlyFigures(reader.connection).hours(now - HABITS_SECONDS, now + HOUR_SECONDS)
    used = {hour: figures.minutes_in_use for hour, figures in hours.items()}
    minutes_on = {hour: figures.minutes_on for hour, figures in hours.items()}
    return silence_of(used, minutes_on, zone, now)
