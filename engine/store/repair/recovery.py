"""A damaged, cut or missing database: moved to quarantine whole, and replaced by the best there is.

Nothing is repaired in place, and a kill at any moment leaves a state from which the next start goes
on.

    quarantine/TIME-N/   the damaged file and its two companions, together; the newest two are kept
    quarantine/TIME-N/unfinished   there until the replacement is in place

The replacement is made of the rows that still verify, else it is the newest backup that verifies,
else it is empty. The logs are read again from the positions that it has.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import stat
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from engine.errors import DatabaseForeign, InputMissing, StorageError
from engine.store import database, migrations
from engine.store.files import check_safe_to_write, is_of_us, is_to_be_made, sync_path
from engine.store.header import check_header, version_in_header
from engine.store.lock import was_ours
from engine.store.meta import MetaTable
from engine.store.repair import backup, check, checksums, rebuild, salvage
from engine.store.repair.notes import add_note
from engine.store.schema import CHECKSUMS_SINCE
from engine.store.transactions import NotADatabase, atomic, storage_errors

_SUFFIXES: Final = ("-shm", "-wal", "")
_KEPT: Final = 2
_UNFINISHED: Final = "unfinished"


def ensure_valid(path: Path, now: int) -> list[str]:
    """Make sure that there is a valid database, or none at all and no trace of one.

    Returns what was done about it. Raises DatabaseForeign or DatabaseDamaged for a file that was
    never ours, StorageError when the repair itself fails.
    """
    with storage_errors(path):
        check_safe_to_write(path)
        done = finish_interrupted(path, now)
        reason = _reason_to_replace(path)
        if reason:
            done.append(recover(path, reason, now))
        return done


def finish_interrupted(path: Path, now: int) -> list[str]:
    """Finish a repair or a restore that was interrupted. What was done.

    What a kill left of the draft of a backup or a restore is removed: the next one needs its room.
    """
    with suppress(OSError):
        database.remove_with_companions(backup.draft_path(path))
        database.remove_with_companions(_draft_path(path))
    unfinished = next((f for f in _folders(path) if (f / _UNFINISHED).exists()), None)
    if unfinished is None:
        return []
    with storage_errors(path):
        reason = (unfinished / _UNFINISHED).read_text("utf-8", "replace").strip()
        return [_replace(path, unfinished, reason or "it was damaged", now)]


def _reason_to_replace(path: Path) -> str:
    """What is wrong with the database; nothing when it is valid, or there never was one."""
    if not path.exists() and not path.is_symlink():
        leftovers = path.with_name(path.name + "-wal").exists()
        return "its file is gone" if leftovers or backup.backups_of(path) else ""
    if is_to_be_made(path) and not was_ours(path):
        return ""
    try:
        check_header(path)
    except (InputMissing, NotADatabase):
        if was_ours(path) or backup.backups_of(path):
            return "it is no database any more"
        raise
    if check.is_clean(path):
        return ""
    return next(iter(check.problems_in(path)), "")


def recover(path: Path, reason: str, now: int) -> str:
    """Move a database to quarantine and put the best replacement in its place. What was done."""
    with storage_errors(path):
        return _replace(path, new_folder(path, reason, now), reason, now)


def new_folder(path: Path, reason: str, now: int) -> Path:
    """A folder in quarantine. Until `close_folder`, a start finishes what was begun with it."""
    number = max((_number(folder) for folder in _folders(path)), default=0) + 1
    time = datetime.fromtimestamp(now, UTC).strftime("%Y%m%dT%H%M%SZ")
    folder = _quarantine(path) / f"{time}-{number}"
    folder.mkdir(mode=0o700)
    (folder / _UNFINISHED).write_text(reason[:500], "utf-8")
    sync_path(folder / _UNFINISHED)
    sync_path(folder)
    sync_path(folder.parent)
    return folder


def move_into(folder: Path, path: Path) -> None:
    """Move a database and its companions into a folder, as far as they are not there yet."""
    for suffix in _SUFFIXES:
        part = path.with_name(path.name + suffix)
        target = folder / part.name
        if os.path.lexists(part) and not os.path.lexists(target):
            part.rename(target)
    sync_path(folder)
    sync_path(path.parent)


def close_folder(folder: Path) -> None:
    """Note that the replacement of what is in a folder is in place."""
    (folder / _UNFINISHED).unlink(missing_ok=True)
    sync_path(folder)


def _quarantine(path: Path) -> Path:
    folder = path.parent / "quarantine"
    folder.mkdir(mode=0o700, exist_ok=True)
    found = folder.lstat()
    trusted = found.st_uid == 0 or is_of_us(found, path.parent)
    if not stat.S_ISDIR(found.st_mode) or not trusted:
        raise DatabaseForeign(f"{folder} is not a folder of ours", "move it away")
    sync_path(folder.parent)
    return folder


def _folders(path: Path) -> list[Path]:
    """The folders in quarantine, oldest first."""
    quarantine = path.parent / "quarantine"
    if quarantine.is_symlink() or not quarantine.is_dir():
        return []
    folders = [f for f in quarantine.iterdir() if f.is_dir() and not f.is_symlink() and _number(f)]
    return sorted(folders, key=_number)


def _number(folder: Path) -> int:
    digits = folder.name.rpartition("-")[2]
    return int(digits) if digits.isdecimal() and digits.isascii() else 0


def _replace(path: Path, folder: Path, reason: str, now: int) -> str:
    """Move what is there, put the replacement in its place; goes on where it was interrupted."""
    move_into(folder, path)
    if path.exists():  # the replacement was in place already
        what = "the rest of the repair was done now"
    else:
        what = _make_replacement(path, folder, reason, now)
    close_folder(folder)
    return f"the database was damaged ({reason}) and moved to {folder}: {what}" + remove_oldest(
        path
    )


def remove_oldest(path: Path) -> str:
    """Remove what was moved there long ago, and report it."""
    gone = _folders(path)[:-_KEPT]
    for folder in gone:
        shutil.rmtree(folder, ignore_errors=True)
    return f"; {', '.join(f.name for f in gone)} was removed from there" if gone else ""


def _make_replacement(path: Path, folder: Path, reason: str, now: int) -> str:
    backed_up = backup.valid_backup(path)
    done = ""

    def finish(connection: sqlite3.Connection) -> None:
        with atomic(connection):
            text = f"The database was damaged ({reason}). {done}"
            add_note(MetaTable(connection), now, folder.name, text)

    salvaged = _read(path, folder / path.name, backed_up)
    if salvaged:
        salvaged = rebuild.migrated(salvaged)
        rebuild.complete(salvaged, backed_up)
        done = _describe(salvaged, backed_up)

        def fill(connection: sqlite3.Connection) -> None:
            rebuild.fill(connection, salvaged)
            finish(connection)
            if found := check.problems_of(connection):
                raise ValueError(found[0])

        with suppress(sqlite3.Error, ValueError):
            database.create(path, fill)
            return done
    if backed_up:
        done = "The newest backup is used; what came after it is read again from the logs."
        with draft_of(path, backed_up, finish) as draft:
            draft.rename(path)
        sync_path(path.parent)
        return done
    done = "Nothing of it could be read and there is no backup: counting begins again from nothing."
    database.create(path, finish)
    return done


def _read(path: Path, damaged: Path, backed_up: Path | None) -> salvage.Salvaged | None:
    log = damaged.with_name(damaged.name + "-wal")
    if damaged.is_symlink() or not (damaged if damaged.exists() else log).is_file():
        return None
    salt = None
    if backed_up:
        uri = f"{backed_up.absolute().as_uri()}?immutable=1"
        with closing(sqlite3.connect(uri, uri=True)) as connection:
            salt = checksums.stored_salt(connection)
    template = path.with_name(path.name + ".template")
    try:
        version = version_in_header(damaged)
        known = CHECKSUMS_SINCE <= version <= migrations.NEWEST
        database.create(template, version=version if known else migrations.NEWEST)
        return salvage.read_best(damaged, template, salt)
    finally:
        database.remove_with_companions(template)


def _describe(salvaged: salvage.Salvaged, backed_up: Path | None) -> str:
    lost = sum(map(len, salvaged.bad.values()))
    if not salvaged.hurt:
        return "All of its rows could be read; where they are of different times, some may be old."
    torn = ", ".join(sorted(salvaged.hurt))
    filled = " What was missing was taken from the newest backup." if backed_up else ""
    return (
        f"{salvaged.count} rows could be read; some are lost (tables {torn}, at least {lost} rows)."
        f"{filled}"
    )


def _draft_path(path: Path) -> Path:
    return path.with_name(path.name + ".new")


@contextmanager
def draft_of(path: Path, backed_up: Path, finish: database.Fill) -> Iterator[Path]:
    """A verified copy of a backup next to a database, in the newest schema, to be moved there.

    What is not moved by the end is removed: where the disk is full, room is what is short.
    """
    draft = _draft_path(path)
    database.remove_with_companions(draft)
    try:
        _write_draft(draft, backed_up, finish)
        if found := check.problems_in(draft, "mode=ro&immutable=1"):
            text = f"backup {backed_up} could not be brought back: {found[0]}"
            raise StorageError(text, "try doctor")
        sync_path(draft)
        yield draft
    finally:
        with suppress(OSError):
            database.remove_with_companions(draft)


def _write_draft(draft: Path, backed_up: Path, finish: database.Fill) -> None:
    flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_NOFOLLOW
    with backed_up.open("rb") as source, os.fdopen(os.open(draft, flags, 0o600), "wb") as target:
        shutil.copyfileobj(source, target)
    with closing(sqlite3.connect(draft, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        database.install_functions(connection)
        migrations.apply(connection)
        finish(connection)
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
