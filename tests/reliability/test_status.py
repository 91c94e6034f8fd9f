"""What the process says of itself: health, loss, and what it remembers of both over restarts."""

import contextlib
import signal
import sqlite3
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from weakref import WeakKeyDictionary

import pytest

from engine.runtime import clock
from engine.runtime.counting import CountingLoop
from engine.runtime.packages_file import PackagesFile
from engine.sources.model import Look, Lost
from engine.sources.tail.folder import LogFolder
from engine.store.store import Store
from tests.reliability import store_support as support
from tests.reliability.serving import Serving
from tests.reliability.store_support import HOUR, UTC, figures, line, minute


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with contextlib.closing(Store.open(tmp_path / "metrics.db", UTC)) as opened:
        yield opened


FOLDERS: WeakKeyDictionary[CountingLoop, LogFolder] = WeakKeyDictionary()
"""The folder that each is told of."""


def begin(store: Store, logs: Path, now: int = HOUR) -> CountingLoop:
    """Counting with a reader over a folder, as `serve` makes both."""
    counting = support.make_counting(store, store.path.parent)
    FOLDERS[counting] = support.make_folder(counting, logs)
    counting.status.look = Look(state="running")
    counting.begin(now)
    return counting


def read(counting: CountingLoop, now: float = 0.0) -> None:
    """One look into the folder, as the reader does it."""
    support.look_and_read(counting, FOLDERS[counting], now)
    for message in FOLDERS[counting].missed():
        counting.take(message)
    support.note_look(counting, FOLDERS[counting])


@pytest.fixture
def logs(tmp_path: Path) -> Path:
    folder = tmp_path / "logs"
    folder.mkdir()
    (folder / "caddy_access_logs.json").write_bytes(line(HOUR, 0) + line(HOUR + 1, 1))
    return folder


# Health


def test_health_tells_of_a_late_save(store: Store, logs: Path) -> None:
    """It is healthy while what waits is younger than three minutes, and not when it is older,
    whatever the reason, until it is saved.
    """
    counting = begin(store, logs)
    read(counting)
    assert counting.save(at=HOUR)
    status = counting.status
    counting.take(support.Log(2).block())
    assert status.health() == []
    status.unsaved_since = clock.monotonic() - 178
    assert status.health() == []
    status.unsaved_since = clock.monotonic() - 182
    [reason] = status.health()
    assert reason.startswith("nothing was saved for 3 min")
    assert counting.save(at=HOUR)
    assert status.health() == []


def test_health_tells_of_a_save_that_fails(store: Store, logs: Path) -> None:
    """While saves fail it is not healthy, and says why; with the next one that lands it is."""
    counting = begin(store, logs)
    read(counting)
    assert counting.save(at=HOUR)
    store.shorten_timeouts()
    counting.take(support.Log(2).block())
    with contextlib.closing(sqlite3.connect(store.path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        assert not counting.save(at=HOUR + 1)
        [reason] = counting.status.health()
        assert reason.startswith("saving fails: ")
        assert "locked" in reason
    assert counting.save(at=HOUR + 2)
    assert counting.status.health() == []


def test_uptime_that_waits_is_no_late_save(store: Store, logs: Path) -> None:
    """Minutes of uptime alone may wait for ten minutes: that is healthy."""
    counting = begin(store, logs)
    read(counting)
    assert counting.save(at=HOUR)
    counting.tick(minute(HOUR + 60))
    assert counting.status.unsaved_since is None


def test_health_tells_when_counting_stands_still(store: Store, logs: Path) -> None:
    """When the main thread has done nothing for three minutes, neither a line nor a tick."""
    counting = begin(store, logs)
    status = counting.status
    status.beat_at = clock.monotonic() - 182
    assert "counting has stood still for 3 min" in status.health()[0]
    counting.tick(minute(HOUR + 60))
    assert status.health() == []
    status.beat_at = clock.monotonic() - 182
    read(counting)
    assert status.health() == []


def test_health_tells_of_missing_logs(store: Store, tmp_path: Path) -> None:
    """Without the log folder it is not healthy, and says which one; once it is there, it is."""
    folder = tmp_path / "none"
    counting = begin(store, folder)
    read(counting)
    [reason] = counting.status.health()
    assert str(folder) in reason
    assert counting.status.as_json()["health"] == {"ok": False, "reasons": [reason]}
    assert "offspot_metrics_healthy 0\n" in counting.status.metrics()
    folder.mkdir()
    read(counting)
    assert counting.status.health() == []
    assert "offspot_metrics_healthy 1\n" in counting.status.metrics()


def test_health_tells_of_a_reader_and_threads_that_ended(store: Store, logs: Path) -> None:
    """A reader that is not there or has stopped, and a thread that has ended, are said."""
    status = begin(store, logs).status
    status.look = Look(state="stopped")
    assert status.health() == ["the reader is not running"]
    status.look = Look(state="running")
    status.dead = "timer"
    assert status.health() == ["the timer thread has ended"]
    status.dead, status.look = "", None
    assert status.health() == ["the reader is not running"]


def test_metrics_are_those_of_the_process(store: Store, logs: Path) -> None:
    """Lines by fate, saves, loss and steps in /metrics are what happened."""
    counting = begin(store, logs)
    with (logs / "caddy_access_logs.json").open("ab") as log:
        log.write(b"no json\n" + line(HOUR + 3, 5))
    read(counting)
    counting.take(Lost(b"x" * 12, 7))
    assert counting.save(at=HOUR)
    counting.tick(minute(HOUR + 7260, step=7200))
    text = counting.status.metrics()
    for sample in (
        'lines_total{fate="counted"} 2',
        'lines_total{fate="unmatched"} 1',
        'lines_total{fate="not-json"} 1',
        'lines_total{fate="too-long"} 0',
        'reader_active{kind="tail"} 1',
        "reader_lag_bytes 0",
        f"saves_total {counting.status.saves}",
        "lost_bytes_total 7",
        "lost_at_least 0",
        "clock_steps_total 1",
        "clock_steady_seconds 0",
    ):
        assert f"offspot_metrics_{sample}\n" in text, sample
    assert counting.status.saves >= 2


def test_status_is_what_happened(store: Store, logs: Path) -> None:
    """Since when, until when, what was read, what was saved when, how large it is, and what the
    clock did: each is in the status as it was.
    """
    counting = begin(store, logs)
    read(counting)
    counting.tick(minute(HOUR + 60))
    counting.take(support.Log(9).add(line(HOUR + 130, 8), line(HOUR + 140, 5)).block())
    assert counting.save(at=HOUR + 150)
    counting.tick(minute(HOUR + 180))
    counting.tick(minute(HOUR + 240 + 7200, step=7200))
    found = counting.status.as_json()
    assert found["collectingSince"] == HOUR
    assert found["lastLineAt"] == HOUR + 140
    assert found["lastSaveAt"] == HOUR + 240 + 7200  # the hour has ended
    assert found["lines"] == {
        "read": 5,
        "counted": 4,
        "unmatched": 1,
        **dict.fromkeys(("bad-time", "incomplete", "not-access-log", "not-json", "too-long"), 0),
    }
    seen = {item["title"]: item["lastSeenAt"] for item in found["packages"]["items"]}
    assert seen == {"Bees": HOUR, "Wasps": HOUR, "Games": HOUR, "Share": None}
    assert found["reader"]["kind"] == "tail"
    assert (found["reader"]["lagBytes"], found["reader"]["files"]) == (0, 1)
    assert found["clock"]["steps"] == [{"at": HOUR + 7440, "seconds": 7200}]
    assert found["clock"]["steadySeconds"] == 0
    size = sum(Path(f"{store.path}{end}").stat().st_size for end in ("", "-wal"))
    assert found["disk"]["databaseBytes"] == size
    assert found["disk"]["freeBytes"] > 4 * 1024 * 1024
    text = counting.status.metrics()
    assert f"offspot_metrics_database_bytes {size}\n" in text
    age = float(text.split("offspot_metrics_last_save_age_seconds ")[-1].split()[0])
    assert 0 <= age < 60
    with (logs / "caddy_access_logs.json").open("ab") as log:
        log.write(line(HOUR, 0))
    FOLDERS[counting].look(1.0)
    support.note_look(counting, FOLDERS[counting])
    lag = len(line(HOUR, 0))
    assert counting.status.as_json()["reader"]["lagBytes"] == lag
    assert f"offspot_metrics_reader_lag_bytes {lag}\n" in counting.status.metrics()
    again = begin(store, logs, HOUR + 8000)  # what a restart knows of it
    found = again.status.as_json()
    assert found["collectingSince"] == HOUR
    assert found["lastLineAt"] == HOUR + 140
    assert found["lines"]["read"] == 5
    assert found["clock"]["steps"] == [{"at": HOUR + 7440, "seconds": 7200}]
    again.take(support.Log(2).add(line(HOUR - 4000, 9)).block())  # a late line of Games
    assert again.save(at=HOUR + 8000)
    items = again.status.as_json()["packages"]["items"]
    assert {item["title"]: item["lastSeenAt"] for item in items} == seen


# Packages


def test_packages_are_read_again_each_minute(store: Store, logs: Path) -> None:
    """A packages file that has changed counts from the next minute on, without any signal; a broken
    one keeps the last good version, and is said (F25).
    """
    counting = begin(store, logs)
    packages = store.path.with_name("packages.yml")
    good = packages.read_text()
    packages.write_text(good + '  - {kind: app, title: New, url: "//new.box/"}\n')
    assert "New" not in str(counting.status.as_json()["packages"])
    counting.tick(minute(HOUR + 60))
    assert "New" in str(counting.status.as_json()["packages"]["items"])
    packages.write_text("packages: [unfinished")
    counting.tick(minute(HOUR + 120))
    status = counting.status.as_json()["packages"]
    assert status["stale"]
    assert "New" in str(status["items"])


def test_packages_of_the_same_size_are_read_again(store: Store, logs: Path) -> None:
    """A title may change without a byte more or less."""
    counting = begin(store, logs)
    packages = store.path.with_name("packages.yml")
    packages.write_text(packages.read_text().replace("Bees", "Ants"))
    counting.tick(minute(HOUR + 60))
    assert "Ants" in counting.status.packages.titles


def test_packages_are_kept_for_the_next_start(store: Store, logs: Path) -> None:
    """When the file is broken at a start, the last good packages count, and it is said until the
    file is mended; what is in use is never given up for what was kept before (F25).
    """
    begin(store, logs)
    packages = store.path.with_name("packages.yml")
    good = packages.read_text()
    packages.write_text("packages: [unfinished")
    counting = begin(store, logs, HOUR + 60)
    assert counting.ready
    assert "Bees" in counting.status.packages.titles
    assert counting.status.as_json()["packages"]["stale"]
    packages.write_text(good.replace("Bees", "Ants"))
    counting.tick(minute(HOUR + 120))
    status = counting.status.as_json()["packages"]
    assert (status["stale"], status["message"]) == (False, None)
    store.put("packages", str(store.get("packages")).replace("Ants", "Old"))
    packages.write_text("packages: [unfinished")
    counting.tick(minute(HOUR + 180))
    assert "Ants" in counting.status.packages.titles


def test_a_hangup_during_a_reading_is_not_forgotten(store: Store, tmp_path: Path) -> None:
    """The file is read once more when the reading under way has come to its end (F34)."""
    path = support.write_packages(tmp_path)
    read_it = threading.Event()
    file = PackagesFile(path, store, read_it.set)
    file.look()
    assert read_it.wait(20)
    path.write_text(path.read_text().replace("Bees", "Ants"))
    read_it.clear()
    file.look(forced=True)
    first = file.take()
    assert first
    assert "Bees" in first.titles
    assert read_it.wait(20)
    second = file.take()
    assert second
    assert "Ants" in second.titles
    file.wait(20)


# Loss


def loss(counting: CountingLoop) -> tuple[int, bool]:
    """Bytes that are known to be lost, and whether there may be more, as the status has it."""
    found = counting.status.as_json()["loss"]
    return found["bytes"], found["atLeast"]


def test_a_log_that_vanished_while_down_is_a_loss(store: Store, logs: Path) -> None:
    """Of a log that was not finished at the last save and is gone at the next start, lines may be
    lost: that is said, as "at least", and still after another restart.
    """
    counting = begin(store, logs)
    read(counting)
    assert counting.save(at=HOUR)  # and then it is killed
    log = logs / "caddy_access_logs.json"
    log.unlink()
    (logs / "caddy_access_logs-new.json").write_bytes(line(HOUR + 9, 2))
    counting = begin(store, logs, HOUR + 60)
    read(counting)
    assert loss(counting) == (0, True)
    assert "offspot_metrics_lost_at_least 1\n" in counting.status.metrics()
    counting.take(Lost(b"x" * 12, 5))
    assert counting.save(at=HOUR + 60, last=True)
    counting = begin(store, logs, HOUR + 120)
    read(counting)
    assert loss(counting) == (5, True)


def test_a_log_that_is_there_again_is_no_loss(store: Store, logs: Path) -> None:
    """A log that was rolled or only stayed where it was is nothing that vanished."""
    counting = begin(store, logs)
    read(counting)
    assert counting.save(at=HOUR, last=True)
    (logs / "caddy_access_logs.json").rename(logs / "caddy_access_logs-1.json")
    (logs / "caddy_access_logs.json").write_bytes(line(HOUR + 9, 2))
    counting = begin(store, logs, HOUR + 60)
    read(counting)
    assert loss(counting) == (0, False)


@pytest.mark.parametrize(
    ("clean", "boot", "missed"),
    [(True, "another", False), (False, "another", True), (True, "", True), (False, "", True)],
)
def test_logs_in_memory_go_with_the_power(
    store: Store, *, clean: bool, boot: str, missed: bool
) -> None:
    """Logs on a file system in memory that were read to an orderly end are not missed after a new
    boot; after a power cut they are, and without a new boot too.
    """
    with support.memory_folder("logs-") as logs:
        log = logs / "caddy_access_logs.json"
        log.write_bytes(line(HOUR, 0))
        counting = begin(store, logs)
        read(counting)
        assert counting.save(at=HOUR, last=clean)
        log.unlink()
        if boot:
            store.put("boot_id", boot)
        counting = begin(store, logs, HOUR + 60)
        read(counting)
        assert counting.status.lost_at_least is missed


def test_it_is_remembered_in_the_real_process(tmp_path: Path) -> None:
    """A log that is deleted while the proxy writes to it is read on, and /health says so; when it
    is gone with a kill, the next start tells of the loss, and so does the one after it (F14).
    """
    with Serving(tmp_path) as serving:
        serving.add(6)
        serving.wait(serving.counted(6))
        assert serving.get("/health")[0] == 200
        with serving.log.open("ab", buffering=0) as log:
            serving.log.unlink()
            log.write(b"".join(line(time.time(), number) for number in range(6, 12)))
            serving.wait(serving.counted(12))  # it has seen that the log is gone
            log.write(line(time.time(), 12))
            serving.wait(serving.counted(13))
            serving.wait(lambda: serving.get("/health")[0] == 503)
            assert "was deleted while" in str(serving.status()["health"]["reasons"])
            serving.process.send_signal(signal.SIGKILL)
            serving.process.wait(20)
    serving.add(3, first=12)
    for _ in range(2):
        with Serving(tmp_path) as serving:
            serving.wait(lambda: serving.status()["loss"]["atLeast"])
            assert serving.get("/health")[0] == 200
            assert serving.stop()[0] == 0


# Damage


def test_uptime_that_is_not_saved_outlives_a_damage(store: Store, logs: Path) -> None:
    """Lines are read again after a damage, minutes of uptime cannot be: they are carried over, and
    nothing else is.
    """
    counting = begin(store, logs)
    read(counting)
    assert counting.save(at=HOUR)
    counting.tick(minute(HOUR + 1800))
    counting.take(support.Log(2).block())
    carried = counting.carry_over()
    assert set(carried.states) == {(HOUR, 1004, "")}
    store.recover("as a trial", HOUR)
    again = begin(store, logs, HOUR + 1860)
    again.take_over(carried)
    assert 0 < again.due_in() <= 600
    assert again.save(at=HOUR + 1860)
    states = store.connection.execute("SELECT state FROM state WHERE indicator_id = 1004")
    assert any(minutes >> 30 & 1 for (minutes,) in states)  # one for each stretch of the clock


def test_uptime_outlives_a_damage_of_the_real_process(tmp_path: Path) -> None:
    """The minute in which the process started is in the figures, though the database was removed
    under it before the first save.
    """
    with Serving(tmp_path) as serving:
        started = serving.status()["startedAt"]
        latest = time.time() // 60
        serving.database.unlink()
        serving.add(6, at=HOUR)
        serving.wait(lambda: "damaged" in str(serving.status().get("notes")), 60)
        assert serving.stop()[0] == 0, serving.text()
    found = figures(serving.database)["figures"]
    minutes = [
        hour // 60 + place
        for (hour, indicator, _), (_, state) in found.items()
        if indicator == 1004 and hour > HOUR + 86_400
        for place in range(60)
        if state >> place & 1
    ]
    assert started // 60 <= min(minutes) <= latest
