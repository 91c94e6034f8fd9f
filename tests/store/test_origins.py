"""Which counting a record is of, and how the records of several countings make one value."""

from __future__ import annotations

import random
import sqlite3
from collections import defaultdict
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine import indicators
from engine.report import Report
from engine.store import merging, origins
from engine.store.clock_epochs import KEPT_EPOCHS
from engine.store.origins import Origin
from engine.store.repair import backup
from engine.store.schema import tables_at
from engine.store.site import Hardware
from engine.store.store import Store
from engine.times import load_zone, period_of
from tests.properties.drawing import QUICK
from tests.reliability.store_support import HOUR, UTC

Counted = dict[tuple[int, int, str, str, int | None], int]
"""(hour, indicator, title, source, stretch) -> state."""


def by_hand(indicator: int, parts: list[tuple[int, int | None]]) -> int:
    """The rule once more: sums add; minute sets unite; a value without a set where it is larger."""
    if indicator in {1001, 1003}:
        return sum(value for value, _ in parts)
    on = {minute for _, united in parts for minute in range(60) if (united or 0) >> minute & 1}
    value = len(on)
    if indicator != 1004:
        slots, until = 0, -1
        for minute in sorted(on):
            if minute >= until:
                slots += 1
                until = minute + 10 - (minute - min(on)) % 10
        value = 10 * min(slots, 6)
    return max([value, *(value for value, united in parts if united is None)])


def origins_of(store: Store) -> Counted:
    """Everything that was counted, as records and states have it, with what it is of."""
    found: Counted = {}
    for table, column in (("record", "coalesce(minutes, value)"), ("state", "state")):
        for *key, state in store.connection.execute(
            f"SELECT hour, indicator_id, value0, source, clock_epoch_id, {column} FROM {table} "
            "JOIN origin ON origin.id = origin_id JOIN dimension ON dimension.id = dimension_id "
            "WHERE kind = 'counted'"
        ):
            hour, indicator, title, source, epoch = key
            merged = found.get((hour, indicator, title, source, epoch), 0)
            fold = indicators.FOLDS[indicator]
            found[hour, indicator, title, source, epoch] = fold.merge(merged, state)
    return found


def stored_totals(store: Store, kind: str, label: str) -> dict[int, dict[str, int]]:
    """The stored totals of a period, without the running hour."""
    found: dict[int, dict[str, int]] = defaultdict(dict)
    for indicator, title, value in store.connection.execute(
        "SELECT indicator_id, value0, value FROM total JOIN dimension ON dimension.id = "
        "dimension_id WHERE agg_kind = ? AND agg_value = ?",
        (kind, label),
    ):
        found[indicator][title] = value
    return found


def add_imported(store: Store, states: dict[tuple[int, int, str], int], source: str) -> None:
    """Records as an import writes them: values, and no minutes."""
    columns = ("hour", "indicator_id", "dimension_id", "origin_id", "value")
    insert = tables_at()["record"].insert(*columns, replace=True)
    with store.transaction():
        origin = origins.id_of(store.connection, Origin(source, "imported"))
        for (hour, indicator, title), value in states.items():
            row = (hour, indicator, store.records.dimension_id(title), origin, value)
            store.connection.execute(insert, row)
        store.records.recompute_periods()


parts = st.lists(
    st.tuples(st.integers(0, 99), st.one_of(st.none(), st.integers(0, 2**60 - 1))),
    min_size=1,
    max_size=4,
)


@given(st.sampled_from([1001, 1003, 1004, 1005, 1006]), parts)
@settings(QUICK)
def test_the_rule_as_function_and_as_sql(
    indicator: int, drawn: list[tuple[int, int | None]]
) -> None:
    """The function, the SQL text and the rule written out by hand give one value."""
    fold = indicators.FOLDS[indicator]
    found: list[tuple[int, int | None]] = [
        (fold.value(minutes), minutes)
        if fold.keeps_minutes and minutes is not None
        else (value, None)
        for value, minutes in drawn
    ]
    expected = by_hand(indicator, found)
    assert merging.merged_value(indicator, found) == expected
    with closing(sqlite3.connect(":memory:")) as connection:
        merging.install(connection)
        connection.execute("CREATE TABLE record (hour, indicator_id, dimension_id, value, minutes)")
        connection.executemany(
            f"INSERT INTO record VALUES (7200, {indicator}, 5, ?, ?)", sorted(found, key=str)
        )
        sql = merging.HOURLY_VALUES.format(first="?1", end="?2")
        rows = connection.execute(sql, (3600, 7201)).fetchall()
    assert rows == [(7200, indicator, 5, expected)]


def test_slots_are_of_the_united_minutes() -> None:
    """{10, 22, 30} is three slots, and with minute 1 of another counting it is two."""
    minutes = 1 << 10 | 1 << 22 | 1 << 30
    assert merging.merged_value(1005, [(30, minutes)]) == 30
    assert merging.merged_value(1005, [(30, minutes), (10, 1 << 1)]) == 20


@pytest.fixture
def store(tmp_path: Path) -> Any:
    """A new database."""
    with Store.open(tmp_path / "metrics.db", UTC, repair_at=HOUR) as opened:
        yield opened


def test_what_an_unconfirmed_clock_counts_carries_its_stretch(store: Store) -> None:
    """Until the kernel calls its clock synchronised, also within one hour and one stretch."""
    site = store.identify(Hardware("board"))
    store.add_clock_epoch("boot", HOUR, 0, trusted=False)
    for synchronised in (False, True):
        store.synchronised = synchronised
        store.commit({(HOUR, 1001, "Bees"): 1, (HOUR, 1004, ""): 1}, running_hour=HOUR)
    store.commit({})
    store.commit({(HOUR, 1001, "Bees"): 5})
    assert origins_of(store) == {
        (HOUR, 1001, "Bees", site, 1): 1,
        (HOUR, 1001, "Bees", site, None): 6,
        (HOUR, 1004, "", site, 1): 1,
        (HOUR, 1004, "", site, None): 1,
    }
    day = period_of("D", "2026-06-13", UTC)
    assert day
    assert store.reader().stored_sums(day, UTC) == {1001: {"Bees": 7}, 1004: {"": 1}}
    assert store.reader().uptime_states() == {(HOUR, 1004, ""): 1}


def test_stretches_that_records_refer_to_stay(store: Store) -> None:
    """The oldest stretches are removed, but for those of which there are records; when these were
    purged, theirs go too.
    """
    store.synchronised = False
    store.add_clock_epoch("boot", HOUR, 0, trusted=False)
    store.commit({(HOUR, 1001, "Bees"): 1})
    for number in range(KEPT_EPOCHS + 5):
        store.add_clock_epoch("boot", HOUR + number, 1, trusted=False)
    kept = [row[0] for row in store.connection.execute("SELECT id FROM clock_epoch")]
    assert kept == [1, *range(7, KEPT_EPOCHS + 7)]
    assert store.purge(HOUR + 3600) == 1
    assert store.connection.execute("SELECT count(*) FROM origin").fetchone() == (0,)
    store.add_clock_epoch("boot", HOUR, 1, trusted=False)
    assert store.connection.execute("SELECT min(id) FROM clock_epoch").fetchone() == (8,)
    assert store.problems() == []


def add_whole_year(store: Store, year: str) -> None:
    """A year of which only totals are known: two packages, and the rest as the empty title."""
    with store.transaction():
        insert = tables_at()["period"].insert("agg_kind", "agg_value", "whole")
        store.connection.execute(insert, ("Y", year, 1))
        columns = ("agg_kind", "agg_value", "indicator_id", "dimension_id", "value")
        insert = tables_at()["total"].insert(*columns)
        for title, visits in (("Bees", 70), ("Ants", 20), ("", 210)):
            store.connection.execute(
                insert, ("Y", year, 1001, store.records.dimension_id(title), visits)
            )
        store.records.totals_changed = True


def visits_of(store: Store, year: str) -> Any:
    return Report(store.reader()).kpi_value(2001, "Y", year)["value"]  # type: ignore[index]


YEAR_2021 = {
    "items": [{"package": "Bees", "visits": 70}, {"package": "Ants", "visits": 20}],
    "totalVisits": 300,
}


def test_a_year_without_records(store: Store, tmp_path: Path) -> None:
    """Totals without records are accepted by the check at start, stay when the zone changes, when
    records are purged and when the database is rebuilt; the remainder is in the total, and no item.
    """
    store.commit({(HOUR, 1001, "Bees"): 1})
    add_whole_year(store, "2021")
    assert visits_of(store, "2021") == YEAR_2021
    assert store.problems() == []
    store.close()
    path = tmp_path / "metrics.db"
    with Store.open(path, load_zone("Europe/Paris"), repair_at=HOUR) as again:
        assert again.repairs == []
        assert visits_of(again, "2021") == YEAR_2021
    for copy in backup.backups_of(path):
        copy.unlink()
    content = bytearray(path.read_bytes())
    content[100:4096] = bytes(3996)
    path.write_bytes(content)
    with Store.open(path, repair_at=HOUR) as rebuilt:
        assert "rows could be read" in rebuilt.repairs[0]
        assert visits_of(rebuilt, "2021") == YEAR_2021
        assert rebuilt.problems() == []
        assert rebuilt.purge(HOUR + 3600) == 1
        assert visits_of(rebuilt, "2021") == YEAR_2021


def test_a_late_line_in_a_year_without_records(store: Store) -> None:
    """Is added to what is known of that year."""
    add_whole_year(store, "2021")
    store.commit({(1_614_600_000 // 3600 * 3600, 1001, "Bees"): 3})
    assert visits_of(store, "2021")["totalVisits"] == 303
    assert store.problems() == []


def test_imported_hours_and_ours_make_one(store: Store) -> None:
    """Of an hour that is both counted and imported sums add, and the larger value holds; also
    while it runs, in the totals, and computed from the records.
    """
    rng = random.Random(5)
    states = {
        (HOUR, 1001, "Bees"): 4,
        (HOUR, 1005, ""): 0b11,
        (HOUR, 1004, ""): rng.getrandbits(60),
    }
    add_imported(
        store,
        {
            (HOUR, 1001, "Bees"): 2,
            (HOUR, 1005, ""): 40,
            (HOUR, 1004, ""): 3,
            (HOUR, 1001, "Ants"): 9,
        },
        "a hotspot before",
    )
    day = period_of("D", "2026-06-13", UTC)
    assert day
    expected = {
        1001: {"Bees": 6, "Ants": 9},
        1005: {"": 40},
        1004: {"": states[HOUR, 1004, ""].bit_count()},
    }
    store.commit(states, running_hour=HOUR)
    assert store.reader().stored_sums(day, UTC) == expected
    store.commit({})
    assert store.reader().stored_sums(day, UTC) == expected
    assert store.reader().computed_sums(day, UTC) == expected
    assert store.problems() == []
