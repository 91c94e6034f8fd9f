"""`demo`: a hotspot with made-up visitors, in a folder that is removed at the end.

A log is written as Caddy writes it, a line or more each second; all else is `serve`.
"""

from __future__ import annotations

import logging
import shutil
import signal
import tempfile
import threading
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import replace
from pathlib import Path
from types import FrameType
from typing import Final

from engine.demo.log_folder import LogFolder
from engine.demo.model import Traffic
from engine.errors import AddressInUse, MetricsError, StorageError
from engine.runtime import clock
from engine.runtime.serve import serve
from engine.settings import SETTINGS, Config

PORTS: Final = 100
"""So many are tried, from the default one on, when no port is asked for by an option."""
HISTORY_SECONDS: Final = 60.0
"""How long the address is kept back until the history is saved."""

log = logging.getLogger("offspot-metrics")


def demo(config: Config, packages: bytes, traffic: Traffic, announce: Callable[[str], None]) -> int:
    """Serve the traffic until SIGINT or SIGTERM; its exit code. Raises what stops a start."""
    try:
        with tempfile.TemporaryDirectory(prefix="offspot-metrics-demo-") as folder:
            return _serve(own_config(config, Path(folder)), packages, traffic, announce)
    except OSError as error:
        raise StorageError(
            f"{error.filename or 'demo'}: {error.strerror}",
            "the demo needs 50 MB in the folder for temporary files; TMPDIR names another",
        ) from error


def own_config(config: Config, folder: Path) -> Config:
    """The settings of `serve` for a demo: nothing of an installed one is read or written."""
    given = config.origins.get("port")
    return replace(
        config,
        packages=folder / "packages.yml",
        logs=folder / "logs",
        pattern="caddy_access_logs*.json",
        database=folder / "metrics.db",
        older_database=None,
        reader="tail",
        processing=True,
        port=config.port if given == "--port" else free_port(config.host, config.port),
    )


def _serve(
    config: Config, packages: bytes, traffic: Traffic, announce: Callable[[str], None]
) -> int:
    config.packages.write_bytes(packages)
    config.logs.mkdir()
    stop = threading.Event()
    with closing(LogFolder(config.logs)) as logs:
        lines = logs.write_history(traffic.history(clock.now()))

        def go_on(address: str) -> None:
            wait_for_history(config.database, lines, stop)
            announce(address)
            write_live(logs, traffic, stop)

        threads: list[threading.Thread] = []

        def begin(address: str) -> None:
            remove_at_second_signal(config.logs.parent)
            threads.append(threading.Thread(target=go_on, args=(address,), name="demo"))
            threads[0].start()

        try:
            return serve(config, begin)
        finally:
            stop.set()
            for thread in threads:
                thread.join()


def wait_for_history(database: Path, lines: int, stop: threading.Event) -> None:
    """Wait until so many lines are saved, so that whoever opens the page finds it full."""
    from engine.store.reader import Reader

    deadline = clock.monotonic() + HISTORY_SECONDS
    while clock.monotonic() < deadline and not stop.wait(0.1):
        with suppress(MetricsError), closing(Reader.open(database)) as reader:
            if reader.fates().total() >= lines:
                return


def remove_at_second_signal(folder: Path) -> None:
    """Let a second signal, which ends the process at once, remove the folder before."""
    stop = signal.getsignal(signal.SIGTERM)
    assert callable(stop)  # serve has just set it
    numbers: list[int] = []

    def end(number: int, frame: FrameType | None) -> None:
        if numbers:
            shutil.rmtree(folder, ignore_errors=True)
        numbers.append(number)
        stop(number, frame)

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):  # the last: a closed terminal
        signal.signal(number, end)


def write_live(logs: LogFolder, traffic: Traffic, stop: threading.Event) -> None:
    """Write the lines of each second until told to stop."""
    written_until = clock.now()
    while not stop.wait(1.0 - clock.wall() % 1.0):
        try:
            for second in range(max(written_until + 1, clock.now() - 60), clock.now() + 1):
                logs.write(second, traffic.lines_at(second))
                written_until = second
        except OSError as error:
            log.error("no more visits come: %s", error.strerror)  # noqa: TRY400 (it says it all)
            return


def free_port(host: str, wanted: int) -> int:
    """The wanted port, else the first one from the default one on that can be had."""
    from engine.http.listening import bound_socket

    default: int = SETTINGS["port"].default
    ports: list[int] = [wanted, *range(default, default + PORTS)]
    for port in ports:
        try:
            bound_socket(host, port).close()
        except AddressInUse:
            continue
        return port
    return wanted
