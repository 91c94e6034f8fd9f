"""`serve`: the whole stack as one process of a few threads.

What is entered first is left last: at the end HTTP takes no more requests, the reader is stopped,
what it has read is saved, and the database is closed, all within seconds whatever hangs. What fails
on the way in is a start error with a hint. The main thread takes items from one inbox; reader,
timer and signals only put.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING, Final

from engine.errors import ThreadDied
from engine.runtime import clock, logs, rights
from engine.runtime.collector import Collector
from engine.runtime.descriptors import share_out
from engine.runtime.inbox import Ended, Inbox, Reload, Stop
from engine.runtime.notify import Notifier, Watchdog
from engine.runtime.read_only import ReadOnlyDashboard
from engine.runtime.service_status import ServiceStatus
from engine.runtime.threads import Threads
from engine.settings import Config
from engine.store.store import Lock, Store
from engine.version import __version__

if TYPE_CHECKING:
    from engine.api.app import Api
    from engine.http.server import HttpServer

HTTP_SECONDS: Final = 0.8
"""How long the end waits for answers that are under way."""
LOOK_SECONDS: Final = 30.0
"""How often the main thread looks whether the figures can be read, when nothing wakes it."""


def serve(config: Config, announce: Callable[[str], None]) -> int:
    """Run the whole stack until SIGINT or SIGTERM. The exit code.

    Raises what stands in the way of a start, and ThreadDied.
    """
    logs.set_up(config.log_level, config.log_format)
    os.umask(0o077)
    budget, inbox, notifier = share_out(), Inbox(), Notifier()
    status = ServiceStatus(__version__, config, started_at=clock.now())
    put_signals(inbox)
    with opened(config, status, inbox, budget.logs) as work, Threads(inbox.put) as threads:
        app = make_app(config, status, work)
        server = bound_server(config, app, budget.connections)
        watchdog = Watchdog(notifier, lambda: {**work.progress(), "http": (server.wake_up, 0)})
        with (
            work.running(threads, app.cache),
            answering(server, threads),
            notifier.serving(f"Dashboard on port {server.port}"),
        ):
            if logs.has_room():
                announce(address_of(config.host, server.port))
            loop(inbox, work, threads, watchdog, status)
    return 0


def put_signals(inbox: Inbox) -> None:
    """Let signals put items, from now on until the process ends."""
    stopping = False

    def stop(number: int, _frame: object) -> None:
        nonlocal stopping
        if stopping:
            os._exit(128 + number)  # the second time: now; Filebeat goes with us
        stopping = True
        inbox.put(Stop())

    signal.set_wakeup_fd(inbox.wake_descriptor, warn_on_full_buffer=False)
    signal.signal(signal.SIGINT, stop)
    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGHUP, lambda _number, _frame: inbox.put(Reload()))


@contextmanager
def opened(
    config: Config, status: ServiceStatus, inbox: Inbox, max_logs: int
) -> Iterator[Collector | ReadOnlyDashboard]:
    """The database: locked and counted into, or only shown where counting is disabled."""
    if not config.processing:
        yield ReadOnlyDashboard(config, status)
        return
    lock = Lock(config.database)
    try:
        store = Store.open(
            config.database, config.timezone, repair_at=clock.now(), may_be_read_only=True
        )
        if lock.note:
            store.notes.append(lock.note)
        with closing(store):
            yield Collector(config, status, inbox, store, max_logs)
    finally:
        lock.release()


def make_app(config: Config, status: ServiceStatus, work: Collector | ReadOnlyDashboard) -> Api:
    """The web application on the figures of `work`."""
    from engine.api.app import Api, ApiSettings
    from engine.api.assets import load_assets
    from engine.api.routes import Sources

    sources = Sources(
        open_report=work.open_report,
        status=status.as_json,
        health={"": status.health, "/live": status.liveness, "/ready": status.readiness},
        metrics=status.metrics,
        now=clock.now,
        verdict=lambda: status.verdict().summary() if config.processing else {},
        site_name=lambda: status.site_name,
    )
    settings = ApiSettings(
        allowed_origins=config.allowed_origins, allowed_hosts=lambda: status.host_names
    )
    assets = load_assets(config.ui_location)
    status.logo = assets.logo
    app = Api(sources, assets, settings)
    status.figures_are_readable = lambda: app.cache.readable
    return app


def bound_server(config: Config, app: Api, max_connections: int) -> HttpServer:
    """A server that has its port. Raises AddressInUse."""
    from engine.http.loop import Limits
    from engine.http.server import HttpServer

    limits = Limits(max_connections=max_connections, trusted=config.trusted_proxies)
    server = HttpServer(app, config.host, config.port, limits)
    server.bind()
    rights.keep_reading_only()
    return server


@contextmanager
def answering(server: HttpServer, threads: Threads) -> Iterator[None]:
    """Requests are answered. At the end it takes no more, and is not waited for here."""
    threads.start("http", server.run)
    try:
        yield
    finally:
        threads.expect_end("http")
        with suppress(ThreadDied):  # no thread to be had: it ends with the process
            threads.start("end of http", partial(server.stop, HTTP_SECONDS))


def address_of(host: str, port: int) -> str:
    """The address of the dashboard, as a browser takes it."""
    return f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/"


def loop(
    inbox: Inbox,
    work: Collector | ReadOnlyDashboard,
    threads: Threads,
    watchdog: Watchdog,
    status: ServiceStatus,
) -> None:
    """Take items until told to stop. Raises ThreadDied."""
    pause = min(LOOK_SECONDS, watchdog.interval or LOOK_SECONDS)
    while not isinstance(item := inbox.take(max(0.0, min(pause, work.due_in()))), Stop):
        status.queue_depth = inbox.depth
        watchdog.look()
        if not isinstance(item, Ended):
            work.handle(item)
        elif failure := threads.failure(item):
            status.dead = item.name
            raise failure
