"""The lock of the one process that may write a database, released however that process ends.

The locked file also records, by not being empty, that a database of ours was opened here once: a
file that is no database any more is a damaged one then, and not another program's.
"""

from __future__ import annotations

import errno
import fcntl
import os
import socket
import stat
import struct
from contextlib import suppress
from pathlib import Path
from typing import Final

from engine.errors import Busy, DatabaseForeign, StorageError
from engine.store.files import check_safe_to_write
from engine.store.header import check_header
from engine.store.transactions import NotADatabase, storage_errors

_MARK: Final = b"offspot-metrics opened its database here\n"
_FLAGS: Final = os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
_IN_USE: Final = (errno.EAGAIN, errno.EACCES)
_NO_LOCKS: Final = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL)


def lock_path(path: Path) -> Path:
    """The file that is locked."""
    return path.with_name(path.name + ".lock")


class Lock:
    """Locked on creation; raises Busy when another process has the lock.

    Where a file system has no flock, a lock by fcntl is taken, and where it has none either, a name
    that only one process of this machine (of one network namespace) can have.
    """

    def __init__(self, path: Path) -> None:
        self.path = lock_path(path)
        self.note = ""
        """What the operator should know about this lock."""
        self._socket: socket.socket | None = None
        if not os.path.lexists(self.path):
            _check_usable(path)  # or the lock of a database that is refused would stay behind
        self._descriptor = _open(self.path, path)
        try:
            self._take(path)
        except OSError as error:
            os.close(self._descriptor)
            raise Busy(
                f"database {path} is in use by another offspot-metrics",
                "stop that one first (serve and replay cannot write at the same time)",
            ) from error
        except BaseException:
            os.close(self._descriptor)
            raise

    def _take(self, path: Path) -> None:
        """Lock in the first way that there is; raises OSError when another process has the lock.

        Raises StorageError where SQLite could not lock, which has one way only.
        """
        reasons = []
        for take in (_flock, _lock_by_fcntl):
            try:
                take(self._descriptor, fcntl.LOCK_EX)
            except OSError as error:
                if error.errno in _IN_USE:
                    raise
                reasons.append(error.strerror or str(error))
            else:
                break
        else:
            self._socket = _take_name(self._descriptor)
        _check_locks_of_sqlite(self._descriptor, path)
        if reasons:
            who = "this machine" if self._socket is None else "this machine and container"
            self.note = (
                f"the file system of database {path} has no flock ({reasons[0]}): another "
                f"instance that writes to it is only noticed on {who}"
            )

    def release(self) -> None:
        """Release the lock."""
        os.close(self._descriptor)
        if self._socket is not None:
            self._socket.close()


def _check_usable(path: Path) -> None:
    """Raise an error when something at a path is no database of ours, and not empty.

    Called before anything is made next to it, and without a connection to it.
    """
    with storage_errors(path):
        try:
            found = path.lstat()
        except (FileNotFoundError, NotADirectoryError):
            return
        if found.st_size or not stat.S_ISREG(found.st_mode):
            try:
                check_header(path)
            except NotADatabase:
                if not os.path.lexists(path.with_name(f"{path.name}.backup")):
                    raise
        check_safe_to_write(path)


def is_locked(path: Path) -> bool:
    """Whether a process has the lock of a database; makes no file, and locks nothing itself."""
    try:
        descriptor = os.open(lock_path(path), os.O_RDONLY | _FLAGS)
    except OSError:
        return False
    try:
        for take in (_flock, _lock_by_fcntl):
            try:
                take(descriptor, fcntl.LOCK_SH)
            except OSError as error:
                if error.errno in _IN_USE:
                    return True
            else:
                return False
        try:
            _take_name(descriptor).close()
        except OSError:
            return True
        return False
    finally:
        os.close(descriptor)


def _flock(descriptor: int, kind: int) -> None:
    fcntl.flock(descriptor, kind | fcntl.LOCK_NB)


def _lock_by_fcntl(descriptor: int, kind: int) -> None:
    """A lock of the open file, not of the process, so that it behaves as flock does."""
    which = fcntl.F_WRLCK if kind == fcntl.LOCK_EX else fcntl.F_RDLCK
    fcntl.fcntl(descriptor, fcntl.F_OFD_SETLK, struct.pack("hhqqi4x", which, 0, 0, 0, 0))


def _check_locks_of_sqlite(descriptor: int, path: Path) -> None:
    """Raise StorageError where a file cannot be locked in the way of SQLite.

    SQLite itself reports missing locks as a lock of another program.
    """
    try:
        fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        fcntl.lockf(descriptor, fcntl.LOCK_UN)
    except OSError as error:
        if error.errno not in _NO_LOCKS:  # read-only, or flock is made of these locks (NFS)
            return
        raise StorageError(
            f"the file system of database {path} has no locks ({error.strerror}), without which "
            "SQLite cannot keep a database whole",
            "give a path on a local disk with --database (DATABASE_URL)",
        ) from error


def _take_name(descriptor: int) -> socket.socket:
    """A socket of a name that belongs to this file, in no file system. Raises OSError."""
    found = os.fstat(descriptor)
    taken = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    try:
        taken.bind(f"\0offspot-metrics/{found.st_dev}/{found.st_ino}")
    except BaseException:
        taken.close()
        raise
    return taken


def _open(lock: Path, path: Path) -> int:
    descriptor = _open_any(lock, path)
    found = os.fstat(descriptor)
    if not stat.S_ISREG(found.st_mode) or found.st_nlink > 1:
        os.close(descriptor)
        what = "has a second name (a hard link)" if found.st_nlink > 1 else "is not a plain file"
        raise DatabaseForeign(f"{lock} {what}", "move it away")
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
            _write_hint(error, lock.parent),
        ) from error


def _write_hint(error: OSError, folder: Path) -> str:
    other = "give another path with --database (DATABASE_URL)"
    if error.errno == errno.EROFS:
        return f"{other}; in a container, mount a folder that may be written at {folder}"
    return f"{other}, or let this user write there (chown {os.geteuid()} {folder})"


def mark_as_ours(path: Path) -> None:
    """Record next to a database that it was ours and valid, where there is a lock file."""
    with suppress(OSError):
        descriptor = os.open(lock_path(path), os.O_RDWR | _FLAGS)
        try:
            found = os.fstat(descriptor)
            if not found.st_size and stat.S_ISREG(found.st_mode) and found.st_nlink == 1:
                os.write(descriptor, _MARK)
        finally:
            os.close(descriptor)


def was_ours(path: Path) -> bool:
    """Whether a database of ours was opened here once."""
    try:
        return lock_path(path).lstat().st_size > 0
    except OSError:
        return False
