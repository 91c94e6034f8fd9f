"""Whether a database is valid: SQLite's own check, the checksum of every row, and totals against
their records. Nothing is changed: a damaged database is evidence.

A database that was closed gracefully has the hash of its file next to it (`.clean`). As long as the
file has that hash it needs no further check: reading a file is much quicker than reading its rows.
"""

from __future__ import annotations

import hashlib
import os
import sqlite3
from contextlib import closing, suppress
from pathlib import Path
from typing import Final

from engine.errors import ConfigError
from engine.regular_file import open_regular
from engine.store import merging, migrations
from engine.store.meta import all_values
from engine.store.repair import checksums
from engine.store.schema import (
    CHECKSUMS_SINCE,
    OLD_TABLE_CHECKSUMS,
    TABLE_CHECKSUMS,
    tables_at,
)
from engine.times import Period, load_zone, period_of, zone_data

_HOURLY_VALUES: Final = merging.HOURLY_VALUES.format(first="?3", end="?4")
_NOT_DAMAGE: Final = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN)


def problems_of(connection: sqlite3.Connection) -> list[str]:
    """What is wrong with a database; raises sqlite3.Error when it cannot be read at all."""
    found = [
        str(row[0]).replace("\n", " ")
        for row in connection.execute("PRAGMA integrity_check(5)")
        if row[0] != "ok"
    ]
    if found:
        return found
    if connection.execute("PRAGMA foreign_key_check").fetchone():
        return ["rows refer to rows that are not there"]
    version = migrations.version_of(connection)
    if not CHECKSUMS_SINCE <= version <= migrations.NEWEST:
        return []
    checksums.install(connection)
    merging.install(connection)
    found = [
        f"{count} rows of table {table} are not as they were written"
        for table, count in _broken_rows(connection, version).items()
    ]
    found = found or _mismatched_tables(connection, version)
    return found or _wrong_totals(connection, version)


def _broken_rows(connection: sqlite3.Connection, version: int) -> dict[str, int]:
    """Table -> rows whose checksum does not verify; tables without such rows are left out."""
    counts = {
        name: connection.execute(
            f"SELECT count(*) FROM {name} WHERE {table.checksum_name} IS NOT {table.checksum()}"
        ).fetchone()[0]
        for name, table in tables_at(version).items()
    }
    return {name: count for name, count in counts.items() if count}


def _mismatched_tables(connection: sqlite3.Connection, version: int) -> list[str]:
    values = all_values(connection)
    of_versions = {**OLD_TABLE_CHECKSUMS, migrations.NEWEST: TABLE_CHECKSUMS}
    expected = of_versions.get(version, {})
    wrong = [
        key
        for key, sql in expected.items()
        if values.get(key) != connection.execute(sql).fetchone()[0]
    ]
    return [f"its parts are of different times ({', '.join(wrong)})"] if wrong else []


def _wrong_totals(connection: sqlite3.Connection, version: int) -> list[str]:
    """Stored totals that are not the sums of their records: one of both is of another time."""
    values = all_values(connection)
    name = str(values.get("timezone", "UTC"))
    try:
        zone = load_zone(name)
    except ConfigError:
        return []  # a start needs another zone, and computes them again
    if zone_data(name) != values.get("zone_data", ""):
        return []  # they are of other tables of zones: a start computes them again
    computed = "WHERE whole = 0" if "whole" in tables_at(version)["period"].columns else ""
    periods = connection.execute(f"SELECT agg_kind, agg_value FROM period {computed}").fetchall()
    for kind, label in periods:
        period = period_of(kind, label, zone)
        if period is None:
            return [f"there is no period {kind} {label}"]
        if period.start >= int(values.get("complete_from", 0)) and _differs(connection, period):
            return [f"the totals of {kind} {label} are not the sums of their hours"]
    return []


def _differs(connection: sqlite3.Connection, period: Period) -> bool:
    """Whether the totals of a period are not the sums of its records."""
    return bool(
        connection.execute(
            "SELECT 1 FROM (SELECT indicator_id, dimension_id, value AS n FROM total "
            "WHERE agg_kind = ?1 AND agg_value = ?2 UNION ALL "
            f"SELECT indicator_id, dimension_id, -value FROM ({_HOURLY_VALUES})) "
            "GROUP BY indicator_id, dimension_id HAVING sum(n) <> 0 LIMIT 1",
            (period.kind, period.label, period.start, period.end),
        ).fetchone()
    )


def problems_in(path: Path, how: str = "mode=ro") -> list[str]:
    """What is wrong with a file; one that cannot be read is not valid."""
    try:
        with closing(
            sqlite3.connect(f"{path.absolute().as_uri()}?{how}", uri=True, isolation_level=None)
        ) as connection:
            for pragma in ("query_only = ON", "trusted_schema = OFF", "cell_size_check = ON"):
                connection.execute(f"PRAGMA {pragma}")
            return problems_of(connection)
    except sqlite3.Error as error:
        code = getattr(error, "sqlite_errorcode", None) or 0
        unreadable = code in (sqlite3.SQLITE_IOERR_READ, sqlite3.SQLITE_IOERR_CORRUPTFS)
        if code & 0xFF in _NOT_DAMAGE and not unreadable:
            raise
        return [str(error)]


# Closed gracefully


def _clean_path(path: Path) -> Path:
    return path.with_name(path.name + ".clean")


def mark_clean(path: Path) -> None:
    """Write the hash of a file that was closed gracefully and checked when it was opened."""
    draft = path.with_name(path.name + ".clean.tmp")
    with suppress(OSError):
        draft.unlink(missing_ok=True)
        flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_NOFOLLOW
        with os.fdopen(os.open(draft, flags, 0o600), "w") as file:
            file.write(_hash(path) + "\n")
        draft.rename(_clean_path(path))


def is_clean(path: Path) -> bool:
    """Whether a file is what it was when it was closed gracefully."""
    try:
        wal = path.with_name(path.name + "-wal")
        if wal.exists() and wal.stat().st_size:
            return False
        with open_regular(_clean_path(path), follow=False) as file:
            return file.read(200).strip() == _hash(path).encode()
    except (OSError, ValueError):
        return False


def _hash(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "blake2b").hexdigest()
