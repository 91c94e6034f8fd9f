"""What people read of each hour, and of each package, made from the records of any stretch of time.

An hour of the running states is included. In every hour, a time in use is at most the time that the
hotspot was on: slots of ten minutes would add up to more (`docs/adr/0030-use-within-uptime.md`).
"""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from typing import Final

from engine.indicators import package_home_visit, total_usage_by_package
from engine.kpis.hourly import (
    HourFigures,
    PackageUse,
    Values,
    add_use,
    figures_of,
    package_uses,
)
from engine.store.figure_totals import PACKAGES_OF_RECORDS, WEEK_SECONDS, newest_week, week_of
from engine.store.hourly_records import read_hourly_records
from engine.store.merging import Part, merged_value
from engine.times import HOUR_SECONDS

_HOURS: Final = (
    "SELECT hour, visits, minutes_in_use, minutes_on, files_created, files_deleted "
    "FROM hour_figures WHERE hour >= ? AND hour < ? ORDER BY hour"
)
_WEEKS: Final = (
    "SELECT value0, sum(visits), sum(minutes_in_use) FROM package_figures "
    "JOIN dimension ON dimension.id = dimension_id WHERE week >= ? AND week < ? "
    "GROUP BY dimension_id"
)
_PACKAGES: Final = (
    f"SELECT value0, sum(visits), sum(minutes_in_use) FROM ({PACKAGES_OF_RECORDS}) "
    "JOIN dimension ON dimension.id = dimension_id GROUP BY dimension_id"
)
_PACKAGE_HOURS: Final = f"""
SELECT hour, sum(iif(indicator_id = {package_home_visit.id}, value, 0)),
sum(iif(indicator_id = {total_usage_by_package.id}, value, 0)) FROM (
    SELECT record.hour, indicator_id, CASE count(*) WHEN 1 THEN max(value) ELSE merged_value(
        indicator_id, group_concat(value || ':' || coalesce(minutes, ''))
    ) END AS value
    FROM hour_figures CROSS JOIN record ON record.hour = hour_figures.hour
    AND indicator_id IN ({package_home_visit.id}, {total_usage_by_package.id})
    AND dimension_id = (SELECT id FROM dimension WHERE value0 = ?3)
    WHERE hour_figures.hour >= ?1 AND hour_figures.hour < ?2 GROUP BY record.hour, indicator_id
) GROUP BY hour
"""
_RECORDS_OF_HOUR: Final = (
    "SELECT indicator_id, value0, value, minutes FROM record "
    "JOIN dimension ON dimension.id = dimension_id WHERE hour = ?"
)


class HourlyFigures:
    """Reads figures through one connection, each once. To be used within one snapshot."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._running = _RunningHours(connection)
        self._hours: dict[tuple[int, int, str | None], dict[int, HourFigures]] = {}
        self._packages: dict[tuple[int, int], dict[str, PackageUse]] = {}

    def hours(self, start: int, end: int, package: str | None = None) -> dict[int, HourFigures]:
        """Every hour in `[start, end)` that has a record or a state, ascending; with `package`,
        what that one was used in it, beside the minutes on.
        """
        key = (start, end, package)
        if key not in self._hours:
            self._hours[key] = (
                self._read_hours(start, end)
                if package is None
                else self._hours_of_package(package, self.hours(start, end))
            )
        return self._hours[key]

    def _read_hours(self, start: int, end: int) -> dict[int, HourFigures]:
        found = {
            hour: HourFigures(*figures)
            for hour, *figures in self._connection.execute(_HOURS, (start, end))
        }
        running = self._running.hours_in(start, end)
        if not running:
            return found
        found |= {hour: figures_of(with_states) for hour, _, with_states in running}
        return dict(sorted(found.items()))

    def packages(self, start: int, end: int) -> dict[str, PackageUse]:
        """Every package that was visited or used in `[start, end)`."""
        if (start, end) not in self._packages:
            self._packages[start, end] = self._read_packages(start, end)
        return self._packages[start, end]

    def _read_packages(self, start: int, end: int) -> dict[str, PackageUse]:
        """Whole weeks are read as such; the hours around them, and those of the newest week, of
        which there are no sums yet, are summed up here.
        """
        newest = newest_week(self._connection) or 0
        first, last = week_of(start + WEEK_SECONDS - 1), min(week_of(end), newest)
        parts = [(_PACKAGES, start, end)]
        if first < last:
            parts = [(_PACKAGES, start, first), (_WEEKS, first, last), (_PACKAGES, last, end)]
        found: dict[str, PackageUse] = {}
        for sql, *span in parts:
            if span[0] < span[1]:
                for title, *use in self._connection.execute(sql, span):
                    add_use(found, title, PackageUse(*use))
        for _, without, with_states in self._running.hours_in(start, end):
            for title, use in package_uses(without).items():
                add_use(found, title, PackageUse(-use.visits, -use.minutes_in_use))
            for title, use in package_uses(with_states).items():
                add_use(found, title, use)
        return {title: use for title, use in found.items() if any(use)}

    def _hours_of_package(
        self, title: str, hours: dict[int, HourFigures]
    ) -> dict[int, HourFigures]:
        if not hours:
            return {}
        span = (min(hours), max(hours) + HOUR_SECONDS)
        found = {
            hour: PackageUse(visits, used)
            for hour, visits, used in self._connection.execute(_PACKAGE_HOURS, (*span, title))
        }
        for hour, _, values in self._running.hours_in(*span):
            found[hour] = package_uses(values).get(title, PackageUse())
        nothing = PackageUse()
        return {hour: of.with_use(found.get(hour, nothing)) for hour, of in hours.items()}


class _RunningHours:
    """The hours that have saved states: their values without and with these; most often one."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._hours = [
            (hour, *_values_of(connection, hour))
            for (hour,) in connection.execute("SELECT DISTINCT hour FROM state").fetchall()
        ]

    def hours_in(self, start: int, end: int) -> list[tuple[int, Values, Values]]:
        return [found for found in self._hours if start <= found[0] < end]


def _values_of(connection: sqlite3.Connection, hour: int) -> tuple[Values, Values]:
    """The values of an hour, from its records and from its states too."""
    stored: dict[tuple[int, str], list[Part]] = defaultdict(list)
    for indicator_id, title, value, minutes in connection.execute(_RECORDS_OF_HOUR, (hour,)):
        stored[indicator_id, title].append((value, minutes))
    whole: dict[tuple[int, str], list[Part]] = defaultdict(list)
    for record in read_hourly_records(connection, hour, hour + HOUR_SECONDS):
        whole[record.indicator_id, record.dimension].append((record.value, record.minutes))
    without, with_states = (
        {key: merged_value(key[0], parts) for key, parts in of.items()} for of in (stored, whole)
    )
    return without, with_states
