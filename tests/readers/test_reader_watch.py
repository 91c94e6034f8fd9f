"""The watch of a folder, event by event: what is opened, and what is said to be lost."""

import os
import resource
import select
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.sources.model import Lost
from engine.sources.tail import source as source_module
from engine.sources.tail import watch as watch_module
from engine.sources.tail.folder import LogFolder
from engine.sources.tail.watch import Life, Watch
from engine.sources.tail.watcher import Watcher, Watching
from lab.processes import wait_until
from tests.support.reading import CURRENT, PATTERN, Following, Ledger, line, lines

ROOM = 64
SOON = 0.3


class Events:
    """A watch whose events are taken when a test says so, and the names of what it opened."""

    def __init__(self, logs: Path, room: int = ROOM) -> None:
        self.logs = logs
        self.log = logs / CURRENT
        self.watch = Watch(logs, PATTERN, room)
        self.rolls = 0

    def roll(self, *, delete: bool = False) -> Path:
        """Write a log and rename it, as Caddy does."""
        self.rolls += 1
        self.log.write_bytes(line(self.rolls))
        path = self.log.rename(self.logs / f"caddy_access_logs-{self.rolls:03d}.json")
        if delete:
            path.unlink()
        return path

    def take(self) -> tuple[list[bytes], list[Lost]]:
        """The content of the logs that were opened, and what was lost."""
        self.watch.take()
        contents = []
        while self.watch.arrivals:
            arrival = self.watch.arrivals.popleft()
            contents.append(os.pread(arrival.descriptor, 4096, 0))
            os.close(arrival.descriptor)
        lost = list(self.watch.lost)
        self.watch.lost.clear()
        return contents, lost


@pytest.fixture
def events(logs: Path) -> Iterator[Events]:
    made = Events(logs)
    yield made
    made.watch.close()


def test_each_log_is_opened_at_its_birth(events: Events) -> None:
    """A log that is renamed and deleted after its events were taken can be read all the same."""
    events.log.write_bytes(b"")
    events.watch.take()
    events.log.write_bytes(line(0))
    events.log.rename(events.logs / "caddy_access_logs-1.json").unlink()
    assert events.take() == ([line(0)], [])


def test_a_log_that_came_and_went_is_said(events: Events) -> None:
    """Each of those that were deleted before their events were taken, with its name."""
    for _ in range(5):
        events.roll(delete=True)
    kept = events.roll()
    events.log.write_bytes(line(100))
    contents, lost = events.take()
    assert sorted(contents) == sorted([line(6), line(100)])
    assert [(at.name, at.length, at.at_least) for at in lost] == [
        (f"caddy_access_logs-{n:03d}.json", 0, True) for n in range(1, 6)
    ]
    kept.unlink()
    events.log.unlink()
    assert events.take() == ([], [])


def test_names_that_change_hands(events: Events) -> None:
    """Renamed onto each other, moved out and in, linked, no file: never a false loss."""
    events.roll().rename(events.logs / "caddy_access_logs-x.json")
    events.log.write_bytes(line(10))
    assert len(events.take()[0]) == 2
    events.log.rename(events.logs / "caddy_access_logs-x.json")  # the other one is gone by that
    outside = events.logs.parent / "outside.json"
    outside.write_bytes(line(20))
    outside.rename(events.log)
    os.link(events.log, events.logs / "caddy_access_logs-link.json")
    contents, lost = events.take()
    assert line(20) in contents
    assert lost == []
    events.log.rename(outside)
    (events.logs / "caddy_access_logs-folder.json").mkdir()
    (events.logs / "caddy_access_logs-symlink.json").symlink_to(outside)
    os.mkfifo(events.logs / "caddy_access_logs-pipe.json")
    (events.logs / "other.json").write_bytes(line(30))
    assert events.take()[1] == []
    for path in events.logs.iterdir():
        path.rmdir() if path.is_dir() and not path.is_symlink() else path.unlink()
    assert events.take() == ([], [])


def test_a_log_that_was_moved_away_before_it_was_opened_is_said(events: Events) -> None:
    """Out of the folder it is as lost as one that was deleted, once and for one look only; within
    it is one log under another name.
    """
    events.log.write_bytes(line(0))
    events.log.rename(events.logs.parent / "away.json")
    contents, lost = events.take()
    assert (contents, [(at.length, at.at_least) for at in lost]) == ([], [(0, True)])
    events.log.write_bytes(line(1))
    events.log.rename(events.logs / "caddy_access_logs-1.json")
    assert events.take() == ([line(1)], [])


def test_logs_that_nobody_took_are_closed(logs: Path) -> None:
    """A watch that ends leaves no descriptor behind."""
    before = set(os.listdir("/proc/self/fd"))  # noqa: PTH208 (names of descriptors)
    made = Events(logs)
    for _ in range(5):
        made.roll()
    made.watch.take()
    assert len(made.watch.arrivals) == 5
    made.watch.close()
    assert set(os.listdir("/proc/self/fd")) <= before  # noqa: PTH208


def test_a_watch_that_is_stopped_leaves_nothing_open(logs: Path) -> None:
    """Neither its events nor what its thread is stopped by."""
    before = set(os.listdir("/proc/self/fd"))  # noqa: PTH208 (names of descriptors)
    Watcher(Watch(logs, PATTERN, ROOM), lambda: None).stop()
    assert set(os.listdir("/proc/self/fd")) <= before  # noqa: PTH208


def test_another_folder_of_the_path_is_watched_anew(events: Events) -> None:
    """Before its event is taken, and after that; so is one that comes later."""
    events.logs.rename(events.logs.parent / "away")
    assert not events.watch.is_of_the_folder
    events.logs.mkdir()
    assert not events.watch.is_of_the_folder
    assert events.watch.alive
    assert events.watch.take(), "the reader looks for it at once"
    assert not events.watch.alive


def test_that_a_folder_cannot_be_watched_is_logged_once(
    logs: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Not at each look, while there is no descriptor left for its events."""
    watching = Watching(LogFolder(logs, PATTERN, {}), select.poll(), lambda: None)
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    free = os.dup(0)
    os.close(free)
    resource.setrlimit(resource.RLIMIT_NOFILE, (free, limits[1]))
    try:
        for _ in range(3):
            watching.ensure()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    assert ["cannot be watched" in text for text in caplog.messages] == [True]
    watching.ensure()
    assert watching.descriptor >= 0
    watching.end()


def test_the_reader_is_told_of_what_was_opened_and_lost(logs: Path) -> None:
    """At once, by a thread of its own."""
    told = threading.Event()
    watcher = Watcher(Watch(logs, PATTERN, ROOM), told.set)
    try:
        (logs / CURRENT).write_bytes(line(0))
        assert told.wait(30)
        wait_until(lambda: len(watcher.watch.arrivals) == 1, "the log is open", 30)
    finally:
        watcher.stop()


@pytest.mark.parametrize("folder", ["/proc", "/sys"])
def test_events_of_other_file_systems_are_not_relied_on(folder: str) -> None:
    """Where others than this kernel write, or none does, there may be changes without an event."""
    try:
        watch = Watch(Path(folder), PATTERN, ROOM)
    except OSError as error:
        pytest.skip(f"{folder} is not here: {error}")
    assert not watch.trusted
    watch.close()


def test_each_is_read_or_said(logs: Path) -> None:
    """However fast logs are rolled: lines counted and logs said to be lost are all there were."""
    rolls = 2000
    with Following(logs, "tail") as following:
        following.wait_for(lambda: following.folder.watch is not None, "it watches")
        events = Events.__new__(Events)
        events.logs, events.log, events.rolls = logs, logs / CURRENT, 0
        names: list[Path] = []
        said: list[Lost] = []
        take = following.ledger.take
        following.reader.emit = lambda message: (
            said.append(message) if isinstance(message, Lost) else take(message)
        )
        watch = following.folder.watch
        assert watch is not None
        pause = threading.Event()
        for _ in range(rolls):
            while len(watch.arrivals) > watch.room // 2:  # as many as the reader takes
                pause.wait(0.001)
            names.append(events.roll())
            if len(names) > 2:
                names.pop(0).unlink()
        following.wait_for(
            lambda: len(following.ledger.applied) + len(said) >= rolls,
            "each is read or said",
            20.0,
        )
        assert len(following.ledger.applied) + len(said) == rolls
        assert following.ledger.applied


def test_a_log_that_was_listed_before_its_event_was_taken_is_not_lost(logs: Path) -> None:
    """The reader looks while the watch is behind: one log is read, or lost, never both."""
    ledger = Ledger()
    folder = LogFolder(logs, PATTERN, ledger.positions.copy())
    watch = folder.watch = Watch(logs, PATTERN, ROOM)
    events = Events.__new__(Events)
    events.logs, events.log, events.rolls = logs, logs / CURRENT, 0
    events.roll(delete=True)
    kept = events.roll()
    messages = folder.look(1.0)
    kept.unlink()
    watch.take()
    messages += [*folder.look(2.0), *folder.read_new()]
    for message in messages:
        ledger.take(message)
    assert ledger.has(line(2))
    assert [message.name for message in messages if isinstance(message, Lost)] == [
        "caddy_access_logs-001.json"
    ]
    watch.close()
    folder.close()


def test_an_overflow_is_said(events: Events, monkeypatch: pytest.MonkeyPatch) -> None:
    """IN_Q_OVERFLOW: what was missed is not known, what is there is found, later events hold."""
    limit = int(Path("/proc/sys/fs/inotify/max_queued_events").read_text())
    for _ in range(limit // 4 + 10):  # four events each
        events.roll(delete=True)
    kept = events.roll()
    monkeypatch.setattr(watch_module, "MAX_ROUNDS", limit)
    events.watch.take()
    assert any(lost.name == "(events were lost)" for lost in events.watch.lost)
    events.watch.lost.clear()
    assert kept.name in events.watch._lives
    while events.watch.arrivals:
        descriptor = events.watch.arrivals.popleft().descriptor
        if descriptor >= 0:
            os.close(descriptor)
    events.roll()
    assert events.take() == ([line(events.rolls)], [])


def test_nothing_is_judged_while_events_come(logs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many rounds: a name may lead to the next log by the time it is opened, so that which
    of them is open is known only once events have ceased.
    """

    class Rolling(Watch):
        """The proxy rolls before each log is opened and after it, and keeps one roll."""

        rolls = 0

        def _open_new(self) -> list[tuple[str, Life]]:
            self._roll()
            found = super()._open_new()
            self._roll()
            return found

        def _roll(self) -> None:
            if self.rolls < 9:
                self.rolls += 1
                (logs / CURRENT).rename(logs / "caddy_access_logs-roll.json")
                (logs / CURRENT).write_bytes(line(self.rolls))

    monkeypatch.setattr(watch_module, "MAX_ROUNDS", 2)
    watch = Rolling(logs, PATTERN, ROOM)
    (logs / CURRENT).write_bytes(line(0))
    for _ in range(4):
        watch.take()
    assert watch.rolls == 9
    opened = {os.pread(arrival.descriptor, 4096, 0) for arrival in watch.arrivals}
    assert len(opened) + len(watch.lost) == 10, "each is open, or said to be lost"
    watch.close()


def test_no_room(logs: Path) -> None:
    """Logs beyond the room are left to the reader, who says the size of what is gone by then."""
    ledger = Ledger()
    folder = LogFolder(logs, PATTERN, ledger.positions.copy(), max_open=3)
    folder.watch = Watch(logs, PATTERN, 1)
    folder.look(1.0)
    paths = []
    for number in range(3):
        paths.append(logs / f"caddy_access_logs-{number}.json")
        paths[-1].write_bytes(line(number))
    folder.watch.take()
    paths[1].unlink()
    messages = [*folder.look(2.0), *folder.read_new(), *folder.look(3.0)]
    for message in messages:
        ledger.take(message)
    assert [m for m in messages if isinstance(m, Lost)] == [
        Lost(b"", len(line(1)), at_least=True, name=paths[1].name)
    ]
    assert ledger.has(line(0) + line(2))
    folder.watch.close()
    folder.close()


def test_no_room_while_the_log_is_rolled(logs: Path) -> None:
    """A name that leads to the next log by the time it is looked at: neither is taken for lost."""

    class Rolling(Watch):
        """The proxy rolls just before a name is looked at, twice."""

        rolls = 0

        def _stat_new(self) -> dict[str, os.stat_result]:
            if self.rolls < 2:
                (logs / CURRENT).rename(logs / f"caddy_access_logs-{self.rolls}.json")
                self.rolls += 1
                (logs / CURRENT).write_bytes(line(self.rolls))
            return super()._stat_new()

    ledger = Ledger()
    folder = LogFolder(logs, PATTERN, ledger.positions.copy(), max_open=3)
    watch = folder.watch = Rolling(logs, PATTERN, room=0)
    (logs / CURRENT).write_bytes(line(0))
    for _ in range(3):  # the reader waits for counting meanwhile
        watch.take()
    assert watch.rolls == 2
    messages = [*folder.look(1.0), *folder.read_new(), *folder.look(2.0), *folder.read_new()]
    for message in messages:
        ledger.take(message)
    assert [message for message in messages if isinstance(message, Lost)] == []
    assert ledger.has(lines(range(3)))
    watch.close()
    folder.close()


def test_it_sleeps(logs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While nothing happens nobody looks; a line that comes then is read at once."""
    monkeypatch.setattr(source_module, "QUIET_LOOK_SECONDS", 3600.0)
    (logs / CURRENT).write_bytes(line(0))
    with Following(logs, "tail") as following:
        following.wait_for_lines(line(0))
        following.wait_for(
            lambda: following.reader.look_at - following.reader.looked_at > 60, "it sleeps"
        )
        with (logs / CURRENT).open("ab") as stream:
            stream.write(line(1))
        wait_until(lambda: len(following.ledger.applied) == 2, "the line", SOON * 10)


def test_a_change_without_an_event(logs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file system that changes without events is noticed, and looked into each second again."""
    monkeypatch.setattr(source_module, "QUIET_LOOK_SECONDS", 0.2)
    log = logs / CURRENT
    log.write_bytes(line(0))
    with Following(logs, "tail") as following:
        following.wait_for_lines(line(0))
        watching = following.reader.watching
        assert watching.is_relied_on
        # The system call that a writer elsewhere would make unseen: by a mount without its events.
        monkeypatch.setattr(watching, "announced", lambda: None)
        for number in (1, 2, 3):
            with log.open("ab") as stream:
                stream.write(line(number))
            following.wait_for_lines(lines(range(number + 1)))
        following.wait_for(lambda: not watching.is_relied_on, "it is noticed")


def test_events_of_every_kind_of_folder(tmp_path: Path) -> None:
    """On tmpfs as on a disk: the folder is watched, and its events are relied on."""
    for folder in (tmp_path, Path("/dev/shm")):
        watch = Watch(folder, PATTERN, 1)
        kind = subprocess.run(
            ["stat", "-f", "-c", "%T", folder], capture_output=True, text=True, check=True
        ).stdout.strip()
        assert watch.trusted, kind
        watch.close()
