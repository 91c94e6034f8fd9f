"""Seals: a checksum in every row, so that a changed byte is seen, and whose row it is.

In: a connection. Out: the SQL functions `seal_of(...)` and `seal_salt()` on it, and what is wrong
with the rows of a database. It must not change anything.

The salt is a number that belongs to one database: pages of another one, which a write-ahead log
that was copied here may bring, do not verify.
"""

from __future__ import annotations

import os
import sqlite3
from typing import Any
from zlib import crc32

from engine.store.schema import SEALED, TIES, seal_of


def install(connection: sqlite3.Connection) -> None:
    """Make the functions known to a connection; a database without a salt will get a new one."""
    salt = stored_salt(connection)
    if salt is None:
        salt = int.from_bytes(os.urandom(4)) >> 1  # `secrets` is slow to load

    connection.create_function("seal_of", -1, lambda *row: checksum(salt, row), deterministic=True)
    connection.create_function("seal_salt", 0, lambda: salt)


def checksum(salt: int, row: tuple[Any, ...]) -> int:
    """The seal of a row: 24 bits, which take three bytes."""
    return (crc32(repr(row).encode("utf-8", "surrogatepass"), salt) & 0xFFFFFF) - 0x800000


def stored_salt(connection: sqlite3.Connection) -> int | None:
    """The salt of a database; None when it has none yet."""
    if not has_table(connection, "meta"):
        return None
    row = connection.execute("SELECT value FROM meta WHERE key = 'salt'").fetchone()
    return row[0] if row and isinstance(row[0], int) else None


def has_table(connection: sqlite3.Connection, name: str) -> bool:
    """Whether there is such a table."""
    return bool(
        connection.execute(
            "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = ?", (name,)
        ).fetchone()
    )


def mismatched_tables(connection: sqlite3.Connection) -> list[str]:
    """The ties that do not hold: a part of the database is of another time than the rest."""
    facts = dict(connection.execute("SELECT key, value FROM meta").fetchall())
    return [
        key for key, sql in TIES.items() if facts.get(key) != connection.execute(sql).fetchone()[0]
    ]


def broken_rows(connection: sqlite3.Connection) -> dict[str, int]:
    """Table -> rows whose seal does not verify; tables without such rows are left out."""
    counts = {
        table: connection.execute(
            f"SELECT count(*) FROM {table} WHERE seal IS NOT {seal_of(table)}"
        ).fetchone()[0]
        for table in SEALED
    }
    return {table: count for table, count in counts.items() if count}
