"""B1, B2, F28: every line accounted for, whatever is killed, and however fast they come."""

import os
import random
import signal
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from lab.processes import wait_until
from tests.reliability.chaos import SMALLEST_ROLL, Service, run
from tests.support.measured import measured
from tests.support.reading import (
    CURRENT,
    FILEBEAT,
    READERS,
    START_AT,
    WAIT_SECONDS,
    Following,
    line,
    lines,
)

SEED = int(os.environ.get("CHAOS_SEED", "20261123"))
"""The same in each run, so that a loss is there again when the run is repeated."""
LIVE_HOURS = START_AT + 30 * 24 * 3600
"""Hours after this are those of the test itself: their uptime depends on when it ran."""


@pytest.fixture(params=READERS)
def reader(request: pytest.FixtureRequest) -> str:
    if not FILEBEAT.exists():
        pytest.fail("build/filebeat is not there: make filebeat")
    return str(request.param)


@pytest.mark.timeout(400)
def test_chaos(reader: str, tmp_path: Path) -> None:
    """B1: kills, stops, stray output: lost 0, doubled 0, nothing said to be lost or left over."""
    seed = SEED
    print(f"reader {reader}, seed {seed}")
    result = run(tmp_path, reader, 5_000, seed, sizes=(SMALLEST_ROLL, 256 * 1024), pause=(0.3, 2.5))
    measured(result.words())
    assert result.is_exact, result


@pytest.mark.parametrize(
    "kills",
    [6, pytest.param(200, marks=[pytest.mark.full, pytest.mark.timeout(3600)])],
)
def test_equivalence(reader: str, tmp_path: Path, kills: int) -> None:
    """B2: killed at random moments, the database ends as that of a run that nothing disturbed."""
    seed = SEED
    measured(f"{reader}, seed {seed}: {kills} kills")
    chance = random.Random(seed)
    dumps = []
    for name, times in (("undisturbed", 0), ("killed", kills)):
        folder = tmp_path / name
        folder.mkdir()
        service = Service(folder, reader, FILEBEAT)
        for number in range(3):
            data = b"".join(
                line(number * 4000 + n, at=START_AT + number * 4000 + n).replace(
                    b"games.box", b"p%d.box" % (n % 7)
                )
                for n in range(4000)
            )
            (service.logs / f"caddy_access_logs-{number}.json").write_bytes(data)
        for _ in range(times):
            service.start()
            assert service.process is not None
            threading.Event().wait(chance.random() * 1.5)  # the moment is what is random here
            service.process.send_signal(signal.SIGKILL)
            service.process.wait()
        service.start()
        wait_until(lambda s=service: s.lines_read() == 12_000, "all is read", WAIT_SECONDS)  # type: ignore[misc]
        assert service.stop() == 0
        dumps.append(dump(service.database))
    assert dumps[0] == dumps[1]


def dump(database: Path) -> dict[str, list[Any]]:
    """What was counted, and where the reading is."""
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        return {
            "counted": sorted(_counted(connection)),
            "positions": connection.execute(
                "SELECT id, position, name, first_at, last_at, counted, unmatched, not_json "
                "FROM log_file ORDER BY id"
            ).fetchall(),
            "totals": connection.execute(
                "SELECT agg_kind, agg_value, indicator_id, value0, value FROM total "
                "JOIN dimension ON dimension.id = dimension_id "
                "WHERE agg_kind = 'D' AND agg_value < '2026-07' ORDER BY 1, 2, 3, 4"
            ).fetchall(),
            "lost": connection.execute(
                "SELECT key, value FROM meta WHERE key LIKE 'lost%' ORDER BY key"
            ).fetchall(),
        }


def _counted(connection: sqlite3.Connection) -> Iterator[tuple[Any, ...]]:
    for columns, table in (("coalesce(minutes, value)", "record"), ("state", "state")):
        yield from connection.execute(
            f"SELECT hour, indicator_id, value0, {columns} FROM {table} "
            "JOIN dimension ON dimension.id = dimension_id WHERE hour < ?",
            (LIVE_HOURS,),
        )


@pytest.mark.parametrize(
    "seconds", [12, pytest.param(600, marks=[pytest.mark.full, pytest.mark.timeout(900)])]
)
def test_burst(reader: str, tmp_path: Path, seconds: int) -> None:
    """F28: 2,000 lines a second, rolled at 1 MiB, two rolls kept: never ten seconds behind.

    The small size lasts longer than that, or it could not be.
    """
    logs = tmp_path / "logs"
    logs.mkdir()
    log = logs / CURRENT
    written, rolls, worst = 0, 0, 0
    pause = threading.Event()
    with Following(logs, reader) as following:
        began = time.monotonic()
        while (now := time.monotonic() - began) < seconds:
            due = int(now * 2000)
            with log.open("ab", buffering=0) as stream:
                stream.write(lines(range(written, due)))
            written = due
            if log.stat().st_size > 1024 * 1024:
                rolls += 1
                log.rename(logs / f"caddy_access_logs-{rolls:06d}.json")
                (logs / f"caddy_access_logs-{rolls - 2:06d}.json").unlink(missing_ok=True)
            worst = max(worst, written - len(following.ledger.applied))
            pause.wait(0.05)
        following.wait_for(lambda: len(following.ledger.applied) >= written, "all is read")
    measured(f"{reader}: {written:,} lines, {rolls} rolls, at most {worst:,} behind")
    assert worst < 19_000  # a look each ten seconds would be 19,900 behind
    assert following.ledger.has(lines(range(written)))
    assert (following.ledger.lost_bytes, following.ledger.lost_at_least) == (0, False)
