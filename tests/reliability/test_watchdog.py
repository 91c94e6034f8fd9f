"""The watchdog of systemd is fed through a real socket only while every thread moves."""

from __future__ import annotations

import ctypes
import os
import select
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self

from tests.reliability.serving import Serving
from tests.support.reading import FILEBEAT

ALLOWED_SECONDS = 0.6
"""WatchdogSec= of these tests."""
NEEDED = ("http", "reader", "timer")
FED = b"WATCHDOG=1"
_ATTACH, _DETACH = 16, 17  # PTRACE_
_ANY_THREAD = 0x40000000  # __WALL


class Manager:
    """The side of systemd: a socket that takes what the service reports."""

    def __init__(self, folder: Path) -> None:
        self.address = folder / "notify"
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(self.address))
        self.environment = {
            "NOTIFY_SOCKET": str(self.address),
            "WATCHDOG_USEC": str(int(ALLOWED_SECONDS * 1_000_000)),
        }

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def receive(self, seconds: float = 30.0) -> bytes:
        """The next message; empty when there is none for so long."""
        if not select.select([self._socket], [], [], seconds)[0]:
            return b""
        return self._socket.recv(500)

    def is_fed(self, times: int = 3) -> bool:
        """Whether the watchdog goes on being fed."""
        return all(self.receive(4 * ALLOWED_SECONDS) == FED for _ in range(times))

    def hear(self) -> str:
        """`fed` when the watchdog goes on being fed; else the last report, once nothing has come
        for twice the time that is allowed; `nothing` when nothing was reported.
        """
        reported, fed = "nothing", 0
        while message := self.receive(2 * ALLOWED_SECONDS):
            if message != FED:
                reported, fed = message.decode(), 0
            elif (fed := fed + 1) == 5:
                return "fed"
        return reported

    def drain(self) -> None:
        """Drop what has been reported by now."""
        while self.receive(0):
            pass


@contextmanager
def managed(folder: Path, *options: str, **environment: str) -> Iterator[tuple[Serving, Manager]]:
    """A running `serve` that feeds the watchdog."""
    with (
        Manager(folder) as manager,
        Serving(folder, *options, environment=manager.environment | environment) as serving,
    ):
        assert manager.receive().startswith(b"READY=1")
        assert manager.is_fed()
        yield serving, manager


@contextmanager
def stopped(thread: int) -> Iterator[None]:
    """The kernel runs this one thread no more, as a debugger has it."""
    ptrace = ctypes.CDLL(None, use_errno=True).ptrace
    ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
    ptrace.restype = ctypes.c_long
    assert ptrace(_ATTACH, thread, None, None) == 0, os.strerror(ctypes.get_errno())
    os.waitpid(thread, _ANY_THREAD)
    try:
        yield
    finally:
        ptrace(_DETACH, thread, None, None)


def threads_of(process: int) -> list[int]:
    """The kernel's numbers of the threads, the main thread's first."""
    return sorted(int(task.name) for task in Path(f"/proc/{process}/task").iterdir())


def hear_without(thread: int, manager: Manager) -> str:
    """What is reported while the thread is stopped: at a moment in which all wait, as one that runs
    Python code has the interpreter's lock, and with it stops the main thread.
    """
    while manager.receive(ALLOWED_SECONDS / 8):
        pass
    with stopped(thread):
        heard = manager.hear()
    manager.drain()
    assert manager.is_fed()
    return heard


def test_each_thread_that_is_stopped_ends_the_feeding(tmp_path: Path) -> None:
    """Reader, timer and HTTP thread are named when they are stopped; of the main thread nothing is
    heard any more. Others (the watch, the workers) are not needed. When a thread runs again, the
    watchdog is fed again.
    """
    heard = {}
    with managed(tmp_path) as (serving, manager):
        for thread in threads_of(serving.process.pid):
            for _ in range(3):
                heard[thread] = hear_without(thread, manager)
                if heard[thread] != "nothing" or thread == serving.process.pid:
                    break
        assert heard.pop(serving.process.pid) == "nothing"
        hanging = (f"STATUS=Not at work: the {name} thread hangs" for name in NEEDED)
        assert {*heard.values()} == {*hanging, "fed"}
        assert serving.stop()[0] == 0
        assert "the reader thread hangs: the service manager is given no more" in serving.text()


def test_a_log_folder_that_hangs_ends_the_feeding(tmp_path: Path) -> None:
    """As a network folder whose server is gone: looking into it never returns."""
    (tmp_path / "disk").mkdir()
    (tmp_path / "logs").mkdir()
    mount = ["bindfs", "-f", "-o", "attr_timeout=0,entry_timeout=0"]
    with subprocess.Popen([*mount, str(tmp_path / "disk"), str(tmp_path / "logs")]) as bindfs:
        try:
            while not os.path.ismount(tmp_path / "logs"):
                assert bindfs.poll() is None
                time.sleep(0.02)
            with managed(tmp_path) as (serving, manager):
                bindfs.send_signal(signal.SIGSTOP)
                try:
                    assert manager.hear() == "STATUS=Not at work: the reader thread hangs"
                    assert serving.get("/health/live")[0] == 200
                finally:
                    bindfs.send_signal(signal.SIGCONT)
                manager.drain()
                assert manager.is_fed()
        finally:
            subprocess.run(["fusermount", "-u", "-z", str(tmp_path / "logs")], check=False)
            bindfs.terminate()


def test_a_filebeat_that_hangs_does_not(tmp_path: Path) -> None:
    """What it does not bring is read from the log."""
    options = ("--reader", "filebeat", "--filebeat", str(FILEBEAT))
    with managed(tmp_path, *options) as (serving, manager):
        found = Path(f"/proc/{serving.process.pid}/task").glob("*/children")
        (child,) = [int(text) for path in found for text in path.read_text().split()]
        os.kill(child, signal.SIGSTOP)
        serving.add(4)
        serving.wait(serving.counted(4))
        manager.drain()
        assert manager.is_fed()


def test_a_dashboard_without_counting_is_watched_too(tmp_path: Path) -> None:
    """There are no reader and no timer then, and nobody waits for them."""
    with managed(tmp_path, PROCESSING_DISABLED="true") as (serving, manager):
        os.kill(serving.process.pid, signal.SIGSTOP)
        assert manager.hear() == "nothing"
        os.kill(serving.process.pid, signal.SIGCONT)
        assert manager.hear() == "fed"  # what was late may be reported first
