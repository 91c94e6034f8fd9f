"""Which periods are kept, listed and shown, and what hours and days are in them."""

import contextlib
from collections.abc import Iterator
from datetime import UTC as UTC_ZONE
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from engine.report import Report
from engine.store.store import Store
from engine.times import load_zone

UTC = load_zone("UTC")


def at(text: str, zone: ZoneInfo | None = None) -> int:
    """The epoch second of a local time."""
    return int(datetime.fromisoformat(text).replace(tzinfo=zone or UTC_ZONE).timestamp())


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with contextlib.closing(Store.open(tmp_path / "metrics.db", UTC)) as opened:
        yield opened


def visits_at(store: Store, *times: str) -> None:
    """One visit in each of these hours."""
    for text in times:
        store.commit({(at(text), 1001, "Bees"): 1})


def known(report: Report, kind: str) -> list[str]:
    """The labels that the compatible route lists."""
    every = report.aggregations()["aggregations"]
    return [period["value"] for period in every if period["kind"] == kind]


def test_seven_days_four_weeks_twelve_months_all_years(store: Store) -> None:
    """The newest 7 days, 4 weeks and 12 months that exist are kept, and every year, whatever order
    they came in; the list of all is as long, and ends at the newest one.
    """
    months = [f"{2024 + n // 12}-{n % 12 + 1:02d}-10 12:00" for n in range(2, 16)]  # 14 of them
    days = [f"2025-04-{day:02d} 12:00" for day in range(1, 31, 3)]  # ten days, five weeks
    old = ["2019-05-05 05:00", "2016-05-05 05:00"]
    visits_at(store, *days[::2], *months[::-1], *old, *days[1::2])
    report = Report(store.reader())
    assert known(report, "D") == [f"2025-04-{day:02d}" for day in (10, 13, 16, 19, 22, 25, 28)]
    assert known(report, "W") == ["2025 W15", "2025 W16", "2025 W17", "2025 W18"]
    assert known(report, "M") == [f"{2024 + n // 12}-{n % 12 + 1:02d}" for n in range(4, 16)]
    assert known(report, "Y") == ["2016", "2019", "2024", "2025"]
    every = {kind: report.aggregation(kind)["valuesAll"] for kind in "DWMY"}
    assert report.aggregation("D")["valuesAvailable"] == ["2025-04-22", "2025-04-25", "2025-04-28"]
    assert every["D"] == [f"2025-04-{day}" for day in range(22, 29)]
    assert every["W"] == ["2025 W15", "2025 W16", "2025 W17", "2025 W18"]
    assert every["M"] == known(report, "M")
    assert every["Y"] == [str(year) for year in range(2016, 2026)]
    assert [len(store.reader().stored_labels(kind)) for kind in "DWMY"] == [7, 4, 12, 4]
    assert store.problems() == []


def test_a_period_that_is_not_kept_is_computed(store: Store) -> None:
    """A day beyond the newest seven has its figures still, from its records."""
    visits_at(store, *(f"2026-06-{day:02d} 12:00" for day in range(1, 11)))
    report = Report(store.reader())
    assert "2026-06-01" not in known(report, "D")
    found = report.period("D", "2026-06-01", at("2026-06-20 00:00"))
    assert found
    assert found["kpis"][0]["value"]["totalVisits"] == 1


def test_a_period_that_was_purged_is_said_to_be_gone(store: Store) -> None:
    """A day, week or month whose records were removed has no figures, not zeros: it is gone; its
    year stays; a day after it, without any record, has zeros.
    """
    visits_at(store, "2024-05-05 05:00", "2026-06-01 12:00")
    for day in range(1, 10):
        visits_at(store, f"2026-06-{day:02d} 12:00")
    for month in range(1, 13):
        visits_at(store, f"2025-{month:02d}-03 12:00")
    assert store.purge(at("2025-01-01 00:00")) == 1
    report, now = Report(store.reader()), at("2026-06-20 00:00")
    for kind, label in (("D", "2024-05-05"), ("W", "2024 W18"), ("M", "2024-05")):
        assert report.period(kind, label, now) is None
    year = report.period("Y", "2024", now)
    assert year
    assert year["kpis"][0]["value"]["totalVisits"] == 1
    empty = report.period("D", "2025-01-01", now)
    assert empty
    assert empty["kpis"][0]["value"] == {"items": [], "totalVisits": 0}
    last = report.period("D", "2024-12-31", now)
    assert last is None


# Uptime and trend of a period


def uptime(store: Store, zone: ZoneInfo, **minutes: int) -> None:
    """So many minutes on from the beginning of an hour: `h2026_06_13_22=7`."""
    for name, count in minutes.items():
        hour = at("{}-{}-{} {}:00".format(*name.removeprefix("h").split("_")), zone)
        store.commit({(hour, 1004, ""): (1 << count) - 1})


def shown(store: Store, kind: str, label: str) -> Any:
    """The uptime of a period by hour or by day."""
    found = Report(store.reader()).period(kind, label, at("2026-12-31 00:00"))
    assert found
    return found["uptime"]


def test_uptime_by_hour_and_by_day(store: Store) -> None:
    """A day and a week have each hour's minutes at its place, a month and a year each day's; the
    first and the last one too; the running hour is in it.
    """
    uptime(store, UTC, h2026_06_01_00=1, h2026_06_01_23=2, h2026_06_02_00=4, h2026_06_07_23=8)
    uptime(store, UTC, h2026_06_30_23=16, h2026_01_01_00=32, h2026_12_31_23=59)
    hour = at("2026-06-02 01:00")
    store.commit({(hour, 1004, ""): 0b111}, running_hour=hour)
    day = [1, *[0] * 22, 2]
    assert shown(store, "D", "2026-06-01") == {"unit": "hour", "minutes": day}
    assert shown(store, "D", "2026-06-02") == {"unit": "hour", "minutes": [4, 3, *[0] * 22]}
    week = shown(store, "W", "2026 W23")
    assert week == {"unit": "hour", "minutes": [*day, 4, 3, *[0] * 141, 8]}
    assert len(week["minutes"]) == 168
    month = shown(store, "M", "2026-06")
    assert month == {"unit": "day", "minutes": [3, 7, 0, 0, 0, 0, 8, *[0] * 22, 16]}
    year = shown(store, "Y", "2026")
    assert year["unit"] == "day"
    assert {n: m for n, m in enumerate(year["minutes"]) if m} == {
        0: 32,
        151: 3,
        152: 7,
        157: 8,
        180: 16,
        364: 59,
    }
    assert len(year["minutes"]) == 365
    assert shown(store, "D", "2026-06-03") is None


def test_uptime_where_days_are_shorter_and_longer(tmp_path: Path) -> None:
    """Where clocks change, a day has 23 or 25 hours, each with its minutes; the days of a month are
    those of the calendar all the same.
    """
    paris = load_zone("Europe/Paris")
    with contextlib.closing(Store.open(tmp_path / "paris.db", paris)) as store:
        uptime(store, paris, h2026_03_29_00=1, h2026_03_29_23=2, h2026_10_25_00=4)
        uptime(store, paris, h2026_10_25_23=8, h2026_03_28_23=16, h2026_10_26_00=32)
        assert shown(store, "D", "2026-03-29") == {"unit": "hour", "minutes": [1, *[0] * 21, 2]}
        assert shown(store, "D", "2026-10-25") == {"unit": "hour", "minutes": [4, *[0] * 23, 8]}
        march = shown(store, "M", "2026-03")["minutes"]
        assert (len(march), march[26:29]) == (31, [0, 16, 3])
        october = shown(store, "M", "2026-10")["minutes"]
        assert (len(october), october[24:26]) == (31, [12, 32])


@pytest.mark.parametrize(
    ("kind", "label", "labels"),
    [
        ("D", "2026-01-03", [f"2025-12-{n}" for n in range(28, 32)] + ["2026-01-01", "2026-01-02"]),
        ("W", "2026 W02", ["2025 W51", "2025 W52", "2026 W01"]),
        ("M", "2026-01", [f"2025-{n:02d}" for n in range(2, 13)]),
        ("Y", "2026", ["2022", "2023", "2024", "2025"]),
    ],
)
def test_a_trend_is_the_run_of_neighbours(
    store: Store, kind: str, label: str, labels: list[str]
) -> None:
    """The trend of a day has 7 days, of a week 4, of a month 12, of a year 5, which end at it, each
    with its own figures, zeros where nothing was counted.
    """
    visits_at(store, "2026-01-03 10:00", "2026-01-03 11:00", "2025-12-31 10:00", "2022-02-02 10:00")
    store.commit(
        {
            (at("2026-01-03 10:00"), 1004, ""): 0b111,
            (at("2026-01-03 10:00"), 1005, ""): 0b1,
            (at("2026-01-03 10:00"), 1003, "FILE_CREATED"): 4,
            (at("2026-01-03 10:00"), 1003, "FILE_DELETED"): 3,
        },
    )
    found = Report(store.reader()).period(kind, label, at("2026-01-03 12:00"))
    assert found
    trend = found["trend"]
    assert [point["aggValue"] for point in trend] == [*labels, label]
    old = {"D": {"2025-12-31": 1}, "W": {"2026 W01": 3}, "M": {"2025-12": 1}}
    expected = old.get(kind, {"2022": 1, "2025": 1})
    own = {"D": 2, "W": 0, "M": 2, "Y": 2}[kind]
    visits = {point["aggValue"]: point["totalVisits"] for point in trend}
    assert visits == {**dict.fromkeys(labels, 0), **expected, label: own}
    assert [point["hasData"] for point in trend] == [visits[p["aggValue"]] > 0 for p in trend]
    [busy] = [p for p in trend if p["aggValue"] == ("2026 W01" if kind == "W" else label)]
    assert (busy["nbMinutesOn"], busy["totalMinutesActivity"]) == (3, 10)
    assert (busy["filesCreated"], busy["filesDeleted"]) == (4, 3)
    now = at("2026-01-03 12:00")
    assert [point["complete"] for point in trend] == [point["end"] <= now for point in trend]
    assert not trend[-1]["complete"]
    assert trend[0]["complete"]
    assert all(a["end"] == b["start"] for a, b in pairwise(trend))


def test_what_is_said_of_one_period(store: Store) -> None:
    """Complete from its end on; minutes elapsed between its beginning and its end, and none before;
    whether it, its neighbours and those of its trend have figures.
    """
    visits_at(store, "2026-06-10 12:00", "2026-06-12 12:00")
    noon = at("2026-06-12 12:00")
    store.commit({(noon, 1006, "Bees"): 0b11, (noon, 1006, "Wasps"): 1, (noon, 1005, ""): 0b11})
    report = Report(store.reader())
    begin, end = at("2026-06-11"), at("2026-06-12")
    for now, minutes in (
        *((begin - 9000, 0), (begin, 0), (begin + 59, 0), (begin + 60, 1)),
        *((end - 1, 1439), (end, 1440), (end + 9000, 1440)),
    ):
        found: Any = report.period("D", "2026-06-11", now)
        assert (found["start"], found["end"]) == (begin, end)
        assert found["elapsedMinutes"] == minutes
        assert found["complete"] is (now >= end)
        assert not found["hasData"]
        assert found["previous"]["hasData"]
        assert found["next"]["hasData"]
        assert not found["next"]["complete"]
        trend = {e["aggValue"]: (e["hasData"], e["complete"]) for e in found["trend"]}
        assert trend["2026-06-10"] == (True, now >= begin)
        assert trend["2026-06-11"] == (False, now >= end)
    assert not report.period("D", "2026-06-10", end)["next"]["hasData"]  # type: ignore[index]
    others: Any = report.period("D", "2026-06-12", end)["others"]  # type: ignore[index]
    assert (others["packagesVisited"], others["packagesUsed"]) == (1, 2)


def test_periods_of_one_instant_are_listed_shortest_first(store: Store) -> None:
    """Of those that begin together: day, week, month, year; each also in the list of kept ones."""
    visits_at(store, "2024-01-01 00:00")
    listed = report_of(store).periods(at("2024-01-02"))["periods"]
    found = [(p["aggKind"], p["aggValue"]) for p in listed]
    assert found == [("D", "2024-01-01"), ("W", "2024 W01"), ("M", "2024-01"), ("Y", "2024")]
    assert known(report_of(store), "D") == ["2024-01-01"]


def test_the_running_hour_is_in_its_periods(store: Store) -> None:
    """What is only a state yet is listed all the same."""
    hour = at("2026-06-14 12:00")
    store.commit({(hour, 1001, "Bees"): 1}, running_hour=hour)
    assert store.reader().record_hours() == []
    listed = {kind: known(report_of(store), kind) for kind in "DWMY"}
    assert listed == {"D": ["2026-06-14"], "W": ["2026 W24"], "M": ["2026-06"], "Y": ["2026"]}
    assert report_of(store).kpi_value(2001, "D", "2026-06-14")


def test_periods_that_are_gone_are_not_listed(store: Store) -> None:
    """In another zone than the stored one, a month of which records were removed cannot be computed
    any more: neither its figures nor its name are given.
    """
    visits_at(store, "2026-06-10 12:00", "2026-06-20 12:00", "2026-07-01 12:00")
    store.purge(at("2026-06-15"))
    report = Report(store.reader(), load_zone("Europe/Paris"))
    now = at("2026-07-02")
    months = [p["aggValue"] for p in report.periods(now)["periods"] if p["aggKind"] == "M"]
    assert months == ["2026-07"]
    assert report.period("M", "2026-06", 0) is None
    stored = [
        p["aggValue"] for p in report_of(store).periods(now)["periods"] if p["aggKind"] == "M"
    ]
    assert stored == ["2026-07", "2026-06"]


def report_of(store: Store) -> Report:
    """What is shown of a store."""
    return Report(store.reader())
