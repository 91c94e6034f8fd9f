"""What a visitor may send much of: long addresses (S2), many addresses and hosts (S3)."""

from __future__ import annotations

import contextlib
import random
import sqlite3
from pathlib import Path
from time import monotonic

import pytest

from tests.security.cases import (
    MEGABYTE,
    NOON,
    MemoryWatch,
    Serve,
    line,
    proxy_log,
    resident,
)
from tests.support.measured import measured

LONG = 900_000
LESS_LONG = 40_000
"""Filebeat cuts these, and drops the longer ones."""
MAX_RESIDENT = 150 * MEGABYTE
MAX_GROWTH = 32 << 20
AHEAD = 60
"""Lines that may be written and not counted: the proxy rolls away a hundred."""
CROWD_AHEAD = 100_000


@pytest.mark.parametrize(
    ("number", "reader"),
    [
        (60, "filebeat"),
        pytest.param(1000, "filebeat", marks=[pytest.mark.full, pytest.mark.timeout(1800)]),
        pytest.param(1000, "tail", marks=[pytest.mark.full, pytest.mark.timeout(1800)]),
    ],
)
def test_long_addresses_are_counted_in_bounded_memory(
    tmp_path: Path, number: int, reader: str
) -> None:
    """S2: each 900 kB address counts once, memory stays, nothing is lost, and all but the last
    256 KiB is saved within seconds, long before the minute is over.
    """
    with Serve(tmp_path, reader=reader) as serve, proxy_log(serve.log) as log:
        log.write(line())
        serve.wait_for_lines(1)
        before, saves = resident(serve.pid), serve.metric("saves_total")
        with MemoryWatch(serve.pid) as memory:
            for n in range(number):
                size = LONG if n % 4 else LESS_LONG
                places = ["/content/bees_en/" + "x" * size, "/" + "y" * size, "/?" + "z" * size]
                log.write(line(f"{places[n % 3]}{n}", host="lib.box" if n % 3 < 2 else "games.box"))
                if n % 20 == 19:
                    serve.wait_for_lines(log.lines - AHEAD)
            serve.wait_for_lines(number + 1)
            least = log.written - 256 * 1024
            serve.wait_for(lambda: saved_bytes(serve) > least, "a save by bytes", 20)
        lines, status = serve.lines, serve.status
        saved = serve.metric("saves_total") - saves
        measured(
            reader=reader,
            number=number,
            grew_mb=(memory.own - before) / MEGABYTE,
            own_mb=memory.own / MEGABYTE,
            all_mb=memory.all / MEGABYTE,
            saves=saved,
            stored=serve.stored_bytes(),
        )
        assert lines["read"] == lines["counted"] + lines["unmatched"] == number + 1
        assert lines["counted"] == number - (number + 1) // 3 + 1  # "/yyy" is no ZIM
        assert status["loss"] == {"bytes": 0, "atLeast": False, "logs": 0}
        assert saved >= 1
        assert memory.own - before <= MAX_GROWTH
        assert memory.all <= MAX_RESIDENT, "with Filebeat"
        assert serve.stop() == 0
    assert serve.stored_bytes() < MEGABYTE


def saved_bytes(serve: Serve) -> int:
    """How far the saved positions of all logs are."""
    path = next(serve.data.glob("*.db"))
    with contextlib.closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as connection:
        return int(connection.execute("SELECT sum(position) FROM log_file").fetchone()[0] or 0)


@pytest.mark.parametrize(
    ("uris", "hosts"),
    [
        (60_000, 30_000),
        pytest.param(1_000_000, 100_000, marks=[pytest.mark.full, pytest.mark.timeout(600)]),
    ],
)
def test_many_addresses_and_hosts_are_counted_and_not_kept(
    tmp_path: Path, uris: int, hosts: int
) -> None:
    """S3: all are counted exactly, memory is bounded, the database does not grow with them."""
    seed = 20_260_614
    print(f"seed {seed}")
    chance = random.Random(seed)
    visits = 0
    with Serve(tmp_path) as serve, proxy_log(serve.log) as log:
        log.write(line())
        serve.wait_for_lines(1)
        began = monotonic()
        with MemoryWatch(serve.pid) as memory:
            for begin in range(0, uris, 1000):
                block = []
                for n in range(begin, begin + 1000):
                    at = NOON + chance.randrange(3600)
                    if n < hosts:
                        block.append(line(f"/{n}", host=f"h{n}.example", at=at))
                    elif n % 2:
                        block.append(line(f"/content/bees_en/{n}-{chance.random()}", at=at))
                    else:
                        visits += 1
                        block.append(line(f"/?q={n}-{chance.random()}", host="games.box", at=at))
                for half in (block[:500], block[500:]):
                    log.write(b"".join(half), len(half))
                if begin // 1000 % 20 == 19:
                    serve.wait_for_lines(log.lines - CROWD_AHEAD)
            serve.wait_for_lines(log.lines)
        rate = log.lines / (monotonic() - began)
        lines = serve.lines
        assert serve.stop() == 0
    with Serve(tmp_path) as again:
        found = again.figures(2001)
        assert again.lines["read"] == uris + 1
        assert again.stop() == 0
    stored = serve.stored_bytes()
    own = memory.own / MEGABYTE
    measured(uris=uris, hosts=hosts, own_mb=own, stored=stored, lines_per_second=rate)
    assert (lines["read"], lines["unmatched"]) == (uris + 1, hosts)
    assert {item["package"]: item["visits"] for item in found["items"]} == {
        "Bees": 1,
        "Games": visits,
    }
    assert memory.own <= MAX_RESIDENT
    # Positions of one log a megabyte, and nothing for what was asked: not a byte for each address.
    rolls = log.written // (1 << 20) + 1
    assert stored <= 256 * 1024 + 1024 * rolls
