"""What is read of a database: sums per period, labels, values of `meta`. Nothing here writes.

Sums are those of the stored totals or, for a period that is not stored, of its records; the saved
states of the running hour are added when they are read.
"""

from __future__ import annotations

import sqlite3
from collections import Counter, defaultdict
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

from engine.indicators import package_home_visit, total_usage_by_package, uptime
from engine.indicators.model import NO_DIMENSION, Key, States
from engine.store import database
from engine.store.fates import fates_in, sum_fates
from engine.store.hourly_records import HourlyRecord, read_hourly_records, record_hours
from engine.store.merging import HOURLY_VALUES, Part, merged_value, with_state
from engine.store.meta import MetaTable
from engine.store.transactions import storage_errors
from engine.times import (
    EARLIEST_POSSIBLE,
    LATEST_AT,
    MINUTE_SECONDS,
    PERIOD_KINDS,
    Period,
    labels_of_hour,
    latest_possible,
    period_of,
)

_HOURLY_VALUES: Final = HOURLY_VALUES.format(first="?1", end="?2")

Sums = dict[int, dict[str, int]]
"""indicator id -> dimension value0 -> value."""


class Reader:
    """Reads one database. One per thread."""

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self.path = path
        self.connection = connection

    @classmethod
    def open(cls, path: Path) -> Reader:
        """Open a database for reading only. Raises what `check_ours` raises."""
        return cls(path, database.open_reader(path))

    def close(self) -> None:
        """Close the connection."""
        self.connection.close()

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """Everything read inside is of one commit."""
        if self.connection.in_transaction:
            yield
            return
        with storage_errors(self.path):
            self.connection.execute("BEGIN")
            try:
                yield
            finally:
                self.connection.execute("ROLLBACK")

    def data_version(self) -> int:
        """A number that changes when another connection has committed."""
        return int(self.connection.execute("PRAGMA data_version").fetchone()[0])

    def get(self, key: str, default: Any = None) -> Any:
        """A value of `meta`."""
        return MetaTable(self.connection).get(key, default)

    def total_only_periods(self, complete_from: int, zone: ZoneInfo) -> list[tuple[Period, int]]:
        """Stored periods that were imported, or begin before the oldest kept record, and the
        instant from which on their hours are known.
        """
        rows = self.connection.execute("SELECT agg_kind, agg_value, whole FROM period").fetchall()
        found = [(whole, period_of(kind, label, zone)) for kind, label, whole in rows]
        return [
            (period, period.end if whole else min(complete_from, period.end))
            for whole, period in found
            if period and (whole or period.start < complete_from)
        ]

    def stored_labels(self, kind: str) -> list[str]:
        """The labels whose totals are stored, ascending."""
        return [
            label
            for (label,) in self.connection.execute(
                "SELECT agg_value FROM period WHERE agg_kind = ? ORDER BY agg_value", (kind,)
            )
        ]

    def record_hours(self) -> list[int]:
        """Every hour that has a record, ascending."""
        return record_hours(self.connection)

    def state_hours(self) -> list[int]:
        """Every hour that has a saved state: the running one, or the last before a stop."""
        return [hour for (hour,) in self.connection.execute("SELECT DISTINCT hour FROM state")]

    def stored_sums(self, period: Period, zone: ZoneInfo) -> Sums:
        """Sums of a period whose totals are stored, the running hour included."""
        return self._with_states(
            period,
            zone,
            "SELECT indicator_id, value0, value FROM total "
            "JOIN dimension ON dimension.id = dimension_id "
            "WHERE agg_kind = ? AND agg_value = ? AND value <> 0",
            (period.kind, period.label),
        )

    def computed_sums(self, period: Period, zone: ZoneInfo) -> Sums:
        """Sums of the records of a period, the running hour included."""
        return self._with_states(
            period,
            zone,
            f"SELECT indicator_id, value0, sum(value) FROM ({_HOURLY_VALUES}) "
            "JOIN dimension ON dimension.id = dimension_id GROUP BY indicator_id, dimension_id",
            (period.start, period.end),
        )

    def _with_states(
        self, period: Period, zone: ZoneInfo, sql: str, parameters: tuple[Any, ...]
    ) -> Sums:
        sums: Sums = defaultdict(dict)
        for indicator_id, dimension, value in self.connection.execute(sql, parameters):
            sums[indicator_id][dimension] = value
        for (hour, indicator_id, dimension), (before, after) in self._with_records().items():
            if (period.kind, period.label) in labels_of_hour(hour, zone):
                of_indicator = sums[indicator_id]
                of_indicator[dimension] = of_indicator.get(dimension, 0) + after - before
        return sums

    def values_by_hour(self, indicator_id: int, period: Period) -> dict[int, int]:
        """Hour -> value of an indicator without dimension, in the hours of a period."""
        values = dict(
            self.connection.execute(
                f"SELECT hour, value FROM ({_HOURLY_VALUES}) "
                "WHERE indicator_id = ?3 AND dimension_id = 0",
                (period.start, period.end, indicator_id),
            ).fetchall()
        )
        for (hour, touched, dimension), (_, after) in self._with_records().items():
            if touched == indicator_id and not dimension and period.start <= hour < period.end:
                values[hour] = after
        return values

    def _with_records(self) -> dict[Key, tuple[int, int]]:
        """What has a saved state: its value without the state, as in the records, and with it."""
        states = self.connection.execute(
            "SELECT hour, indicator_id, value0, state FROM state "
            "JOIN dimension ON dimension.id = dimension_id"
        ).fetchall()
        known: dict[Key, list[Part]] = {(hour, i, title): [] for hour, i, title, _ in states}
        for hour, indicator_id, title, value, minutes in self.connection.execute(
            "SELECT hour, indicator_id, value0, value, minutes FROM record "
            "JOIN dimension ON dimension.id = dimension_id "
            "WHERE hour IN (SELECT hour FROM state)"
        ):
            if (hour, indicator_id, title) in known:
                known[hour, indicator_id, title].append((value, minutes))
        added: dict[Key, list[Part]] = {key: list(parts) for key, parts in known.items()}
        for hour, indicator_id, title, state in states:
            part = with_state(indicator_id, None, state)
            added[hour, indicator_id, title].append(part)
        return {
            key: (merged_value(key[1], parts), merged_value(key[1], added[key]))
            for key, parts in known.items()
        }

    def hourly_records(self, period: Period) -> Generator[HourlyRecord, None, None]:
        """The records of a period one by one, all of one commit, the running hour included."""
        with self.snapshot():
            yield from read_hourly_records(self.connection, period.start, period.end)

    def labels_by_kind(self, zone: ZoneInfo) -> dict[str, set[str]]:
        """Every label with a record or a saved state, per kind."""
        labels: dict[str, set[str]] = {kind: set() for kind in PERIOD_KINDS}
        for hour in {*self.record_hours(), *self.state_hours()}:
            for kind, label in labels_of_hour(hour, zone):
                labels[kind].add(label)
        return labels

    def last_hours(self, now: int) -> dict[str, int]:
        """Package title -> newest hour in which it was used."""
        return {title: last for title, (_, last) in self.hours_of_use(now).items()}

    def hours_of_use(self, now: int) -> dict[str, tuple[int, int]]:
        """Package title -> first and last hour of a possible date in which it was used.

        The older system at first counted visits only.
        """
        of_package = f"({package_home_visit.id}, {total_usage_by_package.id})"
        possible = f"indicator_id IN {of_package} AND hour >= ?1 AND hour < ?2"
        return {
            title: (first, last)
            for title, first, last in self.connection.execute(
                "SELECT value0, min(hour), max(hour) FROM ("
                f"SELECT dimension_id, hour FROM record WHERE {possible} AND value > 0 UNION ALL "
                f"SELECT dimension_id, hour FROM state WHERE {possible}) "
                "JOIN dimension ON dimension.id = dimension_id GROUP BY dimension_id",
                (EARLIEST_POSSIBLE, latest_possible(now)),
            )
        }

    def uptime_states(self) -> States:
        """The minutes of every hour in which the offspot was on."""
        states: States = defaultdict(int)
        for hour, minutes in self.connection.execute(
            "SELECT hour, minutes FROM record WHERE indicator_id = ? AND minutes IS NOT NULL",
            (uptime.id,),
        ):
            states[hour, uptime.id, NO_DIMENSION] |= minutes
        return dict(states)

    def fates(self) -> Counter[str]:
        """Lines by fate since the database was made."""
        return fates_in(sum_fates(self.connection))

    def clock_steps(self, start: int, end: int) -> list[tuple[int, int]]:
        """When the clock was set in `[start, end)`, and by how many seconds, oldest first."""
        return self.connection.execute(
            "SELECT started_at, step_seconds FROM clock_epoch "
            "WHERE step_seconds <> 0 AND started_at >= ? AND started_at < ? ORDER BY id",
            (start, end),
        ).fetchall()

    def last_line_at(self) -> int | None:
        """The newest time of a valid line."""
        (at,) = self.connection.execute("SELECT max(last_at) FROM log_file").fetchone()
        return None if at is None else int(at)

    def first_minute(self, until: int = LATEST_AT) -> int | None:
        """The first minute that was on; the beginning of the oldest hour if that is all we know.

        Only hours of a possible date count: from `EARLIEST_POSSIBLE` to before `until`.
        """
        (hour,) = self.connection.execute(
            "SELECT min(hour) FROM ("
            "SELECT min(hour) AS hour FROM record WHERE hour >= ?1 AND hour < ?2 "
            "UNION ALL SELECT min(hour) FROM state WHERE hour >= ?1 AND hour < ?2)",
            (EARLIEST_POSSIBLE, until),
        ).fetchone()
        if hour is None:
            return None
        minutes = 0
        for (some,) in self.connection.execute(
            "SELECT minutes FROM record WHERE hour = ?1 AND indicator_id = ?2 "
            "UNION ALL SELECT state FROM state WHERE hour = ?1 AND indicator_id = ?2",
            (hour, uptime.id),
        ):
            minutes |= some or 0
        first = (minutes & -minutes).bit_length() - 1
        return int(hour) + max(0, first) * MINUTE_SECONDS
