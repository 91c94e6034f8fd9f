"""A database that is damaged, cut off or gone: set aside whole, and replaced by the best there is.

In: the path of a database, and the time for names of folders. Out: a sound database at that path,
and a sentence for the operator; or the error that stands in the way. Nothing is ever repaired in
place or deleted unsaid, and a kill at any moment leaves a state from which the next start goes on.

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
from collections.abc import Callable
from contextlib import closing, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from engine.errors import DatabaseForeign, InputMissing, StorageError
from engine.store import database
from engine.store.files import check_safe_to_write, is_of_us, is_to_be_made
from engine.store.lock import was_ours
from engine.store.repair import backup, check, checksums, salvage

_SUFFIXES: Final = ("-shm", "-wal", "")
_KEPT: Final = 2
_UNFINISHED: Final = "unfinished"


def ensure_valid(path: Path, now: int) -> list[str]:
    """Make sure that there is a sound database, or none at all and no trace of one.

    Returns what was done about it. Raises DatabaseForeign or DatabaseDamaged for a file that was
    never ours, StorageError when the repair itself fails.
    """
    with database.storage_errors(path):
        check_safe_to_write(path)
        done = []
        unfinished = next((f for f in _folders(path) if (f / _UNFINISHED).exists()), None)
        if unfinished:
            reason = (unfinished / _UNFINISHED).read_text("utf-8", "replace").strip()
            done.append(_replace(path, unfinished, reason or "it was damaged", now))
        reason = _reason_to_replace(path)
        if reason:
            done.append(recover(path, reason, now))
        return done


def _reason_to_replace(path: Path) -> str:
    """What is wrong with the database; nothing when it is sound, or never was."""
    if not path.exists() and not path.is_symlink():
        leftovers = path.with_name(path.name + "-wal").exists()
        return "its file is gone" if leftovers or backup.backups_of(path) else ""
    if is_to_be_made(path) and not was_ours(path):
        return ""
    try:
        database.check_header(path)
    except (InputMissing, database.NotADatabase):
        if was_ours(path) or backup.backups_of(path):
            return "it is no database any more"
        raise
    if check.is_clean(path):
        return ""
    return next(iter(check.problems_in(path)), "")


def recover(path: Path, reason: str, now: int) -> str:
    """Set a database aside and put the best replacement in its place. What was done."""
    with database.storage_errors(path):
        folders = _folders(path)
        number = max((_number(folder) for folder in folders), default=0) + 1
        time = datetime.fromtimestamp(now, UTC).strftime("%Y%m%dT%H%M%SZ")
        folder = _quarantine(path) / f"{time}-{number}"
        folder.mkdir(mode=0o700)
        (folder / _UNFINISHED).write_text(reason[:500], "utf-8")
        database.sync_path(folder / _UNFINISHED)
        database.sync_path(folder)
        database.sync_path(folder.parent)
        return _replace(path, folder, reason, now)


def _quarantine(path: Path) -> Path:
    folder = path.parent / "quarantine"
    folder.mkdir(mode=0o700, exist_ok=True)
    found = folder.lstat()
    trusted = found.st_uid == 0 or is_of_us(found, path.parent)
    if not stat.S_ISDIR(found.st_mode) or not trusted:
        raise DatabaseForeign(f"{folder} is not a folder of ours", "move it away")
    database.sync_path(folder.parent)
    return folder


def _folders(path: Path) -> list[Path]:
    """The folders of what was set aside, oldest first."""
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
    for suffix in _SUFFIXES:
        part = path.with_name(path.name + suffix)
        target = folder / part.name
        if os.path.lexists(part) and not os.path.lexists(target):
            part.rename(target)
    database.sync_path(folder)
    database.sync_path(path.parent)
    if path.exists():  # the replacement was in place already
        what = "the rest of the repair was done now"
    else:
        what = _make_replacement(path, folder, reason, now)
    (folder / _UNFINISHED).unlink(missing_ok=True)
    database.sync_path(folder)
    return f"the database was damaged ({reason}) and set aside in {folder}: {what}" + _thin(path)


def _thin(path: Path) -> str:
    """Remove what was set aside long ago, and say so."""
    gone = _folders(path)[:-_KEPT]
    for folder in gone:
        shutil.rmtree(folder, ignore_errors=True)
    return f"; {', '.join(f.name for f in gone)} was removed from there" if gone else ""


def _make_replacement(path: Path, folder: Path, reason: str, now: int) -> str:
    sound = backup.valid_backup(path)
    said = ""

    def finish(connection: sqlite3.Connection) -> None:
        with database.atomic(connection):
            salvage.add_note(
                connection, now, folder.name, f"The database was damaged ({reason}). {said}"
            )

    salvaged = _read(path, folder / path.name, sound)
    if salvaged:
        salvage.complete(salvaged, sound)
        said = _tell(salvaged, sound)

        def fill(connection: sqlite3.Connection) -> None:
            salvage.fill(connection, salvaged)
            finish(connection)

        with suppress(sqlite3.Error, ValueError):
            database.create(path, _verified(fill))
            return said
    if sound:
        said = "The newest backup is used; what came after it is read again from the logs."
        _restore(path, sound, finish)
        return said
    said = "Nothing of it could be read and there is no backup: counting begins anew."
    database.create(path, finish)
    return said


def _verified(
    fill: Callable[[sqlite3.Connection], None],
) -> Callable[[sqlite3.Connection], None]:
    def fill_and_check(connection: sqlite3.Connection) -> None:
        fill(connection)
        found = check.problems_of(connection)
        if found:
            raise ValueError(found[0])

    return fill_and_check


def _read(path: Path, damaged: Path, sound: Path | None) -> salvage.Salvaged | None:
    log = damaged.with_name(damaged.name + "-wal")
    if damaged.is_symlink() or not (damaged if damaged.exists() else log).is_file():
        return None
    salt = None
    if sound:
        with closing(sqlite3.connect(f"{sound.absolute().as_uri()}?immutable=1", uri=True)) as c:
            salt = checksums.stored_salt(c)
    like = path.with_name(path.name + ".like")
    try:
        database.create(like)
        return salvage.read_best(damaged, like, salt)
    finally:
        for suffix in ("", "-wal", "-shm"):
            like.with_name(like.name + suffix).unlink(missing_ok=True)


def _tell(salvaged: salvage.Salvaged, sound: Path | None) -> str:
    lost = sum(map(len, salvaged.bad.values()))
    if not salvaged.hurt:
        return "All of its rows could be read; where they are of different times, some may be old."
    torn = ", ".join(sorted(salvaged.hurt))
    filled = " What was missing was taken from the newest backup." if sound else ""
    return (
        f"{salvaged.count} rows could be read; some are lost (tables {torn}, at least {lost} rows)."
        f"{filled}"
    )


def _restore(path: Path, sound: Path, finish: Callable[[sqlite3.Connection], None]) -> None:
    draft = path.with_name(path.name + ".new")
    for suffix in ("", "-wal", "-shm"):
        draft.with_name(draft.name + suffix).unlink(missing_ok=True)
    flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_NOFOLLOW
    with sound.open("rb") as source, os.fdopen(os.open(draft, flags, 0o600), "wb") as target:
        shutil.copyfileobj(source, target)
    with closing(sqlite3.connect(draft, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        checksums.install(connection)
        database.migrate(connection)
        finish(connection)
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    if found := check.problems_in(draft):
        raise StorageError(f"backup {sound} could not be brought back: {found[0]}", "try doctor")
    database.sync_path(draft)
    draft.rename(path)
    database.sync_path(path.parent)
