"""Connections: how the file is made, opened, checked and refused.

In: a path. Out: an `sqlite3.Connection` set up for writing or for reading, or an error that says
what is wrong with the file. It must not change a file that is not ours, or newer than we are.
"""

from __future__ import annotations

import errno
import os
import shutil
import sqlite3
import stat
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from engine.errors import (
    Busy,
    DatabaseDamaged,
    DatabaseForeign,
    InputMissing,
    InputUnreadable,
    MetricsError,
    StorageError,
)
from engine.store.files import check_safe_to_write, is_to_be_made, open_plain
from engine.store.repair import checksums
from engine.store.schema import APPLICATION_ID, MIGRATIONS

MEMORY: Final = Path(":memory:")
BUSY_TIMEOUT_SECONDS: Final = 5.0

_MAGIC: Final = b"SQLite format 3\x00"
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

_checking: Final = threading.Lock()
_checked: Final[set[tuple[int, int]]] = set()
"""(device, inode) of files that were of ours when this process first saw them."""


class DiskFull(StorageError):
    """There is no room for what is to be written."""


class NotADatabase(DatabaseDamaged):
    """A file without the beginning of an SQLite database: damaged, or never one."""


@contextmanager
def storage_errors(path: Path) -> Iterator[None]:
    """Turn what SQLite and the file system raise into errors with a hint."""
    try:
        yield
    except sqlite3.Error as error:
        raise _error_of(path, error) from error
    except PermissionError as error:
        raise InputUnreadable(
            f"database {path} may not be opened", "run as the user that owns it, or chown it"
        ) from error
    except OSError as error:
        text = f"database {path}: {error.strerror or error}"
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise DiskFull(text, "make room on that disk") from error
        raise StorageError(text, "try doctor") from error


def _error_of(path: Path, error: sqlite3.Error) -> MetricsError:
    code = (getattr(error, "sqlite_errorcode", None) or 0) & 0xFF
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return Busy(f"database {path} is locked by another program", "close it, then try again")
    if code == sqlite3.SQLITE_FULL:
        return DiskFull(f"database {path}: the disk is full", "make room on that disk")
    if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CONSTRAINT):
        return _damaged(path, str(error))
    return StorageError(
        f"database {path}: {error}", "is the disk full, read-only or broken? try doctor"
    )


def _damaged(path: Path, text: str) -> DatabaseDamaged:
    return DatabaseDamaged(
        f"database {path} is damaged: {text}",
        "serve sets it aside and goes on from what can be read of it and from its backup; "
        "nothing is deleted",
    )


@contextmanager
def atomic(connection: sqlite3.Connection) -> Iterator[None]:
    """All that is executed inside, or nothing of it."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def check_ours(path: Path) -> None:
    """Raise what `check_header` raises, the first time that this process sees the file.

    Not again: connections may be open then, and a process that closes any descriptor of a file
    gives up all its locks on it (fcntl(2)). Without them another program that opens and closes the
    database would take its write-ahead log away. Each connection checks for itself besides.
    """
    with _checking:
        try:
            found = path.lstat()
        except OSError:
            found = None
        plain = found is not None and stat.S_ISREG(found.st_mode)
        key = (found.st_dev, found.st_ino) if found and plain else None
        if key is None or key not in _checked:
            check_header(path)
            if key is not None:
                _checked.add(key)


def check_header(path: Path) -> None:
    """Raise an error when the file is not a database of ours that this version knows.

    Reads the file's header only, never writes: a foreign or newer file stays as it is. Only for a
    file that this process has no connection to: see `check_ours`.
    """
    try:
        with open_plain(path) as file:
            header = file.read(100)
    except FileNotFoundError as error:
        raise InputMissing(
            f"database {path} is not there",
            "serve and replay --database make one; or give its path with --database",
        ) from error
    except PermissionError as error:
        raise InputUnreadable(
            f"database {path} may not be read", "run as the user that owns it"
        ) from error
    except OSError as error:
        raise StorageError(f"database {path}: {error.strerror or error}") from error
    if not header:
        raise InputMissing(
            f"database {path} is empty (0 bytes): nothing has been counted yet",
            "serve and replay --database make one of it; or give another path with --database",
        )
    if header[:16] != _MAGIC or len(header) < 100:
        raise NotADatabase(
            f"{path} is not a database",
            "give another path with --database, or move that file away",
        )
    _check_identity(
        path, int.from_bytes(header[68:72], "big"), int.from_bytes(header[60:64], "big")
    )


def _check_connection(path: Path, connection: sqlite3.Connection) -> None:
    """The same for a file that is open already."""
    (application_id,) = connection.execute("PRAGMA application_id").fetchone()
    _check_identity(path, application_id, schema_of(connection))


def _check_identity(path: Path, application_id: int, version: int) -> None:
    if application_id != APPLICATION_ID:
        raise _foreign(path)
    if version > len(MIGRATIONS):
        raise DatabaseForeign(
            f"database {path} was made by a newer version (schema {version}, "
            f"this one knows {len(MIGRATIONS)})",
            "use that version of offspot-metrics; the file was not touched",
        )


def _foreign(path: Path) -> DatabaseForeign:
    try:
        uri = f"{path.absolute().as_uri()}?immutable=1"
        connection = sqlite3.connect(uri, uri=True)
        try:
            tables = {row[0] for row in connection.execute("SELECT name FROM sqlite_schema")}
        finally:
            connection.close()
    except (sqlite3.Error, OSError):
        tables = set()
    if {"indicator_record", "kpi"} <= tables:
        return DatabaseForeign(
            f"{path} is a database of offspot/metrics",
            "keep it, and give another path with --database (DATABASE_URL)",
        )
    return DatabaseForeign(
        f"{path} is a database of another program; it was not touched",
        "give another path with --database",
    )


def open_writer(
    path: Path, before_migration: Callable[[sqlite3.Connection], None] | None = None
) -> sqlite3.Connection:
    """The writing connection; makes the database when there is none, migrates an older one.

    `before_migration` is called with the connection before an older schema is changed.
    Raises DatabaseForeign, DatabaseDamaged, InputUnreadable, StorageError or Busy.
    """
    if path == MEMORY:
        connection = sqlite3.connect(":memory:", isolation_level=None)
        checksums.install(connection)
        migrate(connection)
        return connection
    with storage_errors(path):
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if is_to_be_made(path):
            create(path)
        check_ours(path)
        check_safe_to_write(path)
        connection = sqlite3.connect(
            f"{path.absolute().as_uri()}?mode=rw",
            uri=True,
            isolation_level=None,
            timeout=BUSY_TIMEOUT_SECONDS,
        )
        try:
            _check_connection(path, connection)
            for pragma in _WRITER_PRAGMAS:
                connection.execute(f"PRAGMA {pragma}")
            checksums.install(connection)
            if before_migration and schema_of(connection) < len(MIGRATIONS):
                before_migration(connection)
            migrate(connection)
        except BaseException:
            connection.close()
            raise
        return connection


def create(path: Path, fill: Callable[[sqlite3.Connection], None] | None = None) -> None:
    """Make the file under another name, complete and synced, and move it into place."""
    draft = path.with_name(path.name + ".new")
    _remove_draft(draft)
    try:
        _fill_draft(draft, fill)
    except BaseException:
        with suppress(OSError):
            _remove_draft(draft)  # where the disk is full, room is what is short
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


def _remove_draft(draft: Path) -> None:
    for path in (draft, *(draft.with_name(draft.name + end) for end in ("-wal", "-shm"))):
        path.unlink(missing_ok=True)


def _fill_draft(draft: Path, fill: Callable[[sqlite3.Connection], None] | None) -> None:
    os.close(os.open(draft, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_NOFOLLOW, 0o600))
    connection = sqlite3.connect(draft, isolation_level=None)
    try:
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA secure_delete = OFF")
        checksums.install(connection)
        migrate(connection)
        if fill:
            fill(connection)
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    finally:
        connection.close()
    sync_path(draft)


def sync_path(path: Path) -> None:
    """Make a file or a folder durable."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def migrate(connection: sqlite3.Connection) -> int:
    """Bring the schema up to date, one transaction per step. The number of steps taken."""
    done = schema_of(connection)
    for number, statements in enumerate(MIGRATIONS[done:], start=done + 1):
        with atomic(connection):
            for statement in statements:
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {number}")
    return len(MIGRATIONS) - done


def schema_of(connection: sqlite3.Connection) -> int:
    """How many migrations have been applied."""
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def open_reader(path: Path) -> sqlite3.Connection:
    """A connection that cannot write. Raises as `check_ours`, and StorageError."""
    check_ours(path)
    with storage_errors(path):
        connection = _connect_read_only(path, "mode=ro")
        try:
            connection.execute("SELECT 1 FROM meta LIMIT 1").fetchone()
        except sqlite3.OperationalError:
            # A folder that cannot be written holds no -shm file. Without a -wal beside it the
            # database file is all there is, and may be read as it stands.
            connection.close()
            if _has_content(path.with_name(path.name + "-wal")):
                raise
            connection = _connect_read_only(path, "immutable=1")
        try:
            _check_connection(path, connection)
        except BaseException:
            connection.close()
            raise
        steps = schema_of(connection)
        if steps < len(MIGRATIONS):
            connection.close()
            raise DatabaseForeign(
                f"database {path} has an older schema ({steps} of {len(MIGRATIONS)})",
                "start serve once: it brings the database up to date",
            )
    return connection


def _has_content(path: Path) -> bool:
    try:
        return path.stat().st_size > 0
    except FileNotFoundError:
        return False


def _connect_read_only(path: Path, how: str) -> sqlite3.Connection:
    connection = sqlite3.connect(
        f"{path.absolute().as_uri()}?{how}",
        uri=True,
        isolation_level=None,
        timeout=BUSY_TIMEOUT_SECONDS,
        check_same_thread=False,
    )
    connection.execute("PRAGMA query_only = ON")
    connection.execute("PRAGMA trusted_schema = OFF")
    return connection
