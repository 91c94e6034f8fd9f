"""The recorded logs: whole, and the school's."""

from __future__ import annotations

import gzip
import json
import time

import pytest
import yaml

from engine.demo.recorded import whole_seconds
from tests.support.week import SAMPLES, week_lines
from tools import school_week

WEEK = week_lines()
TIMES = [whole_seconds(line) for line in WEEK]


def test_week_is_the_schools() -> None:
    """The packages file is the school's, every package is used, and every day has lines."""
    document = yaml.safe_load((SAMPLES / "packages.yml").read_text(encoding="utf-8"))
    assert document["metadata"] == {"name": school_week.SITE_NAME, "fqdn": school_week.FQDN}
    urls = [package.url for package in school_week.PACKAGES]
    assert [entry["url"] for entry in document["packages"]] == urls
    hosts, days = set(), set()
    for line in WEEK:
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


@pytest.mark.parametrize(
    ("name", "lines"),
    [("caddy-2.6.2.json.gz", 3000), ("caddy-2.11.json.gz", 1001)],
)
def test_other_samples_are_whole(name: str, lines: int) -> None:
    """The shorter recordings have all their lines, each of them JSON."""
    content = gzip.decompress((SAMPLES / name).read_bytes()).split(b"\n")[:-1]
    assert len([json.loads(line) for line in content]) == lines
