"""Brings a backup back: the database goes to quarantine, and a verified copy takes its place.

A kill at any moment leaves one of the two in use: until the copy is in place, the next start brings
the present database back from quarantine.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing, suppress
from pathlib import Path

from engine.errors import (
    DatabaseForeign,
    InputDamaged,
    InputMissing,
    InputUnreadable,
    UsageError,
)
from engine.store.files import sync_path
from engine.store.header import check_header
from engine.store.lock import mark_as_ours
from engine.store.meta import MetaTable
from engine.store.repair import check, recovery
from engine.store.transactions import atomic, storage_errors
from engine.store.upstream.location import is_upstream

_OF_THE_HOTSPOT = ("site_id", "board", "card")


def restore(path: Path, source: Path, now: int) -> str:
    """Replace a database, which nobody may have open, by a backup. What was done, in a sentence.

    Raises InputMissing, InputUnreadable, InputDamaged or DatabaseForeign for the backup, and
    StorageError; the present database stays as it is then.
    """
    if path.exists() and source.exists() and path.samefile(source):
        raise UsageError(f"{source} is the database itself", "give a backup of it")
    check_source(source)
    recovery.finish_interrupted(path, now)
    kept = _identity_of(path)

    def finish(connection: sqlite3.Connection) -> None:
        with atomic(connection):
            for key, value in kept.items():
                MetaTable(connection).set(key, value)

    with storage_errors(path):
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        done = f"{source} is the database now"
        with recovery.draft_of(path, source, finish) as draft:
            folder = None
            if path.exists():
                folder = recovery.new_folder(path, f"restoring {source.name} was interrupted", now)
                recovery.move_into(folder, path)
            draft.rename(path)
            sync_path(path.parent)
        if folder is not None:
            recovery.close_folder(folder)
            done += f"; the one before it is in {folder}" + recovery.remove_oldest(path)
        mark_as_ours(path)
        return done


def check_source(source: Path) -> None:
    """Raise an error when a file is no backup that verifies."""
    try:
        source.lstat()
    except (FileNotFoundError, NotADirectoryError) as error:
        raise InputMissing(
            f"backup {source} is not there",
            "give a file that backup has written; what comes through a pipe is saved to one first",
        ) from error
    except PermissionError as error:
        raise InputUnreadable(
            f"backup {source} may not be read", "copy it to where this user may read it"
        ) from error
    if is_upstream(source):
        raise DatabaseForeign(
            f"{source} is a database of offspot/metrics", "use import to read what is in it"
        )
    log = source.parent / f"{source.name}-wal"
    if log.exists() and log.stat().st_size:
        raise UsageError(
            f"{source} is in use, or was not closed: part of it is in {log.name}",
            "make a backup of it with offspot-metrics backup --database, and restore that",
        )
    try:
        check_header(source)
        found = check.problems_in(source, "mode=ro&immutable=1")
    except sqlite3.Error as error:
        found = [str(error)]
    if found:
        raise InputDamaged(
            f"{source} is damaged: {found[0]}", "give another backup; nothing was changed"
        )


def _identity_of(path: Path) -> dict[str, str]:
    """The rows that identify the hotspot of a database, in any version of the schema; none where it
    cannot be read.
    """
    address = f"{path.absolute().as_uri()}?mode=ro"
    with suppress(sqlite3.Error), closing(sqlite3.connect(address, uri=True)) as connection:
        values = {key: MetaTable(connection).get(key) for key in _OF_THE_HOTSPOT}
        return {key: str(value) for key, value in values.items() if value is not None}
    return {}
