"""Where ours is when the configured database is one of the older system: next to it."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Final

from engine.errors import DatabaseForeign
from engine.store.files import open_plain, temporary_folder
from engine.store.schema import APPLICATION_ID
from engine.store.upstream.copying import copied, size_of

MAGIC: Final = b"SQLite format 3\x00"
TABLES: Final = frozenset(
    (
        *("alembic_version", "kpi"),
        *("indicator_dimension", "indicator_period", "indicator_record", "indicator_state"),
    )
)
"""Those of the older system, and of its migrations."""

_NAMES: Final = "SELECT name FROM sqlite_schema WHERE type = 'table'"


def locate(path: Path) -> tuple[Path, Path | None]:
    """The database to use, and the older system's where the path is one: `database.db` is left as
    it is, and `database.v2.db` is used, also when the older one was removed since.

    Raises as `is_upstream`.
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
    """Whether a file is a database of the older system. Nothing is locked or written.

    Raises Busy or StorageError where that takes a copy, and none can be made.
    """
    try:
        with open_plain(path) as file:
            if file.read(16) != MAGIC:
                return False
        names = _tables_in(path, "immutable=1")
        if names < TABLES and size_of(path, "-wal"):  # the others may be in there
            with temporary_folder(f"a copy of {path}") as folder:
                names = _tables_in(copied(path, folder), "mode=rw")
    except (OSError, sqlite3.Error, DatabaseForeign):
        return False
    return TABLES.issubset(names)


def _tables_in(path: Path, how: str) -> set[str]:
    uri = f"{path.absolute().as_uri()}?{how}"
    with closing(sqlite3.connect(uri, uri=True)) as connection:
        return {row[0] for row in connection.execute(_NAMES)}
