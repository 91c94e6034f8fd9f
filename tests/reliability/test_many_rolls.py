"""S29: rolls by the thousand cost nothing that stays: memory, descriptors, database."""

from __future__ import annotations

import json
import threading
import time
from pathlib import Path

import pytest

from tests.reliability.serving import Serving
from tests.support.measured import measured

MEGABYTE = 1_000_000
HOUR_OF_ROLLS = 3 * 3600
MAX_GROWTH = 10 * MEGABYTE
LEAST_GROWTH = 3 * MEGABYTE
"""Less cannot be told from what the allocator keeps; lives that stay take 7 MB in a short run."""
MAX_DESCRIPTORS = 256
WARM_UP = 300
KEPT = 20
ROLLS_PER_SECOND = 250
AHEAD = 25
"""So often the writer waits for the reader: fewer than twice as many logs are new at a time."""
UNKNOWN, HOME = "other.box", "games.box"


def line(number: int, host: str, length: int = 0) -> bytes:
    """A line of Caddy's, of a package or of nobody, as long as wanted."""
    request = {
        "remote_ip": "203.0.113.7",
        "method": "GET",
        "host": host,
        "uri": "/" + "x" * length,
        "headers": {},
    }
    head = {"level": "info", "ts": 1_781_431_200 + number / 1000, "logger": "http.log.access"}
    rest = {"msg": "handled request", "request": request, "duration": 0.001, "size": 5}
    answer = {"status": 200, "resp_headers": {"Server": ["Caddy"]}}
    return json.dumps({**head, **rest, **answer}, separators=(",", ":")).encode() + b"\n"


def resident(pid: int) -> int:
    """Bytes of memory of a process."""
    for text in Path(f"/proc/{pid}/status").read_text().splitlines():
        if text.startswith("VmRSS:"):
            return int(text.split()[1]) * 1024
    raise AssertionError("no VmRSS")


def database_bytes(serve: Serving) -> int:
    """What the database takes on disk, once what waits in its log is in it."""
    return sum(path.stat().st_size for path in serve.database.parent.glob("metrics.db"))


class Roller:
    """Writes logs and rolls them as Caddy does, and looks at what that costs the reader."""

    def __init__(self, serve: Serving, hosts: tuple[str, ...]) -> None:
        self.serve = serve
        self.hosts = hosts
        self.rolls = self.lines = 0
        self.descriptors = 0
        self._names: list[Path] = []
        self._pace = threading.Event()

    def roll(self, number: int) -> None:
        """So many logs, each renamed and, after twenty more, deleted."""
        for _ in range(number):
            self.rolls += 1
            self._pace.wait(1 / ROLLS_PER_SECOND)
            with self.serve.log.open("wb", buffering=0) as log:
                for host in self.hosts:
                    self.lines += 1
                    log.write(line(self.lines, host, 5000 if host == UNKNOWN else 0))
            name = self.serve.log.with_name(f"caddy_access_logs-{self.rolls:06d}.json")
            self.serve.log.rename(name)
            self._names.append(name)
            if len(self._names) > KEPT:
                self._names.pop(0).unlink()
            pid = self.serve.process.pid
            self.descriptors = max(self.descriptors, len(list(Path(f"/proc/{pid}/fd").iterdir())))
            if self.rolls % AHEAD == 0:
                behind = self.lines - AHEAD * len(self.hosts)
                self.serve.wait(lambda wanted=behind: self.read() >= wanted)  # type: ignore[misc]

    def read(self) -> int:
        """How many lines have been read."""
        found: int = self.serve.status().get("lines", {}).get("read", 0)
        return found

    def settled(self) -> None:
        """Everything is read, said, and saved."""
        self.serve.wait(lambda: self.read() == self.lines)
        saves = self.serve.metric("saves_total")
        self.roll(1)
        self.serve.wait(lambda: self.read() == self.lines)
        self.serve.wait(lambda: self.serve.metric("saves_total") > saves)


@pytest.mark.timeout(1800)
@pytest.mark.parametrize(
    ("hosts", "rolls"),
    [
        pytest.param((UNKNOWN,), 1500, id="nothing-counts"),
        pytest.param((UNKNOWN, HOME), 1500, id="a-visit-in-each"),
        pytest.param((UNKNOWN,), HOUR_OF_ROLLS, id="an-hour", marks=pytest.mark.full),
        pytest.param(
            (UNKNOWN, HOME), HOUR_OF_ROLLS, id="an-hour-of-visits", marks=pytest.mark.full
        ),
    ],
)
def test_rolls_cost_nothing_that_grows(tmp_path: Path, hosts: tuple[str, ...], rolls: int) -> None:
    """S29: an hour of three rolls a second adds less than 10 MB of memory and database together,
    at most 256 descriptors are open, and each line is counted.
    """
    with Serving(tmp_path) as serve:
        roller = Roller(serve, hosts)
        roller.roll(WARM_UP)
        roller.settled()
        before = resident(serve.process.pid), database_bytes(serve)
        began = time.monotonic()
        roller.roll(rolls)
        took = time.monotonic() - began
        roller.settled()
        memory = resident(serve.process.pid) - before[0]
        stored = database_bytes(serve) - before[1]
        measured(
            f"{rolls:,} rolls in {took:.0f} s: {memory:,} bytes of memory, {stored:,} of database, "
            f"at most {roller.descriptors} descriptors"
        )
        # 5,000 logs are remembered. Memory comes in large pieces: those of a short run say little.
        share = 1.0 if HOME in hosts else rolls / HOUR_OF_ROLLS
        assert memory + stored < max(MAX_GROWTH * share, LEAST_GROWTH)
        assert roller.descriptors <= MAX_DESCRIPTORS
        status = serve.status()
        assert status["loss"] == {"bytes": 0, "atLeast": False, "logs": 0}, serve.text()
        assert status["health"]["ok"]
        assert serve.stop()[0] == 0
