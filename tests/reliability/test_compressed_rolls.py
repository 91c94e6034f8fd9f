"""Caddy's default: rolls are compressed, and the plain ones deleted. Each line counts once."""

from __future__ import annotations

import contextlib
import gzip
import itertools
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.sources.log_file import log_file_id
from tests.reliability.serving import Serving
from tests.reliability.test_many_rolls import HOME, UNKNOWN, line

ROLL = "caddy_access_logs-2026-06-14T10-00-00.000.json"
LINES = 10


def roll_and_compress(serve: Serving) -> Path:
    """What Caddy does: rename, compress, delete the plain one. Where the compressed one is."""
    roll = serve.logs / ROLL
    serve.log.rename(roll)
    serve.log.write_bytes(line(LINES + 1, HOME))
    packed = serve.logs / f"{ROLL}.gz"
    packed.write_bytes(gzip.compress(roll.read_bytes()))
    roll.unlink()
    return packed


def held_open(serve: Serving, name: str) -> bool:
    """Whether the process has a file of this name open."""
    links: Iterator[Path] = Path(f"/proc/{serve.process.pid}/fd").iterdir()
    found = []
    for link in links:
        try:
            found.append(link.readlink().name)
        except OSError:
            continue
    return any(text.startswith(f"{name} (deleted)") for text in found)


def remembered(folder: Path) -> bool:
    """Whether the database has the log that was rolled."""
    with contextlib.closing(sqlite3.connect(folder / "data" / "metrics.db")) as database:
        asked = "SELECT count(*) FROM log_file WHERE id = ?"
        found = database.execute(asked, (log_file_id(line(0, UNKNOWN)),)).fetchone()
        return bool(found[0])


def save(serve: Serving, number: int) -> None:
    """One more line that counts, and a save behind it."""
    saves = serve.metric("saves_total")
    with serve.log.open("ab", buffering=0) as log:
        log.write(line(number, HOME))
    # A rotation is saved at once.
    serve.log.rename(serve.logs / f"caddy_access_logs-{number}.json")
    serve.log.write_bytes(line(number + 1, HOME))
    serve.wait(lambda: serve.metric("saves_total") > saves)


@pytest.mark.timeout(120)
def test_lines_that_do_not_count_are_read_once_from_a_compressed_roll(tmp_path: Path) -> None:
    """A roll without a line that counts is compressed and deleted: its lines are counted once,
    also when the compressed one changes while `serve` runs, and after a restart. Once the
    compressed one is gone too, the log is forgotten.
    """
    with Serving(tmp_path) as serve:
        serve.log.write_bytes(b"".join(line(n, UNKNOWN) for n in range(LINES)))
        serve.wait(serve.counted(LINES))
        packed = roll_and_compress(serve)
        serve.wait(serve.counted(LINES + 1))
        serve.wait(lambda: not held_open(serve, ROLL), 40)
        save(serve, LINES + 2)
        serve.wait(serve.counted(LINES + 3))
        packed.chmod(0o600)  # which makes it read again
        save(serve, LINES + 4)
        serve.wait(serve.counted(LINES + 5))
        assert serve.stop()[0] == 0
    assert remembered(tmp_path)
    with Serving(tmp_path) as serve:
        save(serve, LINES + 6)
        assert serve.status()["lines"]["unmatched"] == LINES
        assert serve.status()["lines"]["read"] == LINES + 7
        packed.unlink()
        numbers = itertools.count(LINES + 8, 2)

        def forgotten() -> bool:
            save(serve, next(numbers))
            return not remembered(tmp_path)

        serve.wait(forgotten)
        assert serve.status()["lines"]["unmatched"] == LINES
