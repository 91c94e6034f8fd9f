"""Real servers as child processes on free loopback ports, and waiting for what they do.

No process outlives its context manager, and nothing but a process started here is ever ended.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple, Self

LOOPBACK = "127.0.0.1"
START_SECONDS = 30.0
"""Long enough for a Raspberry Pi with a busy SD card; a normal start takes well under a second."""
STOP_SECONDS = 20.0
POLL_SECONDS = 0.02
API_POLL_SECONDS = 0.2
ANSWER_SECONDS = 30.0


class ChainError(Exception):
    """A server did not start, ended by itself, or did not do in time what was waited for."""


def missing_programs(*names: str) -> list[str]:
    """Those of the named programs that this machine does not have."""
    return [name for name in names if shutil.which(name) is None]


def free_port() -> int:
    """A port that nothing listens on at this moment."""
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        port: int = probe.getsockname()[1]
        return port


class Child(NamedTuple):
    """A running process, and the file that it prints to."""

    process: subprocess.Popen[bytes]
    output: Path | None = None


def wait_until(
    condition: Callable[[], bool],
    what: str,
    seconds: float,
    child: Child | None = None,
    poll_seconds: float = POLL_SECONDS,
) -> None:
    """Return as soon as `condition` holds; fail when time is up or the process has ended.

    Between two checks it waits for the process itself, so that its end is noticed at once.
    """
    deadline = time.monotonic() + seconds
    while not condition():
        ended = None
        if child is None:
            _no_process_to_wait_on(poll_seconds)
        else:
            with contextlib.suppress(subprocess.TimeoutExpired):
                ended = child.process.wait(timeout=poll_seconds)
        if ended is not None and not condition():
            raise ChainError(f"{what}: the process ended with {ended}\n{_end_of_output(child)}")
        if time.monotonic() > deadline:
            raise ChainError(f"{what}: not within {seconds:g} s\n{_end_of_output(child)}")


def stop(process: subprocess.Popen[bytes], seconds: float) -> int | None:
    """SIGTERM, then the exit code; None when it did not stop in time and was killed."""
    process.terminate()  # nothing, where it has ended
    try:
        return process.wait(timeout=seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        return None


def _no_process_to_wait_on(seconds: float) -> None:
    """Wait for a moment where only the state of files can be checked."""
    reader, writer = socket.socketpair()
    with reader, writer:
        reader.settimeout(seconds)
        with contextlib.suppress(TimeoutError):
            reader.recv(1)


def _end_of_output(child: Child | None) -> str:
    if child is None or child.output is None or not child.output.exists():
        return ""
    return child.output.read_text(encoding="utf-8", errors="replace")[-4000:]


def _answers(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection((LOOPBACK, port), timeout=1.0):
        return True
    return False


@dataclass
class Server:
    """A child process that listens on a free loopback port between __enter__ and __exit__."""

    folder: Path
    port: int = field(default=0, init=False)
    _process: subprocess.Popen[bytes] | None = field(default=None, init=False, repr=False)

    def _prepare(self) -> list[str]:
        """Write what the process needs for `self.port`; return its command."""
        raise NotImplementedError

    @property
    def output(self) -> Path:
        return self.folder / f"{type(self).__name__.lower()}.out"

    @property
    def address(self) -> tuple[str, int]:
        return LOOPBACK, self.port

    def _environment(self) -> dict[str, str]:
        home = str(self.folder / "home")
        return {**os.environ, "HOME": home, "XDG_DATA_HOME": home, "XDG_CONFIG_HOME": home}

    def __enter__(self) -> Self:
        self.folder.mkdir(parents=True, exist_ok=True)
        tries = 3  # another process may take the free port between our check and the start
        for attempt in range(1, tries + 1):
            self.port = free_port()
            command = self._prepare()
            with self.output.open("wb") as output:
                self._process = subprocess.Popen(
                    command,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    env=self._environment(),
                )
            try:
                wait_until(
                    lambda: _answers(self.port),
                    f"start of {command[0]}",
                    START_SECONDS,
                    Child(self._process, self.output),
                )
            except ChainError:
                self.stop()
                if attempt == tries:
                    raise
            else:
                break
        return self

    def __exit__(self, *_error: object) -> None:
        self.stop()

    def stop(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            stop(process, STOP_SECONDS)
