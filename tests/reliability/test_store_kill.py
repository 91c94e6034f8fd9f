"""kill -9 at every SQL statement and every file operation of the store: F1, F4, F36."""

import shutil
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from engine.store import database, migrations
from engine.store.repair import check, checksums
from engine.store.schema import APPLICATION_ID
from engine.store.store import Store
from tests.reliability import store_support as support
from tests.reliability.store_support import HOUR, KillAt, figures, in_fork, in_forks, killed_at
from tests.support.measured import measured

SCHEMA_3 = Path(__file__).parents[1] / "store/databases/schema-3.db"


@pytest.fixture
def memory() -> Iterator[Path]:
    with support.memory_folder("kill-") as folder:
        yield folder


def sweep(
    memory: Path,
    prepare: Callable[[Path], None],
    work: Callable[[Path], None],
    arm: Callable[[KillAt], None],
    every: int = 1,
) -> int:
    """Kill `work` at each of its events, do it again undisturbed, and compare. How many events.

    With `every`, only at each so-manieth: the quick size of a long sweep.
    """
    for name in ("first", "plain"):  # the first time reads zones and modules, which are events too
        (memory / name).mkdir()
        prepare(memory / name)
    work(memory / "first")
    plain = memory / "plain"
    events = support.count_events(lambda: work(plain), arm, memory / "count")
    expected = figures(plain / "metrics.db")
    assert expected["figures"]
    moments = range(1, events + 1, every)

    def half(begin: int) -> None:
        for k in moments[begin::2]:
            folder = memory / str(k)
            folder.mkdir()
            prepare(folder)
            assert killed_at(k, lambda folder=folder: work(folder), arm), k  # type: ignore[misc]
            work(folder)
            assert figures(folder / "metrics.db") == expected, k
            assert k % 5 or support.is_valid(folder / "metrics.db"), k
            shutil.rmtree(folder)

    assert in_forks([lambda: half(0), lambda: half(1)]) == [0, 0]
    measured(f"killed at {len(moments)} of {events} events: always the undisturbed figures")
    return events


QUICK = pytest.param(13, id="quick")
EVERY = pytest.param(1, id="all", marks=[pytest.mark.full, pytest.mark.timeout(600)])


@pytest.mark.parametrize("every", [QUICK, EVERY])
def test_killed_at_every_statement(memory: Path, every: int) -> None:
    """Killed at any SQL statement of start, counting, hour's end, clock steps, backup and end, the
    next start goes on from the last commit and ends at the figures of an undisturbed run (F1).
    """
    arm = KillAt.at_statements
    assert sweep(memory, lambda _: None, support.scenario, arm, every) > 200


@pytest.mark.parametrize("every", [QUICK, EVERY])
def test_killed_at_every_file_operation(memory: Path, every: int) -> None:
    """The same at every file that is opened, renamed or removed on the way (F1, F4)."""
    arm = KillAt.at_file_operations
    assert sweep(memory, lambda _: None, support.scenario, arm, every) > 40


def _old_database(folder: Path) -> None:
    """A database as the first schema made it."""
    connection = sqlite3.connect(folder / "metrics.db", isolation_level=None)
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    connection.execute("PRAGMA journal_mode = WAL")
    for statement in migrations.ALL[0]:
        connection.execute(statement)
    connection.execute("INSERT INTO dimension VALUES (1, 'Bees')")
    for hour in range(HOUR, HOUR + 36_000, 3600):
        connection.execute("INSERT INTO record VALUES (?, 1001, 1, 7, NULL)", (hour,))
        connection.execute("INSERT INTO record VALUES (?, 1004, 0, 2, 3)", (hour,))
    connection.execute("PRAGMA user_version = 1")
    connection.close()


def _database_of_schema_3(folder: Path) -> None:
    """With records of two years, a state and the zone of Paris."""
    shutil.copy(SCHEMA_3, folder / "metrics.db")


@pytest.mark.parametrize("every", [QUICK, EVERY])
@pytest.mark.parametrize("old", [_old_database, _database_of_schema_3])
@pytest.mark.parametrize("arm", [KillAt.at_statements, KillAt.at_file_operations])
def test_killed_in_a_migration(
    memory: Path, arm: Callable[[KillAt], None], old: Callable[[Path], None], every: int
) -> None:
    """Killed at any statement or file operation of a migration and of the backup before it, the
    database is the old one or the new one, and the next start completes it (F4).
    """
    sweep(memory, old, _migrate, arm, every)


def _migrate(folder: Path) -> None:
    Store.open(folder / "metrics.db", repair_at=HOUR).close()


@pytest.mark.parametrize("every", [pytest.param(29, id="quick"), EVERY])
@pytest.mark.parametrize("backed_up", [False, True])
@pytest.mark.parametrize("arm", [KillAt.at_statements, KillAt.at_file_operations])
def test_killed_in_a_repair(
    memory: Path, arm: Callable[[KillAt], None], every: int, *, backed_up: bool
) -> None:
    """Killed at any moment while a damaged database is set aside and replaced, the next start
    finishes it, and nothing that could be read is missing (F4).
    """
    valid = memory / "valid"
    valid.mkdir()
    assert in_fork(lambda: support.scenario(valid)) == 0
    (valid / "metrics.db.clean").unlink()
    connection = sqlite3.connect(valid / "metrics.db", isolation_level=None)
    connection.execute("UPDATE total SET value = value + 1 WHERE agg_kind = 'Y'")
    connection.close()
    if not backed_up:
        for path in valid.glob("*.backup*"):
            path.unlink()

    def prepare(folder: Path) -> None:
        shutil.copytree(valid, folder, dirs_exist_ok=True)

    sweep(memory, prepare, _migrate, arm, every)


def test_every_statement_that_writes_seals(memory: Path) -> None:
    """Whatever writes a row writes its checksum: after the whole scenario every row verifies."""
    assert in_fork(lambda: support.scenario(memory)) == 0
    connection = database.open_reader(memory / "metrics.db")
    checksums.install(connection)
    assert check._broken_rows(connection, migrations.NEWEST) == {}
    connection.close()
