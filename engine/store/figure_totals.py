"""Keeps what figures of any stretch are read from: sums by hour, and by package and week.

They change in the transaction of an hour's records. The sums of a week are made when a later week
has records, so that the end of an hour costs nothing for them, and move by the difference that late
lines make. Weeks are of 604,800 seconds, so that no zone moves them.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
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
Uses = dict[int, PackageUse]
"""Dimension id -> use."""
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


def week_of(hour: int) -> int:
    """The week of an hour, by its start."""
    return hour // WEEK_SECONDS * WEEK_SECONDS


def newest_week(connection: sqlite3.Connection) -> int | None:
    """The newest week with records, whose sums are made when it is over."""
    (hour,) = connection.execute("SELECT max(hour) FROM hour_figures").fetchone()
    return None if hour is None else week_of(hour)


class FigureTotals:
    """Writes both tables through one connection."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def change(self, changed: Mapping[int, tuple[Values, Values]]) -> None:
        """Records of hours had some values before, and have others. Dimensions are ids."""
        newest = newest_week(self._connection)
        table, nothing_and_files = tables_at()["hour_figures"], self._dimensions()
        rows = [(hour, *figures_of(to, nothing_and_files)) for hour, (_, to) in changed.items()]
        self._connection.executemany(table.insert(*table.columns, replace=True), rows)
        for hour, (before, after) in sorted(changed.items()):
            week = week_of(hour)
            if newest is not None and week < newest:
                uses = (package_uses(values, nothing=0) for values in (before, after))
                self._change_week(week, *uses)
            elif newest is not None and week > newest:
                self._remake_week(newest)
            newest = max(week, newest or week)

    def _change_week(self, week: int, before: Uses, after: Uses) -> None:
        """Move the sums of a week by the difference between two uses of one of its hours."""
        known = self._week(week)
        rows = []
        for dimension, use in after.items():
            less = before.get(dimension, _NOTHING)
            if use != less:
                old = known.get(dimension, _NOTHING)
                visits = old.visits + use.visits - less.visits
                minutes = old.minutes_in_use + use.minutes_in_use - less.minutes_in_use
                rows.append((week, dimension, visits, minutes))
        table = tables_at()["package_figures"]
        self._connection.executemany(table.insert(*table.columns, replace=True), rows)

    def _remake_week(self, week: int, first: int = 0) -> None:
        """Make the sums of a week from its records, of the hours from `first` on."""
        self._connection.execute("DELETE FROM package_figures WHERE week = ?", (week,))
        self._add_packages(max(first, week), week + WEEK_SECONDS)

    def remove(self, before: int) -> None:
        """The records of hours before an instant were removed."""
        self._connection.execute("DELETE FROM hour_figures WHERE hour < ?", (before,))
        self._connection.execute("DELETE FROM package_figures WHERE week < ?", (week_of(before),))
        self._remake_week(week_of(before), before)

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
