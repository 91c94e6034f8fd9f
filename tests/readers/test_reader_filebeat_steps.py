"""When Filebeat is started, ended and passed over, step by step, without a thread."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from engine.sources.filebeat import source as source_module
from engine.sources.filebeat.logs import is_given_to_filebeat, open_through
from engine.sources.filebeat.process import Event, Filebeat
from engine.sources.filebeat.source import FilebeatSource
from engine.sources.requests import Requests
from engine.sources.tail.folder import LogFolder
from engine.sources.tail.source import Tail
from lab.processes import wait_until
from tests.support.reading import CURRENT, FILEBEAT, PATTERN, ROOT, Ledger, line, lines

MINUTE = 60.0


class Clock:
    """The seconds that the source sees."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(source_module, "monotonic", made)
    return made


@pytest.fixture
def ledger() -> Ledger:
    return Ledger()


@pytest.fixture
def source(logs: Path, ledger: Ledger) -> Iterator[FilebeatSource]:
    folder = LogFolder(logs, PATTERN, ledger.positions.copy())
    made = FilebeatSource(folder, Requests(), ledger.take, str(FILEBEAT), logs.parent / "run")
    yield made
    made.end()
    made.watching.end()
    folder.close()
    made.requests.wake_up.close()


def test_at_once_then_after_ten_seconds_then_after_ten_minutes(
    source: FilebeatSource, clock: Clock
) -> None:
    """The first start after an end is at once, later ones 10 s apart; after five ends within ten
    minutes the built-in reader takes over, and Filebeat is tried every ten minutes (R13).
    """
    waits = []
    for _ in range(6):
        source._ended("it ended")
        source.look_at = clock.now + 3600
        waits.append((source.state, source.next_at() - clock.now))
        clock.now += MINUTE
    assert waits == [
        ("restarting", 0.0),
        *[("restarting", 10.0)] * 3,
        *[("fallback", 10 * MINUTE)] * 2,
    ]


def test_ends_that_are_long_ago_do_not_count(source: FilebeatSource, clock: Clock) -> None:
    """One that ends every eleven minutes is started again at once, however often."""
    for _ in range(7):
        source._ended("it ended")
        assert (source.state, source.next_at()) == ("restarting", clock.now)
        clock.now += 11 * MINUTE


def test_on_trial_until_it_sends_something(source: FilebeatSource) -> None:
    """One that was started while the built-in reader reads has not taken over yet."""
    source.state = "fallback"
    source.begin_turn()
    assert source.filebeat is not None
    assert source.state == "fallback"


def test_in_a_crowded_folder_it_is_not_used(source: FilebeatSource, logs: Path) -> None:
    """It is ended, and not started again while there are more logs than are read."""
    (logs / CURRENT).write_bytes(line(0))
    source.begin_turn()
    assert source.filebeat is not None
    for number in range(257):
        (logs / f"caddy_access_logs-{number:03}.json").write_bytes(line(number))
    source.look(1.0)
    for _ in range(2):
        source.begin_turn()
        assert (source.state, source.kind) == ("fallback", "tail")


def test_a_gap_between_events_is_read_and_counted_as_a_repair(
    source: FilebeatSource, logs: Path, ledger: Ledger
) -> None:
    """What lies before an event and was not brought comes from the log, first."""
    (logs / CURRENT).write_bytes(lines(range(5)))
    source.look(1.0)
    [open_log] = source.folder.open_logs.values()
    source.folder.cursor.identify(open_log)
    assert open_log.log_file is not None
    event = Event(str(logs / CURRENT), len(lines(range(2))), line(2))
    source._emit_event(event, open_log, open_log.log_file)
    assert ledger.applied == [line(0), line(1), line(2)]
    assert source.repairs == 1


def test_what_is_in_no_log_is_forgiven_for_what_is(source: FilebeatSource, logs: Path) -> None:
    """Byte for byte: Filebeat is ended for output that is mostly of no log."""
    (logs / CURRENT).write_bytes(lines(range(5)))
    source.look(1.0)
    source.begin_turn()
    filebeat = source.filebeat
    assert filebeat is not None
    path, size = str(logs / CURRENT), len(line(0))
    source._take(Event(path, 1, b"x" * 3 * size), filebeat)
    assert filebeat.unparsed == 3 * size
    source._take(Event(path, 0, line(0)), filebeat)
    assert filebeat.unparsed == 2 * size
    source._take(Event(path, size, lines(range(1, 5))), filebeat)
    assert filebeat.unparsed == 0


@pytest.mark.parametrize(("content", "silent"), [(b'{"ts":1}\n', False), (line(0), True)])
def test_of_a_log_of_a_few_bytes_no_event_is_expected(
    source: FilebeatSource, logs: Path, content: bytes, *, silent: bool
) -> None:
    """Filebeat leaves logs below 64 bytes alone: that it sends none of it is no silence."""
    (logs / CURRENT).write_bytes(content)
    source.folder.look(1.0)
    [open_log] = source.folder.open_logs.values()
    source.folder.cursor.identify(open_log)
    source._waits = {open_log.key: (0, 1.0)}
    source._read_late(open_log, 5.0)
    assert (source._silent_since is not None) == silent


def test_which_logs_it_is_given() -> None:
    """Those of the pattern, but for what it takes for no log, or cannot name in an event."""
    given = [
        name
        for name in ("a.json", "a.json.gz", "a.json.zst", "a\t.json", "a.txt")
        if is_given_to_filebeat(name, "a*json*")
    ]
    assert given == ["a.json"]


def test_of_what_it_has_open_only_logs_are_opened(source: FilebeatSource, logs: Path) -> None:
    """Files of the folder, by the name that they had: not its own log, not a library."""
    (logs / CURRENT).write_bytes(line(0))
    outside = logs.parent / "caddy_access_logs-outside.json"
    outside.write_bytes(line(1))
    descriptors = [os.open(path, os.O_RDONLY) for path in (logs / CURRENT, outside)]
    (logs / CURRENT).unlink()
    open_through(source.folder, [Path(f"/proc/self/fd/{one}") for one in descriptors])
    for one in descriptors:
        os.close(one)
    [open_log] = source.folder.open_logs.values()
    assert open_log.name == CURRENT
    assert open_log.read_at(0, 4096) == line(0)


# ------------------------------------------------------------------- the process


def test_an_event_that_comes_in_two_pieces(logs: Path, tmp_path: Path) -> None:
    """It is one event, once its end has come."""
    gate, program = tmp_path / "gate", tmp_path / "filebeat"
    os.mkfifo(gate)
    program.write_text(
        "#!/bin/sh\n"
        "printf '7\\t/l/a.json\\tbegin'\n"
        f"read go < {gate}\n"
        "printf 'end\\n'\n"
        f"read forever < {gate}\n"
    )
    program.chmod(0o755)
    filebeat = Filebeat(str(program), logs, PATTERN, tmp_path / "run")
    try:
        output = select.poll()
        output.register(filebeat.output, select.POLLIN)
        assert output.poll(30_000)
        assert filebeat.read_events() == []
        gate.write_text("go\n")
        assert output.poll(30_000)
        assert filebeat.read_events() == [Event("/l/a.json", 7, b"beginend\n")]
    finally:
        filebeat.stop()


def test_it_ends_with_us(logs: Path, tmp_path: Path) -> None:
    """However suddenly we end: a kill leaves us no time to end it."""
    owner = subprocess.Popen(
        [sys.executable, "-c", _OWNER, FILEBEAT, logs, PATTERN, tmp_path / "run"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert owner.stdout is not None
    pid = int(owner.stdout.readline())
    program = Path(f"/proc/{pid}/exe")
    wait_until(lambda: _leads_to(program, FILEBEAT), "it runs", 30)
    os.kill(pid, signal.SIGSTOP)  # it does not see that nobody reads what it writes
    owner.send_signal(signal.SIGKILL)
    owner.wait()
    owner.stdout.close()
    try:
        wait_until(lambda: not _leads_to(program, FILEBEAT), "it has ended", 10)
    finally:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


_OWNER = """
import sys, time
from pathlib import Path
from engine.sources.filebeat.process import Filebeat
program, logs, pattern, base = sys.argv[1:]
print(Filebeat(program, Path(logs), pattern, Path(base)).process.pid, flush=True)
sys.stdin.read() or time.sleep(3600)
"""


def _leads_to(link: Path, program: Path) -> bool:
    try:
        return link.resolve(strict=True) == program.resolve()
    except OSError:
        return False


# ------------------------------------------------------------------- what is logged


def test_a_problem_is_logged_once_and_its_end_too(
    logs: Path, ledger: Ledger, caplog: pytest.LogCaptureFixture
) -> None:
    """However often the folder is looked into meanwhile."""
    caplog.set_level("INFO", "offspot-metrics")
    link = logs / CURRENT
    link.symlink_to("nowhere")
    tail = Tail(LogFolder(logs, PATTERN, {}), Requests(), ledger.take)
    try:
        for now in (1.0, 2.0, 3.0):
            tail.look(now)
        assert [text for text in caplog.messages if "symbolic link" in text] == caplog.messages
        assert len(caplog.messages) == 1
        link.unlink()
        for now in (4.0, 5.0):
            tail.look(now)
        assert caplog.messages[1:] == ["nothing is wrong with the logs any more"]
    finally:
        tail.watching.end()
        tail.folder.close()
        tail.requests.wake_up.close()
