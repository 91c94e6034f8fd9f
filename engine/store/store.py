"""The store as its writer sees it: one file, one writing connection, one commit at a time.

In: what was counted since the last commit. Out: a durable database. Everything of one instant
(states, records, totals, positions) is in one transaction: after a power cut it is all there or
nothing of it, and what is missing is read again from the logs.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final, Self
from zoneinfo import ZoneInfo

from engine import indicators
from engine.errors import Busy, DatabaseDamaged, MetricsError, StorageError
from engine.indicators.model import NO_DIMENSION, States
from engine.sources.model import LogFile
from engine.store import database, positions
from engine.store.files import file_at
from engine.store.lock import Lock, mark_as_ours
from engine.store.meta import MetaTable
from engine.store.reader import Reader
from engine.store.records import RecordWriter
from engine.store.repair import backup, check, recovery
from engine.store.schema import TIES
from engine.times import load_zone, zone_data

__all__ = ["Lock", "Store"]


_CANNOT_WRITE: Final = "the database cannot be written"


class Store(MetaTable):
    """The writing side of a database. Owned by one thread.

    After an error of the disk the connection is given up, as SQLite cannot know any more what has
    reached the disk; the next commit opens the database again and finds out.
    """

    def __init__(
        self,
        path: Path,
        connection: sqlite3.Connection,
        zone: ZoneInfo | None,
        *,
        writable: bool = True,
    ) -> None:
        self.path = path
        self.notes: list[str] = []
        self.repairs: list[str] = []
        """What was set aside and replaced when this was opened, and since."""
        self.verified = False
        self._connection: sqlite3.Connection | None = connection
        self._file = file_at(path)
        """The file that is open, by device and inode."""
        self._writable = writable
        self._unsure: States | None = None
        """States of a commit that failed in such a way that it may have landed all the same."""
        self._landed: States = {}
        """What the caller still gives as new and the database has: from commits that failed."""
        self.zone = self._settle_zone(zone)
        self.records = RecordWriter(connection, self.zone, int(self.get("complete_from", 0)))
        if writable and not self._is_of_this_zone():
            with database.atomic(connection):
                self._set("timezone", self.zone.key)
                self._set("zone_data", zone_data(self.zone.key))
                self.records.recompute_periods()
                self._tie()
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

        With `repair_at` (now), it is checked first, and a damaged one is set aside and replaced.
        With `may_be_read_only`, one on a disk that cannot be written is opened for reading, and
        every commit tries again.
        """
        repairs = recovery.ensure_valid(path, repair_at) if repair_at is not None else []
        with database.storage_errors(path):
            connection = None
            try:
                connection = database.open_writer(path, lambda c: backup.back_up(c, path))
                store = cls(path, connection, zone)
            except (StorageError, sqlite3.OperationalError) as error:
                if connection is not None:
                    connection.close()
                is_there = file_at(path) and path.stat().st_size
                if not (may_be_read_only and is_there) or isinstance(error, DatabaseDamaged):
                    raise
                connection = database.open_reader(path)
                store = cls(path, connection, zone, writable=False)
                store.notes.append(f"{_CANNOT_WRITE} ({error}): counting in memory")
            store.repairs = repairs
            store.verified = repair_at is not None
            mark_as_ours(path)
            return store

    @property
    def connection(self) -> sqlite3.Connection:
        """The connection; raises StorageError while there is none."""
        if self._connection is None:
            raise StorageError(f"database {self.path} is not open", "it is tried again")
        return self._connection

    def reopen(self) -> None:
        """Open the file again that stands at the path: after an error, or another one."""
        self._disconnect()
        self._check_there()
        with database.storage_errors(self.path):
            connection = database.open_writer(self.path, lambda c: backup.back_up(c, self.path))
            # What a failed sync left in the log may be in memory only: write it once more.
            busy = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
            if busy and self._unsure is not None:
                connection.close()
                raise Busy(f"database {self.path} is being read", "it is tried again")
            if not self._writable:
                self.notes = [note for note in self.notes if _CANNOT_WRITE not in note]
            self._connection, self._writable = connection, True
            self._file = file_at(self.path)
            complete_from = int(self.get("complete_from", 0))
            self.records = RecordWriter(connection, self.zone, complete_from)

    def _check_there(self) -> None:
        """Raise DatabaseDamaged when the file was removed, or another thing stands in its place.

        What is written would go with it, and nobody could read it.
        """
        if self.path == database.MEMORY or file_at(self.path):
            return
        what = "was replaced by what is no file" if os.path.lexists(self.path) else "is gone"
        raise DatabaseDamaged(f"the file of database {self.path} {what}")

    def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            try:
                connection.close()
            except sqlite3.Error:
                return  # nothing is lost by it: all that matters is in the file or in memory

    def _settle_zone(self, zone: ZoneInfo | None) -> ZoneInfo:
        stored = self.get("timezone")
        zone = zone or load_zone(str(stored or "UTC"))
        was = ""
        if stored is not None and zone.key != stored:
            was = f"time zone is now {zone.key}, was {stored}"
        elif stored is not None and zone_data(zone.key) != self.get("zone_data", ""):
            tables = str(self.get("zone_data", "")) or "those of this machine"
            was = f"the tables of time zones are now {zone_data(zone.key)}, were {tables}"
        if was:
            self.notes.append(
                f"{was}: days, weeks, months and years are computed again from the hourly records"
            )
        return zone

    def _is_of_this_zone(self) -> bool:
        """Whether the stored periods are of this zone, by the tables that are here."""
        tables = zone_data(self.zone.key)
        return bool(self.get("timezone") == self.zone.key and self.get("zone_data", "") == tables)

    def commit(
        self,
        states: States,
        generations: Iterable[LogFile] = (),
        *,
        running_hour: int | None = None,
        meta: dict[str, Any] | None = None,
        folded: Sequence[bytes] = (),
    ) -> None:
        """Write everything of this instant in one transaction, or raise.

        `states` are differences since the last commit that succeeded; `meta` are rows of that
        table (`saved_at`: when this was, epoch seconds); of the generations `folded` only the
        numbers of lines are kept. Raises StorageError or Busy; then all may be tried again, with
        what came since.
        """
        if self._connection is None or not self._writable:
            self.reopen()
        self._settle_unsure()
        states = self._without_landed(states)
        try:
            try:
                self._write(states, generations, running_hour, meta or {}, folded)
            except database.DiskFull:
                if not backup.drop_older(self.path):
                    raise
                self._write(states, generations, running_hour, meta or {}, folded)
        except (Busy, DatabaseDamaged, database.DiskFull):
            raise
        except StorageError:
            self._unsure = dict(states)
            self._disconnect()
            raise
        self._landed = {}

    def _write(
        self,
        states: States,
        generations: Iterable[LogFile],
        running_hour: int | None,
        meta: dict[str, Any],
        folded: Sequence[bytes],
    ) -> None:
        self._check_there()
        with self.transaction():
            self.records.save(states, running_hour)
            moved = list(generations)
            positions.save_generations(self.connection, moved, self.commits + 1)
            positions.fold_generations(self.connection, folded)
            if moved:
                self._set("tie_seen", self.commits + 1)
            for key, value in meta.items():
                self._set(key, value)
            self._set("commits", self.commits + 1)
        self.commits += 1

    def _settle_unsure(self) -> None:
        """See whether a failed commit has landed: the database has its number then."""
        if self._unsure is None:
            return
        with database.storage_errors(self.path):
            landed = int(self.get("commits", 0)) == self.commits + 1
        unsure, self._unsure = self._unsure, None
        if landed:
            self.commits += 1
            for key, state in unsure.items():
                fold = indicators.FOLDS[key[1]]
                self._landed[key] = fold.merge(self._landed.get(key, 0), state)

    def _without_landed(self, states: States) -> States:
        """States without what the database has of them."""
        if not self._landed:
            return states
        return {
            key: indicators.FOLDS[key[1]].difference(state, self._landed.get(key, 0))
            for key, state in states.items()
        }

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All commits inside land together, or none does."""
        if self.connection.in_transaction:
            yield
            return
        commits = self.commits
        with database.storage_errors(self.path):
            try:
                with database.atomic(self.connection):
                    yield
                    self._tie()
            except BaseException:
                self.records.forget()
                self.commits = commits
                raise

    def shorten_timeouts(self) -> None:
        """Do not wait long for others any more: the process is ending."""
        if self._connection is not None:
            self._connection.execute("PRAGMA busy_timeout = 500")

    def _tie(self) -> None:
        """Note in `meta` what the tables that have changed amount to (`mismatched_tables`)."""
        for key, changed in (("tie_state", True), ("tie_total", self.records.totals_changed)):
            if changed:
                self._set(key, self.connection.execute(TIES[key]).fetchone()[0])
        self.records.totals_changed = False

    def back_up(self) -> None:
        """Make a verified backup beside the database, and fold the write-ahead log into it.

        Raises DatabaseDamaged when the copy does not verify, StorageError when there is no room.
        """
        backup.back_up(self.connection, self.path)
        with database.storage_errors(self.path):
            self.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def problems(self) -> list[str]:
        """What is wrong with the database.

        Raises DatabaseDamaged when the file is gone, StorageError when it cannot be looked at now.
        """
        self._check_there()
        if self._connection is not None and self._file not in (None, file_at(self.path)):
            return ["its file was replaced by another one"]
        with database.storage_errors(self.path):
            return check.problems_in(self.path)

    def recover(self, reason: str, now: int) -> None:
        """Set the damaged database aside, and go on with the best replacement; adds a note."""
        if self._connection is not None and self._file not in (None, file_at(self.path)):
            with suppress(MetricsError):  # what we have open is sound, and nowhere else
                self.back_up()
        self._disconnect()
        self._unsure, self._landed = None, {}
        self.repairs.append(recovery.recover(self.path, reason, now))
        self.reopen()
        self.commits = int(self.get("commits", 0))

    def uptime_states(self) -> States:
        """The minutes of every hour in which the offspot was on."""
        rows = self.connection.execute(
            "SELECT hour, minutes FROM record WHERE indicator_id = ? AND minutes IS NOT NULL",
            (indicators.uptime.id,),
        )
        return {(hour, indicators.uptime.id, NO_DIMENSION): minutes for hour, minutes in rows}

    def generations(self) -> dict[bytes, LogFile]:
        """Every log that is remembered."""
        return positions.load_generations(self.connection)

    def prune(self, present: Iterable[bytes]) -> list[bytes]:
        """Forget the oldest logs beyond a bound, none that is present. Their ids."""
        with database.storage_errors(self.path), database.atomic(self.connection):
            return positions.prune_generations(self.connection, present)

    def purge(self, before: int) -> int:
        """Remove the records of hours before an instant. How many there were."""
        complete_from = self.records.complete_from
        try:
            with database.storage_errors(self.path), database.atomic(self.connection):
                removed = self.records.purge(before)
                self._set("complete_from", self.records.complete_from)
        except BaseException:
            self.records.complete_from = complete_from
            raise
        return removed

    def reader(self) -> Reader:
        """A reader on the same connection (for a database in memory, and for tests)."""
        return Reader(self.path, self.connection)

    def close(self) -> None:
        """Fold the write-ahead log into the file, so that a copy of one file is the data."""
        if self._connection is None:
            return
        folded = False
        try:
            if self.path != database.MEMORY and self._writable:
                row = self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
                folded = not row[0]
        except sqlite3.Error:
            pass  # everything is committed; the next opening folds it in
        finally:
            self._disconnect()
        if folded and self.verified:
            check.mark_clean(self.path)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
