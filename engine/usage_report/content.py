"""What a usage report says of a period, before it is put into words: figures and their context."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from zoneinfo import ZoneInfo

from engine import kpis
from engine.figures.answers import INSIDE
from engine.figures.comparison import comparison, sides_of
from engine.figures.figures import Figures, Json, Part
from engine.figures.stretch import Span, stretch_of_period
from engine.kpis import total_usage
from engine.kpis.hourly import PackageUse
from engine.kpis.model import DURATION, NO_DATA, Summary
from engine.report import Report
from engine.times import (
    MINUTE_SECONDS,
    Period,
    latest_possible,
    local_day,
    local_hour,
    previous_period,
)


@dataclass(frozen=True)
class Figure:
    """One number of a KPI, beside that of the period before."""

    name: str
    """`KPI.metric`, which is the key of its text."""
    title: str
    """What it is called in a language without such a text."""
    value: int
    before: int
    is_duration: bool


@dataclass(frozen=True)
class Bar:
    """One bar of the chart: visits and minutes on in an hour, a day or a month."""

    unit: str
    """`hour`, `day` or `month`."""
    day: date
    hour: int
    visits: int
    minutes: int
    most: int
    """So many minutes there are in it."""
    counted: bool
    """Whether it has figures: zero visits are nobody who came then."""


@dataclass(frozen=True)
class Package:
    """One package of the period."""

    title: str
    visits: int
    visits_before: int
    minutes: int


@dataclass(frozen=True)
class Content:
    """All that a report shows."""

    period: Period
    before: Period | None
    figures: list[Figure]
    packages: list[Package]
    """The most visited first."""
    bars: list[Bar]
    days_on: int | None
    """None where of a part only the total is known."""
    days: int
    """Those that have begun, from the one on which counting began."""
    counted_from: int | None
    """The first minute that was ever counted."""
    running: bool
    has_figures: bool
    fair: bool
    """Whether this period and the one before were both counted from beginning to end."""
    missing_days: int
    """Days without figures in the two, of weekdays that usually have some."""
    clock_steps: list[tuple[int, int]]
    """When the clock was set in the period, and by how many seconds."""


def content_of(report: Report, period: Period, now: int) -> Content:
    """Gather what is shown of a period. One reading of the database."""
    with report.reader.snapshot():
        summary = report.summary(period)
        before = previous_period(period, report.zone)
        was = report.summary(before) if before else NO_DATA
        since = report.reader.first_minute(latest_possible(now))
        steps = report.reader.clock_steps(period.start, period.end)
        read, known = report.figure_source(now)
        shown = _Shown(Figures(read, known), period, before)
        sides = sides_of(shown.stretch, "before", known)
        found = comparison(shown.figures, sides, known) if sides and period.end <= now else {}
        figures, packages = shown.of_kpis(summary, was), shown.packages()
        parts = list(shown.figures.parts(shown.stretch, INSIDE[period.kind]))
        total = shown.figures.total(Span(period.start, period.end))
    return Content(
        period=period,
        before=before,
        figures=figures,
        packages=packages,
        bars=[_bar(part, INSIDE[period.kind], report.zone) for part in parts],
        days_on=None if total["totalOnly"] else total["daysOn"],
        days=_counted_days(total, period, report.zone),
        counted_from=since,
        running=period.end > now,
        has_figures=summary.has_data(),
        fair=found.get("fair", False),
        missing_days=found.get("missingDays", 0),
        clock_steps=steps,
    )


class _Shown:
    """Figures of a period beside those of the period before."""

    def __init__(self, figures: Figures, period: Period, before: Period | None) -> None:
        self.figures = figures
        self.stretch = stretch_of_period(period, figures.zone)
        self._span = Span(period.start, period.end)
        self._before = Span(before.start, before.end) if before else Span(0, 0)

    def of_kpis(self, summary: Summary, was: Summary) -> list[Figure]:
        """The headlines of every KPI. A time in use is at most the time on, in every hour."""
        found = []
        for kpi in kpis.ALL:
            before, after = (kpi.headline(kpi.compute(of)) for of in (was, summary))
            if kpi is total_usage:
                [metric] = after
                after = {metric: self.figures.sum(self._span).minutes_in_use}
                before = {metric: self.figures.sum(self._before).minutes_in_use}
            for metric, value in after.items():
                name = f"{kpi.name}.{metric}"
                is_duration = kpi.unit is DURATION
                title = kpi.title.capitalize()
                found.append(Figure(name, title, value, before[metric], is_duration))
        return found

    def packages(self) -> list[Package]:
        """Every package, the most visited first."""
        uses, before = self.figures.packages(self._span), self.figures.packages(self._before)
        packages = [
            Package(title, use.visits, before.get(title, PackageUse()).visits, use.minutes_in_use)
            for title, use in uses.items()
        ]
        return sorted(packages, key=lambda it: (-it.visits, -it.minutes, it.title))


def _counted_days(total: Json, period: Period, zone: ZoneInfo) -> int:
    first = local_day(total["countedFrom"] or period.start, zone)
    days: int = total["days"] - (first - local_day(period.start, zone)).days
    return max(1, days)


def _bar(part: Part, unit: str, zone: ZoneInfo) -> Bar:
    return Bar(
        unit,
        local_day(part.start, zone),
        local_hour(part.start, zone),
        part.figures.visits,
        part.figures.minutes_on,
        (part.end - part.start) // MINUTE_SECONDS,
        part.state == "counted",
    )
