"""S26: a process that sleeps while nothing happens, and counts a line soon after it was written."""

from __future__ import annotations

import contextlib
import os
import select
import time
from pathlib import Path

import pytest

from tests.reliability.serving import Serving
from tests.support.measured import measured
from tests.support.reading import FILEBEAT, READERS

WATCHED_SECONDS = 12.0
MAX_WAKE_UPS = 1.0
MAX_SECONDS = 0.3
LINES = 9


def wake_ups(pid: int) -> int:
    """How often the threads of a process have gone to sleep."""
    found = 0
    for task in Path(f"/proc/{pid}/task").iterdir():
        for text in (task / "status").read_text().splitlines():
            if text.startswith("voluntary_ctxt_switches:"):
                found += int(text.split()[1])
    return found


def ends(pid: int, seconds: float) -> bool:
    """Whether a process ends within so many seconds."""
    descriptor = os.pidfd_open(pid)
    try:
        poll = select.poll()
        poll.register(descriptor, select.POLLIN)
        return bool(poll.poll(seconds * 1000))
    finally:
        os.close(descriptor)


class Idle:
    """A program that has counted some lines, and what it does while nothing happens."""

    def __init__(self, folder: Path, reader: str) -> None:
        folder.mkdir()
        more = ["--filebeat", str(FILEBEAT)] if reader == "filebeat" else []
        self.reader = reader
        self.serve = Serving(folder, "--reader", reader, *more)
        self.took: list[float] = []
        self.rates: list[float] = []

    @property
    def is_at_rest(self) -> bool:
        """Whether it slept as it should, in one of the times that it was watched."""
        return min(self.rates, default=MAX_WAKE_UPS + 1) <= MAX_WAKE_UPS

    def count_lines(self) -> None:
        """How long each line takes until it is counted."""
        self.serve.add(10)
        self.serve.wait(self.serve.counted(10))
        self.serve.wait(lambda: self.serve.metric("saves_total") >= 1)
        for number in range(LINES):
            began = time.monotonic()
            self.serve.add(1, first=100 + number)
            self.serve.wait(self.serve.counted(11 + number))
            self.took.append(time.monotonic() - began)
        self.took.sort()


def watch(programs: list[Idle]) -> None:
    """How often each wakes up, in a while in which nobody asks for anything."""
    before = [(wake_ups(idle.serve.process.pid), time.monotonic()) for idle in programs]
    assert not ends(programs[0].serve.process.pid, WATCHED_SECONDS)
    for idle, (count, began) in zip(programs, before, strict=True):
        now = wake_ups(idle.serve.process.pid)
        idle.rates.append((now - count) / (time.monotonic() - began))


@pytest.mark.timeout(180)
def test_it_sleeps_and_wakes_at_once(tmp_path: Path) -> None:
    """S26: with either reader at most one wake-up a second while nothing happens, and a line counts
    within 0.3 s. Both are watched in the same seconds.
    """
    programs = [Idle(tmp_path / reader, reader) for reader in READERS]
    with contextlib.ExitStack() as stack:
        for idle in programs:
            stack.enter_context(idle.serve)
            idle.count_lines()
        for _ in range(3):  # the last save, Filebeat's last word: they come to rest
            watch(programs)
            if all(idle.is_at_rest for idle in programs):
                break
    for idle in programs:
        measured(
            f"{idle.reader}: {idle.rates[-1]:.2f} wake-ups a second, "
            f"a line counts within {idle.took[LINES // 2]:.3f} s"
        )
        assert idle.is_at_rest, (idle.reader, idle.rates)
        assert idle.took[LINES // 2] <= MAX_SECONDS, (idle.reader, idle.took)
