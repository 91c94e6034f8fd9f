"""Stretches of days, and the ones that they are compared with: pure calendar, in one zone."""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from engine.times import (
    HOUR_SECONDS,
    Period,
    day_start,
    first_day,
    hour_of,
    label_of,
    local_day,
    local_hour,
    next_first_day,
)

FIRST_YEAR: Final = 1971
LAST_YEAR: Final = 9998
"""Outside of these there is no instant that a clock can hold."""
_DAY: Final = timedelta(days=1)
_YEAR_OF_WEEKS: Final = timedelta(weeks=52)


@dataclass(frozen=True)
class Stretch:
    """Local days, both included, as `[start, end)` in epoch seconds."""

    first: date
    last: date
    start: int
    end: int

    @property
    def days(self) -> int:
        """How many days it has."""
        return (self.last - self.first).days + 1

    @property
    def months(self) -> int:
        """How many months it has, where they are whole; else 0."""
        if self.first.day != 1 or (self.last + _DAY).day != 1:
            return 0
        return _month_number(self.last) - _month_number(self.first) + 1

    @property
    def label(self) -> str | None:
        """The label of the day, week, month or year that it is; None for another stretch."""
        for kind in "DWMY":
            label = label_of(kind, self.first)
            first = first_day(kind, label)
            if first == self.first and next_first_day(kind, first) == self.last + _DAY:
                return label
        return None


@dataclass(frozen=True)
class Span:
    """`[start, end)` in epoch seconds, for one side of a comparison."""

    start: int
    end: int


def stretch_of(first: date, last: date, zone: ZoneInfo) -> Stretch:
    """The stretch of the days from `first` to `last`."""
    return Stretch(first, last, day_start(first, zone), day_start(last + _DAY, zone))


def stretch_of_period(period: Period, zone: ZoneInfo) -> Stretch:
    """The days of a period."""
    return Stretch(
        local_day(period.start, zone), local_day(period.end - 1, zone), period.start, period.end
    )


def before(stretch: Stretch, zone: ZoneInfo) -> Stretch | None:
    """As many whole months before a stretch of whole months; else as many days before."""
    if stretch.months:
        first = _months_later(stretch.first, -stretch.months)
    else:
        first = stretch.first - timedelta(days=stretch.days)
    return _known(first, stretch.first - _DAY, zone)


def year_before(stretch: Stretch, zone: ZoneInfo) -> Stretch | None:
    """The same dates one year earlier; of whole weeks, 52 weeks, so that weekdays match."""
    if not stretch.months and stretch.first.isoweekday() == 1 and stretch.days % 7 == 0:
        return _known(stretch.first - _YEAR_OF_WEEKS, stretch.last - _YEAR_OF_WEEKS, zone)
    first = _months_later(stretch.first, -12)
    last = _months_later(stretch.last + _DAY, -12) - _DAY
    if first.day != stretch.first.day or last < first:
        return None  # 29 February
    return _known(first, last, zone)


def so_far(stretch: Stretch, other: Stretch, now: int, zone: ZoneInfo) -> tuple[Span, Span]:
    """Both sides of a comparison: whole, or up to the last full hour of one that is running."""
    if stretch.end <= now:
        return Span(stretch.start, stretch.end), Span(other.start, other.end)
    until = max(hour_of(now), stretch.start)
    local = datetime.fromtimestamp(until, zone)
    day = _same_day(local.date(), stretch, other)
    if day is None:
        moved = other.end
    else:
        at = datetime(day.year, day.month, day.day, local.hour, local.minute, tzinfo=zone)
        moved = min(int(at.timestamp()), other.end)
    return Span(stretch.start, until), Span(other.start, moved)


def day_span(day: date, zone: ZoneInfo) -> tuple[int, int]:
    """When a local day begins and ends."""
    return day_start(day, zone), day_start(day + _DAY, zone)


def days_of(span: Span, zone: ZoneInfo) -> Iterator[date]:
    """The local days that a span touches."""
    if span.start >= span.end:
        return
    day, last = local_day(span.start, zone), local_day(span.end - 1, zone)
    while day <= last:
        yield day
        day += _DAY


def rows_of(stretch: Stretch, kind: str, zone: ZoneInfo) -> Iterator[tuple[str, int, int]]:
    """(label, start, end) of each day, week or month, those at the edges cut to the stretch."""
    day = stretch.first
    while day <= stretch.last:
        label = label_of(kind, day)
        first = first_day(kind, label) or day
        following = next_first_day(kind, first)
        start = day_start(day, zone)
        end = stretch.end if following > stretch.last else day_start(following, zone)
        yield label, start, end
        day = following


def hours_of(stretch: Stretch, zone: ZoneInfo) -> Iterator[tuple[str, int, int]]:
    """(label, start, end) of each hour that starts in the stretch. Asks the zone once a day."""
    day = stretch.first
    while day <= stretch.last:
        text, (start, end) = day.isoformat(), day_span(day, zone)
        is_plain = end - start == 24 * HOUR_SECONDS
        for hour in range(-(-start // HOUR_SECONDS) * HOUR_SECONDS, end, HOUR_SECONDS):
            number = (hour - start) // HOUR_SECONDS if is_plain else local_hour(hour, zone)
            yield f"{text}T{number:02d}", hour, hour + HOUR_SECONDS
        day += _DAY


def _same_day(day: date, stretch: Stretch, other: Stretch) -> date | None:
    """The day of the other stretch that is as far into it; None where that has no such day."""
    if stretch.months and other.months:
        months = _month_number(other.first) - _month_number(stretch.first)
        moved = _months_later(day, months)
        return moved if moved.day == day.day else _months_later(day.replace(day=1), months + 1)
    moved = other.first + (day - stretch.first)
    return moved if moved <= other.last else None


def _month_number(day: date) -> int:
    return day.year * 12 + day.month - 1


def _months_later(day: date, months: int) -> date:
    """The same day of another month, or its last one."""
    year, month = divmod(_month_number(day) + months, 12)
    return date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))


def _known(first: date, last: date, zone: ZoneInfo) -> Stretch | None:
    return stretch_of(first, last, zone) if first.year >= FIRST_YEAR else None
