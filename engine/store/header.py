"""Checks by its header, before any use, that a file is a database that this version can open."""

from __future__ import annotations

import sqlite3
import stat
import threading
from contextlib import closing, suppress
from pathlib import Path
from typing import Final

from engine.errors import DatabaseForeign, InputMissing, InputUnreadable, StorageError
from engine.store import migrations
from engine.store.files import open_plain
from engine.store.schema import APPLICATION_ID
from engine.store.transactions import NotADatabase

_MAGIC: Final = b"SQLite format 3\x00"
_HEADER_BYTES: Final = 100

_checking: Final = threading.Lock()
_checked: Final[set[tuple[int, int]]] = set()
"""(device, inode) of files that passed the check when this process first saw them."""


def check_ours(path: Path) -> None:
    """Raise what `check_header` raises, the first time that this process sees the file.

    Not again: connections may be open then, and a process that closes any descriptor of a file
    gives up all its locks on it (fcntl(2)). Without them another program that opens and closes the
    database would take its write-ahead log away. Each connection also checks for itself.
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
    header = _read_header(path)
    if not header and (log := path.with_name(path.name + "-wal")).exists() and log.stat().st_size:
        raise NotADatabase(
            f"{path} is empty (0 bytes), and what was in it may be in {log.name}",
            "copy both again from where they came from, or give another path with --database",
        )
    if not header:
        raise InputMissing(
            f"database {path} is empty (0 bytes): nothing has been counted yet",
            "serve and replay --database make one of it; or give another path with --database",
        )
    if header[:16] != _MAGIC or len(header) < _HEADER_BYTES:
        raise NotADatabase(
            f"{path} is not a database",
            "give another path with --database, or move that file away",
        )
    application_id = int.from_bytes(header[68:72], "big")
    _check_identity(path, application_id, int.from_bytes(header[60:64], "big"))


def _read_header(path: Path) -> bytes:
    try:
        with open_plain(path) as file:
            return file.read(_HEADER_BYTES)
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


def version_in_header(path: Path) -> int:
    """The schema version in the header of a database; 0 if it cannot be read."""
    with suppress(OSError, DatabaseForeign), open_plain(path) as file:
        return int.from_bytes(file.read(_HEADER_BYTES)[60:64], "big")
    return 0


def check_connection(path: Path, connection: sqlite3.Connection) -> None:
    """The same for a file that is open already."""
    (application_id,) = connection.execute("PRAGMA application_id").fetchone()
    _check_identity(path, application_id, migrations.version_of(connection))


def _check_identity(path: Path, application_id: int, version: int) -> None:
    if application_id != APPLICATION_ID:
        raise _foreign(path)
    if version > migrations.NEWEST:
        raise DatabaseForeign(
            f"database {path} was made by a newer version (schema {version}, "
            f"this one knows {migrations.NEWEST})",
            "use that version of offspot-metrics; the file was not touched",
        )


def _foreign(path: Path) -> DatabaseForeign:
    try:
        uri = f"{path.absolute().as_uri()}?immutable=1"
        with closing(sqlite3.connect(uri, uri=True)) as connection:
            tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_schema")}
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
