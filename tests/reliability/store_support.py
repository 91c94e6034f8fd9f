"""Shared by the tests of store, clock and threads: log lines, a scenario, figures, forked runs.

Processes are killed with SIGKILL at the k-th SQL statement or file operation; all parts are real.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import select
import signal
import sqlite3
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from engine import indicators
from engine.runtime.counting import CountingLoop
from engine.runtime.service_status import ServiceStatus
from engine.runtime.ticker import Tick
from engine.settings import Config
from engine.sources.log_file import log_file_id
from engine.sources.model import Block, Setup
from engine.sources.tail.folder import LogFolder
from engine.sources.tail.listing import MAX_OPEN
from engine.sources.tail.seen import seen
from engine.store import database
from engine.store.store import Store
from engine.times import hour_of, load_zone
from tests.support.memory import memory_folder

UTC = load_zone("UTC")
HOUR = 1_781_388_000
"""2026-06-13 22:00 UTC: two hours before a day ends, in some zones already in the next."""

PACKAGES = """packages:
  - {kind: zim, title: Bees, url: "//lib.box/viewer#bees_en"}
  - {kind: zim, title: Wasps, url: "//lib.box/viewer#wasps_en"}
  - {kind: files, title: Games, url: "//games.box/"}
  - {kind: app, title: Share, url: "//share.box/", ident: file-manager.offspot.kiwix.org}
"""

HOSTS = (
    ("lib.box", "/content/bees_en/"),
    ("lib.box", "/content/bees_en/a/page"),
    ("lib.box", "/content/wasps_en/x"),
    ("games.box", "/"),
    ("share.box", "/upload"),
    ("other.box", "/"),
)


def line(at: float, number: int, query: str = "") -> bytes:
    """One line of an access log; the number decides what it asks for."""
    host, uri = HOSTS[number % len(HOSTS)]
    headers: dict[str, list[str]] = {"Server": ["x"]}
    if host == "share.box":
        headers["X-Tfm-Files-Added"] = ["2"]
    return (
        json.dumps(
            {
                "level": "info",
                "ts": at,
                "msg": "handled request",
                "request": {"host": host, "uri": f"{uri}?n={query or number}", "method": "GET"},
                "status": 200,
                "resp_headers": headers,
            }
        ).encode()
        + b"\n"
    )


def write_packages(folder: Path) -> Path:
    """The packages file."""
    path = folder / "packages.yml"
    if not path.exists():
        path.write_text(PACKAGES)
    return path


class Log:
    """A log file's content, and the chunks of it."""

    def __init__(self, number: int) -> None:
        self.content = line(HOUR + number / 1000, number)
        self.name = f"caddy_access_logs-{number}.json"

    def add(self, *lines: bytes) -> Log:
        """More lines at the end."""
        self.content += b"".join(lines)
        return self

    def block(self) -> Block:
        """All of it; what was counted before is for `Counting` to leave out."""
        first = self.content[: self.content.index(b"\n")]
        data = self.content
        return Block(0, data, len(data), data[-2048:], log_file_id(first), self.name)


def make_folder(
    counting: CountingLoop, logs: Path, pattern: str = "caddy_access_logs*.json"
) -> LogFolder:
    """A log folder as a source begins with it, to be looked into without a thread."""
    known, unfinished = counting.positions.copy(), counting.losses.unfinished(logs)
    return LogFolder.of(Setup(logs, pattern, MAX_OPEN, known, unfinished))


def note_look(counting: CountingLoop, folder: LogFolder) -> None:
    """Let it know what there is to be seen in the folder now, as a source that runs does."""
    counting.take(replace(seen(folder), state="running"))


def look_and_read(counting: CountingLoop, folder: LogFolder, now: float) -> None:
    """One look, and what is new in plain logs."""
    messages = folder.look(now)
    note_look(counting, folder)
    for message in messages:
        counting.take(message)
    messages = list(folder.read_new())
    note_look(counting, folder)
    for message in messages:
        counting.take(message)


def make_counting(store: Store, folder: Path) -> CountingLoop:
    """The real counting over a store."""
    config = Config(database=store.path, packages=write_packages(folder))
    return CountingLoop(store, ServiceStatus("test", config), write_packages(folder))


def minute(at: int, step: int = 0) -> Tick:
    """A tick at an instant."""
    return Tick(at=at, step=step, on=True, elapsed=60.0)


def scenario(folder: Path) -> None:
    """Start, count, save, an hour's end, late lines, a clock step, new titles, backup, purge, end.

    Done twice on one database it amounts to the same as done once.
    """
    path = folder / "metrics.db"
    store = Store.open(path, UTC, repair_at=HOUR)
    counting = make_counting(store, folder)
    counting.begin(HOUR)
    one, two = Log(1), Log(2)
    counting.tick(minute(HOUR + 60))
    counting.take(one.add(*(line(HOUR + 60 + n, n) for n in range(10))).block())
    counting.save(at=HOUR + 61)
    counting.take(one.add(*(line(HOUR + 900 + n, n) for n in range(5))).block())
    counting.tick(minute(HOUR + 3600))  # the hour has ended
    counting.take(one.add(*(line(HOUR + 3000 + n, n) for n in range(4))).block())  # late ones
    counting.take(two.add(*(line(HOUR + 3660 + n, n) for n in range(8))).block())
    counting.save(at=HOUR + 3700)
    counting.tick(minute(HOUR - 7200, step=-10_900))  # the clock goes back
    counting.take(two.add(*(line(HOUR - 7200 + n, n) for n in range(4))).block())
    counting.tick(minute(HOUR + 90 * 86400, step=7200 + 90 * 86400))  # and far ahead
    counting.take(two.add(*(line(HOUR + 90 * 86400 + n, n) for n in range(7))).block())
    store.back_up()
    store.purge(HOUR - 400 * 86400)
    store.prune([])
    counting.save(at=HOUR + 90 * 86400 + 9, last=True)
    store.close()
    store = Store.open(path, load_zone("Asia/Kathmandu"), repair_at=HOUR)  # and another zone
    store.close()
    Store.open(path, UTC, repair_at=HOUR).close()


def figures(path: Path) -> dict[str, Any]:
    """What a database amounts to, wherever states and records stand; and that it is valid."""
    connection = sqlite3.connect(path)
    with contextlib.closing(connection):
        titles = dict(connection.execute("SELECT id, value0 FROM dimension"))
        found: dict[Any, Any] = {}
        for hour, indicator, dimension, value, minutes in connection.execute(
            "SELECT hour, indicator_id, dimension_id, value, minutes FROM record"
        ):
            _merge(found, (hour, indicator, titles[dimension]), value, minutes or 0)
        for hour, indicator, dimension, state in connection.execute(
            "SELECT hour, indicator_id, dimension_id, state FROM state"
        ):
            _merge(found, (hour, indicator, titles[dimension]), state, state)
        logs = {
            row[0].hex(): row[1:]
            for row in connection.execute(
                "SELECT id, position, counted, unmatched FROM log_file WHERE id <> x''"
            )
        }
    return {"figures": found, "logs": logs}


def _merge(found: dict[Any, Any], key: tuple[int, int, str], value: int, minutes: int) -> None:
    """Add what another origin, or a state, has of an hour: sums add, minute sets unite."""
    known, united = found.get(key, (0, 0))
    fold = indicators.FOLDS[key[1]]
    if fold.keeps_minutes:
        united |= minutes
        found[key] = (fold.value(united), united)
    else:
        found[key] = (known + value, 0)


def instants_of_commits(store: Store) -> list[int]:
    """The wall clock of each commit from here on, in order: a list that grows."""
    found: list[int] = []

    def note(sql: str) -> None:
        if " INTO meta " in sql and "'saved_at'" in sql:
            found.append(int(sql.partition("'saved_at',")[2].partition(",")[0]))

    store.connection.set_trace_callback(note)
    return found


def in_fork(work: Callable[[], None]) -> int:
    """Run something in a forked process. Its exit code, or minus the signal that ended it."""
    return in_forks([work])[0]


def in_forks(works: Sequence[Callable[[], None]]) -> list[int]:
    """Run some things side by side, each in a forked process of its own."""
    sys.stdout.flush()
    sys.stderr.flush()
    children = []
    for work in works:
        child = os.fork()
        if child == 0:
            code = 1
            try:
                logging.disable()
                work()
                code = 0
            except BaseException:  # noqa: BLE001 (it is printed, and is the exit code)
                traceback.print_exc()
            finally:
                os._exit(code)
        children.append(child)
    codes = []
    try:
        while children:
            codes.append(os.waitstatus_to_exitcode(os.waitpid(children[0], 0)[1]))
            children.pop(0)
    finally:
        for child in children:  # of a test that has taken too long
            os.kill(child, signal.SIGKILL)
    return codes


class KillAt:
    """Ends this process with SIGKILL at the k-th of some events; k 0 only counts them."""

    def __init__(self, k: int) -> None:
        self.k = k
        self.count = 0

    def event(self, *_: object) -> None:
        self.count += 1
        if self.count == self.k:
            os.kill(os.getpid(), signal.SIGKILL)

    def at_statements(self) -> None:
        """Every SQL statement of every connection made from here on is an event."""
        connect = sqlite3.connect

        def traced(*arguments: Any, **options: Any) -> sqlite3.Connection:
            connection: sqlite3.Connection = connect(*arguments, **options)
            connection.set_trace_callback(self.event)
            return connection

        sqlite3.connect = traced  # type: ignore[assignment]

    def at_file_operations(self) -> None:
        """Every opening, renaming, removing and making of a file is an event (before it)."""
        kinds = {"open", "os.rename", "os.remove", "os.mkdir", "os.truncate", "sqlite3.connect"}

        def hook(name: str, _arguments: tuple[Any, ...]) -> None:
            if name in kinds:
                self.event()

        sys.addaudithook(hook)


def count_events(work: Callable[[], None], arm: Callable[[KillAt], None], note: Path) -> int:
    """How many events an undisturbed run has."""

    def run() -> None:
        kill = KillAt(0)
        arm(kill)
        work()
        note.write_text(str(kill.count))

    assert in_fork(run) == 0
    return int(note.read_text())


def killed_at(k: int, work: Callable[[], None], arm: Callable[[KillAt], None]) -> bool:
    """Run something and kill it at the k-th event. Whether it was killed."""

    def run() -> None:
        arm(KillAt(k))
        work()

    code = in_fork(run)
    assert code in (0, -signal.SIGKILL), code
    return code != 0


def is_valid(path: Path) -> bool:
    """SQLite and the checksums agree that the database is valid."""
    store = Store.open(path)
    try:
        return not store.problems()
    finally:
        store.close()


__all__ = [
    "HOUR",
    "UTC",
    "KillAt",
    "Log",
    "database",
    "figures",
    "hour_of",
    "memory_folder",
    "scenario",
]


def wait_for(condition: Callable[[], bool], seconds: float, longest: float = 0.01) -> None:
    """Until a condition holds, looked at often; less often by and by where a pause may be longer
    than 0.01 s. Fails when time is up.
    """
    deadline = time.monotonic() + seconds
    pause = 0.01
    with select.epoll() as nothing:
        while not condition():
            assert time.monotonic() < deadline, "waited too long"
            nothing.poll(pause)
            pause = min(pause * 1.1, longest)
