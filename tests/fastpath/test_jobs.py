"""Counting with several processes gives what one gives."""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from engine.packages import parse_packages
from engine.replay import Replay
from engine.replay.workers import SMALL_BYTES
from engine.report import Report
from engine.store.database import MEMORY
from engine.store.store import Store
from tests.fastpath import lines, reference

NOW = 1781400000


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A log that is long enough for several processes: recorded, mutated and very long lines."""
    chance = random.Random(20260614)
    path = tmp_path_factory.mktemp("jobs") / "caddy_access_logs.json"
    plain = [lines.make_plain(chance) for _ in range(3000)]
    with path.open("wb") as file:
        file.write(plain[0] + b"\n")
        while file.tell() < SMALL_BYTES + 4 * 1024 * 1024:
            file.write(b"".join(line + b"\n" for line in chance.choices(plain, k=900)))
            file.write(b"".join(lines.make(chance) + b"\n" for _ in range(100)))
            if chance.random() < 0.2:
                file.write(lines.lengthened(plain[0], chance.randrange(1, 3_000_000)) + b"\n")
        file.write(b'{"level":"info","ts":178138')  # not finished yet
    return path


def test_number_of_processes_changes_nothing(log: Path) -> None:
    """One, two and four processes count a log alike, and as its lines count one by one."""
    packages = parse_packages(lines.PACKAGES.encode(), "packages.yml")
    found = []
    for jobs in (1, 2, 4):
        with Store.open(MEMORY, ZoneInfo("UTC")) as store:
            replay = Replay(store, packages, jobs=jobs, check_overlap=False)
            summary = replay.run([str(log)], NOW)
            report = Report(store.reader())
            figures = [report.aggregation(kind) for kind in "DWMY"]
            found.append((summary.fates, figures, summary.first_at, summary.last_at))
    assert found[0] == found[1]
    assert found[0] == found[2]
    content = log.read_bytes()
    slow = reference.count(content[: content.rindex(b"\n") + 1], packages)
    assert +Counter(found[0][0]) == slow.fates
