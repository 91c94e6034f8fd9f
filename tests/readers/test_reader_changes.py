"""What becomes of one log: moved, cut, replaced, unreadable, closed for others; nothing of it is
lost unnoticed, counted twice, or reported for nothing.
"""

from __future__ import annotations

import gzip
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from engine.runtime.loss import unfinished_logs
from engine.sources.log_file import LogFile, log_file_id
from engine.sources.model import Block, Lost, Unopened
from engine.sources.tail.folder import LogFolder
from engine.sources.tail.listing import list_logs
from engine.sources.tail.open_log import OpenFiles, OpenLog
from engine.sources.tail.seen import seen
from engine.sources.tail.watch import Arrival, Life, Watch
from tests.readers.test_reader_folder import Looks
from tests.support.reading import CURRENT, PATTERN, line, lines

NOBODY = 65534
ROLL = "caddy_access_logs-1.json"
PACKED = f"{ROLL}.gz"


@pytest.fixture
def looks(logs: Path) -> Iterator[Looks]:
    made = Looks(logs)
    yield made
    made.folder.close()


@contextmanager
def as_nobody(logs: Path) -> Iterator[None]:
    """A user whose permissions count, who owns the logs."""
    for path in (logs, *logs.iterdir()):
        os.chown(path, NOBODY, NOBODY)
    for path in logs.parents:
        if path.stat().st_mode & 0o001 == 0:
            path.chmod(path.stat().st_mode | 0o011)
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


def append(log: Path, data: bytes) -> None:
    with log.open("ab") as stream:
        stream.write(data)


def key_of(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_dev, status.st_ino


def open_files(path: Path) -> int:
    """How many descriptors of this process lead to a file."""
    found = 0
    for link in Path("/proc/self/fd").iterdir():
        try:
            found += str(link.readlink()).removesuffix(" (deleted)") == str(path)
        except OSError:
            continue
    return found


def names_of(looks: Looks) -> list[str]:
    return sorted(log.name for log in looks.folder.open_logs.values())


# ------------------------------------------------------------------- names


def test_a_log_that_is_renamed_before_it_can_be_read(looks: Looks, logs: Path) -> None:
    """It is opened by the name that the look finds, and read though it is gone after that."""
    (logs / CURRENT).write_bytes(line(0))
    with as_nobody(logs):
        (logs / CURRENT).chmod(0)
        looks.look()
        (logs / CURRENT).rename(logs / ROLL).chmod(0o600)
        looks.folder.look(looks.now + 1)
        assert looks.folder.problems == {}, "it can be read"
        (logs / ROLL).unlink()
        assert looks.look() == []
    assert looks.ledger.has(line(0))


def test_a_log_that_is_renamed_while_the_folder_is_listed(looks: Looks, logs: Path) -> None:
    """An event has announced it, and the listing had neither name: it is waited for once."""
    elsewhere = logs.parent / "elsewhere"
    elsewhere.mkdir()
    looks.folder.watch = Watch(elsewhere, PATTERN, 1)  # no event but the one that is given here
    away = logs.parent / "away"
    away.write_bytes(line(0))
    looks.folder.watch.arrivals.append(Arrival(CURRENT, key_of(away), -1, 70, Life()))
    assert looks.look() == []
    away.rename(logs / ROLL)
    assert looks.look() == []
    assert looks.ledger.has(line(0))


def test_the_number_of_a_file_that_was_never_opened_is_used_again(looks: Looks, logs: Path) -> None:
    """The first one is lost, in what was seen of it; the second one is read."""
    looks.folder.watch = Watch(logs, PATTERN, 1)
    away = logs.parent / "away"
    away.write_bytes(line(1))
    key = key_of(away)
    looks.folder.watch.arrivals.append(Arrival(ROLL, key, -1, 70, Life()))
    assert looks.look() == []
    descriptor = os.open(away.rename(logs / CURRENT), os.O_RDONLY)
    size = len(line(1))
    looks.folder.watch.arrivals.append(Arrival(CURRENT, key, descriptor, size, Life()))
    assert looks.look() == [Lost(b"", 70, at_least=True, name=ROLL)]
    assert looks.ledger.has(line(1))


def test_a_log_that_comes_back_was_never_gone(looks: Looks, logs: Path) -> None:
    """It stays open however long ago it was away."""
    (logs / ROLL).write_bytes(line(0))
    (logs / CURRENT).write_bytes(line(1))
    looks.look()
    (logs / ROLL).rename(logs.parent / "away")
    looks.look()
    (logs.parent / "away").rename(logs / ROLL)
    looks.look()
    looks.look(60)
    assert looks.ledger.gone == []
    assert names_of(looks) == sorted([ROLL, CURRENT])


def test_that_a_log_is_gone_is_reported(looks: Looks, logs: Path) -> None:
    """By its id, once it is closed: its position may be forgotten some day."""
    (logs / ROLL).write_bytes(line(0))
    (logs / CURRENT).write_bytes(line(1))
    looks.look()
    (logs / ROLL).unlink()
    looks.look()
    assert looks.look(60) == []
    assert looks.ledger.gone == [log_file_id(line(0))]


def test_a_log_that_was_deleted_under_the_name_it_is_written_as_may_grow(
    looks: Looks, logs: Path
) -> None:
    """However long nothing comes, and though another log is newer: its proxy has it open."""
    with (logs / CURRENT).open("ab", buffering=0) as proxy:
        proxy.write(line(0))
        looks.look()
        proxy.write(line(1))
        looks.look()
        (logs / ROLL).write_bytes(line(100))
        looks.look()
        (logs / CURRENT).unlink()
        looks.look()
        looks.look(3600)
        proxy.write(line(2))
        looks.look()
    assert looks.ledger.has(lines([0, 1, 2, 100]))


def test_only_what_is_written_after_the_deletion_is_written_out_of_reach(
    looks: Looks, logs: Path
) -> None:
    """A log that grew and was deleted between two looks is none that is written to."""
    with (logs / CURRENT).open("ab", buffering=0) as proxy:
        proxy.write(line(0))
        looks.look()
        proxy.write(line(1))
        (logs / CURRENT).unlink()
        looks.look()
        assert looks.folder.problems == {}
        proxy.write(line(2))
        looks.look()
        assert "was deleted while the proxy writes to it" in looks.folder.problems[CURRENT]


# ------------------------------------------------------------------- content


def test_a_log_that_is_written_over_by_an_archive(looks: Looks, logs: Path) -> None:
    """What had not been read of it is lost, and it is closed."""
    log = logs / CURRENT
    log.write_bytes(lines(range(5)))
    looks.look()
    append(log, lines(range(5, 7)))
    looks.folder.look(looks.now + 1)
    assert open_files(log) == 1
    log.write_bytes(b"7z\xbc\xaf\x27\x1c" + bytes(2000))
    [lost] = looks.look()
    assert (lost.log_id, lost.length) == (log_file_id(line(0)), len(lines(range(5, 7))))
    assert lost.at_least
    assert open_files(log) == 0
    assert "7z" in looks.folder.problems[CURRENT]


def test_an_archive_that_comes_after_the_look_is_no_lines(looks: Looks, logs: Path) -> None:
    """The first bytes are looked at again where lines are read."""
    log = logs / CURRENT
    log.write_bytes(lines(range(5)))
    looks.folder.look(1.0)
    log.write_bytes(b"\x28\xb5\x2f\xfd" + b"x" * 500 + b"\n")
    assert [m for m in looks.folder.read_new() if isinstance(m, Block)] == []


def test_a_log_that_is_replaced_before_it_was_read(looks: Looks, logs: Path) -> None:
    """Its lines are those of another log, though as many bytes were known and none was read."""
    log = logs / CURRENT
    log.write_bytes(line(1))
    looks.folder.look(1.0)
    [open_log] = looks.folder.open_logs.values()
    looks.folder.cursor.identify(open_log)
    log.write_bytes(line(2))
    blocks = [m for m in looks.folder.read_new() if isinstance(m, Block)]
    assert [(block.log_id, block.data) for block in blocks] == [(log_file_id(line(2)), line(2))]


def test_a_log_that_was_copied_and_cut_has_lost_nothing(looks: Looks, logs: Path) -> None:
    """`copytruncate` of a log whose last line is not complete yet."""
    log = logs / CURRENT
    log.write_bytes(line(0) + line(1)[:50])
    looks.look()
    shutil.copy(log, logs / ROLL)
    log.write_bytes(line(2))
    assert looks.look() == []
    assert looks.ledger.has(lines([0, 2]))


def test_a_copy_goes_and_the_other_stays(looks: Looks, logs: Path) -> None:
    """A last line that is not complete is no loss as long as a copy of the log is there."""
    (logs / ROLL).write_bytes(line(0) + line(1)[:50])
    (logs / CURRENT).write_bytes(line(100))
    looks.look()
    shutil.copy(logs / ROLL, logs / "caddy_access_logs-copy.json")
    looks.look()
    (logs / ROLL).unlink()
    assert [*looks.look(), *looks.look(60)] == []
    assert ROLL not in names_of(looks)


def test_a_log_cut_within_what_was_counted(looks: Looks, logs: Path) -> None:
    """The lines that had been seen above the position, and were not read, are lost."""
    log = logs / CURRENT
    log.write_bytes(lines(range(10)))
    looks.look()
    append(log, lines(range(10, 14)))
    looks.folder.look(looks.now + 1)
    log.write_bytes(lines(range(5)))
    [lost] = looks.look()
    assert (lost.log_id, lost.length) == (log_file_id(line(0)), len(lines(range(10, 14))))


def test_a_loss_is_measured_from_the_log_that_is_there(looks: Looks, logs: Path) -> None:
    """Not from the largest size that a log of the same file had before."""
    log = logs / CURRENT
    log.write_bytes(lines(range(10)))
    looks.look()
    log.write_bytes(lines(range(100, 102)))
    looks.look()
    append(log, line(102))
    looks.folder.look(looks.now + 1)
    log.write_bytes(line(200))
    [lost] = looks.look()
    assert lost.length == len(line(102))


def test_a_line_that_ends_below_what_was_searched(looks: Looks, logs: Path) -> None:
    """A line without an end was searched; the log is cut below that, and a shorter line comes."""
    log = logs / CURRENT
    log.write_bytes(line(0) + b"x" * 2000)
    looks.look()
    looks.look()
    log.write_bytes(line(0) + line(1))
    looks.look()
    assert looks.ledger.has(lines([0, 1]))


def test_a_log_is_read_up_to_an_offset(looks: Looks, logs: Path) -> None:
    """What lies behind it is left to the event that brings it."""
    (logs / CURRENT).write_bytes(lines(range(5)))
    looks.folder.look(1.0)
    [open_log] = looks.folder.open_logs.values()
    read = [*looks.folder.cursor.read_log(open_log, until=len(lines(range(3))))]
    assert [m.data for m in read if isinstance(m, Block)] == [lines(range(3))]


# ------------------------------------------------------------------- which are open, and order


def test_logs_are_read_oldest_first(looks: Looks, logs: Path) -> None:
    """By the time at which they were last written, whatever they are called."""
    names = [f"caddy_access_logs-{number * 7 % 20:02}.json" for number in range(20)]
    for number, name in enumerate(names):
        (logs / name).write_bytes(line(number))
        os.utime(logs / name, (1_000_000 + number, 1_000_000 + number))
    assert [found.name for found in list_logs(logs, PATTERN).logs] == names
    looks.look()
    assert looks.ledger.applied == [line(number) for number in range(20)]


def test_a_log_that_is_closed_for_others_stays_closed_until_it_changes(logs: Path) -> None:
    """It was compared with what was counted before; what is new in it is read."""
    folder = LogFolder(logs, PATTERN, {}, max_open=3)
    for number in range(4):
        (logs / f"caddy_access_logs-{number}.json").write_bytes(line(number))
    for now in (1.0, 2.0):
        folder.look(now)
        assert len([*folder.read_new()]) == (4 if now == 1.0 else 0)
    opened = folder.files.opened
    folder.look(3.0)
    assert [*folder.read_new()] == []
    assert folder.files.opened == opened
    append(logs / "caddy_access_logs-0.json", line(10))
    folder.look(4.0)
    assert [m.data for m in folder.read_new() if isinstance(m, Block)] == [line(10)]
    folder.close()


def test_a_closed_log_that_may_not_be_opened_again_has_not_been_searched(logs: Path) -> None:
    """What was written to it meanwhile is read as soon as it may be."""
    folder = LogFolder(logs, PATTERN, {}, max_open=3)
    paths = [logs / f"caddy_access_logs-{number}.json" for number in range(4)]
    for number, path in enumerate(paths):
        path.write_bytes(line(number))
    with as_nobody(logs):
        folder.look(1.0)
        assert len([*folder.read_new()]) == 4
        [first] = [log for log in folder.open_logs.values() if log.name == paths[0].name]
        assert first.descriptor < 0
        append(paths[0], line(10))
        paths[0].chmod(0)
        for now in (2.0, 3.0):
            folder.look(now)
            assert [*folder.read_new()] == []
        paths[0].chmod(0o600)
        folder.look(4.0)
        assert [m.data for m in folder.read_new() if isinstance(m, Block)] == [line(10)]
    folder.close()


def test_an_error_that_is_over_is_no_problem_any_more(looks: Looks, logs: Path) -> None:
    """From the look at which the log can be opened, before anything of it is read."""
    (logs / CURRENT).write_bytes(line(0))
    with as_nobody(logs):
        (logs / CURRENT).chmod(0)
        looks.look()
        assert "Permission denied" in looks.folder.problems[CURRENT]
        (logs / CURRENT).chmod(0o600)
        looks.folder.look(looks.now + 1)
        assert looks.folder.problems == {}


def test_another_file_of_the_name_is_not_opened(logs: Path) -> None:
    """A log that was replaced since it was listed is another log."""
    (logs / ROLL).write_bytes(line(0))
    (logs / CURRENT).write_bytes(line(1))
    replaced = OpenLog(logs, CURRENT, key_of(logs / ROLL), OpenFiles(8))
    assert not replaced.open()
    assert open_files(logs / CURRENT) == 0


def test_what_is_read_is_durable(looks: Looks, logs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of each log that is open, whatever others are, and of one before it is closed for others."""
    synced: list[str] = []
    fdatasync = os.fdatasync

    def watched(descriptor: int) -> None:
        fdatasync(descriptor)
        synced.append(Path(os.readlink(f"/proc/self/fd/{descriptor}")).name)  # noqa: PTH115

    monkeypatch.setattr(os, "fdatasync", watched)
    names = [f"caddy_access_logs-{number}.json" for number in range(4)]
    for number, name in enumerate(names):
        (logs / name).write_bytes(line(number))
    looks.folder.files.limit = 3
    looks.look()
    first, *others = looks.folder.open_logs.values()
    assert first.descriptor < 0
    assert first.name in synced
    synced.clear()
    looks.folder.sync()
    assert sorted(synced) == [log.name for log in others]


# ------------------------------------------------------------------- what was missed while down


def test_a_compressed_roll_that_is_not_read_yet_is_not_missed(looks: Looks, logs: Path) -> None:
    """Whether an unfinished log is there is known once all rolls are read."""
    (logs / PACKED).write_bytes(gzip.compress(lines(range(5))))
    (logs / CURRENT).write_bytes(line(100))
    looks.folder.missing = frozenset({log_file_id(line(0))})
    looks.folder.look(1.0)
    assert looks.folder.missed() == []
    looks.look()
    assert looks.folder.missed() == []
    assert looks.folder.missing == frozenset()


def test_a_log_that_could_not_be_opened_before_the_start(looks: Looks, logs: Path) -> None:
    """It is lost where neither it nor a compressed copy is there, which is reported once."""
    (logs / PACKED).write_bytes(gzip.compress(line(0)))
    looks.folder.unopened_before = (Unopened(1, 2, ROLL, 70), Unopened(1, 3, "other.json", 80))
    assert looks.look() == [Lost(b"", 80, at_least=True, name="other.json")]
    assert looks.look() == []


def test_sixteen_unfinished_logs_are_looked_for(looks: Looks, logs: Path) -> None:
    """At the next start; those that are still there speak for themselves."""
    for number in range(20):
        (logs / f"caddy_access_logs-{number:02}.json").write_bytes(line(number))
    looks.look()
    assert len(unfinished_logs(seen(looks.folder), {})) == 16


# ------------------------------------------------------------------- compressed rolls


def test_a_roll_that_is_put_right_is_read_again(looks: Looks, logs: Path) -> None:
    """Though it has the size and the time of before, as copies have that keep the time."""
    roll, packed = logs / PACKED, [gzip.compress(lines(range(n, n + 500))) for n in (0, 500)]
    for second in (bytes(len(packed[1])), packed[1]):  # room was made for all of it at first
        roll.write_bytes(packed[0] + second)
        os.utime(roll, (1_000_000, 1_000_000))
        looks.look()
    assert looks.ledger.has(lines(range(1000)))


def test_of_two_copies_of_a_roll_the_whole_one_counts(looks: Looks, logs: Path) -> None:
    """The one that is cut short goes: nothing is lost; where both go, it is lost once."""
    good = gzip.compress(lines(range(3000)))
    (logs / PACKED).write_bytes(good)
    (logs / "caddy_access_logs-2.json.gz").write_bytes(good[:-900])
    looks.look()
    (logs / "caddy_access_logs-2.json.gz").unlink()
    assert [*looks.look(), *looks.look()] == []
    (logs / "caddy_access_logs-3.json.gz").write_bytes(
        gzip.compress(lines(range(9000, 9999)))[:-900]
    )
    looks.look()
    (logs / "caddy_access_logs-3.json.gz").unlink()
    assert len(looks.look()) == 1
    assert looks.look() == []


def test_a_roll_that_is_refused_is_not_read_again(looks: Looks, logs: Path) -> None:
    """Until it changes."""
    (logs / PACKED).write_bytes(gzip.compress(gzip.compress(line(0))))
    looks.look()
    assert "gzip" in looks.folder.problems[PACKED]
    looks.folder.look(looks.now + 1)
    assert not looks.folder.rolls.busy


def test_a_shorter_copy_of_a_roll_has_nothing_new(looks: Looks, logs: Path) -> None:
    """Even where the log was read on at a place that this copy has, and from there once before."""
    known = LogFile(log_file_id(line(0)))
    first = lines(range(5))
    known.advance(len(first), first)
    known.resume_points.add(known.position)
    known.resumed = True
    known.advance(len(lines(range(10))), lines(range(5, 10)))
    looks.folder.cursor.closed[known.id] = known.as_position()
    (logs / PACKED).write_bytes(gzip.compress(lines(range(7))))
    looks.look()
    assert looks.ledger.applied == []
    assert looks.ledger.rewound == 0
