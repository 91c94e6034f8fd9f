"""What there are figures of, as of now, and what is kept apart because of its date."""

from __future__ import annotations

from functools import partial
from zoneinfo import ZoneInfo

from engine.figures.figures import Json, Known, TotalOnly
from engine.kpis.hourly import visits_json
from engine.store.hourly_figures import HourlyFigures
from engine.store.reader import Reader
from engine.times import EARLIEST_POSSIBLE, LATEST_AT, latest_possible


def read_known(reader: Reader, zone: ZoneInfo, now: int, *, has_totals: bool) -> Known:
    """What the database has figures of; `has_totals`: its stored totals are of this zone."""
    complete_from = int(reader.get("complete_from", 0))
    periods = reader.total_only_periods(complete_from, zone) if has_totals else []
    totals = tuple(
        TotalOnly(period, hours_from, partial(reader.stored_sums, period, zone))
        for period, hours_from in periods
        if period.end > EARLIEST_POSSIBLE
    )
    return Known(zone, now, reader.first_minute(latest_possible(now)), totals)


def impossible(reader: Reader, now: int) -> Json | None:
    """What was counted of impossible dates: before 2020, or more than a day after now."""
    read = HourlyFigures(reader.connection)
    hours = read.hours(0, EARLIEST_POSSIBLE) | read.hours(latest_possible(now), LATEST_AT)
    if not hours:
        return None
    return {
        "hours": len(hours),
        **visits_json(hours.values()),
        "firstAt": min(hours),
        "lastAt": max(hours),
    }
