"""The recorded week, and the demo that moves it to the present."""

from __future__ import annotations

import gzip
import json
import time
from pathlib import Path

import pytest
import yaml

from tools import demo, school_week

SAMPLES = demo.SAMPLES
WEEK = demo.read_week(SAMPLES / "week")
TIMES = [demo.whole_seconds(line) for _, lines in WEEK for line in lines]
HOUR = 3600


def test_week_is_the_schools() -> None:
    """The packages file is the school's, every package is used, and every day has lines."""
    document = yaml.safe_load((SAMPLES / "packages.yml").read_text(encoding="utf-8"))
    assert document["metadata"] == {"name": school_week.SITE_NAME, "fqdn": school_week.FQDN}
    urls = [package.url for package in school_week.PACKAGES]
    assert [entry["url"] for entry in document["packages"]] == urls
    hosts, days = set(), set()
    for _, lines in WEEK:
        for line in lines:
            entry = json.loads(line)
            assert entry["msg"] == "handled request"
            hosts.add(entry["request"]["host"].lower().removesuffix(":80"))
            days.add(time.strftime("%Y-%m-%d", time.gmtime(entry["ts"])))
    assert hosts >= {package.host for package in school_week.PACKAGES}
    assert len(days) == 7


def test_week_fits_the_repository() -> None:
    """All samples together stay under 900 kB."""
    assert sum(path.stat().st_size for path in SAMPLES.rglob("*.gz")) < 900_000


def test_each_minute_with_power_has_a_line_and_no_other() -> None:
    """Somebody is connected as long as the hotspot is on: nights and the power cut are gaps."""
    minutes = {
        minute
        for on, off in school_week.hours_of_power()
        for minute in range(int(on.timestamp()) // 60, int(off.timestamp()) // 60)
    }
    assert {at // 60 for at in TIMES} == minutes
    cut, back = (int(moment.timestamp()) // 60 for moment in school_week.POWER_CUT)
    assert {cut - 1, back} <= minutes
    assert minutes.isdisjoint(range(cut, back))


def test_shift_changes_nothing_but_whole_seconds() -> None:
    """A moved line is the recorded one, byte by byte, but for the seconds of its time."""
    line = WEEK[0][1][0]
    moved = demo.shifted(line, 86_400)
    assert demo.whole_seconds(moved) == demo.whole_seconds(line) + 86_400
    assert demo.shifted(moved, -86_400) == line


MIDNIGHT = 1_800_057_600
"""Of a day in UTC."""


@pytest.mark.parametrize("ahead_of_utc", [0, 5 * HOUR + HOUR // 2, -10 * HOUR])
@pytest.mark.parametrize("hour", [0, 6, 9, 12, 17, 20, 23])
def test_demo_logs_end_now_at_any_time_of_day(tmp_path: Path, hour: int, ahead_of_utc: int) -> None:
    """By day the last recorded day is today at its own hours; at night the week ends now."""
    now = MIDNIGHT + hour * HOUR - ahead_of_utc
    logs = tmp_path / "logs"
    count = demo.write_logs(WEEK, logs, now, ahead_of_utc)
    paths = sorted(logs.iterdir(), key=lambda path: (path.name == demo.CURRENT, path.name))
    names = [path.name for path in paths]
    assert names[-1] == demo.CURRENT
    assert all(name.startswith("caddy_access_logs") and name.endswith(".json") for name in names)
    written = [line for path in paths for line in path.read_bytes().split(b"\n")[:-1]]
    assert len(written) == count
    times = [demo.whole_seconds(line) for line in written]
    moved, newest = times[0] - TIMES[0], max(times)
    assert times == [at + moved for at in TIMES if at + moved <= now]
    if hour < 8:
        assert newest == now
        assert count == len(TIMES)
    else:
        assert (moved + ahead_of_utc) % demo.DAY_SECONDS == 0
        assert now - newest <= 60 or hour > 17


@pytest.mark.dated
def test_demo_adds_lines_of_this_moment() -> None:
    """What is added while the demo runs is a line of the sample, written now."""
    added = demo.lines_to_add(WEEK)
    for _ in range(3):
        before = int(time.time())
        line = next(added)
        assert before <= demo.whole_seconds(line) <= int(time.time())
        assert line.endswith(b"}\n")


@pytest.mark.parametrize(
    ("name", "lines"),
    [("caddy-2.6.2.json.gz", 3000), ("caddy-2.11.json.gz", 1001)],
)
def test_other_samples_are_whole(name: str, lines: int) -> None:
    """The shorter recordings have all their lines, each of them JSON."""
    content = gzip.decompress((SAMPLES / name).read_bytes()).split(b"\n")[:-1]
    assert len([json.loads(line) for line in content]) == lines
