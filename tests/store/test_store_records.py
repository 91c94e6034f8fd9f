"""States, records and totals: how they merge, whatever comes when."""

import random
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from engine.indicators.model import States
from engine.report import Report
from engine.sources.log_file import LogFile
from engine.store import origins
from engine.store.origins import Origin
from engine.store.schema import tables_at
from engine.store.store import Store
from engine.times import hour_of, labels_of_hour, load_zone, period_of, slots

UTC = load_zone("UTC")
KEPT = {"D": 7, "W": 4, "M": 12}
HOUR = 1_781_388_000


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path / "metrics.db", UTC) as opened:
        yield opened


def record(store: Store, hour: int, indicator: int) -> tuple[int, int | None] | None:
    found: tuple[int, int | None] | None = store.connection.execute(
        "SELECT value, minutes FROM record WHERE hour = ? AND indicator_id = ?", (hour, indicator)
    ).fetchone()
    return found


def test_a_running_hour_is_state_and_then_record(store: Store) -> None:
    """What is of the running hour is state; when the hour is over it is a record, merged with what
    the record had already.
    """
    store.commit({(HOUR, 1001, "Bees"): 2, (HOUR, 1005, ""): 0b1}, running_hour=HOUR)
    assert record(store, HOUR, 1001) is None
    store.commit({(HOUR, 1001, "Bees"): 3}, running_hour=HOUR + 3600)
    assert record(store, HOUR, 1001) == (5, None)
    store.commit({(HOUR, 1005, ""): 1 << 59}, running_hour=HOUR)  # the clock went back
    store.commit({(HOUR, 1001, "Bees"): 1}, running_hour=HOUR + 7200)
    assert record(store, HOUR, 1001) == (6, None)
    assert record(store, HOUR, 1005) == (20, 1 | 1 << 59)


def test_the_first_minute_is_told(store: Store) -> None:
    """To the minute, from state and record, as long as there is a set of minutes; else the hour."""
    reader = store.reader()
    assert reader.first_minute() is None
    store.commit({(HOUR, 1004, ""): 0b11 << 40}, running_hour=HOUR)
    assert reader.first_minute() == HOUR + 40 * 60
    store.commit({(HOUR, 1004, ""): 0b1 << 7}, running_hour=HOUR + 3600)
    assert reader.first_minute() == HOUR + 7 * 60
    store.commit({(HOUR - 3600, 1001, "Bees"): 1}, running_hour=HOUR + 3600)
    assert reader.first_minute() == HOUR - 3600


def test_any_order_gives_the_same_figures(tmp_path: Path) -> None:
    """The same states in any order, cut in any way and with any hour running, give the same totals,
    and those of every stored period are the sums of its records.
    """
    rng = random.Random(5)
    parts: list[States] = [
        {
            (HOUR + rng.randrange(-900, 900) * 3600, 1001, rng.choice("abc")): rng.randrange(1, 9),
            (HOUR + rng.randrange(-900, 900) * 3600, 1006, rng.choice("abc")): rng.getrandbits(60),
        }
        for _ in range(300)
    ]
    seen = []
    for number in range(3):
        rng.shuffle(parts)
        with Store.open(tmp_path / f"{number}.db", load_zone("Europe/Paris")) as store:
            for part in parts:
                running = HOUR + rng.randrange(-900, 900) * 3600
                store.commit(part, running_hour=running)
            store.commit({})
            assert store.problems() == []
            report = Report(store.reader())
            seen.append((report.aggregations(), [report.aggregation(kind) for kind in "DWMY"]))
            for kind, most in KEPT.items():
                assert len(store.reader().stored_labels(kind)) <= most
    assert seen[0] == seen[1] == seen[2]


def test_another_zone_computes_the_periods_again(tmp_path: Path) -> None:
    """With another zone at start, stored totals are those of the new zone, and it is said."""
    states: States = {(HOUR + n * 3600, 1001, "Bees"): 1 for n in range(100)}
    with Store.open(tmp_path / "metrics.db", UTC) as store:
        store.commit(states)
    zone = load_zone("Australia/Lord_Howe")
    with Store.open(tmp_path / "metrics.db", zone) as store:
        assert any("Lord_Howe" in note for note in store.notes)
        assert store.problems() == []
        for kind in "DWMY":
            for label in store.reader().stored_labels(kind):
                period = period_of(kind, label, zone)
                assert period
                expected = sum(period.start <= hour < period.end for hour, _, _ in states)
                assert store.reader().stored_sums(period, zone)[1001] == {"Bees": expected}
    with Store.open(tmp_path / "metrics.db") as store:
        assert store.zone == zone
        assert store.notes == []


def test_an_imported_value_holds_where_it_is_larger(store: Store) -> None:
    """An imported record has no minutes: sums add to it, for minutes the larger value holds, also
    after more lines, in the hour, its totals and while the hour runs.
    """
    store.commit({(HOUR, 1005, ""): 0b1, (HOUR, 1001, "Bees"): 4})
    with store.transaction():
        origin = origins.id_of(store.connection, Origin("an import", "imported"))
        columns = ("hour", "indicator_id", "dimension_id", "origin_id", "value")
        insert = tables_at()["record"].insert(*columns)
        store.connection.execute(insert, (HOUR, 1005, 0, origin, 40))
        store.connection.execute(insert, (HOUR, 1001, 1, origin, 2))
        store.records.recompute_periods()
    store.commit({(HOUR, 1005, ""): 0b11, (HOUR, 1001, "Bees"): 1}, running_hour=HOUR)
    assert Report(store.reader()).kpi_value(2003, "D", "2026-06-13") == {
        "kpiId": 2003,
        "value": {"items": [], "totalMinutesActivity": 40},
    }
    day = period_of("D", "2026-06-13", UTC)
    assert day
    store.commit({})
    assert record(store, HOUR, 1005) == (10, 0b11)
    assert store.reader().values_by_hour(1005, day) == {HOUR: 40}
    store.commit({(HOUR, 1005, ""): 1 << 15 | 1 << 25 | 1 << 35 | 1 << 45})
    assert record(store, HOUR, 1005) == (50, 0b11 | 1 << 15 | 1 << 25 | 1 << 35 | 1 << 45)
    assert record(store, HOUR, 1001) == (5, None)
    for sums in (store.reader().stored_sums(day, UTC), store.reader().computed_sums(day, UTC)):
        assert sums == {1005: {"": 50}, 1001: {"Bees": 7}}
    assert store.problems() == []


def test_more_minutes_may_be_fewer_slots(store: Store) -> None:
    """An earlier minute may shift the slots so that there are fewer: record and totals follow."""
    later = 1 << 5 | 1 << 24 | 1 << 25
    store.commit({(HOUR, 1005, ""): later})
    assert record(store, HOUR, 1005) == (30, later)
    store.commit({(HOUR, 1005, ""): 1})
    assert slots(later | 1) == 2
    assert record(store, HOUR, 1005) == (20, later | 1)
    assert store.problems() == []


def test_purge_keeps_the_years_and_drops_the_titles(store: Store) -> None:
    """Purged records take the titles that only they used with them; the totals of their year stay,
    a late line for it is added to them, and nothing is computed from what is no longer there.
    """
    old = hour_of(HOUR - 3 * 365 * 86400)
    store.commit({(old, 1001, "Old"): 5, (HOUR, 1001, "New"): 1})
    for _ in range(8):  # days push the old day out of those that are kept
        store.commit({(HOUR + _ * 86400, 1001, "New"): 1})
    year = dict(labels_of_hour(old, UTC))["Y"]
    boundary = period_of("Y", str(int(year) + 1), UTC)
    assert boundary
    assert store.purge(boundary.start) == 1
    report = Report(store.reader())
    value = {"items": [{"package": "Old", "visits": 5}], "totalVisits": 5}
    assert report.kpi_value(2001, "Y", year) == {"kpiId": 2001, "value": value}
    day = dict(labels_of_hour(old, UTC))["D"]
    assert report.period("D", day, HOUR) is None
    known = {(period.kind, period.label) for period in report.known_periods()}
    assert ("D", day) not in known
    assert ("Y", year) in known
    store.commit({(old, 1001, "Old"): 2})
    value = {"items": [{"package": "Old", "visits": 7}], "totalVisits": 7}
    assert report.kpi_value(2001, "Y", year) == {"kpiId": 2001, "value": value}
    assert report.period("D", day, HOUR) is None, "though it has a record again"
    assert store.problems() == []


def test_unsaved_states_grow_with_hours_and_packages_only(tmp_path: Path) -> None:
    """A store that cannot be written for long keeps one number per hour, indicator and title."""
    from tests.reliability import store_support as support

    store = Store.open(tmp_path / "metrics.db", UTC)
    counting = support.make_counting(store, tmp_path)
    counting.begin(HOUR)
    store._writer.disconnect()
    store._writer.path = tmp_path / "other.db"
    with closing(sqlite3.connect(store._writer.path)) as other:
        other.execute("CREATE TABLE t (x)")  # of another program: it is not written to
    log = support.Log(1)
    for number in range(3000):
        log.content = support.line(HOUR, 1) + support.line(HOUR + number % 7200, number)
        counting.tally.add(counting.pipeline.count(log.content))
        assert not counting.save(at=HOUR, last=True)
    assert counting.status.save_problem
    assert len(counting.tally.states) <= 2 * 2 * 5 * 4


def test_positions_come_back_as_they_were(store: Store) -> None:
    """A generation is read back with its position, anchors, times, doubt and fates."""
    log_file = LogFile(b"g" * 12, name="a.json", first_at=1, last_at=2, began_at=1)
    log_file.advance(5000, b"x" * 3000)
    log_file.fates.update({"counted": 3, "not-json": 1})
    log_file.ambiguous_until, log_file.ambiguous_after = 7, 8
    store.commit({}, [log_file])
    found = store.log_files()[log_file.id]
    log_file.tail = b""
    assert {f: getattr(found, f) for f in found.__slots__ if f != "fates"} == {
        f: getattr(log_file, f) for f in log_file.__slots__ if f != "fates"
    }
    assert +found.fates == log_file.fates
    assert store.reader().fates()["counted"] == 3
