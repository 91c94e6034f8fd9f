"""The first moments of the process, process 1, and no more threads."""

import errno
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.reliability.serving import ROOT, Serving
from tests.reliability.store_support import PACKAGES, wait_for
from tests.support.archive import PROGRAM, require_current

FILEBEAT = ROOT / "build" / "filebeat"
AS_PROCESS_1 = ("unshare", "--pid", "--fork", "--mount-proc", "--kill-child")
REFUSING = (sys.executable, "-I", str(ROOT / "tests/support/refusing.py"))
PROFILES = {"none": (), "refused": (*REFUSING, "rt_sigtimedwait", str(errno.EPERM))}
"""How signals are waited for, allowed and refused by a profile of the container engine."""
USER = 10001


def mask(pid: int, name: str) -> int:
    """A set of signals of a process."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0
    found = re.search(rf"^{name}:\s+([0-9a-f]+)$", status, re.M)
    return int(found[1], 16) if found else 0


def has(pid: int, name: str, number: int) -> bool:
    return bool(mask(pid, name) >> (number - 1) & 1)


def is_python(pid: int) -> bool:
    """Whether the shell that began the process has become Python."""
    return Path(f"/proc/{pid}/comm").read_text().startswith("python")


def children(pid: int) -> list[int]:
    """The children of a process."""
    try:
        return [int(p) for p in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def process_1(serving: Serving) -> int:
    """The process that is 1 in its namespace, as we see it."""
    wait_for(lambda: len(children(serving.process.pid)) > 0, 30)
    return children(serving.process.pid)[0]


@pytest.mark.parametrize("later", [0.0, 0.02, 0.05, 0.1, 0.2, 0.4])
def test_sigterm_in_the_first_moments(tmp_path: Path, later: float) -> None:
    """SIGTERM as soon as the program handles it, long before `serve` runs, and at moments of the
    start after that, ends it with 0 within 5 seconds and without a trace.
    """
    serving = Serving(tmp_path).begin()
    try:
        wait_for(lambda: has(serving.process.pid, "SigCgt", signal.SIGTERM), 30)
        time.sleep(later)
        code, seconds = serving.stop()
    finally:
        serving.end()
    assert (code, "Traceback" in serving.text()) == (0, False), serving.text()
    assert seconds < 5


@pytest.mark.parametrize("later", [0.0, 0.02, 0.05, 0.1, 0.2, 0.4])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_to_process_1_in_the_first_moments(
    tmp_path: Path, later: float, number: int
) -> None:
    """As process 1, to which the kernel gives no signal that is not handled, the same."""
    serving = Serving(tmp_path, under=AS_PROCESS_1).begin()
    try:
        first = process_1(serving)
        wait_for(lambda: len(children(first)) > 0, 30)
        if number == signal.SIGINT:  # Python has a handler for it from its beginning
            wait_for(lambda: has(first, "SigCgt", signal.SIGINT), 30)
        time.sleep(later)
        began = time.monotonic()
        os.kill(first, number)
        code = serving.process.wait(20)
    finally:
        serving.end()
    early = number == signal.SIGINT and code == 130
    assert code == 0 or early, serving.text()
    assert "Traceback" not in serving.text()
    assert time.monotonic() - began < 5


def test_a_signal_to_process_1_before_python_has_begun(tmp_path: Path) -> None:
    """The built file as process 1: SIGTERM while Python still loads itself waits, blocked, and ends
    `serve` with 0 within 5 seconds; no handler is there yet.
    """
    require_current()
    serving = Serving(tmp_path, under=AS_PROCESS_1)
    at = serving.command.index("-m")
    serving.command[at - 1 : at + 2] = [str(PROGRAM)]
    serving.begin()
    try:
        first = process_1(serving)
        wait_for(lambda: is_python(first) and has(first, "SigBlk", signal.SIGTERM), 30)
        began = time.monotonic()
        os.kill(first, signal.SIGTERM)
        assert serving.process.wait(20) == 0, serving.text()
    finally:
        serving.end()
    assert "Traceback" not in serving.text()
    assert time.monotonic() - began < 5


@pytest.mark.parametrize("profile", PROFILES)
def test_process_1_reaps_and_passes_signals_on(tmp_path: Path, profile: str) -> None:
    """As process 1 it counts, reaps orphans that others leave to it, reads the packages again on
    SIGHUP, and ends in order on SIGTERM with everything saved.
    """
    with Serving(tmp_path, under=(*AS_PROCESS_1, *PROFILES[profile])) as serving:
        first = process_1(serving)
        serving.add(5)
        serving.wait(serving.counted(5))
        enter = ("nsenter", f"--target={first}", "--pid", "--mount")
        for _ in range(3):
            subprocess.run(
                [*enter, "sh", "-c", "sh -c 'sleep 0.3; exit 3' & sh -c 'exit 1' &"], check=True
            )
        wait_for(lambda: len(children(first)) > 1, 10)
        wait_for(lambda: len(children(first)) == 1, 10)
        (tmp_path / "packages.yml").write_text(PACKAGES.replace("Games", "Plays"))
        os.kill(first, signal.SIGHUP)
        serving.wait(lambda: "Plays" in str(serving.status()["packages"]))
        os.kill(first, signal.SIGTERM)
        assert serving.process.wait(20) == 0, serving.text()
    assert not serving.database.with_name("metrics.db-wal").exists()


@pytest.mark.parametrize("profile", PROFILES)
def test_process_1_has_the_code_of_its_child(tmp_path: Path, profile: str) -> None:
    """An error of the start is the exit code of process 1; a kill of the child is seen, too."""
    under = (*AS_PROCESS_1, *PROFILES[profile])
    serving = Serving(tmp_path, "--reader", "nothing", under=under).begin()
    assert serving.process.wait(30) == 2
    with Serving(tmp_path, under=under) as running:
        (child,) = children(process_1(running))
        os.kill(child, signal.SIGKILL)
        assert running.process.wait(20) == 128 + signal.SIGKILL


@pytest.mark.parametrize(
    ("call", "code"), [("wait4", os.EX_SOFTWARE), ("pipe2", os.EX_IOERR), ("poll", os.EX_IOERR)]
)
def test_a_call_without_which_it_cannot_work(tmp_path: Path, call: str, code: int) -> None:
    """Where a profile refuses it, process 1 and the program end with a message and a way out."""
    under = (*AS_PROCESS_1, *REFUSING, call, str(errno.EPERM))
    serving = Serving(tmp_path, under=under).begin()
    try:
        if code == os.EX_SOFTWARE:  # it runs until process 1 is to pass a signal on
            first = process_1(serving)
            wait_for(lambda: "Dashboard" in serving.text(), 30)
            os.kill(children(first)[0], signal.SIGTERM)
        assert serving.process.wait(30) == code, serving.text()
    finally:
        serving.end()
    assert "Operation not permitted" in serving.text()
    assert "seccomp=unconfined" in serving.text()
    assert "Traceback" not in serving.text()


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that every user may enter."""
    made = Path(tempfile.mkdtemp(prefix="offspot-metrics-tests-"))
    made.chmod(0o755)
    yield made
    shutil.rmtree(made)


@pytest.mark.parametrize("processes", range(1, 11))
def test_no_thread_to_be_had(folder: Path, processes: int) -> None:
    """With any small number of threads and processes the start either works, or ends with 70, what
    is short, and what to do about it; never with a traceback.
    """
    shutil.copy2(PROGRAM, folder / "program")
    shutil.copy2(FILEBEAT, folder / "filebeat")
    (folder / "packages.yml").write_text("packages: []\n")
    (folder / "logs").mkdir()
    (folder / "data").mkdir()
    os.chown(folder / "data", USER, USER)
    python = "/usr/bin/python3"
    drop = ("setpriv", f"--reuid={USER}", f"--regid={USER}", "--clear-groups")
    command = [*drop, "prlimit", f"--nproc={processes}", python, "program", "serve"]
    command += ["--port", "0", "--packages", "packages.yml", "--logs", "logs"]
    command += ["--database", "data/metrics.db", "--filebeat", "./filebeat"]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log)
    try:
        wait_for(lambda: process.poll() is not None or "Dashboard" in _text(folder), 30)
        with suppress(AssertionError):  # there may be room for Filebeat, too
            wait_for(lambda: process.poll() is not None or "Filebeat" in _text(folder), 6)
        with suppress(subprocess.TimeoutExpired):  # it may be ending by itself
            process.wait(2)
        process.send_signal(signal.SIGTERM)
        code = process.wait(20)
    finally:
        process.kill()
        process.wait()
    said = _text(folder)
    assert "Traceback" not in said
    assert code in {0, 70}, said
    if code:
        assert "cannot be started: this user or container has as many" in said
        assert "ulimit -u" in said
    else:
        assert "ulimit -u" in said or "Filebeat" not in said, "what there was no room for"


def _text(folder: Path) -> str:
    return (folder / "log").read_text("utf-8", "replace")
