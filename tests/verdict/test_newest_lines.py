"""What `serve` remembers of its newest lines, and of its clock, for the verdict."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.inputs.model import Reason
from engine.pipeline import Pipeline
from engine.runtime import clock
from engine.runtime.counting import CountingLoop
from engine.runtime.evidence import MAX_SAMPLE, NewestLines, last_step
from engine.store.store import Store
from engine.verdict import LineCount
from tests.reliability import store_support as support
from tests.reliability.store_support import HOUR, UTC
from tests.verdict.setups import YEAR_2000, visit

DAY = 24 * 3600


@pytest.fixture
def counting(tmp_path: Path) -> Iterator[CountingLoop]:
    with contextlib.closing(Store.open(tmp_path / "metrics.db", UTC)) as store:
        made = support.make_counting(store, tmp_path)
        made.begin(HOUR)
        yield made


def added(newest: NewestLines, counting: CountingLoop, *lines: bytes) -> NewestLines:
    """With one more block."""
    data = b"".join(lines)
    return newest.add(data, Pipeline(counting.status.packages).count(data))


def test_a_line_that_counts_ends_no_sample(counting: CountingLoop) -> None:
    """The newest twenty lines that did not count stay, and are explained."""
    newest = NewestLines()
    for number in range(30):
        newest = added(newest, counting, visit(HOUR + number, 0, host=f"host-{number}.test"))
    assert (newest.since_start, newest.last_hour) == (LineCount(30, 0), LineCount(30, 0))
    assert len(newest.sample) == MAX_SAMPLE
    causes = newest.causes(counting.status.packages)
    assert causes == Counter({(Reason.HOST, f"host-{n}.test"): 1 for n in range(10, 30)})
    newest = added(newest, counting, visit(HOUR + 31, 0))
    assert newest.since_start == LineCount(31, 1)


def test_a_large_block_is_not_kept(counting: CountingLoop) -> None:
    """Only the end of it, whatever its size, and no line without its beginning."""
    lines = [visit(HOUR + n, 0, host="new.test") for n in range(3000)]
    newest = added(NewestLines(), counting, *lines)
    assert list(newest.sample) == [line[:-1] for line in lines[-MAX_SAMPLE:]]
    long = [visit(HOUR, 0, host="new.test", padding="x" * size) for size in (9000, 9000, 20_000)]
    assert added(NewestLines(), counting, *long[:2]).sample == (long[1][:-1],)
    assert added(NewestLines(), counting, long[2]).sample == ()


def test_after_an_hour_lines_are_old(
    counting: CountingLoop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of the last hour are those of sixty minutes; of the start all."""
    start = clock.monotonic()
    newest = added(NewestLines(), counting, visit(YEAR_2000, 0))
    for minutes, of_hour in [(59, 1), (61, 0), (119, 0)]:
        monkeypatch.setattr(clock, "monotonic", lambda: start + minutes * 60)  # noqa: B023
        assert newest.last_hour.read == of_hour
        assert newest.impossible_at == (YEAR_2000 if of_hour else None)
    assert newest.since_start == LineCount(1, 1)


def test_a_day_of_minutes_is_an_hour_of_them(
    counting: CountingLoop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is remembered does not grow."""
    start, newest = clock.monotonic(), NewestLines()
    for minute in range(300):
        monkeypatch.setattr(clock, "monotonic", lambda: start + minute * 60)  # noqa: B023
        newest = added(newest, counting, visit(HOUR, minute), visit(HOUR, 0, host="a.test"))
    assert newest.last_hour == LineCount(120, 60)
    assert len(newest.minutes) == 60
    assert newest.since_start == LineCount(600, 300)


def test_other_packages_begin_anew(counting: CountingLoop) -> None:
    """Lines that did not count by the packages of before are no reason against those of now."""
    counting.status.newest = added(NewestLines(), counting, visit(HOUR, 0, host="new.test"))
    packages = counting.status.packages
    counting.use_packages(packages)
    assert counting.status.newest.since_start.read == 1
    path = counting.store.path.with_name("packages.yml")
    path.write_text(path.read_text().replace("lib.box", "new.test"))
    counting.reload_packages(forced=True)
    assert counting.status.packages != packages
    assert counting.status.newest == NewestLines()


def test_the_last_large_step_of_the_clock() -> None:
    """Until the clock has been steady for a day; adjustments are none."""
    steps = [(HOUR, 200 * DAY), (HOUR + 5, -3601), (HOUR + 9, 3600), (HOUR + 10, 61)]
    assert last_step(steps, 0) == (HOUR + 5, -3601)
    assert last_step(steps, DAY - 1) == (HOUR + 5, -3601)
    assert last_step(steps, DAY) is None
    assert last_step(steps[2:], 0) is None
