"""Reads a database of offspot/metrics, the older system, in short reads that hold no lock."""

from __future__ import annotations

import hashlib
import heapq
import itertools
import sqlite3
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

from engine.errors import Busy, InputDamaged, MetricsError, StorageError
from engine.store.upstream.values import (
    PAGE_VISITS,
    Values,
    checked,
    is_year,
    state_value,
    year_totals,
)

FINGERPRINT_HOURS: Final = 50
_BEGINNING: Final = -(1 << 62)
_ROWS: Final = 2000
"""Rows of one read; between two reads, the other program may write."""
_INDICATORS: Final = (1001, 1003, 1004, 1005, 1006)
_RECORDS: Final = """
    SELECT r.period_id AS hour, r.dimension_id AS place, r.indicator_id AS indicator_id,
           r.value AS value, d.id AS dimension_id, d.value0 AS value0
    FROM indicator_record r LEFT JOIN indicator_dimension d ON d.id = r.dimension_id
    WHERE r.indicator_id = ?1 AND (r.period_id, r.dimension_id) > (?2, ?3)
    AND typeof(r.period_id) = 'integer'
    ORDER BY r.period_id, r.dimension_id LIMIT ?4
"""


class Hour(NamedTuple):
    """What the older system counted in one hour: (indicator id, dimension) -> value."""

    hour: int
    values: Values


class UpstreamDatabase:
    """A database of offspot/metrics, open for reading."""

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self.path = path
        self.connection = connection
        self.left: Counter[str] = Counter()
        """Rows that were not taken, by reason."""
        self.capped = 0
        """Values above 60 minutes an hour, which were taken as 60."""

    def total(self) -> int:
        """How many records there are to read, for a progress bar."""
        marks = ", ".join("?" * len(_INDICATORS))
        query = f"SELECT count(*) FROM indicator_record WHERE indicator_id IN ({marks})"
        return int(self.connection.execute(query, _INDICATORS).fetchone()[0])

    def hours(self) -> Iterator[Hour]:
        """Every hour with records, ascending, then the states of the newest period as its hour."""
        self.left.clear()
        self.capped = 0
        self._count_what_is_left()
        newest = self._newest_states()
        for hour, values in self._records():
            if newest is not None and newest.hour == hour:
                yield Hour(hour, {**newest.values, **values})
                newest = None
            else:
                yield Hour(hour, values)
        if newest is not None and newest.values:
            yield newest

    def oldest(self, since: int = _BEGINNING) -> list[Hour]:
        """The records of the oldest hours since one, by which a file is known; states only when
        there are no records.
        """
        found = list(itertools.islice(self._records(since), FINGERPRINT_HOURS))
        states = None if found else self._newest_states()
        return [states] if states and states.values else found

    def years(self) -> dict[str, Values]:
        """The values of the yearly KPIs by label, for years that no longer have records."""
        query = "SELECT kpi_id, agg_value, kpi_value FROM kpi WHERE agg_kind = 'Y'"
        years: dict[str, Values] = {}
        for kpi_id, label, text in self._read(query):
            totals = year_totals(kpi_id, text)
            if totals is None:
                self.left["a yearly KPI that cannot be read"] += 1
            elif totals and not is_year(label):
                self.left["a yearly KPI of an impossible year"] += 1
            elif totals:
                years.setdefault(label, {}).update(totals)
        return years

    def _records(self, since: int = _BEGINNING) -> Iterator[Hour]:
        streams = [self._rows_of(indicator_id, since) for indicator_id in _INDICATORS]
        rows = heapq.merge(*streams, key=lambda row: row["hour"])
        for hour, group in itertools.groupby(rows, key=lambda row: row["hour"]):
            values: Values = {}
            for row in group:
                key, value, reason = checked(row, hour)
                if reason:
                    self.left[reason] += 1
                elif key is not None:
                    values[key] = values.get(key, 0) + value
            if values:
                yield Hour(hour, self._cap(values))

    def _rows_of(self, indicator_id: int, since: int) -> Iterator[sqlite3.Row]:
        hour, dimension = since, _BEGINNING
        while True:
            parameters = (indicator_id, hour, dimension, _ROWS)
            rows = self._read(_RECORDS, parameters)
            yield from rows
            if len(rows) < _ROWS:
                return
            hour, dimension = rows[-1]["hour"], rows[-1]["place"]

    def _cap(self, values: Values) -> Values:
        for key, value in values.items():
            if key[0] >= 1004 and value > 60:
                values[key] = 60
                self.capped += 1
        return values

    def _newest_states(self) -> Hour | None:
        query = (
            "SELECT s.period_id AS hour, s.indicator_id AS indicator_id, s.state AS state, "
            "d.id AS dimension_id, d.value0 AS value0 FROM indicator_state s "
            "LEFT JOIN indicator_dimension d ON d.id = s.dimension_id"
        )
        rows = self._read(query)
        hour = max((row["hour"] for row in rows if isinstance(row["hour"], int)), default=None)
        if hour is None:
            return None
        values: Values = {}
        for row in rows:
            if row["indicator_id"] == PAGE_VISITS:
                self.left["visits of pages"] += 1
                continue
            if row["hour"] != hour:
                self.left["a state of an older period"] += 1
                continue
            named = {**dict(row), "value": state_value(row["indicator_id"], row["state"])}
            key, value, reason = checked(named, hour)
            if reason:
                self.left[reason] += 1
            elif key is not None:
                values[key] = values.get(key, 0) + value
        return Hour(hour, self._cap(values))

    def _count_what_is_left(self) -> None:
        known = ", ".join(map(str, _INDICATORS))
        query = (
            f"SELECT CASE WHEN indicator_id = {PAGE_VISITS} THEN 'visits of pages' "
            f"WHEN indicator_id NOT IN ({known}) THEN 'of an unknown indicator' "
            "ELSE 'of an impossible time' END, count(*) FROM indicator_record "
            f"WHERE indicator_id NOT IN ({known}) OR typeof(period_id) <> 'integer' GROUP BY 1"
        )
        for reason, rows in self._read(query):
            self.left[reason] += rows

    def _read(self, query: str, parameters: tuple[Any, ...] = ()) -> list[sqlite3.Row]:
        try:
            return self.connection.execute(query, parameters).fetchall()
        except sqlite3.Error as error:
            raise error_of(self.path, error) from error


def fingerprint(hours: list[Hour]) -> bytes:
    """The hash of the records of some hours, in order."""
    digest = hashlib.blake2b(digest_size=16, person=b"upstream")
    for hour, values in hours:
        digest.update(repr((hour, sorted(values.items()))).encode())
    return digest.digest()


def error_of(path: Path, error: sqlite3.Error) -> MetricsError:
    """What SQLite raised about a file, with a way out."""
    code = (getattr(error, "sqlite_errorcode", None) or 0) & 0xFF
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return Busy(f"{path} is locked by another program", "stop it, then try again")
    if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_ERROR):
        return InputDamaged(f"{path} is damaged: {error}", "import a whole copy of the file")
    return StorageError(f"{path}: {error}", "is its disk broken?")
