"""Makes databases as offspot/metrics leaves them, from the facts of its schema."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterable
from pathlib import Path

_SCHEMA = """
CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL PRIMARY KEY);
CREATE TABLE indicator_dimension (
    id INTEGER NOT NULL PRIMARY KEY, value0 VARCHAR, value1 VARCHAR, value2 VARCHAR);
CREATE INDEX ix_indicator_dimension_value0 ON indicator_dimension (value0);
CREATE TABLE indicator_period (timestamp INTEGER NOT NULL PRIMARY KEY);
CREATE TABLE indicator_record (
    id INTEGER NOT NULL PRIMARY KEY, indicator_id INTEGER NOT NULL, value INTEGER NOT NULL,
    period_id INTEGER NOT NULL REFERENCES indicator_period (timestamp),
    dimension_id INTEGER NOT NULL REFERENCES indicator_dimension (id),
    UNIQUE (indicator_id, period_id, dimension_id));
CREATE TABLE indicator_state (
    id INTEGER NOT NULL PRIMARY KEY, indicator_id INTEGER NOT NULL, state VARCHAR NOT NULL,
    period_id INTEGER NOT NULL REFERENCES indicator_period (timestamp),
    dimension_id INTEGER NOT NULL REFERENCES indicator_dimension (id),
    UNIQUE (indicator_id, period_id, dimension_id));
CREATE TABLE kpi (
    id INTEGER NOT NULL PRIMARY KEY, kpi_id INTEGER NOT NULL, agg_kind VARCHAR NOT NULL,
    agg_value VARCHAR NOT NULL, kpi_value VARCHAR NOT NULL, UNIQUE (kpi_id, agg_value));
"""

Row = tuple[int, int, str | None, int]
"""(hour, indicator id, value0, value)"""


class UpstreamFile:
    """A database of the older system that is being made."""

    def __init__(self, path: Path, revision: str = "3c40b9f8c0e8", *, wal: bool = False) -> None:
        """With `wal`, everything but the header stays in the -wal until it is closed."""
        self.path = path
        self.connection = sqlite3.connect(path, isolation_level=None)
        if wal:
            self.connection.execute("PRAGMA journal_mode = WAL")
            self.connection.execute("PRAGMA wal_autocheckpoint = 0")
        self.connection.executescript(_SCHEMA)
        self.connection.execute("INSERT INTO alembic_version VALUES (?)", (revision,))

    def dimension(self, value0: str | None, value1: str | None = None) -> int:
        """A new row, whether there is an equal one or not."""
        cursor = self.connection.execute(
            "INSERT INTO indicator_dimension (value0, value1) VALUES (?, ?)", (value0, value1)
        )
        assert cursor.lastrowid is not None
        return cursor.lastrowid

    def period(self, hour: int) -> None:
        self.connection.execute("INSERT OR IGNORE INTO indicator_period VALUES (?)", (hour,))

    def record(self, hour: int, indicator_id: int, dimension_id: int, value: object) -> None:
        self.period(hour)
        self.connection.execute(
            "INSERT INTO indicator_record (indicator_id, value, period_id, dimension_id) "
            "VALUES (?, ?, ?, ?)",
            (indicator_id, value, hour, dimension_id),
        )

    def records(self, rows: Iterable[Row]) -> None:
        """Records of dimensions that are made once for each title."""
        known: dict[str | None, int] = {}
        with self.connection:
            self.connection.execute("BEGIN")
            for hour, indicator_id, value0, value in rows:
                if value0 not in known:
                    known[value0] = self.dimension(value0)
                self.record(hour, indicator_id, known[value0], value)

    def state(self, hour: int, indicator_id: int, value0: str | None, state: str) -> None:
        self.period(hour)
        self.connection.execute(
            "INSERT INTO indicator_state (indicator_id, state, period_id, dimension_id) "
            "VALUES (?, ?, ?, ?)",
            (indicator_id, state, hour, self.dimension(value0)),
        )

    def kpi(self, kpi_id: int, kind: str, label: str, text: str) -> None:
        self.connection.execute(
            "INSERT INTO kpi (kpi_id, agg_kind, agg_value, kpi_value) VALUES (?, ?, ?, ?)",
            (kpi_id, kind, label, text),
        )

    def left_at(self, path: Path) -> Path:
        """Copy it with its -wal, as a power cut leaves both, and close it."""
        for suffix in ("", "-wal"):
            shutil.copyfile(f"{self.path}{suffix}", f"{path}{suffix}")
        self.close()
        return path

    def close(self) -> Path:
        self.connection.close()
        return self.path
