"""Copies of a live database, complete, verified and durable before they get their names.

Two are kept next to the database. Which is newer is in their names, not in their dates, as the
clock may be wrong.
"""

from __future__ import annotations

import fcntl
import os
import re
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from engine.errors import DatabaseDamaged, MetricsError, UsageError
from engine.store.database import open_reader, remove_with_companions
from engine.store.files import free_bytes, is_to_be_made, sync_path
from engine.store.header import check_header
from engine.store.repair import check
from engine.store.transactions import storage_errors

SPARE_BYTES: Final = 8 * 1024 * 1024
"""So much stays free on the disk for what a database writes besides its backups."""

_DRAFT: Final = re.compile(r"offspot-metrics-backup-[0-9a-f]{16}\.tmp(-journal)?")


def newest_path(path: Path) -> Path:
    """The newest backup next to a database."""
    return path.with_name(path.name + ".backup")


def older_path(path: Path) -> Path:
    """The one before it."""
    return path.with_name(path.name + ".backup-old")


def draft_path(path: Path) -> Path:
    """One that is being written: a kill leaves it, and the next start removes it."""
    return newest_path(path).with_name(newest_path(path).name + ".tmp")


def backups_of(path: Path) -> list[Path]:
    """The backups next to a database, the newest first."""
    return [p for p in (newest_path(path), older_path(path)) if p.is_file() and not p.is_symlink()]


def valid_backup(path: Path) -> Path | None:
    """The newest backup that verifies."""
    for backup in backups_of(path):
        with suppress(sqlite3.Error):
            if not check.problems_in(backup, "mode=ro&immutable=1"):
                return backup
    return None


def has_room(path: Path) -> bool:
    """Whether the disk has room for a backup: for the copy, and for what is written meanwhile."""
    free = free_bytes(path)
    return free is not None and free >= 2 * path.stat().st_size + SPARE_BYTES


def back_up(connection: sqlite3.Connection, path: Path) -> None:
    """Make a backup next to a database; the newest one becomes the older one, which goes.

    Raises DatabaseDamaged when the copy does not verify, StorageError when it cannot be written.
    """
    draft = draft_path(path)
    with storage_errors(path):
        try:
            _copy(connection, draft)
        except BaseException:
            with suppress(OSError):
                remove_with_companions(draft)
            raise
        with suppress(FileNotFoundError):
            newest_path(path).rename(older_path(path))
        draft.rename(newest_path(path))
        sync_path(path.parent)


def copy_to(connection: sqlite3.Connection, target: Path) -> None:
    """Make a verified copy of a live database under any name. Raises as `back_up`.

    Drafts that were left in the folder by a kill or a power cut are removed.
    """
    draft = target.parent / f"offspot-metrics-backup-{os.urandom(8).hex()}.tmp"
    with storage_errors(target), _alone_in(target.parent) as alone:
        if alone:
            _remove_drafts(target.parent)
        try:
            _copy(connection, draft)
            draft.rename(target)
        except BaseException:
            with suppress(OSError):
                remove_with_companions(draft)
            raise
        sync_path(target.parent)


@contextmanager
def _alone_in(folder: Path) -> Iterator[bool]:
    """Wait for another backup that is written to a folder. Whether no other one can be: not known
    on a file system without locks.
    """
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    alone = False
    try:
        with suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            alone = True
        yield alone
    finally:
        os.close(descriptor)


def _remove_drafts(folder: Path) -> None:
    with suppress(OSError):  # what is left takes room, and is no reason to make no backup
        for entry in folder.iterdir():
            if _DRAFT.fullmatch(entry.name):
                entry.unlink()


def back_up_to(path: Path, target: Path) -> None:
    """Copy a database, which may be in use, to another file. Raises as `back_up`.

    Raises DatabaseForeign when the target exists and is not a database of this program.
    """
    if os.path.lexists(target):
        if target.exists() and path.exists() and target.samefile(path):
            raise UsageError(f"{target} is the database itself", "give another file")
        if not is_to_be_made(target):
            try:
                check_header(target)
            except MetricsError as error:  # it is not to be lost
                error.hint = "give another file, or move that one away"
                raise
    connection = open_reader(path)
    try:
        connection.execute("PRAGMA query_only = OFF")  # the file is open for reading only
        copy_to(connection, target)
    finally:
        connection.close()


def drop_older(path: Path) -> bool:
    """Remove the older backup to make room, where there is a newer one. Whether there was one."""
    if not newest_path(path).exists():
        return False
    try:
        older_path(path).unlink()
    except OSError:
        return False
    return True


def _copy(connection: sqlite3.Connection, draft: Path) -> None:
    remove_with_companions(draft)
    os.close(os.open(draft, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_NOFOLLOW, 0o600))
    connection.execute("VACUUM INTO ?", (draft.absolute().as_uri(),))  # a name of any bytes
    found = check.problems_in(draft, "mode=ro&immutable=1")
    if found:
        raise DatabaseDamaged(
            f"a copy of the database does not verify: {found[0]}", "the database is checked next"
        )
    sync_path(draft)
