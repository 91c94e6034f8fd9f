"""B1: a log that rolls, a `serve` that is killed, and every line accounted for.

A `Result` compares the figures of the database with what was written. Each line is a home visit of
one of twenty packages, in a second that follows from its number, so the visits of each package in
each hour prove what was counted, not only the sum.

The log is rolled at random sizes and two rolls are kept; one that would be deleted must be
committed first, and the next one begun, as deleted lines cannot be counted: that is the "outage of
fewer than two rotations" in which nothing may be lost or reported as lost. Everything else is
random: kill -9 of the program and of Filebeat, both stopped for a while, other output mixed into
Filebeat's own, lines written in halves, other lines in between.

    .venv/bin/python -m tests.reliability.chaos --reader tail --lines 200000 --seed 1
"""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter, deque
from dataclasses import dataclass, field
from pathlib import Path

from engine.sources.content import first_line
from engine.sources.log_file import FIRST_LINE_BYTES, log_file_id
from lab.browser import Browser
from lab.processes import LOOPBACK, Child, wait_until
from tests.reliability.hostile import install
from tests.support.reading import CURRENT, FILEBEAT, ROOT, START_AT

PACKAGES = 20
LINES_PER_SECOND = 50  # of the time in the log, not of the writing
KEPT = 2
SMALLEST_ROLL = 64 * 1024
WAIT_SECONDS = 180.0
VISITS = 1001


@dataclass
class Result:
    """What was written, and what the database says of it."""

    reader: str
    seed: int
    lines: int = 0
    rolls: int = 0
    kills: int = 0
    filebeat_kills: int = 0
    stops: int = 0
    seconds: float = 0.0
    lost: int = 0
    doubled: int = 0
    fates: dict[str, int] = field(default_factory=dict)
    said_lost: int = 0
    exit_code: int | None = None
    slowest_restart: float = 0.0
    left_over: int = 0

    @property
    def is_exact(self) -> bool:
        """Whether every line counted once, nothing was said to be lost, and all ended well."""
        return (
            (self.lost, self.doubled, self.said_lost, self.left_over) == (0, 0, 0, 0)
            and self.exit_code == 0
            and sum(self.fates.values()) == self.lines
        )

    def words(self) -> str:
        """The same in a few words."""
        return (
            f"{self.reader}, seed {self.seed}: {self.lines:,} lines, {self.kills} kills of us, "
            f"{self.filebeat_kills} of Filebeat, {self.lost} lost, {self.doubled} doubled"
        )

    def row(self) -> str:
        """One row of the table in docs/reliability-reader.md."""
        return (
            f"| {self.reader} | {self.seed} | {self.lines:,} | {self.rolls} | {self.kills} "
            f"| {self.filebeat_kills} | {self.stops} | {self.lost} | {self.doubled} "
            f"| {self.slowest_restart:.1f} s | {self.seconds:.0f} s |"
        )


HEADER = (
    "| reader | seed | lines | rotations | kill -9 of us | of Filebeat | stops | lost | doubled "
    "| slowest restart | took |\n|---|---|---|---|---|---|---|---|---|---|---|"
)


class Log:
    """Writes the lines, rolls the log, knows what must be counted. Runs in a thread."""

    def __init__(
        self, folder: Path, database: Path, count: int, sizes: tuple[int, int], seed: int
    ) -> None:
        self.path = folder / CURRENT
        self.database = database
        self.count = count
        self.sizes = sizes
        self.random = random.Random(seed)
        self.visits: Counter[tuple[int, str]] = Counter()
        self.bad = 0
        self.written = 0
        self.rolls = 0
        self.rolled: deque[tuple[Path, bytes, int]] = deque()
        self.error: BaseException | None = None

    def line(self, number: int) -> bytes:
        """The line of a number, noted as written."""
        if number % 97 == 96:
            self.bad += 1
            return b'{"level":"info","msg":"handled requ%d\n' % number
        at = START_AT + number // LINES_PER_SECOND
        package = number % PACKAGES
        self.visits[at // 3600 * 3600, f"P{package}"] += 1
        return (
            f'{{"level":"info","ts":{at}.{number % LINES_PER_SECOND:04d},'
            '"logger":"http.log.access","msg":"handled request","request":'
            f'{{"remote_ip":"10.0.0.2","remote_port":"{number}","proto":"HTTP/1.1",'
            f'"method":"GET","host":"p{package}.box","uri":"/","headers":{{}}}},'
            '"user_id":"","duration":0.001,"size":9,"status":200,"resp_headers":{}}\n'
        ).encode()

    def run(self) -> None:
        """Write all lines."""
        try:
            while self.written < self.count:
                self._write_one_log()
        except BaseException as error:  # noqa: BLE001 (told by the main thread)
            self.error = error

    def _write_one_log(self) -> None:
        least, most = self.sizes
        limit = least * (most / least) ** self.random.random()  # as many small ones as large ones
        size = 0
        head = b""
        with self.path.open("ab", buffering=0) as stream:
            while size < limit and self.written < self.count:
                burst = min(self.random.randint(1, 400), self.count - self.written)
                data = b"".join(self.line(self.written + n) for n in range(burst))
                head = head if len(head) > FIRST_LINE_BYTES else head + data
                cut = self.random.randrange(len(data))  # mostly in the middle of a line
                stream.write(data[:cut])
                stream.write(data[cut:])
                size += len(data)
                self.written += burst
                if self.random.random() < 0.1:
                    threading.Event().wait(self.random.random() / 20)
        if self.written < self.count:
            line = first_line(lambda offset, n: head[offset : offset + n])
            assert line is not None
            self._roll(log_file_id(line), size)

    def _roll(self, identity: bytes, size: int) -> None:
        while len(self.rolled) >= KEPT:
            path, oldest, length = self.rolled.popleft()
            following = self.rolled[0][1]
            wait_until(
                lambda: self._committed(oldest) >= length and self._committed(following) > 0,  # noqa: B023
                f"{path} is counted, and the next one begun",
                WAIT_SECONDS,
            )
            path.unlink()
        self.rolls += 1
        roll = self.path.with_name(f"{self.path.stem}-{self.rolls:06d}-size.json")
        self.path.rename(roll)
        self.rolled.append((roll, identity, size))

    def _committed(self, identity: bytes) -> int:
        with contextlib.suppress(sqlite3.Error), _open(self.database) as connection:
            row = connection.execute(
                "SELECT position FROM log_file WHERE id = ?", (identity,)
            ).fetchone()
            return int(row[0]) if row else -1
        return -1


@contextlib.contextmanager
def _open(database: Path):  # type: ignore[no-untyped-def]  # noqa: ANN202
    connection = sqlite3.connect(f"file:{database}?mode=ro", uri=True, timeout=5.0)
    try:
        yield connection
    finally:
        connection.close()


class Service:
    """`offspot-metrics serve` of this checkout, started again when it was killed."""

    def __init__(self, folder: Path, reader: str, program: Path) -> None:
        self.folder = folder
        self.database = folder / "metrics.db"
        self.logs = folder / "logs"
        self.output = folder / "serve.err"
        packages = folder / "packages.yml"
        self.logs.mkdir()
        entries = (
            f'  - {{kind: files, title: P{n}, url: "//p{n}.box/"}}\n' for n in range(PACKAGES)
        )
        packages.write_text("packages:\n" + "".join(entries))
        self.command = [sys.executable, str(ROOT / "offspot_metrics.py"), "serve", "--port", "0"]
        self.command += ["--packages", str(packages), "--logs", str(self.logs)]
        self.command += ["--database", str(self.database), "--reader", reader]
        self.command += ["--filebeat", str(program)] if reader == "filebeat" else []
        self.process: subprocess.Popen[bytes] | None = None
        self.port = 0

    def start(self) -> float:
        """Start it; how many seconds until it had the log open."""
        began = time.monotonic()
        at = self.output.stat().st_size if self.output.exists() else 0
        with self.output.open("ab") as output:
            self.process = subprocess.Popen(
                self.command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env={**os.environ, "TZ": "UTC", "XDG_RUNTIME_DIR": str(self.folder)},
            )

        def reads() -> bool:
            said = self.output.read_bytes()[at:]
            place = said.find(b"http://127.0.0.1:")
            if place < 0 or b"/" not in said[place + 17 :]:
                return False
            self.port = int(said[place + 17 :].split(b"/", 1)[0])
            assert self.process is not None
            return any(name.startswith(f"{self.logs}/") for name in _open_names(self.process.pid))

        wait_until(reads, "serve reads", WAIT_SECONDS, Child(self.process, self.output))
        return time.monotonic() - began

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    def kill(self) -> None:
        """Kill -9, and reap."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def children(self) -> list[int]:
        """Filebeat, and what stands before it."""
        found: list[int] = []
        waiting = [self.pid]
        while waiting:
            parent = waiting.pop()
            for path in Path(f"/proc/{parent}/task").glob("*/children"):
                with contextlib.suppress(OSError):
                    new = [int(pid) for pid in path.read_text().split()]
                    found += new
                    waiting += new
        return found

    def lines_read(self) -> int:
        """How many lines it says that it has read."""
        import json

        with contextlib.suppress(OSError, ValueError), Browser((LOOPBACK, self.port)) as browser:
            answer = browser.get(f"{LOOPBACK}:{self.port}", "/api/v1/status")
            return int(json.loads(answer.body)["lines"]["read"])
        return -1

    def stop(self) -> int:
        """SIGTERM; the exit code."""
        assert self.process is not None
        self.process.terminate()
        return self.process.wait(60.0)


def _open_names(pid: int) -> list[str]:
    names = []
    with contextlib.suppress(OSError):
        for path in Path(f"/proc/{pid}/fd").iterdir():
            with contextlib.suppress(OSError):
                names.append(str(path.readlink()))
    return names


def run(
    folder: Path,
    reader: str,
    lines: int,
    seed: int,
    *,
    sizes: tuple[int, int] = (SMALLEST_ROLL, 1024 * 1024),
    pause: tuple[float, float] = (0.5, 8.0),
) -> Result:
    """Write, disturb, and compare."""
    result = Result(reader, seed)
    chance = random.Random(seed)
    service = Service(folder, reader, install(folder, "strays", FILEBEAT))
    log = Log(service.logs, service.database, lines, sizes, seed)
    writer = threading.Thread(target=log.run, daemon=True)
    began = time.monotonic()
    log.path.write_bytes(b"")
    service.start()
    writer.start()
    disturber = Disturber(service, chance, result)
    try:
        while writer.is_alive():
            writer.join(chance.uniform(*pause))
            disturber.act()
            disturber.wake(time.monotonic())
        disturber.wake(None)
        if log.error:
            raise log.error
        wait_until(lambda: service.lines_read() >= lines, "all is read", WAIT_SECONDS)
        result.exit_code = service.stop()
    finally:
        disturber.wake(None)
        if service.process and service.process.poll() is None:
            service.kill()
    result.lines, result.rolls = log.written, log.rolls
    _compare(service.database, log, result)
    result.seconds = time.monotonic() - began
    result.left_over = len(_left_over(folder))
    return result


class Disturber:
    """Does harm by chance."""

    def __init__(self, service: Service, chance: random.Random, result: Result) -> None:
        self.service, self.chance, self.result = service, chance, result
        self.asleep: list[tuple[float, int]] = []

    def act(self) -> None:
        """One thing of those that happen."""
        kind = self.chance.choice(["kill", "filebeat", "filebeat", "stop", "stop filebeat"])
        children = self.service.children()
        if kind == "kill" or (kind == "filebeat" and self.result.reader == "tail"):
            self.service.kill()
            self.result.kills += 1
            took = self.service.start()
            self.result.slowest_restart = max(self.result.slowest_restart, took)
        elif kind == "filebeat" and children:
            self._signal(self.chance.choice(children), signal.SIGKILL)
            self.result.filebeat_kills += 1
        elif kind == "stop":
            self._sleep(self.service.pid, self.chance.uniform(0.1, 2.0))
        elif children:
            self._sleep(self.chance.choice(children), self.chance.uniform(0.1, 20.0))

    def _sleep(self, pid: int, seconds: float) -> None:
        self.result.stops += 1
        if self._signal(pid, signal.SIGSTOP):
            self.asleep.append((time.monotonic() + seconds, pid))

    def wake(self, now: float | None) -> None:
        """Let those go on whose time has come; all of them without a time."""
        for at, pid in list(self.asleep):
            if now is None or at <= now:
                self._signal(pid, signal.SIGCONT)
                self.asleep.remove((at, pid))

    @staticmethod
    def _signal(pid: int, number: int) -> bool:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            return False
        return True


def _compare(database: Path, log: Log, result: Result) -> None:
    counted: Counter[tuple[int, str]] = Counter()
    with _open(database) as connection:
        for table, column in (("record", "value"), ("state", "state")):
            for hour, title, value in connection.execute(
                f"SELECT hour, value0, {column} FROM {table} "
                "JOIN dimension ON dimension.id = dimension_id WHERE indicator_id = ?",
                (VISITS,),
            ):
                counted[hour, title] += value
        names = ("counted", "unmatched", "bad_time", "incomplete", "not_access_log", "not_json")
        sums = ", ".join(f"sum({name})" for name in (*names, "too_long"))
        row = connection.execute(f"SELECT {sums} FROM log_file").fetchone()
        result.fates = dict(zip((*names, "too_long"), row, strict=True))
        lost = dict(connection.execute("SELECT key, value FROM meta WHERE key LIKE 'lost%'"))
    result.lost = (log.visits - counted).total() + max(0, log.bad - result.fates["not_json"])
    result.doubled = (counted - log.visits).total() + max(0, result.fates["not_json"] - log.bad)
    result.said_lost = int(lost["lost_bytes"]) + int(lost["lost_at_least"])


def _left_over(folder: Path) -> list[int]:
    """Processes that still run for us, after the end."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            if f"--path.data={folder}/".encode() in path.read_bytes():
                found.append(int(path.parent.name))
    return found


def main() -> int:
    """Run some and print a table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--reader", action="append", choices=["tail", "filebeat"])
    parser.add_argument("--lines", type=int, default=200_000)
    parser.add_argument("--seed", type=int, action="append")
    parser.add_argument("--seeds", type=int, default=2, help="how many, without --seed")
    parser.add_argument(
        "--largest", type=int, default=1024 * 1024, help="size of the largest roll, in bytes"
    )
    parser.add_argument(
        "--pause", type=float, default=10.0, help="longest, between two disturbances"
    )
    options = parser.parse_args()
    print(HEADER, flush=True)
    exact = True
    for reader in options.reader or ["tail", "filebeat"]:
        for seed in options.seed or range(options.seeds):
            with tempfile.TemporaryDirectory(prefix="chaos-") as folder:
                result = run(
                    Path(folder),
                    reader,
                    options.lines,
                    seed,
                    sizes=(SMALLEST_ROLL, options.largest),
                    pause=(0.5, options.pause),
                )
            print(result.row(), flush=True)
            if not result.is_exact:
                exact = False
                print(result, flush=True)
    return 0 if exact else 1


if __name__ == "__main__":
    sys.exit(main())
