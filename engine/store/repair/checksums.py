"""The checksum of a row, and the SQL function for it, `checksum_of(...)`.

The salt is a number that belongs to one database: pages of another one, which a write-ahead log
that was copied here may bring, do not verify.
"""

from __future__ import annotations

import os
import sqlite3
from typing import Any
from zlib import crc32


def install(connection: sqlite3.Connection, salt: int | None = None) -> None:
    """Add the SQL functions to a connection; a database without a salt will get a new one."""
    if salt is None:
        salt = stored_salt(connection)
    if salt is None:
        salt = int.from_bytes(os.urandom(4)) >> 1  # `secrets` is slow to load

    for name in ("checksum_of", "seal_of"):  # the second one for migrations up to the third
        connection.create_function(name, -1, lambda *row: checksum(salt, row), deterministic=True)
    connection.create_function("seal_salt", 0, lambda: salt)


def checksum(salt: int, row: tuple[Any, ...]) -> int:
    """The checksum of a row: 24 bits, which take three bytes."""
    return (crc32(repr(row).encode("utf-8", "surrogatepass"), salt) & 0xFFFFFF) - 0x800000


def stored_salt(connection: sqlite3.Connection) -> int | None:
    """The salt of a database; None when it has none yet."""
    if not connection.execute("SELECT 1 FROM sqlite_schema WHERE name = 'meta'").fetchone():
        return None
    row = connection.execute("SELECT value FROM meta WHERE key = 'salt'").fetchone()
    return row[0] if row and isinstance(row[0], int) else None
