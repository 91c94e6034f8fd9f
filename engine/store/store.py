"""What writes a database: one file, one writing connection, one commit at a time.

Everything of one instant (states, records, totals, positions) is in one transaction: after a power
cut it is all there or nothing of it, and what is missing is read again from the logs.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final, Self
from zoneinfo import ZoneInfo

from engine.errors import Busy, DatabaseDamaged, MetricsError, StorageError
from engine.indicators.model import States
from engine.sources.log_file import LogFile
from engine.store import clock_epochs, positions, site
from engine.store.files import file_at
from engine.store.lock import Lock, mark_as_ours
from engine.store.meta import MetaTable
from engine.store.origins import current_origin
from engine.store.reader import Reader
from engine.store.records import RecordWriter
from engine.store.repair import backup, check, recovery
from engine.store.transactions import DiskFull, atomic, storage_errors
from engine.store.unconfirmed import Unconfirmed
from engine.store.writer import Writer
from engine.store.zones import choose_zone, is_stored, store_zone

__all__ = ["Lock", "Store"]

_CANNOT_WRITE: Final = "the database cannot be written"


class Store:
    """The writing side of a database. Owned by one thread."""

    def __init__(self, writer: Writer, zone: ZoneInfo | None) -> None:
        self.path = writer.path
        self.notes: list[str] = []
        self.repairs: list[str] = []
        """What was moved to quarantine and replaced when this was opened, and since."""
        self.verified = False
        self._writer = writer
        self._unconfirmed = Unconfirmed()
        self.synchronised = True
        """Whether the kernel calls its clock so; if not, what is counted carries its stretch."""
        self.zone, changed = choose_zone(self.meta, zone)
        if changed:
            self.notes.append(
                f"{changed}: days, weeks, months and years are computed again from the hourly "
                "records"
            )
        self.records = self._record_writer()
        if writer.writable and not is_stored(self.meta, self.zone):
            with atomic(self.connection):
                store_zone(self.meta, self.zone)
                self.records.recompute_periods()
                self.records.write_table_checksums()
        self.commits = int(self.get("commits", 0))

    @classmethod
    def open(
        cls,
        path: Path,
        zone: ZoneInfo | None = None,
        *,
        repair_at: int | None = None,
        may_be_read_only: bool = False,
    ) -> Store:
        """Open a database for writing; `zone` None is the one it has (UTC for a new one).

        With `repair_at` (now), it is checked first, and a damaged one is replaced. With
        `may_be_read_only`, one on a disk that cannot be written is opened for reading, and every
        commit tries again.
        """
        repairs = recovery.ensure_valid(path, repair_at) if repair_at is not None else []
        with storage_errors(path):
            writer = None
            try:
                writer = Writer.open(path)
                store = cls(writer, zone)
            except (StorageError, sqlite3.OperationalError) as error:
                if writer is not None:
                    writer.disconnect()
                is_there = file_at(path) and path.stat().st_size
                if not (may_be_read_only and is_there) or isinstance(error, DatabaseDamaged):
                    raise
                store = cls(Writer.open_read_only(path), zone)
                store.notes.append(f"{_CANNOT_WRITE} ({error}): counting in memory")
            store.repairs = repairs
            store.verified = repair_at is not None
            mark_as_ours(path)
            return store

    @property
    def connection(self) -> sqlite3.Connection:
        """The connection; raises StorageError while there is none."""
        return self._writer.connection

    @property
    def meta(self) -> MetaTable:
        """The table `meta`."""
        return MetaTable(self.connection)

    def get(self, key: str, default: Any = None) -> Any:
        """A value of `meta`."""
        return self.meta.get(key, default)

    def put(self, key: str, value: Any) -> None:
        """Write a value of `meta` at once."""
        with storage_errors(self.path), atomic(self.connection):
            self.meta.set(key, value)

    def reopen(self) -> None:
        """Open the file again that is at the path: after an error, or another one."""
        self._writer.reopen(must_be_alone=self._unconfirmed.is_open)
        self.notes = [note for note in self.notes if _CANNOT_WRITE not in note]
        self.records = self._record_writer()

    def _record_writer(self) -> RecordWriter:
        return RecordWriter(self.connection, self.zone, int(self.get("complete_from", 0)))

    def commit(
        self,
        states: States,
        log_files: Iterable[LogFile] = (),
        *,
        running_hour: int | None = None,
        meta: dict[str, Any] | None = None,
        folded: Sequence[bytes] = (),
    ) -> None:
        """Write everything of this instant in one transaction, or raise.

        `states` are differences since the last commit that succeeded; `meta` are rows of that
        table (`saved_at`: when this was, epoch seconds); of the log files `folded` only the
        numbers of lines are kept. Raises StorageError or Busy; then all may be tried again, with
        what came since.
        """
        if not self._writer.is_open or not self._writer.writable:
            self.reopen()
        self._confirm()
        states = self._unconfirmed.without_written(states)
        log_files = list(log_files)
        try:
            try:
                self._write(states, log_files, running_hour, meta or {}, folded)
            except DiskFull:
                if not backup.drop_older(self.path):
                    raise
                self._write(states, log_files, running_hour, meta or {}, folded)
        except (Busy, DatabaseDamaged, DiskFull):
            raise
        except StorageError:
            self._unconfirmed.failed(states)
            self._writer.disconnect()
            raise
        self._unconfirmed.clear()

    def _write(
        self,
        states: States,
        log_files: list[LogFile],
        running_hour: int | None,
        meta: dict[str, Any],
        folded: Sequence[bytes],
    ) -> None:
        self._writer.check_there()
        with self.transaction():
            origin = current_origin(self.connection, synchronised=self.synchronised)
            self.records.save(states, running_hour, origin)
            positions.save_log_files(self.connection, log_files, self.commits + 1)
            positions.fold_log_files(self.connection, folded)
            if log_files:
                self.meta.set("newest_move", self.commits + 1)
            for key, value in {**meta, "commits": self.commits + 1}.items():
                self.meta.set(key, value)
        self.commits += 1

    def import_with(self, write: Callable[[RecordWriter], None]) -> None:
        """Let a function write records of another origin, as one commit."""
        with self.transaction():
            write(self.records)
            self.meta.set("commits", self.commits + 1)
        self.commits += 1

    def _confirm(self) -> None:
        """See whether a failed commit was written: the database has its number then."""
        if self._unconfirmed.is_open:
            with storage_errors(self.path):
                written = int(self.get("commits", 0)) == self.commits + 1
            self._unconfirmed.confirm(written=written)
            self.commits += written

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All commits inside are written together, or none is."""
        if self.connection.in_transaction:
            yield
            return
        commits = self.commits
        with storage_errors(self.path):
            try:
                with atomic(self.connection):
                    yield
                    self.records.write_table_checksums()
            except BaseException:
                self.records.forget()
                self.commits = commits
                raise

    def shorten_timeouts(self) -> None:
        """Do not wait long for others any more: the process is ending."""
        self._writer.shorten_timeouts()

    def back_up(self) -> None:
        """Make a verified backup next to the database, and empty the write-ahead log into it.

        Raises DatabaseDamaged when the copy does not verify, StorageError when there is no room.
        """
        backup.back_up(self.connection, self.path)
        with storage_errors(self.path):
            self.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def problems(self) -> list[str]:
        """What is wrong with the database.

        Raises DatabaseDamaged when the file is gone, StorageError when it cannot be looked at now.
        """
        self._writer.check_there()
        if self._writer.is_replaced:
            return ["its file was replaced by another one"]
        with storage_errors(self.path):
            return check.problems_in(self.path)

    def recover(self, reason: str, now: int) -> None:
        """Move the damaged database to quarantine, and go on with the best replacement."""
        if self._writer.is_replaced:
            with suppress(MetricsError):  # what we have open is valid, and nowhere else
                self.back_up()
        self._writer.disconnect()
        self._unconfirmed.clear()
        self.repairs.append(recovery.recover(self.path, reason, now))
        self.reopen()
        self.commits = int(self.get("commits", 0))

    def identify(self, hardware: site.Hardware) -> str:
        """The random id of the hotspot with this board and this card."""
        if not self._writer.writable:
            return site.identify(self.meta, hardware, writable=False)
        with storage_errors(self.path), atomic(self.connection):
            return site.identify(self.meta, hardware, writable=True)

    def add_clock_epoch(
        self, boot_id: str, at: int, step_seconds: int, trusted: bool | None
    ) -> None:
        """Note that a stretch of steady time begins (at a boot, or a step of the clock)."""
        with self.transaction():
            clock_epochs.add_epoch(self.connection, boot_id, at, step_seconds, trusted)

    def clock_steps(self, newest: int = 20) -> list[tuple[int, int]]:
        """The newest steps of the clock: (time after it, seconds), oldest first."""
        return clock_epochs.newest_steps(self.connection, newest)

    def log_files(self) -> dict[bytes, LogFile]:
        """Every log that is remembered."""
        return positions.load_log_files(self.connection)

    def prune(self, present: Iterable[bytes]) -> list[bytes]:
        """Forget the oldest logs beyond a bound, none that is present. Their ids."""
        with storage_errors(self.path), atomic(self.connection):
            return positions.prune_log_files(self.connection, present)

    def purge(self, before: int) -> int:
        """Remove the records of hours before an instant. How many there were."""
        complete_from = max(before, self.records.complete_from)
        with storage_errors(self.path), atomic(self.connection):
            removed = self.records.purge(before)
            self.meta.set("complete_from", complete_from)
        self.records.complete_from = complete_from
        return removed

    def reader(self) -> Reader:
        """A reader on the same connection (for a database in memory, and for tests)."""
        return Reader(self.path, self.connection)

    def close(self) -> None:
        """Empty the write-ahead log into the file, so that a copy of one file is the data."""
        if self._writer.close() and self.verified:
            check.mark_clean(self.path)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
