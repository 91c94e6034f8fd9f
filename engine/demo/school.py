"""A made-up school: when its hotspot is on, who comes, and which packages are opened.

The same seed makes the same past days, whenever it is asked: each day has a chance of its own.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from datetime import date, datetime, time, timedelta, tzinfo
from importlib.resources import files
from random import Random
from typing import Final

from engine.demo.caddy_line import Visitor, caddy_line
from engine.demo.model import TimedLine
from engine.demo.visits import PROBE, visit
from engine.packages import Packages

_WEEKDAY: Final = {
    7: 12,
    8: 34,
    9: 43,
    10: 44,
    11: 31,
    12: 11,
    13: 18,
    14: 30,
    15: 26,
    16: 16,
    17: 8,
}
_SATURDAY: Final = {8: 4, 9: 9, 10: 12, 11: 8, 12: 3}
VISITS: Final = (*[_WEEKDAY] * 5, _SATURDAY, {})
"""Visits by weekday (0 is Monday) and hour."""
OPEN: Final = (*[(time(7, 30), time(17, 45))] * 5, (time(8, 15), time(12, 40)), (time(), time()))
"""By weekday: when somebody switches the hotspot on, and off."""
LEAST_TODAY: Final = 3 * 3600
"""However early it is, and on Sundays: the hotspot has been on for so long, within the day."""
UNUSED: Final = "TED Talks"
"""Nobody opens it, as happens on every hotspot."""
POWER_CUTS: Final = 0.06
"""The part of the days on which the power fails for a while."""


def packages_file() -> bytes:
    """The packages file of the school."""
    return files("engine.demo").joinpath("packages.yaml").read_bytes()


class School:
    """Visits to the packages of a hotspot, over some weeks until now, and from then on."""

    def __init__(self, packages: Packages, seed: int, zone: tzinfo, weeks: int) -> None:
        self.packages = packages.entries
        self.seed = seed
        self.zone = zone
        self.weeks = weeks
        self._chance = Random(seed)  # noqa: S311 (nothing is secret)
        self._coming: list[TimedLine] = []
        """The rest of live visits, soonest first."""

    def history(self, now: int) -> Iterator[TimedLine]:
        """The lines of all days up to this moment, oldest first."""
        moment = datetime.fromtimestamp(now, self.zone)
        for ago in range(7 * self.weeks, -1, -1):
            day = moment.date() - timedelta(days=ago)
            yield from sorted(self._day(day, moment if ago == 0 else None))

    def lines_at(self, now: int) -> list[bytes]:
        """A visit begins in this second, and others go on."""
        chance, popular = self._chance, self._popularity(0)
        for at, line in self._visit(now, chance, popular):
            heapq.heappush(self._coming, (at, line))
        if now % 60 == 0:
            heapq.heappush(self._coming, (now, caddy_line(now, PROBE, Visitor.any(chance), chance)))
        due = []
        while self._coming and self._coming[0][0] < now + 1:
            due.append(heapq.heappop(self._coming)[1])
        return due

    def _day(self, day: date, now: datetime | None) -> Iterator[TimedLine]:
        """The lines of a day; `now` when it is today."""
        chance = Random(f"{self.seed} {day}")  # noqa: S311
        popular = self._popularity(day.toordinal() // 7)
        busy = chance.uniform(0.8, 1.2)
        hours = VISITS[0 if now else day.weekday()]
        for begin, end in self._hours_of_power(day, now, chance):
            for minute in range(begin // 60, end // 60):  # a device looks for the Internet
                at = minute * 60 + chance.random() * 60
                yield at, caddy_line(at, PROBE, Visitor.any(chance), chance)
            for hour in range(begin // 3600, end // 3600 + 1):
                local = datetime.fromtimestamp(hour * 3600, self.zone).hour
                for _ in range(round(hours.get(local, 4) * busy)):
                    at = hour * 3600 + chance.random() * 3600
                    if begin <= at < end:
                        yield from (one for one in self._visit(at, chance, popular) if one[0] < end)

    def _hours_of_power(
        self, day: date, now: datetime | None, chance: Random
    ) -> Iterator[tuple[int, int]]:
        """From when to when the hotspot is on, in epoch seconds."""
        opens, closes = OPEN[0 if now else day.weekday()]
        begin = self._seconds(day, opens) + chance.randrange(600)
        end = self._seconds(day, closes)
        if now:
            end = int(now.timestamp())
            begin = max(min(begin, end - LEAST_TODAY), self._seconds(day, time()))
        elif chance.random() < POWER_CUTS and end > begin:
            cut = chance.randrange(begin, end)
            yield begin, cut
            begin = cut + chance.randrange(1800, 9000)
        if end > begin:
            yield begin, end

    def _seconds(self, day: date, at: time) -> int:
        return int(datetime.combine(day, at, self.zone).timestamp())

    def _popularity(self, week: int) -> list[float]:
        """How often each package is chosen: the first ones more, and not the same every week."""
        chance = Random(f"{self.seed} week {week}")  # noqa: S311
        return [
            1e-9 if package.title == UNUSED else chance.uniform(0.6, 1.4) / (rank + 2) ** 0.8
            for rank, package in enumerate(self.packages)
        ]

    def _visit(self, at: float, chance: Random, popular: list[float]) -> Iterator[TimedLine]:
        """The lines of one visit that begins at this moment."""
        package = chance.choices(self.packages, weights=popular)[0]
        visitor = Visitor.any(chance)
        for exchange in visit(package, chance):
            at += exchange.pause
            yield at, caddy_line(at, exchange, visitor, chance)
