"""B7, F6-F11: whatever Filebeat does or is, each line counts once and we stop in time."""

import contextlib
import os
import shutil
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from engine.sources.filebeat import source as source_module
from engine.sources.model import Message
from lab.processes import wait_until
from tests.reliability.hostile import SILENT, SPOILT, install
from tests.support.reading import CURRENT, FILEBEAT, Following, Ledger, line, lines

STOP_SECONDS = 5.0


@pytest.fixture
def logs(tmp_path: Path) -> Path:
    if not FILEBEAT.exists():
        pytest.fail("build/filebeat is not there: make filebeat")
    folder = tmp_path / "logs"
    folder.mkdir()
    return folder


def write_and_roll(logs: Path, following: Following, rolls: int, parts: int = 4) -> bytes:
    """Lines into a log that is rolled, two rolls kept, at the pace of the reading."""
    wanted, log = b"", logs / CURRENT
    for roll in range(rolls):
        for part in range(parts):
            data = lines(range(roll * 1000 + part * 50, roll * 1000 + part * 50 + 50))
            with log.open("ab") as stream:
                stream.write(data)
            wanted += data
            following.wait_for_lines(wanted)
        log.rename(logs / f"caddy_access_logs-{roll:03d}.json")
        if roll >= 2:
            (logs / f"caddy_access_logs-{roll - 2:03d}.json").unlink()
    return wanted


def seconds_to_stop(following: Following) -> float:
    began = time.monotonic()
    following.stop()
    return time.monotonic() - began


@pytest.mark.parametrize("mode", SPOILT)
def test_spoilt_events(logs: Path, tmp_path: Path, mode: str) -> None:
    """Events dropped, repeated, moved, swapped, cut, mixed with others, invented: counts exact."""
    log = logs / CURRENT
    log.write_bytes(lines(range(5000, 5300)))
    (logs / "caddy_access_logs-other.json").write_bytes(lines(range(6000, 6300)))
    before = lines(range(5000, 5300)) + lines(range(6000, 6300))
    with Following(logs, "filebeat", filebeat=install(tmp_path, mode, FILEBEAT)) as following:
        following.wait_for_lines(before)
        log.rename(logs / "caddy_access_logs-old.json")
        log.write_bytes(lines(range(7000, 7200)))
        following.wait_for(lambda: following.ledger.applied.count(line(7199)) == 1, "the last line")
        following.wait_for(lambda: following.folder.lag_bytes == 0, "all is read")
    wanted = before + lines(range(7000, 7200))
    assert following.ledger.has(wanted), following.ledger.differences(wanted)


@pytest.mark.parametrize("mode", SILENT)
def test_no_events_at_all(logs: Path, tmp_path: Path, mode: str) -> None:
    """Silent, ended, flooding, full of complaints: lines are counted, memory stays bounded,
    it is not started more than once a second, and the stop is in time.
    """
    program = install(tmp_path, mode, FILEBEAT)
    began, peak = time.monotonic(), _peak_kib()
    with Following(logs, "filebeat", filebeat=program) as following:
        write_and_roll(logs, following, rolls=1, parts=2)
        took = time.monotonic() - began
        assert following.reader.restarts <= 2 + took / 10
        if mode not in {"nothing", "complains"}:
            assert following.reader.restarts >= 1
        assert seconds_to_stop(following) < STOP_SECONDS
    assert _peak_kib() - peak < 64 * 1024


def _peak_kib() -> int:
    for text in Path("/proc/self/status").read_text().splitlines():
        if text.startswith("VmHWM:"):
            return int(text.split()[1])
    raise AssertionError("no VmHWM")


def test_killed(logs: Path) -> None:
    """F6: kill -9 of Filebeat; lines go on being read at once, a new one runs within seconds."""
    log = logs / CURRENT
    log.write_bytes(lines(range(100)))
    with Following(logs, "filebeat") as following:
        first = following.wait_for_filebeat()
        os.kill(first, signal.SIGKILL)
        with log.open("ab") as stream:
            stream.write(lines(range(100, 200)))
        following.wait_for_lines(lines(range(200)))
        following.wait_for_filebeat(but=first)
        with log.open("ab") as stream:
            stream.write(lines(range(200, 300)))
        following.wait_for_lines(lines(range(300)))
        assert following.reader.restarts == 1


def test_it_gives_way_to_us(logs: Path) -> None:
    """Filebeat is ten steps nicer than we are: logs are opened in time though it has much to do."""
    (logs / CURRENT).write_bytes(lines(range(100)))
    with Following(logs, "filebeat") as following:
        theirs = os.getpriority(os.PRIO_PROCESS, following.wait_for_filebeat())
        assert theirs == min(19, os.getpriority(os.PRIO_PROCESS, 0) + 10)


def test_hangs(logs: Path) -> None:
    """F7: a stopped Filebeat: its lines are read within seconds, and it is replaced within 25."""
    log = logs / CURRENT
    log.write_bytes(lines(range(100)))
    with Following(logs, "filebeat") as following:
        first = following.wait_for_filebeat()
        following.wait_for_lines(lines(range(100)))
        os.kill(first, signal.SIGSTOP)
        stopped = time.monotonic()
        with log.open("ab") as stream:
            stream.write(lines(range(100, 200)))
        following.wait_for_lines(lines(range(200)))
        following.wait_for_filebeat(but=first)
        assert time.monotonic() - stopped < 25.0
        assert following.reader.repairs >= 1
        assert not Path(f"/proc/{first}").exists()


@pytest.mark.parametrize("what", ["missing", "not executable", "another architecture", "a folder"])
def test_cannot_be_run(logs: Path, tmp_path: Path, what: str) -> None:
    """F8: it is tried again with pauses, the built-in reader reads, and what is wrong is logged."""
    program = tmp_path / "filebeat"
    if what == "a folder":
        program.mkdir()
    elif what != "missing":
        shutil.copy(FILEBEAT, program)
        program.chmod(0o644 if what == "not executable" else 0o755)
    if what == "another architecture":
        with program.open("r+b") as stream:
            stream.seek(18)
            stream.write(b"\xf7\x00")  # the machine of the ELF header: one for which none is built
    with Following(logs, "filebeat", filebeat=program) as following:
        write_and_roll(logs, following, rolls=2)
        assert following.reader.kind == "tail"
        assert following.reader.state in {"restarting", "fallback"}
        assert 1 <= following.reader.restarts <= 4


def test_fallback_and_back(
    logs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """R13: after five ends the built-in reader takes over; Filebeat is tried again, once at a
    time, and is the reader again when it works. (With pauses of seconds instead of minutes.)
    """
    monkeypatch.setattr(source_module, "RESTART_SECONDS", 0.1)
    monkeypatch.setattr(source_module, "RETRY_SECONDS", 1.0)
    program = install(tmp_path, "exits1", FILEBEAT)
    log = logs / CURRENT
    log.write_bytes(lines(range(100)))
    with Following(logs, "filebeat", filebeat=program) as following:
        following.wait_for(lambda: following.reader.state == "fallback", "fallback")
        assert following.reader.restarts == 5
        with log.open("ab") as stream:
            stream.write(lines(range(100, 200)))
        following.wait_for_lines(lines(range(200)))
        following.wait_for(lambda: following.reader.restarts >= 7, "it is tried again")
        assert following.reader.state == "fallback"
        repaired = tmp_path / "repaired"
        repaired.symlink_to(FILEBEAT)
        repaired.replace(program)
        following.wait_for(lambda: following.reader.state == "running", "Filebeat reads again")
        with log.open("ab") as stream:
            stream.write(lines(range(200, 300)))
        following.wait_for_lines(lines(range(300)))
    assert sum("takes over" in text for text in caplog.messages) >= 1


def test_stubborn(logs: Path, tmp_path: Path) -> None:
    """F11: one that ignores SIGINT is killed with its whole group, and the stop is within 5 s."""
    program = install(tmp_path, "stubborn", FILEBEAT)
    with Following(logs, "filebeat", filebeat=program) as following:
        following.wait_for(lambda: following.filebeat_pid is not None, "it runs")
        pid = following.filebeat_pid
        assert pid is not None
        following.wait_for(lambda: _ignores_sigint(pid), "it ignores SIGINT")
        following.wait_for(lambda: len(_group_of(pid)) > 1, "it has a child")
        group = _group_of(pid)
        assert seconds_to_stop(following) < STOP_SECONDS
        wait_until(lambda: not any(map(_is_alive, group)), "the whole group has ended", 5)


def _group_of(pid: int) -> list[int]:
    """The processes of the group that a process leads."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError, IndexError):
            fields = path.read_text().rpartition(")")[2].split()
            if int(fields[2]) == pid:
                found.append(int(path.parent.name))
    return found


def _is_alive(pid: int) -> bool:
    """Whether a process runs; one that has ended and that nobody has waited for does not."""
    with contextlib.suppress(OSError, IndexError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False


def _ignores_sigint(pid: int) -> bool:
    status = Path(f"/proc/{pid}/status").read_text().splitlines()
    ignored = next(text for text in status if text.startswith("SigIgn:"))
    return bool(int(ignored.split()[1], 16) >> (signal.SIGINT - 1) & 1)


def test_left_over(logs: Path, tmp_path: Path) -> None:
    """F10: a Filebeat that outlived an earlier start is ended; one of somebody else is not."""
    log = logs / CURRENT
    log.write_bytes(lines(range(10)))
    first = Following(logs, "filebeat", ledger=Ledger())
    other_logs = tmp_path / "other" / "logs"
    shutil.copytree(logs, other_logs)
    with Following(other_logs, "filebeat") as other, first:
        left_over, others = first.wait_for_filebeat(), other.wait_for_filebeat()
        with Following(logs, "filebeat") as beside:  # while the first one lives, it is no left-over
            beside.wait_for_filebeat()
            assert _runs(left_over)
        assert first.filebeat is not None
        first.filebeat.run_folder.release()  # as a process that is killed does
        with Following(logs, "filebeat") as second:
            second.wait_for_lines(lines(range(10)))
            second.wait_for(lambda: not _runs(left_over), "the left-over is ended")
            assert _runs(others)
            assert others == other.filebeat_pid


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(") ", 1)[1][0] != "Z"
    except OSError:
        return False


@pytest.mark.parametrize("reader", ["tail", "filebeat"])
def test_a_full_queue(logs: Path, reader: str) -> None:
    """While counting stands still the reader waits, Filebeat too; nothing is lost of it, and the
    stop, with the queue emptied, is within 5 s.
    """
    ledger, room = Ledger(), threading.Semaphore(0)

    def emit(message: Message) -> None:
        room.acquire()
        ledger.take(message)

    (logs / CURRENT).write_bytes(lines(range(30_000)))
    with Following(logs, reader, ledger=ledger, emit=emit) as following:

        def some_lines() -> bool:
            room.release()  # one message at a time, of as many lines as it happens to have
            return len(ledger.applied) > 100

        following.wait_for(some_lines, "some lines")
        read = len(ledger.applied)
        assert read < 30_000
        began = time.monotonic()
        following.requests.stop()
        opener = threading.Thread(target=_open_until(room, following.thread))
        opener.start()
        following.thread.join(30.0)
        opener.join(30.0)
        assert time.monotonic() - began < STOP_SECONDS
    room.release(100_000)
    with Following(logs, reader, ledger=ledger) as following:
        following.wait_for_lines(lines(range(30_000)))


def _open_until(room: threading.Semaphore, thread: threading.Thread) -> Callable[[], None]:
    def run() -> None:
        while thread.is_alive():
            room.release()
            thread.join(0.002)

    return run


def test_descriptors_stay_few(logs: Path) -> None:
    """R14: Filebeat closes deleted logs itself within seconds, so no planned restart is needed."""
    log = logs / CURRENT
    wanted = b""
    with Following(logs, "filebeat") as following:
        for roll in range(7):
            data = lines(range(roll * 100, roll * 100 + 20))
            log.write_bytes(data)
            wanted += data
            following.wait_for_lines(wanted)
            log.rename(logs / f"caddy_access_logs-{roll:03d}.json")
            if roll >= 2:
                (logs / f"caddy_access_logs-{roll - 2:03d}.json").unlink()
        log.write_bytes(line(5000))
        pid = following.wait_for_filebeat()
        following.wait_for(lambda: _open_logs(pid, logs) <= 6, "Filebeat has closed old logs")
        following.wait_for(lambda: len(following.folder.open_logs) <= 3, "so have we")
        assert following.reader.restarts == 0


def _open_logs(pid: int, logs: Path) -> int:
    links = []
    for path in Path(f"/proc/{pid}/fd").iterdir():
        try:
            links.append(str(path.readlink()))
        except OSError:
            continue
    return sum(link.startswith(f"{logs}/") for link in links)


def test_a_log_that_only_filebeat_has_seen(logs: Path) -> None:
    """A log that came and went between two looks is read through Filebeat's own descriptor."""
    secret = logs / "caddy_access_logs-short.json"
    (logs / CURRENT).write_bytes(line(0))
    with Following(logs, "filebeat") as following:
        pid = following.wait_for_filebeat()
        following.wait_for_lines(line(0))
        look = following.folder.look
        following.folder.look = lambda now: []  # type: ignore[method-assign]  # noqa: ARG005
        secret.write_bytes(lines(range(100, 150)))
        following.wait_for(lambda: _open_logs(pid, logs) >= 2, "Filebeat has it open")
        secret.unlink()
        following.folder.look = look  # type: ignore[method-assign]
        following.wait_for_lines(line(0) + lines(range(100, 150)))
