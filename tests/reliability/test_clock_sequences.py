"""Random histories of lines, ticks, jumps of the clock, restarts and kills: D-T1, D-T3, D-T6."""

import contextlib
import logging
import os
import random
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.runtime import clock
from engine.runtime.counting import CountingLoop
from engine.runtime.ticker import Tick, Ticker
from engine.store.store import Store
from tests.reliability import store_support as support
from tests.reliability.store_support import HOUR, UTC
from tests.support.measured import measured

SEED = int(os.environ.get("STORE_SEED", "20261123"))
YEAR = 365 * 86400


@pytest.fixture
def memory() -> Iterator[Path]:
    logging.disable()
    with support.memory_folder("clock-") as folder:
        yield folder
    logging.disable(logging.NOTSET)


def minutes_in(states: dict[tuple[int, int, str], int]) -> set[int]:
    """The minutes of uptime in states, as minutes since the epoch."""
    return {
        hour // 60 + minute
        for (hour, indicator, _), state in states.items()
        if indicator == 1004
        for minute in range(60)
        if state >> minute & 1
    }


class History:
    """One hotspot, its wall clock, and what must be true of its figures at every step."""

    def __init__(self, folder: Path, rng: random.Random) -> None:
        self.folder = folder
        self.rng = rng
        self.now = HOUR + rng.randrange(YEAR)
        self.log = support.Log(1)
        self.numbers = [1]
        self.of_lines = {(HOUR + 0) // 60}
        """Minutes in which a line was written."""
        self.of_ticks: set[int] = set()
        self.saved: set[int] = set()
        """Those of them that were saved for certain."""
        self.found_unsaved = 0
        """How often a kill found lines that were not saved."""
        self.store: Store
        self.counting: CountingLoop
        self.store, self.counting = self._start()
        self.counting.take(self.log.block())

    def _start(self) -> tuple[Store, CountingLoop]:
        store = Store.open(self.folder / "metrics.db", UTC)
        counting = support.make_counting(store, self.folder)
        counting.begin(self.now)
        return store, counting

    def line(self) -> None:
        """Some lines, stamped by the same clock; at times one from before its last jump."""
        for _ in range(self.rng.randint(1, 5)):
            at = max(self.now - (self.rng.choice((0, 0, 0, 4000, 90_000))), 946_684_800)
            self.log.add(support.line(at, len(self.numbers)))
            self.numbers.append(len(self.numbers))
            self.of_lines.add(at // 60)
        self.counting.take(self.log.block())

    def tick(self, step: int = 0) -> None:
        """A real minute passes; the clock may have been set in it."""
        self.now = min(max(self.now + 60 + step, 946_684_800), 4_102_444_000)
        self.of_ticks.add(self.now // 60)
        self.counting.tick(Tick(self.now, step, on=True, elapsed=60.0))

    def jump(self) -> None:
        """The clock is set, by minutes or by years, in either direction."""
        size = self.rng.choice((90, 4000, 86400, 40 * 86400, 2 * YEAR, 12 * YEAR))
        self.tick(self.rng.choice((-1, 1)) * self.rng.randint(size // 2, size))

    def save(self) -> None:
        """The save of the minute."""
        assert self.counting.save(at=self.now)
        self.saved = set(self.of_ticks)

    def restart(self) -> None:
        """A graceful stop, and a start some time later by whatever the clock says then."""
        assert self.counting.save(at=self.now, last=True)
        self.saved = set(self.of_ticks)
        self.store.close()
        self.now = max(self.now + self.rng.choice((1, 3600, -YEAR, 3 * YEAR)), 946_684_800)
        self.now = min(self.now, 4_102_444_000)
        self.store, self.counting = self._start()

    def kill(self) -> None:
        """As after kill -9: only the file is left; the log is read again. Of the minutes without
        lines, those since the last save are lost.
        """
        self.found_unsaved += bool(self.counting.positions.moved)
        self.store._writer.disconnect()
        self.store, self.counting = self._start()
        self.counting.take(self.log.block())
        kept = self._minutes()
        assert self.saved <= kept <= self.of_ticks | self.of_lines
        self.of_ticks &= kept

    def _minutes(self) -> set[int]:
        minutes = minutes_in(self.store.reader().uptime_states())
        rows = self.store.connection.execute(
            "SELECT hour, state FROM state WHERE indicator_id = 1004"
        )
        for hour, state in rows:  # one for each stretch of the clock
            minutes |= minutes_in({(hour, 1004, ""): state})
        return minutes | minutes_in(self.counting.tally.states)

    def check(self) -> None:
        """Saved and unsaved together are all lines, each once, and exactly the minutes in which it
        was on or a line was written.
        """
        counting = self.counting
        assert counting.status.save_problem == ""
        visits, states, totals = self.store.connection.execute(
            "SELECT (SELECT coalesce(sum(value), 0) FROM record WHERE indicator_id = 1001), "
            "(SELECT coalesce(sum(state), 0) FROM state WHERE indicator_id = 1001), "
            "(SELECT coalesce(sum(value), 0) FROM total "
            "WHERE agg_kind = 'Y' AND indicator_id = 1001)"
        ).fetchone()
        assert totals == visits  # no year was purged
        unsaved = sum(state for key, state in counting.tally.states.items() if key[1] == 1001)
        asked = [support.HOSTS[n % len(support.HOSTS)] for n in self.numbers]
        homes = ("/content/bees_en/", "/")
        assert visits + states + unsaved == sum(u in homes and h != "other.box" for h, u in asked)
        assert counting.status.fates["counted"] == sum(host != "other.box" for host, _ in asked)
        assert self._minutes() == self.of_ticks | self.of_lines


@pytest.mark.parametrize(
    "sequences",
    [
        pytest.param(120, id="120"),
        pytest.param(10_000, marks=[pytest.mark.full, pytest.mark.timeout(3600)], id="10000"),
    ],
)
def test_sums_are_exact_whatever_the_clock_does(memory: Path, sequences: int) -> None:
    """In random sequences of lines, minutes, jumps of up to twelve years, saves, restarts, kills,
    the sum over everything equals the lines applied at every step, the uptime is exactly the
    minutes that were on, less those after the last save before a kill, and nothing is purged
    (D-T1).
    """
    steps = 50 if sequences > 1000 else 10
    measured(f"seeds {SEED} and {SEED + 1}: {sequences:,} sequences of {steps} steps")

    def half(seed: int) -> None:
        rng = random.Random(seed)
        folder = memory / str(seed)
        found_unsaved = 0
        for number in range(sequences // 2):
            folder.mkdir()
            history = History(folder, rng)
            run_one(history, steps, f"sequence {number} of seed {seed}")
            found_unsaved += history.found_unsaved
            shutil.rmtree(folder)
        assert found_unsaved > sequences // 20, "the kills found nothing to lose"

    assert support.in_forks([lambda: half(SEED), lambda: half(SEED + 1)]) == [0, 0]


def run_one(history: History, steps: int, name: str) -> None:
    """One random history, looked at after each step; none takes long, however far a jump goes."""
    acts = [history.line, history.line, history.tick, history.jump]
    acts += [history.save, history.restart, history.kill]
    for _ in range(steps):
        act = history.rng.choice(acts)
        begin = clock.monotonic()
        act()
        assert clock.monotonic() - begin < 5, name
        history.check()
    assert not history.store.problems(), name
    history.store.close()


def test_never_more_minutes_than_have_passed() -> None:
    """However the clock jumps, at most one minute is on for each real minute, and one more (D5)."""
    rng = random.Random(SEED)
    ticks: list[Tick] = []
    ticker = Ticker(ticks.append, offset=0.0)
    monotonic, offset = ticker._last, 0.0
    begin = monotonic
    for _ in range(20_000):
        monotonic += rng.choice((1.0, 1.0, 7.0))
        if rng.random() < 0.2:
            offset += rng.choice((-1, 1)) * rng.choice((30, 61, 3600, YEAR))
        ticker.check(int(1_781_388_000 + monotonic + offset), offset, monotonic)
    on = sum(tick.on for tick in ticks)
    assert on <= (monotonic - begin) / 60 + 2


@pytest.mark.parametrize("step", [-YEAR, -4000, 4000, 10 * YEAR])
@pytest.mark.parametrize("when", ["before", "between", "after"])
def test_a_jump_beside_a_save(memory: Path, step: int, when: str) -> None:
    """A jump right before, within or right after a save loses and repeats nothing: what was counted
    under the old time is committed before anything of the new one (D-T3, D6).
    """
    store = Store.open(memory / "metrics.db", UTC)
    counting = support.make_counting(store, memory)
    counting.begin(HOUR)
    log = support.Log(2).add(*(support.line(HOUR + n, n) for n in range(6)))
    counting.take(log.block())
    jump = Tick(HOUR + 60 + step, step, on=True, elapsed=60.0)
    if when == "before":
        counting.take(log.add(support.line(HOUR + 7, 1)).block())  # not saved yet
        instants = support.instants_of_commits(store)
        counting.tick(jump)
        store.connection.set_trace_callback(None)
        assert instants[0] == HOUR + 60, "under the old time"
    elif when == "between":
        with contextlib.suppress(RuntimeError), store.transaction():
            counting.tick(jump)  # rolled back: as if killed inside of the transaction
            raise RuntimeError
        store.close()
        store = Store.open(memory / "metrics.db", UTC)
        counting = support.make_counting(store, memory)
        counting.begin(HOUR + 60 + step)
        counting.take(log.block())
    else:
        counting.save(at=HOUR + 50)
        counting.tick(jump)
    counting.take(log.add(*(support.line(HOUR + 60 + step + n, n) for n in range(6))).block())
    counting.save(at=HOUR + 100 + step)
    store.close()
    found = support.figures(memory / "metrics.db")["figures"]
    assert sum(value for (_, indicator, _), (value, _) in found.items() if indicator == 1001) == 4


@pytest.mark.parametrize("now", [0, 946_684_800, 2**31 + 5, 4_102_444_799, 253_402_300_799])
def test_extreme_clocks(memory: Path, now: int) -> None:
    """With the clock at 1970, after 2038 or at 9999, counting starts, ticks and saves, the minute
    in its own hour (D-T6).
    """
    store = Store.open(memory / "metrics.db", UTC, repair_at=now)
    counting = support.make_counting(store, memory)
    counting.begin(now)
    counting.tick(Tick(now, 0, on=True, elapsed=60.0))
    counting.take(support.Log(1).block())
    assert counting.save(at=now)
    store.close()
    with contextlib.closing(Store.open(memory / "metrics.db", UTC, repair_at=now)) as again:
        assert not again.repairs
        assert not again.problems()
        hours = again.reader().state_hours() + again.reader().record_hours()
        assert set(hours) == {now - now % 3600, HOUR}


def test_only_steady_running_purges(memory: Path) -> None:
    """Old records go only after 24 hours of steady running, added up over restarts; a jump begins
    that time again, and no jump purges by itself (D7).
    """
    store = Store.open(memory / "metrics.db", UTC)
    old = HOUR - 3 * YEAR
    store.commit({(old, 1001, "Bees"): 5}, meta={"saved_at": old})
    now = HOUR
    counting = support.make_counting(store, memory)
    counting.begin(now)

    def run(hours: int) -> None:
        nonlocal now
        for _ in range(hours * 60):
            now += 60
            counting.tick(Tick(now, 0, on=True, elapsed=60.0))

    def has_old() -> bool:
        row = store.connection.execute("SELECT count(*) FROM record WHERE hour = ?", (old,))
        return bool(row.fetchone()[0])

    run(14)
    assert has_old()
    counting.save(at=now, last=True)
    counting = support.make_counting(store, memory)  # a restart
    counting.begin(now)
    run(8)
    now += 10 * YEAR
    counting.tick(Tick(now, 10 * YEAR, on=True, elapsed=60.0))
    run(20)
    now -= 10 * YEAR
    counting.tick(Tick(now, -10 * YEAR, on=True, elapsed=60.0))
    run(20)
    assert has_old()
    run(6)
    assert not has_old()
    assert [step for _, step in store.clock_steps()][-2:] == [10 * YEAR, -10 * YEAR]
    store.close()


def test_a_step_is_logged_as_people_read_it(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """In the words of doctor and of the verdict, with the seconds that were measured."""
    step = 1 - 200 * 86400
    with contextlib.closing(Store.open(tmp_path / "metrics.db", UTC)) as store:
        counting = support.make_counting(store, tmp_path)
        counting.begin(HOUR)
        counting.tick(Tick(HOUR + 60 + step, step, on=True, elapsed=60.0))
    assert "the clock was set back by 200 d (-17279999 seconds)" in caplog.messages
