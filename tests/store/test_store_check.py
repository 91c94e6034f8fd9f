"""What a check of a database sees, and when a start may do without one."""

import contextlib
import os
import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.sources.log_file import LogFile
from engine.store.repair import check, checksums
from engine.store.store import Store
from tests.reliability.store_support import HOUR, UTC, Log


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A database with records, totals, states and a position, closed gracefully."""
    found = tmp_path / "metrics.db"
    with contextlib.closing(Store.open(found, UTC, repair_at=HOUR)) as store:
        log = Log(1)
        log_file = store_generation(log)
        states = {(HOUR, 1001, "Bees"): 3, (HOUR - 3600, 1001, "Bees"): 2, (HOUR, 1004, ""): 7}
        store.commit(states, [log_file], running_hour=HOUR)
    return found


def store_generation(log: Log) -> LogFile:
    """The log, counted to its end."""
    block = log.block()
    log_file = LogFile(block.log_id, name=log.name)
    log_file.advance(block.end, block.tail)
    return log_file


@contextlib.contextmanager
def changed(path: Path) -> Iterator[sqlite3.Connection]:
    """A connection that can change everything, checksums too."""
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
        checksums.install(connection)
        yield connection


CHECKSUM_TOTAL = (
    "UPDATE total SET "
    "checksum = checksum_of(agg_kind, agg_value, indicator_id, dimension_id, value)"
)
TABLE_CHECKSUM = (
    "UPDATE meta SET value = (SELECT sum(checksum) FROM total), "
    "checksum = checksum_of(key, (SELECT sum(checksum) FROM total)) WHERE key = 'checksum_total'"
)


@pytest.mark.parametrize("kind", ["D", "W", "M", "Y"])
@pytest.mark.parametrize("change", ["value = value + 1", "indicator_id = 1003"])
def test_totals_are_compared_with_their_hours(path: Path, kind: str, change: str) -> None:
    """A total that is not the sum of its hours is seen, though every checksum is right."""
    assert check.problems_in(path) == []
    with changed(path) as connection:
        connection.execute(f"UPDATE total SET {change} WHERE agg_kind = ?", (kind,))
        connection.execute(CHECKSUM_TOTAL)
        connection.execute(TABLE_CHECKSUM)
    [problem] = check.problems_in(path)
    assert problem.startswith(f"the totals of {kind} 2026")


def test_a_missing_total_is_seen(path: Path) -> None:
    """A period without the total that its hours make is seen too."""
    with changed(path) as connection:
        connection.execute("DELETE FROM total WHERE agg_kind = 'M'")
        connection.execute(TABLE_CHECKSUM)
    assert check.problems_in(path) == ["the totals of M 2026-06 are not the sums of their hours"]


@pytest.mark.parametrize(
    ("table", "change"),
    [
        ("meta", "value = 'Europe/Paris' WHERE key = 'timezone'"),
        ("dimension", "value0 = 'Wasps' WHERE id = 1"),
        ("state", "state = state + 1"),
        ("record", "value = value + 1"),
        ("record", "minutes = 1"),
        ("period", "checksum = checksum + 1"),
        ("period", "whole = 1"),
        ("origin", "source = 'another'"),
        ("total", "value = value + 1"),
        ("log_file", "position = position - 1"),
        ("clock_epoch", "step_seconds = 1"),
    ],
)
def test_a_changed_value_is_seen(path: Path, table: str, change: str) -> None:
    """A value that was not written by us is seen, in every table."""
    with changed(path) as connection:
        connection.execute(
            "INSERT INTO clock_epoch (id, boot_id, started_at, step_seconds, trusted, checksum) "
            "VALUES (1, 'x', 1, 0, NULL, checksum_of(1, 'x', 1, 0, NULL))"
        )
        assert check.problems_in(path) == []
        connection.execute("PRAGMA foreign_keys = OFF")
        connection.execute(f"UPDATE {table} SET {change}")
    [problem] = check.problems_in(path)
    assert f"of table {table} are not as they were written" in problem


@pytest.mark.parametrize(
    ("table", "key"),
    [("state", "checksum_state"), ("total", "checksum_total"), ("log_file", "newest_move")],
)
def test_a_table_of_another_time_is_seen(path: Path, table: str, key: str) -> None:
    """Rows that are right in themselves and are missing from a table are seen."""
    with changed(path) as connection:
        connection.execute(f"DELETE FROM {table}")
    [problem] = check.problems_in(path)
    assert "of different times" in problem
    assert key in problem


# The mark of a graceful stop


def break_a_total(path: Path) -> None:
    """Change a digit that only the full check sees."""
    with changed(path) as connection:
        connection.execute("UPDATE total SET value = value + 1 WHERE agg_kind = 'Y'")


def test_a_file_that_was_closed_gracefully_needs_no_check(path: Path) -> None:
    """After a graceful stop the hash of the file stands for the check; a file that differs in one
    byte from it, though as long and as old, is checked in full, and replaced.
    """
    assert check.is_clean(path)
    found = path.stat()
    data = bytearray(path.read_bytes())
    place = data.rindex(b"Bees")
    data[place : place + 4] = b"Wasp"
    path.write_bytes(data)

    os.utime(path, ns=(found.st_atime_ns, found.st_mtime_ns))
    assert path.stat().st_size == found.st_size
    assert not check.is_clean(path)
    with contextlib.closing(Store.open(path, UTC, repair_at=HOUR)) as store:
        assert len(store.repairs) == 1


def test_a_file_with_a_log_is_checked(path: Path, tmp_path: Path) -> None:
    """After a kill the write-ahead log is there: the mark of the stop before does not hold."""
    store = Store.open(path, UTC, repair_at=HOUR)
    store.commit({(HOUR, 1001, "Bees"): 1}, running_hour=HOUR)
    killed = tmp_path / "killed"
    killed.mkdir()
    for name in ("metrics.db", "metrics.db-wal", "metrics.db.clean"):
        shutil.copy(path.with_name(name), killed / name)
    store.close()
    assert not check.is_clean(killed / "metrics.db")
    (killed / "metrics.db-wal").unlink()
    assert check.is_clean(killed / "metrics.db"), "which is then what it was at that stop"


def test_only_a_checked_file_is_marked(path: Path) -> None:
    """A database that was opened without a check gets no mark when it is closed, so that damage
    from before is not covered by it.
    """
    break_a_total(path)
    store = Store.open(path, UTC)
    store.commit({(HOUR, 1004, ""): 8}, running_hour=HOUR)
    store.close()
    assert not check.is_clean(path)
    with contextlib.closing(Store.open(path, UTC, repair_at=HOUR)) as again:
        assert len(again.repairs) == 1


def test_no_mark_is_no_clean_file(path: Path) -> None:
    """Without a mark, or with one that is no hash, a file is checked."""
    mark = path.with_name("metrics.db.clean")
    mark.write_text("\n")
    assert not check.is_clean(path)
    mark.unlink()
    assert not check.is_clean(path)
