"""Serve the recorded week as if it had just happened: `make run`.

The built `dist/offspot-metrics` serves a new database and the logs of `samples/week` at new times:
the last recorded day becomes today, its hours those of this machine's clock, and lines later than
now are left out. While the program runs, a line is added every few seconds, so that the page
changes. Standard library only.
"""

from __future__ import annotations

import argparse
import contextlib
import gzip
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from itertools import cycle
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SAMPLES = ROOT / "samples"
PROGRAM = ROOT / "dist" / "offspot-metrics"
CURRENT = "caddy_access_logs.json"
DEFAULT_PORT = 8000
LIVE_SECONDS = 4.0
"""One line every so often: a hotspot that is used a little."""

ENOUGH_LINES = 200
"""With fewer of them today, it is too early for a day that begins with school."""
DAY_SECONDS = 86_400

_TS = re.compile(rb'^(\{"level":"[a-z]+","ts":)(\d+)(\.?\d*)')
_ROLLED = re.compile(r"caddy_access_logs-\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d\.\d{3}(-\w+)?\.json")


def whole_seconds(line: bytes) -> int:
    found = _TS.match(line)
    if found is None:
        raise SystemExit(f"demo: not a line of Caddy: {line[:80]!r}")
    return int(found[2])


def shifted(line: bytes, seconds: int) -> bytes:
    """The line with its `ts` so much later, and every other byte, the fraction too, as it was."""
    return _TS.sub(lambda found: b"%b%d%b" % (found[1], int(found[2]) + seconds, found[3]), line, 1)


def read_week(folder: Path) -> list[tuple[str, list[bytes]]]:
    """Name and lines of every file, oldest first; the current one is last."""
    paths = sorted(
        folder.glob("caddy_access_logs*.json.gz"), key=lambda p: (p.stem == CURRENT, p.name)
    )
    if not paths:
        raise SystemExit(f"demo: no recorded logs in {folder}: run it from a whole checkout")
    return [(path.stem, gzip.decompress(path.read_bytes()).split(b"\n")[:-1]) for path in paths]


def rolled_name(old: str, rolled_at: float) -> str:
    """The name that Caddy would have given the file had it rolled at that time."""
    found = _ROLLED.fullmatch(old)
    reason = (found[1] or "") if found else ""
    moment = datetime.fromtimestamp(rolled_at, UTC)
    stamp = moment.strftime("%Y-%m-%dT%H-%M-%S.") + f"{moment.microsecond // 1000:03d}"
    return f"caddy_access_logs-{stamp}{reason}.json"


def seconds_to_now(times: Sequence[int], now: int, ahead_of_utc: int) -> int:
    """By how much to move the recorded times, which are UTC, so that they seem to end now.

    The last day becomes today with its hours as they are; where that leaves today all but empty,
    as at night, the newest line becomes one of this second instead.
    """
    today = (now + ahead_of_utc) // DAY_SECONDS * DAY_SECONDS
    last_day = max(times) // DAY_SECONDS * DAY_SECONDS
    seconds = today - ahead_of_utc - last_day
    if sum(last_day <= at <= now - seconds for at in times) < ENOUGH_LINES:
        seconds = now - max(times)
    return seconds


def write_logs(
    week: Sequence[tuple[str, list[bytes]]], folder: Path, now: int, ahead_of_utc: int = 0
) -> int:
    """Write the week as if `now` were in its last day, under Caddy's names; how many lines."""
    times = [whole_seconds(line) for _, lines in week for line in lines]
    seconds = seconds_to_now(times, now, ahead_of_utc)
    moved = [
        (name, [shifted(line, seconds) for line in lines if whole_seconds(line) + seconds <= now])
        for name, lines in week
    ]
    past = [(name, lines) for name, lines in moved if lines]
    folder.mkdir(parents=True)
    written = 0
    for (old, lines), (_, following) in zip(past, [*past[1:], ("", [])], strict=True):
        name = CURRENT
        if following:
            first = _TS.match(following[0])
            assert first is not None  # whole_seconds looked at every line
            name = rolled_name(old, float(first[2] + first[3]))
        (folder / name).write_bytes(b"".join(line + b"\n" for line in lines))
        written += len(lines)
    return written


def free_port(host: str, first: int) -> int:
    """The first port from `first` on that nothing uses."""
    for port in range(first, first + 100):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, port))
            except OSError:
                continue
            return port
    raise SystemExit(f"demo: no free port from {first} to {first + 99}: name one with --port")


def lines_to_add(week: Sequence[tuple[str, list[bytes]]]) -> Iterator[bytes]:
    """Lines of the sample, one after another for ever, each as if written at this moment."""
    for line in cycle([line for _, lines in week[-3:] for line in lines]):
        yield shifted(line, int(time.time()) - whole_seconds(line)) + b"\n"


def answers(child: subprocess.Popen[bytes], host: str, port: int) -> bool:
    """Wait until the program takes connections; false when it ended before."""
    while True:
        try:
            with socket.create_connection((host, port), timeout=1.0):
                return True
        except OSError:
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.wait(timeout=0.1)
                return False


def watch(child: subprocess.Popen[bytes], log: Path | None, lines: Iterator[bytes]) -> int:
    """Wait for the end of the program, adding a line now and then; its exit code."""
    while True:
        try:
            return child.wait(timeout=LIVE_SECONDS if log else None)
        except subprocess.TimeoutExpired:
            if log:
                with log.open("ab") as stream:
                    stream.write(next(lines))


def main() -> int:
    """Prepare the logs, start the program, pass signals on."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--port", type=int, help=f"default: {DEFAULT_PORT}, or the next free one")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (%(default)s)")
    parser.add_argument("--program", type=Path, default=PROGRAM, help=argparse.SUPPRESS)
    parser.add_argument(
        "--folder", type=Path, default=ROOT / "build" / "demo", help=argparse.SUPPRESS
    )
    parser.add_argument(
        "--keep", action="store_true", help="go on with the logs and the database of the last demo"
    )
    parser.add_argument(
        "--live",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="add a line every few seconds (default)",
    )
    options = parser.parse_args()
    if not options.program.is_file():
        print(f"demo: {options.program} is not there: `make build` makes it", file=sys.stderr)
        return 1
    week = read_week(SAMPLES / "week")
    logs = options.folder / "logs"
    if not (options.keep and logs.is_dir()):
        shutil.rmtree(options.folder, ignore_errors=True)
        now = int(time.time())
        count = write_logs(week, logs, now, time.localtime(now).tm_gmtoff)
        print(f"demo: {count} lines of a school's week, up to now, in {logs}", file=sys.stderr)
    port = options.port if options.port is not None else free_port(options.host, DEFAULT_PORT)
    command = [str(options.program), "serve", "--packages", str(SAMPLES / "packages.yml")]
    command += ["--logs", str(logs), "--database", str(options.folder / "metrics.db")]
    command += ["--reader", "tail", "--host", options.host, "--port", str(port)]
    # A group of its own: the terminal's Ctrl-C reaches this process only, which passes it on once.
    child = subprocess.Popen(command, process_group=0)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda received, _: child.send_signal(received))
    if port and answers(child, options.host, port):
        print(f"\n    The dashboard: http://{options.host}:{port}/\n", file=sys.stderr)
        print("    Ctrl-C ends it.\n", file=sys.stderr, flush=True)
    code = watch(child, logs / CURRENT if options.live else None, lines_to_add(week))
    return code if code >= 0 else 128 - code


if __name__ == "__main__":
    raise SystemExit(main())
