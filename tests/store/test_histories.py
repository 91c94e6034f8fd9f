"""Whatever happens to a database, and in whatever order: its records are those of what was counted
and imported, and its totals are what the rule of several origins makes of them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple
from zoneinfo import ZoneInfo

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, precondition, rule, run_state_machine_as_test

from engine.indicators.model import States
from engine.report import Report
from engine.store.importing import Import
from engine.store.repair.backup import back_up_to
from engine.store.repair.restore import restore
from engine.store.site import Hardware
from engine.store.store import Store
from engine.store.upstream.opening import open_upstream
from engine.store.upstream.reading import FINGERPRINT_HOURS
from engine.times import PERIOD_KINDS, labels_of_hour, period_of
from lab.upstream_database import UpstreamFile
from tests.properties.drawing import BASE, QUICK
from tests.properties.test_totals import HOUR, ZONES, Stored, hours, nonzero, some_states
from tests.store.test_origins import Counted, by_hand, stored_totals

Sums = dict[int, dict[str, int]]
OldHour = dict[tuple[int, str | None], int]
"""What the older system counted in one hour: (indicator, title) -> value."""
NAMES = ("one", "two")


class Content(NamedTuple):
    """What a database holds."""

    recorded: Counted
    open: Counted
    """What was counted of the hour that runs, as far as it is no record yet."""
    imported: dict[tuple[int, int, str, str], int]
    """(hour, indicator, title, name of the file) -> value."""
    complete_from: int

    def copy(self) -> Content:
        return Content(dict(self.recorded), dict(self.open), dict(self.imported), self[3])

    def add(self, kind: str, key: tuple[int, int, str, str, int | None], state: int) -> None:
        part = self.open if kind == "open" else self.recorded
        known = part.get(key, 0)
        part[key] = known + state if key[1] in {1001, 1003} else known | state

    def roll(self, running: int | None) -> None:
        """What is open of another hour than the running one becomes records."""
        for key in [key for key in self.open if key[0] != running]:
            self.add("recorded", key, self.open.pop(key))

    def sums(self, is_in: Callable[[int], bool], *, with_open: bool) -> Sums:
        """The sums of some hours, by the rule."""
        parts: dict[tuple[int, int, str], list[tuple[int, int | None]]] = defaultdict(list)
        for counted in (self.recorded, self.open if with_open else {}):
            for (hour, indicator, title, _, _), state in counted.items():
                is_sum = indicator in {1001, 1003}
                parts[hour, indicator, title].append((state, None) if is_sum else (0, state))
        for (hour, indicator, title, _), value in self.imported.items():
            parts[hour, indicator, title].append((value, None))
        sums: Sums = defaultdict(lambda: defaultdict(int))
        for (hour, indicator, title), of_hour in parts.items():
            if is_in(hour):
                sums[indicator][title] += by_hand(indicator, of_hour)
        return nonzero(sums)


@st.composite
def old_hours(draw: st.DrawFn) -> tuple[int, OldHour]:
    """How many hours after the one before, and what was counted then."""
    use = 10 * draw(st.integers(1, 6))
    found: OldHour = {
        (1001, "Bees"): draw(st.integers(1, 9)),
        (1004, None): draw(st.integers(1, 60)),
    }
    found |= {(1005, None): use, (1006, draw(st.sampled_from(["Bees", "été"]))): use}
    return draw(st.integers(1, 30)), found


def old_file(path: Path, of_hours: dict[int, OldHour]) -> tuple[Path, dict[int, OldHour]]:
    """A file of the older system, and what is in it. The newest hour is not over: of it there are
    states, and less than when it will be over.
    """
    path.unlink(missing_ok=True)
    file = UpstreamFile(path)
    *over, newest = sorted(of_hours)
    file.records([(hour, *key, value) for hour in over for key, value in of_hours[hour].items()])
    halves = {
        key: value if key[0] >= 1005 else (value + 1) // 2
        for key, value in of_hours[newest].items()
    }
    for (indicator, title), value in halves.items():
        slots = range(newest // 60, newest // 60 + value, 10)
        state = ",".join(map(str, slots)) if indicator >= 1005 else str(value)
        file.state(newest, indicator, title, state)
    return file.close(), {**of_hours, newest: halves}


def contents(store: Store, table: str, column: str) -> dict[str, Counted]:
    """The rows of a table, by the kind of their origin; imports without the id of their file."""
    found: dict[str, Counted] = {"counted": {}, "imported": {}}
    for kind, source, *rest in store.connection.execute(
        f"SELECT kind, source, hour, indicator_id, value0, clock_epoch_id, {column} FROM {table} "
        "JOIN origin ON origin.id = origin_id JOIN dimension ON dimension.id = dimension_id"
    ):
        hour, indicator, title, epoch, state = rest
        key = (hour, indicator, title, source, epoch)
        assert key not in found[kind]
        found[kind][key] = state
    return found


def by_file(
    rows: Iterable[tuple[tuple[int, int, str, str], int]],
) -> list[list[tuple[int, int, str, int]]]:
    """Imported values in groups, one for each file, whatever its name is."""
    groups = defaultdict(list)
    for (hour, indicator, title, source), value in rows:
        groups[source].append((hour, indicator, title, value))
    return sorted(sorted(group) for group in groups.values())


class Histories(Stored):
    """A database on changing boards, under a clock that is and is not synchronised, into which
    files are imported, and in whose place backups come.
    """

    @initialize(zone=st.sampled_from(ZONES))
    def begin(self, zone: str) -> None:
        super().begin(zone)  # type: ignore[no-untyped-call,unused-ignore]
        self.content = Content({}, {}, {}, 0)
        self.old_files: dict[str, dict[int, OldHour]] = {}
        self.backups: dict[str, tuple[Content, bool]] = {}
        self.site = ""
        self.board = "one"
        self.synchronised = True

    @rule(states=some_states(), at_once=st.booleans())
    def save(self, states: States, at_once: bool) -> None:
        """A save, of which each state is of the present hotspot and stretch."""
        (newest,) = self.store.connection.execute("SELECT max(id) FROM clock_epoch").fetchone()
        running = None if at_once else self.running
        self.content.roll(running)
        for (hour, indicator, title), state in states.items():
            key = (hour, indicator, title, self.site, None if self.synchronised else newest)
            self.content.add("open" if hour == running else "recorded", key, state)
        super().save(states, at_once)  # type: ignore[no-untyped-call,unused-ignore]

    @rule(by=st.one_of(st.integers(1, 3), st.integers(-900, 900)))
    def the_clock_moves(self, by: int) -> None:
        """An hour ends, or the clock is set."""
        super().the_clock_moves(by)  # type: ignore[no-untyped-call,unused-ignore]
        self.content.roll(self.running)

    @rule(board=st.sampled_from(["one", "two", "three"]))
    def another_board(self, board: str) -> None:
        """The card runs on another board, and has a new id then."""
        after = self.store.identify(Hardware(board))
        assert (self.site == after) == (self.site != "" and board == self.board)
        self.site, self.board = after, board

    @rule(step=st.sampled_from([-7200, 0, 90_000]), trusted=st.sampled_from([True, False, None]))
    def the_clock_is_set(self, step: int, trusted: bool | None) -> None:
        """A stretch begins; the kernel may call its clock synchronised, then or later."""
        self.store.add_clock_epoch("boot", self.running, step, trusted)
        self.store.synchronised = trusted is True
        self.synchronised = trusted is True

    @rule(zone=st.one_of(st.none(), st.sampled_from(ZONES)))
    def restart(self, zone: str | None) -> None:
        """Stop and start, maybe in another zone: whoever counts asks the kernel again."""
        super().restart(zone)  # type: ignore[no-untyped-call,unused-ignore]
        self.store.synchronised = self.synchronised

    @precondition(lambda self: len(self.content.recorded) + len(self.content.imported) > 8)
    @rule(before=hours)
    def purge(self, before: int) -> None:
        """Old records are removed, and the origins that have none any more."""
        self.store.purge(before)
        self.purged = True
        recorded = {k: v for k, v in self.content.recorded.items() if k[0] >= before}
        imported = {k: v for k, v in self.content.imported.items() if k[0] >= before}
        complete_from = max(before, self.content.complete_from)
        self.content = Content(recorded, self.content.open, imported, complete_from)

    @rule(
        name=st.sampled_from(NAMES),
        first=hours,
        more=st.lists(old_hours(), max_size=3),
    )
    def import_a_file(self, name: str, first: int, more: list[tuple[int, OldHour]]) -> None:
        """A file that is new, has grown or is the same as before; hours in which lines were counted
        here are left, and those that were purged.
        """
        of_hours = self.old_files.setdefault(name, {})
        new = more[: FINGERPRINT_HOURS - len(of_hours)]
        for after, values in new or ([] if of_hours else [(0, {(1001, "Bees"): 2})]):
            hour = max(of_hours, default=first - after * HOUR) + after * HOUR
            of_hours[hour] = {**values, (1001, f"only in {name}"): 1 + len(of_hours)}
        path, rows = old_file(self.path.parent / "old.db", of_hours)
        here = {key[0] for part in self.content[:2] for key in part if key[1] != 1004}
        taken = {h for h in rows if h not in here and h >= self.content.complete_from}
        known = {key[0] for key in self.content.imported if key[3] == name}
        before = path.read_bytes()
        with open_upstream(path, self.path.parent) as upstream:
            summary = Import(self.store, upstream, BASE).run()
        assert path.read_bytes() == before
        assert summary.was_known == bool(known)
        assert summary.hours == len(taken)
        assert summary.left.total() == sum(len(rows[h]) for h in rows.keys() - taken)
        for hour in taken:
            for (indicator, title), value in rows[hour].items():
                self.content.imported[hour, indicator, title or "", name] = value

    @rule(name=st.sampled_from(NAMES))
    def back_up(self, name: str) -> None:
        """A copy of the database, which is open."""
        back_up_to(self.path, self.path.parent / f"backup-{name}")
        self.backups[name] = (self.content.copy(), self.purged)

    @precondition(lambda self: self.backups)
    @rule(choice=st.sampled_from(NAMES), zone=st.one_of(st.none(), st.sampled_from(ZONES)))
    def restore(self, choice: str, zone: str | None) -> None:
        """Everything is as it was when the copy was made, but for the identity of the hotspot."""
        name = choice if choice in self.backups else next(iter(self.backups))
        self.store.close()
        restore(self.path, self.path.parent / f"backup-{name}", BASE)
        self.store = Store.open(self.path, ZoneInfo(zone) if zone else None)
        self.store.synchronised = self.synchronised
        content, self.purged = self.backups[name]
        self.content = content.copy()

    @precondition(lambda self: hasattr(self, "content"))
    @invariant()
    def each_record_is_of_its_counting(self) -> None:
        """By the id of the hotspot and the stretch of the clock when it was counted, or by file."""
        rows = contents(self.store, "record", "coalesce(minutes, value)")
        assert rows["counted"] == self.content.recorded
        imported = ((key[:4], value) for key, value in rows["imported"].items())
        assert by_file(imported) == by_file(self.content.imported.items())
        states = contents(self.store, "state", "state")
        assert states == {"counted": self.content.open, "imported": {}}
        assert self.store.get("site_id", "") == self.site

    @precondition(lambda self: hasattr(self, "content"))
    @invariant()
    def totals_are_by_the_rule(self) -> None:
        """Every stored total is what the rule makes of the records, and the database is valid."""
        for kind in PERIOD_KINDS:
            for label in self.store.reader().stored_labels(kind):
                period = period_of(kind, label, self.store.zone)
                assert period
                if period.start >= self.content.complete_from:
                    span = range(period.start, period.end)
                    by_rule = self.content.sums(span.__contains__, with_open=False)
                    assert nonzero(stored_totals(self.store, kind, label)) == by_rule
        assert self.store.problems() == []

    @precondition(lambda self: hasattr(self, "content"))
    @invariant()
    def a_day_is_the_sum_of_its_hours(self) -> None:
        """What is shown of each day, stored or not, the running hour included."""
        counted = {key[0] for part in self.content[:3] for key in part}
        for label in {dict(labels_of_hour(hour, self.store.zone))["D"] for hour in counted}:
            period = period_of("D", label, self.store.zone)
            assert period
            if period.start >= self.content.complete_from:
                span = range(period.start, period.end)
                by_rule = self.content.sums(span.__contains__, with_open=True)
                assert nonzero(Report(self.store.reader()).summary(period).sums) == by_rule


def test_totals_follow_the_rule_whatever_happens() -> None:
    """Saves, late lines, imports, other boards, set clocks, restarts, zones, purges, backups and
    what they bring back, in any order.
    """
    run_state_machine_as_test(
        Histories, settings=settings(QUICK, max_examples=30, stateful_step_count=15)
    )


@pytest.mark.full
@pytest.mark.timeout(600)
def test_totals_follow_the_rule_whatever_happens_at_full_size() -> None:
    """The same, for longer lives."""
    run_state_machine_as_test(
        Histories, settings=settings(QUICK, max_examples=300, stateful_step_count=50)
    )
