"""Backups and what is done each day, on small disks and when a part of it fails."""

import contextlib
import logging
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from engine.errors import MetricsError, StorageError
from engine.runtime.ticker import Tick, Ticker
from engine.store.repair import backup
from engine.store.repair.notes import current_notes
from engine.store.store import Store
from tests.reliability.store_support import HOUR, UTC, line
from tests.reliability.store_support import Log as LogText
from tests.store.test_housekeeping import Running

DAY = 86_400
MEGABYTE = 1 << 20


def free_bytes(folder: Path) -> int:
    found = os.statvfs(folder)
    return found.f_bavail * found.f_frsize


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A file system in memory of 32 MiB."""
    if os.geteuid() != 0:
        pytest.skip("mounting takes root")
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=32m", "tmpfs", str(folder)]
    if subprocess.run(command, check=False).returncode:
        pytest.skip("no file system can be mounted here")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


@pytest.fixture
def large(disk: Path) -> Iterator[Running]:
    """Counting with a database of more than two megabytes, folded into one file."""
    running = Running(disk)
    many = {(HOUR - DAY, 1001, f"{number:0600}"): 1 for number in range(2000)}
    running.store.commit(many)
    running.store.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    assert running.store.path.stat().st_size > 2 * MEGABYTE
    yield running
    running.store.close()


def leave(folder: Path, wanted: int) -> Path:
    """Fill a disk up to so many bytes."""
    ballast = folder / "ballast"
    with ballast.open("wb") as file:
        file.write(bytes(free_bytes(folder) - wanted))
    return ballast


def needed(running: Running) -> int:
    """What must be free for a backup: twice the database, and 8 MiB."""
    return 2 * running.store.path.stat().st_size + 8 * MEGABYTE


def test_a_backup_needs_room_for_two_and_eight_megabytes(
    large: Running, caplog: pytest.LogCaptureFixture
) -> None:
    """With less it is not made, which is said, and tried again a day later; a disk without room is
    not asked each hour.
    """
    folder = large.store.path.parent
    ballast = leave(folder, needed(large) - MEGABYTE // 4)
    large.run(60)
    assert large.backups() == []
    assert "there is no room for a backup" in caplog.text
    ballast.unlink()
    large.run(60)  # there is no backup yet: the first one is made after an hour
    assert len(large.backups()) == 1
    ballast = leave(folder, needed(large) - MEGABYTE // 4)
    large.run(24 * 60)
    assert len(large.backups()) == 1
    ballast.unlink()
    large.run(23 * 60)
    assert len(large.backups()) == 1
    large.run(60)
    assert len(large.backups()) == 2


def test_a_backup_is_made_where_there_is_just_room(large: Running) -> None:
    """A quarter of a megabyte more than that is enough."""
    leave(large.store.path.parent, needed(large) + MEGABYTE // 4)
    large.run(60)
    assert len(large.backups()) == 1


def test_a_backup_that_finds_no_room_leaves_nothing(large: Running) -> None:
    """What there was of it goes, and the backup of before stays."""
    store = large.store
    store.back_up()
    before = large.backups()
    leave(store.path.parent, MEGABYTE)
    with pytest.raises(StorageError, match="full"):
        store.back_up()
    assert large.backups() == before
    assert [path.name for path in store.path.parent.glob("*.tmp")] == []


def test_the_older_backup_does_not_go_when_it_is_the_only_one(tmp_path: Path) -> None:
    """A full disk takes it as long as there is a newer one."""
    with contextlib.closing(Store.open(tmp_path / "metrics.db", UTC)) as store:
        for _ in range(2):
            store.back_up()
        backup.newest_path(store.path).unlink()
        pages = store.connection.execute("PRAGMA page_count").fetchone()[0]
        store.connection.execute(f"PRAGMA max_page_count = {pages}")
        with pytest.raises(MetricsError, match="the disk is full"):
            store.commit({(HOUR, 1001, f"{number:0500}"): 1 for number in range(100)})
        assert backup.older_path(store.path).exists()


def test_a_link_is_no_backup(tmp_path: Path) -> None:
    """What stands behind it belongs to somebody else: the backup before it is brought back."""
    path = tmp_path / "metrics.db"
    store = Store.open(path, UTC)
    for _ in range(2):
        store.commit({(HOUR, 1001, "Bees"): 1})
        store.back_up()
    store.close()
    newest = backup.newest_path(path)
    newest.rename(tmp_path / "elsewhere.db")
    newest.symlink_to("elsewhere.db")
    path.unlink()
    with contextlib.closing(Store.open(path, repair_at=HOUR)) as store:
        assert store.connection.execute("SELECT value FROM record").fetchall() == [(1,)]


def test_a_backup_is_for_its_user_only(tmp_path: Path) -> None:
    """Whatever the mask of the process: it has all that the database has."""
    mask = os.umask(0)
    try:
        with contextlib.closing(Store.open(tmp_path / "metrics.db", UTC)) as store:
            store.back_up()
            found = backup.newest_path(store.path)
            assert found.stat().st_mode & 0o777 == 0o600
    finally:
        os.umask(mask)


# The day's work


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Running]:
    made = Running(tmp_path)
    yield made
    made.store.close()


def test_the_purge_is_made_once_a_day(running: Running) -> None:
    """After a day of running, and not again each hour: it looks at all records."""
    running.run(24 * 60 - 1)
    said: list[str] = []
    running.store.connection.set_trace_callback(said.append)
    running.run(3 * 60)
    running.store.connection.set_trace_callback(None)
    assert sum("DELETE FROM record WHERE hour <" in sql for sql in said) == 1


def test_a_backup_has_what_is_purged_after_it(running: Running) -> None:
    """When both are due in one hour, what is removed is in the backup of that hour."""
    running.run(22 * 60)
    running.restart()
    running.store.commit({(HOUR - 3 * 365 * DAY, 1001, "Bees"): 5})
    running.counting.status.backup_age = 22 * 3600
    running.run(2 * 60)
    old = "SELECT count(*) FROM record WHERE hour < 1700000000"
    assert running.store.connection.execute(old).fetchone() == (0,)
    with contextlib.closing(sqlite3.connect(backup.newest_path(running.store.path))) as copy:
        assert copy.execute(old).fetchone() == (1,)


def test_a_purge_that_fails_is_no_end(running: Running, caplog: pytest.LogCaptureFixture) -> None:
    """It is said, and counting goes on."""
    running.store.commit({(HOUR - 3 * 365 * DAY, 1001, "Bees"): 5})

    def no_deleting(action: int, table: str | None, *_: object) -> int:
        is_it = (action, table) == (sqlite3.SQLITE_DELETE, "record")
        return sqlite3.SQLITE_DENY if is_it else sqlite3.SQLITE_OK

    running.store.connection.set_authorizer(no_deleting)
    caplog.set_level(logging.WARNING)
    running.run(24 * 60)
    running.store.connection.set_authorizer(None)
    assert "not authorized" in caplog.text
    running.counting.take(LogText(1).add(line(running.now, 6)).block())
    assert running.counting.save(at=running.now)
    assert running.store.reader().fates()["counted"] == 2


def test_steps_of_more_than_a_minute_are_steps() -> None:
    """The clock was set when it is more than 60 seconds off, either way."""
    for offset, step in ((60.0, 0), (61.0, 61), (-60.0, 0), (-61.0, -61)):
        ticks: list[Tick] = []
        Ticker(ticks.append, offset=0.0).check(HOUR, offset, 0.0)
        assert [tick.step for tick in ticks] == [step]


# What a database knows of itself


def test_a_note_of_what_was_set_aside_stays_as_long_as_that_is_there(tmp_path: Path) -> None:
    """Whoever removes the folder has seen it."""
    path = tmp_path / "metrics.db"
    Store.open(path, UTC).close()
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * 8192)
    with contextlib.closing(Store.open(path, UTC, repair_at=HOUR)) as store:
        [note] = current_notes(store.meta, store.path)
        [folder] = (tmp_path / "quarantine").iterdir()
        assert note.endswith(f"(see quarantine/{folder.name})")
        for found in folder.iterdir():
            found.unlink()
        folder.rmdir()
        assert current_notes(store.meta, store.path) == []


def test_a_closed_database_is_one_file(tmp_path: Path) -> None:
    """A copy of that file alone has everything; while somebody reads, it is not marked as closed
    in order.
    """
    path = tmp_path / "metrics.db"
    store = Store.open(path, UTC, repair_at=HOUR)
    store.commit({(HOUR, 1001, "Bees"): 3})
    with contextlib.closing(sqlite3.connect(path)) as other:
        other.execute("BEGIN")
        other.execute("SELECT count(*) FROM record").fetchone()
        store.shorten_timeouts()
        store.close()
        assert not path.with_name("metrics.db.clean").exists()
    Store.open(path, UTC, repair_at=HOUR).close()
    assert path.with_name("metrics.db.clean").exists()
    copy = tmp_path / "copy.db"
    copy.write_bytes(path.read_bytes())
    with contextlib.closing(sqlite3.connect(copy)) as connection:
        assert connection.execute("SELECT value FROM record").fetchall() == [(3,)]


def test_after_a_recovery_all_that_is_not_saved_counts(tmp_path: Path) -> None:
    """What a failed commit may have brought into the damaged database is not in the one that takes
    its place: it counts again, once, and the number of commits is that of the new database.
    """
    with contextlib.closing(Store.open(tmp_path / "metrics.db", UTC)) as store:
        bees = (HOUR, 1001, "Bees")
        store.commit({bees: 1}, meta={"saved_at": HOUR})
        store.back_up()
        store.commit({bees: 1}, meta={"saved_at": HOUR})
        store._unconfirmed.failed({bees: 2})
        store._unconfirmed.confirm(written=True)
        store._unconfirmed.failed({bees: 2})
        store.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        with store.path.open("r+b") as file:
            file.write(bytes(store.path.stat().st_size))
        store.recover("made to", HOUR)
        assert store.commits == store.get("commits") == 1
        store.commit({bees: 5}, meta={"saved_at": HOUR})
        assert store.connection.execute("SELECT state FROM state").fetchall() == []
        assert store.connection.execute("SELECT value FROM record").fetchall() == [(6,)]
        assert store.problems() == []


ROOT: Final = Path(__file__).resolve().parents[2]
_BACK_UP: Final = """
import sys
from pathlib import Path
from typing import Final
from engine.store.store import Store
Store.open(Path(sys.argv[1])).back_up()
"""


@pytest.mark.parametrize(("calls", "when"), [("rename,renameat,renameat2", 1), ("fdatasync", 4)])
def test_a_start_removes_the_draft_of_a_backup_that_was_killed(
    tmp_path: Path, calls: str, when: int
) -> None:
    """On a card that is nearly full, it would take the room of every backup to come."""
    path = tmp_path / "metrics.db"
    with contextlib.closing(Store.open(path, UTC)) as store:
        store.commit({(HOUR, 1001, "Bees"): 1})
    command = ["strace", "-qq", "-o", os.devnull, "-e", f"trace={calls}"]
    command += ["-e", f"inject={calls}:signal=KILL:when={when}"]
    command += [sys.executable, "-B", "-c", _BACK_UP, str(path)]
    done = subprocess.run(command, cwd=ROOT, check=False)
    assert done.returncode in {-signal.SIGKILL, 128 + signal.SIGKILL}
    draft = tmp_path / "metrics.db.backup.tmp"
    assert draft.exists()
    with contextlib.closing(Store.open(path, UTC, repair_at=HOUR)) as store:
        assert not list(tmp_path.glob("metrics.db.backup*"))
        assert store.repairs == []
