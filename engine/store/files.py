"""Checks what is at the path of a database: a plain file, nothing yet, or something to leave alone.

Symbolic links are not followed.
"""

from __future__ import annotations

import errno
import os
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, Final

from engine.errors import DatabaseForeign, StorageError
from engine.regular_file import NotRegularFile, open_regular

_COMPANIONS: Final = ("", "-wal", "-shm", "-journal")


def companions(path: Path) -> list[Path]:
    """The file of a database, and those that SQLite keeps next to it."""
    return [path.with_name(path.name + suffix) for suffix in _COMPANIONS]


def free_bytes(path: Path) -> int | None:
    """The room that is left for a database; None when its folder cannot be looked at."""
    with suppress(OSError):
        disk = os.statvfs(path.parent)
        return disk.f_bavail * disk.f_frsize
    return None


@contextmanager
def temporary_folder(purpose: str, place: Path | None = None) -> Iterator[Path]:
    """A folder that is removed at the end. Raises StorageError where none can be made."""
    try:
        folder = tempfile.TemporaryDirectory(prefix="offspot-metrics-", dir=place)
    except OSError as error:  # no room, or read-only as in a container
        raise StorageError(
            f"no folder can be made for {purpose}: {error.strerror}",
            f"let this user write in {place}, and make room there"
            if place
            else "TMPDIR names another folder for temporary files, which needs room for a copy",
        ) from error
    with folder as name:
        yield Path(name)


def sync_path(path: Path) -> None:
    """Make a file or a folder durable."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def open_plain(path: Path) -> BinaryIO:
    """Open a file for reading that is a plain file of a user we trust, and no link to one.

    Raises DatabaseForeign for anything else, OSError as `open` does.
    """
    try:
        return open_regular(path, follow=False)
    except NotRegularFile as error:
        raise DatabaseForeign(
            f"{path} is not a file", "give the path of the database file"
        ) from error
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise DatabaseForeign(
                f"{path} is a symbolic link", "give the path that it leads to"
            ) from error
        raise


def check_safe_to_write(path: Path) -> None:
    """Raise DatabaseForeign when somebody else may have put the file or its companions there."""
    for part in companions(path):
        try:
            found = part.lstat()
        except FileNotFoundError:
            continue
        if not stat.S_ISREG(found.st_mode):
            raise DatabaseForeign(f"{part} is not a plain file", "move it away")
        if os.geteuid() != 0 and not is_of_us(found, part.parent):
            raise DatabaseForeign(
                f"{part} belongs to another user",
                "run as the user that owns it, or give another path with --database",
            )


def is_of_us(found: os.stat_result, folder: Path) -> bool:
    """Whether a file in a folder has the owner that files made by this process have there.

    On a file system with one fixed owner (exFAT, NTFS, FUSE with `uid=`) that is somebody else.
    """
    if found.st_uid == os.geteuid():
        return True
    try:
        with tempfile.TemporaryFile(dir=folder) as made:
            return os.fstat(made.fileno()).st_uid == found.st_uid
    except OSError:
        return False


def is_to_be_made(path: Path) -> bool:
    """Whether there is nothing at a path, or a file of 0 bytes that was never a database."""
    try:
        found = path.lstat()
    except FileNotFoundError:
        return True
    if found.st_size or not stat.S_ISREG(found.st_mode):
        return False
    others = (path.with_name(path.name + suffix) for suffix in ("-wal", ".backup", ".backup-old"))
    return not any(os.path.lexists(part) for part in others)


def file_at(path: Path) -> tuple[int, int] | None:
    """Device and inode of the plain file at a path; None if there is no such file."""
    try:
        found = path.lstat()
    except OSError:
        return None
    return (found.st_dev, found.st_ino) if stat.S_ISREG(found.st_mode) else None
