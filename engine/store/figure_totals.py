"""Keeps what figures of any stretch are read from: sums by hour, and by package and week.

They change by the difference that an hour's records make, in the transaction of that hour. Weeks
are of 604,800 seconds, so that no zone moves them.
"""

from __future__ import annotations

import sqlite3
from typing import Final

from engine.indicators import (
    package_home_visit,
    shared_files_operations,
    total_usage_by_package,
    total_usage_overall,
    uptime,
)
from engine.inputs.model import FILE_CREATED, FILE_DELETED
from engine.kpis.hourly import PackageUse, Values, figures_of, package_uses
from engine.store.merging import HOURLY_VALUES
from engine.store.schema import tables_at

WEEK_SECONDS: Final = 604_800
_FILES: Final = shared_files_operations.id
_HOURLY_VALUES: Final = HOURLY_VALUES.format(first="?1", end="?2")
_NOTHING: Final = PackageUse()
_FIRST: Final = 0
_END: Final = 1 << 60

_HOURS_OF_RECORDS: Final = f"""
SELECT hour, visits, min(used, minutes_on) AS minutes_in_use, minutes_on, files_created,
files_deleted FROM (
    SELECT hour, sum(iif(indicator_id = {package_home_visit.id}, value, 0)) AS visits,
    sum(iif(indicator_id = {total_usage_overall.id}, value, 0)) AS used,
    sum(iif(indicator_id = {uptime.id}, value, 0)) AS minutes_on,
    sum(iif(indicator_id = {_FILES} AND value0 = '{FILE_CREATED}', value, 0)) AS files_created,
    sum(iif(indicator_id = {_FILES} AND value0 = '{FILE_DELETED}', value, 0)) AS files_deleted
    FROM ({_HOURLY_VALUES}) JOIN dimension ON dimension.id = dimension_id GROUP BY hour
)
"""
PACKAGES_OF_RECORDS: Final = f"""
SELECT hour, dimension_id, iif(indicator_id = {package_home_visit.id}, value, 0) AS visits,
iif(indicator_id = {total_usage_by_package.id}, min(value, minutes_on), 0) AS minutes_in_use
FROM ({_HOURLY_VALUES}) JOIN hour_figures USING (hour)
WHERE indicator_id IN ({package_home_visit.id}, {total_usage_by_package.id})
"""
"""What each package was used in the hours from ?1 to before ?2, which have their figures."""
_WEEKS_OF_RECORDS: Final = f"""
SELECT hour / {WEEK_SECONDS} * {WEEK_SECONDS} AS week, dimension_id, sum(visits) AS visits,
sum(minutes_in_use) AS minutes_in_use FROM ({PACKAGES_OF_RECORDS}) GROUP BY week, dimension_id
"""


class FigureTotals:
    """Writes both tables through one connection."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def change(self, hour: int, before: Values, after: Values) -> None:
        """An hour's records had some values, and have others. Dimensions are ids."""
        figures = figures_of(after, self._dimensions())
        table = tables_at()["hour_figures"]
        self._connection.execute(table.insert(*table.columns, replace=True), (hour, *figures))
        week = hour // WEEK_SECONDS * WEEK_SECONDS
        was, uses = package_uses(before, nothing=0), package_uses(after, nothing=0)
        changed = [dimension for dimension, use in uses.items() if was.get(dimension) != use]
        known = self._week(week)
        rows = []
        for dimension in changed:
            old = known.get(dimension, _NOTHING)
            less, more = was.get(dimension, _NOTHING), uses[dimension]
            visits = old.visits + more.visits - less.visits
            minutes = old.minutes_in_use + more.minutes_in_use - less.minutes_in_use
            rows.append((week, dimension, visits, minutes))
        table = tables_at()["package_figures"]
        self._connection.executemany(table.insert(*table.columns, replace=True), rows)

    def remove(self, before: int) -> None:
        """The records of hours before an instant were removed."""
        week = before // WEEK_SECONDS * WEEK_SECONDS
        self._connection.execute("DELETE FROM hour_figures WHERE hour < ?", (before,))
        self._connection.execute("DELETE FROM package_figures WHERE week <= ?", (week,))
        self._add_packages(before, week + WEEK_SECONDS)

    def recompute(self) -> None:
        """Make all rows again from the records."""
        self._connection.execute("DELETE FROM hour_figures")
        self._connection.execute("DELETE FROM package_figures")
        insert = tables_at()["hour_figures"].insert_selected(_HOURS_OF_RECORDS)
        self._connection.execute(insert, (_FIRST, _END))
        self._add_packages(_FIRST, _END)

    def _add_packages(self, start: int, end: int) -> None:
        insert = tables_at()["package_figures"].insert_selected(_WEEKS_OF_RECORDS)
        self._connection.execute(insert, (start, end))

    def _dimensions(self) -> tuple[int, int, int]:
        """The ids of nothing, and of files created and deleted; -1 for one that there is not."""
        ids = dict(
            self._connection.execute(
                "SELECT value0, id FROM dimension WHERE value0 IN (?, ?)",
                (FILE_CREATED, FILE_DELETED),
            ).fetchall()
        )
        return 0, ids.get(FILE_CREATED, -1), ids.get(FILE_DELETED, -1)

    def _week(self, week: int) -> dict[int, PackageUse]:
        return {
            dimension: PackageUse(visits, minutes)
            for dimension, visits, minutes in self._connection.execute(
                "SELECT dimension_id, visits, minutes_in_use FROM package_figures WHERE week = ?",
                (week,),
            )
        }
