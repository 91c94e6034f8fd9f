"""The peers: what else could do the work, or a part of it, on this machine.

A peer that is not installed is None, and its cell of the table is "missing".
"""

from __future__ import annotations

import json
import shutil
import sqlite3
import sys
import time
from pathlib import Path

from benchmarks.workload import FOLDER, ROOT

BUILT = ROOT / "dist" / "offspot-metrics"
PROGRAM = FOLDER / "offspot-metrics"
"""A copy, so that a build while measuring changes nothing."""
FILEBEAT = ROOT / "build" / "filebeat"

PLAIN_READING = "import sys\nfor line in open(sys.argv[1], 'rb'):\n    pass\n"


def take_built() -> bool:
    """Copy the built program; False when there is none."""
    if not BUILT.exists():
        return False
    FOLDER.mkdir(parents=True, exist_ok=True)
    shutil.copy2(BUILT, PROGRAM)
    return True


def ours(*arguments: str) -> list[str]:
    """Our program with arguments, under the Python that runs this."""
    return [sys.executable, str(PROGRAM), *arguments]


def replay(packages: Path, log: Path, *more: str) -> list[str]:
    """Our replay, as a script would call it."""
    return ours("replay", "--format", "json", "--packages", str(packages), *more, str(log))


def goaccess(log: Path, report: Path) -> list[str] | None:
    """GoAccess, a log analyser written in C."""
    program = shutil.which("goaccess")
    return (program and [program, str(log), "--log-format=CADDY", "-o", str(report)]) or None


def plain_reading(log: Path) -> list[str]:
    """Python reading lines and doing nothing with them."""
    return [sys.executable, "-c", PLAIN_READING, str(log)]


def bare_python() -> list[str]:
    """Python doing nothing."""
    return [sys.executable, "-c", "pass"]


def line_by_line(log: Path, database: Path, lines: int) -> float:
    """Our own stand-in for tools that parse and store each line: how long it takes for `lines`.

    One `json.loads` and one SQLite transaction per line, with a table of counts; what upstream's
    pipeline does for a line is more than this.
    """
    database.unlink(missing_ok=True)
    connection = sqlite3.connect(database, isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute(
        "CREATE TABLE seen (host TEXT, hour INTEGER, n INTEGER, UNIQUE (host, hour))"
    )
    begun = time.perf_counter()
    with log.open("rb") as file:
        for _ in range(lines):
            data = json.loads(file.readline())
            connection.execute(
                "INSERT INTO seen VALUES (?, ?, 1) ON CONFLICT DO UPDATE SET n = n + 1",
                (data["request"]["host"], int(data["ts"]) // 3600),
            )
    seconds = time.perf_counter() - begun
    connection.close()
    return seconds
