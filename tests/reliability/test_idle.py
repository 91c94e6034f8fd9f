"""S26: a process that sleeps while nothing happens, and counts a line soon after it was written."""

from __future__ import annotations

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


@pytest.mark.timeout(180)
@pytest.mark.parametrize("reader", READERS)
def test_it_sleeps_and_wakes_at_once(tmp_path: Path, reader: str) -> None:
    """S26: at most one wake-up a second while nothing happens, and a line counts within 0.3 s."""
    more = ["--filebeat", str(FILEBEAT)] if reader == "filebeat" else []
    with Serving(tmp_path, "--reader", reader, *more) as serve:
        pid = serve.process.pid
        serve.add(10)
        serve.wait(serve.counted(10))
        serve.wait(lambda: serve.metric("saves_total") >= 1)
        took = []
        for number in range(LINES):
            began = time.monotonic()
            serve.add(1, first=100 + number)
            serve.wait(serve.counted(11 + number))
            took.append(time.monotonic() - began)
        rates = []
        for _ in range(3):  # the last save, Filebeat's last word: it comes to rest
            before, began = wake_ups(pid), time.monotonic()
            assert not ends(pid, WATCHED_SECONDS)
            rates.append((wake_ups(pid) - before) / (time.monotonic() - began))
            if rates[-1] <= MAX_WAKE_UPS:
                break
        took.sort()
        measured(
            f"{reader}: {rates[-1]:.2f} wake-ups a second, "
            f"a line counts within {took[LINES // 2]:.3f} s"
        )
        assert min(rates) <= MAX_WAKE_UPS, rates
        assert took[LINES // 2] <= MAX_SECONDS, took
