"""Hotspots in zones of odd hours and days, with days without power, and clocks that jumped."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from tests.browser.hotspot import DAY, HOUR, NOW, TITLES, Hotspot, visitors
from tests.browser.sums import Hour

DAYS = 60
YEAR_2000 = 946_684_800
SEEDS = {"UTC": 31, "Asia/Kolkata": 32, "America/Santiago": 33}
"""A zone, and the seed of its visitors. In Santiago, 2026-09-06 begins at one o'clock."""


@dataclass
class Case:
    """A hotspot, and what its records add up to."""

    hotspot: Hotspot
    hours: list[Hour]
    zone: ZoneInfo

    def within(self, label: str) -> list[Hour]:
        """The hours of a period."""
        first, after = self.days(label)
        return [hour for hour in self.hours if first <= hour.at.date() < after]

    def days(self, label: str) -> tuple[date, date]:
        """The first day of a period, and the one after its last."""
        if ".." in label:
            first, last = map(date.fromisoformat, label.split(".."))
            return first, last + timedelta(days=1)
        if "W" in label:
            year, _, week = label.partition("-W")
            first = date.fromisocalendar(int(year), int(week), 1)
            return first, first + timedelta(days=7)
        if len(label) == 4:
            return date(int(label), 1, 1), date(int(label) + 1, 1, 1)
        first = date.fromisoformat(f"{label}-01"[:10])
        if len(label) == 10:
            return first, first + timedelta(days=1)
        return first, (first + timedelta(days=31)).replace(day=1)

    def begins(self, day: date) -> int:
        """When a day begins."""
        return int(datetime(day.year, day.month, day.day, tzinfo=self.zone).timestamp())


def with_clock_steps(lines: Iterator[str], chance: random.Random) -> Iterator[str]:
    """The clock goes back by some hours for two days, loses its date on another, and is far ahead
    on a third.
    """
    last = NOW // DAY
    back, lost, ahead = (last - days for days in chance.sample(range(20, 50, 3), 3))
    hours = chance.uniform(1, 9) * HOUR
    for text in lines:
        data: dict[str, Any] = json.loads(text)
        day = data["ts"] // DAY
        if back <= day <= back + 1:
            data["ts"] -= hours
        elif day == lost:
            data["ts"] += YEAR_2000 - lost * DAY
        elif day == ahead:
            data["ts"] += 200 * DAY
        yield json.dumps(data)


def hotspot_in(zone: str, folder: Path) -> Hotspot:
    """A hotspot in one of the zones."""
    seed = SEEDS[zone]
    hotspot = Hotspot(folder, zone=zone)
    hotspot.fill(with_clock_steps(visitors(seed, TITLES, NOW, DAYS), random.Random(seed)))
    return hotspot
