"""The tables and their columns, as the migrations leave them, and the statements that write rows.

    meta        one row per fact about this database (zone, identity, saved packages, clock)
    dimension   what an indicator is counted by; the empty text is "nothing"
    state       running hour: the state of each indicator and dimension touched in it
    record      past hours: value, and the minute set it came from so that late lines still merge
    period      days, weeks, months and years whose totals are stored; `whole`: without records
    total       sums of the records of a stored period, from which every KPI is computed
    hour_figures, package_figures
                sums of the records of an hour, and of a package in a week, for any stretch of time
    origin      which counting records and states are of: hotspot, import, stretch of the clock
    log_file    reading positions: one row per life of a log file, known by its content
    clock_epoch stretches of steady time: a new one at each boot and at each step of the clock

Every row has a checksum of its other columns and of the database's salt (`repair/checksums.py`):
SQLite notices a broken page, but not a digit that has changed inside of one. Nothing here lists
columns: they are read from an empty database that the migrations make: the one being created, or
one in memory.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

from engine.inputs.model import FATES
from engine.store import merging, migrations
from engine.store.repair import checksums

APPLICATION_ID: Final = 0x6F_66_73_6D  # "ofsm"
CHECKSUM: Final = "checksum"
"""The column of the checksum."""
_CHECKSUM_COLUMNS: Final = (CHECKSUM, "seal")
"""Its name, and that of versions 2 and 3."""
CHECKSUMS_SINCE: Final = 2
"""The migration that brought the checksums of rows."""

FATE_COLUMNS: Final = {fate: fate.replace("-", "_") for fate in FATES}
"""Fate of a line -> column of `log_file`."""

TOTALS: Final = ("total", "hour_figures", "package_figures")
"""Tables that are made of the records."""
TABLE_CHECKSUMS: Final = {
    **{
        f"checksum_{table}": f"SELECT coalesce(sum({CHECKSUM}), 0) FROM {table}"
        for table in ("state", *TOTALS)
    },
    "newest_move": "SELECT coalesce(max(commit_number), 0) FROM log_file",
}
"""Rows of `meta` that each commit writes of other tables: pages of two commits do not match.

Records need none, as their totals are compared with them.
"""
OLD_TABLE_CHECKSUMS: Final = {
    3: {
        "tie_state": "SELECT coalesce(sum(seal), 0) FROM state",
        "tie_total": "SELECT coalesce(sum(seal), 0) FROM total",
        "tie_seen": "SELECT coalesce(max(seen), 0) FROM generation",
    },
    4: {key: TABLE_CHECKSUMS[key] for key in ("checksum_state", "checksum_total", "newest_move")},
}
"""The same in older versions."""

Row = tuple[Any, ...]


_TABLES: Final[dict[int, dict[str, Table]]] = {}
"""What has been learned of databases that this process made: version -> tables by name."""


@dataclass(frozen=True, eq=False)
class Table:
    """A table, and the statements that write its rows with their checksums.

    A column that a statement is not given gets its default.
    """

    name: str
    columns: Mapping[str, str]
    """Each column that the checksum covers, which are all others, and its default as SQL."""
    key: tuple[str, ...]
    checksum_name: str
    """The column of the checksum."""

    @property
    def names(self) -> str:
        """The columns, separated by commas."""
        return ", ".join(self.columns)

    def checksum(self, values: Mapping[str, str] | None = None) -> str:
        """The checksum of a row as SQL: over its columns, or what they are to become."""
        return f"checksum_of({', '.join((values or {}).get(name, name) for name in self.columns)})"

    def insert(self, *given: str, replace: bool = False) -> str:
        """Insert a row; the values are bound in the order of the columns `given`."""
        return _insert(self, given, replace=replace)

    def insert_or_merge(self, *given: str, merge: str) -> str:
        """Insert a row, or where its key is there `merge` it: `value = value + excluded.value`.

        Checksums are computed in Python, so none is computed for a row that is not inserted.
        """
        column, _, change = merge.partition(" = ")
        marks = [f"?{n}" for n in range(1, len(given) + 1)]
        values = {**self.columns, **dict(zip(given, marks, strict=True))}
        same = " AND ".join(f"{name} = {values[name]}" for name in self.key)
        return (
            f"INSERT INTO {self.name} ({self.names}, {CHECKSUM}) "
            f"VALUES ({', '.join(values.values())}, CASE WHEN EXISTS (SELECT 1 FROM {self.name} "
            f"WHERE {same}) THEN 0 ELSE {self.checksum(values)} END) "
            f"ON CONFLICT ({', '.join(self.key)}) DO UPDATE SET {merge}, "
            f"{CHECKSUM} = {self.checksum({column: change})}"
        )

    def insert_selected(self, select: str) -> str:
        """Insert what a SELECT gives, which has every column without a default, by name."""
        return (
            f"INSERT INTO {self.name} ({self.names}, {CHECKSUM}) "
            f"SELECT {self.names}, {self.checksum()} FROM ({select})"
        )

    def key_of(self, row: Sequence[Any]) -> Row:
        """The key of a row that has all columns."""
        values = dict(zip(self.columns, row, strict=True))
        return tuple(values[name] for name in self.key)


@cache
def _insert(table: Table, given: tuple[str, ...], *, replace: bool) -> str:
    if unknown := set(given) - set(table.columns):
        raise ValueError(f"table {table.name} has no column {', '.join(unknown)}")
    values = {**table.columns, **{name: f"?{n}" for n, name in enumerate(given, start=1)}}
    return (
        f"INSERT {'OR REPLACE ' if replace else ''}INTO {table.name} ({table.names}, {CHECKSUM}) "
        f"VALUES ({', '.join(values.values())}, {table.checksum(values)})"
    )


def make_tables(connection: sqlite3.Connection, version: int = migrations.NEWEST) -> None:
    """Make the tables of a version of the schema in an empty database, and learn them."""
    migrations.apply(connection, version)
    if version not in _TABLES:
        names = connection.execute(
            "SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY rowid"
        ).fetchall()
        _TABLES[version] = {name: _table_of(connection, name) for (name,) in names}


def tables_at(version: int = migrations.NEWEST) -> dict[str, Table]:
    """Every table of a version of the schema, by name."""
    if version not in _TABLES:
        with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
            checksums.install(connection)
            merging.install(connection)
            make_tables(connection, version)
    return _TABLES[version]


def _table_of(connection: sqlite3.Connection, name: str) -> Table:
    columns = connection.execute(
        "SELECT name, coalesce(dflt_value, 'NULL'), pk FROM pragma_table_info(?)", (name,)
    ).fetchall()
    key = sorted((place, column) for column, _, place in columns if place)
    return Table(
        name,
        {column: default for column, default, _ in columns if column not in _CHECKSUM_COLUMNS},
        tuple(column for _, column in key),
        next((column for column, _, _ in columns if column in _CHECKSUM_COLUMNS), ""),
    )
