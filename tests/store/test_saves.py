"""When counting saves, and what a save that fails leaves: nothing is lost, nothing is doubled."""

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.errors import MetricsError
from engine.runtime.counting import CountingLoop
from engine.runtime.ticker import Tick
from engine.sources.model import Block, Gone, Lost, Rewound
from engine.store.repair import backup
from engine.store.store import Store
from tests.reliability import store_support as support
from tests.reliability.store_support import HOUR, UTC, Log, figures, line, minute


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with contextlib.closing(Store.open(tmp_path / "metrics.db", UTC)) as opened:
        yield opened


@pytest.fixture
def counting(store: Store, tmp_path: Path) -> CountingLoop:
    made = support.make_counting(store, tmp_path)
    made.begin(HOUR)
    return made


def at_work(counting: CountingLoop) -> Log:
    """A log of which something has been counted and saved."""
    log = Log(1)
    counting.take(log.block())
    assert counting.save(at=HOUR + 1)
    return log


# When


def test_lines_are_saved_after_a_minute(counting: CountingLoop) -> None:
    """Lines of a log that is known are saved within a minute, and not much earlier."""
    log = at_work(counting)
    counting.take(log.add(line(HOUR + 2, 2)).block())
    assert 50 < counting.due_in() <= 60


def test_the_first_save_comes_early(counting: CountingLoop, store: Store) -> None:
    """The first lines of a life are saved within two seconds: killed often, it gets on."""
    log = at_work(counting)
    again = support.make_counting(store, store.path.parent)
    again.begin(HOUR + 60)
    again.take(log.add(line(HOUR + 2, 2)).block())
    assert again.due_in() <= 2


def test_uptime_alone_waits_ten_minutes(counting: CountingLoop) -> None:
    """When only minutes of uptime came, they are saved after ten minutes; with lines, after one."""
    log = at_work(counting)
    counting.tick(minute(HOUR + 60))
    assert 590 < counting.due_in() <= 600
    counting.take(log.add(line(HOUR + 61, 2)).block())
    assert 50 < counting.due_in() <= 60
    assert counting.save(at=HOUR + 62)
    assert counting.due_in() == float("inf")


@pytest.mark.parametrize(("kib", "soon"), [(255, False), (256, True)])
def test_much_of_a_log_is_saved_soon(counting: CountingLoop, kib: int, *, soon: bool) -> None:
    """256 KiB of log are saved at once, two seconds after the last save at the earliest; less
    waits for the minute.
    """
    log = at_work(counting)
    bad = b"x" * 1023 + b"\n"
    counting.take(log.add(bad * kib).block())
    assert (counting.due_in() <= 2) is soon


def test_bytes_are_counted_again_after_a_save(counting: CountingLoop) -> None:
    """What has been saved does not make the next save earlier."""
    log = at_work(counting)
    bad = b"x" * 1023 + b"\n"
    for _ in range(2):
        counting.take(log.add(bad * 200).block())
        assert counting.due_in() > 50
        assert counting.save(at=HOUR + 2)


def test_a_new_log_is_saved_soon(counting: CountingLoop) -> None:
    """A rotation is saved at once: the rolled log may be deleted next."""
    at_work(counting)
    counting.take(Log(2).block())
    assert 0 < counting.due_in() <= 2


def test_the_end_of_an_hour_is_saved(counting: CountingLoop, store: Store) -> None:
    """When an hour ends, all of it is saved, and its states are records."""
    log = at_work(counting)
    counting.take(log.add(line(HOUR + 3599, 6)).block())
    assert store.reader().state_hours() == [HOUR]
    counting.tick(minute(HOUR + 3600))
    assert store.reader().state_hours() == []
    assert store.reader().record_hours() == [HOUR]
    assert store.get("saved_at") == HOUR + 3600
    visits = "SELECT sum(value) FROM record WHERE indicator_id = 1001"
    assert store.connection.execute(visits).fetchone()[0] == 1  # lines 1 and 6: one home
    assert counting.status.fates["counted"] == 2


@pytest.mark.parametrize("step", [-7200, -90, 90, 7200, 400 * 86400])
def test_a_step_of_the_clock_is_saved_before_it(
    counting: CountingLoop, store: Store, step: int
) -> None:
    """When the clock is set, what was counted before is saved first, under the old time, with the
    position that belongs to it, and the step is noted (D6).
    """
    log = at_work(counting)
    counting.take(log.add(line(HOUR + 30, 6)).block())
    trusted = counting.status.clock_trusted
    counting.status.clock_trusted = not trusted  # as it was before the step
    seen = support.instants_of_commits(store)
    with contextlib.closing(sqlite3.connect(store.path)) as other:
        states = other.execute("SELECT count(*) FROM state").fetchone()[0]
        counting.tick(Tick(HOUR + 60 + step, step, on=True, elapsed=60.0))
    store.connection.set_trace_callback(None)
    assert states
    assert seen[0] == HOUR + 60
    positions = [g.position for g in store.log_files().values()]
    assert positions == [len(log.content)]
    assert store.clock_steps() == [(HOUR + 60 + step, step)]
    assert counting.status.clock_trusted is trusted, "the kernel is asked again"
    newest = "SELECT trusted FROM clock_epoch ORDER BY started_at = ? DESC"
    assert store.connection.execute(newest, (HOUR + 60 + step,)).fetchone() == (trusted,)


def test_a_step_before_anything_was_counted(counting: CountingLoop, store: Store) -> None:
    """Also where nothing is to be saved, the kernel is asked about its clock after a step."""
    trusted = counting.status.clock_trusted
    counting.status.clock_trusted = not trusted
    counting._clock_was_set(Tick(HOUR + 7200, 7200, on=True, elapsed=60.0))
    assert counting.status.clock_trusted is trusted
    assert store.synchronised is (trusted is True)


def test_the_kernel_is_asked_at_each_save(counting: CountingLoop, store: Store) -> None:
    """What is counted after a save is of the clock as the kernel calls it since."""
    log = at_work(counting)
    truth = store.synchronised
    store.synchronised = not truth
    for number in (20, 30):
        counting.take(log.add(line(HOUR + number * 60, number)).block())
        assert counting.save(at=HOUR + number * 60 + 60)
    minutes = dict(
        store.connection.execute(
            "SELECT clock_epoch_id IS NULL, state FROM state JOIN origin ON origin.id = origin_id "
            "WHERE indicator_id = 1004"
        ).fetchall()
    )
    assert store.synchronised is truth
    assert minutes[int(not truth)] == 1 << 20
    assert minutes[int(truth)] & (1 << 30 | 1 << 20) == 1 << 30


def test_the_last_save_is_made_and_marked(counting: CountingLoop, store: Store) -> None:
    """At the end everything is saved, and that it was the end; the next start takes the mark away,
    so that a kill is never taken for an end.
    """
    log = at_work(counting)
    counting.take(log.add(line(HOUR + 2, 2)).block())
    counting.tick(minute(HOUR + 60))
    assert store.get("clean") == 0
    assert counting.save(at=HOUR + 61, last=True)
    assert store.get("clean") == 1
    assert store.reader().fates()["counted"] == 2
    assert store.reader().first_minute() == HOUR
    commits_before = store.commits
    assert counting.save(at=HOUR + 62, last=True)  # nothing new, and the end all the same
    assert store.commits == commits_before + 1
    again = support.make_counting(store, store.path.parent)
    again.begin(HOUR + 120)
    assert store.get("clean") == 0


def test_nothing_new_is_not_written(counting: CountingLoop, store: Store) -> None:
    """Without anything new no commit is made: the card is spared."""
    at_work(counting)
    before = store.commits
    assert counting.save(at=HOUR + 60)
    counting.save_if_due()
    assert store.commits == before


# A save that fails


def undisturbed(folder: Path) -> dict[str, object]:
    """The figures when nothing fails."""
    folder.mkdir()
    with contextlib.closing(Store.open(folder / "metrics.db", UTC)) as store:
        counting = support.make_counting(store, folder)
        counting.begin(HOUR)
        count_some(counting, at_work(counting))
        counting.take(Log(3).block())
        assert counting.save(at=HOUR + 200, last=True)
    return figures(folder / "metrics.db")


def count_some(counting: CountingLoop, log: Log) -> None:
    """Lines of two logs and three hours, and minutes of uptime."""
    counting.take(log.add(*(line(HOUR + 60 + n, n) for n in range(12))).block())
    counting.tick(minute(HOUR + 60))
    counting.take(Log(2).add(*(line(HOUR - 4000 + n * 600, n) for n in range(12))).block())
    counting.tick(minute(HOUR + 120))


def test_a_save_that_fails_keeps_everything(
    counting: CountingLoop, store: Store, tmp_path: Path
) -> None:
    """While another program holds the database nothing is saved and nothing is lost: visits,
    minutes, positions and fates are complete with the next save, each once. It is said, and tried
    again after a minute.
    """
    log = at_work(counting)
    store.shorten_timeouts()
    with contextlib.closing(sqlite3.connect(store.path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        count_some(counting, log)
        for _ in range(2):
            assert not counting.save(at=HOUR + 130)
        assert "locked" in counting.status.save_problem
        assert 50 < counting.due_in() <= 60
        assert counting.status.unsaved_since
        assert counting.status.fates["counted"] == 22
        other.execute("ROLLBACK")
    assert counting.save(at=HOUR + 200)
    assert counting.status.save_problem == ""
    assert not counting.status.unsaved_since
    assert counting.status.fates["counted"] == 22
    counting.take(Log(3).block())
    assert counting.due_in() <= 2, "as ever"
    assert counting.save(at=HOUR + 200)
    store.close()
    assert figures(store.path) == undisturbed(tmp_path / "other")


def test_a_save_that_fails_at_a_step_of_the_clock(
    counting: CountingLoop, store: Store, tmp_path: Path
) -> None:
    """What could not be saved when the clock was set is saved later, in its own hours."""
    log = at_work(counting)
    store.shorten_timeouts()
    with contextlib.closing(sqlite3.connect(store.path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        count_some(counting, log)
        counting.tick(Tick(HOUR + 86_400, 86_280, on=False, elapsed=60.0))
        other.execute("ROLLBACK")
    counting.take(Log(3).block())
    assert counting.save(at=HOUR + 86_400)
    store.close()
    found = figures(store.path)
    assert found == undisturbed(tmp_path / "other")


@pytest.fixture
def full(store: Store) -> Iterator[None]:
    """A database that may not grow any more, and two backups."""
    for _ in range(2):
        store.back_up()
    pages = store.connection.execute("PRAGMA page_count").fetchone()[0]
    store.connection.execute(f"PRAGMA max_page_count = {pages}")
    yield
    store.connection.execute("PRAGMA max_page_count = 1000000")


def test_on_a_full_disk_the_older_backup_gives_way(store: Store, full: None) -> None:
    """When there is no room for a save, the older backup goes, once and with the newest one kept;
    when that is not enough, the save fails with a message, and succeeds when there is room.
    """
    assert full is None
    path = store.path
    many = {(HOUR, 1001, f"{number:0500}"): 1 for number in range(100)}
    newest = backup.newest_path(path).read_bytes()
    assert backup.older_path(path).exists()
    with pytest.raises(MetricsError, match="the disk is full"):
        store.commit(many, running_hour=HOUR)
    assert not backup.older_path(path).exists()
    assert backup.newest_path(path).read_bytes() == newest
    with pytest.raises(MetricsError, match="the disk is full"):
        store.commit(many, running_hour=HOUR)
    assert backup.newest_path(path).read_bytes() == newest
    store.connection.execute("PRAGMA max_page_count = 1000000")
    store.commit(many, running_hour=HOUR)
    assert store.connection.execute("SELECT sum(state) FROM state").fetchone()[0] == 100


def test_a_purge_that_fails_changes_nothing(store: Store) -> None:
    """After a purge that could not be written, late lines still reach the periods that they are
    in, as before.
    """
    store.commit({(HOUR, 1001, "Bees"): 1})
    store.connection.execute(
        "CREATE TEMP TRIGGER stop BEFORE INSERT ON meta WHEN NEW.key = 'complete_from' "
        "BEGIN SELECT RAISE(ABORT, 'made to fail'); END"
    )
    with pytest.raises(MetricsError, match="made to fail"):
        store.purge(HOUR + 3600)
    assert store.reader().record_hours() == [HOUR]
    store.commit({(HOUR - 40 * 86_400, 1001, "Bees"): 2})
    assert store.reader().stored_labels("M") == ["2026-05", "2026-06"]
    assert store.problems() == []


# What is seen of it before it is saved


def test_the_status_does_not_wait_for_a_save(counting: CountingLoop) -> None:
    """Lines by fate and the newest line are those of this moment, not of the last save."""
    log = at_work(counting)
    counting.take(log.add(line(HOUR + 55, 6), b"no json\n").block())
    counting.take(log.add(line(HOUR + 40, 5)).block())
    assert counting.status.fates == {"counted": 2, "unmatched": 1, "not-json": 1}
    assert counting.status.last_line_at == HOUR + 55
    assert counting.status.saves == 1
    assert counting.save(at=HOUR + 60)
    counting.take(log.add(line(HOUR + 50, 0)).block())
    assert counting.status.last_line_at == HOUR + 55
    assert counting.status.fates["counted"] == 3


# What a save must remember


def test_an_end_without_packages_is_no_graceful_end(store: Store, tmp_path: Path) -> None:
    """Nothing was read then: what lies in the folder was not finished."""
    (tmp_path / "packages.yml").write_text("packages: [unfinished")
    counting = support.make_counting(store, tmp_path)
    counting.begin(HOUR)
    assert not counting.ready
    assert counting.save(at=HOUR, last=True)
    assert store.get("clean") == 0


def test_a_log_that_is_gone_and_had_nothing_that_counts_is_folded(
    counting: CountingLoop, store: Store
) -> None:
    """Its lines stay counted and its row goes: a visitor can make the proxy begin any number of
    logs. One with lines that count stays known, in case a copy of it comes back.
    """
    useful = at_work(counting).block()
    useless = Log(5).block()
    counting.take(useless)
    for block in (useful, useless):
        counting.take(Gone(block.log_id))
    assert counting.save(at=HOUR + 2)
    assert set(store.log_files()) == {useful.log_id}
    assert set(counting.positions.log_files) == {useful.log_id}
    assert +store.reader().fates() == {"counted": 1, "unmatched": 1}
    said: list[str] = []
    counting.tick(minute(HOUR + 60))
    store.connection.set_trace_callback(said.append)
    assert counting.save(at=HOUR + 60)
    store.connection.set_trace_callback(None)
    assert not [sql for sql in said if "DELETE FROM log_file" in sql], "once"
    counting.take(useless)  # it is there again, before it is saved once more
    counting.take(Gone(useless.log_id))
    counting.take(useless)
    assert counting.save(at=HOUR + 3)
    assert useless.log_id in counting.positions.log_files


def test_each_boot_is_noted_once(store: Store, tmp_path: Path) -> None:
    """A stretch of steady time begins at a boot, and goes on over restarts of the program."""
    many = "SELECT count(*), max(started_at) FROM clock_epoch"
    for now in (HOUR, HOUR + 60):
        support.make_counting(store, tmp_path).begin(now)
        assert store.connection.execute(many).fetchone() == (1, HOUR)
    store.put("boot_id", "another")
    support.make_counting(store, tmp_path).begin(HOUR + 120)
    assert store.connection.execute(many).fetchone() == (2, HOUR + 120)


def test_a_loss_is_saved_within_a_minute(counting: CountingLoop, store: Store) -> None:
    """Also when no line comes any more; a gap in what is handed on is one, and what is behind it
    is counted from there.
    """
    log = at_work(counting)
    counting.take(Lost(b"x" * 12, 5))
    assert 50 < counting.due_in() <= 60
    assert counting.save(at=HOUR + 2)
    assert store.get("lost_bytes") == 5
    whole = log.add(line(HOUR + 2, 2), line(HOUR + 3, 3)).block()
    last = line(HOUR + 3, 3)
    begin = whole.length - len(last)
    counting.take(Block(begin, last, len(last), last, whole.log_id, whole.name))
    assert counting.status.lost_bytes == 5 + len(line(HOUR + 2, 2))
    assert counting.status.fates["counted"] == 2
    counting.take(whole)
    assert counting.status.fates["counted"] == 2


def test_a_packages_file_that_is_missing_is_said_at_the_start(store: Store, tmp_path: Path) -> None:
    """Not only once it has come and gone."""
    counting = support.make_counting(store, tmp_path)
    (tmp_path / "packages.yml").unlink()
    counting.begin(HOUR)
    assert not counting.ready
    assert counting.status.packages_problem.endswith("packages.yml is not there")


def test_a_log_that_is_not_what_it_was_is_counted_where_it_is_new(
    counting: CountingLoop, store: Store
) -> None:
    """Read again from where it still agrees: up to where it was read, only lines earlier or later
    than all that was counted of it; and where it stands now is saved.
    """
    log = Log(0)
    log.content = b"".join(line(HOUR + 100 + n, 0) for n in range(0, 60, 10))
    block = log.block()
    counting.take(block)
    assert counting.save(at=HOUR + 200)
    counting.take(Rewound(block.log_id, log.name, 0))
    counting.tick(minute(HOUR + 240))
    assert counting.save(at=HOUR + 240)
    assert store.log_files()[block.log_id].position == 0
    assert counting.status.fates["counted"] == 6
    log.content = b"".join(line(HOUR + at, 0) for at in (100, 50, 120, 150, 151))
    counting.take(log.block())
    assert counting.status.fates["counted"] == 8, "those of 50 and 151"


def test_after_a_repair_a_log_that_is_not_known_is_in_doubt(store: Store, tmp_path: Path) -> None:
    """Its position may have been lost: of lines up to the repair none is counted again; a log that
    begins after it is counted whole.
    """
    store.put("unknown_until", HOUR + 200)
    counting = support.make_counting(store, tmp_path)
    counting.begin(HOUR + 300)
    for begin, counted in ((HOUR + 199, 1), (HOUR + 201, 4)):
        log = Log(0)
        log.content = line(begin, 0) + line(begin + 1, 0) + line(begin + 2, 0)
        counting.take(log.block())
        assert counting.status.fates["counted"] == counted


def test_an_hour_that_could_not_be_saved_is_not_tidied(
    counting: CountingLoop, store: Store
) -> None:
    """No backup is made, nor does its day begin again, before what has ended is in the database."""
    log = at_work(counting)
    counting.take(log.add(line(HOUR + 60, 2)).block())
    store.shorten_timeouts()
    counting.status.backup_age = 90_000
    with contextlib.closing(sqlite3.connect(store.path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        counting.tick(minute(HOUR + 3600))
        other.execute("ROLLBACK")
    assert backup.backups_of(store.path) == []
    assert counting.status.backup_age == 90_060


def test_steps_of_the_clock_are_told_oldest_first(store: Store) -> None:
    """Of the newest ones; a boot is no step."""
    for number in range(25):
        store.add_clock_epoch("boot", HOUR + number, number, None)
    assert store.clock_steps() == [(HOUR + number, number) for number in range(5, 25)]
    assert store.clock_steps(2) == [(HOUR + 23, 23), (HOUR + 24, 24)]
