"""Rows about `serve`: bursts, line to figure, idle, memory, answers, start.

Everything runs in a folder of its own, on free loopback ports, and ends with the row.
"""

from __future__ import annotations

import http.client
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from benchmarks import peers, workload
from benchmarks.measure import (
    Sample,
    cpu_seconds,
    memory_of,
    timed,
    turn_by_turn,
    wake_ups,
)
from benchmarks.table import ALONE, MEASURED, MISSING, RECORDED, Row, megabytes, rate
from lab.metrics import Metrics
from lab.processes import LOOPBACK, free_port

BURST_LINES: Final = 100_000
GOAL_LIVE: Final = 0.8
GOAL_COUNTED_SECONDS, GOAL_SHOWN_SECONDS = 3.0, 65.0
GOAL_WAKE_UPS, GOAL_CPU = 5.0, 0.002
GOAL_BYTES: Final = 45 * 1024 * 1024
UPSTREAM_REQUESTS: Final = 271
GOAL_REQUESTS: Final = 10
_DAYS: Final = "/api/v1/aggregations/D"
_EVENTS: Final = "%{[log.offset]} %{[log.file.path]} %{[message]}"


@dataclass
class Served:
    """A running `serve` and the log it reads."""

    metrics: Metrics
    log: Path
    folder: Path

    @property
    def pid(self) -> int:
        """Its process."""
        return self.metrics.pid

    def lines(self) -> int:
        """How many lines have been counted, whatever their fate."""
        return lines_of(self.metrics.port)


def lines_of(port: int) -> int:
    """How many lines the `serve` on a port has counted, whatever their fate."""
    connection = http.client.HTTPConnection(LOOPBACK, port, timeout=10)
    connection.request("GET", "/metrics")
    text = connection.getresponse().read().decode()
    connection.close()
    found = re.findall(r"^offspot_metrics_lines_total\{[^}]*\} ([0-9.]+)", text, re.M)
    return sum(int(float(count)) for count in found)


@contextmanager
def served(reader: str, packages: Path | None = None) -> Iterator[Served]:
    """`serve` over an empty log folder with a fresh database."""
    folder = Path(tempfile.mkdtemp(prefix="bench-", dir=workload.FOLDER))
    log = folder / "logs" / "caddy_access_logs.json"
    log.parent.mkdir()
    arguments = ["--packages", str(packages or workload.packages_file())]
    arguments += ["--logs", str(log.parent), "--database", str(folder / "metrics.db")]
    arguments += ["--reader", reader]
    if reader == "filebeat":
        arguments += ["--filebeat", str(peers.FILEBEAT)]
    try:
        with Metrics(peers.PROGRAM, arguments, folder / "home") as metrics:
            yield Served(metrics, log, folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def wait(condition: Callable[[], bool], seconds: float, pause: float = 0.005) -> float:
    """Seconds until a condition holds."""
    begun = time.perf_counter()
    while not condition():
        if time.perf_counter() - begun > seconds:
            raise TimeoutError(f"not within {seconds} s")
        time.sleep(pause)
    return time.perf_counter() - begun


def _burst(log: Path, data: bytes) -> None:
    with log.open("ab") as file:
        file.write(data)


def ours_live(reader: str, data: bytes) -> float:
    """Seconds from the writing of a burst until all of it is counted."""
    count = data.count(b"\n")
    first = data[: data.index(b"\n") + 1]
    with served(reader) as serve:
        _burst(serve.log, first)
        wait(lambda: serve.lines() == 1, 60)
        begun = time.perf_counter()
        _burst(serve.log, data)
        wait(lambda: serve.lines() == count + 1, 120)
        return time.perf_counter() - begun


class _Counting(threading.Thread):
    """Reads a pipe and counts lines: the least that whoever uses the output has to do."""

    def __init__(self, descriptor: int) -> None:
        super().__init__(daemon=True)
        self.descriptor = descriptor
        self.lines = 0

    def run(self) -> None:
        with suppress(OSError):
            while data := os.read(self.descriptor, 1 << 20):
                self.lines += data.count(b"\n")


def _peer_live(start: Callable[[Path, Path], list[str]], data: bytes) -> float:
    count = data.count(b"\n")
    folder = Path(tempfile.mkdtemp(prefix="bench-", dir=workload.FOLDER))
    log = folder / "caddy_access_logs.json"
    log.write_bytes(data[: data.index(b"\n") + 1])
    process = subprocess.Popen(
        start(folder, log),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        assert process.stdout is not None
        counting = _Counting(process.stdout.fileno())
        counting.start()
        wait(lambda: counting.lines == 1, 60)
        begun = time.perf_counter()
        _burst(log, data)
        wait(lambda: counting.lines == count + 1, 120)
        return time.perf_counter() - begun
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        shutil.rmtree(folder, ignore_errors=True)


def _filebeat(folder: Path, log: Path) -> list[str]:
    config = folder / "filebeat.yml"
    config.write_text(
        "filebeat.inputs:\n"
        f"  - {{type: filestream, id: bench, paths: ['{log}'], "
        "prospector.scanner.check_interval: 1s}\n"
        f"output.console.codec.format.string: '{_EVENTS}'\n"
        "logging: {level: error, metrics.enabled: false}\n",
        encoding="utf-8",
    )
    config.chmod(0o600)
    paths = [f"--path.{name}={folder}" for name in ("home", "config", "data", "logs")]
    return [str(peers.FILEBEAT), "-c", str(config), *paths]


def _tail(_: Path, log: Path) -> list[str]:
    return ["tail", "-n", "+1", "-F", str(log)]


def live(lines: int, runs: int) -> list[Row]:
    """A burst through both readers, against Filebeat and `tail` alone, and against replay."""
    log = workload.cut(lines, min(BURST_LINES, lines))
    data = log.read_bytes()
    count = data.count(b"\n")
    packages = workload.packages_file()
    sides: dict[str, Callable[[], float]] = {
        "tail": lambda: ours_live("tail", data),
        "tail -F": lambda: _peer_live(_tail, data),
        "replay": lambda: timed(peers.replay(packages, log, "--jobs", "1")),
    }
    if peers.FILEBEAT.exists():
        sides["filebeat"] = lambda: ours_live("filebeat", data)
        sides["filebeat alone"] = lambda: _peer_live(_filebeat, data)
    found = turn_by_turn(sides, runs)
    rows = [
        _live_row("live-tail", "tail", "replay", "our replay `--jobs 1`", found, count),
        _live_row("live-tail-f", "tail", "tail -F", "`tail -F` into a counter", found, count),
    ]
    if "filebeat" in found:
        rows.insert(
            0,
            _live_row(
                "live-filebeat", "filebeat", "filebeat alone", "Filebeat alone", found, count
            ),
        )
    else:
        rows.insert(
            0, Row("live-filebeat", "burst, Filebeat", "", "Filebeat: missing", "", None, MISSING)
        )
    return rows


def _live_row(
    row: str, ours: str, peer: str, name: str, found: dict[str, Sample], count: int
) -> Row:
    ratio = found[peer].median / found[ours].median
    judged = peer != "tail -F"
    return Row(
        row,
        f"live, burst of {count:,} lines, {ours} reader, until counted",
        rate(count / found[ours].median),
        f"{name}: {rate(count / found[peer].median)}",
        f"{GOAL_LIVE}x" if judged else "",
        ratio >= GOAL_LIVE if judged else None,
        ratios=found[ours].against(found[peer]),
    )


def line_to_figure(reader: str) -> list[Row]:
    """One line written, until it is counted, and until the API shows it."""
    lines = workload.recorded(20_000).read_bytes().split(b"\n")
    line = next(line for line in lines if b'"host":"nomad.' in line) + b"\n"
    now = b'"ts":%d.5' % time.time()
    line = re.sub(rb'"ts":[0-9.]+', now, line, count=1)
    with served(reader) as serve:
        wait(lambda: serve.metrics.api("/api/v1/periods") is not None, 30)
        begun = time.perf_counter()
        _burst(serve.log, line)
        wait(lambda: serve.lines() == 1, 60)
        counted = time.perf_counter() - begun
        wait(lambda: b'"package":"nomad"' in _get(serve.metrics.port, _DAYS), 120, 0.1)
        shown = time.perf_counter() - begun
    return [
        Row(
            f"line-{reader}",
            f"one line until it is counted; until the API shows it ({reader})",
            f"{counted:.1f} s; {shown:.0f} s",
            "",
            f"{GOAL_COUNTED_SECONDS:.0f} s; {GOAL_SHOWN_SECONDS:.0f} s",
            counted <= GOAL_COUNTED_SECONDS and shown <= GOAL_SHOWN_SECONDS,
            ALONE,
        )
    ]


def idle(seconds: float) -> list[Row]:
    """Wake-ups and processor time with no traffic."""
    with served("tail") as serve:
        time.sleep(5)
        begun, woken, used = time.perf_counter(), wake_ups(serve.pid), cpu_seconds(serve.pid)
        time.sleep(seconds)
        elapsed = time.perf_counter() - begun
        per_second = (wake_ups(serve.pid) - woken) / elapsed
        share = (cpu_seconds(serve.pid) - used) / elapsed
    return [
        Row(
            "idle",
            f"idle for {seconds:.0f} s, tail reader: wake-ups a second; processor",
            f"{per_second:.1f}; {share:.2%}",
            "offspot/metrics: about 500",
            f"{GOAL_WAKE_UPS:.0f}; {GOAL_CPU:.1%}",
            per_second <= GOAL_WAKE_UPS and share <= GOAL_CPU,
            RECORDED,
        )
    ]


def _hundred_packages(folder: Path) -> Path:
    path = folder / "hundred.yml"
    entries = [f"- {{kind: app, title: App {n}, url: //app{n}.test/}}" for n in range(100)]
    path.write_text("packages:\n" + "\n".join(entries) + "\n", encoding="utf-8")
    return path


def memory() -> list[Row]:
    """Memory of `serve` with 100 packages and the dashboard open."""
    packages = _hundred_packages(workload.FOLDER)
    with served("tail", packages) as serve:
        template = workload.recorded(20_000).read_bytes().split(b"\n", 1)[0] + b"\n"
        now = int(time.time())
        for n in range(100):
            line = re.sub(rb'"host":"[^"]*"', b'"host":"app%d.test"' % n, template, count=1)
            _burst(
                serve.log, re.sub(rb'"ts":[0-9.]+', b'"ts":%d.5' % (now - n * 600), line, count=1)
            )
        wait(lambda: serve.lines() == 100, 30)
        wait(lambda: bool(serve.metrics.api("/api/v1/aggregations")["aggregations"]), 120, 0.2)
        for path in ("/", "/api/v1/periods", "/api/v1/aggregations/D", "/api/v1/status") * 50:
            _get(serve.metrics.port, path)
        time.sleep(2)
        found = memory_of(serve.pid)
    return [
        Row(
            "serve-memory",
            "memory of `serve`, 100 packages, dashboard open, tail reader",
            megabytes(found),
            "offspot/metrics: 81 MB (its API only)",
            megabytes(GOAL_BYTES),
            found <= GOAL_BYTES,
            RECORDED,
        )
    ]


def _get(port: int, path: str) -> bytes:
    connection = http.client.HTTPConnection(LOOPBACK, port, timeout=10)
    connection.request("GET", path)
    body = connection.getresponse().read()
    connection.close()
    return body


def requests(seconds: float, runs: int) -> list[Row]:
    """GET /api/v1/aggregations/D with a year of 100 packages, over kept connections."""
    from benchmarks.figures import a_year  # (engine code: only here)

    folder = Path(tempfile.mkdtemp(prefix="bench-", dir=workload.FOLDER))
    database = folder / "metrics.db"
    a_year(database, packages=100)
    port = free_port()
    command = peers.ours("serve", "--port", str(port), "--database", str(database))
    command += ["--packages", str(workload.packages_file())]
    environment = {**os.environ, "PROCESSING_DISABLED": "true", "HOME": str(folder)}
    process = subprocess.Popen(
        command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        wait(lambda: _answers(port), 30)
        found = Sample(tuple(_request_rate(port, seconds) for _ in range(runs)))
    finally:
        process.terminate()
        process.wait()
        shutil.rmtree(folder, ignore_errors=True)
    ratio = found.median / UPSTREAM_REQUESTS
    return [
        Row(
            "requests",
            "`GET /api/v1/aggregations/D`, a year of 100 packages",
            f"{found.median:,.0f} requests/s",
            f"offspot/metrics: {UPSTREAM_REQUESTS} requests/s",
            f"{GOAL_REQUESTS}x",
            ratio >= GOAL_REQUESTS,
            RECORDED,
            tuple(value / UPSTREAM_REQUESTS for value in found.values),
        )
    ]


def _answers(port: int) -> bool:
    try:
        return _get(port, "/api/v1/aggregations") != b""
    except OSError:
        return False


def _request_rate(port: int, seconds: float) -> float:
    """Requests a second over 8 connections, each asking again when it is answered."""
    program = shutil.which("wrk")
    if program:
        url = f"http://{LOOPBACK}:{port}/api/v1/aggregations/D"
        done = subprocess.run(
            [program, "-t1", "-c8", f"-d{seconds:.0f}s", url], capture_output=True, check=True
        )
        found = re.search(rb"Requests/sec:\s+([0-9.]+)", done.stdout)
        assert found is not None
        return float(found[1])
    connection = http.client.HTTPConnection(LOOPBACK, port, timeout=10)
    count, begun = 0, time.perf_counter()
    while time.perf_counter() - begun < seconds:
        connection.request("GET", "/api/v1/aggregations/D")
        connection.getresponse().read()
        count += 1
    connection.close()
    return count / (time.perf_counter() - begun)


def start(runs: int) -> list[Row]:
    """Start-up: `--version`, `kpis`, and `serve` until it is healthy."""
    folder = Path(tempfile.mkdtemp(prefix="bench-", dir=workload.FOLDER))
    database = folder / "metrics.db"
    packages = workload.packages_file()
    timed(peers.replay(packages, workload.recorded(20_000), "--database", str(database)))
    sides: dict[str, Callable[[], float]] = {
        "bare": lambda: timed(peers.bare_python()),
        "version": lambda: timed(peers.ours("--version")),
        "kpis": lambda: timed(
            peers.ours("kpis", "--period", "today", "--format", "json", "--database", str(database))
        ),
        "serve": lambda: until_healthy(packages, folder),
    }
    for side in sides.values():
        side()
    found = turn_by_turn(sides, runs)
    shutil.rmtree(folder, ignore_errors=True)
    rows = []
    for name, what, goal in (
        ("version", "`--version`", 3),
        ("kpis", "`kpis --period today`", 5),
    ):
        times = found[name].median / found["bare"].median
        rows.append(
            Row(
                f"start-{name}",
                f"start, {what}",
                f"{found[name].median * 1000:.0f} ms",
                f"`python3 -c pass`: {found['bare'].median * 1000:.0f} ms",
                f"at most {goal}x",
                times <= goal,
                MEASURED,
                found[name].against(found["bare"]),
            )
        )
    seconds = found["serve"].median
    rows.append(
        Row(
            "start-serve",
            "start, `serve` until `/health` is 200",
            f"{seconds:.2f} s",
            "",
            "1.0 s",
            seconds <= 1.0,
            ALONE,
            span=f"{min(found['serve'].values):.2f} to {max(found['serve'].values):.2f} s",
        )
    )
    return rows


def until_healthy(packages: Path, folder: Path) -> float:
    """Seconds from the start of a `serve` until it says that it is healthy."""
    logs = folder / "logs"
    logs.mkdir(exist_ok=True)
    port = free_port()
    command = peers.ours("serve", "--port", str(port), "--packages", str(packages))
    command += ["--logs", str(logs), "--database", str(folder / "serve.db"), "--reader", "tail"]
    begun = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait(lambda: _healthy(port), 30)
        return time.perf_counter() - begun
    finally:
        process.terminate()
        process.wait()


def _healthy(port: int) -> bool:
    with suppress(OSError), socket.create_connection((LOOPBACK, port), timeout=1) as connection:
        connection.sendall(b"GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
        return connection.recv(64).startswith(b"HTTP/1.1 200")
    return False


def size() -> list[Row]:
    """The size of the archive."""
    found = peers.PROGRAM.stat().st_size
    return [
        Row(
            "size",
            "size of the zipapp",
            f"{found / 1e6:.1f} MB",
            "offspot/metrics: image of 167 MB",
            "6 MB",
            found <= 6_000_000,
            RECORDED,
            (167e6 / found,),
        )
    ]
