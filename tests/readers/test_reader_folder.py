"""The folder at each look, step by step, without a thread: what is opened, closed, reported."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.runtime.loss import unfinished_logs
from engine.sources.file_systems import is_in_memory
from engine.sources.filebeat.process import Event, events_in
from engine.sources.model import Lost
from engine.sources.tail.folder import LogFolder
from engine.sources.tail.seen import seen
from tests.support.reading import CURRENT, PATTERN, Ledger, line, lines


class Looks:
    """A folder that is looked into and read when a test says so."""

    def __init__(self, logs: Path) -> None:
        self.ledger = Ledger()
        self.folder = LogFolder(logs, PATTERN, self.ledger.positions.copy())
        self.now = 0.0

    def look(self, seconds: float = 1.0) -> list[Lost]:
        """Look and read; what was said to be lost."""
        self.now += seconds
        messages = [*self.folder.look(self.now), *self.folder.read_new()]
        messages += [step for step in self.folder.rolls.steps() if step is not None]
        for message in messages:
            self.ledger.take(message)
        return [message for message in messages if isinstance(message, Lost)]

    def unfinished(self) -> list[bytes]:
        """The logs of which there is more to count, or may be."""
        return unfinished_logs(seen(self.folder), self.ledger.positions.log_files)


@pytest.fixture
def looks(logs: Path) -> Iterator[Looks]:
    made = Looks(logs)
    yield made
    made.folder.close()


def test_finished_logs_are_let_go(looks: Looks, logs: Path) -> None:
    """R14: of a thousand rotations a handful of files stays open, and as little in memory."""
    log = logs / CURRENT
    wanted = b""
    for roll in range(1000):
        data = lines(range(roll * 10, roll * 10 + 3))
        log.write_bytes(data)
        wanted += data
        assert looks.look() == []
        log.rename(logs / f"caddy_access_logs-{roll:04d}.json")
        if roll >= 2:
            (logs / f"caddy_access_logs-{roll - 2:04d}.json").unlink()
        assert len(looks.folder.open_logs) <= 3 + 10 + 1
        assert len(looks.folder.cursor.positions) <= 3 + 10 + 1
    assert looks.ledger.has(wanted)


def test_a_log_that_is_forgotten_is_read_again(looks: Looks, logs: Path) -> None:
    """As it is counted no more, its bytes are new when it comes back; else none of them is."""
    log, roll = logs / CURRENT, logs / "caddy_access_logs-1.json"
    log.write_bytes(lines(range(5)))
    looks.look()
    [log_id] = looks.ledger.positions.log_files
    for forgotten in (False, True):
        log.rename(logs.parent / "away")
        log.write_bytes(line(100))
        looks.look()
        looks.look(20)
        assert log_id not in looks.folder.cursor.positions
        if forgotten:
            looks.ledger.positions.forget([log_id])
            looks.folder.cursor.forget([log_id])
        (logs.parent / "away").rename(roll)
        looks.look()
        roll.rename(log)
        wanted = lines(range(5)) * (1 + forgotten)
        assert looks.ledger.has(wanted + line(100))


def test_a_torn_end_that_vanishes_is_lost(looks: Looks, logs: Path) -> None:
    """A last line that never became complete is a loss of its bytes, said when the log is gone."""
    roll = logs / "caddy_access_logs-1.json"
    roll.write_bytes(line(0) + line(1)[:77])
    looks.look()
    (logs / CURRENT).write_bytes(line(2))
    looks.look()
    roll.unlink()
    looks.look()
    assert looks.look(8) == [], "it may still be written to"
    assert looks.folder.lag_bytes == 77
    [lost] = looks.look(2)
    assert (lost.length, lost.at_least) == (77, False)
    assert looks.folder.lag_bytes == 0


def test_rolls_that_may_have_come_and_gone(looks: Looks, logs: Path) -> None:
    """Without events: a log that was rolled and deleted between two looks may not be the only one,
    and that is said; one that was rolled and is there is not.
    """
    log = logs / CURRENT
    for number in range(3):
        with log.open("ab") as stream:
            stream.write(line(2 * number))
        looks.look()
        with log.open("ab") as stream:
            stream.write(line(2 * number + 1))
        assert looks.look() == []
        log.rename(logs / f"caddy_access_logs-{number}.json")
    log.write_bytes(line(100))
    assert looks.look() == []
    with log.open("ab") as stream:
        stream.write(line(101))
    looks.look()
    roll = log.rename(logs / "caddy_access_logs-3.json")
    roll.unlink()
    log.write_bytes(line(200))
    [lost] = looks.look()
    assert (lost.length, lost.at_least) == (0, True)
    assert CURRENT in lost.name
    assert looks.look() == [], "once"


def test_a_log_cut_before_it_was_read_is_a_loss(looks: Looks, logs: Path) -> None:
    """What was seen in a log and gone before it was read is counted in bytes."""
    log = logs / CURRENT
    log.write_bytes(lines(range(10)))
    looks.look()
    with log.open("ab") as stream:
        stream.write(lines(range(10, 14)))
    looks.folder.look(looks.now)  # seen, not read
    log.write_bytes(lines(range(100, 102)))
    [lost] = looks.look()
    assert (lost.length, lost.at_least) == (len(lines(range(10, 14))), True)
    assert looks.ledger.has(lines([*range(10), 100, 101]))


def test_a_hundred_thousand_files(looks: Looks, logs: Path) -> None:
    """S20: the newest are read, a bounded number is held, and it is said."""
    source = logs / "source"
    for number in range(100_000):
        if number % 60_000 == 0:  # an inode has no more names than that
            source = logs / f"source-{number}"
            source.write_bytes(b"")
        os.link(source, logs / f"caddy_access_logs-{number}.json")
    (logs / CURRENT).write_bytes(lines(range(10)))
    looks.look()
    assert looks.ledger.has(lines(range(10)))
    assert len(looks.folder.open_logs) <= 256
    assert looks.folder.crowded
    assert "logs more than" in looks.folder.problems[""]


def test_permission_denied_then_granted(looks: Looks, logs: Path) -> None:
    """F16: what may not be read is said, and read as soon as it may be, compressed or not."""
    log, packed = logs / CURRENT, logs / "caddy_access_logs-1.json.gz"
    log.write_bytes(lines(range(5)))
    source = logs / "x"
    source.write_bytes(lines(range(100, 105)))
    packed.write_bytes(
        subprocess.run(["gzip", "-c", source], capture_output=True, check=True).stdout
    )
    nobody = 65534
    for path in (logs, log, packed):
        os.chown(path, nobody, nobody)
    for path in logs.parents:
        if path.stat().st_mode & 0o001 == 0:
            path.chmod(path.stat().st_mode | 0o011)
    log.chmod(0)
    packed.chmod(0)
    os.seteuid(nobody)
    try:
        looks.look()
        looks.look()
        assert "Permission denied" in looks.folder.problems[CURRENT]
        assert "may not be read" in looks.folder.problems[packed.name]
        assert looks.ledger.applied == []
        log.chmod(0o600)
        packed.chmod(0o600)
        looks.look()
        looks.look()
    finally:
        os.seteuid(0)
    assert looks.folder.problems == {}
    assert looks.ledger.has(lines(range(5)) + lines(range(100, 105)))


def test_a_damaged_roll_is_said(looks: Looks, logs: Path) -> None:
    """A roll that is and stays cut short counts up to there; what the rest held is not known."""
    source = logs / "x"
    source.write_bytes(lines(range(3000)))
    packed = subprocess.run(["gzip", "-c", source], capture_output=True, check=True).stdout
    (logs / "caddy_access_logs-1.json.gz").write_bytes(packed[: len(packed) // 2])
    (logs / CURRENT).write_bytes(line(5000))
    assert looks.look() == [], "it may be on its way"
    assert 500 < len(looks.ledger.applied) < 3000
    assert looks.look(59) == [], "still"
    [lost] = looks.look(1)
    assert lost.at_least
    assert looks.look(60) == [], "once"
    assert "cut short" in looks.folder.problems["caddy_access_logs-1.json.gz"]


def test_the_log_that_we_stopped_in_is_looked_for(looks: Looks, logs: Path) -> None:
    """Gone, it is a loss of unknown size; as a roll, compressed or not, it is there."""
    log = logs / CURRENT
    log.write_bytes(lines(range(5)))
    looks.look()
    [identity] = looks.unfinished()

    def missed() -> list[Lost]:
        again = Looks(logs)
        again.folder.missing = frozenset({identity})
        again.look()
        said = [m for m in again.folder.missed() if isinstance(m, Lost)]
        assert again.folder.missed() == [], "once"
        again.folder.close()
        return said

    assert missed() == []
    log.rename(logs / "caddy_access_logs-1.json")
    assert missed() == []
    subprocess.run(["gzip", logs / "caddy_access_logs-1.json"], check=True)
    assert missed() == []
    (logs / "caddy_access_logs-1.json.gz").unlink()
    assert missed() == [Lost(identity, 0, at_least=True)]
    shutil.rmtree(logs)
    again = Looks(logs)
    again.folder.missing = frozenset({identity})
    again.look()
    assert again.folder.missed() == [], "while the folder cannot be read, nothing is known"


def test_a_finished_log_is_not_waited_for(looks: Looks, logs: Path) -> None:
    """Nor a roll that grew at the same instant as its successor, nor one that was expected."""
    roll, log = logs / "caddy_access_logs-1.json", logs / CURRENT
    log.write_bytes(lines(range(5)))
    looks.look()
    [first] = looks.unfinished()
    with log.open("ab") as stream:
        stream.write(lines(range(5, 9)))
    log.rename(roll)
    log.write_bytes(lines(range(9, 12)))
    for path in (roll, log):
        os.utime(path, ns=(10**18, 10**18))
    looks.folder.missing = frozenset({first, b"gone"})
    looks.look()
    gone, second = looks.unfinished()
    assert gone == b"gone"
    assert second != first


def test_what_lies_in_memory(tmp_path: Path) -> None:
    """A tmpfs is known as such: after a boot and a graceful stop it may be empty."""
    assert is_in_memory(Path("/dev/shm"))
    assert not is_in_memory(Path("/proc"))
    assert not is_in_memory(tmp_path / "not there")


def test_events() -> None:
    """Lines that follow each other are one event; what is no event is measured."""
    output = b"0\t/l/a\tx\n2\t/l/a\t\ty\n9\t/l/a\tz\n0\t/l/b\tq\nfetching V2 controller: 3\n"
    events, garbage = events_in(output)
    assert events == [
        Event("/l/a", 0, b"x\n\ty\n"),
        Event("/l/a", 9, b"z\n"),
        Event("/l/b", 0, b"q\n"),
    ]
    assert garbage == len(b"fetching V2 controller: 3\n")


def test_sixteen_rolls_that_went_stay_open(looks: Looks, logs: Path) -> None:
    """However fast a visitor makes the proxy roll its log: those that came last, for ten seconds,
    and the newest log, which may still be written to.
    """
    for number in range(40):
        (logs / f"caddy_access_logs-{number:02}.json").write_bytes(line(number))
        looks.look(0.001)
    for roll in sorted(logs.iterdir()):
        roll.unlink()
        looks.look(0.001)
    names = sorted(open_log.name for open_log in looks.folder.open_logs.values())
    assert names == [f"caddy_access_logs-{number:02}.json" for number in range(40)][-17:]
    looks.look(10)
    assert [open_log.name for open_log in looks.folder.open_logs.values()] == [
        "caddy_access_logs-39.json"
    ]


@pytest.mark.parametrize(("many", "more"), [(256, 0), (257, 1), (300, 44)])
def test_256_logs_are_looked_at(looks: Looks, logs: Path, many: int, more: int) -> None:
    """The newest ones; how many more there are is said, and Filebeat is left out of it (S20)."""
    for number in range(many):
        path = logs / f"caddy_access_logs-{number:03}.json"
        path.write_bytes(line(number))
        os.utime(path, (1_000_000 + number, 1_000_000 + number))
    looks.look()
    assert len(looks.folder.open_logs) == 256
    assert looks.ledger.has(lines(range(more, many)))
    assert looks.folder.crowded is bool(more)
    said = looks.folder.problems.get("", "")
    assert f"there are {more} logs more than" in said if more else not said
