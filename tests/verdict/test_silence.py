"""How long nobody used a hotspot, judged by what it usually does."""

from __future__ import annotations

import random
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest

from engine.verdict.evidence import Silence, silence_of

HOUR = 3600
PARIS = ZoneInfo("Europe/Paris")
KOLKATA = ZoneInfo("Asia/Kolkata")


def hours(zone: ZoneInfo, first: date, days: int) -> list[tuple[int, datetime]]:
    """Each hour of some days: its name, and its local time."""
    begin = int(datetime.combine(first, time(), zone).timestamp()) // HOUR * HOUR
    return [
        (hour, datetime.fromtimestamp(hour, zone))
        for hour in range(begin, begin + days * 24 * HOUR, HOUR)
    ]


def is_school(at: datetime) -> bool:
    return at.weekday() < 5 and 8 <= at.hour < 16


def a_school(
    zone: ZoneInfo, closed_from: date, days: int = 60
) -> tuple[dict[int, int], dict[int, int]]:
    """Use in school hours until some day; always on."""
    all_hours = hours(zone, date(2026, 9, 1), days)
    closed = datetime.combine(closed_from, time(), zone)
    used = {hour: 10 for hour, at in all_hours if is_school(at) and at < closed}
    return used, {hour: 60 for hour, _ in all_hours}


@pytest.mark.parametrize("zone", [PARIS, KOLKATA], ids=str)
def test_a_weekend_is_no_silence(zone: ZoneInfo) -> None:
    """From Friday's last lesson to Monday's first, no hour usually has use; then each has."""
    used, on = a_school(zone, date(2026, 10, 17))
    monday = datetime(2026, 10, 19, 8, tzinfo=zone)
    early = silence_of(used, on, zone, int(monday.timestamp()))
    assert (early.has_habits, early.busy_hours) == (True, 0)
    late = silence_of(used, on, zone, int((monday + timedelta(hours=4)).timestamp()))
    assert late.busy_hours == (4 if zone is PARIS else 3)  # there, an hour begins at half past
    assert late.hours > 60


def test_hours_of_the_clock_change_are_the_same_hours() -> None:
    """Local hours count: after the night in which clocks go back, school begins at eight."""
    used, on = a_school(PARIS, date(2026, 10, 24))  # clocks go back on the 25th
    monday = datetime(2026, 10, 26, 8, tzinfo=PARIS)
    assert silence_of(used, on, PARIS, int(monday.timestamp())).busy_hours == 0
    later = int((monday + timedelta(hours=3)).timestamp())
    assert silence_of(used, on, PARIS, later).busy_hours == 3


def test_a_hotspot_that_was_off_was_not_silent() -> None:
    """Hours without power are neither use nor silence, also in the weeks before."""
    used, on = a_school(PARIS, date(2026, 10, 3))
    off_from = datetime(2026, 10, 3, tzinfo=PARIS).timestamp()
    on = {hour: minutes for hour, minutes in on.items() if hour < off_from}
    found = silence_of(used, on, PARIS, int(off_from) + 20 * 24 * HOUR)
    assert (found.hours, found.busy_hours, found.has_habits) == (8, 0, True)


def test_one_week_makes_no_habit() -> None:
    """An hour must have been on in two weeks at least, and in use in three of four."""
    used, on = a_school(PARIS, date(2026, 9, 5))
    assert not silence_of(used, on, PARIS, max(on)).has_habits
    used, on = a_school(PARIS, date(2026, 9, 26))
    for day in (10, 17):  # in use in two of four weeks
        del used[int(datetime(2026, 9, day, 9, tzinfo=PARIS).timestamp())]
    nine = int(datetime(2026, 10, 1, 9, tzinfo=PARIS).timestamp())
    before, after = (silence_of(used, on, PARIS, at).busy_hours for at in (nine, nine + HOUR))
    assert before == after


def test_what_was_never_used_or_will_be() -> None:
    """Without use there is no silence; use of the future is no use yet."""
    assert silence_of({}, {0: 60}, PARIS, 10 * HOUR) == Silence()
    assert silence_of({20 * HOUR: 10}, {}, PARIS, 10 * HOUR) == Silence()


@pytest.mark.parametrize("seed", range(20))
def test_as_by_other_code(seed: int) -> None:
    """On random weeks with gaps: counted again hour by hour, in another way."""
    chance = random.Random(seed)
    zone = chance.choice([PARIS, KOLKATA, ZoneInfo("America/Sao_Paulo")])
    all_hours = hours(zone, date(2026, 9, 1), 70)
    on = {hour: chance.choice([0, 29, 30, 60, 60, 60]) for hour, _ in all_hours}
    used = {
        hour: 10
        for hour, at in all_hours
        if on[hour] and chance.random() < (0.9 if is_school(at) else 0.05)
    }
    now = all_hours[chance.randrange(1000, len(all_hours))][0] + chance.randrange(HOUR)
    if chance.random() < 0.7:  # silent for some days
        quiet = now - chance.randrange(1, 200) * HOUR
        used = {hour: value for hour, value in used.items() if not quiet < hour <= now}
    last = max(hour for hour in used if hour <= now)
    silent, busy = 0, 0
    for hour, at in all_hours:
        if not (last < hour and hour + HOUR <= now // HOUR * HOUR and on[hour] >= 30):
            continue
        silent += 1
        weeks = [
            bool(used.get(other))
            for other, local in all_hours
            if last - 28 * 24 * HOUR < other <= last
            and on[other] >= 30
            and (local.weekday(), local.hour) == (at.weekday(), at.hour)
        ]
        busy += len(weeks) > 1 and weeks.count(True) * 4 >= 3 * len(weeks)
    found = silence_of(used, on, zone, now)
    assert (found.last_used_at, found.hours, found.busy_hours) == (last, silent, busy)
