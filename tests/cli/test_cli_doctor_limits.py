"""What `doctor` says of a setup with a small fault, on both sides of each limit."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from engine.doctor import examine
from engine.doctor.model import Check, Examination
from engine.settings import Config
from engine.store.lock import Lock
from engine.store.store import Store
from engine.text import duration
from engine.times import load_zone
from tests.cli.cases import NOBODY, PACKAGES, Program, SetUp, invoke, lines, visits

NOW = 1_781_433_000
"""2026-06-14 10:30 UTC: a moment after the last of the thirty visits."""
NEWEST = NOW - 60 + 629 * 7 % 60
"""When that was."""
DAY = 86_400
MEGABYTE = 1 << 20


@pytest.fixture
def config(setup: SetUp) -> Config:
    """A setup whose thirty visits have been counted and saved, just now."""
    log = setup.logs / "caddy_access_logs.json"
    assert invoke("replay", "-q", *setup.options[:2], *setup.options[4:], log).code == 0
    with closing(Store.open(setup.database)) as store:
        store.put("saved_at", NOW)
    return Config(packages=setup.packages, database=setup.database, logs=setup.logs, reader="tail")


def looked_at(config: Config, now: int = NOW) -> Examination:
    return examine(config, 0, now)


def check_of(config: Config, name: str, now: int = NOW) -> Check:
    [found] = [check for check in looked_at(config, now).checks if check.name == name]
    return found


# The database


@pytest.mark.parametrize(
    ("after", "running", "state", "said"),
    [
        (900, True, "ok", "saved 15 min ago"),
        (901, True, "warning", "saved 15 min 1 s ago"),
        (DAY, False, "ok", "saved 1 d ago"),
        (-3600, True, "ok", "saved 1 h in the future"),
        (-3601, False, "warning", "saved 1 h in the future"),
    ],
)
def test_a_save_that_is_late_or_ahead(
    config: Config, after: int, state: str, said: str, *, running: bool
) -> None:
    """A quarter of an hour without a save is late while serve runs; one more than an hour ahead
    tells of a clock that was wrong.
    """
    lock = Lock(config.database) if running else None
    check = check_of(config, "database", NOW + after)
    if lock is not None:
        lock.release()
    assert (check.state.value, said in check.text) == (state, True), check.text
    assert bool(check.hint) is (state == "warning")


def test_stretches_of_time() -> None:
    """The two largest units, of which the second is left out when it is none."""
    assert [duration(s) for s in (0, 59, 60, 61, 3599)] == [
        *("0 s", "59 s", "1 min", "1 min 1 s", "59 min 59 s")
    ]
    assert [duration(s) for s in (3600, 3659, 3660, DAY - 1)] == [
        *("1 h", "1 h", "1 h 1 min", "23 h 59 min")
    ]
    assert [duration(s) for s in (DAY, DAY + 3599, DAY + 3600, 40 * DAY)] == [
        *("1 d", "1 d", "1 d 1 h", "40 d")
    ]


def test_how_much_of_a_log_is_counted(config: Config) -> None:
    """To its end, to a byte, or nothing of it."""
    log = config.logs / "caddy_access_logs.json"
    size = log.stat().st_size
    assert check_of(config, "database").details[1:] == (f"{log.name}: counted to its end",)
    with log.open("ab") as more:
        more.write(visits(700, 1))
    (config.logs / "caddy_access_logs-1.json").write_bytes(visits(100, 2))
    os.utime(log, (NOW, NOW))
    assert set(check_of(config, "database").details[1:]) == {
        f"{log.name}: counted up to byte {size:,} of {log.stat().st_size:,}",
        "caddy_access_logs-1.json: nothing of it has been counted",
    }


def test_no_line_has_counted_yet(config: Config) -> None:
    """Read, and none of a package: the way out names the checks that tell why."""
    config.database.unlink()
    log = config.logs / "caddy_access_logs.json"
    log.write_bytes(lines(*["2026-06-14T10:00:00Z GET other.box/ 200"] * 5))
    options = ["--packages", config.packages, "--database", config.database]
    assert invoke("replay", "-q", *options, log).code == 0
    check = check_of(config, "database")
    assert check.state.value == "warning"
    assert "no line has counted yet" in check.text
    assert "the checks of the logs show why" in check.hint


@pytest.fixture
def disk(config: Config) -> Iterator[Config]:
    """The database on a file system in memory of 40 MiB."""
    if os.geteuid() != 0:
        pytest.skip("mounting takes root")
    folder = config.database.parent / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=40m", "tmpfs", str(folder)]
    if subprocess.run(command, check=False).returncode:
        pytest.skip("no file system can be mounted here")
    try:
        moved = replace(config, database=folder / config.database.name)
        moved.database.write_bytes(config.database.read_bytes())
        yield moved
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


@pytest.mark.parametrize(("more", "state"), [(0, "ok"), (4096, "problem")])
def test_a_disk_that_is_nearly_full(disk: Config, more: int, state: str) -> None:
    """With less than 16 MiB left it is a problem, and said with what is left."""
    folder = disk.database.parent
    found = os.statvfs(folder)
    with (folder / "ballast").open("wb") as ballast:
        ballast.write(bytes(found.f_bavail * found.f_frsize - 16 * MEGABYTE + more))
    check = check_of(disk, "database")
    assert check.state.value == state
    if more:
        assert f"is nearly full: {16 * MEGABYTE - more:,} bytes are left" in check.text


def test_a_folder_that_this_user_may_not_write_in(program: Program, setup: SetUp) -> None:
    """There is no database yet, and serve could not make one."""
    result = program.run("doctor", *setup.options, user=NOBODY)
    assert re.search(r"metrics\.db does not exist, and this\s+user may not write in", result.out)
    assert f"this is uid {NOBODY}" in " ".join(result.out.split())


# Clock and zone


def test_steps_of_the_clock(config: Config) -> None:
    """The newest three, oldest first, each with its direction; one of more than a day is warned
    of, as long as it is among them.
    """
    steps = [(NOW - 500, DAY + 1), (NOW - 400, -DAY), (NOW - 300, 7200), (NOW - 200, 61)]
    with closing(Store.open(config.database)) as store:
        for at, step in steps:
            store.add_clock_epoch("boot", at, step, None)
    check = check_of(config, "clock")
    assert [text for text in check.details if text.startswith("set ")] == [
        "set back by 1 d, to 2026-06-14 10:23 UTC",
        "set forward by 2 h, to 2026-06-14 10:25 UTC",
        "set forward by 1 min 1 s, to 2026-06-14 10:26 UTC",
    ]
    assert check.state.value != "warning"
    with closing(Store.open(config.database)) as store:
        store.add_clock_epoch("boot", NOW - 100, -DAY - 1, None)
    check = check_of(config, "clock")
    assert check.state.value == "warning"
    assert "set the clock right after each start" in check.hint


@pytest.mark.parametrize(
    ("step", "text"),
    [
        (200 * DAY - 1, "forward by 200 d"),
        (-200 * DAY - 29, "back by 200 d"),
        (-200 * DAY - 3600, "back by 200 d 1 h"),
        (3599, "forward by 59 min 59 s"),
        (3600 - 7230, "back by 1 h 1 min"),
    ],
)
def test_a_step_is_told_as_the_verdict_tells_it(config: Config, step: int, text: str) -> None:
    """From an hour on to the nearest minute: what sets a clock takes a second more or less."""
    with closing(Store.open(config.database)) as store:
        store.add_clock_epoch("boot", NOW - 200, step, None)
    [told] = [told for told in check_of(config, "clock").details if told.startswith("set ")]
    assert told.startswith(f"set {text}, to ")


def test_another_zone_than_that_of_the_database(config: Config) -> None:
    """What serve will do with it is said; with the same one nothing is."""
    names = [check.name for check in looked_at(replace(config, timezone=load_zone("UTC"))).checks]
    assert "time zone" not in names
    check = check_of(replace(config, timezone=load_zone("Asia/Kathmandu")), "time zone")
    assert check.text == "Asia/Kathmandu is configured, the database has UTC"
    assert "recompute days, weeks, months and years" in check.hint


# Lines and logs


@pytest.mark.parametrize(
    ("after", "state", "said"),
    [
        (-DAY, "ok", ""),
        (-DAY - 1, "warning", "the proxy's clock is ahead"),
        (7 * DAY, "ok", ""),
        (7 * DAY + 1, "note", "check that the proxy still writes to this folder"),
    ],
)
def test_newest_lines_that_are_ahead_or_old(
    config: Config, after: int, state: str, said: str
) -> None:
    """By more than a day ahead of this clock, or by more than a week behind it."""
    check = check_of(config, "newest lines", NEWEST + after)
    assert (check.state.value, check.hint.startswith(said)) == (state, True), check
    assert bool(check.hint) is (state != "ok")


def test_of_a_long_log_only_whole_lines_are_looked_at(config: Config) -> None:
    """The last two megabytes of a log may begin within a line: that one is not judged."""
    [plain] = lines("2026-06-14T10:00:00Z GET lib.box/content/bees_en/ 200").splitlines()
    long = plain.replace(b'"headers"', b'"pad":"' + b"x" * 600_000 + b'","headers"', 1) + b"\n"
    assert len(long) > 600_000
    (config.logs / "caddy_access_logs.json").write_bytes(long * 5)
    found = looked_at(config)
    assert found.reasons == {}
    assert 2 <= found.looked_at == found.counted < 5


def test_the_newest_log_is_the_one_written_last(config: Config) -> None:
    """Whatever the names: its lines are the newest ones."""
    old = config.logs / "caddy_access_logs.json"
    new = config.logs / "caddy_access_logs-0.json"
    new.write_bytes(visits(100, 2))
    for path, at in ((old, NOW - 100), (new, NOW)):
        os.utime(path, (at, at))
    assert check_of(config, "log folder").text.endswith("newest caddy_access_logs-0.json")
    [*_, last] = examine(config, 32, NOW).lines
    assert last.file == "caddy_access_logs-0.json"
    os.utime(old, (NOW + 100, NOW + 100))
    assert check_of(config, "log folder").text.endswith("newest caddy_access_logs.json")


def test_what_is_refused_is_named_up_to_fifty(config: Config) -> None:
    """Of sixty links the first fifty."""
    for number in range(60):
        (config.logs / f"caddy_access_logs-{number:02}.json").symlink_to("/dev/null")
    check = check_of(config, "log folder")
    named = [text for text in check.details if "symbolic link" in text]
    assert len(named) == 50
    assert "caddy_access_logs-00.json" in named[0]
    assert check.state.value == "warning"


# Packages and reader


def test_ten_hosts_of_the_packages_are_listed(config: Config) -> None:
    """Their number is that of all, with the three of the other packages."""
    more = "".join(f'  - {{kind: files, title: F{n}, url: "//f{n}.box/"}}\n' for n in range(10, 20))
    config.packages.write_text(PACKAGES + more)
    [details] = check_of(config, "packages file").details
    assert "13 hosts: " in details
    assert details.endswith(
        "share.box, f10.box, f11.box, f12.box, f13.box, f14.box, f15.box, f16.box"
    )


@pytest.mark.parametrize(("asked", "state"), [(True, "problem"), (False, "warning")])
def test_a_filebeat_that_fails(
    config: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, state: str, *, asked: bool
) -> None:
    """Of one that ends with an error what it said; where it was not asked for, a warning."""
    program = tmp_path / "filebeat"
    program.write_text("#!/bin/sh\necho no such machine >&2\nexit 3\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    check = check_of(
        replace(config, reader="auto", filebeat=str(program) if asked else ""), "reader"
    )
    assert check.state.value == state
    assert "does not run: it exited with 3: no such machine" in check.text
