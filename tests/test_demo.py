"""The traffic of `demo`: lines that Caddy could have written, until now and from now on."""

from __future__ import annotations

import json
import re
from contextlib import closing
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from engine.demo.log_folder import CURRENT, KEPT_ROLLS, ROLL_BYTES, LogFolder
from engine.demo.recorded import DAY_SECONDS, Recorded, shifted, whole_seconds
from engine.demo.school import LEAST_TODAY, School, packages_file
from engine.inputs.caddy import parse_line
from engine.inputs.model import Request
from engine.packages import Packages, parse_packages
from tests.support.golden import replay
from tests.support.sizes import quick
from tests.support.week import week_files, week_lines

MIDNIGHT = 1_800_057_600
"""Of a day in UTC."""
HOUR = 3600
PACKAGES = parse_packages(packages_file(), "packages.yaml")
WEEK = week_lines()
TIMES = [whole_seconds(line) for line in WEEK]


def school(packages: Packages = PACKAGES, seed: int = 1, weeks: int = 2) -> School:
    return School(packages, seed, UTC, weeks)


# ------------------------------------------------------------------- a made-up school


def test_its_packages_file_is_valid() -> None:
    """The parser takes every entry, without a warning, and two kinds of sharing are among them."""
    assert not PACKAGES.warnings
    assert len(PACKAGES.entries) == 17
    assert len({entry.ident for entry in PACKAGES.entries}) == 3


def test_every_line_is_one_of_caddys() -> None:
    """The parser reads each, at its own time, and only what phones ask for is of no package."""
    kinds: set[tuple[str, int]] = set()
    for at, line in school().history(MIDNIGHT + 12 * HOUR):
        request = parse_line(line[:-1])
        assert isinstance(request, Request)
        assert request.at == pytest.approx(at, abs=1)
        is_known = PACKAGES.site(request.host) is not None
        assert is_known != (request.host == "connectivitycheck.gstatic.com")
        kinds.add((request.method, request.status))
    assert kinds == {("GET", 200), ("GET", 204), ("POST", 201), ("POST", 200), ("DELETE", 204)}


TIMES_OF_WEEK = [(day, hour) for day in range(7) for hour in (0, 3, 9, 20)]


@pytest.mark.parametrize(
    ("day", "hour"),
    # Each day and each hour, and the whole of the first day and of Sunday.
    quick(
        TIMES_OF_WEEK,
        *((d, h) for d, h in TIMES_OF_WEEK if d in (0, 6) or h == (0, 3, 9, 20)[d % 4]),
    ),
)
def test_history_ends_now_on_any_day_at_any_time(day: int, hour: int) -> None:
    """In order of time, with lines of the last minutes, hours of today, and weeks before."""
    now = MIDNIGHT + day * DAY_SECONDS + hour * HOUR + 50 * 60
    times = [at for at, _ in school().history(now)]
    assert all(before <= after for before, after in pairwise(times))
    assert now - 120 < times[-1] <= now
    today = MIDNIGHT + day * DAY_SECONDS
    begin = min(at for at in times if at >= today)
    assert begin - today < 8 * HOUR
    assert now - begin >= min(LEAST_TODAY, now - today) - 120
    days = {int(at) // DAY_SECONDS for at in times}
    assert min(days) <= now // DAY_SECONDS - 12
    assert len(days) in (13, 14), "Sundays are off"


def test_hours_are_those_of_the_zone() -> None:
    """School begins in the morning of the place that the days are of."""
    zone = ZoneInfo("Asia/Kolkata")
    now = MIDNIGHT + 12 * HOUR
    past = [at for at, _ in School(PACKAGES, 1, zone, 1).history(now) if at < now - 2 * DAY_SECONDS]
    hours = {datetime.fromtimestamp(at, zone).hour for at in past}
    assert hours <= set(range(7, 19))
    assert {9, 16} <= hours


def test_the_seed_makes_the_past() -> None:
    """The same past days for the same seed, whenever it is asked; another one for another."""
    begin, noon = MIDNIGHT - 5 * DAY_SECONDS, MIDNIGHT + 12 * HOUR
    past = [one for one in school().history(noon) if begin < one[0] < MIDNIGHT]
    later = [one for one in school().history(noon + HOUR) if begin < one[0] < MIDNIGHT]
    other = [one for one in school(seed=2).history(noon) if begin < one[0] < MIDNIGHT]
    assert past
    assert past == later
    assert past != other


def test_each_second_has_a_visit() -> None:
    """New ones begin, and those of the seconds before go on."""
    traffic, now = school(), MIDNIGHT
    homes, lines = 0, 0
    for second in range(now, now + 300):
        for line in traffic.lines_at(second):
            request = parse_line(line[:-1])
            assert isinstance(request, Request)
            assert int(request.at) == second
            lines += 1
            homes += request.method == "GET" and request.uri.endswith("/")
    assert homes > 250
    assert lines > 1.3 * 300


def test_other_packages_are_visited(tmp_path: Path) -> None:
    """Every one of any packages file, and each of its visits is counted."""
    path = tmp_path / "packages.yml"
    path.write_text(
        "packages:\n"
        '  - {kind: zim, title: A, url: "//box/kiwix/viewer#caf\u00e9 b_2026-01"}\n'
        '  - {kind: files, title: B, url: "//b\u00fccher.box:8080/"}\n'
        '  - {kind: app, title: C, url: "//c.box/"}\n'
    )
    packages = parse_packages(path.read_bytes(), "it")
    log = tmp_path / "log.json"
    log.write_bytes(b"".join(line for _, line in school(packages, weeks=1).history(MIDNIGHT)))
    figures = replay(["--packages", str(path), str(log)])
    year = next(period for period in figures["periods"] if period["aggKind"] == "Y")
    used = next(kpi["value"] for kpi in year["kpis"] if kpi["kpiId"] == 2003)
    assert {item["package"] for item in used["items"]} == {"A", "B", "C"}


# ------------------------------------------------------------------- recorded logs


def test_shift_changes_nothing_but_whole_seconds() -> None:
    """A moved line is the recorded one, byte by byte, but for the seconds of its time."""
    line = WEEK[0]
    moved = shifted(line, 86_400)
    assert whole_seconds(moved) == whole_seconds(line) + 86_400
    assert shifted(moved, -86_400) == line


@pytest.mark.parametrize("ahead_of_utc", [0, 5 * HOUR + HOUR // 2, -10 * HOUR])
@pytest.mark.parametrize("hour", [0, 6, 9, 12, 17, 20, 23])
def test_recorded_logs_end_now_at_any_time_of_day(hour: int, ahead_of_utc: int) -> None:
    """By day the last recorded day is today at its own hours; at night the week ends now."""
    now = MIDNIGHT + hour * HOUR - ahead_of_utc
    written = list(Recorded(WEEK, ahead_of_utc).history(now))
    times = [whole_seconds(line) for _, line in written]
    assert times == [at for at, _ in written]
    moved, newest = times[0] - TIMES[0], max(times)
    assert times == [at + moved for at in TIMES if at + moved <= now]
    if hour < 8:
        assert newest == now
        assert len(written) == len(TIMES)
    else:
        assert (moved + ahead_of_utc) % DAY_SECONDS == 0
        assert now - newest <= 60 or hour > 17


def test_files_are_read_in_any_order() -> None:
    """The oldest log comes first, whatever the names and their order; each keeps all its lines."""
    paths = [str(path) for path in week_files()]
    assert Recorded.read(paths[::-1], 0).lines == WEEK


@pytest.mark.parametrize("time", [b"5", b"99999999999.5", b"1781431200123", b"9" * 5000])
def test_a_line_of_an_impossible_time_moves_no_other(tmp_path: Path, time: bytes) -> None:
    """Such lines do not count, so they do not say when the others are."""
    odd = re.sub(rb'"ts":[0-9.]+', b'"ts":' + time, WEEK[0])
    path = tmp_path / "log.json"
    path.write_bytes(odd + b"".join(WEEK) + odd)
    assert Recorded.read([str(path)], 0).lines == WEEK


def test_recorded_lines_come_at_this_moment() -> None:
    """One each second, one after another, from the beginning again after the last one."""
    traffic = Recorded(WEEK[:2], 0)
    assert [traffic.lines_at(MIDNIGHT + second) for second in range(3)] == [
        [shifted(WEEK[place], MIDNIGHT + second - TIMES[place])]
        for second, place in enumerate((0, 1, 0))
    ]


# ------------------------------------------------------------------- the log


def test_the_log_is_rolled_as_caddy_rolls_it(tmp_path: Path) -> None:
    """At 1 MiB, with the time in its name; old rolls are removed, and no line is torn."""
    line = WEEK[0]
    many = ROLL_BYTES // len(line) + 2
    with closing(LogFolder(tmp_path)) as folder:
        assert folder.write_history((MIDNIGHT + n, line) for n in range(3 * many)) == 3 * many
        past = {path.name for path in tmp_path.iterdir()}
        for roll in range(2 * KEPT_ROLLS + 1):
            folder.write(MIDNIGHT + 9000 + roll, [line] * many)
    rolled = re.compile(r"caddy_access_logs-2027-01-16T0[01]-\d\d-\d\d\.000-size\.json")
    assert len(past) == 4
    assert all(rolled.fullmatch(name) for name in past - {CURRENT})
    rolls = {path.name for path in tmp_path.iterdir()} - past
    assert len(rolls) == KEPT_ROLLS
    for path in tmp_path.iterdir():
        content = path.read_bytes()
        assert set(content.split(b"\n")[:-1]) == {line[:-1]}
        assert path.name == CURRENT or len(content) >= ROLL_BYTES
        json.loads(content.split(b"\n")[0])
