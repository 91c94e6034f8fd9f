"""Connections: how a database is made, opened for writing, and opened for reading."""

from __future__ import annotations

import errno
import os
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path
from typing import Final

from engine.errors import DatabaseForeign
from engine.store import merging, migrations
from engine.store.files import check_safe_to_write, companions, is_to_be_made, sync_path
from engine.store.header import check_connection, check_ours
from engine.store.repair import checksums
from engine.store.schema import APPLICATION_ID, make_tables
from engine.store.transactions import storage_errors

SQLITE_VERSION: Final = sqlite3.sqlite_version
MEMORY: Final = Path(":memory:")
BUSY_TIMEOUT_SECONDS: Final = 5.0

_WRITER_PRAGMAS: Final = (
    "synchronous = FULL",
    "foreign_keys = ON",
    "trusted_schema = OFF",
    "cell_size_check = ON",
    "mmap_size = 0",
    "temp_store = MEMORY",
    "secure_delete = OFF",
    "wal_autocheckpoint = 256",
    "journal_size_limit = 1048576",
)

Fill = Callable[[sqlite3.Connection], None]
"""What else is done with a connection before others see its database."""


def open_writer(path: Path, before_migration: Fill | None = None) -> sqlite3.Connection:
    """The writing connection; makes the database when there is none, migrates an older one.

    `before_migration` is called with the connection before an older schema is changed.
    Raises DatabaseForeign, DatabaseDamaged, InputUnreadable, StorageError or Busy.
    """
    if path == MEMORY:
        connection = sqlite3.connect(":memory:", isolation_level=None)
        install_functions(connection)
        make_tables(connection)
        return connection
    with storage_errors(path):
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if is_to_be_made(path):
            create(path)
        check_ours(path)
        check_safe_to_write(path)
        connection = _connect(path, "mode=rw")
        try:
            check_connection(path, connection)
            for pragma in _WRITER_PRAGMAS:
                connection.execute(f"PRAGMA {pragma}")
            install_functions(connection)
            if before_migration and migrations.version_of(connection) < migrations.NEWEST:
                before_migration(connection)
            migrations.apply(connection)
        except BaseException:
            connection.close()
            raise
        return connection


def install_functions(connection: sqlite3.Connection) -> None:
    """Add the SQL functions that statements use."""
    checksums.install(connection)
    merging.install(connection)


def create(path: Path, fill: Fill | None = None, version: int = migrations.NEWEST) -> None:
    """Make the file under another name, complete and synced, and move it into place.

    With an older `version` of the schema it is left to `fill` to migrate it.
    """
    draft = path.with_name(path.name + ".new")
    remove_with_companions(draft)
    try:
        _fill_draft(draft, fill, version)
    except BaseException:
        with suppress(OSError):
            remove_with_companions(draft)  # where the disk is full, room is what is short
        raise
    try:
        draft.rename(path)
    except OSError as error:
        if error.errno != errno.EBUSY:
            raise
        shutil.copyfile(draft, path)  # an empty file that is mounted in a container stays the same
        draft.unlink()
        sync_path(path)
    sync_path(path.parent)


def remove_with_companions(path: Path) -> None:
    """Remove a database that nobody has open."""
    for part in companions(path):
        part.unlink(missing_ok=True)


def _fill_draft(draft: Path, fill: Fill | None, version: int) -> None:
    os.close(os.open(draft, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_NOFOLLOW, 0o600))
    with closing(sqlite3.connect(draft, isolation_level=None)) as connection:
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA secure_delete = OFF")
        install_functions(connection)
        make_tables(connection, version)
        if fill:
            fill(connection)
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    sync_path(draft)


def open_reader(path: Path) -> sqlite3.Connection:
    """A connection that cannot write. Raises as `check_ours`, and StorageError."""
    check_ours(path)
    with storage_errors(path):
        connection = _connect_read_only(path, "mode=ro")
        try:
            connection.execute("SELECT 1 FROM meta LIMIT 1").fetchone()
        except sqlite3.OperationalError:
            # A folder that cannot be written holds no -shm file. Without a -wal next to it the
            # database file is all there is, and may be read as it stands.
            connection.close()
            if _has_content(path.with_name(path.name + "-wal")):
                raise
            connection = _connect_read_only(path, "immutable=1")
        try:
            check_connection(path, connection)
            _check_migrated(path, connection)
            merging.install(connection)
        except BaseException:
            connection.close()
            raise
    return connection


def _check_migrated(path: Path, connection: sqlite3.Connection) -> None:
    version = migrations.version_of(connection)
    if version < migrations.NEWEST:
        raise DatabaseForeign(
            f"database {path} has an older schema ({version} of {migrations.NEWEST})",
            "start serve once: it brings the database up to date",
        )


def _has_content(path: Path) -> bool:
    try:
        return path.stat().st_size > 0
    except FileNotFoundError:
        return False


def _connect(path: Path, how: str, *, check_same_thread: bool = True) -> sqlite3.Connection:
    return sqlite3.connect(
        f"{path.absolute().as_uri()}?{how}",
        uri=True,
        isolation_level=None,
        timeout=BUSY_TIMEOUT_SECONDS,
        check_same_thread=check_same_thread,
    )


def _connect_read_only(path: Path, how: str) -> sqlite3.Connection:
    connection = _connect(path, how, check_same_thread=False)
    connection.execute("PRAGMA query_only = ON")
    connection.execute("PRAGMA trusted_schema = OFF")
    return connection
