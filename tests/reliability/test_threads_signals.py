"""Signals, dead threads, second instances, closed outputs, little memory: F25, F27, F31-F35."""

import contextlib
import os
import resource
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.reliability.serving import ROOT, Serving
from tests.reliability.store_support import figures, wait_for
from tests.support.measured import measured

ENTRY = "import sys; from offspot_metrics import main; sys.exit(main())"
"""The program's entry, behind what a test puts before it."""


def read_lines(database: Path) -> int:
    """Lines in the saved positions."""
    return sum(row[1] + row[2] for row in figures(database)["logs"].values())


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_in_order(tmp_path: Path, number: int) -> None:
    """SIGTERM and SIGINT end it with 0 within 5 seconds; what had been counted and was not due to
    be saved is saved, what was written last too, no write-ahead log is left, and the end is marked
    (F34).
    """
    with Serving(tmp_path) as serving:
        serving.add(6)
        serving.wait(lambda: serving.metric("saves_total") > 0)
        serving.add(14, first=6)
        serving.wait(serving.counted(20))
        assert read_lines(serving.database) < 20
        serving.add(4, first=20)
        code, seconds = serving.stop(number)
    assert code == 0, serving.text()
    assert seconds < 5
    assert read_lines(serving.database) == 24
    assert not serving.database.with_name("metrics.db-wal").exists()
    with contextlib.closing(sqlite3.connect(serving.database)) as connection:
        clean = connection.execute("SELECT value FROM meta WHERE key = 'clean'").fetchone()
    assert clean == (1,)


def test_clients_that_hang_do_not_hold_it_up(tmp_path: Path) -> None:
    """With clients that send half a request, or never read their answers, the end still comes
    within 5 seconds, with 0 (F34).
    """
    with Serving(tmp_path) as serving, contextlib.ExitStack() as stack:
        for number in range(40):
            client = stack.enter_context(socket.create_connection(("127.0.0.1", serving.port)))
            asked = b"GET /api/v1/openapi.json HTTP/1.1\r\nHost: localhost\r\n"
            client.sendall(asked if number % 2 else (asked + b"\r\n") * 200)
        serving.add(20)
        code, seconds = serving.stop()
    assert code == 0, serving.text()
    assert seconds < 5.5
    assert read_lines(serving.database) == 20


HUNG_READER = f"""
import threading
from engine.sources.tail.source import Tail
run = Tail.run
def hang(self):
    threading.Event().wait()
Tail.run = hang
{ENTRY}
"""

FULL_QUEUE = f"""
from engine.sources.tail.source import Tail
from engine.sources.model import Lost
def flood(self):
    while True:
        self.emit(Lost(b"x" * 12, 1))
Tail.run = flood
{ENTRY}
"""


@pytest.mark.parametrize("code", [HUNG_READER, FULL_QUEUE], ids=["hung", "flooding"])
def test_a_reader_that_hangs_does_not_hold_it_up(tmp_path: Path, code: str) -> None:
    """With a reader that never ends, or fills the queue faster than it is emptied, the end still
    comes within 5 seconds, with 0 and a save (F34).
    """
    with Serving(tmp_path, code=code) as serving:
        ended, seconds = serving.stop()
    assert ended == 0, serving.text()
    assert seconds < 5.5
    assert "hangs" in serving.text() or code is FULL_QUEUE


def test_a_second_signal_ends_it_at_once(tmp_path: Path) -> None:
    """While a graceful stop is delayed, a second signal ends it at once (F34)."""
    with Serving(tmp_path, code=HUNG_READER) as serving:
        serving.process.send_signal(signal.SIGINT)
        serving.wait(lambda: serving.get("/health")[0] == 0)
        code, seconds = serving.stop(signal.SIGINT)
    assert code == 128 + signal.SIGINT
    assert seconds < 1


def test_signals_at_any_moment_of_the_start(tmp_path: Path) -> None:
    """A signal at any moment of the start ends it, in order or by the signal itself, and the next
    start finds everything valid (F34).
    """
    for number in range(8):
        serving = Serving(tmp_path).begin()
        with contextlib.suppress(subprocess.TimeoutExpired):
            serving.process.wait(0.06 * number)
        code, _ = serving.stop()
        assert code in (0, -signal.SIGTERM), serving.text()
    with Serving(tmp_path) as serving:
        assert serving.status()["notes"] == []
        serving.stop()


def test_hang_up_reads_the_packages_again(tmp_path: Path) -> None:
    """SIGHUP makes a changed packages file count at once; a broken one keeps the last good
    version and says so; a restart with the broken file does too (F25, F34).
    """
    packages = tmp_path / "packages.yml"
    with Serving(tmp_path) as serving:
        good = packages.read_text()
        packages.write_text(good + '  - {kind: app, title: New, url: "//new.box/"}\n')
        serving.process.send_signal(signal.SIGHUP)
        serving.wait(lambda: "New" in str(serving.status()["packages"]["items"]))
        packages.write_text("packages: [unfinished")
        serving.process.send_signal(signal.SIGHUP)
        serving.wait(lambda: bool(serving.status()["packages"]["stale"]))
        assert "New" in str(serving.status()["packages"]["items"])
        serving.stop()
    packages.unlink()
    packages.write_text("")
    with Serving(tmp_path) as serving:
        status = serving.status()["packages"]
        assert status["stale"]
        assert "New" in str(status["items"])
        assert serving.stop()[0] == 0


def dying(thread: str) -> str:
    """A program in which one thread raises as soon as there is a file named `die`."""
    where = {
        "reader": ("engine.sources.tail.source", "Tail", "turn"),
        "timer": ("engine.runtime.ticker", "Ticker", "check"),
        "http": ("engine.http.loop", "Loop", "sweep"),
    }[thread]
    return f"""
import importlib, os
owner = getattr(importlib.import_module({where[0]!r}), {where[1]!r})
whole = getattr(owner, {where[2]!r})
def fail(self, *arguments):
    if os.path.exists("die"):
        raise RuntimeError("made to fail")
    return whole(self, *arguments)
setattr(owner, {where[2]!r}, fail)
{ENTRY}
"""


@pytest.mark.parametrize("thread", ["reader", "timer", "http"])
def test_a_dead_thread_ends_the_process(tmp_path: Path, thread: str) -> None:
    """When the reader, the timer or the HTTP thread dies, the process saves everything and ends
    with 70 and a message within seconds; it never lives on half dead (F32).
    """
    with Serving(tmp_path, code=dying(thread)) as serving:
        serving.add(20)
        serving.wait(serving.counted(20))
        (tmp_path / "die").touch()
        if thread == "reader":
            serving.add(1)  # it wakes up, and dies before it reads
        # the HTTP thread looks around once a second while there are connections
        wait_for(lambda: serving.get("/health")[0] == 0, 30)
        code = serving.process.wait(15)
    assert code == 70, serving.text()
    assert f"the {thread} thread ended: RuntimeError: made to fail" in serving.text()
    assert read_lines(serving.database) == 20


RAISING = f"""
from engine.indicators import package_home_visit
whole = package_home_visit.on
def on(event):
    if "Wasps" in repr(event) or "Games" in repr(event):
        raise ZeroDivisionError("made to fail")
    return whole(event)
package_home_visit.on = on
{ENTRY}
"""


def test_an_indicator_that_raises_costs_its_line_only(tmp_path: Path) -> None:
    """Lines on which an indicator raises are marked and counted; all others count as ever (F31)."""
    with Serving(tmp_path, code=RAISING) as serving:
        serving.add(60)
        serving.wait(serving.counted(60))
        status = serving.status()
        assert any("not counted because the program failed" in n for n in status["notes"])
        assert status["lines"]["counted"] == 30  # Bees twice and Share, of six
        assert serving.stop()[0] == 0
    found = figures(serving.database)["figures"]
    assert sum(v for (_, i, t), (v, _) in found.items() if (i, t) == (1001, "Bees")) == 10
    assert not any(t in ("Wasps", "Games") for _, _, t in found)


def test_a_second_instance_is_refused(tmp_path: Path) -> None:
    """A second one on the same database ends with 75 as soon as it has come up; the first goes on,
    and a dashboard that only shows runs beside it, on the same database (F27).
    """
    begin = time.monotonic()
    with Serving(tmp_path) as first:
        start = time.monotonic() - begin
        other = tmp_path / "other"
        other.mkdir()
        second = Serving(other, database=first.database).begin()
        begin = time.monotonic()
        assert second.process.wait(20) == 75, second.text()
        assert time.monotonic() - begin < 2 * start + 1, "it does not wait for the lock"
        with Serving(
            other, database=first.database, environment={"PROCESSING_DISABLED": "true"}
        ) as show:
            first.add(6)
            first.wait(first.counted(6))
            assert show.get("/api/v1/aggregations")[0] == 200
            assert show.status()["processing"] is False
            assert show.get("/health")[0] == 200
            code, seconds = show.stop()
            assert code == 0
            assert seconds < 5
        assert first.status()["health"]["ok"]
        assert first.stop()[0] == 0


def test_showing_without_a_database(tmp_path: Path) -> None:
    """PROCESSING_DISABLED without a database shows nothing yet, makes no file, and shows the
    figures once another process has made the database.
    """
    with Serving(tmp_path, environment={"PROCESSING_DISABLED": "true"}) as show:
        assert show.get("/api/v1/aggregations") == (200, b'{"aggregations":[]}')
        assert not show.database.exists()
        other = tmp_path / "other"
        other.mkdir()
        with Serving(other, database=show.database) as serving:
            serving.add(20)
            serving.stop()
        show.process.send_signal(signal.SIGHUP)  # look now, not within half a minute
        show.wait(lambda: b'"D"' in show.get("/api/v1/aggregations")[1])
        assert show.stop()[0] == 0


@pytest.mark.parametrize("where", ["/dev/full", "closed", "pipe"])
def test_outputs_that_cannot_be_written(tmp_path: Path, where: str) -> None:
    """With its outputs on a full device, closed, or a pipe that nobody reads, it counts, saves and
    ends as ever, and no message lands in a file of its own (F35).
    """
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    serving = Serving(tmp_path, "--reader", "tail", "--port", str(port))
    if where == "closed":
        serving.command = ["sh", "-c", 'exec "$0" "$@" >/dev/null 2>&- <&-', *serving.command]
        serving.begin()
    elif where == "pipe":
        unread, full = os.pipe()
        os.set_blocking(full, False)
        with contextlib.suppress(BlockingIOError):
            while os.write(full, b"x" * 4096):
                pass
        os.set_blocking(full, True)
        assert unread
        serving.popen = {"stderr": full, "stdout": full}
        serving.begin()
    else:
        with Path(where).open("wb") as full_device:
            serving.popen = {"stderr": full_device, "stdout": full_device}
            serving.begin()
    serving.port = port
    try:
        serving.wait(lambda: serving.get("/health")[0] == 200)
        (tmp_path / "packages.yml").write_text("packages: [unfinished")  # of which it warns
        serving.process.send_signal(signal.SIGHUP)
        serving.wait(lambda: bool(serving.status()["packages"]["stale"]))
        serving.add(20)
        with serving.log.open("ab") as log:
            log.write(b"garbage\n" * 50)
        serving.wait(serving.counted(70))
        code, _ = serving.stop()
        assert code == 0
    finally:
        serving.end()
    with contextlib.closing(sqlite3.connect(serving.database)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone()[0] == "ok"


def test_little_memory(tmp_path: Path) -> None:
    """When its address space cannot grow any more and its work needs more, it ends with a message
    and 70, and what it had saved is whole: the next start, with enough, counts every line once
    (F33).
    """
    with Serving(tmp_path) as serving:
        serving.add(30)
        serving.wait(lambda: serving.metric("saves_total") > 0)
        status = Path(f"/proc/{serving.process.pid}/status").read_text()
        size = int(status.split("VmSize:")[1].split()[0]) * 1024
        resource.prlimit(serving.process.pid, resource.RLIMIT_AS, (size, size))
        big = b'{"level":"info","msg":"' + b"x" * 900_000 + b'"}\n'
        with serving.log.open("ab") as log:
            log.write(big * 60)
        code = serving.process.wait(30)
        assert code == 70, serving.text()
        assert "MemoryError" in serving.text()
    assert read_lines(serving.database) == 30
    with Serving(tmp_path) as serving:
        serving.wait(serving.counted(90))
        assert serving.stop()[0] == 0
    found = figures(serving.database)
    assert sum(row[1] + row[2] for row in found["logs"].values()) == 30
    assert sum(v for (_, i, _), (v, _) in found["figures"].items() if i == 1001) == 10


def test_the_service_manager_is_told(tmp_path: Path) -> None:
    """Systemd hears READY, signs of life and STOPPING, and the address is not handed on."""
    address = tmp_path / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(address))
        manager.settimeout(30)
        environment = {"NOTIFY_SOCKET": str(address), "WATCHDOG_USEC": "400000"}
        with Serving(tmp_path, environment=environment) as serving:
            assert manager.recv(200).startswith(b"READY=1")
            assert manager.recv(200) == b"WATCHDOG=1"
            assert manager.recv(200) == b"WATCHDOG=1"
            serving.stop()
            said = [manager.recv(200)]
            while said[-1] == b"WATCHDOG=1":
                said.append(manager.recv(200))
            assert said[-1] == b"STOPPING=1"


def test_our_own_log_is_not_flooded() -> None:
    """Of one kind of message ten a minute are written, then their number; text from outside has no
    control characters, and is cut (S23).
    """
    code = (
        "import logging; from engine.runtime import logs; logs.set_up('INFO')\n"
        "log = logging.getLogger('offspot-metrics')\n"
        "for number in range(500):\n"
        "    log.warning('bad title %s', 'a\\x1b[31m\\n' + 'x' * 5000)\n"
        "handler = logging.getLogger().handlers[0]\n"
        "handler._minute = -1\n"
        "log.warning('next minute')\n"
    )
    if (left := 60 - time.time() % 60) < 3:
        time.sleep(left)  # all within one minute
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
    )
    lines = done.stderr.splitlines()
    assert len(lines) == 12
    assert "\x1b" not in done.stderr
    assert all(len(line) < 300 for line in lines)
    assert "490 more messages" in lines[10]


def test_wakes_and_memory_while_idle(tmp_path: Path) -> None:
    """Idle, it wakes at most five times a second in all, and takes less than 45 MiB."""
    with Serving(tmp_path) as serving:
        serving.get("/api/v1/status")
        tasks = Path(f"/proc/{serving.process.pid}/task")

        def switches() -> int:
            total = 0
            for task in tasks.iterdir():
                text = (task / "status").read_text()
                total += int(text.split("voluntary_ctxt_switches:")[1].split()[0])
            return total

        begin, before = time.monotonic(), switches()
        with contextlib.suppress(AssertionError):
            wait_for(lambda: False, 4)
        rate = (switches() - before) / (time.monotonic() - begin)
        status = Path(f"/proc/{serving.process.pid}/status").read_text()
        resident = int(status.split("VmRSS:")[1].split()[0]) / 1024
        measured(f"{rate:.1f} wake-ups a second, {resident:.1f} MiB resident")
        assert rate <= 5
        assert resident < 45
        serving.stop()
