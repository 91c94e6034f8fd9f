"""Damaged, foreign and planted files: F5, F21, F22, S19."""

import contextlib
import os
import random
import shutil
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from engine.errors import DatabaseDamaged, DatabaseForeign
from engine.runtime import clock
from engine.store import migrations
from engine.store.lock import Lock
from engine.store.repair import backup, check
from engine.store.repair.notes import current_notes
from engine.store.schema import tables_at
from engine.store.store import Store
from tests.reliability import store_support as support
from tests.reliability.store_support import HOUR, UTC
from tests.support.measured import measured

SEED = int(os.environ.get("STORE_SEED", "20261123"))
COMPARED = ("dimension", "state", "record", "total", "period", "log_file")


@pytest.fixture(scope="module")
def valid() -> Iterator[Path]:
    """A folder as a kill leaves it: database, write-ahead log, lock; with a backup of before."""
    with support.memory_folder("damage-") as memory:
        made, folder = memory / "made", memory / "valid"
        made.mkdir()
        Lock(made / "metrics.db").release()
        store = Store.open(made / "metrics.db", UTC, repair_at=HOUR)
        for day in range(40):
            states = {}
            for hour in range(HOUR + day * 86400, HOUR + day * 86400 + 8 * 3600, 3600):
                states[hour, 1004, ""] = (1 << 60) - 1 - day
                for number in range(12):
                    states[hour, 1001, f"Package {number}"] = 1 + (day * 7 + number) % 90
                    states[hour, 1006, f"Package {number}"] = 1 << (day + number) % 60
            log = support.Log(day)
            log_file = store.log_files().get(b"") or _generation(log)
            store.commit(states, [log_file], running_hour=hour, meta={"saved_at": hour})
            if day == 36:
                store.back_up()
        shutil.copytree(made, folder)  # as it is while it is open: what a power cut leaves
        store.close()
        yield folder


def _generation(log: support.Log) -> Any:
    from engine.sources.log_file import LogFile

    block = log.block()
    log_file = LogFile(block.log_id, name=log.name)
    log_file.advance(block.end, block.tail)
    log_file.fates["counted"] = 1
    return log_file


def rows_of(path: Path) -> dict[str, set[tuple[Any, ...]]]:
    """All that matters in a database, without checksums."""
    with contextlib.closing(sqlite3.connect(path)) as connection:
        return {
            table: {
                row[:-1]
                for row in connection.execute(f"SELECT {columns(table)}, checksum FROM {table}")
            }
            for table in COMPARED
        }


def columns(table: str) -> str:
    """The columns that a checksum covers."""
    return tables_at()[table].names


def encoded(row: tuple[Any, ...]) -> bytes:
    """A row of whole numbers as SQLite's file format has it, written from its description."""
    kinds, values = [], []
    for number in row:
        if number is None or number in (0, 1):
            kinds.append(0 if number is None else 8 + number)
            continue
        bits = number.bit_length() if number >= 0 else (number + 1).bit_length()
        kind, width = next((k, w) for k, w in enumerate((1, 2, 3, 4, 6, 8), 1) if bits < 8 * w)
        kinds.append(kind)
        values.append(number.to_bytes(width, "big", signed=True))
    return bytes([len(kinds) + 1, *kinds]) + b"".join(values)


def records_of(path: Path) -> dict[tuple[Any, ...], bytes]:
    """Every record, and how it is stored."""
    with contextlib.closing(sqlite3.connect(path)) as connection:
        rows = connection.execute(
            "SELECT hour, indicator_id, dimension_id, origin_id, value, minutes, checksum "
            "FROM record"
        ).fetchall()
    return {row[:6]: encoded(row) for row in rows}


Mutant = Callable[[random.Random, Path], str]


def _part(rng: random.Random, path: Path) -> Path:
    wal = path.with_name("metrics.db-wal")
    return wal if wal.exists() and rng.random() < 0.25 else path


def flip_bytes(rng: random.Random, path: Path) -> str:
    part = _part(rng, path)
    data = bytearray(part.read_bytes())
    for _ in range(rng.choice((1, 1, 1, 3, 20))):
        place = rng.randrange(100, len(data))  # the header has its own mutants
        data[place] ^= 1 << rng.randrange(8)
    part.write_bytes(data)
    return f"bits flipped in {part.name}"


def zero_page(rng: random.Random, path: Path) -> str:
    data = bytearray(path.read_bytes())
    page = rng.randrange(len(data) // 4096)
    data[page * 4096 : (page + 1) * 4096] = bytes(4096)
    path.write_bytes(data)
    return f"page {page + 1} zeroed"


def random_page(rng: random.Random, path: Path) -> str:
    data = bytearray(path.read_bytes())
    page = rng.randrange(len(data) // 4096)
    data[page * 4096 : (page + 1) * 4096] = rng.randbytes(4096)
    path.write_bytes(data)
    return f"page {page + 1} random"


def swap_pages(rng: random.Random, path: Path) -> str:
    data = bytearray(path.read_bytes())
    one, two = rng.sample(range(1, len(data) // 4096), 2)
    open_log = data[one * 4096 : (one + 1) * 4096]
    data[one * 4096 : (one + 1) * 4096] = data[two * 4096 : (two + 1) * 4096]
    data[two * 4096 : (two + 1) * 4096] = open_log
    path.write_bytes(data)
    return f"pages {one + 1} and {two + 1} swapped"


def old_page(rng: random.Random, path: Path) -> str:
    """A page as it was once: a write that never reached the card."""
    data = bytearray(path.read_bytes())
    old = backup.newest_path(path).read_bytes()
    page = rng.randrange(1, min(len(old), len(data)) // 4096)
    data[page * 4096 : (page + 1) * 4096] = old[page * 4096 : (page + 1) * 4096]
    path.write_bytes(data)
    return f"page {page + 1} is an old one"


def truncate(rng: random.Random, path: Path) -> str:
    part = _part(rng, path)
    size = rng.randrange(part.stat().st_size)
    os.truncate(part, size)
    return f"{part.name} cut to {size}"


def empty(_rng: random.Random, path: Path) -> str:
    path.write_bytes(b"")
    return "empty"


def text(_rng: random.Random, path: Path) -> str:
    path.write_text("this is no database\n" * 500)
    return "text"


def no_magic(rng: random.Random, path: Path) -> str:
    data = bytearray(path.read_bytes())
    data[rng.randrange(16)] ^= 0xFF
    path.write_bytes(data)
    return "first bytes"


def rubbish_log(rng: random.Random, path: Path) -> str:
    path.with_name("metrics.db-wal").write_bytes(rng.randbytes(20_000))
    return "-wal is garbage"


def no_log(_rng: random.Random, path: Path) -> str:
    path.with_name("metrics.db-wal").unlink(missing_ok=True)
    return "-wal is gone"


def rubbish_index(rng: random.Random, path: Path) -> str:
    path.with_name("metrics.db-shm").write_bytes(rng.randbytes(32_768))
    return "-shm is garbage"


def foreign_log(rng: random.Random, path: Path) -> str:
    """The write-ahead log of another hotspot's database, whole and with right checksums."""
    other = path.parent / "other"
    other.mkdir()
    store = Store.open(other / "metrics.db", UTC)
    for number in range(rng.randrange(1, 6)):
        hour = HOUR + 3600 * number
        store.commit(
            {(hour, 1001, f"Package {number}"): 5000}, running_hour=hour, meta={"saved_at": hour}
        )
    shutil.copy(other / "metrics.db-wal", path.with_name("metrics.db-wal"))
    store.close()
    shutil.rmtree(other)
    path.with_name("metrics.db-shm").unlink(missing_ok=True)
    return "-wal of another database"


def gone(_rng: random.Random, path: Path) -> str:
    path.unlink()
    return "the file is gone"


MUTANTS: tuple[Mutant, ...] = (
    flip_bytes,
    flip_bytes,
    flip_bytes,
    zero_page,
    zero_page,
    random_page,
    swap_pages,
    old_page,
    truncate,
    empty,
    text,
    no_magic,
    rubbish_log,
    no_log,
    rubbish_index,
    foreign_log,
    gone,
)


@pytest.mark.parametrize(
    "count",
    [
        pytest.param(17, id="17"),
        pytest.param(510, marks=[pytest.mark.full, pytest.mark.timeout(600)], id="510"),
    ],
)
def test_damaged_databases_come_up(tmp_path: Path, valid: Path, count: int) -> None:
    """A database damaged in any of 17 ways comes up within 10 seconds, is valid, and shows the
    figures that it had, or says what was done; at least 99 % of the records that are still whole
    anywhere in the file, its write-ahead log or its backup are kept (F21).
    """
    rng = random.Random(SEED)
    truth = _truth(valid, tmp_path)
    records = records_of(tmp_path / "truth" / "metrics.db")
    assert len(records) > 7_000
    repaired = unharmed = 0
    slowest = 0.0
    intact = kept = 0
    with support.memory_folder("mutants-") as memory:
        for number in range(count):
            folder = memory / str(number)
            shutil.copytree(valid, folder)
            path = folder / "metrics.db"
            if rng.random() < 0.3:
                backup.newest_path(path).unlink()  # and no backup to help
                with_backup = False
            else:
                with_backup = True
            mutant = MUTANTS[number % len(MUTANTS)]
            if mutant is old_page and not with_backup:
                shutil.copy(backup.newest_path(valid / "metrics.db"), backup.newest_path(path))
            what = f"{number}: {mutant(rng, path)}, backup {with_backup}"
            there = b"".join(part.read_bytes() for part in folder.glob("metrics.db*"))
            begin = clock.monotonic()
            with contextlib.closing(Store.open(path, UTC, repair_at=HOUR)) as store:
                slowest = max(slowest, clock.monotonic() - begin)
                assert not store.problems(), what
                repairs, notes = store.repairs, current_notes(store.meta, store.path)
            found = rows_of(path)
            if repairs:
                repaired += 1
                assert notes, what
                assert len(list(folder.glob("quarantine/*"))) == 1, what
                same = found["record"] & truth["record"]
                kept += len(same)
                missed = [row for row in records.keys() - same if records[row] in there]
                intact += len(same) + len(missed)
            else:
                unharmed += 1
                if mutant not in (no_log, rubbish_log, truncate, flip_bytes):
                    assert found == truth, what
                else:  # of a torn write-ahead log an earlier commit is what is durable
                    assert _is_earlier(found, truth), what
            shutil.rmtree(folder)
    measured(
        f"seed {SEED}: {count} mutants, {repaired} repaired with a note, {unharmed} unharmed, "
        f"slowest {slowest:.2f} s, of the records that were whole {kept / intact:.2%} are kept"
    )
    assert kept >= 0.99 * intact
    assert slowest < 10


def _truth(valid: Path, tmp_path: Path) -> dict[str, set[tuple[Any, ...]]]:
    copy = tmp_path / "truth"
    shutil.copytree(valid, copy)
    return rows_of(copy / "metrics.db")


def _is_earlier(found: dict[str, set[Any]], truth: dict[str, set[Any]]) -> bool:
    """Whether these are the rows of an earlier commit: no record differs, some may be missing."""
    return found["record"] <= truth["record"] and found["log_file"] <= truth["log_file"]


# Files that are not ours


def state_of(path: Path) -> tuple[bytes, int]:
    return path.read_bytes(), path.stat().st_mtime_ns


@pytest.mark.parametrize(
    ("pragma", "word"),
    [("application_id = 7", "another program"), ("user_version = 99", "newer version")],
)
def test_foreign_and_newer_files_are_refused(tmp_path: Path, pragma: str, word: str) -> None:
    """A database of another program or of a newer version is refused, and byte for byte what it
    was, also where ours has been opened before (F22).
    """
    path = tmp_path / "metrics.db"
    Lock(path).release()
    Store.open(path, UTC, repair_at=HOUR).close()
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute(f"PRAGMA {pragma}")
    before = state_of(path)
    with pytest.raises(DatabaseForeign, match=word):
        Store.open(path, UTC, repair_at=HOUR)
    assert state_of(path) == before
    assert not (tmp_path / "quarantine").exists()


def test_a_file_that_was_never_ours_is_refused(tmp_path: Path) -> None:
    """A text where ours never was is refused, by the lock already, and stays as it is (F21)."""
    path = tmp_path / "metrics.db"
    path.write_bytes(b"notes of the teacher\n" * 100)
    before = state_of(path)
    with pytest.raises(DatabaseDamaged):
        Lock(path)
    with pytest.raises(DatabaseDamaged):
        Store.open(path, UTC, repair_at=HOUR)
    assert state_of(path) == before
    assert list(tmp_path.iterdir()) == [path]


def test_an_empty_file_becomes_a_database(tmp_path: Path) -> None:
    """0 bytes where ours never was are a new database, with repairs and without."""
    for repair_at in (None, HOUR):
        path = tmp_path / f"{repair_at}.db"
        path.touch()
        Lock(path).release()
        Store.open(path, UTC, repair_at=repair_at).close()
        assert path.stat().st_size > 0
        assert Store.open(path, UTC, repair_at=HOUR).repairs == []


def test_an_empty_file_that_is_mounted_becomes_a_database(tmp_path: Path) -> None:
    """A file of 0 bytes that is mounted by itself, as in a container, cannot be replaced: the
    database is made in it.
    """
    outside, path = tmp_path / "outside.db", tmp_path / "metrics.db"
    outside.touch()
    path.touch()
    subprocess.run(["mount", "--bind", outside, path], check=True)
    try:
        Store.open(path, UTC, repair_at=HOUR).close()
        assert outside.stat().st_size == path.stat().st_size > 0
    finally:
        subprocess.run(["umount", path], check=True)


def test_links_and_pipes_are_refused(tmp_path: Path) -> None:
    """A database, lock, write-ahead log or quarantine folder that is a link or no plain file is
    refused, and what it leads to is not touched (S19).
    """
    victim = tmp_path / "victim"
    Store.open(victim, UTC).close()
    before = state_of(victim)

    def refused(make: Callable[[Path], None]) -> None:
        folder = tmp_path / f"case-{len(list(tmp_path.iterdir()))}"
        folder.mkdir()
        make(folder)
        with pytest.raises(DatabaseForeign):
            _lock_and_open(folder / "metrics.db")
        assert state_of(victim) == before

    def make_companion_link(folder: Path) -> None:
        Store.open(folder / "metrics.db", UTC).close()
        (folder / "metrics.db-wal").symlink_to(victim)

    def make_quarantine_link(folder: Path) -> None:
        path = folder / "metrics.db"
        Lock(path).release()
        Store.open(path, UTC).close()
        path.write_bytes(b"garbage")
        (folder / "quarantine").symlink_to(tmp_path)

    refused(lambda folder: (folder / "metrics.db").symlink_to(victim))
    refused(lambda folder: os.mkfifo(folder / "metrics.db"))
    refused(lambda folder: (folder / "metrics.db").mkdir())
    refused(lambda folder: os.mkfifo(folder / "metrics.db.lock"))
    refused(lambda folder: (folder / "metrics.db.lock").symlink_to(victim))
    refused(make_companion_link)
    refused(make_quarantine_link)


def _lock_and_open(path: Path) -> None:
    Lock(path).release()
    Store.open(path, UTC, repair_at=HOUR).close()


def test_files_are_for_their_owner_only(tmp_path: Path) -> None:
    """Everything that the store makes can be read and written by its owner alone (S19)."""
    path = tmp_path / "data" / "metrics.db"
    lock = Lock(path)
    store = Store.open(path, UTC, repair_at=HOUR)
    store.commit({(HOUR, 1001, "Bees"): 1}, running_hour=HOUR, meta={"saved_at": HOUR})
    store.back_up()
    modes = {f.name: f.stat().st_mode & 0o077 for f in path.parent.iterdir()}
    store.close()
    lock.release()
    assert {"metrics.db", "metrics.db-wal", "metrics.db.lock", "metrics.db.backup"} <= set(modes)
    assert not any(modes.values()), modes


def test_two_backups_and_two_quarantines_are_kept(tmp_path: Path) -> None:
    """Two verified backups stay, and what was set aside twice; removing more is said."""
    path = tmp_path / "metrics.db"
    store = Store.open(path, UTC, repair_at=HOUR)
    for number in range(4):
        store.commit({(HOUR, 1001, "Bees"): 1}, running_hour=HOUR, meta={"saved_at": HOUR})
        store.back_up()
        store.recover("as a trial", HOUR + number)
    names = sorted(f.name for f in (tmp_path / "quarantine").iterdir())
    assert [name.rpartition("-")[2] for name in names] == ["3", "4"]
    assert "was removed" in store.repairs[-1]
    assert len(current_notes(store.meta, store.path)) == 2
    assert len(backup.backups_of(path)) == 2
    for copy in backup.backups_of(path):
        assert check.problems_in(copy, "mode=ro&immutable=1") == []
    assert sum(v for _, v in [(0, store.commits)]) == 4
    store.close()


def test_a_backup_that_does_not_verify_is_no_backup(tmp_path: Path) -> None:
    """A database with a changed digit is told by its own backup, which is not kept."""
    path = tmp_path / "metrics.db"
    store = Store.open(path, UTC, repair_at=HOUR)
    store.commit({(HOUR, 1001, "Bees"): 1}, meta={"saved_at": HOUR})
    store.connection.execute("UPDATE record SET value = 2")
    with pytest.raises(DatabaseDamaged):
        store.back_up()
    assert backup.backups_of(path) == []
    assert not list(tmp_path.glob("*.tmp"))
    store.close()


def test_a_database_that_is_only_read_is_not_written(tmp_path: Path) -> None:
    """A check of a database changes no byte of it, nor of its write-ahead log."""
    path = tmp_path / "metrics.db"
    store = Store.open(path, UTC)
    store.commit({(HOUR, 1001, "Bees"): 1}, meta={"saved_at": HOUR})
    copy = tmp_path / "copy"
    copy.mkdir()
    for part in (path, path.with_name("metrics.db-wal")):
        shutil.copy(part, copy / part.name)
    before = [state_of(p) for p in sorted(copy.iterdir())]
    assert check.problems_in(copy / "metrics.db") == []
    after = [state_of(p) for p in sorted(copy.iterdir()) if not p.name.endswith("-shm")]
    assert after == before
    store.close()
    with contextlib.closing(sqlite3.connect(path)) as connection:
        assert migrations.version_of(connection) == migrations.NEWEST
