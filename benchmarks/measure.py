"""Measuring: child processes with their time and memory, several sides turn by turn, medians."""

from __future__ import annotations

import os
import resource
import statistics
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

import psutil

LOOK_SECONDS: Final = 0.02


@dataclass(frozen=True)
class Sample:
    """Figures of one side, one per run."""

    values: tuple[float, ...]

    @property
    def median(self) -> float:
        """The one in the middle."""
        return statistics.median(self.values)

    def against(self, peer: Sample) -> tuple[float, ...]:
        """The peer's time by ours, turn by turn: both sides of a turn met the same machine."""
        return tuple(theirs / ours for ours, theirs in zip(self.values, peer.values, strict=True))


@dataclass(frozen=True)
class Run:
    """One run of a command."""

    seconds: float
    peak_bytes: int
    """The most memory that the process and its children had at a time, shared pages once."""


def turn_by_turn(sides: Mapping[str, Callable[[], float]], runs: int) -> dict[str, Sample]:
    """Run each side `runs` times, one after the other, so that all meet the same machine."""
    figures: dict[str, list[float]] = {name: [] for name in sides}
    for _ in range(runs):
        for name, side in sides.items():
            figures[name].append(side())
    return {name: Sample(tuple(found)) for name, found in figures.items()}


def timed(command: Sequence[str], processor: list[float] | None = None) -> float:
    """Seconds from start to end of a command; its output goes nowhere.

    The processor time that it and its children used is put into `processor`.
    """
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    begun = time.perf_counter()
    done = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, check=False)
    seconds = time.perf_counter() - begun
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        raise RuntimeError(f"{command[0]} ended with {done.returncode}: {done.stderr[-500:]!r}")
    if processor is not None:
        processor.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return seconds


def watched(command: Sequence[str]) -> Run:
    """The same, with the peak of memory."""
    begun = time.perf_counter()
    peak = 0
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as process:
        waiter = threading.Thread(target=process.communicate)
        waiter.start()
        while waiter.is_alive():
            peak = max(peak, memory_of(process.pid))
            waiter.join(LOOK_SECONDS)
    if process.returncode:
        raise RuntimeError(f"{command[0]} ended with {process.returncode}")
    return Run(time.perf_counter() - begun, peak)


def family(pid: int) -> list[psutil.Process]:
    """A process and all below it; none when it has ended."""
    try:
        process = psutil.Process(pid)
        return [process, *process.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def memory_of(pid: int) -> int:
    """Bytes of memory of a process and its children; a page that n share counts 1/n for each."""
    total = 0
    for member in family(pid):
        with suppress(psutil.Error):
            total += member.memory_full_info().pss
    return total


def wake_ups(pid: int) -> int:
    """How often the threads of a process and its children have been put to sleep so far."""
    total = 0
    for member in family(pid):
        with suppress(psutil.Error):
            for thread in member.threads():
                total += psutil.Process(thread.id).num_ctx_switches().voluntary
    return total


def cpu_seconds(pid: int) -> float:
    """Processor time of a process and its children so far."""
    return sum(own_cpu_seconds(member.pid) for member in family(pid))


def own_cpu_seconds(pid: int) -> float:
    """Processor time of a process without its children so far; none of one that has ended."""
    try:
        times = psutil.Process(pid).cpu_times()
    except psutil.NoSuchProcess:
        return 0.0
    return float(times.user + times.system)


def load() -> float:
    """How many processes want to run at the moment, on average over a minute."""
    return os.getloadavg()[0]
