"""Reads the figures of stretches of time: in all, by package, and by hour, day, week and month."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from typing import Any, Final, NamedTuple
from zoneinfo import ZoneInfo

from engine.figures.stretch import Span, Stretch, day_span, days_of, hours_of, rows_of
from engine.kpis.hourly import (
    HourFigures,
    PackageUse,
    Values,
    add_use,
    figures_of,
    package_uses,
    total_json,
)
from engine.store.hourly_figures import HourlyFigures
from engine.store.reader import Sums
from engine.times import HOUR_SECONDS, Period, day_start, latest_possible, local_day, local_hour

Json = dict[str, Any]

Days = dict[date, HourFigures | None]
"""Local days in order; None for a day without any figure."""

DAY_SECONDS: Final = 24 * HOUR_SECONDS
HOURS_OF_WEEK: Final = 7 * 24
KINDS: Final = {"day": "D", "week": "W", "month": "M"}
"""What rows may be of -> kind of the period."""


@dataclass(frozen=True)
class TotalOnly:
    """A period of which the total is known, and not all hours: imported, or of removed records."""

    period: Period
    hours_from: int
    """From here on its hours are known."""
    read_sums: Callable[[], Sums]

    @cached_property
    def _values(self) -> Values:
        sums = self.read_sums()
        return {(key, title): n for key, of in sums.items() for title, n in of.items()}

    @cached_property
    def figures(self) -> HourFigures:
        """The figures of the hotspot."""
        return figures_of(self._values)

    @cached_property
    def packages(self) -> dict[str, PackageUse]:
        """The figures of each package."""
        return package_uses(self._values)


@dataclass(frozen=True)
class Known:
    """What there are figures of, as of now."""

    zone: ZoneInfo
    now: int
    first_minute: int | None
    """The first minute that was counted; of a possible date."""
    totals_only: tuple[TotalOnly, ...] = ()

    @property
    def counted_from(self) -> int | None:
        """When the figures of possible dates begin, those without hours included."""
        starts = [only.period.start for only in self.totals_only]
        known = [start for start in starts if start < latest_possible(self.now)]
        known += [] if self.first_minute is None else [self.first_minute]
        return min(known, default=None)

    def without_hours(self, start: int, end: int) -> bool:
        """Whether a time is, in part, one of which only totals are known."""
        return any(only.period.start < end and start < only.hours_from for only in self.totals_only)

    def whole_totals(self, span: Span) -> list[TotalOnly]:
        """The largest periods without hours that lie within a span, none in another."""
        found: list[TotalOnly] = []
        for only in sorted(self.totals_only, key=lambda it: it.period.start - it.period.end):
            period = only.period
            inside = span.start <= period.start and period.end <= span.end
            if inside and all(
                period.end <= it.period.start or it.period.end <= period.start for it in found
            ):
                found.append(only)
        return found


class Part(NamedTuple):
    """An hour, day, week or month of a stretch."""

    label: str
    start: int
    end: int
    figures: HourFigures
    state: str


class Figures:
    """Figures of the hotspot or, with `package`, of one package. Within one snapshot."""

    def __init__(self, read: HourlyFigures, known: Known, package: str | None = None) -> None:
        self.zone = known.zone
        self._read = read
        self._known = known
        self._package = package
        self._packages: dict[Span, dict[str, PackageUse]] = {}

    def sum(self, span: Span) -> HourFigures:
        """The figures of a span."""
        return self._sum_of(self._hours(span), self._known.whole_totals(span))

    def total(self, span: Span) -> Json:
        """`FiguresTotal` of `openapi.yaml`."""
        known = self._known
        hours = self._hours(span)
        begun = Span(span.start, min(span.end, known.now + 1))
        by_day = self._by_day(hours, begun)
        days = [day for day in by_day.values() if day is not None]
        since = known.counted_from
        used = None if self._package is not None else sum(map(bool, self.packages(span)))
        return {
            **total_json(self.sum(span), used),
            "countedFrom": None if since is None or since >= span.end else max(since, span.start),
            "days": len(by_day),
            "daysOn": sum(1 for day in days if day.minutes_on),
            "daysInUse": sum(1 for day in days if day.minutes_in_use),
            "daysWithoutFigures": len(self._without_figures(by_day)),
            "totalOnly": bool(known.whole_totals(span)),
        }

    def packages(self, span: Span) -> dict[str, PackageUse]:
        """What every package was used; each span is added up once."""
        if span not in self._packages:
            self._packages[span] = self._add_up_packages(span)
        return self._packages[span]

    def _add_up_packages(self, span: Span) -> dict[str, PackageUse]:
        found: dict[str, PackageUse] = {}
        start = span.start
        only = sorted(self._known.whole_totals(span), key=lambda it: it.period.start)
        for total in only:
            for title, use in total.packages.items():
                add_use(found, title, use)
        for end, following in [
            *((it.period.start, it.period.end) for it in only),
            (span.end, span.end),
        ]:
            if start < end:
                for title, use in self._read.packages(start, end).items():
                    add_use(found, title, use)
            start = following
        return found

    def rows(self, stretch: Stretch, by: str) -> list[Json]:
        """`FiguresRow` of every part of a stretch, in order."""
        of_package = self._package is not None
        return [
            {
                "label": part.label,
                "start": part.start,
                "end": part.end,
                **part.figures.as_json(of_package=of_package),
                "state": part.state,
            }
            for part in self.parts(stretch, by)
        ]

    def parts(self, stretch: Stretch, by: str) -> Iterator[Part]:
        """Every hour, day, week or month of a stretch, in order."""
        hours = self._hours(Span(stretch.start, stretch.end))
        instants = sorted(hours)
        zone = self._known.zone
        parts = hours_of(stretch, zone) if by == "hour" else rows_of(stretch, KINDS[by], zone)
        for label, start, end in parts:
            between = instants[bisect_left(instants, start) : bisect_left(instants, end)]
            inside = {hour: hours[hour] for hour in between}
            has_totals = self._known.without_hours(start, end)
            whole = self._known.whole_totals(Span(start, end)) if has_totals else []
            state = self._state(start, end, counted=bool(inside))
            yield Part(label, start, end, self._sum_of(inside, whole), state)

    def hours_of_week(self, stretch: Stretch) -> list[Json]:
        """`HourOfWeek` of each hour of a week, from Monday 0:00 on, summed over a stretch."""
        cells: list[list[HourFigures]] = [[] for _ in range(HOURS_OF_WEEK)]
        place = _place_in_week(self._known.zone)
        for hour, figures in self._hours(Span(stretch.start, stretch.end)).items():
            cells[place(hour)].append(figures)
        return [
            {
                "weekday": number // 24 + 1,
                "hour": number % 24,
                **_sum(cell).as_json(of_package=self._package is not None),
                "hoursCounted": len(cell),
            }
            for number, cell in enumerate(cells)
        ]

    def days(self, span: Span) -> tuple[set[date], set[date]]:
        """The days of a span with figures, and those on which figures are missing."""
        by_day = self._by_day(self._hours(span), span)
        return {day for day, of in by_day.items() if of is not None}, self._without_figures(by_day)

    def has_figures(self, span: Span) -> bool:
        """Whether anything is known of a span."""
        return bool(self._hours(span)) or bool(self._known.whole_totals(span))

    def _hours(self, span: Span) -> dict[int, HourFigures]:
        return self._read.hours(span.start, span.end, self._package)

    def _sum_of(self, hours: Mapping[int, HourFigures], only: Sequence[TotalOnly]) -> HourFigures:
        """Hours and totals of periods, which the hours within them are a part of."""
        counted = (
            figures
            for hour, figures in hours.items()
            if not any(total.period.start <= hour < total.period.end for total in only)
        )
        return _sum([*counted, *(self._figures_of(total) for total in only)])

    def _figures_of(self, only: TotalOnly) -> HourFigures:
        if self._package is None:
            return only.figures
        return only.figures.with_use(only.packages.get(self._package, PackageUse()))

    def _by_day(self, hours: Mapping[int, HourFigures], span: Span) -> Days:
        zone = self._known.zone
        instants = sorted(hours)
        days = list(days_of(span, zone))
        ends = [day_start(day, zone) for day in days[1:]] + [span.end]
        found: Days = {}
        place = 0
        for day, end in zip(days, ends, strict=False):
            until = bisect_left(instants, end)
            inside = instants[place:until]
            found[day] = _sum(hours[hour] for hour in inside) if inside else None
            place = until
        return found

    def _without_figures(self, days: Days) -> set[date]:
        """The days on which something was to be counted, and nothing was."""
        known = self._known
        since = known.counted_from
        if since is None:
            return set()
        first, today = local_day(since, known.zone), local_day(known.now, known.zone)
        found = {day for day, of in days.items() if of is None and first <= day <= today}
        return {day for day in found if not known.without_hours(*day_span(day, known.zone))}

    def _state(self, start: int, end: int, *, counted: bool) -> str:
        known = self._known
        since = known.counted_from
        if counted:
            return "counted"
        if start > known.now:
            return "to-come"
        if known.without_hours(start, end):
            return "total-only"
        if since is None or end <= since:
            return "not-yet"
        return "no-figures"


def _sum(figures: Iterable[HourFigures]) -> HourFigures:
    columns = list(zip(*figures, strict=True))
    return HourFigures(*map(sum, columns)) if columns else HourFigures()


def _place_in_week(zone: ZoneInfo) -> Callable[[int], int]:
    """Where an hour is in the local week: 0 for Monday 0:00 to 167. Asks the zone once a day."""
    start = end = first = 0

    def place(hour: int) -> int:
        nonlocal start, end, first
        if not start <= hour < end:
            day = local_day(hour, zone)
            start, end = day_span(day, zone)
            first = (day.isoweekday() - 1) * 24
        if end - start == DAY_SECONDS:
            return first + (hour - start) // HOUR_SECONDS
        return first + local_hour(hour, zone)

    return place
