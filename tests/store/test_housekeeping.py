"""Backups, purges and what is forgotten: when they are due, and what they may never take."""

import contextlib
import gzip
import sqlite3
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from engine.runtime.counting import CountingLoop
from engine.runtime.ticker import Tick
from engine.sources.log_file import LogFile
from engine.sources.model import Message
from engine.sources.requests import Requests
from engine.sources.tail.source import Tail
from engine.store import migrations
from engine.store.repair import backup, check
from engine.store.store import Store
from engine.times import day_start, load_zone
from tests.reliability import store_support as support
from tests.reliability.store_support import HOUR, UTC
from tests.reliability.test_store_kill import _old_database

DAY = 86_400


class Running:
    """Counting that runs for hours, by ticks of a minute."""

    def __init__(self, folder: Path, zone: str = "UTC", now: int = HOUR) -> None:
        self.folder = folder
        self.store = Store.open(folder / "metrics.db", load_zone(zone))
        self.now = now
        self.counting: CountingLoop
        self.start()

    def start(self) -> None:
        """A start of counting, by what the database says."""
        self.counting = support.make_counting(self.store, self.folder)
        self.counting.begin(self.now)

    def restart(self) -> None:
        """A graceful stop and a start."""
        assert self.counting.save(at=self.now, last=True)
        self.start()

    def run(self, minutes: int) -> None:
        """Minutes pass."""
        for _ in range(minutes):
            self.now += 60
            self.counting.tick(Tick(self.now, 0, on=True, elapsed=60.0))

    def set_clock(self, step: int) -> None:
        """A minute in which the clock is set."""
        self.now += 60 + step
        self.counting.tick(Tick(self.now, step, on=True, elapsed=60.0))

    def backups(self) -> list[int]:
        """The backups that there are, the newest first, by their inodes."""
        return [path.stat().st_ino for path in backup.backups_of(self.store.path)]


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Running]:
    made = Running(tmp_path)
    yield made
    made.store.close()


# Backups


def test_a_backup_after_an_hour_and_then_each_day(running: Running) -> None:
    """The first backup is made after one hour of running, the next ones after 24 hours each; two
    are kept, both valid, and the newest has what had been saved by then.
    """
    running.run(59)
    assert running.backups() == []
    running.run(1)
    first = running.backups()
    assert len(first) == 1
    running.run(23 * 60)
    assert running.backups() == first
    running.run(60)
    second = running.backups()
    assert len(second) == 2
    assert second[1] == first[0]
    running.run(24 * 60)
    third = running.backups()
    assert third[1] == second[0] != third[0]
    newest, older = backup.backups_of(running.store.path)
    for path, hours in ((newest, 49), (older, 25)):
        assert check.problems_in(path, "mode=ro&immutable=1") == []
        with contextlib.closing(sqlite3.connect(path)) as connection:
            found = connection.execute("SELECT count(*) FROM record WHERE indicator_id = 1004")
            assert found.fetchone()[0] == hours


def test_a_day_of_running_is_added_up_over_restarts(running: Running) -> None:
    """Whoever turns the hotspot off each evening has a backup too: hours of running count."""
    running.run(60)
    first = running.backups()
    for _ in range(3):
        running.run(7 * 60)
        running.restart()
    assert running.backups() == first
    running.run(3 * 60)
    assert len(running.backups()) == 2


def test_no_clock_makes_a_backup(running: Running) -> None:
    """A clock that is set by a year makes no backup, and does not put one off."""
    running.run(60)
    first = running.backups()
    running.set_clock(365 * DAY)
    running.run(60)
    running.set_clock(-365 * DAY)
    running.run(60)
    assert running.backups() == first
    running.run(22 * 60)
    assert len(running.backups()) == 2


def test_a_backup_is_verified_before_it_is_used(tmp_path: Path) -> None:
    """When the newest backup has a changed digit, the one before it is brought back."""
    path = tmp_path / "metrics.db"
    store = Store.open(path, UTC)
    for _ in range(2):
        store.commit({(HOUR, 1001, "Bees"): 1})
        store.back_up()
    store.close()
    with contextlib.closing(sqlite3.connect(backup.newest_path(path))) as connection:
        connection.execute("UPDATE record SET value = 7")
        connection.commit()
    path.unlink()
    with contextlib.closing(Store.open(path, repair_at=HOUR)) as store:
        assert "newest backup is used" in store.repairs[0]
        assert store.connection.execute("SELECT value FROM record").fetchall() == [(1,)]
        assert store.problems() == []


def test_a_backup_before_a_migration(tmp_path: Path) -> None:
    """Before an older schema is changed, the database is backed up as it is."""
    _old_database(tmp_path)
    path = tmp_path / "metrics.db"
    with contextlib.closing(sqlite3.connect(path)) as connection:
        before = connection.execute("SELECT * FROM record").fetchall()
    Store.open(path).close()
    with contextlib.closing(sqlite3.connect(path)) as connection:
        assert migrations.version_of(connection) > 1
    with contextlib.closing(sqlite3.connect(backup.newest_path(path))) as connection:
        assert migrations.version_of(connection) == 1
        assert connection.execute("SELECT * FROM record").fetchall() == before
    Store.open(path).close()
    assert not backup.older_path(path).exists(), "nothing was left to migrate"


def test_lines_are_doubted_until_the_next_backup(running: Running) -> None:
    """While positions may be missing, that is remembered over restarts; the next backup, which has
    them all, ends it.
    """
    running.store.put("unknown_until", HOUR)
    running.run(59)
    running.restart()
    assert running.store.get("unknown_until") == HOUR
    running.run(1)
    assert running.backups()
    assert running.store.get("unknown_until") == 0


# Purges


@pytest.mark.parametrize(
    ("zone", "boundary"), [("UTC", 1_735_689_600), ("Europe/Paris", 1_735_686_000)]
)
def test_the_present_and_the_previous_year_are_kept(
    tmp_path: Path, zone: str, boundary: int
) -> None:
    """After a day of steady running in June 2026, records from the first hour of 2025 on are kept,
    by the calendar of the zone, and those before it are gone; the sums of their year stay.
    """
    running = Running(tmp_path, zone)
    for hour in (boundary - 3600, boundary):
        running.store.commit({(hour, 1001, "Bees"): 2})
    running.run(24 * 60 - 1)
    assert running.store.reader().record_hours()[:2] == [boundary - 3600, boundary]
    running.run(60)
    assert running.store.reader().record_hours()[0] == boundary
    years = running.store.connection.execute(
        "SELECT agg_value, value FROM total WHERE agg_kind = 'Y' AND indicator_id = 1001"
    ).fetchall()
    assert years == [("2024", 2), ("2025", 2)]
    assert running.store.problems() == []
    running.store.close()


@pytest.mark.parametrize(("years", "first"), [(1, 2026), (2, 2025), (4, 2023), (100, 2022)])
def test_as_many_years_are_kept_as_are_wanted(tmp_path: Path, years: int, first: int) -> None:
    """One is the present year alone."""
    running = Running(tmp_path)
    begins = {year: day_start(date(year, 1, 1), UTC) for year in range(2022, 2027)}
    for begin in begins.values():
        running.store.commit({(begin, 1001, "Bees"): 2})
    status = running.counting.status
    status.config = replace(status.config, retention_years=years)
    running.run(24 * 60)
    kept = [hour for hour in running.store.reader().record_hours() if hour in begins.values()]
    assert kept == [begin for year, begin in begins.items() if year >= first]
    running.store.close()


@pytest.mark.parametrize(
    ("off", "kept"),
    [(0, True), (31 * DAY, True), (31 * DAY + 1, False), (-3600, True), (-3601, False)],
)
def test_a_jump_while_off_ends_the_steady_time(running: Running, off: int, *, kept: bool) -> None:
    """The steady time goes on over a stop of up to 31 days; when the clock is further ahead, or
    more than an hour back, it begins again, and the step is noted.
    """
    running.run(300)
    assert running.counting.save(at=running.now, last=True)
    running.now += off
    running.start()
    assert running.counting.status.steady_seconds == (300 * 60 if kept else 0)
    assert running.store.clock_steps() == ([] if kept else [(running.now, off)])
    assert list(running.counting.status.steps) == running.store.clock_steps()
    running.run(1)
    running.restart()
    assert running.counting.status.steady_seconds == (301 * 60 if kept else 60)


@pytest.mark.parametrize(("step", "kept"), [(3600, True), (3601, False), (-3601, False)])
def test_a_jump_while_on_ends_the_steady_time(running: Running, step: int, *, kept: bool) -> None:
    """A step of the clock by more than one hour, either way, begins the steady time again."""
    running.run(10)
    running.set_clock(step)
    assert running.counting.status.steady_seconds == (600 if kept else 0)


# Logs that are forgotten


def many_logs(count: int, begin: int = 0) -> list[LogFile]:
    """Logs that were counted to an end, and are gone."""
    found = []
    for number in range(begin, begin + count):
        log = LogFile(number.to_bytes(12, "big"))
        log.advance(100, b"x" * 100)
        log.fates["counted"] = 1
        found.append(log)
    return found


def test_five_thousand_logs_are_remembered(running: Running) -> None:
    """Of logs that are gone the newest 5,000 are remembered; the lines of the others stay counted
    in the sums.
    """
    logs = many_logs(5003)
    running.store.commit({}, logs[:3])
    running.store.commit({}, logs[3:])
    running.restart()
    running.run(60)
    assert set(running.store.log_files()) == {log.id for log in logs[3:]}
    assert set(running.counting.positions.log_files) == {log.id for log in logs[3:]}
    assert running.store.reader().fates()["counted"] == 5003


def test_two_hundred_logs_more_are_kept_until_the_hour_ends(running: Running) -> None:
    """A save within the hour forgets nothing while there are 5,200 logs, and with one more all but
    the newest 5,000: a visitor can make the proxy begin any number of them.
    """
    logs = many_logs(5200)
    running.store.commit({}, logs[:201])
    running.store.commit({}, logs[201:])
    running.restart()
    running.run(1)
    assert running.counting.save(at=HOUR)
    assert len(running.store.log_files()) == 5200
    running.counting.take(support.Log(1).block())
    assert running.counting.save(at=HOUR)
    kept = {log.id for log in logs[201:]} | {support.Log(1).block().log_id}
    assert set(running.store.log_files()) == kept
    assert set(running.counting.positions.log_files) == kept
    assert running.store.reader().fates()["counted"] == 5201


def test_a_log_that_is_there_is_never_forgotten(running: Running, tmp_path: Path) -> None:
    """However many logs came after them, the positions of a log and of a compressed roll that lie
    in the folder stay, so that neither is counted again.
    """
    folder = tmp_path / "logs"
    folder.mkdir()
    plain, roll = support.Log(1), support.Log(2)
    (folder / "caddy_access_logs.json").write_bytes(plain.content)
    (folder / "caddy_access_logs-1.json.gz").write_bytes(gzip.compress(roll.content))

    def read() -> None:
        counting = running.counting
        logs, requests = support.make_folder(counting, folder), Requests()
        messages: list[Message] = []
        source = Tail(logs, requests, messages.append)
        thread = threading.Thread(target=source.run, daemon=True)
        thread.start()
        support.wait_for(lambda: bool(logs.open_logs and logs.rolls.log_ids), 30)
        requests.stop()
        thread.join(30)
        for message in messages:
            counting.take(message)

    read()
    assert running.counting.save(at=HOUR)
    assert len(running.store.log_files()) == 2
    ids = {plain.block().log_id, roll.block().log_id}
    running.store.commit({}, many_logs(5205))
    running.restart()
    read()
    running.run(1)
    assert running.counting.save(at=HOUR), "more than 5,200: the oldest go at once"
    assert ids <= set(running.store.log_files())
    running.store.commit({}, many_logs(205, 5205))
    running.restart()
    read()
    running.run(60)
    assert ids <= set(running.store.log_files())
    running.restart()
    read()
    assert running.counting.status.fates["counted"] == 5410 + 2
