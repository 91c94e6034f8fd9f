"""Several processes read hardly more than one does, and one hardly more than there is to read."""

from __future__ import annotations

import random
import re
from itertools import islice
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from engine.packages import parse_packages
from engine.replay import Replay, Summary
from engine.replay.workers import RANGE_BYTES, SMALL_BYTES
from engine.store.database import MEMORY
from engine.store.store import Store
from tests.fastpath import lines
from tests.reliability.store_support import HOUR

NOW = HOUR + 1_000_000
LOG_BYTES = 350_000
OVERHEAD_BYTES = 500_000  # for each log in a file: to recognise it, and to look for the next one
LINE = lines.make_plain(random.Random(7)) + b"\n"


def make_log(number: int, size: int = LOG_BYTES) -> bytes:
    """A log like no other one."""
    times = (f'"ts":{HOUR + 1000 * number + each // 10}.{each:06}' for each in range(size))
    made = (re.sub(rb'"ts":[\d.]+', time.encode(), LINE) for time in times)
    return b"".join(islice(made, size // len(LINE) + 1))


def bytes_read() -> int:
    """What this process and those of its children that have ended have read so far."""
    fields = dict(row.split(": ") for row in Path("/proc/self/io").read_text().splitlines())
    return int(fields["rchar"])


def work(jobs: int, path: Path, before: list[Path]) -> tuple[int, Summary]:
    """Bytes read to count a file, when others were counted before."""
    packages = parse_packages(lines.PACKAGES.encode(), "packages.yml")
    with Store.open(MEMORY, ZoneInfo("UTC")) as store:
        Replay(store, packages, check_overlap=False).run([str(path) for path in before], NOW)
        read = bytes_read()
        summary = Replay(store, packages, jobs=jobs, check_overlap=False).run([str(path)], NOW)
        return bytes_read() - read, summary


def shape(name: str, folder: Path) -> tuple[Path, list[Path], int]:
    """A file, those that are counted before it, and how many lines are new."""
    path = folder / f"{name}.json"
    if name == "copies of one log":
        log = make_log(1)
        path.write_bytes(130 * log)
        return path, [], log.count(b"\n")
    logs = [make_log(number) for number in range(80)]
    known = [log[: log.find(b"\n", len(log) // 2) + 1] for log in logs] if "half" in name else logs
    earlier = [folder / f"{name} {number}.json" for number in range(len(known))]
    for place, content in zip(earlier, known, strict=True):
        place.write_bytes(content)
    random.Random(name).shuffle(logs)
    path.write_bytes(b"".join(logs))
    new = b"".join(logs).count(b"\n") - b"".join(known).count(b"\n")
    return path, earlier, new


@pytest.mark.parametrize("name", ["copies of one log", "known logs", "half known logs"])
def test_no_more_is_read_by_several_processes(tmp_path: Path, name: str) -> None:
    """Where one log follows another, what is read ahead would be read in vain."""
    path, before, new = shape(name, tmp_path)
    size, number = path.stat().st_size, 130 if "copies" in name else 80
    assert size > SMALL_BYTES + 2 * RANGE_BYTES
    alone, summary = work(1, path, before)
    assert summary.fates.total() == new
    assert alone < 2 * size + number * OVERHEAD_BYTES
    together, summary = work(2, path, before)
    assert summary.fates.total() == new
    assert together < 1.1 * alone + 2 * RANGE_BYTES


def test_one_log_is_read_once(tmp_path: Path) -> None:
    """Whether by one process or by two."""
    path = tmp_path / "log.json"
    path.write_bytes(make_log(1, SMALL_BYTES + 8 * RANGE_BYTES))
    for jobs in (1, 2):
        read, summary = work(jobs, path, [])
        assert summary.fates.total() == path.read_bytes().count(b"\n")
        assert read < path.stat().st_size + 3 * RANGE_BYTES
