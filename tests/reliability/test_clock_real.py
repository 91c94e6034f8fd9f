"""The real process under a clock that is set while it runs: D-T2, D-T5, F23, F36."""

import os
import random
import signal
import time
from pathlib import Path

import pytest

from lab.clock import read_from
from tests.reliability.serving import Serving
from tests.reliability.store_support import figures

SEED = int(os.environ.get("STORE_SEED", "20261123"))
YEAR = 365 * 86400


def set_clock(folder: Path, offset: int) -> None:
    """Set the clock of the process: seconds from the real one."""
    draft = folder / "clock.new"
    draft.write_text(f"{offset:+d}\n")
    draft.rename(folder / "clock")


def under_clock(folder: Path) -> dict[str, str]:
    """The environment of a process whose wall clock is set by `set_clock`, and only that."""
    return read_from(folder / "clock")


def visits(found: dict[str, object]) -> int:
    """All home visits, of all hours."""
    figure = found["figures"]
    assert isinstance(figure, dict)
    return sum(value for (_, indicator, _), (value, _) in figure.items() if indicator == 1001)


@pytest.mark.parametrize("steps", [[-2 * YEAR, 5 * YEAR, -3600], [12 * YEAR, -400, 400]])
def test_the_clock_is_set_while_it_runs(tmp_path: Path, steps: list[int]) -> None:
    """When the wall clock of the real process is set by years in either direction, it notices each
    step within seconds, goes on reading, saving and answering, and every line counts once (D-T2).
    """
    offset, lines = 0, 0
    set_clock(tmp_path, offset)
    with Serving(tmp_path, environment=under_clock(tmp_path)) as serving:
        for number, step in enumerate(steps):
            serving.add(6, at=time.time() + offset, first=lines)
            lines += 6
            serving.wait(serving.counted(lines))
            offset += step
            set_clock(tmp_path, offset)
            serving.wait(lambda seen=number + 1: len(serving.status()["clock"]["steps"]) == seen)  # type: ignore[misc]
            found = serving.status()["clock"]["steps"][-1]["seconds"]
            assert abs(found - step) <= 5
        serving.add(6, at=time.time() + offset, first=lines)
        lines += 6
        serving.wait(serving.counted(lines))
        assert serving.get("/api/v1/periods")[0] == 200
        code, seconds = serving.stop()
    assert code == 0, serving.text()
    assert seconds < 5
    found_figures = figures(serving.database)
    assert visits(found_figures) == lines // 3
    assert sum(row[1] + row[2] for row in found_figures["logs"].values()) == lines
    assert not serving.database.with_name("quarantine").exists()


def test_kills_while_the_hour_changes(tmp_path: Path) -> None:
    """Killed again and again while its clock passes the ends of hours, a day and a year, states and
    records are each line once (F36).
    """
    rng = random.Random(SEED)
    begin = 1_798_761_590  # ten seconds before the end of 2026
    lines = 0
    for number in range(4):
        set_clock(tmp_path, int(begin - time.time()) + number * 3600)
        with Serving(tmp_path, environment=under_clock(tmp_path)) as serving:
            serving.add(6, at=begin + number * 3600.0, first=lines)
            lines += 6
            serving.wait(serving.counted(lines))
            set_clock(tmp_path, int(begin - time.time()) + number * 3600 + 20)
            if rng.random() < 0.5:
                serving.wait(lambda: serving.metric("saves_total") > 0)
            serving.process.send_signal(signal.SIGKILL)
            serving.process.wait(20)
    with Serving(tmp_path, environment=under_clock(tmp_path)) as serving:
        serving.wait(serving.counted(lines))
        assert serving.status()["notes"] == []
        assert serving.stop()[0] == 0
    assert visits(figures(serving.database)) == lines // 3


def test_rolled_logs_deleted_by_a_jump(tmp_path: Path) -> None:
    """When the proxy deletes its rolled logs because the clock jumped ahead, what had been written
    to them is counted all the same: they are held open (D-T5, F24).
    """
    offset = 0
    set_clock(tmp_path, offset)
    with Serving(tmp_path, environment=under_clock(tmp_path)) as serving:
        serving.add(12)
        rolled = serving.log.with_name("caddy_access_logs-2026-06-14T10-00-00.000.json")
        serving.wait(serving.counted(12))
        serving.log.rename(rolled)
        with rolled.open("ab") as log:
            from tests.reliability.store_support import line

            log.write(line(time.time(), 12))
            set_clock(tmp_path, 3 * 86400)
        rolled.unlink()
        serving.add(11, at=time.time() + 3 * 86400, first=13)
        serving.wait(serving.counted(24))
        assert serving.status()["loss"] == {"bytes": 0, "atLeast": False, "logs": 0}
        assert serving.stop()[0] == 0
