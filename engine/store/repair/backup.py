"""Copies of a live database that have been checked before they are called one.

In: a connection that is between transactions, and where the copy goes. Out: a file that is
complete, verified and durable under its name, or an error and no file. It keeps two beside the
database and knows no dates: which is newer is in their names, as the clock may be wrong.
"""

from __future__ import annotations

import os
import sqlite3
from contextlib import suppress
from pathlib import Path

from engine.errors import DatabaseDamaged
from engine.store import database
from engine.store.repair import check


def newest_path(path: Path) -> Path:
    """The newest backup beside a database."""
    return path.with_name(path.name + ".backup")


def older_path(path: Path) -> Path:
    """The one before it."""
    return path.with_name(path.name + ".backup-old")


def backups_of(path: Path) -> list[Path]:
    """The backups beside a database, the newest first."""
    return [p for p in (newest_path(path), older_path(path)) if p.is_file() and not p.is_symlink()]


def valid_backup(path: Path) -> Path | None:
    """The newest backup that verifies."""
    for backup in backups_of(path):
        with suppress(sqlite3.Error):
            if not check.problems_in(backup, "mode=ro&immutable=1"):
                return backup
    return None


def back_up(connection: sqlite3.Connection, path: Path) -> None:
    """Make a backup beside a database; the newest one becomes the older one, which goes.

    Raises DatabaseDamaged when the copy does not verify, StorageError when it cannot be written.
    """
    draft = newest_path(path).with_name(newest_path(path).name + ".tmp")
    with database.storage_errors(path):
        try:
            _copy(connection, draft)
        except BaseException:
            with suppress(OSError):
                draft.unlink(missing_ok=True)
            raise
        with suppress(FileNotFoundError):
            newest_path(path).rename(older_path(path))
        draft.rename(newest_path(path))
        database.sync_path(path.parent)


def copy_to(connection: sqlite3.Connection, target: Path) -> None:
    """Make a verified copy of a live database under any name. Raises as `back_up`."""
    draft = target.with_name(target.name + ".tmp")
    with database.storage_errors(target):
        try:
            _copy(connection, draft)
            draft.rename(target)
        except BaseException:
            with suppress(OSError):
                draft.unlink(missing_ok=True)
            raise
        database.sync_path(target.parent)


def drop_older(path: Path) -> bool:
    """Give up the older backup to make room. Whether there was one, beside a newer one."""
    if not newest_path(path).exists():
        return False
    try:
        older_path(path).unlink()
    except OSError:
        return False
    return True


def _copy(connection: sqlite3.Connection, draft: Path) -> None:
    draft.unlink(missing_ok=True)
    os.close(os.open(draft, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_NOFOLLOW, 0o600))
    connection.execute("VACUUM INTO ?", (draft.absolute().as_uri(),))  # a name of any bytes
    found = check.problems_in(draft, "mode=ro&immutable=1")
    if found:
        raise DatabaseDamaged(
            f"a copy of the database does not verify: {found[0]}", "the database is checked next"
        )
    database.sync_path(draft)
