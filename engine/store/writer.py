"""The one connection that writes a database.

After an error of the disk it is closed, as SQLite cannot know any more what has reached the disk;
it is opened again for the next try.
"""

from __future__ import annotations

import os
import sqlite3
from contextlib import suppress
from pathlib import Path
from typing import Final

from engine.errors import Busy, DatabaseDamaged, StorageError
from engine.store import database
from engine.store.files import file_at
from engine.store.repair import backup
from engine.store.transactions import storage_errors

_LAST_TIMEOUT_MS: Final = 500


class Writer:
    """A connection to the file at a path, as long as that is the same file."""

    def __init__(
        self, path: Path, connection: sqlite3.Connection, *, writable: bool = True
    ) -> None:
        self.path = path
        self.writable = writable
        self._connection: sqlite3.Connection | None = connection
        self._file = file_at(path)
        """The file that is open, by device and inode."""

    @classmethod
    def open(cls, path: Path) -> Writer:
        """Open a database, or make it. Raises as `open_writer`."""
        return cls(path, _open(path))

    @classmethod
    def open_read_only(cls, path: Path) -> Writer:
        """Open a database that cannot be written now."""
        return cls(path, database.open_reader(path), writable=False)

    @property
    def connection(self) -> sqlite3.Connection:
        """The connection; raises StorageError while there is none."""
        if self._connection is None:
            raise StorageError(f"database {self.path} is not open", "it is tried again")
        return self._connection

    @property
    def is_open(self) -> bool:
        """Whether there is a connection."""
        return self._connection is not None

    @property
    def is_replaced(self) -> bool:
        """Whether another file is at the path than the one that is open."""
        return self._connection is not None and self._file not in (None, file_at(self.path))

    def reopen(self, *, must_be_alone: bool) -> None:
        """Open the file that is at the path: after an error, or because it is another one.

        With `must_be_alone`, raises Busy while another connection reads it.
        """
        self.disconnect()
        self.check_there()
        with storage_errors(self.path):
            connection = _open(self.path)
            # What a failed sync left in the log may be in memory only: write it once more.
            busy = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
            if busy and must_be_alone:
                connection.close()
                raise Busy(f"database {self.path} is being read", "it is tried again")
            self._connection, self.writable = connection, True
            self._file = file_at(self.path)

    def check_there(self) -> None:
        """Raise DatabaseDamaged when the file was removed, or something else is in its place.

        What is written would go with it, and nobody could read it.
        """
        if self.path == database.MEMORY or file_at(self.path):
            return
        what = "was replaced by what is no file" if os.path.lexists(self.path) else "is gone"
        raise DatabaseDamaged(f"the file of database {self.path} {what}")

    def disconnect(self) -> None:
        """Close the connection, whatever that raises: what matters is in the file or in memory."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(sqlite3.Error):
                connection.close()

    def shorten_timeouts(self) -> None:
        """Wait for the locks of others for a moment only."""
        if self._connection is not None:
            self._connection.execute(f"PRAGMA busy_timeout = {_LAST_TIMEOUT_MS}")

    def close(self) -> bool:
        """Close the connection. Whether the write-ahead log is in the file, which is all then."""
        complete = False
        try:
            if self._connection and self.path != database.MEMORY and self.writable:
                row = self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
                complete = not row[0]
        except sqlite3.Error:
            pass  # everything is committed; the next opening completes the file
        finally:
            self.disconnect()
        return complete


def _open(path: Path) -> sqlite3.Connection:
    return database.open_writer(path, lambda connection: backup.back_up(connection, path))
