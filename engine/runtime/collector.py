"""Reads the logs, counts and saves: the part of `serve` that writes.

The main thread counts what a reader thread has read, at the ticks of a timer thread. The reader
starts once there are packages to count by. When the database turns out to be damaged, it is
replaced, and the logs are read again from where the new one stands.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from engine.errors import DatabaseDamaged, MetricsError, ThreadDied
from engine.packages import Packages
from engine.report import Report
from engine.runtime import clock
from engine.runtime.counting import CountingLoop
from engine.runtime.hardware import read_hardware
from engine.runtime.inbox import Ended, Inbox, Item, PackagesRead, Reload, Stop
from engine.runtime.notify import Progress
from engine.runtime.service_status import ServiceStatus
from engine.runtime.takeover import Takeover
from engine.runtime.threads import Threads
from engine.runtime.ticker import Tick, Ticker
from engine.runtime.waiting_logs import WaitingLogs
from engine.settings import Config
from engine.sources.model import Block, Look, Setup
from engine.sources.readers import choose_source
from engine.sources.requests import Requests
from engine.store.reader import Reader as StoreReader
from engine.store.store import Store

if TYPE_CHECKING:
    from engine.api.answer_cache import AnswerCache

PACKAGES_SECONDS: Final = 2.0
"""How long the start waits for the packages file; later it answers, and counts once it is read."""
QUIET_SECONDS: Final = 30.0
"""Without a line for so long, what is left of the logs is what cannot be read."""
READER_SECONDS: Final = 3.0
"""How long the end waits for the reader to emit what is there, and to end Filebeat."""

log = logging.getLogger("offspot-metrics")


class Collector:
    """Counts into a store. Owned by the main thread."""

    def __init__(
        self, config: Config, status: ServiceStatus, inbox: Inbox, store: Store, max_logs: int
    ) -> None:
        self.config = config
        self.status = status
        self.inbox = inbox
        self.store = store
        self.max_logs = max_logs
        self.threads: Threads
        self.answers: AnswerCache
        self._reading = False
        self._line_at = clock.monotonic()
        self._messages = 0
        """So many has the reader emitted, and we have taken."""
        self._failed = False
        """Counting itself has failed: the last save stands, and what followed is read again."""
        for note in (*store.repairs, *store.notes):
            log.warning("%s", note)
        status.site_id = store.identify(read_hardware(config.database))
        status.use_packages(Packages())  # until they are read
        self.takeover = Takeover(config.older_database, store, self._show_import)
        self.ticker = Ticker(inbox.put)
        self.waiting_logs = WaitingLogs(config.logs, config.pattern)
        self.counting = self._begin()

    def _begin(self) -> CountingLoop:
        """Counting from where the store stands, and what a reader begins with."""
        counting = CountingLoop(
            self.store, self.status, self.config.packages, lambda: self.inbox.put(PackagesRead())
        )
        self._make_source = choose_source(
            self.config.reader, self.config.filebeat, self.config.database.parent
        )
        self._unfinished = counting.losses.unfinished(self.config.logs)
        self.requests, self.status.look = Requests(), Look()
        counting.forget_in_source = self.requests.forget
        counting.begin(clock.now())
        counting.take_packages(PACKAGES_SECONDS)
        return counting

    def _show_import(self) -> None:
        """Show what an import has added."""
        self.status.collecting_since = None
        self.status.last_seen = self.store.reader().last_hours(clock.now())
        self.counting.note_store()

    def open_report(self) -> Report:
        """A report for one thread that answers."""
        return Report(StoreReader.open(self.config.database))

    @contextmanager
    def running(self, threads: Threads, answers: AnswerCache) -> Iterator[None]:
        """Reader and timer run. At the end they are stopped, and what was read is saved."""
        self.threads, self.answers = threads, answers
        try:
            self._read_when_ready()
            threads.start("timer", self.ticker.run)
            yield
        finally:
            threads.expect_end("timer")
            self.ticker.stop()
            self.takeover.close()
            if self._failed:
                self._end_reader(drain=False)
            else:
                self._save_all()

    def progress(self) -> Progress:
        """Of the timer, and of the reader while there is one: lines that come are progress too, as
        it is not woken before it has read what is there.
        """
        found: Progress = {"timer": (self.ticker.wake_up, 0)}
        if self._reading:
            found["reader"] = (self.requests.wake_up, self._messages)
        return found

    def due_in(self) -> float:
        """Seconds until `handle` is to be called though nothing has come."""
        return 0.0 if self._may_import else self.counting.due_in()

    @property
    def _may_import(self) -> bool:
        """Whether an older database is to be imported now: once the lines that are there, which it
        may have counted too, are counted and saved. Hours with lines of ours are not imported.
        """
        look = self.counting.look
        if not self.takeover.is_pending or self.takeover.has_begun:
            return self.takeover.is_pending
        if look is None or self.counting.schedule.unsaved_since is not None:
            return False
        is_quiet = clock.monotonic() - self._line_at > QUIET_SECONDS
        return is_quiet or (not look.lag_bytes and look.rolls_are_known)

    def handle(self, item: Item | None) -> None:
        """Do what an item of the inbox asks for, or what is due. Raises ThreadDied."""
        try:
            self._handle(item)
        except DatabaseDamaged as error:
            self._begin_again(error)
        except ThreadDied:
            raise
        except Exception as error:
            self._failed = True
            log.exception("counting failed")
            raise ThreadDied(
                f"counting failed: {type(error).__name__}: {error}",
                "what came after the last save is read again at the next start; report this",
            ) from error

    def _handle(self, item: Item | None) -> None:
        if item is None or isinstance(item, Tick):
            if item:
                self.counting.tick(item)
                self._watch_waiting_logs()
            else:
                if self._may_import:
                    self.takeover.step()
                self.counting.save_if_due()
            self._check_figures()
        elif isinstance(item, Reload):
            self.counting.reload_packages(forced=True)
        elif isinstance(item, PackagesRead):
            self.counting.take_packages()
            self._read_when_ready()
        elif not isinstance(item, Stop | Ended):
            self._messages += 1
            if isinstance(item, Block):
                self._line_at = clock.monotonic()
            self.counting.take(item)

    def _read_when_ready(self) -> None:
        """Start the reader, unless it runs or there are no packages to count by: logs can wait."""
        self._watch_waiting_logs()
        if self.counting.ready and not self._reading:
            self.threads.start("reader", self._reader())
            self._reading = True

    def _watch_waiting_logs(self) -> None:
        """Of the logs that wait for packages, report those that were deleted."""
        if self._reading or (self.counting.ready and not self.waiting_logs.are_known):
            return
        counted, unfinished = self.counting.positions.log_files, self._unfinished.logs
        for lost in list(self.waiting_logs.look(counted, unfinished)):
            self.counting.take(lost)
        if self.counting.ready:  # from now on the reader looks
            self.waiting_logs.forget()

    def _reader(self) -> Callable[[], None]:
        """The work of the reader thread, which makes and owns its source."""
        make, requests, emit = self._make_source, self.requests, self.inbox.put_message
        setup = Setup(
            self.config.logs,
            self.config.pattern,
            self.max_logs,
            self.counting.positions.copy(),
            self._unfinished,
        )
        return lambda: make(setup, requests, emit).run()

    def _check_figures(self) -> None:
        """When answers cannot be read, see whether the database is damaged, or gone."""
        if self.answers.readable:
            return
        try:
            found = self.store.problems()
        except DatabaseDamaged:
            raise
        except MetricsError as error:
            log.debug("the database cannot be looked at: %s", error.message)
            return
        if found:
            raise DatabaseDamaged(found[0])

    def _begin_again(self, error: DatabaseDamaged) -> None:
        """The database is damaged: replace it, and read the logs from where the new one stands."""
        log.error("%s", error.message)
        self._failed = True  # until it is replaced
        self._end_reader(drain=False)
        before = self.counting
        carried, ready = before.carry_over(), before.ready
        self.store.recover(error.message, clock.now())
        log.warning("%s", self.store.repairs[-1])
        self.answers.reopen()
        self.inbox.open()
        self.counting = self._begin()
        if ready and not self.counting.ready:
            self.counting.use_packages(before.pipeline.packages)
        self.counting.take_over(carried)
        self._failed = False
        self._read_when_ready()

    def _save_all(self) -> None:
        """Stop the reader, count what it has emitted, and save."""
        try:
            self._end_reader(drain=True)
            self.store.shorten_timeouts()
            self.counting.save(at=clock.now(), last=True)
        except DatabaseDamaged as error:
            log.error("%s; it is repaired at the next start", error.message)  # noqa: TRY400

    def _end_reader(self, *, drain: bool) -> None:
        """Stop the reader, and take what it has emitted, for a bounded time; `drain` counts it."""
        self.threads.expect_end("reader")
        was_reading, self._reading = self._reading, False
        if not was_reading or not self.threads.is_running("reader"):
            return
        self.requests.stop()
        deadline = clock.monotonic() + READER_SECONDS
        while (left := deadline - clock.monotonic()) > 0:
            item = self.inbox.take(left)
            if item is None or (isinstance(item, Ended) and item.name == "reader"):
                break
            if drain and not isinstance(item, Tick | Stop | Reload | PackagesRead | Ended):
                self.counting.take(item)
        self.inbox.close()
        self.threads.join("reader")
