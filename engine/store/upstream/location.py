"""Where ours is when the configured database is one of the older system: next to it."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path
from typing import Final

from engine.errors import DatabaseForeign
from engine.store.files import open_plain
from engine.store.schema import APPLICATION_ID

MAGIC: Final = b"SQLite format 3\x00"
TABLES: Final = frozenset(
    (
        *("alembic_version", "kpi"),
        *("indicator_dimension", "indicator_period", "indicator_record", "indicator_state"),
    )
)
"""Those of the older system, and of its migrations."""


def locate(path: Path) -> tuple[Path, Path | None]:
    """The database to use, and the older system's where the path is one: `database.db` is left as
    it is, and `database.v2.db` is used, also when the older one was removed since.
    """
    ours = path.with_name(f"{path.stem}.v2{path.suffix}")
    if not os.path.lexists(path) and _application_id(ours) == APPLICATION_ID:
        return ours, None
    if _application_id(path) in (None, APPLICATION_ID) or not is_upstream(path):
        return path, None
    return ours, path


def _application_id(path: Path) -> int | None:
    """Whose database a file is by its header; None where it cannot be read."""
    try:
        with open_plain(path) as file:  # a pipe would wait for somebody to write
            return int.from_bytes(file.read(100)[68:72], "big")
    except (OSError, ValueError, DatabaseForeign):
        return None


def is_upstream(path: Path) -> bool:
    """Whether a file is a database of the older system. Nothing is locked or written."""
    try:
        with open_plain(path) as file:
            if file.read(16) != MAGIC:
                return False
        connection = sqlite3.connect(f"{path.absolute().as_uri()}?immutable=1", uri=True)
    except (OSError, sqlite3.Error, DatabaseForeign):
        return False
    try:
        names = {row[0] for row in connection.execute("SELECT name FROM sqlite_schema")}
    except sqlite3.Error:
        return False
    finally:
        connection.close()
    return TABLES.issubset(names)
