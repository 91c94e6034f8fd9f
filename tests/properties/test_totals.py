"""Stored totals are always what the records add up to, whatever happened to them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from contextlib import ExitStack, closing
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from engine import indicators
from engine.indicators.model import States
from engine.report import Report
from engine.store.database import MEMORY
from engine.store.store import Store
from engine.times import PERIOD_KINDS, hour_of, labels_of_hour, period_of
from tests.properties.drawing import BASE, QUICK, records_of
from tests.support.memory import memory_folder

HOUR = 3600
KEPT = {"D": 7, "W": 4, "M": 12}
ZONES = ("UTC", "Europe/Paris", "Asia/Kathmandu", "Australia/Lord_Howe", "America/Sao_Paulo")
near = st.integers(-40, 40)
far = st.integers(-12_000, 12_000)
hours = st.one_of(near, near, far).map(lambda n: hour_of(BASE) + n * HOUR)
titles = st.sampled_from(["Bees", "Ants", "été", "=x"])
minutes = st.integers(1, 2**60 - 1)


@st.composite
def some_states(draw: st.DrawFn) -> States:
    """What was counted since the last save: mostly of one hour, with some late lines."""
    states: States = {}
    for _ in range(draw(st.integers(1, 6))):
        hour = draw(hours)
        indicator = draw(st.sampled_from(indicators.ALL))
        dimension = ""
        if indicator.id in {1001, 1006}:
            dimension = draw(titles)
        elif indicator.id == 1003:
            dimension = draw(st.sampled_from(["FILE_CREATED", "FILE_DELETED"]))
        of_minutes = indicator.fold.keeps_minutes
        states[hour, indicator.id, dimension] = draw(minutes if of_minutes else st.integers(1, 9))
    return states


def nonzero(sums: Mapping[int, Mapping[str, int]]) -> dict[int, dict[str, int]]:
    """Sums without what is nothing."""
    found = {key: {k: v for k, v in of.items() if v} for key, of in sums.items()}
    return {key: of for key, of in found.items() if of}


class Stored(RuleBasedStateMachine):
    """A database to which everything happens that may happen to one."""

    @initialize(zone=st.sampled_from(ZONES))
    def begin(self, zone: str) -> None:
        self.folder = ExitStack()
        self.path = self.folder.enter_context(memory_folder("totals-")) / "m.db"
        self.store = Store.open(self.path, ZoneInfo(zone))
        self.running = hour_of(BASE)
        self.purged = False
        self.expected: dict[tuple[int, int, str], int] = {}

    @rule(states=some_states(), at_once=st.booleans())
    def save(self, states: States, at_once: bool) -> None:
        """A save while an hour runs, or a replay."""
        for key, state in states.items():
            self.expected[key] = indicators.FOLDS[key[1]].merge(self.expected.get(key, 0), state)
        self.store.commit(
            states, running_hour=None if at_once else self.running, meta={"saved_at": self.running}
        )

    @rule(by=st.one_of(st.integers(1, 3), st.integers(-900, 900)))
    def the_clock_moves(self, by: int) -> None:
        """An hour ends, or the clock is set, forward or back by up to weeks."""
        self.running += by * HOUR
        self.store.commit({}, running_hour=self.running, meta={"saved_at": self.running})

    @rule(zone=st.one_of(st.none(), st.sampled_from(ZONES)))
    def restart(self, zone: str | None) -> None:
        """Stop and start, maybe in another zone."""
        self.store.close()
        self.store = Store.open(self.path, ZoneInfo(zone) if zone else None)

    @precondition(lambda self: len(self.expected) > 8)
    @rule(before=hours)
    def purge(self, before: int) -> None:
        """Old records are removed."""
        self.store.purge(before)
        self.purged = True
        running = {row[0] for row in self.store.connection.execute("SELECT hour FROM state")}
        for key in [k for k in self.expected if k[0] < before and k[0] not in running]:
            del self.expected[key]

    @invariant()
    def totals_are_the_sums_of_the_records(self) -> None:
        """For each stored period that can be computed."""
        if not hasattr(self, "store"):
            return
        reader, zone = self.store.reader(), self.store.zone
        for kind in PERIOD_KINDS:
            for label in reader.stored_labels(kind):
                period = period_of(kind, label, zone)
                assert period is not None
                if period.start >= self.store.records.complete_from:
                    stored = nonzero(reader.stored_sums(period, zone))
                    assert stored == nonzero(reader.computed_sums(period, zone)), (kind, label)

    @invariant()
    def the_newest_periods_are_stored(self) -> None:
        """7 days, 4 weeks, 12 months that have records, and all years."""
        if not hasattr(self, "store") or self.purged:
            return
        reader, zone = self.store.reader(), self.store.zone
        labels: dict[str, set[str]] = defaultdict(set)
        for hour in reader.record_hours():
            for kind, label in labels_of_hour(hour, zone):
                labels[kind].add(label)
        for kind in PERIOD_KINDS:
            newest = sorted(labels[kind])[-KEPT.get(kind, len(labels[kind]) + 1) :]
            assert reader.stored_labels(kind) == newest

    @invariant()
    def a_day_is_the_sum_of_its_hours(self) -> None:
        """Of everything that was ever counted and not purged, the running hour included."""
        if not hasattr(self, "store") or self.purged:
            return
        reader, zone = self.store.reader(), self.store.zone
        days: dict[str, dict[int, dict[str, int]]] = {}
        for (hour, indicator, dimension), state in self.expected.items():
            of_day = days.setdefault(dict(labels_of_hour(hour, zone))["D"], {})
            sums = of_day.setdefault(indicator, {})
            value = indicators.FOLDS[indicator].value(state)
            sums[dimension] = sums.get(dimension, 0) + value
        report = Report(reader)
        for label, sums_of_day in days.items():
            period = period_of("D", label, zone)
            assert period is not None
            assert nonzero(report.summary(period).sums) == sums_of_day

    def teardown(self) -> None:
        """Let go of the files."""
        if hasattr(self, "store"):
            self.store.close()
            self.folder.close()


def test_totals_whatever_happens() -> None:
    """Saves, late lines, clocks that are set, restarts, other zones, purges, in any order."""
    run_state_machine_as_test(
        Stored, settings=settings(QUICK, max_examples=40, stateful_step_count=15)
    )


@pytest.mark.full
def test_totals_whatever_happens_at_full_size() -> None:
    """The same, for longer lives."""
    run_state_machine_as_test(
        Stored, settings=settings(QUICK, max_examples=400, stateful_step_count=50)
    )


@given(st.lists(some_states(), max_size=6), st.lists(st.booleans(), min_size=6, max_size=6))
@settings(QUICK, max_examples=30)
def test_states_and_records_survive_being_written_and_read(
    parts: list[States], restarts: list[bool]
) -> None:
    """Saved in parts, with restarts in between, or all at once: the same records."""
    whole: States = {}
    with memory_folder("totals-") as folder:
        path = folder / "m.db"
        store = Store.open(path)
        for part, restart in zip(parts, restarts, strict=False):
            indicators.merge(whole, part)
            store.commit(part, running_hour=hour_of(BASE))
            if restart:
                store.close()
                store = Store.open(path)
        in_parts = records_of(store)
        store.close()
    with closing(Store.open(MEMORY)) as at_once:
        at_once.commit(whole)
        assert in_parts == records_of(at_once)


@QUICK
@given(some_states(), some_states(), some_states())
def test_states_merge_in_any_order(a: States, b: States, c: States) -> None:
    """Merging is commutative and associative, so no order of lines or files can matter."""

    def merged(*parts: States) -> States:
        into: States = {}
        for part in parts:
            indicators.merge(into, part)
        return into

    assert merged(a, b, c) == merged(c, a, b) == merged(a, merged(b, c)) == merged(b, merged(a, c))
