"""Hotspots that do not count, or may not: each as real files and a real `serve`.

`SETUPS` has the ways in which a hotspot fails without anybody noticing, each with the verdict that
the server must give; `ALL` also the one whose server is gone, which only a page can notice.
"""

from __future__ import annotations

import json
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lab.clock import read_from
from tests.reliability.serving import Serving
from tests.reliability.store_support import line
from tests.support.archive import PROGRAM

HOUR = 3600
DAY = 24 * HOUR
YEAR_2000 = 961_000_000
YEAR_2031 = 1_940_000_000


class Hotspot(Serving):
    """The built program in a folder, under a clock that a test can set."""

    def __init__(self, folder: Path, program: Path = PROGRAM) -> None:
        self.clock = folder / "clock"
        self.set_clock(0)
        super().__init__(folder, environment=read_from(self.clock))
        self.environment.pop("PYTHONPATH")
        self.program = program
        arguments = self.command[self.command.index("serve") + 1 :]
        self.command = [str(program), "serve", *arguments]
        self.packages = folder / "packages.yml"

    def set_clock(self, offset: int) -> None:
        """Set the clock of the process: seconds from the real one."""
        draft = self.clock.with_suffix(".new")
        draft.write_text(f"{offset:+d}\n")
        draft.rename(self.clock)

    def write(self, *lines: bytes) -> None:
        """Append lines to the log, at once."""
        with self.log.open("ab", buffering=0) as log:
            log.write(b"".join(lines))

    def visits(self, count: int, at: float | None = None, **changed: Any) -> None:
        """Lines of visits that count, but for what is changed in them."""
        at = time.time() - count if at is None else at
        self.write(*(visit(at + n, n, **changed) for n in range(count)))

    def run(self, command: str, *arguments: object) -> subprocess.CompletedProcess[bytes]:
        """Another command of the program, on the same files and by the same clock."""
        options = ["--packages", self.packages, "--database", self.database, *arguments]
        return subprocess.run(
            [str(self.program), command, *map(str, options)],
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=120,
            check=False,
        )

    def replace_packages(self, text: str) -> None:
        """Another packages file, which `serve` reads at once."""
        draft = self.packages.with_suffix(".new")
        draft.write_text(text)
        draft.replace(self.packages)
        self.process.send_signal(signal.SIGHUP)

    def read(self) -> int:
        """Lines that were read."""
        return int(self.status()["lines"]["read"])

    def verdict(self) -> dict[str, Any]:
        """The verdict of the status, with its codes."""
        found: dict[str, Any] = self.status().get("verdict", {"state": "", "reasons": []})
        return found | {"codes": [reason["code"] for reason in found["reasons"]]}


def visit(at: float, number: int, **changed: Any) -> bytes:
    """A line that counts, but for what is changed in it: `host`, or fields of the line."""
    data = json.loads(line(at, number % 5, str(number)))
    host = changed.pop("host", None)
    if host:
        data["request"]["host"] = host
    return json.dumps(data | changed, separators=(",", ":")).encode() + b"\n"


def _nothing(_: Hotspot) -> None:
    """Nothing happens."""


@dataclass(frozen=True)
class Setup:
    """A way to fail: what is there before the start, what happens then, and what happens when
    somebody has opened the page.
    """

    name: str
    state: str
    code: str
    before: Callable[[Hotspot], None] = _nothing
    after: Callable[[Hotspot], None] = _nothing
    values: Mapping[str, int | str] = field(default_factory=dict)
    healthy: bool = True
    when_open: Callable[[Hotspot], None] | None = None


def _used_29_hours_ago(hotspot: Hotspot) -> None:
    log = hotspot.folder / "yesterday.json"
    at = time.time() - 29 * HOUR
    log.write_bytes(b"".join(visit(at + n, n) for n in range(30)))
    hotspot.database.parent.mkdir(exist_ok=True)
    done = hotspot.run("replay", "--quiet", log)
    assert done.returncode == 0, done.stderr


def _not_json(hotspot: Hotspot) -> None:
    combined = b'203.0.113.7 - - [26/Nov/2026:10:00:%02d +0000] "GET / HTTP/1.1" 200 512\n'
    hotspot.write(*(combined % (n % 60) for n in range(500)))


def _broken_while_running(hotspot: Hotspot) -> None:
    hotspot.visits(30)
    hotspot.wait(hotspot.counted(30))
    hotspot.replace_packages("packages: [unfinished")


def _three_of_four_ignored(hotspot: Hotspot) -> None:
    hotspot.packages.write_text(
        "packages:\n"
        '  - {kind: zim, title: Bees, url: "//lib.box/viewer#bees_en"}\n'
        '  - {kind: zim, title: Wasps, url: "//lib.box/"}\n'
        '  - {kind: video, title: Films, url: "//films.box/"}\n'
        "  - {kind: files, title: Games}\n"
    )
    hotspot.visits(30)


def _without_packages(hotspot: Hotspot) -> None:
    hotspot.packages.unlink()
    hotspot.visits(30)


def _clock_is_set(hotspot: Hotspot) -> None:
    hotspot.visits(30)
    hotspot.wait(hotspot.counted(30))
    hotspot.set_clock(200 * DAY)


def _stops(hotspot: Hotspot) -> None:
    assert hotspot.stop()[0] == 0


SETUPS = (
    Setup(
        "renamed",
        "not-counting",
        "lines-of-other-hosts",
        lambda hotspot: hotspot.visits(900, host="kiwix.new.hotspot"),
        values={"lines": 900, "detail": "kiwix.new.hotspot"},
    ),
    Setup(
        "errors",
        "not-counting",
        "lines-with-errors",
        lambda hotspot: hotspot.visits(60, status=404),
        values={"lines": 60, "detail": "404"},
    ),
    Setup("not-json", "not-counting", "lines-not-json", _not_json, values={"lines": 500}),
    Setup("no-log", "not-counting", "no-log-file", _used_29_hours_ago),
    Setup("broken-packages", "doubtful", "packages-stale", after=_broken_while_running),
    Setup(
        "ignored-entries",
        "doubtful",
        "packages-ignored",
        _three_of_four_ignored,
        values={"entries": 3},
    ),
    Setup("clock", "doubtful", "clock-stepped", after=_clock_is_set),
    Setup(
        "year-2000",
        "doubtful",
        "lines-of-impossible-time",
        lambda hotspot: hotspot.visits(30, at=YEAR_2000),
        values={"at": YEAR_2000 + 29},
    ),
    Setup(
        "year-2031",
        "doubtful",
        "lines-of-impossible-time",
        lambda hotspot: hotspot.visits(30, at=YEAR_2031),
        values={"at": YEAR_2031 + 29},
    ),
    Setup(
        "no-packages",
        "not-counting",
        "packages-missing",
        _without_packages,
        healthy=False,
    ),
)
GONE = Setup(
    "gone",
    "unknown",
    "",
    lambda hotspot: hotspot.visits(30),
    when_open=_stops,
)
ALL = (*SETUPS, GONE)
