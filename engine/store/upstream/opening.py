"""Opens a database of offspot/metrics, the older system, without ever writing to it.

A file in rollback mode is read where it is. One in WAL mode, or with a journal that a crash has
left, could only be opened by changing it: a copy is.
"""

from __future__ import annotations

import errno
import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

from engine.errors import (
    DatabaseForeign,
    InputDamaged,
    InputMissing,
    InputUnreadable,
)
from engine.regular_file import NotRegularFile, open_regular
from engine.store.files import temporary_folder
from engine.store.schema import APPLICATION_ID
from engine.store.upstream.copying import copied, size_of
from engine.store.upstream.location import MAGIC, TABLES
from engine.store.upstream.reading import UpstreamDatabase, error_of

REVISION: Final = "3c40b9f8c0e8"
"""The only Alembic revision that there has been."""


@contextmanager
def open_upstream(path: Path, scratch: Path | None = None) -> Iterator[UpstreamDatabase]:
    """Open a database of the older system; `scratch` is the folder for a copy if one is needed.

    Raises InputMissing, InputUnreadable, InputDamaged, DatabaseForeign, Busy or StorageError, and
    never changes the file or those next to it.
    """
    in_wal_mode = 2 in _header_of(path)[18:20]
    pending = any(size_of(path, suffix) for suffix in ("-journal", "-wal"))
    source, how = path, "mode=ro"
    with ExitStack() as stack:
        if in_wal_mode or pending:
            folder = stack.enter_context(temporary_folder(f"a copy of {path}", scratch))
            source, how = copied(path, folder), "mode=rw"
        try:
            connection = sqlite3.connect(
                f"{source.absolute().as_uri()}?{how}", uri=True, isolation_level=None, timeout=5.0
            )
        except sqlite3.Error as error:
            raise error_of(path, error) from error
        try:
            connection.row_factory = sqlite3.Row
            connection.text_factory = lambda data: data.decode("utf-8", "replace")
            connection.execute("PRAGMA trusted_schema = OFF")
            _check(path, connection)
            yield UpstreamDatabase(path, connection)
        except sqlite3.Error as error:
            raise error_of(path, error) from error
        finally:
            connection.close()


def _header_of(path: Path) -> bytes:
    try:
        with open_regular(path) as file:
            header = file.read(100)
    except FileNotFoundError as error:
        raise InputMissing(f"{path} is not there", "give the path of database.db") from error
    except PermissionError as error:
        raise InputUnreadable(f"{path} may not be read", "run as root or its owner") from error
    except OSError as error:
        if isinstance(error, NotRegularFile) and error.errno != errno.EISDIR:
            raise InputUnreadable(
                f"{path} is not a file", "save it as one, and give that"
            ) from error
        raise InputUnreadable(f"{path}: {error.strerror or error}", "give a file") from error
    if header[:16] != MAGIC or len(header) < 100:
        what = "is empty" if not header else "is not an SQLite database, or an encrypted one"
        raise InputDamaged(f"{path} {what}", "give the database.db of offspot/metrics")
    return header


def _check(path: Path, connection: sqlite3.Connection) -> None:
    application_id = connection.execute("PRAGMA application_id").fetchone()[0]
    names = {row[0] for row in connection.execute("SELECT name FROM sqlite_schema")}
    if application_id == APPLICATION_ID:
        raise DatabaseForeign(
            f"{path} is a database of this program", "use restore to go on with it"
        )
    if not TABLES.issubset(names):
        raise DatabaseForeign(
            f"{path} is a database of another program", "give the database.db of offspot/metrics"
        )
    revisions = [row[0] for row in connection.execute("SELECT version_num FROM alembic_version")]
    if revisions != [REVISION]:
        raise DatabaseForeign(
            f"{path} has schema {', '.join(map(str, revisions)) or 'none'} of offspot/metrics; "
            f"this program knows {REVISION}",
            "use a newer version of offspot-metrics; the file was not touched",
        )
    problems = [row[0] for row in connection.execute("PRAGMA quick_check(1)")]
    if problems != ["ok"]:
        raise InputDamaged(f"{path} is damaged: {problems[0]}", "import a whole copy of the file")
