"""However a log is cut over files, packings, runs and processes, the same records come of it."""

from __future__ import annotations

import gzip
from collections.abc import Sequence
from contextlib import closing
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.pipeline import Pipeline, Tally
from engine.replay import Replay, Summary
from engine.store.store import Store
from tests.properties.drawing import (
    PACKAGES,
    QUICK,
    Row,
    examples,
    log_lines,
    logs,
    records_at_once,
    records_of,
    several_logs,
)
from tests.support.memory import memory_folder

NOW = 1_781_500_000
cuts = st.lists(st.integers(0, 2**16), max_size=5)


def replay(database: Path, paths: Sequence[Path], jobs: int = 1) -> Summary:
    """One run of `replay` into a database."""
    with closing(Store.open(database)) as store:
        counting = Replay(store, PACKAGES, jobs=jobs, check_overlap=False)
        summary = counting.run([str(path) for path in paths], NOW)
    assert not summary.errors
    return summary


def records_in(database: Path) -> list[Row]:
    """The records of a database."""
    with closing(Store.open(database)) as store:
        return records_of(store)


def cut_at_lines(log: bytes, places: Sequence[int]) -> list[bytes]:
    """A log in parts of whole lines."""
    lines = log.splitlines(keepends=True)
    at = sorted({place % (len(lines) + 1) for place in places} | {0, len(lines)})
    return [b"".join(lines[begin:end]) for begin, end in pairwise(at)]


@examples(100, logs(), cuts)
def test_parts_of_a_log_merge_to_the_whole(log: bytes, places: list[int]) -> None:
    """Tallies of parts, added in any order, are the tally of the whole."""
    pipeline = Pipeline(PACKAGES)
    at_once = pipeline.count(log)
    for parts in (cut_at_lines(log, places), cut_at_lines(log, places)[::-1]):
        tally = Tally()
        for part in parts:
            tally.add(pipeline.count(part))
        assert tally.states == at_once.states
        assert tally.fates == at_once.fates
        assert (tally.first_at, tally.last_at) == (at_once.first_at, at_once.last_at)


@examples(25, logs(), cuts)
def test_a_log_that_grows_between_runs(log: bytes, places: list[int]) -> None:
    """Cut anywhere, within lines too, and read again and again while it grows: as if at once."""
    lengths = sorted(place % (len(log) + 1) for place in places)
    with memory_folder("splitting-") as place:
        path, database = place / "log.json", place / "m.db"
        fates = 0
        for length in [*lengths, len(log)]:
            path.write_bytes(log[:length])
            fates += replay(database, [path]).fates.total()
        assert fates == log.count(b"\n")
        assert records_in(database) == records_at_once(log)


@examples(
    40, logs(3), st.lists(st.integers(0, 2), max_size=12), st.lists(st.integers(0, 15), max_size=6)
)
def test_equal_lines_are_counted_each(begin: bytes, again: list[int], places: list[int]) -> None:
    """Where lines have neither ports nor parts of a second, wherever earlier readings ended."""
    lines = begin.splitlines(keepends=True)
    lines += [lines[1 + number % (len(lines) - 1)] for number in again if lines[1:]]
    with memory_folder("splitting-") as place:
        path, database = place / "log.json", place / "m.db"
        fates = 0
        for number in [*sorted(place % (len(lines) + 1) for place in places), len(lines)]:
            path.write_bytes(b"".join(lines[:number]))
            fates += replay(database, [path]).fates.total()
        assert fates == len(lines)
        assert records_in(database) == records_at_once(b"".join(lines))


@examples(25, several_logs(), st.data())
def test_logs_in_any_order_grouping_and_packing(parts: list[bytes], data: st.DataObject) -> None:
    """Several files, in several runs, some packed, some given twice: as one log at once."""
    order = data.draw(st.permutations(range(len(parts))))
    twice = data.draw(st.lists(st.sampled_from(range(len(parts))), max_size=3))
    with memory_folder("splitting-") as place:
        paths: list[Path] = []
        for number in [*order, *twice]:
            path = place / f"{len(paths)}.log"
            content = parts[number]
            path.write_bytes(gzip.compress(content, 1) if data.draw(st.booleans()) else content)
            paths.append(path)
        split = data.draw(st.integers(0, len(paths)))
        for run in (paths[:split], paths[split:]):
            replay(place / "m.db", run)
        assert records_in(place / "m.db") == records_at_once(b"".join(parts))


@examples(25, several_logs(), st.data())
def test_known_logs_joined_with_new_ones(parts: list[bytes], data: st.DataObject) -> None:
    """Some logs are counted, then all of them as one file made with `cat`, in any order."""
    known = data.draw(st.lists(st.sampled_from(parts), unique=True))
    order = data.draw(st.permutations(parts))
    with memory_folder("splitting-") as place:
        for number, content in enumerate(known):
            (place / f"{number}.json").write_bytes(content)
            replay(place / "m.db", [place / f"{number}.json"])
        joined = place / "cat.json"
        joined.write_bytes(b"".join(order))
        replay(place / "m.db", [joined])
        assert records_in(place / "m.db") == records_at_once(b"".join(parts))


@examples(25, several_logs(), st.data())
def test_half_read_logs_joined_with_a_new_one(parts: list[bytes], data: st.DataObject) -> None:
    """Logs are counted half, then the halves and one more as one file, then all of them whole."""
    # No line is in two logs: if one were where both readings ended, nobody could tell whose it is.
    parts = [
        part.replace(b'"duration":0.00123', b'"duration":%d.25' % number)
        for number, part in enumerate(parts)
    ]
    begun = []
    for part in parts:
        lines = part.splitlines(keepends=True)
        begun.append(b"".join(lines[: data.draw(st.integers(1, len(lines)))]))
    new = begun.pop()
    joined = b"".join([*data.draw(st.permutations(begun)), new]) if begun else new
    with memory_folder("splitting-") as place:
        contents = [*begun, joined, *data.draw(st.permutations(parts)), joined]
        for number, content in enumerate(contents):
            packed = data.draw(st.booleans())
            path = place / f"{number}.json"
            path.write_bytes(gzip.compress(content, 1) if packed else content)
            replay(place / "m.db", [path])
        assert records_in(place / "m.db") == records_at_once(b"".join(parts))


@given(logs(), st.lists(st.integers(2, 4), min_size=1, max_size=3))
@settings(QUICK, max_examples=15)
def test_a_log_joined_with_itself(log: bytes, times: list[int]) -> None:
    """Any number of times in one file, known before or not."""
    with memory_folder("splitting-") as place:
        known = log if len(log) < 4096 else b""  # so short a one is told from equal lines if known
        for number, content in enumerate([known, *(log * n for n in times)]):
            (place / f"{number}.json").write_bytes(content)
            replay(place / "m.db", [place / f"{number}.json"])
        assert records_in(place / "m.db") == records_at_once(log)


@given(logs(), st.integers(1, 3))
@settings(QUICK, max_examples=15)
def test_replaying_again_changes_nothing(log: bytes, times: int) -> None:
    """Not a record, not a figure, not a line counted."""
    with memory_folder("splitting-") as place:
        path, database = place / "log.json", place / "m.db"
        path.write_bytes(log)
        replay(database, [path])
        before = records_in(database)
        for _ in range(times):
            assert replay(database, [path]).fates.total() == 0
        assert records_in(database) == before


@given(logs(200), st.sampled_from([2, 3]))
@settings(QUICK, max_examples=6)
def test_processes_make_no_difference(log: bytes, jobs: int) -> None:
    """A packed log counted by several processes is the log counted by one."""
    with memory_folder("splitting-") as place:
        (place / "log.gz").write_bytes(gzip.compress(log))
        replay(place / "m.db", [place / "log.gz"], jobs)
        assert records_in(place / "m.db") == records_at_once(log)


@given(logs(), st.lists(log_lines, min_size=1, max_size=5), st.integers(0, 2**16))
@settings(QUICK, max_examples=20)
def test_a_shorter_copy_adds_nothing(log: bytes, more: list[bytes], place_of_cut: int) -> None:
    """A copy from before, cut anywhere, comes after the log that has grown."""
    grown = log + b"".join(more)
    with memory_folder("splitting-") as place:
        now, then = place / "now.json", place / "then.json"
        now.write_bytes(grown)
        then.write_bytes(log[: place_of_cut % (len(log) + 1)])
        replay(place / "m.db", [now])
        assert replay(place / "m.db", [then, now]).fates.total() == 0
        assert records_in(place / "m.db") == records_at_once(grown)


@pytest.mark.full
@given(several_logs(400), st.data())
@settings(QUICK, max_examples=150)
def test_logs_in_any_order_at_full_size(parts: list[bytes], data: st.DataObject) -> None:
    """Long logs, anchors and all: joined, cut, packed, in any order."""
    with memory_folder("splitting-") as place:
        for turn in range(2):
            for number in data.draw(st.permutations(range(len(parts)))):
                length = len(parts[number])
                if not turn:
                    length = data.draw(st.integers(0, length))
                content = parts[number][:length]
                path = place / f"{turn}-{number}"
                packed = data.draw(st.booleans())
                path.write_bytes(gzip.compress(content, 1) if packed else content)
                replay(place / "m.db", [path])
        assert records_in(place / "m.db") == records_at_once(b"".join(parts))
