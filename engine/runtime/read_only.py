"""The dashboard without counting (PROCESSING_DISABLED): shows what there is, and writes nothing.

Another process may write the database meanwhile, replace it, or make it later. No lock is taken and
no file is made.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING

from engine.errors import InputMissing, MetricsError
from engine.packages import Packages, read_packages
from engine.report import Report
from engine.runtime import clock
from engine.runtime.inbox import Item
from engine.runtime.notify import Progress
from engine.runtime.service_status import ServiceStatus
from engine.runtime.threads import Threads
from engine.settings import Config
from engine.store import database
from engine.store.reader import Reader
from engine.store.transactions import storage_errors
from engine.times import latest_possible

if TYPE_CHECKING:
    from engine.api.answer_cache import AnswerCache

log = logging.getLogger("offspot-metrics")


class ReadOnlyDashboard:
    """Owned by the main thread, but for `open_report`."""

    def __init__(self, config: Config, status: ServiceStatus) -> None:
        self.config = config
        self.status = status
        self._file = _file_of(config.database)
        self._version = -1
        self._reader: Reader | None = None
        self._answers: AnswerCache
        try:
            packages = read_packages(config.packages)
        except MetricsError as error:
            log.info("%s", error.message)
            packages = self._stored_packages()
        self._timezone = config.timezone.key if config.timezone else ""
        status.timezone = self._timezone or status.timezone
        status.use_packages(packages)
        status.check_database = self.problem
        self.look()

    def _stored_packages(self) -> Packages:
        """Those in the database; none where there is no such database, or nothing in it of them."""
        path = self.config.database
        with suppress(MetricsError), closing(Reader.open(path)) as reader:
            with storage_errors(path):
                stored = reader.get("packages")
            if stored is not None:
                return Packages.from_json(str(stored))
        return Packages()

    def problem(self) -> str:
        """Why nothing can be shown now, in words and without a path; empty when all is well.

        From any thread: it opens the database again, as another process may have replaced it.
        """
        path = self.config.database
        try:
            with closing(Reader.open(path)) as reader, reader.snapshot():
                reader.first_minute()
                reader.last_line_at()
        except MetricsError as error:
            text = error.message.replace(f"database {path}", "the database")
            return text.replace(str(path), "the database")
        return ""

    def progress(self) -> Progress:
        """No thread of its own is at work."""
        return {}

    def open_report(self) -> Report:
        """A report for one thread; an empty one while there is no database.

        In another zone than the database's if one is configured, as with `kpis --timezone`.
        """
        zone = self.config.timezone
        try:
            return Report(Reader.open(self.config.database), zone)
        except InputMissing:
            memory = database.open_writer(database.MEMORY)
            return Report(Reader(database.MEMORY, memory), zone)

    @contextmanager
    def running(self, _threads: Threads, answers: AnswerCache) -> Iterator[None]:
        """Nothing but the loop runs, which calls `handle`."""
        self._answers = answers
        yield

    def due_in(self) -> float:
        """Seconds until `handle` is to be called though nothing has come: none is due."""
        return inf

    def handle(self, _item: Item | None) -> None:
        """Whatever has come: see whether the database has changed."""
        if self.look():
            self._answers.reopen()

    def look(self) -> bool:
        """Note what has changed. Whether the database is another file than at the last look."""
        file = _file_of(self.config.database)
        replaced = file != self._file
        self._file = file
        if replaced and self._reader is not None:
            self._reader.close()
            self._reader = None
        try:
            with storage_errors(self.config.database):
                self._note()
        except MetricsError as error:
            log.debug("%s", error.message)
            self._reader = None
        return replaced

    def _note(self) -> None:
        if self._file is None:
            return
        if self._reader is None:
            self._reader, self._version = Reader.open(self.config.database), -1
        reader, status = self._reader, self.status
        version = reader.data_version()
        if version == self._version:
            return
        self._version = version
        with reader.snapshot():
            status.timezone = self._timezone or str(reader.get("timezone", "UTC"))
            status.site_id = str(reader.get("site_id", ""))
            status.collecting_since = reader.first_minute(latest_possible(clock.now()))
            status.last_line_at = reader.last_line_at()
            status.saved_at = int(reader.get("saved_at", 0)) or None
            status.fates = reader.fates()
            status.last_seen = reader.last_hours(clock.now())


def _file_of(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino
