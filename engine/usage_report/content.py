"""What a usage report says of a period, before it is put into words: figures and their context."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from itertools import groupby
from typing import Any

from engine import kpis
from engine.indicators import package_home_visit, total_usage_by_package
from engine.kpis.model import DURATION, NO_DATA, Summary
from engine.report import Report
from engine.times import HOUR_SECONDS, Period, local_day, local_hour, previous_period

DAY_SECONDS = 24 * HOUR_SECONDS


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
    """One bar of the chart: minutes on in an hour, a day or a month."""

    unit: str
    """`hour`, `day` or `month`."""
    day: date
    hour: int
    minutes: int
    most: int
    """So many minutes there are in it."""


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
    days_on: int
    days: int
    counted_from: int | None
    """The first minute that was ever counted."""
    running: bool
    has_figures: bool
    fair: bool
    """Whether this period and the one before were both counted from beginning to end."""
    clock_steps: list[tuple[int, int]]
    """When the clock was set in the period, and by how many seconds."""


def content_of(report: Report, period: Period, now: int) -> Content:
    """Gather what is shown of a period. One reading of the database."""
    with report.reader.snapshot():
        summary = report.summary(period)
        before = previous_period(period, report.zone)
        was = report.summary(before) if before else NO_DATA
        since = report.reader.first_minute()
        uptime = None if report.is_gone(period) else report.uptime(period)
        steps = report.reader.clock_steps(period.start, period.end)
        by_day = _minutes_by_day(report, period, uptime)
    running = period.end > now
    return Content(
        period=period,
        before=before,
        figures=_figures(summary, was),
        packages=_packages(summary, was),
        bars=_bars(report, period, uptime, by_day),
        days_on=sum(1 for minutes in by_day.values() if minutes),
        days=len(by_day),
        counted_from=since,
        running=running,
        has_figures=summary.has_data(),
        fair=not running and _was_counted(before, was, since),
        clock_steps=steps,
    )


def _was_counted(before: Period | None, summary: Summary, since: int | None) -> bool:
    """Whether the period before was counted from its beginning, but for hours of its first day."""
    if before is None or since is None or not summary.has_data():
        return False
    return since <= before.start + (0 if before.kind == "D" else DAY_SECONDS)


def _figures(summary: Summary, before: Summary) -> list[Figure]:
    found = []
    for kpi in kpis.ALL:
        was = kpi.headline(kpi.compute(before))
        for metric, value in kpi.headline(kpi.compute(summary)).items():
            is_duration = kpi.unit is DURATION
            found.append(
                Figure(
                    f"{kpi.name}.{metric}", kpi.title.capitalize(), value, was[metric], is_duration
                )
            )
    return found


def _packages(summary: Summary, before: Summary) -> list[Package]:
    visits, was = summary.sums_of(package_home_visit), before.sums_of(package_home_visit)
    minutes = summary.sums_of(total_usage_by_package)
    packages = [
        Package(title, visits.get(title, 0), was.get(title, 0), minutes.get(title, 0))
        for title in {*visits, *minutes}
    ]
    return sorted(packages, key=lambda package: (-package.visits, -package.minutes, package.title))


def _minutes_by_day(report: Report, period: Period, uptime: Any) -> dict[date, int]:
    """Minutes on of every day of a period."""
    first = local_day(period.start, report.zone)
    days = (local_day(period.end - 1, report.zone) - first).days + 1
    by_day = {first + timedelta(days=n): 0 for n in range(days)}
    if uptime and uptime["unit"] == "hour":
        for number, minutes in enumerate(uptime["minutes"]):
            by_day[local_day(period.start + number * HOUR_SECONDS, report.zone)] += minutes
    elif uptime:
        by_day = dict(zip(by_day, uptime["minutes"], strict=True))
    return by_day


def _bars(report: Report, period: Period, uptime: Any, by_day: dict[date, int]) -> list[Bar]:
    if period.kind == "D":
        day = local_day(period.start, report.zone)
        hours = -(-(period.end - period.start) // HOUR_SECONDS)
        minutes = uptime["minutes"] if uptime else [0] * hours
        return [
            Bar("hour", day, local_hour(period.start + n * HOUR_SECONDS, report.zone), on, 60)
            for n, on in zip(range(hours), minutes, strict=True)
        ]
    if period.kind == "Y":
        months = groupby(by_day.items(), key=lambda item: item[0].replace(day=1))
        named = [(month, [minutes for _, minutes in days]) for month, days in months]
        return [Bar("month", day, 0, sum(found), 1440 * len(found)) for day, found in named]
    return [Bar("day", day, 0, minutes, 1440) for day, minutes in by_day.items()]
