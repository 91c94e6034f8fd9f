"""Figures of any stretch are what its hourly records add up to, by other code and on any data."""

from __future__ import annotations

import sqlite3
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.figures.answers import BY, Query, figures_answer, period_answer
from engine.figures.figures import Known
from engine.kpis.hourly import PackageUse
from engine.store.database import MEMORY
from engine.store.hourly_figures import HourlyFigures
from engine.store.origins import Origin
from engine.store.store import Store
from engine.times import Period, hour_of, period_at
from tests.properties.drawing import BASE, QUICK
from tests.properties.test_totals import ZONES, some_states
from tests.support.memory import memory_folder

HOUR = 3600
NOW = hour_of(BASE) + 30 * HOUR + 1234
Life = list[tuple[str, Any]]
"""What happened to a hotspot: saves, imports, steps of its clock, ends of hours, removals."""


@st.composite
def a_life(draw: st.DrawFn) -> Life:
    """Saves with gaps, late lines and other dates, clocks that are set, imports, a purge."""
    life: Life = []
    for _ in range(draw(st.integers(1, 8))):
        what = draw(st.sampled_from(["save", "save", "save", "import", "clock", "purge"]))
        if what == "clock":
            life.append((what, draw(st.integers(-50, 50))))
        elif what == "purge":
            life.append((what, draw(st.integers(-300, 0))))
        else:
            life.append((what, draw(some_states())))
    return life


@contextmanager
def a_hotspot(life: Life, zone: str) -> Iterator[Store]:
    """A database to which all of it happened."""
    with memory_folder("figures-") as folder:
        store = Store.open(folder / "m.db", ZoneInfo(zone))
        running = hour_of(BASE)
        for number, (what, value) in enumerate(life):
            if what == "clock":
                store.synchronised = not store.synchronised
                store.add_clock_epoch("boot", running, value * HOUR, trusted=None)
                running += value * HOUR
                store.commit({}, running_hour=running)
            elif what == "purge":
                store.purge(hour_of(BASE) + value * HOUR)
            elif what == "import":
                values = {
                    (hour, i, title): n % 60 if i in {1004, 1005, 1006} else n
                    for (hour, i, title), n in value.items()
                }
                with store.transaction():
                    store.records.save_values(values, Origin("other", "imported"))
            else:
                store.commit(value, running_hour=running if number % 2 else None)
        yield store
        store.close()


def slots(minutes: int) -> int:
    """Ten minutes for each slot, from the first minute on."""
    active = [n for n in range(60) if minutes >> n & 1]
    return 10 * len({(n - active[0]) // 10 for n in active}) if active else 0


def hours_of(store: Store) -> dict[int, dict[tuple[int, str], int]]:
    """Hour -> (indicator, dimension) -> value, from the records one by one."""
    united: dict[tuple[int, int, str], int] = defaultdict(int)
    plain: dict[tuple[int, int, str], list[int]] = defaultdict(list)
    for record in store.reader().hourly_records(Period("Y", "", 0, 1 << 40)):
        key = (record.hour, record.indicator_id, record.dimension)
        if record.minutes is None:
            plain[key].append(record.value)
        else:
            united[key] |= record.minutes
    found: dict[int, dict[tuple[int, str], int]] = defaultdict(dict)
    for hour, indicator, title in {*united, *plain}:
        values, minutes = plain[hour, indicator, title], united[hour, indicator, title]
        if indicator in {1001, 1003}:
            value = sum(values)
        else:
            of_set = minutes.bit_count() if indicator == 1004 else slots(minutes)
            value = max([of_set, *values])
        found[hour][indicator, title] = value
    return found


def shown(values: dict[tuple[int, str], int], package: str | None) -> Counter[str]:
    """The figures of one hour."""
    on = values.get((1004, ""), 0)
    key = (1005, "") if package is None else (1006, package)
    visits = [n for (i, title), n in values.items() if i == 1001 and package in (None, title)]
    return Counter(
        visits=sum(visits),
        minutesInUse=min(on, values.get(key, 0)),
        minutesOn=on,
        filesCreated=values.get((1003, "FILE_CREATED"), 0),
        filesDeleted=values.get((1003, "FILE_DELETED"), 0),
    )


def label_of(by: str, local: datetime) -> Any:
    """What a row of an hour is called."""
    year, week, weekday = local.isocalendar()
    return {
        "hour": f"{local:%Y-%m-%dT%H}",
        "day": f"{local:%Y-%m-%d}",
        "week": f"{year} W{week:02d}",
        "month": f"{local:%Y-%m}",
        "hour-of-week": (weekday, local.hour),
    }[by]


def figures_in(row: dict[str, Any]) -> Counter[str]:
    """The figures of a row, zeros left out."""
    names = ("visits", "minutesInUse", "minutesOn", "filesCreated", "filesDeleted")
    return Counter({name: row[name] for name in names if row[name]})


stretches = st.tuples(
    a_life(),
    st.sampled_from(ZONES),
    st.integers(-15, 3),
    st.integers(1, 40),
    st.sampled_from([None, "Bees", "été"]),
)


@settings(QUICK, max_examples=25)
@given(stretches)
def test_figures_are_the_sums_of_the_records(drawn: tuple[Life, str, int, int, str | None]) -> None:
    """By every way to group them, and in all."""
    check(*drawn)


@pytest.mark.full
@settings(QUICK, max_examples=500)
@given(stretches)
def test_figures_are_the_sums_of_the_records_at_full_size(
    drawn: tuple[Life, str, int, int, str | None],
) -> None:
    """The same, more often."""
    check(*drawn)


def check(life: Life, zone_name: str, first_day: int, days: int, package: str | None) -> None:
    """Compare with sums that are made here. Totals of removed records are left out."""
    zone = ZoneInfo(zone_name)
    first = datetime.fromtimestamp(BASE, zone).date() + timedelta(days=first_day)
    last = first + timedelta(days=days - 1)
    with a_hotspot(life, zone_name) as store:
        inside = {
            hour: values
            for hour, values in hours_of(store).items()
            if first <= datetime.fromtimestamp(hour, zone).date() <= last
        }
        expected = Counter[str]()
        for values in inside.values():
            expected.update(shown(values, package))
        if package is not None:
            del expected["filesCreated"], expected["filesDeleted"]
        read = HourlyFigures(store.connection)
        known = Known(zone, NOW, store.reader().first_minute())
        for by in BY:
            answer = figures_answer(read, known, Query(first, last, by, package))
            assert figures_in(answer["total"]) == +expected, by
            if by == "package":
                check_packages(answer["rows"], inside, package)
            else:
                check_rows(answer["rows"], by, zone, inside, package)


def check_rows(
    rows: list[Any], by: str, zone: ZoneInfo, inside: dict[int, Any], package: str | None
) -> None:
    """Each row has the figures of its hours, and none has others."""
    groups: dict[Any, Counter[str]] = defaultdict(Counter)
    counted: Counter[Any] = Counter()
    for hour, values in inside.items():
        label = label_of(by, datetime.fromtimestamp(hour, zone))
        groups[label].update(shown(values, package))
        counted[label] += 1
    found: dict[Any, Counter[str]] = defaultdict(Counter)
    for row in rows:
        label = (row["weekday"], row["hour"]) if by == "hour-of-week" else row["label"]
        found[label].update(figures_in(row))
        if by == "hour-of-week":
            assert row["hoursCounted"] == counted[label]
        elif by != "hour":
            assert (row["state"] == "counted") == bool(counted[label])
    for label, figures in groups.items():
        if package is not None:
            del figures["filesCreated"], figures["filesDeleted"]
        assert found[label] == +figures, label
    assert not any(of for label, of in found.items() if label not in groups)


def check_packages(rows: list[Any], inside: dict[int, Any], package: str | None) -> None:
    """Each package has what its hours add up to."""
    titles = {t for values in inside.values() for i, t in values if i in {1001, 1006}}
    expected = {}
    for title in titles if package is None else {package}:
        use = Counter[str]()
        for values in inside.values():
            use.update(shown(values, title))
        if use["visits"] or use["minutesInUse"]:
            expected[title] = (use["visits"], use["minutesInUse"])
    assert {row["package"]: (row["visits"], row["minutesInUse"]) for row in rows} == expected


offsets = st.sampled_from([*range(-900, 0, 90), -1, 0])
"""Hours of six weeks; few, so that one is often changed again."""
near_weeks = st.lists(
    st.tuples(offsets, st.sampled_from([1001, 1004, 1006]), st.integers(1, 2**60 - 1)),
    min_size=4,
    max_size=12,
)


@settings(QUICK, max_examples=25)
@given(
    st.lists(st.tuples(near_weeks, offsets), min_size=3, max_size=4),
    st.lists(st.tuples(st.integers(-930, -300), st.integers(1, 930)), min_size=4, max_size=4),
    st.integers(-900, -400),
)
def test_packages_of_any_span_are_the_sums_of_its_hours(
    saves: list[tuple[list[tuple[int, int, int]], int]],
    spans: list[tuple[int, int]],
    removed: int,
) -> None:
    """Whatever weeks a span begins and ends in, however late their lines came, with an hour that
    runs anywhere, and after the oldest hours were removed.
    """
    base = hour_of(BASE)
    with closing(Store.open(MEMORY)) as store:
        for counted, running in saves:
            states: dict[tuple[int, int, str], int] = {}
            for offset, indicator, minutes in counted:
                title = "" if indicator == 1004 else f"P{minutes % 2}"
                state = minutes % 50 + 1 if indicator == 1001 else minutes
                states[base + offset * HOUR, indicator, title] = state
                states[base + running * HOUR, 1001, "P0"] = 1
            store.commit(states, running_hour=base + running * HOUR)
        check_spans(store, [(base + start * HOUR, length * HOUR) for start, length in spans])
        store.purge(base + removed * HOUR)
        check_spans(store, [(base + start * HOUR, length * HOUR) for start, length in spans])
        lost = store.connection.execute("PRAGMA foreign_key_check(package_figures)").fetchall()
        assert lost == []


def check_spans(store: Store, spans: list[tuple[int, int]]) -> None:
    """Compare what each package was used in some spans."""
    hours = hours_of(store)
    read = HourlyFigures(store.connection)
    for start, length in spans:
        expected: dict[str, Counter[str]] = defaultdict(Counter)
        for hour, values in hours.items():
            for title in {t for i, t in values if i in {1001, 1006}}:
                if start <= hour < start + length:
                    expected[title].update(shown(values, title))
        found = read.packages(start, start + length)
        assert {title: tuple(use) for title, use in found.items()} == {
            title: (use["visits"], use["minutesInUse"])
            for title, use in expected.items()
            if use["visits"] or use["minutesInUse"]
        }


class CountedReads(HourlyFigures):
    """It notes which spans it is asked for."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        super().__init__(connection)
        self.asked: Counter[tuple[int, int]] = Counter()

    def packages(self, start: int, end: int) -> dict[str, PackageUse]:
        self.asked[start, end] += 1
        return super().packages(start, end)


def test_packages_of_a_span_are_added_up_once() -> None:
    """For the total of a period, its packages, and both sides of its comparisons."""
    hours = [hour_of(BASE) - n * 24 * HOUR for n in range(20)]
    with a_hotspot([("import", {(hour, 1001, "Bees"): 2 for hour in hours})], "UTC") as store:
        read = CountedReads(store.connection)
        known = Known(ZoneInfo("UTC"), NOW, hours[-1])
        answer = period_answer(read, known, period_at("W", hours[8], known.zone))
        assert answer["total"]["visits"] == answer["packages"][0]["visits"] == 14
        assert len(read.asked) > 1
        assert set(read.asked.values()) == {1}
