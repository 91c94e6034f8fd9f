"""`serve`: the whole stack as one process of a few threads.

Start: signals, lock, store, HTTP socket, then the threads; what fails there is an error with a
hint. Then the main thread takes messages from one inbox; reader and timer only put. The reader
starts once there are packages to count by. A thread that ends by itself ends the process.
End: reader stopped, inbox drained, last save, HTTP stopped, all within seconds whatever hangs.
"""

from __future__ import annotations

import logging
import os
import signal
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from engine.errors import (
    DatabaseDamaged,
    MetricsError,
    ThreadDied,
    is_no_thread,
    no_thread,
)
from engine.packages import Packages
from engine.report import Report
from engine.runtime import clock, logs
from engine.runtime.choice import choose_filebeat
from engine.runtime.counting import CountingLoop
from engine.runtime.descriptors import share_out
from engine.runtime.inbox import Ended, Inbox, PackagesRead, Reload, Stop
from engine.runtime.notify import Notifier
from engine.runtime.read_only import ReadOnlyDashboard
from engine.runtime.reader import Reader
from engine.runtime.service_status import ServiceStatus
from engine.runtime.ticker import Tick, Ticker, board_serial
from engine.settings import Config
from engine.sources.tail.folder import LogFolder
from engine.store.reader import Reader as StoreReader
from engine.store.store import Lock, Store
from engine.version import __version__

if TYPE_CHECKING:
    from engine.api.app import Api
    from engine.api.server import HttpServer

PACKAGES_SECONDS: Final = 2.0
"""At the start: so long it waits for the packages file, before it answers and counts later."""
READER_SECONDS: Final = 3.0
"""At the end: so long may the reader take to hand on what is there, and to end Filebeat."""
HTTP_SECONDS: Final = 0.8
JOIN_SECONDS: Final = 0.3
LOOK_SECONDS: Final = 30.0
"""So often the main thread looks whether the figures can be read, when nothing wakes it."""

log = logging.getLogger("offspot-metrics")


class Service:
    """Everything that runs, in the order in which it is made."""

    def __init__(self, config: Config, announce: Callable[[str], None]) -> None:
        self.config = config
        self.announce = announce
        self.descriptors = share_out()
        self.inbox = Inbox()
        self.notifier = Notifier()
        self.status = ServiceStatus(__version__, config, started_at=clock.now())
        self.threads: dict[str, threading.Thread] = {}
        self.stopping: set[str] = set()
        """Threads that were told to end."""
        self.reader: Reader | None = None
        self.reading = False
        self.ticker: Ticker | None = None
        self.showing: ReadOnlyDashboard | None = None
        self.app: Api | None = None
        self.server: HttpServer | None = None

    def run(self) -> int:
        """Serve until told to stop. Raises what stands in the way of a start, and ThreadDied."""
        self._listen_to_signals()
        if not self.config.processing:
            self.showing = ReadOnlyDashboard(self.config, self.status)
            self._serve_http(lambda: self._loop(None))
            return 0
        lock = Lock(self.config.database)
        try:
            store = Store.open(
                self.config.database,
                self.config.timezone,
                repair_at=clock.now(),
                may_be_read_only=True,
            )
            if lock.note:
                store.notes.append(lock.note)
            try:
                self._run_with(store)
            finally:
                store.close()
        finally:
            lock.release()
        return 0

    def _run_with(self, store: Store) -> None:
        for note in (*store.repairs, *store.notes):
            log.warning("%s", note)
        self.status.site_id = store.identify(board_serial())
        self.status.use_packages(Packages())  # until they are read
        counting = self._make_counting(store)
        self.ticker = Ticker(self.inbox.put)
        ticker = self.ticker

        def count() -> None:
            try:
                self._read_when_ready(counting)
                self._start("timer", ticker.run)
            except MetricsError:
                self._end_counting(counting)
                raise
            self._count(counting)

        self._serve_http(count)

    def _make_counting(self, store: Store) -> CountingLoop:
        """Counting from where the store stands, and a reader that begins there."""
        counting = CountingLoop(
            store, self.status, self.config.packages, lambda: self.inbox.put(PackagesRead())
        )
        program, place = choose_filebeat(self.config)
        folder = LogFolder(
            self.config.logs,
            self.config.pattern,
            counting.positions.log_files,
            self.descriptors.logs,
        )
        counting.losses.look_for(folder)
        counting.folder = folder
        self.reader = self.status.reader = Reader(
            folder, self.inbox.put_message, filebeat=program, base=place
        )
        counting.begin(clock.now())
        counting.take_packages(PACKAGES_SECONDS)
        return counting

    def _read_when_ready(self, counting: CountingLoop) -> None:
        """Start the reader, unless it runs or there are no packages to count by: logs can wait."""
        if counting.ready and not self.reading:
            self._start("reader", self._read)
            self.reading = True

    def _serve_http(self, work: Callable[[], None]) -> None:
        """Answer requests while `work` goes on."""
        server = self.server = self._make_server()
        server.bind()
        try:
            self._start("http", server.run)
            host = f"[{self.config.host}]" if ":" in self.config.host else self.config.host
            if logs.has_room():
                self.announce(f"http://{host}:{server.port}/")
            self.notifier.ready(f"Dashboard on port {server.port}")
            work()
        finally:
            self._end_http()
            for thread in self.threads.values():
                thread.join(JOIN_SECONDS)
                if thread.is_alive():
                    log.warning("thread %s hangs; it ends with the process", thread.name)

    def _end_http(self) -> None:
        """Tell HTTP to finish what is under way, and do not wait for it here."""
        if self.server and "http" not in self.stopping:
            self.stopping.add("http")
            stop = threading.Thread(target=self.server.stop, args=(HTTP_SECONDS,), daemon=True)
            try:
                stop.start()
            except RuntimeError:  # no thread to be had: it ends with the process
                return
            self.threads["end of http"] = stop

    # Counting

    def _count(self, counting: CountingLoop) -> None:
        """Count until told to stop, and save. What fails in counting itself is not saved: the
        last save stands, and the lines after it are read again at the next start.
        """
        while True:
            try:
                self._loop(counting)
                self._end_counting(counting)
                return
            except DatabaseDamaged as error:
                counting = self._begin_again(counting, error)
            except ThreadDied:
                self._end_counting(counting)
                raise
            except Exception as error:
                self._end_reader(None)
                log.exception("counting failed")
                raise ThreadDied(
                    f"counting failed: {type(error).__name__}: {error}",
                    "what came after the last save is read again at the next start; report this",
                ) from error

    def _loop(self, counting: CountingLoop | None) -> None:
        """Take items until told to stop. Raises ThreadDied."""
        pause = min(LOOK_SECONDS, self.notifier.interval or LOOK_SECONDS)
        while True:
            due = counting.due_in() if counting else pause
            item = self.inbox.take(max(0.0, min(pause, due)))
            self.status.queue_depth = self.inbox.depth
            self.notifier.alive()
            if isinstance(item, Stop):
                return
            if isinstance(item, Ended):
                if item.name not in self.stopping:
                    raise self._died(item)
            elif self.showing and self.app:
                if self.showing.look():
                    self.app.reading.reopen()
            elif counting is None:
                continue
            elif item is None or isinstance(item, Tick):
                if item:
                    counting.tick(item)
                else:
                    counting.save_if_due()
                self._check_figures(counting)
            elif isinstance(item, Reload):
                counting.reload_packages(forced=True)
            elif isinstance(item, PackagesRead):
                counting.take_packages()
                self._read_when_ready(counting)
            else:
                counting.take(item)

    def _check_figures(self, counting: CountingLoop) -> None:
        """When answers cannot be read, see whether the database is damaged, or gone."""
        if self.app and not self.app.reading.readable:
            try:
                found = counting.store.problems()
            except DatabaseDamaged:
                raise
            except MetricsError as error:
                log.debug("the database cannot be looked at: %s", error.message)
                return
            if found:
                raise DatabaseDamaged(found[0])

    def _died(self, ended: Ended) -> MetricsError:
        self.status.dead = ended.name
        what = "it stopped by itself"
        if is_no_thread(ended.error):
            return no_thread(ended.name)
        if ended.error is not None:
            log.error("thread %s ended", ended.name, exc_info=ended.error)
            what = f"{type(ended.error).__name__}: {ended.error}"
        return ThreadDied(
            f"the {ended.name} thread ended: {what}",
            "what was counted is saved; start again, and report this",
        )

    def _begin_again(self, counting: CountingLoop, error: DatabaseDamaged) -> CountingLoop:
        """The database is damaged: replace it, and read the logs from where the new one stands."""
        log.error("%s", error.message)
        self._end_reader(None)
        store, carried, ready = counting.store, counting.carry_over(), counting.ready
        store.recover(error.message, clock.now())
        log.warning("%s", store.repairs[-1])
        if self.app:
            self.app.reading.reopen()
        self.inbox.open()
        again = self._make_counting(store)
        if ready and not again.ready:
            again.use_packages(counting.pipeline.packages)
        again.take_over(carried)
        self._read_when_ready(again)
        return again

    def _end_counting(self, counting: CountingLoop) -> None:
        """Stop reader and timer, count what was handed on, and save."""
        self.notifier.stopping()
        self._end_http()
        if self.ticker:
            self.stopping.add("timer")
            self.ticker.stop()
        try:
            self._end_reader(counting)
            counting.store.shorten_timeouts()
            counting.save(at=clock.now(), last=True)
        except DatabaseDamaged as error:
            log.error("%s; it is repaired at the next start", error.message)  # noqa: TRY400

    def _end_reader(self, counting: CountingLoop | None) -> None:
        """Stop the reader and count what it has handed on, for a bounded time."""
        self.stopping.add("reader")
        was_reading, self.reading = self.reading, False
        thread = self.threads.get("reader")
        if self.reader is None or not was_reading or thread is None or not thread.is_alive():
            return
        self.reader.stop()
        deadline = clock.monotonic() + READER_SECONDS
        while (left := deadline - clock.monotonic()) > 0:
            item = self.inbox.take(left)
            if item is None or (isinstance(item, Ended) and item.name == "reader"):
                break
            if counting and not isinstance(item, Tick | Stop | Reload | PackagesRead | Ended):
                counting.take(item)
        self.inbox.close()
        thread.join(JOIN_SECONDS)

    # Threads and signals

    def _start(self, name: str, target: Callable[[], object]) -> None:
        def run() -> None:
            error: BaseException | None = None
            try:
                target()
            except BaseException as raised:  # noqa: BLE001 (whatever it is ends the process)
                error = raised
            self.inbox.put(Ended(name, error))

        self.stopping.discard(name)
        thread = threading.Thread(target=run, name=name, daemon=True)
        try:
            thread.start()
        except RuntimeError as error:
            raise no_thread(name) from error
        self.threads[name] = thread

    def _read(self) -> None:
        assert self.reader is not None
        self.reader.run()

    def _listen_to_signals(self) -> None:
        asked = False

        def stop(number: int, _frame: object) -> None:
            nonlocal asked
            if asked:
                os._exit(128 + number)  # the second time: now; Filebeat goes with us
            asked = True
            self.inbox.put(Stop())

        signal.set_wakeup_fd(self.inbox.wake_descriptor, warn_on_full_buffer=False)
        signal.signal(signal.SIGINT, stop)
        signal.signal(signal.SIGTERM, stop)
        signal.signal(signal.SIGHUP, lambda _number, _frame: self.inbox.put(Reload()))

    def _make_server(self) -> HttpServer:
        from engine.api.app import ApiSettings, create_app
        from engine.api.assets import load_assets
        from engine.api.server import HttpServer

        config, status = self.config, self.status
        app = create_app(
            open_report=self._open_report,
            status=status.as_json,
            health=status.health,
            metrics=status.metrics,
            now=clock.now,
            assets=load_assets(config.ui_location),
            settings=ApiSettings(
                allowed_origins=config.allowed_origins, allowed_hosts=self._allowed_hosts
            ),
        )
        self.app = app
        status.figures_are_readable = lambda: app.reading.readable
        return HttpServer(
            app,
            config.host,
            config.port,
            max_connections=self.descriptors.connections,
            trusted=config.trusted_proxies,
        )

    def _open_report(self) -> Report:
        if self.showing:
            return self.showing.open_report()
        return Report(StoreReader.open(self.config.database))

    def _allowed_hosts(self) -> frozenset[str]:
        return self.status.host_names


def serve(config: Config, announce: Callable[[str], None]) -> int:
    """Run the whole stack until SIGINT or SIGTERM. The exit code."""
    logs.reserve_descriptors()
    logs.set_up(config.log_level)
    os.umask(0o077)
    return Service(config, announce).run()
