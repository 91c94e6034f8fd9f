"""Figures added up from what `records` prints, by this code alone (rules: docs/records.md)."""

from __future__ import annotations

import json
import subprocess
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple, TypeVar

from tests.browser.hotspot import Hotspot

VISITS, FILES, UPTIME, USE, USE_OF_PACKAGE = 1001, 1003, 1004, 1005, 1006
SLOT = 10

Key = TypeVar("Key", bound=Hashable)


class Figures(NamedTuple):
    """Visits, and minutes in use and on: of the hotspot, or of one package."""

    visits: int = 0
    in_use: int = 0
    on: int = 0


@dataclass
class Hour:
    """What was counted in one hour. No use is longer than the hotspot was on."""

    start: int
    at: datetime
    """The same in the hotspot's zone."""
    on: int = 0
    in_use: int = 0
    visits: dict[str, int] = field(default_factory=dict)
    used: dict[str, int] = field(default_factory=dict)
    files: dict[str, int] = field(default_factory=dict)

    def of(self, title: str | None) -> Figures:
        """The figures of one package, or of all."""
        if title is None:
            return Figures(sum(self.visits.values()), self.in_use, self.on)
        return Figures(self.visits.get(title, 0), self.used.get(title, 0), self.on)


def recorded(hotspot: Hotspot, period: str) -> list[Hour]:
    """The hours of a period, from the command `records`."""
    command = [*hotspot.program, "records", "--period", period, "--format", "ndjson"]
    command += ["--database", str(hotspot.folder / "metrics.db")]
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60)
    records = [json.loads(text) for text in done.stdout.splitlines()]
    hours: dict[str, Hour] = {}
    parts: dict[tuple[str, int, str], list[dict[str, object]]] = defaultdict(list)
    for one in records:
        at = datetime.fromisoformat(one["startLocal"])
        hours.setdefault(one["startUtc"], Hour(int(at.timestamp()), at))
        parts[one["startUtc"], one["indicatorId"], one["dimension"]].append(one)
    for (start, indicator, dimension), of_origins in parts.items():
        _put(hours[start], indicator, dimension, _value(indicator, of_origins))
    for hour in hours.values():
        hour.in_use = min(hour.in_use, hour.on)
        hour.used = {title: min(value, hour.on) for title, value in hour.used.items()}
    return sorted(hours.values(), key=lambda hour: hour.start)


def _value(indicator: int, parts: list[dict[str, object]]) -> int:
    """Counts are added; of minutes, those of all origins together are looked at."""
    if indicator in {VISITS, FILES}:
        return sum(int(str(part["value"])) for part in parts)
    minutes: set[int] = set()
    for part in parts:
        known = part["minutes"]
        assert isinstance(known, list)
        minutes.update(known)
    if indicator == UPTIME:
        return len(minutes)
    return SLOT * len({(minute - min(minutes)) // SLOT for minute in minutes})


def _put(hour: Hour, indicator: int, dimension: str, value: int) -> None:
    if indicator == UPTIME:
        hour.on = value
    elif indicator == USE:
        hour.in_use = value
    else:
        into = {VISITS: hour.visits, USE_OF_PACKAGE: hour.used, FILES: hour.files}.get(indicator)
        if into is not None:
            into[dimension] = value


def total(hours: Iterable[Hour], title: str | None = None) -> Figures:
    """The sums of some hours, of one package or of all."""
    found = [hour.of(title) for hour in hours]
    return Figures(*map(sum, zip(*found, strict=True))) if found else Figures()


def grouped(
    hours: Iterable[Hour], key: Callable[[Hour], Key], title: str | None = None
) -> Mapping[Key, Figures]:
    """The same for each day, or whatever the key makes of an hour."""
    groups: dict[Key, list[Hour]] = defaultdict(list)
    for hour in hours:
        groups[key(hour)].append(hour)
    return {name: total(group, title) for name, group in groups.items()}


def titles(hours: Iterable[Hour]) -> set[str]:
    """The packages that were used."""
    return {title for hour in hours for title in (*hour.visits, *hour.used)}


def weekday_and_hour(hour: Hour) -> tuple[int, int]:
    """Monday is 1."""
    return hour.at.isoweekday(), hour.at.hour


LABELS: Mapping[str, Callable[[Hour], str]] = {
    "hour": lambda hour: f"{hour.at:%Y-%m-%dT%H}",
    "day": lambda hour: f"{hour.at:%Y-%m-%d}",
    "week": lambda hour: f"{hour.at:%G W%V}",
    "month": lambda hour: f"{hour.at:%Y-%m}",
    "year": lambda hour: f"{hour.at:%Y}",
}
"""What the rows of a chart or table are called."""
