"""Stretches of days: what each is compared with, up to when, and which days are missing in it."""

from __future__ import annotations

from datetime import date, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from engine.figures.answers import Query
from engine.figures.stretch import before, hours_of, so_far, stretch_of, year_before
from engine.report import Report
from engine.store.store import Store
from engine.times import day_start

PARIS = ZoneInfo("Europe/Paris")
KATHMANDU = ZoneInfo("Asia/Kathmandu")
HOUR = 3600


def at(text: str, zone: ZoneInfo = PARIS) -> int:
    """An instant in a zone."""
    return int(datetime.fromisoformat(text).replace(tzinfo=zone).timestamp())


def days(text: str) -> tuple[date, date]:
    """`2026-06-01..2026-06-30`."""
    first, _, last = text.partition("..")
    return date.fromisoformat(first), date.fromisoformat(last or first)


@pytest.mark.parametrize(
    ("stretch", "label", "earlier", "last_year"),
    [
        ("2026-06-14", "2026-06-14", "2026-06-13", "2025-06-14"),
        ("2024-02-29", "2024-02-29", "2024-02-28", None),
        ("2026-06-08..2026-06-14", "2026 W24", "2026-06-01..2026-06-07", "2025-06-09..2025-06-15"),
        ("2026-06-01..2026-06-30", "2026-06", "2026-05-01..2026-05-31", "2025-06-01..2025-06-30"),
        ("2027-02-01..2027-02-28", "2027-02", "2027-01-01..2027-01-31", "2026-02-01..2026-02-28"),
        ("2024-02-01..2024-02-29", "2024-02", "2024-01-01..2024-01-31", "2023-02-01..2023-02-28"),
        ("2026-01-01..2026-12-31", "2026", "2025-01-01..2025-12-31", "2025-01-01..2025-12-31"),
        ("2026-09-01..2026-11-30", None, "2026-06-01..2026-08-31", "2025-09-01..2025-11-30"),
        ("2026-05-20..2026-06-18", None, "2026-04-20..2026-05-19", "2025-05-20..2025-06-18"),
    ],
)
def test_what_a_stretch_is_compared_with(
    stretch: str, label: str | None, earlier: str, last_year: str | None
) -> None:
    """Whole months with as many months before, else as many days; and with the year before."""
    found = stretch_of(*days(stretch), PARIS)
    assert found.label == label
    one = before(found, PARIS)
    assert one == stretch_of(*days(earlier), PARIS)
    other = year_before(found, PARIS)
    assert other == (stretch_of(*days(last_year), PARIS) if last_year else None)


@pytest.mark.parametrize(
    ("stretch", "now", "until", "before_until"),
    [
        ("2026-06-14", "2026-06-14 10:42", "2026-06-14 10:00", "2026-06-13 10:00"),
        ("2026-06-14", "2026-06-14 00:20", "2026-06-14 00:00", "2026-06-13 00:00"),
        ("2026-06-08..2026-06-14", "2026-06-10 09:59", "2026-06-10 09:00", "2026-06-03 09:00"),
        ("2026-03-01..2026-03-31", "2026-03-30 12:30", "2026-03-30 12:00", "2026-03-01 00:00"),
        ("2026-04-01..2026-04-30", "2026-04-02 12:30", "2026-04-02 12:00", "2026-03-02 12:00"),
        ("2026-01-01..2026-12-31", "2026-11-26 08:10", "2026-11-26 08:00", "2025-11-26 08:00"),
        ("2026-06-14", "2026-06-15 00:00", "2026-06-15 00:00", "2026-06-14 00:00"),
    ],
)
def test_a_running_stretch_is_compared_up_to_the_last_full_hour(
    stretch: str, now: str, until: str, before_until: str
) -> None:
    """Of the same day of it, by the clock on the wall; a day that a month lacks is its end."""
    found = stretch_of(*days(stretch), PARIS)
    other = before(found, PARIS)
    assert other is not None
    this, earlier = so_far(found, other, at(now), PARIS)
    assert (this.start, this.end) == (found.start, at(until))
    assert (earlier.start, earlier.end) == (other.start, at(before_until))


@pytest.mark.parametrize(
    ("day", "hours"), [("2026-03-29", 23), ("2026-10-25", 25), ("2026-06-14", 24)]
)
def test_a_day_has_the_hours_that_its_clocks_show(day: str, hours: int) -> None:
    """23 when an hour is skipped, 25 when one is repeated, each once by its start."""
    found = list(hours_of(stretch_of(*days(day), PARIS), PARIS))
    assert len(found) == len({start for _, start, _ in found}) == hours
    assert [label for label, _, _ in found] == [
        f"{day}T{datetime.fromtimestamp(start, PARIS).hour:02d}" for _, start, _ in found
    ]


def test_hours_of_a_zone_that_is_off_by_45_minutes() -> None:
    """An hour belongs to the day in which it starts."""
    found = list(hours_of(stretch_of(*days("2026-06-14"), KATHMANDU), KATHMANDU))
    assert len(found) == 24
    assert all(start % HOUR == 0 for _, start, _ in found)
    assert found[0][1] >= day_start(date(2026, 6, 14), KATHMANDU)


def school(folder: Path, closed: set[str]) -> Report:
    """May and June, on at ten each day but Sundays and some others."""
    store = Store.open(folder / "m.db", PARIS)
    states = {}
    for number in range(121, 182):
        day = date.fromordinal(date(2025, 12, 31).toordinal() + number)
        if day.weekday() != 6 and day.isoformat() not in closed:
            hour = at(f"{day} 10:00")
            states[hour, 1004, ""] = 0xFFF
            states[hour, 1001, "Bees"] = 3
    store.commit(states)
    return Report(store.reader())


@pytest.mark.parametrize(
    ("closed", "missing"), [(set(), 0), ({"2026-06-09"}, 1), ({"2026-05-12", "2026-06-09"}, 2)]
)
def test_days_that_are_missing(tmp_path: Path, closed: set[str], missing: int) -> None:
    """A Tuesday without figures, in one of the two months; no Sunday ever has some."""
    report = school(tmp_path, closed)
    query = Query(*days("2026-06-01..2026-06-30"), compare="before")
    found: Any = report.figures(query, at("2026-07-04 12:00"))["comparison"]
    assert found["missingDays"] == missing
    assert (found["fair"], found["reason"]) == (
        (False, "missing-days") if missing else (True, None)
    )
    assert found["this"]["daysOn"] == 26 - len([day for day in closed if day[5:7] == "06"])
