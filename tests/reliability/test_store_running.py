"""Damage that shows while `serve` runs: F21 while running."""

import os
import random
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from tests.reliability.serving import Serving
from tests.reliability.store_support import figures
from tests.reliability.test_store_disk import QUICK


def tells(serving: Serving) -> bool:
    """Ask for figures, as a dashboard does, and see whether the status tells of damage."""
    serving.get("/api/v1/aggregations/D")
    return any("damaged" in note for note in serving.status().get("notes", ()))


def test_a_file_that_is_removed_while_it_runs(tmp_path: Path) -> None:
    """When somebody removes the database under the running process, it is noticed at the next save,
    said, and the logs are counted into a new one.
    """
    with Serving(tmp_path, code=QUICK) as serving:
        serving.add(6)
        serving.wait(lambda: serving.metric("saves_total") > 0)
        serving.database.unlink()
        serving.add(6, first=6)
        serving.wait(lambda: tells(serving), 60)
        serving.wait(serving.counted(12))
        assert serving.stop()[0] == 0, serving.text()
    found = figures(serving.database)
    assert sum(row[1] + row[2] for row in found["logs"].values()) == 12


OFTEN = """
import sys
from engine.runtime import serve
serve.LOOK_SECONDS = 0.2
from offspot_metrics import main
sys.exit(main())
"""
"""The program that looks at once whether the figures can be read."""


def test_a_file_that_is_removed_is_missed_by_a_reader_first(tmp_path: Path) -> None:
    """The same when an answer notices it before a save is due: counting goes on, in a new one."""
    with Serving(tmp_path, code=OFTEN) as serving, ThreadPoolExecutor(8) as visitors:
        serving.add(6)
        serving.wait(serving.counted(6))
        serving.wait(lambda: serving.metric("saves_total") > 0)
        saves = serving.metric("saves_total")
        serving.database.unlink()

        def told() -> bool:
            list(visitors.map(serving.get, ["/api/v1/aggregations/D"] * 8))
            return tells(serving)

        serving.wait(told, 20)  # nothing has come that would be saved
        assert serving.metric("saves_total") in (saves, saves + 1)
        serving.add(6, first=6)
        serving.wait(lambda: serving.get("/api/v1/aggregations/D")[0] == 200)
        assert serving.stop()[0] == 0, serving.text()
        assert "Figures cannot be read: database" in serving.text()
        assert "Traceback" not in serving.text()
    found = figures(serving.database)
    assert sum(row[1] + row[2] for row in found["logs"].values()) == 12


def _link_to_the_moved(path: Path) -> None:
    path.rename(path.with_name("moved.db"))
    path.symlink_to("moved.db")


def _link_to_another(path: Path) -> None:
    path.unlink()
    path.symlink_to("/etc/passwd")


def _folder(path: Path) -> None:
    path.rename(path.with_name("moved.db"))
    path.mkdir()


def _pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def _foreign(path: Path) -> None:
    path.unlink()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE notes (text)")


@pytest.mark.parametrize("swap", [_link_to_the_moved, _link_to_another, _folder, _pipe, _foreign])
def test_a_file_that_is_swapped_while_it_runs(tmp_path: Path, swap: Callable[[Path], None]) -> None:
    """When a link, a folder, a pipe or a database of another program takes the place of ours,
    /health says that figures cannot be read; what stands there is set aside, nothing that was
    counted is lost, and figures are answered again (S35).
    """
    with Serving(tmp_path, code=OFTEN) as serving, ThreadPoolExecutor(8) as visitors:
        serving.add(6)
        serving.wait(serving.counted(6))
        serving.wait(lambda: serving.metric("saves_total") > 0)
        swap(serving.database)
        seen = set()

        def told() -> bool:
            list(visitors.map(serving.get, ["/api/v1/aggregations/D"] * 8))
            seen.add(serving.get("/health")[0])
            return tells(serving)

        serving.wait(told, 60)
        assert 503 in seen
        serving.log.unlink()
        serving.add(6, first=6)
        serving.wait(lambda: serving.get("/api/v1/aggregations/D")[0] == 200)
        serving.wait(lambda: serving.get("/health")[0] == 200)
        serving.wait(serving.counted(12))
        assert serving.stop()[0] == 0, serving.text()
        assert "Traceback" not in serving.text()
    assert Path("/etc/passwd").read_bytes().startswith(b"root:")
    found = figures(serving.database)
    assert sum(row[1] + row[2] for row in found["logs"].values()) == 12


def test_damage_while_it_runs(tmp_path: Path) -> None:
    """When the database breaks under the running process, it sets it aside, goes on from the best
    replacement, reads the logs from where that stands, answers again, and says so; at the end every
    line is there once (F21).
    """
    with Serving(tmp_path, code=QUICK) as serving:
        serving.add(60)
        serving.wait(serving.counted(60))
        serving.wait(lambda: serving.metric("saves_total") > 0)
        rng = random.Random(3)
        for suffix in ("-wal", ""):
            path = serving.database.with_name("metrics.db" + suffix)
            if path.exists():
                size = path.stat().st_size
                with path.open("r+b") as file:
                    file.seek(min(size, 4096))
                    file.write(rng.randbytes(max(0, size - 4096)))
        serving.add(60, first=60)
        serving.wait(lambda: tells(serving), 60)
        serving.wait(lambda: serving.get("/api/v1/aggregations/D")[0] == 200)
        serving.wait(lambda: serving.get("/health")[0] == 200)
        serving.add(6, first=120)
        serving.wait(lambda: serving.status()["lines"]["read"] >= 126)
        assert serving.stop()[0] == 0, serving.text()
    assert len(list(serving.database.parent.glob("quarantine/*/metrics.db"))) == 1
    found = figures(serving.database)
    assert sum(row[1] + row[2] for row in found["logs"].values()) == 126
    visits = sum(v for (_, indicator, _), (v, _) in found["figures"].items() if indicator == 1001)
    assert visits == 42
