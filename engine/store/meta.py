"""The table `meta`: single values about a database, such as its zone and what the clock did."""

from __future__ import annotations

import sqlite3
from typing import Any

from engine.store.schema import tables_at


class MetaTable:
    """Reads and writes values by name, in the transaction of the caller."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def get(self, key: str, default: Any = None) -> Any:
        """The value of a name."""
        row = self._connection.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
        return default if row is None else row[0]

    def set(self, key: str, value: Any) -> None:
        """Write a value, where it is another one."""
        if value != self.get(key):
            insert = tables_at()["meta"].insert("key", "value", replace=True)
            self._connection.execute(insert, (key, value))


def all_values(connection: sqlite3.Connection) -> dict[str, Any]:
    """Every name with its value."""
    return dict(connection.execute("SELECT key, value FROM meta").fetchall())
