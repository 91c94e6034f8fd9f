"""One transaction, all of it or nothing; and what SQLite and the file system raise, as errors with
a hint.
"""

from __future__ import annotations

import errno
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from engine.errors import Busy, DatabaseDamaged, InputUnreadable, MetricsError, StorageError


class DiskFull(StorageError):
    """There is no room for what is to be written."""


class NotADatabase(DatabaseDamaged):
    """A file without the beginning of an SQLite database: damaged, or never one."""


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
        return DatabaseDamaged(
            f"database {path} is damaged: {error}",
            "serve moves it to quarantine and goes on from what can be read of it and from its "
            "backup; nothing is deleted",
        )
    return StorageError(
        f"database {path}: {error}", "is the disk full, read-only or broken? try doctor"
    )
