"""What people read of each hour, and of each package, made from the records of any stretch of time.

An hour of the running states is included. In every hour, a time in use is at most the time that the
hotspot was on: slots of ten minutes would add up to more (`docs/adr/0030-use-within-uptime.md`).
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from typing import Final

from engine.indicators import (
    package_home_visit,
    shared_files_operations,
    total_usage_by_package,
    total_usage_overall,
    uptime,
)
from engine.inputs.model import FILE_CREATED, FILE_DELETED
from engine.kpis.hourly import (
    HourFigures,
    PackageUse,
    Values,
    add_use,
    figures_of,
    package_uses,
)
from engine.store.hourly_records import read_hourly_records
from engine.store.merging import HOURLY_VALUES, Part, merged_value
from engine.times import HOUR_SECONDS

_HOURLY_VALUES: Final = HOURLY_VALUES.format(first="?1", end="?2")
_IDS: Final = {
    "home": package_home_visit.id,
    "used": total_usage_overall.id,
    "package_used": total_usage_by_package.id,
    "on": uptime.id,
    "files": shared_files_operations.id,
    "nothing": 0,
    "created": f"(SELECT id FROM dimension WHERE value0 = '{FILE_CREATED}')",
    "deleted": f"(SELECT id FROM dimension WHERE value0 = '{FILE_DELETED}')",
    "values": _HOURLY_VALUES,
}

_HOURS: Final = """
SELECT hour, sum(iif(indicator_id = {home}, value, 0)), sum(iif(indicator_id = {used}, value, 0)),
sum(iif(indicator_id = {on}, value, 0)),
sum(iif(indicator_id = {files} AND dimension_id = {created}, value, 0)),
sum(iif(indicator_id = {files} AND dimension_id = {deleted}, value, 0))
FROM ({values}) GROUP BY hour
""".format(**_IDS)

_PACKAGES: Final = """
WITH known AS MATERIALIZED ({values}),
uptime AS MATERIALIZED (SELECT hour, value AS minutes FROM known WHERE indicator_id = {on})
SELECT value0, sum(iif(indicator_id = {home}, value, 0)),
sum(iif(indicator_id = {package_used}, min(value, coalesce(minutes, 0)), 0))
FROM known LEFT JOIN uptime USING (hour) JOIN dimension ON dimension.id = dimension_id
WHERE indicator_id IN ({home}, {package_used}) GROUP BY dimension_id
""".format(**_IDS)

_PACKAGE_HOURS: Final = """
SELECT hour, sum(iif(indicator_id = {home}, value, 0)),
sum(iif(indicator_id = {package_used}, value, 0))
FROM ({values}) WHERE indicator_id IN ({home}, {package_used})
AND dimension_id = (SELECT id FROM dimension WHERE value0 = ?3) GROUP BY hour
""".format(**_IDS)


class HourlyFigures:
    """Reads figures through one connection. To be used within one snapshot."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._running = _RunningHours(connection)

    def hours(self, start: int, end: int) -> dict[int, HourFigures]:
        """Every hour in `[start, end)` that has a record or a state, ascending."""
        found = {
            hour: HourFigures(visits, min(used, on), on, created, deleted)
            for hour, visits, used, on, created, deleted in self._connection.execute(
                _HOURS, (start, end)
            )
        }
        running = self._running.hours_in(start, end)
        if not running:
            return found
        return dict(sorted({**found, **{hour: figures_of(of) for hour, of in running}}.items()))

    def packages(self, start: int, end: int) -> dict[str, PackageUse]:
        """Every package that was visited or used in `[start, end)`."""
        found: dict[str, PackageUse] = {}
        spans = _around(start, end, [hour for hour, _ in self._running.hours_in(start, end)])
        for span in spans:
            for title, *use in self._connection.execute(_PACKAGES, span):
                add_use(found, title, PackageUse(*use))
        for _, values in self._running.hours_in(start, end):
            for title, use in package_uses(values).items():
                add_use(found, title, use)
        return {title: use for title, use in found.items() if any(use)}

    def package_hours(self, title: str, start: int, end: int) -> dict[int, PackageUse]:
        """The hours in which a package was visited or used; a time in use as it was recorded."""
        found = {
            hour: PackageUse(visits, used)
            for hour, visits, used in self._connection.execute(_PACKAGE_HOURS, (start, end, title))
        }
        for hour, values in self._running.hours_in(start, end):
            found[hour] = PackageUse(
                values.get((package_home_visit.id, title), 0),
                values.get((total_usage_by_package.id, title), 0),
            )
        return found


class _RunningHours:
    """The hours that have saved states, with their records; few, and most often one."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._hours: dict[int, Values] = {
            hour: _values_of(connection, hour)
            for (hour,) in connection.execute("SELECT DISTINCT hour FROM state").fetchall()
        }

    def hours_in(self, start: int, end: int) -> list[tuple[int, Values]]:
        return [(hour, of) for hour, of in sorted(self._hours.items()) if start <= hour < end]


def _values_of(connection: sqlite3.Connection, hour: int) -> Values:
    parts: dict[tuple[int, str], list[Part]] = {}
    for record in read_hourly_records(connection, hour, hour + HOUR_SECONDS):
        key = (record.indicator_id, record.dimension)
        parts.setdefault(key, []).append((record.value, record.minutes))
    return {key: merged_value(key[0], of) for key, of in parts.items()}


def _around(start: int, end: int, hours: Iterable[int]) -> list[tuple[int, int]]:
    """`[start, end)` without some of its hours, as spans."""
    spans = []
    for hour in hours:
        spans.append((start, hour))
        start = hour + HOUR_SECONDS
    spans.append((start, end))
    return [(first, last) for first, last in spans if first < last]
