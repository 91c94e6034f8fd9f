"""The right to write a database: one process has it, until it ends, however it ends.

In: the path of a database. Out: a lock on a file beside it. That file also tells, by not being
empty, that a database of ours was opened here once: then a file that is no database any more is a
damaged one, and not somebody else's.
"""

from __future__ import annotations

import errno
import fcntl
import os
import stat
from contextlib import suppress
from pathlib import Path
from typing import Final

from engine.errors import Busy, DatabaseForeign, StorageError

_MARK: Final = b"offspot-metrics opened its database here\n"
_FLAGS: Final = os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK


def lock_path(path: Path) -> Path:
    """The file that is locked."""
    return path.with_name(path.name + ".lock")


class Lock:
    """Held from the beginning; raises Busy when another process has it."""

    def __init__(self, path: Path) -> None:
        self.path = lock_path(path)
        self._descriptor = _open(self.path, path)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(self._descriptor)
            raise Busy(
                f"database {path} is in use by another offspot-metrics",
                "stop that one first (serve and replay cannot write at the same time)",
            ) from error

    def release(self) -> None:
        """Let others write."""
        os.close(self._descriptor)


def _open(lock: Path, path: Path) -> int:
    descriptor = _open_any(lock, path)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise DatabaseForeign(f"{lock} is not a plain file", "move it away")
    return descriptor


def _open_any(lock: Path, path: Path) -> int:
    try:
        lock.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        return os.open(lock, os.O_RDWR | os.O_CREAT | _FLAGS, 0o600)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise DatabaseForeign(f"{lock} is a symbolic link", "remove it") from error
        with suppress(OSError):
            if error.errno == errno.EROFS:  # a disk that was set read-only: look, do not write
                return os.open(lock, os.O_RDONLY | _FLAGS)
        raise StorageError(
            f"the folder of database {path} cannot be written: {error.strerror}",
            "give another path with --database, or let this user write there",
        ) from error


def mark_as_ours(path: Path) -> None:
    """Note beside a database that it was ours and sound, where there is a lock."""
    with suppress(OSError):
        descriptor = os.open(lock_path(path), os.O_RDWR | _FLAGS)
        try:
            if not os.fstat(descriptor).st_size:
                os.write(descriptor, _MARK)
        finally:
            os.close(descriptor)


def was_ours(path: Path) -> bool:
    """Whether a database of ours was opened here once."""
    try:
        return lock_path(path).lstat().st_size > 0
    except OSError:
        return False
