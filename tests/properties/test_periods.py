"""Days, ISO weeks, months and years agree with `datetime`, in every kind of zone."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

from hypothesis import example, given, settings
from hypothesis import strategies as st

from engine.times import (
    HOUR_SECONDS,
    PERIOD_KINDS,
    hour_of,
    labels_of_hour,
    minute_bit,
    next_period,
    parse_period,
    period_at,
    period_of,
    previous_period,
    run_ending_at,
    set_minutes,
    slots,
)
from tests.properties.drawing import QUICK

EARLIEST_AT, LATEST_AT = 946_684_800, 4_102_444_800
"""2000-01-01 and 2100-01-01, in UTC."""

ZONES = (
    "UTC",
    "Europe/Paris",
    "Australia/Lord_Howe",  # half an hour of summer time
    "Pacific/Apia",  # had no 30 December 2011
    "Asia/Kathmandu",  # UTC+5:45
    "America/Sao_Paulo",  # summer time began at midnight
    "America/Havana",  # and ends at one, so that midnight is twice
    "Pacific/Kiritimati",
    "America/St_Johns",
    "Africa/Casablanca",
    "Asia/Amman",
)
zones = st.sampled_from(ZONES).map(ZoneInfo)
instants = st.integers(EARLIEST_AT, LATEST_AT - 1)
kinds = st.sampled_from(PERIOD_KINDS)
FORMATS = {"D": "%Y-%m-%d", "W": "%G W%V", "M": "%Y-%m", "Y": "%Y"}
SKIPPED = 1_325_239_200  # 2011-12-30T10:00Z: in Apia the 29th ends and the 31st begins
SAO_PAULO = 1_541_300_400  # 2018-11-04T03:00Z: midnight did not happen
HAVANA = 1_541_307_600  # 2018-11-04T05:00Z: the second midnight of a day


@given(instants, zones, kinds)
@settings(QUICK, max_examples=300)
@example(SKIPPED, ZoneInfo("Pacific/Apia"), "D")
@example(SKIPPED - 1, ZoneInfo("Pacific/Apia"), "D")
@example(SAO_PAULO, ZoneInfo("America/Sao_Paulo"), "D")
@example(SAO_PAULO - 1, ZoneInfo("America/Sao_Paulo"), "D")
@example(HAVANA, ZoneInfo("America/Havana"), "D")
def test_an_instant_is_in_the_period_that_the_calendar_names(
    at: int, zone: ZoneInfo, kind: str
) -> None:
    """The label is that of `strftime`, and the period with that label holds the instant."""
    period = period_at(kind, at, zone)
    assert period.label == datetime.fromtimestamp(at, zone).strftime(FORMATS[kind])
    assert period.start <= at < period.end
    assert period == period_of(kind, period.label, zone)


@given(instants, zones, kinds)
@settings(QUICK, max_examples=300)
@example(SKIPPED, ZoneInfo("Pacific/Apia"), "D")
@example(SAO_PAULO, ZoneInfo("America/Sao_Paulo"), "D")
def test_periods_follow_each_other_without_gap(at: int, zone: ZoneInfo, kind: str) -> None:
    """Where one ends the next begins, and each is its neighbour's neighbour."""
    period = period_at(kind, at, zone)
    before, after = previous_period(period, zone), next_period(period, zone)
    assert before is not None
    assert after is not None
    assert before.end == period.start
    assert period.end == after.start
    assert next_period(before, zone) == period == previous_period(after, zone)
    assert run_ending_at(kind, after.label, 3) == [before.label, period.label, after.label]


@given(instants, zones)
@settings(QUICK, max_examples=300)
def test_an_hour_belongs_where_it_starts(at: int, zone: ZoneInfo) -> None:
    """Also where local hours do not begin with UTC's."""
    hour = hour_of(at)
    assert hour <= at < hour + HOUR_SECONDS
    assert hour % HOUR_SECONDS == 0
    for kind, label in labels_of_hour(hour, zone):
        period = period_of(kind, label, zone)
        assert period is not None
        assert period.start <= hour < period.end


@QUICK
@given(instants, zones, kinds)
def test_a_label_is_understood_where_it_is_typed(at: int, zone: ZoneInfo, kind: str) -> None:
    """`kpis --period` takes every label, a week with a dash too."""
    period = period_at(kind, at, zone)
    assert parse_period(period.label, at, zone) == period
    assert parse_period(period.label.replace(" ", "-"), at, zone) == period


@QUICK
@given(instants, zones)
def test_names_are_those_of_now(at: int, zone: ZoneInfo) -> None:
    """today, yesterday, this-week, this-month, this-year."""
    names = {"today": "D", "this-week": "W", "this-month": "M", "this-year": "Y"}
    for name, kind in names.items():
        assert parse_period(name, at, zone) == period_at(kind, at, zone)
    assert parse_period("yesterday", at, zone).end == period_at("D", at, zone).start


@QUICK
@given(st.text(max_size=12), kinds, zones)
def test_no_text_is_more_than_no_period(text: str, kind: str, zone: ZoneInfo) -> None:
    """A label of a visitor's address is a period or None, and a period's label is its own."""
    period = period_of(kind, text, zone)
    if period is not None:
        assert period.label == text.replace("-W", " W")
        assert period.start <= period.end


@given(st.sets(st.integers(0, 59)))
@settings(QUICK, max_examples=300)
def test_slots_are_ten_minutes_from_the_first(active: set[int]) -> None:
    """As the specification counts them: aligned on the first active minute, at most six."""
    minutes = sum(minute_bit(minute * 60) for minute in active)
    assert list(set_minutes(minutes)) == sorted(active)
    first = min(active, default=0)
    assert slots(minutes) == len({(minute - first) // 10 for minute in active})
    assert slots(minutes) <= 6


@QUICK
@given(st.integers(1, 2**60 - 1), st.integers(1, 2**60 - 1))
def test_more_minutes_never_make_less_than_fewer_active_tens(one: int, other: int) -> None:
    """A union has at least half the slots of its parts together (the first minute may move)."""
    both = slots(one | other)
    assert 1 <= both <= 6
    assert 2 * both >= max(slots(one), slots(other))
