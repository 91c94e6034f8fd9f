"""Is a database sound? SQLite's own check, the seal of every row, and sums against their parts.

In: a connection, or a path. Out: what is wrong, in words; nothing when it is sound. It must not
change the database: a damaged one is evidence.

A database that was closed in order has the hash of its file beside it (`.clean`). As long as the
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
from engine.store.repair import checksums
from engine.store.schema import MIGRATIONS
from engine.times import load_zone, period_of, zone_data

_NOT_ITS_FAULT: Final = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN)
_SEALED_SINCE: Final = 2
"""The migration that brought the seals."""
_TIED_SINCE: Final = 3


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
    schema = int(connection.execute("PRAGMA user_version").fetchone()[0])
    if not _SEALED_SINCE <= schema <= len(MIGRATIONS):
        return []
    checksums.install(connection)
    found = [
        f"{count} rows of table {table} are not as they were written"
        for table, count in checksums.broken_rows(connection).items()
    ]
    if not found and schema >= _TIED_SINCE and (ties := checksums.mismatched_tables(connection)):
        found = [f"its parts are of different times ({', '.join(ties)})"]
    return found or _wrong_totals(connection)


def _wrong_totals(connection: sqlite3.Connection) -> list[str]:
    """Stored totals that are not the sums of their records: one of both is of another time."""
    facts = dict(
        connection.execute(
            "SELECT key, value FROM meta WHERE key IN ('timezone', 'zone_data', 'complete_from')"
        ).fetchall()
    )
    name = str(facts.get("timezone", "UTC"))
    try:
        zone = load_zone(name)
    except ConfigError:
        return []  # a start needs another zone, and computes them again
    if zone_data(name) != facts.get("zone_data", ""):
        return []  # they are of other tables of zones: a start computes them again
    for kind, label in connection.execute("SELECT agg_kind, agg_value FROM period").fetchall():
        period = period_of(kind, label, zone)
        if period is None:
            return [f"there is no period {kind} {label}"]
        if period.start < int(facts.get("complete_from", 0)):
            continue
        differs = connection.execute(
            "SELECT 1 FROM (SELECT indicator_id, dimension_id, value AS n FROM total "
            "WHERE agg_kind = ?1 AND agg_value = ?2 UNION ALL "
            "SELECT indicator_id, dimension_id, -value FROM record "
            "WHERE hour >= ?3 AND hour < ?4) "
            "GROUP BY indicator_id, dimension_id HAVING sum(n) <> 0 LIMIT 1",
            (kind, label, period.start, period.end),
        ).fetchone()
        if differs:
            return [f"the totals of {kind} {label} are not the sums of their hours"]
    return []


def problems_in(path: Path, how: str = "mode=ro") -> list[str]:
    """What is wrong with a file; one that cannot be read is not sound."""
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
        if code & 0xFF in _NOT_ITS_FAULT and not unreadable:
            raise
        return [str(error)]


# Closed in order


def _clean_path(path: Path) -> Path:
    return path.with_name(path.name + ".clean")


def mark_clean(path: Path) -> None:
    """Note the hash of a file that was closed in order and checked when it was opened."""
    draft = path.with_name(path.name + ".clean.tmp")
    with suppress(OSError):
        draft.unlink(missing_ok=True)
        flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_NOFOLLOW
        with os.fdopen(os.open(draft, flags, 0o600), "w") as file:
            file.write(_hash(path) + "\n")
        draft.rename(_clean_path(path))


def is_clean(path: Path) -> bool:
    """Whether a file is what it was when it was closed in order."""
    try:
        wal = path.with_name(path.name + "-wal")
        if wal.exists() and wal.stat().st_size:
            return False
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK
        with os.fdopen(os.open(_clean_path(path), flags), "r") as file:
            return file.read(200).strip() == _hash(path)
    except (OSError, ValueError):
        return False


def _hash(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "blake2b").hexdigest()
