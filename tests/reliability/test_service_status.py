"""What `/health`, `/metrics` and the status say of one part each, by the contract's own words."""

from __future__ import annotations

import contextlib
import gzip
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from engine.packages import parse_packages
from engine.runtime import clock
from engine.runtime.counting import CountingLoop
from engine.runtime.service_status import ServiceStatus
from engine.settings import Config
from engine.sources.model import Look, Lost
from engine.sources.tail.folder import LogFolder
from engine.sources.tail.seen import seen
from engine.store.store import Store
from tests.reliability import store_support as support
from tests.reliability.store_support import HOUR, UTC, line, minute


@pytest.fixture
def status(tmp_path: Path) -> ServiceStatus:
    """A process that is well, with a reader over an empty folder."""
    made = ServiceStatus("2.0", Config(database=tmp_path / "metrics.db"), started_at=HOUR)
    made.look = Look(state="running")
    assert made.health() == []
    return made


@pytest.fixture
def counting(tmp_path: Path) -> Iterator[CountingLoop]:
    with contextlib.closing(Store.open(tmp_path / "metrics.db", UTC)) as store:
        made = support.make_counting(store, tmp_path)
        made.begin(HOUR)
        yield made


def test_health_tells_of_packages_that_are_missing(status: ServiceStatus) -> None:
    """While nothing is counted for want of packages; not while they are only being read."""
    status.waits_for_packages = True
    assert status.health() == []
    status.packages_problem = "packages file p.yml is not there"
    assert status.health() == ["nothing is counted: packages file p.yml is not there"]
    assert not status.as_json()["packages"]["stale"]
    status.waits_for_packages = False
    assert status.health() == []
    assert status.as_json()["packages"]["stale"]
    assert status.as_json()["packages"]["message"] == "packages file p.yml is not there"


def test_live_is_part_of_ready_and_that_of_healthy(status: ServiceStatus) -> None:
    """Only a new start helps a process that is not live; what is merely late or full is ready."""
    status.save_problem = "locked"
    assert (status.liveness(), status.readiness()) == ([], [])
    status.look = Look(state="stopped", problems=("a.json may not be read",))
    status.figures_are_readable = lambda: False
    assert status.liveness() == []
    assert len(status.readiness()) == 2
    status.dead = "reader"
    assert status.liveness() == ["the reader thread has ended"]
    assert status.readiness()[0] == "the reader thread has ended"
    assert len(status.readiness()) == 3
    assert status.health() == [
        *status.readiness(),
        "a.json may not be read",
        "saving fails: locked",
    ]


def test_without_counting_it_is_ready_when_the_database_can_be_shown(tmp_path: Path) -> None:
    """Neither packages nor a reader are needed, and a database that is gone is no new start."""
    config = Config(database=tmp_path / "metrics.db", processing=False)
    status = ServiceStatus("2.0", config, started_at=HOUR, waits_for_packages=True)
    assert status.readiness() == status.health() == []
    status.check_database = lambda: "the database is not there"
    assert status.readiness() == status.health() == ["the database is not there"]
    assert status.liveness() == []


def test_health_tells_of_figures_that_cannot_be_read(status: ServiceStatus) -> None:
    """As long as the last answer could not read them."""
    status.figures_are_readable = lambda: False
    assert status.health() == [
        "the figures cannot be read from the database; the log says why",
    ]


def test_without_counting_health_is_that_of_the_database(tmp_path: Path) -> None:
    """With PROCESSING_DISABLED there is no reader to miss, and the database may still be gone."""
    shown = ServiceStatus("2.0", Config(database=tmp_path / "metrics.db", processing=False))
    assert shown.health() == []
    shown.check_database = lambda: "it is gone"
    assert shown.health() == ["it is gone"]


def test_twenty_problems_of_logs_are_named(status: ServiceStatus, tmp_path: Path) -> None:
    """Whoever asks gets a bounded answer."""
    for number in range(30):
        log = tmp_path / f"caddy_access_logs-{number:02}.json"
        log.write_bytes(b"\xfd7zXZ\x00" + bytes(100))
    folder = LogFolder(tmp_path, "caddy_access_logs*.json", {})
    folder.look(0.0)
    status.look = replace(seen(folder), state="running")
    reasons = status.health()
    assert len(reasons) == 20
    assert "caddy_access_logs-00.json" in reasons[0]


@pytest.fixture
def small_disk() -> Iterator[Path]:
    """A file system in memory of eight megabytes."""
    if os.geteuid() != 0:
        pytest.skip("mounting takes root")
    folder = Path(tempfile.mkdtemp(prefix="small-"))
    command = ["mount", "-t", "tmpfs", "-o", "size=8m,mode=700", "tmpfs", str(folder)]
    if subprocess.run(command, check=False).returncode:
        pytest.skip("no file system can be mounted here")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)
    folder.rmdir()


@pytest.mark.parametrize(("mebibytes", "full"), [(5, False), (3, True)])
def test_a_disk_with_less_than_4_mib_is_full(
    small_disk: Path, mebibytes: int, *, full: bool
) -> None:
    """It is said with the bytes that are left; with more than that it is healthy."""
    (small_disk / "filler").write_bytes(bytes((8 - mebibytes) * 1024 * 1024))
    status = ServiceStatus("2.0", Config(database=small_disk / "metrics.db"))
    said = [reason for reason in status.health() if reason.startswith("the disk is full")]
    free = shutil.disk_usage(small_disk).free
    assert said == ([f"the disk is full: {free} bytes are left"] if full else [])
    assert status.as_json()["disk"]["freeBytes"] == free


def test_status_has_every_kind_of_a_title_once(status: ServiceStatus) -> None:
    """A title of several entries is one item, with its kinds in the order of the file; entries that
    cannot be used are told, a hundred of them at most.
    """
    bad = "".join(f'  - {{kind: zim, title: Bad {n}, url: "//x.box/"}}\n' for n in range(120))
    text = (
        "packages:\n"
        '  - {kind: zim, title: Bees, url: "//lib.box/viewer#bees"}\n'
        '  - {kind: files, title: Bees, url: "//bees.box/"}\n'
        '  - {kind: app, title: Share, url: "//share.box/"}\n' + bad
    )
    status.use_packages(parse_packages(text.encode(), "p.yml"))
    found = status.as_json()["packages"]
    assert [(item["title"], item["kinds"]) for item in found["items"]] == [
        ("Bees", ["zim", "files"]),
        ("Share", ["app"]),
    ]
    assert len(found["warnings"]) == 100
    assert found["warnings"][0].startswith("packages file: entry 4 (Bad 0) is ignored: ")


def test_times_of_the_status(status: ServiceStatus) -> None:
    """Now, and the start; no save before the first one."""
    before = clock.now()
    found = status.as_json()
    assert before <= found["serverTime"] <= clock.now()
    assert found["startedAt"] == HOUR
    assert found["lastSaveAt"] is None
    assert "last_save_age_seconds" not in status.metrics()


def test_loss_is_told_in_bytes_and_logs(counting: CountingLoop) -> None:
    """Bytes, logs, and whether it may be more: in the status, in the metrics, after a restart."""
    counting.take(Lost(b"x" * 12, 700))
    counting.take(Lost(b"y" * 12, 0, at_least=True, name="caddy_access_logs-1.json"))
    counting.take(Lost(b"z" * 12, 5))
    for _ in range(2):
        status = counting.status
        assert status.as_json()["loss"] == {"bytes": 705, "atLeast": True, "logs": 3}
        for sample in ("lost_bytes_total 705", "lost_logs_total 3", "lost_at_least 1"):
            assert f"offspot_metrics_{sample}\n" in status.metrics()
        assert counting.save(at=HOUR)
        counting = support.make_counting(counting.store, counting.store.path.parent)


def test_ends_and_repairs_of_filebeat_are_told_apart(status: ServiceStatus) -> None:
    """`restarts` are its ends, `repairs` the reads ahead of it; one reader is at work."""
    status.look = Look(state="running", restarts=3, repairs=8)
    assert status.as_json()["reader"]["restarts"] == 3
    text = status.metrics()
    for sample in (
        "reader_restarts_total 3",
        "reader_repairs_total 8",
        'reader_active{kind="filebeat"} 0',
        'reader_active{kind="tail"} 1',
    ):
        assert f"offspot_metrics_{sample}\n" in text


def test_metrics_have_their_kinds(status: ServiceStatus) -> None:
    """What only grows is a counter, and named so; all else is a gauge (the Prometheus format)."""
    kinds = dict(
        row.split()[2:] for row in status.metrics().splitlines() if row.startswith("# TYPE ")
    )
    assert len(kinds) >= 15
    for name, kind in kinds.items():
        assert kind == ("counter" if name.endswith("_total") else "gauge"), name


def test_steps_of_the_clock_are_counted(counting: CountingLoop) -> None:
    """How many there were, not how far they went."""
    counting.tick(minute(HOUR + 60 + 7200, step=7200))
    counting.tick(minute(HOUR + 120, step=-7200))
    assert "offspot_metrics_clock_steps_total 2\n" in counting.status.metrics()


def test_health_in_metrics_is_1_or_0(status: ServiceStatus) -> None:
    """Not the number of what is wrong."""
    assert "offspot_metrics_healthy 1\n" in status.metrics()
    status.dead, status.save_problem = "timer", "no room"
    assert "offspot_metrics_healthy 0\n" in status.metrics()


def test_notes_tell_what_is_not_read(status: ServiceStatus, tmp_path: Path) -> None:
    """A compressed roll whose last line has no end, and lines on which the program failed."""
    with gzip.open(tmp_path / "caddy_access_logs-1.json.gz", "wb") as roll:
        roll.write(line(HOUR, 0) + line(HOUR, 1)[:-1])
    folder = LogFolder(tmp_path, "caddy_access_logs*.json", {})
    folder.look(0.0)
    assert [step for step in folder.rolls.steps() if step is not None]
    status.look = replace(seen(folder), state="running")
    status.not_counted = 2
    assert status.as_json()["notes"] == [
        "log caddy_access_logs-1.json.gz: its last line has no end, and is not read",
        "2 lines were not counted because the program failed",
    ]
    assert status.health() == []
